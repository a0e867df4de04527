//! Preconditions and claims: each kind held and refused, and a refused batch leaves nothing.

use super::Make;
use super::support::{MORNING, TestClock, at_version, delete, finds, key, put, read, row, write, written};
use crate::{Batch, Filter, Index, Precondition, Store, StoreError, Write};

pub(super) fn contract(make: Make<'_>) {
    checks_versions(make);
    checks_what_a_filter_finds(make);
    checks_values(make);
    claims_names_once(make);
    lists_values(make);
    refuses_versions_out_of_line(make);
    leaves_nothing_of_a_refused_batch(make);
}

fn claim(name: &str) -> Write {
    Write::Claim { name: name.into(), value: b"holder".to_vec() }
}

fn release(name: &str) -> Write {
    Write::Release { name: name.into() }
}

fn set(name: &str) -> Write {
    Write::Set { name: name.into(), value: b"setting".to_vec() }
}

/// Whether a batch with these preconditions is let through; it writes nothing.
fn check(store: &dyn Store, preconditions: Vec<Precondition>) -> Result<(), StoreError> {
    store.commit(Batch { preconditions, writes: Vec::new() }).map(drop)
}

fn checks_versions(make: Make<'_>) {
    let store = make(TestClock::new(MORNING));
    written(&*store, vec![put("P/1", 1, "", vec![]), put("P/2", 1, "", vec![]), put("P/2", 2, "", vec![])]);
    written(&*store, vec![delete("P/1", 2)]);
    let cases = [
        ("P/1", 2, true),
        ("P/1", 0, false),
        ("P/1", 1, false),
        ("P/1", 3, false),
        ("P/2", 2, true),
        ("P/2", 1, false),
        ("P/3", 0, true),
        ("P/3", 1, false),
    ];
    for (name, version, holds) in cases {
        let expected = if holds { Ok(()) } else { Err(StoreError::Conflict(1)) };
        let actual = check(&*store, vec![at_version("P/2", 2), at_version(name, version)]);
        assert_eq!(actual, expected, "{name} at {version}");
    }
}

fn checks_what_a_filter_finds(make: Make<'_>) {
    let store = make(TestClock::new(MORNING));
    written(&*store, vec![put("P/1", 1, "", vec![row(1, "a")]), put("P/2", 1, "", vec![row(1, "a"), row(1, "b")])]);
    written(&*store, vec![put("P/3", 1, "", vec![row(1, "c")]), put("P/4", 1, "", vec![row(1, "d")])]);
    written(&*store, vec![delete("P/4", 2)]);
    let cases: [(&str, &[&str], bool); 10] = [
        ("a", &["P/1", "P/2"], true),
        ("a", &["P/2", "P/1", "P/2"], true),
        ("a", &["P/1"], false),
        ("a", &["P/1", "P/3"], false),
        ("a", &["P/1", "P/2", "P/3"], false),
        ("a", &[], false),
        ("b", &["P/2"], true),
        ("d", &[], true),
        ("d", &["P/4"], false),
        ("e", &["P/9"], false),
    ];
    for (value, names, holds) in cases {
        let keys = names.iter().map(|name| key(name)).collect();
        let expected = if holds { Ok(()) } else { Err(StoreError::Conflict(0)) };
        let actual = check(&*store, vec![Precondition::Finds { filter: Filter::equal(Index(1), value), keys }]);
        assert_eq!(actual, expected, "{value} finds {names:?}");
    }
}

fn checks_values(make: Make<'_>) {
    let store = make(TestClock::new(MORNING));
    let setting = |value: &str| Write::Set { name: b"set".to_vec(), value: value.into() };
    written(&*store, vec![setting("one"), claim("claimed"), Write::Set { name: b"empty".to_vec(), value: Vec::new() }]);
    let cases = [
        ("set", Some("one"), true),
        ("set", Some("on"), false),
        ("set", Some("one1"), false),
        ("set", Some(""), false),
        ("set", None, false),
        ("claimed", Some("holder"), true),
        ("claimed", None, false),
        ("empty", Some(""), true),
        ("empty", None, false),
        ("absent", None, true),
        ("absent", Some(""), false),
    ];
    let value =
        |name: &str, value: Option<&str>| Precondition::Value { name: name.into(), value: value.map(Into::into) };
    for (name, wanted, holds) in cases {
        let expected = if holds { Ok(()) } else { Err(StoreError::Conflict(0)) };
        assert_eq!(check(&*store, vec![value(name, wanted)]), expected, "{name} is {wanted:?}");
    }
    let once = || Batch { preconditions: vec![value("set", Some("one"))], writes: vec![setting("two")] };
    assert!(store.commit(once()).is_ok());
    assert_eq!(store.commit(once()).map(drop), Err(StoreError::Conflict(0)));
    for name in [vec![], vec![0; 512]] {
        let refusal = check(&*store, vec![Precondition::Value { name, value: None }]);
        assert!(matches!(refusal, Err(StoreError::Misuse(_))), "{refusal:?}");
    }
}

