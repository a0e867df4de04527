//! Private keys, which sign.

use std::error::Error;
use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{self, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair,
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RsaSignatureEncoding,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{Algorithm, Jwk, Type};

/// A key that signs with one algorithm.
pub struct PrivateKey {
    kid: String,
    algorithm: Algorithm,
    pair: Pair,
}

enum Pair {
    Rsa(&'static RsaSignatureEncoding, rsa::KeyPair),
    Ec(EcdsaKeyPair),
}

/// That a key cannot be made, read or used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsigned;

impl fmt::Display for Unsigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the private key cannot be used")
    }
}

impl Error for Unsigned {}

/// Tells nothing that is secret.
impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey").field("kid", &self.kid).field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

impl PrivateKey {
    /// Makes a key, as PKCS #8, from the operating system's randomness. RSA takes a tenth of a second.
    pub fn generate(algorithm: Algorithm) -> Result<Vec<u8>, Unsigned> {
        match Signing::of(algorithm) {
            Signing::Rsa(_) => {
                let pair = rsa::KeyPair::generate(KeySize::Rsa2048).map_err(unsigned)?;
                let der: Pkcs8V1Der<'static> = pair.as_der().map_err(unsigned)?;
                Ok(der.as_ref().to_vec())
            }
            Signing::Ec(signing) => {
                let pair = EcdsaKeyPair::generate(signing).map_err(unsigned)?;
                Ok(pair.to_pkcs8v1().map_err(unsigned)?.as_ref().to_vec())
            }
        }
    }

    /// Reads a key from PKCS #8.
    pub fn read(kid: impl Into<String>, algorithm: Algorithm, pkcs8: &[u8]) -> Result<PrivateKey, Unsigned> {
        let pair = match Signing::of(algorithm) {
            Signing::Rsa(encoding) => Pair::Rsa(encoding, rsa::KeyPair::from_pkcs8(pkcs8).map_err(|_| Unsigned)?),
            Signing::Ec(signing) => Pair::Ec(EcdsaKeyPair::from_pkcs8(signing, pkcs8).map_err(|_| Unsigned)?),
        };
        Ok(PrivateKey { kid: kid.into(), algorithm, pair })
    }

    pub fn kid(&self) -> &str {
        &self.kid
    }

    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The token of these claims, in compact form.
    pub fn sign(&self, kind: Type, claims: &Value) -> Result<String, Unsigned> {
        let header = json!({ "alg": self.algorithm.as_str(), "kid": self.kid, "typ": kind.as_str() });
        let mut token = encode(header.to_string()) + "." + &encode(claims.to_string());
        let signature = self.signature(token.as_bytes())?;
        token.push('.');
        token.push_str(&encode(signature));
        Ok(token)
    }

    /// What verifies what it signs.
    pub fn public(&self) -> Jwk {
        let known = Jwk {
            kid: Some(self.kid.clone()),
            usage: Some("sig".to_owned()),
            alg: Some(self.algorithm.as_str().to_owned()),
            ..Jwk::default()
        };
        match &self.pair {
            Pair::Rsa(_, pair) => {
                let key = pair.public_key();
                let n = Some(encode(key.modulus().big_endian_without_leading_zero()));
                let e = Some(encode(key.exponent().big_endian_without_leading_zero()));
                Jwk { kty: "RSA".to_owned(), n, e, ..known }
            }
            Pair::Ec(pair) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                let crv = if x.len() == 32 { "P-256" } else { "P-384" };
                let (x, y) = (Some(encode(x)), Some(encode(y)));
                Jwk { kty: "EC".to_owned(), crv: Some(crv.to_owned()), x, y, ..known }
            }
        }
    }

    fn signature(&self, message: &[u8]) -> Result<Vec<u8>, Unsigned> {
        match &self.pair {
            Pair::Rsa(encoding, pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &SystemRandom::new(), message, &mut signature).map_err(unsigned)?;
                Ok(signature)
            }
            Pair::Ec(pair) => Ok(pair.sign(&SystemRandom::new(), message).map_err(unsigned)?.as_ref().to_vec()),
        }
    }
}

/// What an algorithm signs with.
enum Signing {
    Rsa(&'static RsaSignatureEncoding),
    Ec(&'static EcdsaSigningAlgorithm),
}

impl Signing {
    fn of(algorithm: Algorithm) -> Signing {
        match algorithm {
            Algorithm::Rs256 => Signing::Rsa(&RSA_PKCS1_SHA256),
            Algorithm::Rs384 => Signing::Rsa(&RSA_PKCS1_SHA384),
            Algorithm::Rs512 => Signing::Rsa(&RSA_PKCS1_SHA512),
            Algorithm::Es256 => Signing::Ec(&ECDSA_P256_SHA256_FIXED_SIGNING),
            Algorithm::Es384 => Signing::Ec(&ECDSA_P384_SHA384_FIXED_SIGNING),
        }
    }
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn unsigned(_: aws_lc_rs::error::Unspecified) -> Unsigned {
    Unsigned
}
