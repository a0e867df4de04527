//! Listing versions.

use crate::{Cursor, Key, Millis, Row, Version};

/// Which versions to list.
#[derive(Clone, Debug)]
pub struct History {
    /// Of what.
    pub scope: HistoryScope,
    /// Only versions committed at this time or later.
    pub since: Option<Millis>,
    /// Only versions committed before this time.
    pub before: Option<Millis>,
    /// Only versions that come after the one this position names: from [`HistoryPage::next`].
    pub after: Option<Cursor>,
    /// How many versions at most; fewer where one more would bring their bodies over [`crate::PAGE_BYTES_MAX`].
    pub limit: usize,
    /// Whether to count all.
    pub total: bool,
}

/// How much of the store a [`History`] covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HistoryScope {
    /// Everything.
    All,
    /// All documents of a collection.
    Collection(String),
    /// One document.
    Document(Key),
}

/// A page of versions, newest first.
#[derive(Clone, Debug)]
pub struct HistoryPage {
    /// Deletions included.
    pub versions: Vec<Version>,
    /// There when more follow.
    pub next: Option<Cursor>,
    /// How many there are within the bounds, on all pages together; there when asked for.
    pub total: Option<u64>,
}

/// A page of the log: see [`Snapshot::log`](crate::Snapshot::log).
#[derive(Clone, Debug)]
pub struct LogPage {
    /// In the order in which they were committed.
    pub logged: Vec<Logged>,
    /// The position of the last of them, behind which all that comes later stands. `None` when there are none.
    pub last: Option<Cursor>,
}

/// A version, deletions included, and what its document is found by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// The version.
    pub version: Version,
    /// Sorted; none when it is not the newest of its document.
    pub rows: Vec<Row>,
    /// Likewise.
    pub words: Vec<Row>,
}
