//! Why a store could not do it, and what the caller may do then.

use std::fmt;

use crate::Index;

/// Why a store could not do it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// A precondition did not hold (its position): somebody else was first. Read again and retry.
    Conflict(usize),
    /// A claimed name is taken.
    Claimed(Vec<u8>),
    /// A query would cost more than a stated limit.
    TooCostly(TooCostly),
    /// A document or a value is larger than this store can hold. Nothing was written. The text says what, and how large it may be.
    TooLarge(String),
    /// The caller broke the contract of this interface; a bug above.
    Misuse(String),
    /// The disk is full or the store's address space is used up. Nothing was written; free space and try again.
    Full,
    /// The database is elsewhere and does not answer. Whether what was to be written is there is known only by reading again; try later.
    Unreachable(String),
    /// What is on disk cannot be opened: written by another version, damaged, or in use by another process. The text says what to do.
    Unusable(String),
    /// The engine failed. For the log.
    Engine(String),
}

/// What of a search went beyond which limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooCostly {
    /// The index that was being read; `None` where documents were looked at one by one.
    pub index: Option<Index>,
    /// What it went beyond.
    pub limit: Limit,
}

/// What bounds a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// How many index rows it may touch.
    Rows(u64),
    /// Its time.
    Time,
}

impl TooCostly {
    /// The same as a clause, with the index under a name that people know.
    pub fn explain(&self, index: Option<&str>) -> String {
        let what = index.map_or("looking at resources one by one".to_owned(), |index| format!("reading {index}"));
        match self.limit {
            Limit::Rows(rows) => format!("{what} takes the search beyond {rows} index rows"),
            Limit::Time => format!("the time of the search ran out while {what}"),
        }
    }
}

impl fmt::Display for TooCostly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.explain(self.index.map(|index| format!("index `{}`", index.0)).as_deref()))
    }
}

impl StoreError {
    /// Whether the store is well and only this request was turned down.
    pub fn is_refusal(&self) -> bool {
        match self {
            StoreError::Conflict(_) | StoreError::Claimed(_) | StoreError::TooCostly(_) => true,
            StoreError::TooLarge(_) | StoreError::Misuse(_) => true,
            StoreError::Full | StoreError::Unreachable(_) | StoreError::Unusable(_) | StoreError::Engine(_) => false,
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Conflict(at) => write!(f, "precondition {at} does not hold"),
            StoreError::Claimed(name) => write!(f, "the name `{}` is taken", String::from_utf8_lossy(name)),
            StoreError::TooCostly(refusal) => write!(f, "too costly: {refusal}"),
            StoreError::Misuse(text) => write!(f, "misuse of the store: {text}"),
            StoreError::Full => f.write_str("the store is full"),
            StoreError::TooLarge(text)
            | StoreError::Unreachable(text)
            | StoreError::Unusable(text)
            | StoreError::Engine(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for StoreError {}
