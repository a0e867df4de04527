//! The documents with a word.

use roaring::RoaringTreemap;

use super::scan::Reader;
use crate::embedded::words;
use crate::{Index, StoreError, WORD_MAX};

impl Reader<'_> {
    /// The documents with this word. Each block of postings and each fresh document counts as a row.
    pub(super) fn word(&self, index: Index, word: &[u8]) -> Result<RoaringTreemap, StoreError> {
        if word.len() > WORD_MAX {
            return Ok(RoaringTreemap::new());
        }
        let state = self.view.state()?;
        let mut set = words::merged_documents(self.view, &state, index, word, || self.touch(Some(index)))?;
        for document in words::fresh_documents(self.view, &state)? {
            let (number, words) = document?;
            self.touch(Some(index))?;
            if words.has(index, word) {
                set.insert(number);
            } else {
                set.remove(number);
            }
        }
        Ok(set)
    }
}
