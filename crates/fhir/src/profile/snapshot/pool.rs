//! Keeps documents while a snapshot is made, so that its elements can borrow from all of them.

use std::cell::{Cell, OnceCell};
use std::sync::Arc;

use crate::json::Document;

/// More chunks than memory could fill: each is twice as long as the one before.
const CHUNKS: usize = 32;

type Chunk = Box<[OnceCell<Arc<Document>>]>;

/// Only grows: what it keeps stays where it is.
#[derive(Default)]
pub(super) struct Pool {
    count: Cell<usize>,
    chunks: [OnceCell<Chunk>; CHUNKS],
}

impl Pool {
    pub(super) fn keep(&self, document: Arc<Document>) -> &Document {
        let number = self.count.get() + 1;
        self.count.set(number);
        let chunk = number.ilog2() as usize;
        let slots = self.chunks[chunk].get_or_init(|| (0..1 << chunk).map(|_| OnceCell::new()).collect());
        slots[number - (1 << chunk)].get_or_init(|| document)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_all() {
        let pool = Pool::default();
        let kept: Vec<_> = (0..100)
            .map(|number| pool.keep(Arc::new(Document::parse(number.to_string().as_bytes()).expect("a number"))))
            .collect();
        let texts: Vec<_> = kept.iter().map(|document| document.text().to_owned()).collect();
        assert_eq!(texts, (0..100).map(|number| number.to_string()).collect::<Vec<_>>());
    }
}
