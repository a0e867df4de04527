//! Pages of large documents end where their bodies would take too much memory.

use super::Make;
use super::support::{MORNING, TestClock, all_of, put, read, row, write, written};
use crate::{Filter, Find, History, HistoryScope, Index, PAGE_BYTES_MAX, Page, Store, StoreError, Write};

pub(super) fn contract(make: Make<'_>) {
    ends_pages_of_large_documents(make);
    gives_a_larger_one_a_page_for_itself(make);
    ends_pages_of_large_values(make);
}

fn ends_pages_of_large_documents(make: Make<'_>) {
    let store = make(TestClock::new(MORNING));
    let large = "x".repeat(PAGE_BYTES_MAX / 5);
    for name in ["a", "b", "c", "d", "e", "f"] {
        written(&*store, vec![put(&format!("L/{name}"), 1, &large, vec![row(1, "v")])]);
    }
    shows_pages(&*store, &["a b c d e", "f"], "a b c d e");
    lists_pages(&*store, &["f e d c b", "a"]);
}

/// Where the store holds so large a document at all.
fn gives_a_larger_one_a_page_for_itself(make: Make<'_>) {
    let store = make(TestClock::new(MORNING));
    let large = "x".repeat(PAGE_BYTES_MAX / 2 - 8);
    let larger = "y".repeat(PAGE_BYTES_MAX + 1);
    for (name, body) in [("L/a", &large), ("L/b", &large), ("L/c", &large), ("L/d", &larger), ("L/e", &large)] {
        match write(&*store, vec![put(name, 1, body, vec![row(1, "v")])]) {
            Err(StoreError::TooLarge(_)) => return assert_eq!(read(&*store, name), None),
            written => drop(written.expect("the batch is right")),
        }
    }
    shows_pages(&*store, &["a b", "c", "d", "e"], "d");
    lists_pages(&*store, &["e", "d", "c b", "a"]);
}

fn ends_pages_of_large_values(make: Make<'_>) {
    let store = make(TestClock::new(MORNING));
    for name in ["v/a", "v/b", "v/c", "v/d", "v/e", "v/f", "w"] {
        written(&*store, vec![Write::Set { name: name.into(), value: vec![b'x'; PAGE_BYTES_MAX / 5 - 16] }]);
    }
    let snapshot = store.snapshot().expect("a snapshot");
    let cases = [(None, 9, "v/a v/b v/c v/d v/e"), (None, 2, "v/a v/b"), (Some("v/e"), 9, "v/f"), (Some("v/f"), 9, "")];
    for (after, limit, expected) in cases {
        let values = snapshot.values(b"v/", after.map(str::as_bytes), limit).expect("values");
        let names: Vec<_> = values.iter().map(|(name, _)| String::from_utf8_lossy(name)).collect();
        assert_eq!(names.join(" "), expected, "{after:?} {limit}");
    }
}

/// Page by page, and back from the last.
fn shows_pages(store: &dyn Store, pages: &[&str], last_but_one: &str) {
    let snapshot = store.snapshot().expect("a snapshot");
    let all = all_of(Filter::present(Index(1)));
    let count: usize = pages.iter().map(|page| page.split(' ').count()).sum();
    assert_eq!(snapshot.find(&all).expect("a search").hits.len(), count, "without bodies there is room for all");
    let mut page = Page::First;
    for (at, expected) in pages.iter().enumerate() {
        let found = snapshot.find(&Find { bodies: true, page, ..all.clone() }).expect("a search");
        let ids: Vec<_> = found.hits.iter().map(|hit| hit.key.id()).collect();
        assert_eq!(ids.join(" "), *expected, "page {at}");
        assert_eq!(found.previous.is_some(), at > 0, "page {at}");
        page = match found.next {
            Some(next) => Page::After(next),
            None => Page::Before(found.previous.expect("the last of several pages")),
        };
    }
    let found = snapshot.find(&Find { bodies: true, page, ..all }).expect("a search");
    let ids: Vec<_> = found.hits.iter().map(|hit| hit.key.id()).collect();
    assert_eq!(ids.join(" "), last_but_one, "back from the last page");
}

/// The history, page by page.
fn lists_pages(store: &dyn Store, pages: &[&str]) {
    let snapshot = store.snapshot().expect("a snapshot");
    let mut after = None;
    for expected in pages {
        let scope = HistoryScope::Collection("L".to_owned());
        let history = History { scope, since: None, before: None, after, limit: 10, total: false };
        let listed = snapshot.history(&history).expect("a history");
        let ids: Vec<_> = listed.versions.iter().map(|version| version.key.id()).collect();
        assert_eq!(ids.join(" "), *expected);
        after = listed.next;
    }
    assert_eq!(after, None);
}
