//! Pages of large documents end where their bodies would take too much memory.

use super::Make;
use super::support::{MORNING, TestClock, all_of, put, row, written};
use crate::{Filter, Find, History, HistoryScope, Index, PAGE_BYTES_MAX, Page};

pub(super) fn contract(make: Make<'_>) {
    let store = make(TestClock::new(MORNING));
    let large = "x".repeat(PAGE_BYTES_MAX / 2 - 8);
    let larger = "y".repeat(PAGE_BYTES_MAX + 1);
    for (name, body) in [("L/a", &large), ("L/b", &large), ("L/c", &large), ("L/d", &larger), ("L/e", &large)] {
        written(&*store, vec![put(name, 1, body, vec![row(1, "v")])]);
    }
    let snapshot = store.snapshot().expect("a snapshot");
    let all = all_of(Filter::present(Index(1)));
    assert_eq!(snapshot.find(&all).expect("a search").hits.len(), 5, "without bodies there is room for all");

    let expected = ["a b", "c", "d", "e"];
    let mut page = Page::First;
    for (at, expected) in expected.iter().enumerate() {
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
    assert_eq!(found.hits.iter().map(|hit| hit.key.id()).collect::<Vec<_>>(), ["d"], "back from the last page");

    let mut after = None;
    for expected in ["e", "d", "c b", "a"] {
        let scope = HistoryScope::Collection("L".to_owned());
        let history = History { scope, since: None, before: None, after, limit: 10, total: false };
        let listed = snapshot.history(&history).expect("a history");
        let ids: Vec<_> = listed.versions.iter().map(|version| version.key.id()).collect();
        assert_eq!(ids.join(" "), expected);
        after = listed.next;
    }
    assert_eq!(after, None);
}
