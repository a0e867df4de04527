//! Signed JSON: JSON Web Signatures, keys and tokens of RFC 7515, 7517, 7518 and 7519, as far as SMART and OpenID Connect need them.
//!
//! Invariants:
//! - Whoever verifies says which algorithms count; what a token's header says only chooses among them, and `none` and shared secrets are never among them.
//! - A key signs with the algorithms of its own type and curve only.

mod fetch;
mod jwk;
mod key_sets;
mod private;
mod public;
mod token;

#[cfg(test)]
mod tests;

use aws_lc_rs::signature::{self, EcdsaVerificationAlgorithm, RsaParameters};

pub use fetch::{Fetch, FetchError, Https};
pub use jwk::{InvalidKeys, Jwk, KEYS_MAX, KeySet};
pub use key_sets::KeySets;
pub(crate) use key_sets::{Place, Unverified};
pub use private::{PrivateKey, Unsigned};
pub use token::{Claims, Expected, Invalid, Type, issuer_of, verify};
pub(crate) use token::{SKEW_S, unverified};

/// An algorithm that signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Es256,
    Es384,
}

impl Algorithm {
    pub const ALL: [Algorithm; 5] =
        [Algorithm::Rs256, Algorithm::Rs384, Algorithm::Rs512, Algorithm::Es256, Algorithm::Es384];

    /// Its name in `alg`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Algorithm::Rs256 => "RS256",
            Algorithm::Rs384 => "RS384",
            Algorithm::Rs512 => "RS512",
            Algorithm::Es256 => "ES256",
            Algorithm::Es384 => "ES384",
        }
    }

    pub fn parse(name: &str) -> Option<Algorithm> {
        Algorithm::ALL.into_iter().find(|algorithm| algorithm.as_str() == name)
    }

    fn family(self) -> Family {
        match self {
            Algorithm::Rs256 => Family::Rsa(&signature::RSA_PKCS1_2048_8192_SHA256),
            Algorithm::Rs384 => Family::Rsa(&signature::RSA_PKCS1_2048_8192_SHA384),
            Algorithm::Rs512 => Family::Rsa(&signature::RSA_PKCS1_2048_8192_SHA512),
            Algorithm::Es256 => Family::Ec("P-256", &signature::ECDSA_P256_SHA256_FIXED),
            Algorithm::Es384 => Family::Ec("P-384", &signature::ECDSA_P384_SHA384_FIXED),
        }
    }
}

/// What an algorithm verifies with, and for a curve its name in `crv`.
enum Family {
    Rsa(&'static RsaParameters),
    Ec(&'static str, &'static EcdsaVerificationAlgorithm),
}
