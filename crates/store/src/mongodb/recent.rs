//! The values of claims and settings that this process has read or written lately. After the same number of commits everything is the same,
//! whoever made them, so that what is known to be of that number need not be read again.

use rustc_hash::FxHashMap;

/// How many values are known at most, and how long one may be.
const VALUES_MAX: usize = 1_024;
const LENGTH_MAX: usize = 4_096;

#[derive(Default)]
pub(super) struct Recent {
    /// After how many commits they are so.
    commits: i64,
    /// By name. None where there is no such claim or setting.
    values: FxHashMap<Vec<u8>, Option<Vec<u8>>>,
}

impl Recent {
    /// The value after so many commits, or that there is none; `None` where that is not known.
    pub(super) fn value(&self, commits: i64, name: &[u8]) -> Option<Option<Vec<u8>>> {
        self.values.get(name).filter(|_| self.commits == commits).cloned()
    }

    /// Takes note of what was read of the database as it is after so many commits.
    pub(super) fn note(&mut self, commits: i64, name: &[u8], value: Option<&[u8]>) {
        if self.commits < commits {
            *self = Recent { commits, ..Recent::default() };
        }
        if self.commits == commits {
            self.put(name, value);
        }
    }

    /// Takes note of a commit of this process, after which there are so many: what is not among these values is as it was before.
    pub(super) fn advance<'v>(&mut self, commits: i64, values: impl Iterator<Item = (&'v [u8], Option<&'v [u8]>)>) {
        if self.commits + 1 == commits {
            self.commits = commits;
        }
        values.for_each(|(name, value)| self.note(commits, name, value));
    }

    fn put(&mut self, name: &[u8], value: Option<&[u8]>) {
        if value.is_some_and(|value| value.len() > LENGTH_MAX) {
            self.values.remove(name);
            return;
        }
        if self.values.len() >= VALUES_MAX && !self.values.contains_key(name) {
            self.values.clear();
        }
        self.values.insert(name.to_vec(), value.map(<[u8]>::to_vec));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_what_is_so_after_the_same_commits() {
        let mut recent = Recent::default();
        let known = |recent: &Recent, commits| recent.value(commits, b"a");
        recent.note(5, b"a", Some(b"1"));
        assert_eq!([4, 5, 6].map(|commits| known(&recent, commits)), [None, Some(Some(b"1".to_vec())), None]);
        // What is older, or of commits in between by others, tells nothing.
        recent.note(4, b"a", None);
        assert_eq!(known(&recent, 5), Some(Some(b"1".to_vec())));
        recent.advance(6, [(&b"b"[..], Some(&b"2"[..]))].into_iter());
        assert_eq!((known(&recent, 6), known(&recent, 5)), (Some(Some(b"1".to_vec())), None));
        recent.advance(7, [(&b"a"[..], None)].into_iter());
        assert_eq!((known(&recent, 7), recent.value(7, b"b")), (Some(None), Some(Some(b"2".to_vec()))));
        recent.advance(9, [(&b"b"[..], Some(&b"3"[..]))].into_iter());
        assert_eq!((known(&recent, 9), recent.value(9, b"b")), (None, Some(Some(b"3".to_vec()))));
        // A commit that a snapshot has seen before its writer was told.
        recent.note(10, b"b", Some(b"4"));
        recent.advance(10, [(&b"b"[..], Some(&b"4"[..]))].into_iter());
        assert_eq!(recent.value(10, b"b"), Some(Some(b"4".to_vec())));
    }

    #[test]
    fn forgets_what_would_be_too_much() {
        let mut recent = Recent::default();
        recent.note(1, b"long", Some(b"short"));
        recent.note(1, b"long", Some(&[0; LENGTH_MAX]));
        assert_eq!(recent.value(1, b"long").map(|value| value.map(|value| value.len())), Some(Some(LENGTH_MAX)));
        recent.note(1, b"long", Some(&[0; LENGTH_MAX + 1]));
        assert_eq!(recent.value(1, b"long"), None);
        for number in 0..=VALUES_MAX {
            recent.note(1, &number.to_be_bytes(), None);
            assert!(recent.values.len() <= VALUES_MAX);
        }
        assert_eq!(recent.value(1, &VALUES_MAX.to_be_bytes()), Some(None));
    }
}