/// Names in order, of one prefix only, page by page.
fn lists_values(make: Make<'_>) {
    let store = make(TestClock::new(MORNING));
    let set = |name: &str| Write::Set { name: name.into(), value: name.to_uppercase().into() };
    written(&*store, ["b/2", "a/1", "b/10", "b0", "b/1", "b", "c/1"].map(set).into());
    written(&*store, vec![claim("b/3"), Write::Release { name: b"b/10".to_vec() }]);
    let snapshot = store.snapshot().expect("a snapshot");
    let cases: [(&str, Option<&str>, usize, &str); 8] = [
        ("b/", None, 9, "b/1 b/2 b/3"),
        ("b/", None, 2, "b/1 b/2"),
        ("b/", Some("b/2"), 9, "b/3"),
        ("b/", Some("b/3"), 9, ""),
        ("b/", Some("a"), 9, "b/1 b/2 b/3"),
        ("b/", Some("c"), 9, ""),
        ("", None, 2, "a/1 b"),
        ("d", None, 9, ""),
    ];
    for (prefix, after, limit, expected) in cases {
        let values = snapshot.values(prefix.as_bytes(), after.map(str::as_bytes), limit).expect("values");
        let names: Vec<_> = values.iter().map(|(name, _)| String::from_utf8_lossy(name)).collect();
        assert_eq!(names.join(" "), expected, "{prefix} {after:?} {limit}");
    }
    let values = snapshot.values(b"b/1", None, 1).expect("values");
    assert_eq!(values, [(b"b/1".to_vec(), b"B/1".to_vec())]);
}

fn claims_names_once(make: Make<'_>) {
    let taken = |name: &str| Err(StoreError::Claimed(name.into()));
    // What holds before, the writes of one batch, and how it ends.
    let cases = [
        (vec![], vec![claim("a"), claim("b")], Ok(())),
        (vec![claim("a")], vec![claim("b"), claim("a")], taken("a")),
        (vec![set("a")], vec![claim("a")], taken("a")),
        (vec![], vec![claim("a"), claim("a")], taken("a")),
        (vec![], vec![set("a"), claim("a")], taken("a")),
        (vec![claim("a")], vec![release("a"), claim("a")], Ok(())),
        (vec![claim("a")], vec![claim("a"), release("a")], taken("a")),
        (vec![], vec![claim("a"), release("a"), claim("a")], Ok(())),
        (vec![claim("a")], vec![set("a")], Ok(())),
        (vec![], vec![release("a")], Ok(())),
    ];
    for (number, (before, writes, expected)) in cases.into_iter().enumerate() {
        let store = make(TestClock::new(MORNING));
        written(&*store, before);
        assert_eq!(write(&*store, writes).map(drop), expected, "case {number}");
    }
    let store = make(TestClock::new(MORNING));
    written(&*store, vec![claim("a")]);
    written(&*store, vec![release("a")]);
    written(&*store, vec![claim("a")]);
    assert_eq!(store.snapshot().expect("a snapshot").value(b"a"), Ok(Some(b"holder".to_vec())));
}

fn refuses_versions_out_of_line(make: Make<'_>) {
    let store = make(TestClock::new(MORNING));
    written(&*store, vec![put("P/1", 1, "", vec![]), put("P/2", 1, "", vec![])]);
    written(&*store, vec![delete("P/2", 2)]);
    let cases = [
        vec![put("P/1", 1, "", vec![])],
        vec![put("P/1", 3, "", vec![])],
        vec![put("P/1", 0, "", vec![])],
        vec![put("P/9", 0, "", vec![])],
        vec![put("P/9", 2, "", vec![])],
        vec![put("P/1", 2, "", vec![]), put("P/1", 2, "", vec![])],
        vec![delete("P/1", 1)],
        vec![delete("P/1", 3)],
        vec![delete("P/9", 1)],
        vec![delete("P/2", 3)],
        vec![delete("P/1", 2), delete("P/1", 3)],
    ];
    for (number, writes) in cases.into_iter().enumerate() {
        let refusal = write(&*store, writes).map(drop);
        assert!(matches!(refusal, Err(StoreError::Misuse(_))), "case {number}: {refusal:?}");
    }
}

fn leaves_nothing_of_a_refused_batch(make: Make<'_>) {
    let store = make(TestClock::new(MORNING));
    written(&*store, vec![put("P/1", 1, "one", vec![row(1, "a")]), claim("taken")]);
    let refused: [(Vec<Precondition>, Vec<Write>); 3] = [
        (vec![at_version("P/1", 1), at_version("P/2", 5)], vec![]),
        (vec![], vec![claim("taken")]),
        (vec![], vec![put("P/3", 2, "", vec![])]),
    ];
    for (preconditions, last) in refused {
        let mut writes = vec![
            put("P/1", 2, "two", vec![row(1, "b")]),
            put("P/2", 1, "", vec![row(1, "b")]),
            claim("free"),
            set("setting"),
            release("taken-not"),
        ];
        writes.extend(last);
        assert!(store.commit(Batch { preconditions, writes }).is_err_and(|error| error.is_refusal()));
        assert_eq!(read(&*store, "P/1").map(|version| version.version), Some(1));
        assert_eq!(read(&*store, "P/2"), None);
        assert_eq!(finds(&*store, Filter::present(Index(1))), ["P/1"]);
        let snapshot = store.snapshot().expect("a snapshot");
        assert_eq!((snapshot.value(b"free"), snapshot.value(b"setting")), (Ok(None), Ok(None)));
    }
}
