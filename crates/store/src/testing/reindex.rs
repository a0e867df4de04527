//! Rows and words are replaced under a version that stays as it is.

use super::Make;
use super::support::{MORNING, TestClock, delete, finds, key, put_with_words, read, reindex, row, write, written};
use crate::{Batch, Filter, History, HistoryScope, Index, Precondition, Store, StoreError, Version, Write, time_value};

pub(super) fn contract(make: Make<'_>) {
    replaces_rows_and_words_only(make);
    keeps_the_time_of_the_version(make);
    refuses_other_versions(make);
}

fn with(store: &dyn Store, value: &str) -> (usize, usize) {
    let rows = finds(store, Filter::equal(Index(1), value));
    let words = finds(store, Filter::word(Index(2), value));
    (rows.len(), words.len())
}

fn history(store: &dyn Store) -> Vec<Version> {
    let all = History { scope: HistoryScope::All, since: None, before: None, after: None, limit: 100, total: false };
    store.snapshot().expect("a snapshot").history(&all).expect("a history").versions
}

fn replaces_rows_and_words_only(make: Make<'_>) {
    let clock = TestClock::new(MORNING);
    let store = make(clock.clone());
    let put = |version, value: &str| put_with_words("P/1", version, value, vec![row(1, value)], vec![row(2, value)]);
    let again = |version, value: &str| reindex("P/1", version, vec![row(1, value)], vec![row(2, value)]);
    written(&*store, vec![put(1, "a"), put(2, "b")]);
    let before = (read(&*store, "P/1"), history(&*store), store.statistics().expect("statistics").documents);
    clock.set(MORNING + 1000);
    let committed = written(&*store, vec![again(2, "c")]);
    assert_eq!(committed.versions, []);
    assert_eq!(before, (read(&*store, "P/1"), history(&*store), store.statistics().expect("statistics").documents));
    assert_eq!(["a", "b", "c"].map(|value| with(&*store, value)), [(0, 0), (0, 0), (1, 1)]);
    // More than once, and with a version, in one batch.
    written(&*store, vec![again(2, "d"), again(2, "e"), put(3, "f"), again(3, "g")]);
    assert_eq!(["c", "d", "e", "f", "g"].map(|value| with(&*store, value)), [(0, 0), (0, 0), (0, 0), (0, 0), (1, 1)]);
    written(&*store, vec![reindex("P/1", 3, vec![], vec![])]);
    assert_eq!(with(&*store, "g"), (0, 0));
    assert_eq!(finds(&*store, Filter::everything()), ["P/1"]);
    written(&*store, vec![again(3, "h"), delete("P/1", 4)]);
    assert_eq!(with(&*store, "h"), (0, 0));
}

fn keeps_the_time_of_the_version(make: Make<'_>) {
    let clock = TestClock::new(MORNING);
    let store = make(clock.clone());
    written(&*store, vec![put_with_words("P/1", 1, "", vec![], vec![])]);
    clock.set(MORNING + 1000);
    written(&*store, vec![put_with_words("P/2", 1, "", vec![], vec![])]);
    let timed = Write::Reindex {
        key: key("P/1"),
        version: 1,
        rows: vec![row(9, "z"), row(1, "a")],
        words: vec![],
        time_index: Some(Index(5)),
    };
    written(&*store, vec![timed]);
    assert_eq!(finds(&*store, Filter::equal(Index(5), time_value(MORNING))), ["P/1"]);
    assert_eq!(finds(&*store, Filter::present(Index(5))), ["P/1"]);
}

fn refuses_other_versions(make: Make<'_>) {
    let store = make(TestClock::new(MORNING));
    let put = |name: &str, version| put_with_words(name, version, "", vec![row(1, "a")], vec![row(2, "a")]);
    written(&*store, vec![put("P/1", 1), put("P/1", 2), put("P/2", 1), delete("P/2", 2)]);
    let again = |name: &str, version| reindex(name, version, vec![row(1, "b")], vec![row(2, "b")]);
    // The writes, and which of them stands in the way.
    let cases = [
        (vec![again("P/1", 1)], 0),
        (vec![again("P/1", 3)], 0),
        (vec![again("P/1", 0)], 0),
        (vec![again("P/2", 1)], 0),
        (vec![again("P/2", 2)], 0),
        (vec![again("P/9", 0)], 0),
        (vec![again("P/9", 1)], 0),
        (vec![again("P/1", 2), again("P/1", 1)], 1),
        (vec![put("P/1", 3), again("P/1", 2)], 1),
        (vec![delete("P/1", 3), again("P/1", 3)], 1),
    ];
    for (number, (writes, at)) in cases.into_iter().enumerate() {
        assert_eq!(write(&*store, writes.clone()).map(drop), Err(StoreError::Conflict(at)), "case {number}");
        let preconditions = vec![Precondition::Version { key: key("P/1"), version: 2 }];
        let refusal = store.commit(Batch { preconditions, writes }).map(drop);
        assert_eq!(refusal, Err(StoreError::Conflict(at + 1)), "case {number}, after a precondition");
    }
    assert_eq!(["a", "b"].map(|value| with(&*store, value)), [(1, 1), (0, 0)]);
}
