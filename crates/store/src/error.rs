//! Why a store could not do it, and what the caller may do then.

use std::fmt;

/// Why a store could not do it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// A precondition did not hold (its position): somebody else was first. Read again and retry.
    Conflict(usize),
    /// A claimed name is taken.
    Claimed(Vec<u8>),
    /// A query would cost more than a stated limit; the text names the part.
    TooCostly(String),
    /// The caller broke the contract of this interface; a bug above.
    Misuse(String),
    /// The disk is full or the store's address space is used up. Nothing was written; free space and try again.
    Full,
    /// What is on disk cannot be opened: written by another version, damaged, or in use by another process. The text says what to do.
    Unusable(String),
    /// The engine failed. For the log.
    Engine(String),
}

impl StoreError {
    /// Whether the store is well and only this request was turned down.
    pub fn is_refusal(&self) -> bool {
        match self {
            StoreError::Conflict(_) | StoreError::Claimed(_) | StoreError::TooCostly(_) | StoreError::Misuse(_) => true,
            StoreError::Full | StoreError::Unusable(_) | StoreError::Engine(_) => false,
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Conflict(at) => write!(f, "precondition {at} does not hold"),
            StoreError::Claimed(name) => write!(f, "the name `{}` is taken", String::from_utf8_lossy(name)),
            StoreError::TooCostly(text) => write!(f, "too costly: {text}"),
            StoreError::Misuse(text) => write!(f, "misuse of the store: {text}"),
            StoreError::Full => f.write_str("the store is full"),
            StoreError::Unusable(text) | StoreError::Engine(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for StoreError {}
