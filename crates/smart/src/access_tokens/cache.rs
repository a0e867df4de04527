//! Tokens that were verified.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use repository::Millis;

use super::Verified;
use crate::epoch::Epoch;

/// Tokens that are kept.
const TOKENS_MAX: usize = 20_000;

/// A longer token is verified each time, for the memory.
const TOKEN_BYTES_MAX: usize = 4 << 10;

/// How much of a token's end is hashed: of a signature, as much as no two tokens share.
const HASHED: usize = 64;

/// Tokens that were verified and have not expired, by a hash that nobody outside can foresee. A whole token is compared in constant time.
#[derive(Default)]
pub(crate) struct Cache {
    hasher: RandomState,
    kept: RwLock<HashMap<u64, Kept>>,
}

/// A token, and when nothing spoke against it.
struct Kept {
    token: Box<str>,
    verified: Arc<Verified>,
    epoch: Epoch,
    /// [`repository::Vault::commits`] when that was seen last.
    commits: AtomicU64,
}

impl Cache {
    /// A token that has not expired, when nothing was committed since it was looked at.
    pub(crate) fn find_unchanged(&self, token: &str, commits: u64, now: Millis) -> Option<Arc<Verified>> {
        self.find_where(token, now, |kept| kept.commits.load(Ordering::Acquire) == commits)
    }

    /// A token that has not expired, when nothing was revoked since it was verified.
    pub(crate) fn find(&self, token: &str, epoch: &Epoch, commits: u64, now: Millis) -> Option<Arc<Verified>> {
        self.find_where(token, now, |kept| {
            let same = kept.epoch == *epoch;
            if same {
                kept.commits.store(commits, Ordering::Release);
            }
            same
        })
    }

    fn find_where(&self, token: &str, now: Millis, is_wanted: impl FnOnce(&Kept) -> bool) -> Option<Arc<Verified>> {
        let all = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        let kept = all.get(&self.hash(token)).filter(|kept| kept.is(token))?;
        (now < kept.verified.expires && is_wanted(kept)).then(|| kept.verified.clone())
    }

    pub(crate) fn keep(&self, token: &str, verified: Arc<Verified>, epoch: Epoch, commits: u64, now: Millis) {
        if token.len() > TOKEN_BYTES_MAX {
            return;
        }
        let mut all = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= TOKENS_MAX {
            all.retain(|_, kept| now < kept.verified.expires);
        }
        // Whoever holds so many that count has them verified again now and then.
        if all.len() >= TOKENS_MAX {
            all.clear();
        }
        let kept = Kept { token: token.into(), verified, epoch, commits: AtomicU64::new(commits) };
        all.insert(self.hash(token), kept);
    }

    pub(crate) fn forget(&self, token: &str) {
        let mut all = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        let hash = self.hash(token);
        // One that only ends like it stays.
        if all.get(&hash).is_some_and(|kept| kept.is(token)) {
            all.remove(&hash);
        }
    }

    fn hash(&self, token: &str) -> u64 {
        self.hasher.hash_one(&token.as_bytes()[token.len().saturating_sub(HASHED)..])
    }
}

impl Kept {
    fn is(&self, token: &str) -> bool {
        verify_slices_are_equal(self.token.as_bytes(), token.as_bytes()).is_ok()
    }
}
