//! Public keys: JSON Web Keys and sets of them, RFC 7517.

use std::error::Error;
use std::fmt;

use aws_lc_rs::signature::{RsaPublicKeyComponents, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Algorithm, Family};

/// Keys of one set.
pub const KEYS_MAX: usize = 50;
/// Bytes of a set as text.
pub(crate) const TEXT_MAX: usize = 64 * 1024;
/// Bytes of an RSA modulus: 8,192 bits.
const MODULUS_MAX: usize = 1024;
/// Bytes of an RSA modulus: 2,048 bits.
const MODULUS_MIN: usize = 256;

/// The public keys of somebody who signs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct KeySet {
    pub keys: Vec<Jwk>,
}

/// A public key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwk {
    pub kty: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    pub usage: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alg: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub e: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crv: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub x: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub y: Option<String>,
}

/// Why a text is no set of public keys that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidKeys(&'static str);

impl fmt::Display for InvalidKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for InvalidKeys {}

impl KeySet {
    /// Reads a JWK Set. Keys that cannot verify anything here are left out; a private or shared key is an error: whoever wrote it has given it away.
    pub fn parse(text: &[u8]) -> Result<KeySet, InvalidKeys> {
        #[derive(Deserialize)]
        struct Document {
            keys: Vec<Value>,
        }
        if text.len() > TEXT_MAX {
            return Err(InvalidKeys("the JWK Set is too long"));
        }
        let Ok(Document { keys }) = serde_json::from_slice(text) else {
            return Err(InvalidKeys("the JWK Set is not a JSON object with `keys`"));
        };
        if keys.len() > KEYS_MAX {
            return Err(InvalidKeys("the JWK Set has too many keys"));
        }
        if keys.iter().any(|key| key.get("d").is_some() || key.get("k").is_some()) {
            return Err(InvalidKeys("the JWK Set has a key that must stay secret"));
        }
        let keys = keys.into_iter().filter_map(|key| serde_json::from_value(key).ok());
        let keys: Vec<Jwk> = keys.filter(Jwk::is_usable).collect();
        match keys.is_empty() {
            true => Err(InvalidKeys("the JWK Set has no key that verifies RS256, RS384, RS512, ES256 or ES384")),
            false => Ok(KeySet { keys }),
        }
    }

    /// The keys that a token may be signed with whose header has this `kid` and `alg`.
    pub(super) fn candidates<'k>(&'k self, kid: Option<&'k str>, alg: Algorithm) -> impl Iterator<Item = &'k Jwk> {
        let is_named = move |key: &&Jwk| kid.is_none() || key.kid.as_deref() == kid;
        self.keys.iter().filter(is_named).filter(move |key| key.is_for(alg))
    }
}

impl Jwk {
    /// Whether the key is for signatures of this algorithm.
    pub(super) fn is_for(&self, algorithm: Algorithm) -> bool {
        let of_type = match algorithm.family() {
            Family::Rsa(_) => self.kty == "RSA",
            Family::Ec(curve, _) => self.kty == "EC" && self.crv.as_deref() == Some(curve),
        };
        of_type
            && self.usage.as_deref().is_none_or(|usage| usage == "sig")
            && self.alg.as_deref().is_none_or(|alg| alg == algorithm.as_str())
    }

    /// Whether `signature` is that of `message` by this key, which must be [for](Jwk::is_for) the algorithm.
    pub(super) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        match algorithm.family() {
            Family::Rsa(parameters) => self
                .modulus()
                .zip(self.exponent())
                .is_some_and(|(n, e)| RsaPublicKeyComponents { n, e }.verify(parameters, message, signature).is_ok()),
            Family::Ec(_, verification) => self
                .point()
                .is_some_and(|point| UnparsedPublicKey::new(verification, point).verify(message, signature).is_ok()),
        }
    }

    fn is_usable(&self) -> bool {
        Algorithm::ALL.into_iter().any(|algorithm| self.is_for(algorithm))
            && match self.kty.as_str() {
                "RSA" => self.modulus().is_some() && self.exponent().is_some(),
                _ => self.point().is_some(),
            }
    }

    fn modulus(&self) -> Option<Vec<u8>> {
        let modulus = decode(self.n.as_deref()?)?;
        let modulus = modulus[modulus.iter().position(|byte| *byte != 0)?..].to_vec();
        (MODULUS_MIN..=MODULUS_MAX).contains(&modulus.len()).then_some(modulus)
    }

    /// Larger ones than 65,537 are not in use, and cost time.
    fn exponent(&self) -> Option<Vec<u8>> {
        let exponent = decode(self.e.as_deref()?)?;
        matches!(exponent.as_slice(), [3] | [1, 0, 1]).then_some(exponent)
    }

    /// Uncompressed, as SEC 1 writes it.
    fn point(&self) -> Option<Vec<u8>> {
        let length = match self.crv.as_deref()? {
            "P-256" => 32,
            "P-384" => 48,
            _ => return None,
        };
        let (x, y) = (decode(self.x.as_deref()?)?, decode(self.y.as_deref()?)?);
        (x.len() == length && y.len() == length).then(|| [&[4], x.as_slice(), &y].concat())
    }
}

fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}
