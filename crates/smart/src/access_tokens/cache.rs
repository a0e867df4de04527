//! Tokens that were verified, by their hash.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use repository::Millis;

use super::Verified;
use crate::epoch::Epoch;

/// Tokens that are kept.
const TOKENS_MAX: usize = 20_000;

/// The hash of a token.
pub(crate) type Name = [u8; 32];

/// Tokens that were verified and have not expired.
#[derive(Default)]
pub(crate) struct Cache {
    kept: RwLock<HashMap<Name, Kept>>,
}

/// A token, and when nothing spoke against it.
pub(crate) struct Kept {
    pub(crate) verified: Arc<Verified>,
    pub(crate) epoch: Epoch,
    /// [`repository::Vault::commits`] when that was seen last.
    pub(crate) commits: AtomicU64,
}

impl Cache {
    pub(crate) fn name(token: &str) -> Name {
        *blake3::hash(token.as_bytes()).as_bytes()
    }

    /// A token that has not expired, when nothing was committed since it was looked at.
    pub(crate) fn find_unchanged(&self, name: &Name, commits: u64, now: Millis) -> Option<Arc<Verified>> {
        self.find_where(name, now, |kept| kept.commits.load(Ordering::Acquire) == commits)
    }

    /// A token that has not expired, when nothing was revoked since it was verified.
    pub(crate) fn find(&self, name: &Name, epoch: &Epoch, commits: u64, now: Millis) -> Option<Arc<Verified>> {
        self.find_where(name, now, |kept| {
            let same = kept.epoch == *epoch;
            if same {
                kept.commits.store(commits, Ordering::Release);
            }
            same
        })
    }

    fn find_where(&self, name: &Name, now: Millis, is_wanted: impl FnOnce(&Kept) -> bool) -> Option<Arc<Verified>> {
        let all = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        let kept = all.get(name).filter(|kept| now < kept.verified.expires && is_wanted(kept))?;
        Some(kept.verified.clone())
    }

    pub(crate) fn keep(&self, name: Name, kept: Kept, now: Millis) {
        let mut all = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= TOKENS_MAX {
            all.retain(|_, kept| now < kept.verified.expires);
        }
        // Whoever holds so many that count has them verified again now and then.
        if all.len() >= TOKENS_MAX {
            all.clear();
        }
        all.insert(name, kept);
    }

    pub(crate) fn forget(&self, name: &Name) {
        self.kept.write().unwrap_or_else(PoisonError::into_inner).remove(name);
    }
}
