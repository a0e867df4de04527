//! Which commit changed the documents of a collection last: what was found in them holds until the next such commit, however many others come.
//!
//! Invariant: a commit is noted before it is visible. So whoever sees it finds it noted, and what is noted of a commit that failed, or that one does
//! not see yet, only makes things be found again.

use std::sync::{PoisonError, RwLock};

use rustc_hash::FxHashMap;

/// Kept by the process that writes, from when it opened the store on.
pub(super) struct Latest(RwLock<Noted>);

struct Noted {
    /// The engine's number of the last commit before the store was opened; `None` where another process writes.
    opened: Option<usize>,
    collections: FxHashMap<Box<[u8]>, usize>,
}

impl Latest {
    /// Of a store that this process writes to, whose last commit has this number.
    pub(super) fn since(opened: usize) -> Latest {
        Latest(RwLock::new(Noted { opened: Some(opened), collections: FxHashMap::default() }))
    }

    /// Of a store to which others write.
    pub(super) fn unknown() -> Latest {
        Latest(RwLock::new(Noted { opened: None, collections: FxHashMap::default() }))
    }

    /// Notes that the commit with this number, which is not visible yet, changes documents of these collections.
    pub(super) fn note<'c>(&self, commit: usize, collections: impl Iterator<Item = &'c str>) {
        let mut noted = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for collection in collections {
            match noted.collections.get_mut(collection.as_bytes()) {
                Some(last) => *last = commit,
                None => drop(noted.collections.insert(collection.as_bytes().into(), commit)),
            }
        }
    }

    /// A commit since which the documents of the collection are as a snapshot with the last commit `seen` has them.
    pub(super) fn of(&self, collection: &[u8], seen: usize) -> usize {
        let noted = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let Some(opened) = noted.opened else { return seen };
        noted.collections.get(collection).map_or(opened, |last| *last).min(seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_the_last_change_that_is_seen() {
        let latest = Latest::since(5);
        latest.note(6, ["A"].into_iter());
        latest.note(8, ["A", "B"].into_iter());
        let of = |collection: &str, seen| latest.of(collection.as_bytes(), seen);
        assert_eq!((of("A", 9), of("B", 9), of("C", 9)), (8, 8, 5));
        // An older snapshot does not know which of the commits before its own it was.
        assert_eq!((of("A", 7), of("B", 7), of("C", 7)), (7, 7, 5));
        let others = Latest::unknown();
        others.note(6, ["A"].into_iter());
        assert_eq!((others.of(b"A", 9), others.of(b"C", 9)), (9, 9));
    }
}
