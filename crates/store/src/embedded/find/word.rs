//! The documents with a word.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use roaring::RoaringTreemap;
use rustc_hash::FxHashMap;

use super::scan::Reader;
use crate::embedded::layout::State;
use crate::embedded::words::{self, Words};
use crate::{Index, StoreError, WORD_MAX};

type Word = (Index, Box<[u8]>);

/// Finds documents by their words, for one search.
pub(super) struct WordReader<'r, 't> {
    reader: &'r Reader<'t>,
    /// What the postings are not right about, read once for all words of the search.
    fresh: OnceCell<Vec<(u64, Words<'t>)>>,
    /// What was found already: a search may repeat a word that all documents have as often as there is room in its text.
    found: RefCell<FxHashMap<Word, Rc<RoaringTreemap>>>,
}

impl<'r, 't> WordReader<'r, 't> {
    pub(super) fn new(reader: &'r Reader<'t>) -> WordReader<'r, 't> {
        WordReader { reader, fresh: OnceCell::new(), found: RefCell::default() }
    }

    /// The documents with this word. Each block of postings counts as a row, and each fresh document does once.
    pub(super) fn documents(&self, index: Index, word: &[u8]) -> Result<Rc<RoaringTreemap>, StoreError> {
        if word.len() > WORD_MAX {
            return Ok(Rc::default());
        }
        let key = (index, Box::from(word));
        if let Some(found) = self.found.borrow().get(&key) {
            return Ok(found.clone());
        }
        let found = Rc::new(self.read(index, word)?);
        self.found.borrow_mut().insert(key, found.clone());
        Ok(found)
    }

    fn read(&self, index: Index, word: &[u8]) -> Result<RoaringTreemap, StoreError> {
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
