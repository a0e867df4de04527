//! The documents with words.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use roaring::RoaringTreemap;
use rustc_hash::FxHashMap;

use super::scan::Reader;
use crate::embedded::layout::State;
use crate::embedded::words::{self, Words};
use crate::{Index, StoreError, WORD_MAX};

type Group = (Index, Vec<Box<[u8]>>);

/// Finds documents by their words, for one search.
pub(super) struct WordReader<'r, 't> {
    reader: &'r Reader<'t>,
    /// What the postings are not right about, read once for all words of the search.
    fresh: OnceCell<Vec<(u64, Words<'t>)>>,
    /// What was found already: a search may repeat words that all documents have as often as there is room in its text.
    found: RefCell<FxHashMap<Group, Rc<RoaringTreemap>>>,
}

impl<'r, 't> WordReader<'r, 't> {
    pub(super) fn new(reader: &'r Reader<'t>) -> WordReader<'r, 't> {
        WordReader { reader, fresh: OnceCell::new(), found: RefCell::default() }
    }

    /// The documents with all these words, at least one. Each block of a word's postings counts as a row, and each fresh document does
    /// once.
    pub(super) fn documents(&self, index: Index, mut words: Vec<&[u8]>) -> Result<Rc<RoaringTreemap>, StoreError> {
        if words.iter().any(|word| word.len() > WORD_MAX) {
            return Ok(Rc::default());
        }
        words.sort_unstable();
        words.dedup();
        let key = (index, words.iter().copied().map(Box::from).collect());
        if let Some(found) = self.found.borrow().get(&key) {
            return Ok(found.clone());
        }
        let found = Rc::new(self.read(index, &words)?);
        self.found.borrow_mut().insert(key, found.clone());
        Ok(found)
    }

    fn read(&self, index: Index, words: &[&[u8]]) -> Result<RoaringTreemap, StoreError> {
        let start = self.reader.touched();
        let (view, touch) = (self.reader.view, || self.reader.touch(Some(index)));
        let state = view.state()?;
        let mut set = words::merged_documents(view, &state, index, words, touch)?;
        for (number, fresh) in self.fresh(&state, touch)? {
            if fresh.has_all(index, words) {
                set.insert(*number);
            } else {
                set.remove(*number);
            }
        }
        self.reader.note("find by words of", Some(index), start, set.len());
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
