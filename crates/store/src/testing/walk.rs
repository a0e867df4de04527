//! Going through all documents of a collection.

use super::Make;
use super::support::{MORNING, TestClock, delete, put, written};
use crate::{Cursor, PAGE_BYTES_MAX, Snapshot, StoreError};

pub(super) fn contract(make: Make<'_>) {
    shows_each_current_document_once(make);
    ends_a_page_before_it_is_too_large(make);
    refuses_foreign_cursors(make);
}

/// The ids with versions, page by page.
fn pages(snapshot: &dyn Snapshot, collection: &str, limit: usize) -> Vec<String> {
    let mut pages = Vec::new();
    let mut after = None;
    loop {
        let page = snapshot.documents(collection, after.as_ref(), limit).expect("a page");
        let names = page.versions.iter().map(|version| format!("{}.{}", version.key.id(), version.version));
        pages.push(names.collect::<Vec<_>>().join(" "));
        match page.next {
            Some(next) => after = Some(next),
            None => return pages,
        }
    }
}

fn shows_each_current_document_once(make: Make<'_>) {
    let store = make(TestClock::new(MORNING));
    for name in ["P/c", "P/a", "P/~", "P/-", "P/b", "Pa/x", "O/x", "P/gone", "P-/x"] {
        written(&*store, vec![put(name, 1, name, vec![])]);
    }
    written(
        &*store,
        vec![put("P/a", 2, "new", vec![]), delete("P/gone", 2), delete("P/b", 2), put("P/b", 3, "", vec![])],
    );
    let snapshot = store.snapshot().expect("a snapshot");
    let cases: [(&str, usize, &[&str]); 7] = [
        ("P", 10, &["-.1 a.2 b.3 c.1 ~.1"]),
        ("P", 5, &["-.1 a.2 b.3 c.1 ~.1"]),
        ("P", 2, &["-.1 a.2", "b.3 c.1", "~.1"]),
        ("P", 1, &["-.1", "a.2", "b.3", "c.1", "~.1"]),
        ("Pa", 10, &["x.1"]),
        ("Q", 10, &[""]),
        ("", 10, &[""]),
    ];
    for (collection, limit, expected) in cases {
        assert_eq!(pages(&*snapshot, collection, limit), expected, "{collection} by {limit}");
    }
    let first = snapshot.documents("P", None, 2).expect("a page");
    assert_eq!(first.versions[1].body.as_deref(), Some(b"new".as_slice()));
    // What comes and goes meanwhile is seen when it is still ahead.
    written(&*store, vec![delete("P/a", 3), delete("P/c", 2), put("P/aa", 1, "", vec![]), put("P/A", 1, "", vec![])]);
    let later = store.snapshot().expect("a snapshot");
    let rest = later.documents("P", first.next.as_ref(), 10).expect("a page");
    assert_eq!(rest.versions.iter().map(|version| version.key.id()).collect::<Vec<_>>(), ["aa", "b", "~"]);
    assert_eq!(rest.next, None);
}

fn ends_a_page_before_it_is_too_large(make: Make<'_>) {
    let store = make(TestClock::new(MORNING));
    // Five are too many, and one more document that has nothing takes no room.
    let large = "x".repeat(PAGE_BYTES_MAX / 5 + 1);
    for name in ["a", "b", "c", "d", "e", "f"] {
        written(&*store, vec![put(&format!("L/{name}"), 1, if name == "e" { "" } else { &large }, vec![])]);
    }
    assert_eq!(pages(&*store.snapshot().expect("a snapshot"), "L", 10), ["a.1 b.1 c.1 d.1 e.1", "f.1"]);
}

fn refuses_foreign_cursors(make: Make<'_>) {
    let store = make(TestClock::new(MORNING));
    written(&*store, vec![put("P/a", 1, "", vec![]), put("P/b", 1, "", vec![])]);
    let snapshot = store.snapshot().expect("a snapshot");
    let own = snapshot.documents("P", None, 1).expect("a page").next.expect("more");
    let foreign = [("P", Cursor(Vec::new())), ("P", Cursor(vec![0xff; 3000])), ("Q", own)];
    for (collection, cursor) in foreign {
        let refusal = snapshot.documents(collection, Some(&cursor), 1).map(drop);
        assert!(matches!(refusal, Err(StoreError::Misuse(_))), "{cursor:?}: {refusal:?}");
    }
    assert!(matches!(snapshot.documents("P", None, 0), Err(StoreError::Misuse(_))));
}
