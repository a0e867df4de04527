//! How many documents searches had, by the index that they were about first: what is asked besides while the next one's page is read.

use std::sync::{Mutex, PoisonError};

use rustc_hash::FxHashMap;

use crate::Index;

/// How many documents a search had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Crowd {
    /// No more than are on the page.
    Page,
    /// More than that.
    Counted,
    /// More than are counted.
    Estimated,
}

/// There are no more indexes than search parameters.
#[derive(Default)]
pub(super) struct Crowds(Mutex<FxHashMap<Index, Crowd>>);

impl Crowds {
    /// How many the last search had.
    pub(super) fn of(&self, index: Index) -> Crowd {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&index).copied().unwrap_or(Crowd::Page)
    }

    /// Takes note of a search.
    pub(super) fn note(&self, index: Index, crowd: Crowd) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(index, crowd);
    }
}
