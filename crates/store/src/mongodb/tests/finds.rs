//! What is found, beside the embedded store.

use super::*;
use crate::testing::find_alike;
use crate::{Embedded, Filter, Find, SortKey};

#[test]
fn finds_what_the_embedded_store_finds() {
    let Some(mongod) = Mongod::shared() else { return };
    for (seed, documents, searches) in [(31, 40, 200), (32, 300, 100), (33, 3_000, 60)] {
        let directory = TempDir::new().unwrap();
        let embedded = Embedded::open(directory.path(), TestClock::new(1_000)).unwrap();
        find_alike(&embedded, &Temporary::open(mongod, TestClock::new(1_000)), seed, documents, searches);
    }
}

/// A walk that goes on piece by piece comes to its end although it meets documents again, at their further rows.
#[test]
fn a_walk_gets_past_what_comes_again() {
    let Some(mongod) = Mongod::shared() else { return };
    let store = Temporary::open(mongod, TestClock::new(1_000));
    let document = |number: u32| {
        let values: &[&str] = if number < 1_500 { &["a", "m"] } else { &["z"] };
        let rows = values.iter().map(|value| Row { index: Index(1), value: (*value).into() }).collect();
        match put(&format!("P/{number}"), 1, "{}") {
            Write::Put(put) => Write::Put(Put { rows, ..put }),
            other => other,
        }
    };
    commit(&store, (0..1_800).map(document).collect()).unwrap();
    for bodies in [false, true] {
        let sort = vec![SortKey { indexes: vec![Index(1)], descending: false }];
        let find = Find { sort, bodies, ..Find::new(Filter::present(Index(1)), 1_700) };
        let found = store.snapshot().unwrap().find(&find).unwrap();
        let keys: Vec<_> = found.hits.iter().map(|hit| hit.key.to_string()).collect();
        assert_eq!(keys, Vec::from_iter((0..1_700).map(|number| format!("P/{number}"))));
    }
}
