//! Histories of a document, a collection and everything, against a naive model.

use super::Make;
use super::random::Random;
use super::support::{MORNING, TestClock, delete, key, put, written};
use crate::{Cursor, History, HistoryScope, Millis, Snapshot, Store, StoreError, Version};

pub(super) fn contract(make: Make<'_>) {
    lists_like_the_model(make);
    reaches_each_of_many_versions(make);
    pages_stay_in_place_while_others_write(make);
    refuses_foreign_cursors(make);
}

fn query(scope: HistoryScope) -> History {
    History { scope, since: None, before: None, after: None, limit: 10, total: false }
}

/// A few documents with many versions, several at one time; all versions, oldest first.
fn filled(store: &dyn Store, clock: &TestClock) -> Vec<Version> {
    let mut random = Random::new(5);
    let mut documents = [(0, false); 12];
    let mut versions = Vec::new();
    for step in 0..150 {
        clock.set(MORNING + step / 3 * 10);
        let mut writes = Vec::new();
        for _ in 0..random.below(3) {
            let at = random.below(12) as usize;
            let (version, exists) = &mut documents[at];
            let name = format!("{}/{at}", ["P", "Q", "R"][at % 3]);
            *version += 1;
            *exists = !*exists || !random.one_in(4);
            let body = format!("{name}:{version}");
            writes.push(if *exists { put(&name, *version, &body, vec![]) } else { delete(&name, *version) });
        }
        versions.extend(written(store, writes).versions);
    }
    versions
}

fn lists_like_the_model(make: Make<'_>) {
    let clock = TestClock::new(MORNING);
    let store = make(clock.clone());
    let versions = filled(&*store, &clock);
    let snapshot = store.snapshot().expect("a snapshot");
    let scopes = [
        HistoryScope::All,
        HistoryScope::Collection("P".to_owned()),
        HistoryScope::Collection("R".to_owned()),
        HistoryScope::Collection("X".to_owned()),
        HistoryScope::Document(key("P/0")),
        HistoryScope::Document(key("Q/4")),
        HistoryScope::Document(key("Q/44")),
    ];
    let times = [None, Some(0), Some(MORNING), Some(MORNING + 105), Some(MORNING + 200), Some(MORNING + 9999)];
    for scope in scopes {
        for (since, before) in times.into_iter().flat_map(|since| times.map(|before| (since, before))) {
            let expected = model(&versions, &scope, since, before);
            for (limit, total) in [(1, true), (7, false), (1000, true)] {
                let query = History { since, before, limit, total, ..query(scope.clone()) };
                assert_eq!(all_pages(&*snapshot, &query, expected.len() as u64), expected, "{query:?}");
            }
        }
        let none = snapshot.history(&History { limit: 0, total: true, ..query(scope.clone()) }).expect("a history");
        let expected = model(&versions, &scope, None, None).len() as u64;
        assert_eq!((none.versions, none.next, none.total), (Vec::new(), None, Some(expected)), "{scope:?}");
    }
}

fn model(versions: &[Version], scope: &HistoryScope, since: Option<Millis>, before: Option<Millis>) -> Vec<Version> {
    let covered = |version: &&Version| match scope {
        HistoryScope::All => true,
        HistoryScope::Collection(name) => version.key.collection() == name,
        HistoryScope::Document(key) => version.key == *key,
    };
    let bounded = |version: &&Version| {
        since.is_none_or(|since| version.time >= since) && before.is_none_or(|before| version.time < before)
    };
    versions.iter().rev().filter(covered).filter(bounded).cloned().collect()
}

fn all_pages(snapshot: &dyn Snapshot, query: &History, count: u64) -> Vec<Version> {
    let mut query = query.clone();
    let mut versions = Vec::new();
    loop {
        let page = snapshot.history(&query).expect("a history");
        assert_eq!(page.total, query.total.then_some(count), "{query:?}");
        assert!(page.versions.len() <= query.limit && (page.next.is_none() || page.versions.len() == query.limit));
        versions.extend(page.versions);
        match page.next {
            Some(next) => query.after = Some(next),
            None => return versions,
        }
    }
}

/// Versions of two documents turn and turn about, three at one time.
fn reaches_each_of_many_versions(make: Make<'_>) {
    const VERSIONS: u64 = 70;
    let clock = TestClock::new(MORNING);
    let store = make(clock.clone());
    let mut versions = Vec::new();
    for version in 1..=VERSIONS {
        clock.set(MORNING + version as Millis / 3);
        let change = |name| match version % 16 {
            15 => delete(name, version),
            _ => put(name, version, &format!("{name}:{version}"), vec![]),
        };
        versions.extend(written(&*store, vec![change("P/1"), change("P/2")]).versions);
    }
    let snapshot = store.snapshot().expect("a snapshot");
    for version in &versions {
        assert_eq!(snapshot.read_version(&version.key, version.version), Ok(Some(version.clone())));
        let scope = HistoryScope::Document(version.key.clone());
        for (since, before) in [(Some(version.time), None), (None, Some(version.time))] {
            let expected = model(&versions, &scope, since, before);
            let query = History { since, before, limit: 9, total: true, ..query(scope.clone()) };
            assert_eq!(all_pages(&*snapshot, &query, expected.len() as u64), expected, "{query:?}");
        }
    }
    assert_eq!(snapshot.read_version(&key("P/1"), VERSIONS + 1), Ok(None));
    assert_eq!(snapshot.read_version(&key("P/1"), 0), Ok(None));
}

fn pages_stay_in_place_while_others_write(make: Make<'_>) {
    for scope in [HistoryScope::All, HistoryScope::Collection("P".to_owned()), HistoryScope::Document(key("P/1"))] {
        let store = make(TestClock::new(MORNING));
        for version in 1..=6 {
            written(&*store, vec![put("P/1", version, "", vec![])]);
        }
        let query = History { limit: 3, ..query(scope) };
        let first = store.snapshot().expect("a snapshot").history(&query).expect("a history");
        written(&*store, vec![put("P/1", 7, "", vec![]), put("P/2", 1, "", vec![])]);
        let rest =
            store.snapshot().expect("a snapshot").history(&History { after: first.next, ..query }).expect("a history");
        let numbers: Vec<u64> = first.versions.iter().chain(&rest.versions).map(|version| version.version).collect();
        assert_eq!((numbers, rest.next), (vec![6, 5, 4, 3, 2, 1], None));
    }
}

fn refuses_foreign_cursors(make: Make<'_>) {
    let store = make(TestClock::new(MORNING));
    written(&*store, vec![put("P/1", 1, "", vec![])]);
    let snapshot = store.snapshot().expect("a snapshot");
    for scope in [HistoryScope::All, HistoryScope::Collection("P".to_owned()), HistoryScope::Document(key("P/1"))] {
        let history = snapshot.history(&History { after: Some(Cursor(b"foreign".to_vec())), ..query(scope.clone()) });
        assert!(matches!(history, Err(StoreError::Misuse(_))), "{scope:?}");
    }
}
