//! What is found, beside the embedded store.

use tempfile::TempDir;

use super::Temporary;
use crate::Embedded;
use crate::testing::{Mongod, TestClock, find_alike};

#[test]
fn finds_what_the_embedded_store_finds() {
    let Some(mongod) = Mongod::shared() else { return };
    for (seed, documents, searches) in [(31, 40, 200), (32, 300, 100), (33, 3_000, 60)] {
        let directory = TempDir::new().unwrap();
        let embedded = Embedded::open(directory.path(), TestClock::new(1_000)).unwrap();
        find_alike(&embedded, &Temporary::open(mongod, TestClock::new(1_000)), seed, documents, searches);
    }
}
