//! Secrets of this server's making, and the only form in which they are kept.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

/// Fills bytes with what nobody can guess. Passed in, so that tests repeat exactly.
pub type Random = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

/// A new secret of 256 bits, in base64url.
pub(crate) fn secret(random: &Random) -> String {
    let mut bytes = [0; 32];
    random(&mut bytes);
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// A new name of 128 bits, which is no secret. In hexadecimal: a name that began with `-` would be taken for an option on a command line.
pub fn new_name(random: &Random) -> String {
    let mut bytes = [0; 16];
    random(&mut bytes);
    format!("{:032x}", u128::from_be_bytes(bytes))
}

/// What is kept of a secret: of 256 random bits one fast hash says nothing.
pub(crate) fn hashed(secret: &str) -> String {
    blake3::hash(secret.as_bytes()).to_hex().to_string()
}

/// The operating system's randomness.
pub fn system_random() -> Random {
    Arc::new(|bytes| aws_lc_rs::rand::fill(bytes).expect("the operating system has randomness to give"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_looks_like_an_option() {
        for byte in 0..=u8::MAX {
            let name = new_name(&(Arc::new(move |bytes: &mut [u8]| bytes.fill(byte)) as Random));
            assert_eq!((name.len(), &name[..2]), (32, format!("{byte:02x}").as_str()));
        }
    }
}
