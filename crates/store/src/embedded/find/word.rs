//! The documents with a word.

use roaring::RoaringTreemap;

use super::scan::Reader;
use crate::embedded::tables::damaged;
use crate::embedded::words::Words;
use crate::{Index, StoreError};

impl Reader<'_> {
    /// The documents with this word.
    pub(super) fn word(&self, index: Index, word: &[u8]) -> Result<RoaringTreemap, StoreError> {
        let mut set = RoaringTreemap::new();
        for entry in self.view.tables.words.iter(self.view.txn)? {
            let (number, record) = entry?;
            self.touch(Some(index))?;
            if Words(record).has(index, word) {
                set.insert(number.try_into().map(u64::from_be_bytes).map_err(|_| damaged("words"))?);
            }
        }
        Ok(set)
    }
}
