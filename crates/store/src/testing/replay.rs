//! The log, oldest first, and its replay in another store.

use bytes::Bytes;

use super::Make;
use super::random::Random;
use super::support::{MORNING, TestClock, delete, finds, key, put, put_with_words, reindex, row, write, written};
use crate::{
    Batch, Cursor, Filter, History, HistoryScope, Index, Key, LogPage, Logged, Millis, PAGE_BYTES_MAX, Precondition,
    Put, Store, StoreError, Version, Write,
};

pub(super) fn contract(make: Make<'_>) {
    logs_everything_in_order(make);
    bounds_pages_of_the_log(make);
    goes_on_where_it_ended(make);
    refuses_foreign_positions(make);
    replays_what_another_store_has(make);
    replays_by_and_by(make);
    refuses_to_replay_out_of_order(make);
    takes_no_time_for_values(make);
}

fn log(store: &dyn Store, after: Option<&Cursor>, limit: usize) -> LogPage {
    store.snapshot().expect("a snapshot").log(after, limit).expect("a page")
}

/// All of the log, by pages of so many.
fn whole_log(store: &dyn Store, limit: usize) -> Vec<Logged> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = log(store, after.as_ref(), limit);
        assert!(page.logged.len() <= limit && page.logged.is_empty() == page.last.is_none());
        if page.last.is_none() {
            return all;
        }
        all.extend(page.logged);
        after = page.last;
    }
}

/// Documents that come, change, go and come back, with rows, words and marks, several at one time; all versions, oldest first.
fn filled(store: &dyn Store, clock: &TestClock, seed: u64) -> Vec<Version> {
    let mut random = Random::new(seed);
    let mut documents = [(0, false); 12];
    let mut versions = Vec::new();
    for step in 0..60 {
        clock.set(MORNING + step / 3 * 10);
        let mut writes = Vec::new();
        for _ in 0..random.below(4) {
            let at = random.below(12) as usize;
            let (version, exists) = &mut documents[at];
            let key = key(&format!("{}/{at}", ["P", "Q", "R"][at % 3]));
            *version += 1;
            *exists = !*exists || !random.one_in(4);
            let mark = random.below(256) as u8;
            writes.push(match *exists {
                false => Write::Delete { key, version: *version, mark },
                true => Write::Put(Put {
                    body: Bytes::from(format!("{key}:{version}:????????????????????????")),
                    stamp_at: Some(key.as_str().len() + 2 + version.to_string().len()),
                    rows: (0..random.below(4))
                        .map(|_| row(random.below(3) as u32, [random.below(256) as u8]))
                        .collect(),
                    words: vec![row(7, format!("word{}", random.below(5))), row(8, "all")],
                    time_index: Some(Index(5)),
                    key,
                    version: *version,
                    mark,
                }),
            });
        }
        versions.extend(written(store, writes).versions);
    }
    versions
}

/// All of a history, newest first.
fn history(store: &dyn Store) -> Vec<Version> {
    let all = History { scope: HistoryScope::All, since: None, before: None, after: None, limit: 10_000, total: false };
    store.snapshot().expect("a snapshot").history(&all).expect("a history").versions
}

fn replay(logged: &[Logged]) -> Batch {
    Batch { preconditions: Vec::new(), writes: logged.iter().cloned().map(Write::Replay).collect() }
}

fn logs_everything_in_order(make: Make<'_>) {
    let clock = TestClock::new(MORNING);
    let store = make(clock.clone());
    assert_eq!((whole_log(&*store, 5), log(&*store, None, 0).last), (Vec::new(), None));
    let versions = filled(&*store, &clock, 3);
    for limit in [1, 7, 1000] {
        let logged = whole_log(&*store, limit);
        let found: Vec<_> = logged.iter().map(|logged| logged.version.clone()).collect();
        assert_eq!(found, versions, "pages of {limit}");
    }
    // What a document is found by stands with its newest version alone.
    let store = make(TestClock::new(MORNING));
    let rows = |value: &str| vec![row(1, value), row(2, value)];
    written(&*store, vec![put_with_words("P/1", 1, "", rows("a"), vec![row(3, "b")]), put("P/2", 1, "", rows("a"))]);
    written(&*store, vec![put_with_words("P/1", 2, "", rows("c"), vec![row(3, "e"), row(3, "d")]), delete("P/2", 2)]);
    written(&*store, vec![reindex("P/1", 2, vec![row(2, "f")], vec![row(3, "d"), row(4, "d")])]);
    let found: Vec<_> = whole_log(&*store, 9).into_iter().map(|logged| (logged.rows, logged.words)).collect();
    let none = || (Vec::new(), Vec::new());
    let newest = (vec![row(2, "f")], vec![row(3, "d"), row(4, "d")]);
    assert_eq!(found, [none(), none(), newest, none()]);
}

