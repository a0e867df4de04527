//! The words of one document as a record.

use crate::embedded::layout::Fields;
use crate::{Index, Row, WORD_MAX};

/// For each index its number 4, the length of what follows 4, and its words in order, each after its length 1. `words` is sorted and
/// without repetition.
pub(super) fn encode(words: &[Row]) -> Vec<u8> {
    const { assert!(WORD_MAX <= u8::MAX as usize) };
    let mut record = Vec::with_capacity(words.iter().map(|row| 1 + row.value.len()).sum::<usize>() + 16);
    for same_index in words.chunk_by(|a, b| a.index == b.index) {
        let length: usize = same_index.iter().map(|row| 1 + row.value.len()).sum();
        record.extend(same_index[0].index.0.to_be_bytes());
        record.extend((length as u32).to_be_bytes());
        for row in same_index {
            record.push(row.value.len() as u8);
            record.extend(&row.value);
        }
    }
    record
}

/// The words of one document, read from its record. A damaged tail ends the iteration; `verify` finds it.
#[derive(Clone, Copy, Debug)]
pub(in crate::embedded) struct Words<'a>(pub(in crate::embedded) &'a [u8]);

impl<'a> Words<'a> {
    /// Whether this word is among them.
    pub(in crate::embedded) fn has(self, index: Index, word: &[u8]) -> bool {
        self.indexes()
            .any(|(at, words)| at == index && words.take_while(|found| *found <= word).any(|found| found == word))
    }

    fn indexes(self) -> impl Iterator<Item = (Index, Each<'a>)> {
        let mut fields = Fields(self.0);
        std::iter::from_fn(move || {
            let index = Index(fields.u32()?);
            let length = fields.u32()?;
            Some((index, Each(fields.take(length as usize)?)))
        })
    }
}

struct Each<'a>(&'a [u8]);

impl<'a> Iterator for Each<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let mut fields = Fields(self.0);
        let length = fields.u8()?;
        let word = fields.take(usize::from(length))?;
        self.0 = fields.0;
        Some(word)
    }
}
