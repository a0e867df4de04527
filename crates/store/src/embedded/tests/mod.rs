//! The embedded backend: the contract, its files, and what searches cost.

mod costs;
mod files;
mod groups;

use std::cell::RefCell;

use bytes::Bytes;

use super::*;
use crate::testing::{self, TestClock};
use crate::{Index, Key, Put, Row, Write};

/// A store that checks itself when it is dropped.
struct Verified(Embedded);

impl Store for Verified {
    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, StoreError> {
        self.0.snapshot()
    }

    fn commit(&self, batch: Batch) -> Result<Committed, StoreError> {
        self.0.commit(batch)
    }

    fn commits(&self) -> u64 {
        self.0.commits()
    }

    fn journal(&self, done: Mark) -> Result<(Journal, Vec<Frame>), StoreError> {
        self.0.journal(done)
    }

    fn statistics(&self) -> Result<Statistics, StoreError> {
        self.0.statistics()
    }
}

impl Drop for Verified {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(self.0.verify(), Ok(()));
        }
    }
}

#[test]
fn keeps_the_contract() {
    let directories = RefCell::new(Vec::new());
    testing::contract(&|clock| {
        let directory = tempfile::tempdir().unwrap();
        let store = Embedded::open(directory.path(), clock).unwrap();
        directories.borrow_mut().push(directory);
        Box::new(Verified(store))
    });
}

fn clock() -> Arc<TestClock> {
    TestClock::new(1_000)
}

fn put(name: &str, version: u64, rows: &[(u32, &[u8])]) -> Write {
    Write::Put(Put {
        key: Key::parse(name).unwrap(),
        version,
        body: Bytes::from_static(b"{}"),
        stamp_at: None,
        rows: rows.iter().map(|(index, value)| Row { index: Index(*index), value: value.to_vec() }).collect(),
        words: Vec::new(),
        time_index: None,
        mark: 0,
    })
}

fn write(store: &Embedded, writes: Vec<Write>) -> Committed {
    store.commit(Batch { preconditions: Vec::new(), writes }).unwrap()
}
