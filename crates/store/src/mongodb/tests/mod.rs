//! The MongoDB backend over a real server: the contract, and what only a database elsewhere can do.

mod costs;
mod finds;
mod opening;
mod rights;
mod sharding;
mod sharing;
mod trouble;

use std::sync::Arc;

use bytes::Bytes;
use tempfile::TempDir;

use super::*;
use crate::testing::{self, Mongod, TestClock};
use crate::{Index, Key, Precondition, Put, Row, Write};

const NOON: i64 = 1_772_366_400_000;

/// A store whose database goes when it is dropped.
struct Temporary {
    store: Option<MongoDb>,
    mongod: &'static Mongod,
    url: String,
    _directory: TempDir,
}

impl Temporary {
    fn open(mongod: &'static Mongod, clock: Arc<dyn Clock>) -> Temporary {
        let (url, directory) = (mongod.new_database(), TempDir::new().unwrap());
        let store = MongoDb::open(&url, directory.path(), clock).unwrap();
        Temporary { store: Some(store), mongod, url, _directory: directory }
    }

    fn store(&self) -> &MongoDb {
        self.store.as_ref().unwrap()
    }
}

fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

/// A version of a document whose body and only row say `value`.
fn put(name: &str, version: u64, value: &str) -> Write {
    Write::Put(Put {
        key: key(name),
        version,
        body: Bytes::copy_from_slice(value.as_bytes()),
        stamp_at: None,
        rows: vec![Row { index: Index(1), value: value.into() }],
        words: Vec::new(),
        time_index: None,
        mark: 0,
    })
}

fn commit(store: &dyn Store, writes: Vec<Write>) -> Result<Committed, StoreError> {
    store.commit(Batch { preconditions: Vec::new(), writes })
}

/// The newest version and the body of a document.
fn read(store: &dyn Store, name: &str) -> Option<(u64, String)> {
    let version = store.snapshot().unwrap().read(&key(name)).unwrap()?;
    Some((version.version, String::from_utf8(version.body?.to_vec()).unwrap()))
}

impl Drop for Temporary {
    fn drop(&mut self) {
        self.store = None;
        if !std::thread::panicking() {
            self.mongod.drop_database(&self.url);
        }
    }
}

impl Store for Temporary {
    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, StoreError> {
        self.store().snapshot()
    }

    fn commit(&self, batch: Batch) -> Result<Committed, StoreError> {
        self.store().commit(batch)
    }

    fn commits(&self) -> u64 {
        self.store().commits()
    }

    fn journal(&self, done: Mark) -> Result<(Journal, Vec<Frame>), StoreError> {
        self.store().journal(done)
    }

    fn statistics(&self) -> Result<Statistics, StoreError> {
        self.store().statistics()
    }
}

#[test]
fn keeps_the_contract() {
    let Some(mongod) = Mongod::shared() else { return };
    testing::contract(&|clock| Box::new(Temporary::open(mongod, clock)));
}