fn bounds_pages_of_the_log(make: Make<'_>) {
    let store = make(TestClock::new(MORNING));
    let body = "x".repeat(PAGE_BYTES_MAX / 6);
    let large: Vec<_> = (0..9).map(|at| put(&format!("P/{at}"), 1, &body, vec![row(1, vec![7; 100])])).collect();
    for write in large {
        written(&*store, vec![write]);
    }
    let mut pages = vec![log(&*store, None, 100)];
    while let Some(last) = pages.last().and_then(|page| page.last.clone()) {
        pages.push(log(&*store, Some(&last), 100));
    }
    let lengths: Vec<_> = pages.iter().map(|page| page.logged.len()).collect();
    assert_eq!(lengths, [5, 4, 0]);
}

fn goes_on_where_it_ended(make: Make<'_>) {
    let store = make(TestClock::new(MORNING));
    written(&*store, vec![put("P/1", 1, "", vec![]), put("P/1", 2, "", vec![]), put("P/2", 1, "", vec![])]);
    let all = log(&*store, None, 10);
    assert_eq!(log(&*store, all.last.as_ref(), 10).last, None);
    // At the same time as the last one, and of a document whose earlier versions stood before.
    written(&*store, vec![put("P/1", 3, "", vec![]), put("P/0", 1, "", vec![])]);
    let names = |page: LogPage| {
        page.logged
            .iter()
            .map(|logged| format!("{} {}", logged.version.key, logged.version.version))
            .collect::<Vec<_>>()
    };
    assert_eq!(names(log(&*store, all.last.as_ref(), 10)), ["P/1 3", "P/0 1"]);
    let first = log(&*store, None, 2);
    assert_eq!(names(log(&*store, first.last.as_ref(), 10)), ["P/2 1", "P/1 3", "P/0 1"]);
}

fn refuses_foreign_positions(make: Make<'_>) {
    let store = make(TestClock::new(MORNING));
    let foreign = Cursor(b"foreign".to_vec());
    let page = store.snapshot().expect("a snapshot").log(Some(&foreign), 1).map(drop);
    assert!(matches!(page, Err(StoreError::Misuse(_))), "{page:?}");
}

/// What tells two stores apart from outside.
fn assert_alike(one: &dyn Store, other: &dyn Store) {
    assert_eq!(whole_log(one, 1000), whole_log(other, 1000));
    assert_eq!(history(one), history(other));
    let documents = |store: &dyn Store| store.statistics().expect("statistics").documents;
    assert_eq!(documents(one), documents(other));
    let filters = (0..4).map(|index| Filter::present(Index(index)));
    let words = (0..5).map(|word| Filter::word(Index(7), format!("word{word}")));
    let times = [Filter::equal(Index(5), crate::time_value(MORNING + 190)), Filter::everything()];
    for filter in filters.chain(words).chain(times) {
        assert_eq!(finds(one, filter.clone()), finds(other, filter.clone()), "{filter:?}");
    }
}

fn replays_what_another_store_has(make: Make<'_>) {
    for (seed, size) in [(1, 1), (2, 10), (3, 1000)] {
        let clock = TestClock::new(MORNING);
        let one = make(clock.clone());
        let versions = filled(&*one, &clock, seed);
        // What is replayed keeps its times, whatever the clock says.
        let other = make(TestClock::new(MORNING + 1_000_000));
        for logged in whole_log(&*one, 1000).chunks(size) {
            let committed = other.commit(replay(logged)).expect("the next versions");
            let expected: Vec<_> = logged.iter().map(|logged| logged.version.clone()).collect();
            assert_eq!(committed.versions, expected);
        }
        assert_eq!(history(&*other).len(), versions.len());
        assert_alike(&*one, &*other);
        // Then it is a store like any.
        let committed = written(&*other, vec![put("P/new", 1, "", vec![row(1, "a")])]);
        assert_eq!(committed.time, MORNING + 1_000_000);
    }
}

