//! Passwords by Argon2id, <https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html#argon2id>.

use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use argon2::password_hash::PasswordVerifier;
use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
use fhir::{IssueType, Outcome};

/// How many bytes a password may have.
pub const PASSWORD_BYTES_MAX: usize = 1_000;

/// How many characters a new password must have.
pub const PASSWORD_CHARACTERS_MIN: usize = 12;

/// OWASP's first choice: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;

/// How many hashes run at once: each takes a core and 19 MiB.
const RUNNING_MAX: usize = 4;

/// How many may wait for their turn.
const WAITING_MAX: usize = 64;

/// The hash of a new password, a PHC string. Refuses one that is too short or too long.
pub fn hash_password(password: &str, salt: [u8; 16]) -> Result<String, Outcome> {
    if password.chars().count() < PASSWORD_CHARACTERS_MIN || password.len() > PASSWORD_BYTES_MAX {
        return Err(Outcome::new(
            IssueType::Value,
            format!(
                "a password has at least {PASSWORD_CHARACTERS_MIN} characters and at most {PASSWORD_BYTES_MAX} bytes"
            ),
        ));
    }
    Ok(hash(password, salt))
}

/// Compares passwords with their hashes, a few at a time.
#[derive(Default)]
pub(crate) struct Hasher {
    turns: Mutex<Turns>,
    freed: Condvar,
}

#[derive(Default)]
struct Turns {
    running: usize,
    waiting: usize,
}

/// Too many are waiting already.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Busy;

impl Hasher {
    /// Whether this is the password. Without a hash it is not, which takes as long to find.
    pub(crate) fn verify(&self, password: &str, hash: Option<&str>) -> Result<bool, Busy> {
        let password = if password.len() > PASSWORD_BYTES_MAX { "" } else { password };
        self.take_turn()?;
        let is_right = matches(password, hash.unwrap_or_else(|| nobody()));
        self.turns().running -= 1;
        self.freed.notify_one();
        Ok(is_right && hash.is_some())
    }

    fn take_turn(&self) -> Result<(), Busy> {
        let mut turns = self.turns();
        if turns.running >= RUNNING_MAX {
            if turns.waiting >= WAITING_MAX {
                return Err(Busy);
            }
            turns.waiting += 1;
            while turns.running >= RUNNING_MAX {
                turns = self.freed.wait(turns).unwrap_or_else(PoisonError::into_inner);
            }
            turns.waiting -= 1;
        }
        turns.running += 1;
        Ok(())
    }

    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn argon2() -> Argon2<'static> {
    let parameters = Params::new(MEMORY_KIB, PASSES, 1, None).expect("the parameters are within Argon2's bounds");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters)
}

fn hash(password: &str, salt: [u8; 16]) -> String {
    let hash = argon2().hash_password_with_salt(password.as_bytes(), &salt);
    hash.expect("a salt of 16 bytes and a password of bounded length are fine").to_string()
}

fn matches(password: &str, hash: &str) -> bool {
    let hash = PasswordHash::new(hash);
    hash.is_ok_and(|hash| argon2().verify_password(password.as_bytes(), &hash).is_ok())
}

/// The hash of what is nobody's password.
fn nobody() -> &'static str {
    static NOBODY: OnceLock<String> = OnceLock::new();
    NOBODY.get_or_init(|| hash("", [0; 16]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares() {
        let hasher = Hasher::default();
        let right = hash_password("correct horse battery", [7; 16]).expect("long enough");
        assert!(right.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{right}");
        let cases = [
            ("correct horse battery", Some(right.as_str()), true),
            ("correct horse batterz", Some(right.as_str()), false),
            ("", Some(right.as_str()), false),
            ("", None, false),
            ("x", Some("no hash"), false),
        ];
        for (password, hash, expected) in cases {
            assert_eq!(hasher.verify(password, hash), Ok(expected), "{password} {hash:?}");
        }
        assert_eq!(hasher.verify(&"x".repeat(PASSWORD_BYTES_MAX + 1), Some(&right)), Ok(false));
    }

    #[test]
    fn refuses_weak_ones() {
        for (password, accepted) in
            [("12345678901", false), ("123456789012", true), ("ééééééééééé", false), (&*"x".repeat(1_001), false)]
        {
            assert_eq!(hash_password(password, [0; 16]).is_ok(), accepted, "{password}");
        }
    }

    #[test]
    fn bounds_those_who_wait() {
        let hasher = Hasher::default();
        *hasher.turns() = Turns { running: RUNNING_MAX, waiting: WAITING_MAX };
        assert_eq!(hasher.verify("x", None), Err(Busy));
    }
}
