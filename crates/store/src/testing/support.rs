//! Short ways to say what the contract's cases do.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;

use crate::{
    Batch, Clock, Committed, Filter, Find, Index, Key, Millis, Precondition, Put, Row, Store, StoreError, Version,
    Write,
};

/// A clock that stands still until it is set.
#[derive(Debug)]
pub struct TestClock(AtomicI64);

impl TestClock {
    /// A clock that shows `time`.
    pub fn new(time: Millis) -> Arc<TestClock> {
        Arc::new(TestClock(AtomicI64::new(time)))
    }

    /// Shows `time` from now on.
    pub fn set(&self, time: Millis) {
        self.0.store(time, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Millis {
        self.0.load(Ordering::SeqCst)
    }
}

/// 2026-03-01T09:00:00Z.
pub(super) const MORNING: Millis = 1_772_355_600_000;

pub(super) fn key(text: &str) -> Key {
    Key::parse(text).expect("the case names a key")
}

pub(super) fn row(index: u32, value: impl Into<Vec<u8>>) -> Row {
    Row { index: Index(index), value: value.into() }
}

pub(super) fn put(name: &str, version: u64, body: &str, rows: Vec<Row>) -> Write {
    put_with_words(name, version, body, rows, Vec::new())
}

pub(super) fn put_with_words(name: &str, version: u64, body: &str, rows: Vec<Row>, words: Vec<Row>) -> Write {
    Write::Put(Put {
        key: key(name),
        version,
        body: Bytes::copy_from_slice(body.as_bytes()),
        stamp_at: None,
        rows,
        words,
        time_index: None,
        mark: 0,
    })
}

pub(super) fn delete(name: &str, version: u64) -> Write {
    Write::Delete { key: key(name), version, mark: 0 }
}

pub(super) fn reindex(name: &str, version: u64, rows: Vec<Row>, words: Vec<Row>) -> Write {
    Write::Reindex { key: key(name), version, rows, words, time_index: None }
}

pub(super) fn at_version(name: &str, version: u64) -> Precondition {
    Precondition::Version { key: key(name), version }
}

pub(super) fn write(store: &dyn Store, writes: Vec<Write>) -> Result<Committed, StoreError> {
    store.commit(Batch { preconditions: Vec::new(), writes })
}

/// A write that must succeed.
#[track_caller]
pub(super) fn written(store: &dyn Store, writes: Vec<Write>) -> Committed {
    write(store, writes).expect("the batch is right")
}

/// The newest version of a document, from a fresh snapshot.
pub(super) fn read(store: &dyn Store, name: &str) -> Option<Version> {
    store.snapshot().expect("a snapshot").read(&key(name)).expect("a read")
}

/// The keys of the documents that satisfy `filter`, in order of creation, from a fresh snapshot.
pub(super) fn finds(store: &dyn Store, filter: Filter) -> Vec<String> {
    let found = store.snapshot().expect("a snapshot").find(&all_of(filter)).expect("a search");
    found.hits.iter().map(|hit| hit.key.to_string()).collect()
}

/// A search for everything that satisfies `filter`.
pub(super) fn all_of(filter: Filter) -> Find {
    Find::new(filter, 10_000)
}