/// A version that was the newest when it was replayed is not when the next round begins.
fn replays_by_and_by(make: Make<'_>) {
    let clock = TestClock::new(MORNING);
    let (one, other) = (make(clock.clone()), make(TestClock::new(0)));
    let mut after = None;
    for round in 1..=4 {
        clock.set(MORNING + round as Millis);
        let value = format!("word{round}");
        let writes = vec![
            put_with_words("P/1", round, &value, vec![row(1, value.as_str())], vec![row(7, value.as_str())]),
            put_with_words(&format!("P/n{round}"), 1, "", vec![row(2, "b")], vec![]),
        ];
        written(&*one, writes);
        let page = log(&*one, after.as_ref(), 10);
        other.commit(replay(&page.logged)).expect("the next versions");
        after = page.last;
        assert_alike(&*one, &*other);
    }
}

fn logged(name: &str, version: u64, time: Millis, body: Option<&str>) -> Logged {
    let body = body.map(|body| Bytes::copy_from_slice(body.as_bytes()));
    let version = Version { key: key(name), version, time, body, mark: 3 };
    Logged { version, rows: vec![], words: vec![] }
}

fn refuses_to_replay_out_of_order(make: Make<'_>) {
    let store = make(TestClock::new(MORNING));
    let there = |name, version, time| logged(name, version, time, Some(""));
    store.commit(replay(&[there("P/1", 1, 500), there("P/2", 1, 500)])).expect("the first versions");
    let before = whole_log(&*store, 100);
    let cases = [
        vec![there("P/3", 1, 499)],
        vec![there("P/3", 1, 600), there("P/4", 1, 599)],
        vec![there("P/1", 1, 600)],
        vec![there("P/1", 3, 600)],
        vec![there("P/3", 2, 600)],
        vec![logged("P/3", 1, 600, None)],
        vec![logged("P/1", 2, 600, None), logged("P/1", 3, 600, None)],
    ];
    for case in cases {
        let refused = store.commit(replay(&case)).map(drop);
        assert!(matches!(refused, Err(StoreError::Misuse(_))), "{case:?}: {refused:?}");
    }
    // Of the times of replayed versions and of the commit's own, one would be out of order.
    for other in [put("P/9", 1, "", vec![]), delete("P/1", 2)] {
        let refused = write(&*store, vec![Write::Replay(there("P/3", 1, 500)), other]).map(drop);
        assert!(matches!(refused, Err(StoreError::Misuse(_))), "{refused:?}");
    }
    // Preconditions hold for it as for everything else.
    let precondition = Precondition::Value { name: b"n".to_vec(), value: Some(b"v".to_vec()) };
    let batch = Batch { preconditions: vec![precondition.clone()], ..replay(&[there("P/3", 1, 500)]) };
    assert_eq!(store.commit(batch.clone()).map(drop), Err(StoreError::Conflict(0)));
    assert_eq!(whole_log(&*store, 100), before);
    written(&*store, vec![Write::Set { name: b"n".to_vec(), value: b"v".to_vec() }]);
    store.commit(batch).expect("the value is there");
    assert!(Key::parse("P/3").is_some_and(|key| {
        store.snapshot().expect("a snapshot").read(&key).expect("a read").is_some_and(|found| found.time == 500)
    }));
}

/// Claims and settings are no versions: what is replayed after them may be older.
fn takes_no_time_for_values(make: Make<'_>) {
    let store = make(TestClock::new(MORNING));
    written(&*store, vec![Write::Set { name: b"n".to_vec(), value: b"v".to_vec() }]);
    store.commit(replay(&[logged("P/1", 1, 500, Some(""))])).expect("the first version");
    written(&*store, vec![Write::Claim { name: b"c".to_vec(), value: b"".to_vec() }]);
    store.commit(replay(&[logged("P/1", 2, 501, Some(""))])).expect("the next version");
}
