//! The MongoDB backend over a real server: the contract, and what only a database elsewhere can do.

use std::sync::Arc;

use tempfile::TempDir;

use super::*;
use crate::testing::{self, Mongod};

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
