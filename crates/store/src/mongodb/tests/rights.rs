//! What the user of a database must be allowed: the role `readWrite` there, and nothing else.

use std::time::Duration;

use super::*;
use crate::testing::{PASSWORD, ReplicaSet};
use crate::{Count, Filter, Find};

#[test]
fn needs_no_more_than_to_read_and_write() {
    let Some((set, url)) = ReplicaSet::guarded() else { return };
    let directories = [TempDir::new().unwrap(), TempDir::new().unwrap()];
    let open = |at: usize| MongoDb::open(&url, directories[at].path(), TestClock::new(NOON)).unwrap();
    let stores = [open(0), open(1)];
    for (at, store) in stores.iter().enumerate() {
        let name = format!("P/{at}");
        commit(store, vec![put(&name, 1, "one"), put(&name, 2, "two"), put(&format!("Q/{at}"), 1, "one")]).unwrap();
    }
    let find = Find { total: Count::Exact, ..Find::new(Filter::present(Index(1)), 1) };
    for store in &stores {
        assert_eq!(read(store, "P/1"), Some((2, "two".to_owned())));
        let found = store.snapshot().unwrap().find(&find).unwrap();
        assert_eq!(found.total.map(|total| total.count), Some(4));
        let statistics = store.statistics().unwrap();
        assert_eq!(statistics.documents, [("P".to_owned(), 2), ("Q".to_owned(), 2)]);
        assert!(statistics.disk_bytes > 0);
    }
    drop(stores);
    assert_eq!(read(&open(0), "P/0"), Some((2, "two".to_owned())));
    says_who_is_not_let_in(&set, &url);
}

fn says_who_is_not_let_in(set: &ReplicaSet, url: &str) {
    let wrong = url.replace("se%24cret", "wr%24ng");
    let nobody = set.database("store");
    let elsewhere = url.replace("/store?", "/elsewhere?");
    for (url, expected) in
        [(&wrong, "cannot be reached"), (&nobody, "requires authentication"), (&elsewhere, "not authorized")]
    {
        let directory = TempDir::new().unwrap();
        let opened = MongoDb::open(url, directory.path(), TestClock::new(NOON)).map(drop);
        let text = opened.expect_err(url).to_string();
        assert!(text.contains(expected) && !text.contains(PASSWORD) && !text.contains("wr$ng"), "{url}: {text}");
    }
}

/// A server that does not answer, or answers late, is told of without the URL.
#[test]
fn keeps_the_password_to_itself_when_the_server_goes() {
    let Some((set, url)) = ReplicaSet::guarded() else { return };
    let url = format!("{url}&serverSelectionTimeoutMS=500");
    let directory = TempDir::new().unwrap();
    let patience = Patience { opening: Duration::from_millis(300), answer: Duration::from_secs(10) };
    let open = || MongoDb::open_patiently(&url, directory.path(), TestClock::new(NOON), patience);
    let store = open().unwrap();
    set.member(0).kill();
    let errors = [
        store.snapshot().map(drop),
        store.statistics().map(drop),
        commit(&store, vec![put("P/1", 1, "one")]).map(drop),
    ];
    drop(store);
    for error in errors.into_iter().chain([open().map(drop)]) {
        let error = error.unwrap_err();
        assert!(!format!("{error} {error:?}").contains(PASSWORD), "{error:?}");
    }
}
