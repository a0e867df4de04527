//! Putting the numbers of rows into a set.

use roaring::RoaringTreemap;

/// How many numbers wait at most. The set takes many in order much faster than one by one.
const WAITING_MAX: usize = 1 << 16;

/// A set in the making, of numbers that come in any order, mostly in runs that ascend.
#[derive(Default)]
pub(super) struct Gathering {
    set: RoaringTreemap,
    waiting: Vec<u64>,
}

impl Gathering {
    pub(super) fn push(&mut self, number: u64) {
        if self.waiting.len() == WAITING_MAX {
            self.settle();
        }
        self.waiting.push(number);
    }

    pub(super) fn into_set(mut self) -> RoaringTreemap {
        self.settle();
        self.set
    }

    fn settle(&mut self) {
        if !self.waiting.is_sorted() {
            self.waiting.sort_unstable();
        }
        self.waiting.dedup();
        let waiting = self.waiting.drain(..);
        let mut more = RoaringTreemap::new();
        more.append(waiting).expect("the numbers are in order");
        if self.set.is_empty() {
            self.set = more;
        } else {
            self.set |= more;
        }
    }
}
