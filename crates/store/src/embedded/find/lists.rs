//! Sets of lists of values, kept until something is committed: whom consents hide is asked for again and again.

use std::sync::{Arc, Mutex, PoisonError};

use roaring::RoaringTreemap;
use rustc_hash::FxHashMap;

use crate::Index;

/// How many sets are kept.
const KEPT_MAX: usize = 64;

/// Sets of fewer documents are found again as soon.
const DOCUMENTS_MIN: u64 = 1024;

/// Sets of more documents are not kept, for the memory: about 2 bytes for each.
const DOCUMENTS_MAX: u64 = 1 << 20;

/// The sets of one commit.
#[derive(Default)]
pub(in crate::embedded) struct Lists(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    /// The engine's number of the last commit that they see.
    commit: usize,
    sets: FxHashMap<Name, Arc<RoaringTreemap>>,
}

/// An index and the hash of its values.
type Name = (Index, [u8; 32]);

impl Lists {
    pub(super) fn name(index: Index, values: &[&[u8]]) -> Name {
        let mut hasher = blake3::Hasher::new();
        for value in values {
            hasher.update(&(value.len() as u64).to_le_bytes());
            hasher.update(value);
        }
        (index, *hasher.finalize().as_bytes())
    }

    /// The documents with one of the values, as a snapshot with this last commit has them.
    pub(super) fn find(&self, commit: usize, name: &Name) -> Option<Arc<RoaringTreemap>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.sets.get(name).filter(|_| kept.commit == commit).cloned()
    }

    /// Keeps a set in place of all that are older.
    pub(super) fn keep(&self, commit: usize, name: Name, set: &RoaringTreemap) {
        if !(DOCUMENTS_MIN..=DOCUMENTS_MAX).contains(&set.len()) {
            return;
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.commit < commit || kept.sets.len() == KEPT_MAX {
            kept.sets.clear();
            kept.commit = kept.commit.max(commit);
        }
        if kept.commit == commit {
            kept.sets.insert(name, Arc::new(set.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_sets_of_the_newest_commit() {
        let lists = Lists::default();
        let name = |value: &str| Lists::name(Index(1), &[value.as_bytes(), b"x"]);
        let set = |length: u64| (0..length).collect::<RoaringTreemap>();
        let found = |commit, value| lists.find(commit, &name(value)).map(|set| set.len());
        lists.keep(7, name("a"), &set(2000));
        lists.keep(7, name("few"), &set(5));
        lists.keep(6, name("old"), &set(3000));
        let all = [found(7, "a"), found(7, "few"), found(6, "old"), found(6, "a"), found(8, "a"), found(7, "b")];
        assert_eq!(all, [Some(2000), None, None, None, None, None]);
        lists.keep(8, name("b"), &set(4000));
        assert_eq!((found(7, "a"), found(8, "a"), found(8, "b")), (None, None, Some(4000)));
        for at in 0..2 * KEPT_MAX {
            lists.keep(8, name(&at.to_string()), &set(2000));
        }
        assert!(lists.0.lock().expect("not poisoned").sets.len() <= KEPT_MAX);
        assert_ne!(Lists::name(Index(1), &[b"ab", b"c"]), Lists::name(Index(1), &[b"a", b"bc"]));
    }
}
