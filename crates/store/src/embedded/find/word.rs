//! The documents with a word.

use std::cell::OnceCell;

use roaring::RoaringTreemap;

use super::scan::Reader;
use crate::embedded::layout::State;
use crate::embedded::words::{self, Words};
use crate::{Index, StoreError, WORD_MAX};

/// Finds documents by their words, for one search.
pub(super) struct WordReader<'r, 't> {
    reader: &'r Reader<'t>,
    /// What the postings are not right about, read once for all words of the search.
    fresh: OnceCell<Vec<(u64, Words<'t>)>>,
}

impl<'r, 't> WordReader<'r, 't> {
    pub(super) fn new(reader: &'r Reader<'t>) -> WordReader<'r, 't> {
        WordReader { reader, fresh: OnceCell::new() }
    }

    /// The documents with this word. Each block of postings counts as a row, and each fresh document does once.
    pub(super) fn documents(&self, index: Index, word: &[u8]) -> Result<RoaringTreemap, StoreError> {
        if word.len() > WORD_MAX {
            return Ok(RoaringTreemap::new());
        }
        let start = self.reader.touched();
        let (view, touch) = (self.reader.view, || self.reader.touch(Some(index)));
        let state = view.state()?;
        let mut set = words::merged_documents(view, &state, index, word, touch)?;
        for (number, words) in self.fresh(&state, touch)? {
            if words.has(index, word) {
                set.insert(*number);
            } else {
                set.remove(*number);
            }
        }
        self.reader.note("find by a word of", Some(index), start, set.len());
        Ok(set)
    }

    fn fresh(
        &self,
        state: &State,
        touch: impl Fn() -> Result<(), StoreError>,
    ) -> Result<&[(u64, Words<'t>)], StoreError> {
        if let Some(fresh) = self.fresh.get() {
            return Ok(fresh);
        }
        let documents = words::fresh_documents(self.reader.view, state)?;
        let fresh = documents.map(|document| touch().and(document)).collect::<Result<_, _>>()?;
        Ok(self.fresh.get_or_init(|| fresh))
    }
}
