//! What was found is kept until the documents change in which it was: whom consents hide is asked for again and again.

use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use roaring::RoaringTreemap;
use rustc_hash::FxHashMap;

use crate::{Filter, Index};

/// How much is kept of a kind.
const KEPT_MAX: usize = 64;

/// Sets of fewer documents are found again as soon.
const DOCUMENTS_MIN: u64 = 1024;

/// Sets of more documents are not kept, for the memory: about 2 bytes for each.
const DOCUMENTS_MAX: u64 = 1 << 20;

/// Totals that took fewer rows are counted again as soon.
const ROWS_MIN: u64 = 256;

/// What is kept of a store.
#[derive(Default)]
pub(in crate::embedded) struct Lists {
    sets: Kept<Name, Arc<RoaringTreemap>>,
    totals: Kept<Filter, u64>,
}

/// An index and the hash of its values.
pub(super) type Name = (Index, [u8; 32]);

/// Values, each with the commit since which it is right.
struct Kept<K, V>(Mutex<FxHashMap<K, (usize, V)>>);

impl Lists {
    pub(super) fn name(index: Index, values: &[&[u8]]) -> Name {
        let mut hasher = blake3::Hasher::new();
        for value in values {
            hasher.update(&(value.len() as u64).to_le_bytes());
            hasher.update(value);
        }
        (index, *hasher.finalize().as_bytes())
    }

    /// The documents with one of the values, where those of the index are as they were since this commit.
    pub(super) fn set(&self, commit: usize, name: &Name) -> Option<Arc<RoaringTreemap>> {
        self.sets.find(commit, name)
    }

    pub(super) fn keep_set(&self, commit: usize, name: Name, set: &RoaringTreemap) {
        if (DOCUMENTS_MIN..=DOCUMENTS_MAX).contains(&set.len()) {
            self.sets.keep(commit, name, Arc::new(set.clone()));
        }
    }

    /// How many documents satisfy a filter, where all that can are as they were since this commit.
    pub(super) fn total(&self, commit: usize, filter: &Filter) -> Option<u64> {
        self.totals.find(commit, filter)
    }

    /// Keeps a total that took so many rows.
    pub(super) fn keep_total(&self, commit: usize, filter: &Filter, total: u64, rows: u64) {
        if rows >= ROWS_MIN {
            self.totals.keep(commit, filter.clone(), total);
        }
    }
}

impl<K: Hash + Eq, V: Clone> Kept<K, V> {
    fn find(&self, commit: usize, key: &K) -> Option<V> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(key).filter(|(since, _)| *since == commit).map(|(_, value)| value.clone())
    }

    /// Keeps a value in place of an older one.
    fn keep(&self, commit: usize, key: K, value: V) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.get(&key).is_some_and(|(since, _)| *since > commit) {
            return;
        }
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        kept.insert(key, (commit, value));
    }
}

impl<K, V> Default for Kept<K, V> {
    fn default() -> Kept<K, V> {
        Kept(Mutex::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_newest_of_each_set() {
        let lists = Lists::default();
        let name = |value: &str| Lists::name(Index(1), &[value.as_bytes(), b"x"]);
        let set = |length: u64| (0..length).collect::<RoaringTreemap>();
        let found = |commit, value| lists.set(commit, &name(value)).map(|set| set.len());
        lists.keep_set(7, name("a"), &set(2000));
        lists.keep_set(7, name("few"), &set(5));
        lists.keep_set(6, name("a"), &set(3000));
        lists.keep_set(8, name("b"), &set(4000));
        let all = [found(7, "a"), found(7, "few"), found(6, "a"), found(8, "a"), found(8, "b")];
        assert_eq!(all, [Some(2000), None, None, None, Some(4000)]);
        for at in 0..2 * KEPT_MAX {
            lists.keep_set(8, name(&at.to_string()), &set(2000));
        }
        assert!(lists.sets.0.lock().expect("not poisoned").len() <= KEPT_MAX);
        assert_ne!(Lists::name(Index(1), &[b"ab", b"c"]), Lists::name(Index(1), &[b"a", b"bc"]));
    }
}
