//! Documents come, change, go and return; their rows, times and stamps with them.

use bytes::Bytes;

use super::Make;
use super::support::{MORNING, TestClock, delete, finds, key, put, read, row, written};
use crate::{Filter, Head, Index, Put, Row, Store, Version, Write, time_value};

pub(super) fn contract(make: Make<'_>) {
    keeps_versions(make);
    replaces_rows(make);
    keeps_the_place_of_a_document_that_returns(make);
    writes_one_document_twice_in_a_batch(make);
    stamps_the_time(make);
    never_steps_back_in_time(make);
    isolates_snapshots(make);
    counts_documents(make);
    keeps_values(make);
    examines_one_document(make);
}

fn head(store: &dyn Store, name: &str) -> Option<Head> {
    store.snapshot().expect("a snapshot").head(&key(name)).expect("a head")
}

fn keeps_versions(make: Make<'_>) {
    let clock = TestClock::new(MORNING);
    let store = make(clock.clone());
    assert_eq!((read(&*store, "Patient/1"), head(&*store, "Patient/1")), (None, None));
    let bodies = [Some("{\"a\":1.10}"), Some(""), None, Some("again\0\u{e4}")];
    for (number, body) in bodies.into_iter().enumerate() {
        clock.set(MORNING + number as i64);
        let version = number as u64 + 1;
        let committed = written(
            &*store,
            vec![match body {
                Some(body) => put("Patient/1", version, body, vec![row(1, "x")]),
                None => Write::Delete { key: key("Patient/1"), version, mark: 7 },
            }],
        );
        let expected = Version {
            key: key("Patient/1"),
            version,
            time: MORNING + number as i64,
            body: body.map(|body| Bytes::copy_from_slice(body.as_bytes())),
            mark: if body.is_some() { 0 } else { 7 },
        };
        assert_eq!((committed.time, committed.versions), (expected.time, vec![expected.clone()]));
        assert_eq!(head(&*store, "Patient/1"), Some(Head { version, deleted: body.is_none() }));
        assert_eq!(read(&*store, "Patient/1"), Some(expected));
    }
    let snapshot = store.snapshot().expect("a snapshot");
    for (number, body) in bodies.into_iter().enumerate() {
        let version = snapshot.read_version(&key("Patient/1"), number as u64 + 1).expect("a read").expect("a version");
        assert_eq!(version.body.as_deref(), body.map(str::as_bytes));
        assert_eq!((version.version, version.time), (number as u64 + 1, MORNING + number as i64));
    }
    for (name, version) in [("Patient/1", 0), ("Patient/1", 5), ("Patient/1", u64::MAX), ("Patient/2", 1)] {
        assert_eq!(snapshot.read_version(&key(name), version), Ok(None), "{name} {version}");
    }
}

fn replaces_rows(make: Make<'_>) {
    let store = make(TestClock::new(MORNING));
    let with = |value: &str| finds(&*store, Filter::equal(Index(1), value));
    written(&*store, vec![put("P/1", 1, "", vec![row(1, "a"), row(1, "b"), row(1, "a"), row(2, "a")])]);
    written(&*store, vec![put("P/2", 1, "", vec![row(1, "a")])]);
    assert_eq!((with("a"), with("b")), (vec!["P/1".to_owned(), "P/2".to_owned()], vec!["P/1".to_owned()]));
    written(&*store, vec![put("P/1", 2, "", vec![row(1, "c"), row(1, "b")])]);
    assert_eq!(
        (with("a"), with("b"), with("c")),
        (vec!["P/2".to_owned()], vec!["P/1".to_owned()], vec!["P/1".to_owned()])
    );
    assert_eq!(finds(&*store, Filter::present(Index(2))), [""; 0]);
    written(&*store, vec![delete("P/1", 3)]);
    assert_eq!((with("a"), with("b"), with("c")), (vec!["P/2".to_owned()], vec![], vec![]));
    assert_eq!(finds(&*store, Filter::everything()), ["P/2"]);
}

fn keeps_the_place_of_a_document_that_returns(make: Make<'_>) {
    let store = make(TestClock::new(MORNING));
    written(&*store, vec![put("P/1", 1, "", vec![]), put("P/2", 1, "", vec![])]);
    written(&*store, vec![delete("P/1", 2)]);
    written(&*store, vec![put("P/3", 1, "", vec![]), put("P/1", 3, "", vec![])]);
    assert_eq!(finds(&*store, Filter::everything()), ["P/1", "P/2", "P/3"]);
}

fn writes_one_document_twice_in_a_batch(make: Make<'_>) {
    let store = make(TestClock::new(MORNING));
    let writes = vec![
        put("P/1", 1, "one", vec![row(1, "a"), row(1, "b")]),
        put("P/1", 2, "two", vec![row(1, "b")]),
        delete("P/1", 3),
        put("P/1", 4, "four", vec![row(1, "b"), row(1, "c")]),
    ];
    assert_eq!(written(&*store, writes).versions.len(), 4);
    let found = ["a", "b", "c"].map(|value| finds(&*store, Filter::equal(Index(1), value)).len());
    assert_eq!((read(&*store, "P/1").map(|version| version.version), found), (Some(4), [0, 1, 1]));
}

fn stamped(name: &str, version: u64, body: &str, time_index: Option<Index>) -> Write {
    Write::Put(Put {
        key: key(name),
        version,
        body: Bytes::copy_from_slice(body.as_bytes()),
        stamp_at: body.find('?'),
        rows: vec![row(1, "a"), row(9, "z")],
        words: Vec::new(),
        time_index,
        mark: 1,
    })
}

fn stamps_the_time(make: Make<'_>) {
    let clock = TestClock::new(MORNING + 7);
    let store = make(clock.clone());
    let body = "{\"at\":\"????????????????????????\"}";
    let expected = "{\"at\":\"2026-03-01T09:00:00.007Z\"}";
    let committed =
        written(&*store, vec![stamped("P/1", 1, body, Some(Index(5))), stamped("P/2", 1, "", Some(Index(9)))]);
    assert_eq!(committed.versions[0].body.as_deref(), Some(expected.as_bytes()));
    assert_eq!(read(&*store, "P/1").and_then(|version| version.body).as_deref(), Some(expected.as_bytes()));
    let at = |index, time| finds(&*store, Filter::equal(Index(index), time_value(time)));
    assert_eq!((at(5, MORNING + 7), at(9, MORNING + 7)), (vec!["P/1".to_owned()], vec!["P/2".to_owned()]));
    clock.set(MORNING + 8);
    written(&*store, vec![stamped("P/1", 2, body, Some(Index(5)))]);
    assert_eq!((at(5, MORNING + 7), at(5, MORNING + 8)), (vec![], vec!["P/1".to_owned()]));
}

fn never_steps_back_in_time(make: Make<'_>) {
    let clock = TestClock::new(MORNING);
    let store = make(clock.clone());
    let mut times = Vec::new();
    for (number, time) in [MORNING, MORNING - 5000, MORNING + 1, 0, MORNING + 1, i64::MIN].into_iter().enumerate() {
        clock.set(time);
        times.push(written(&*store, vec![put("P/1", number as u64 + 1, "", vec![])]).time);
    }
    assert_eq!(times, [0, 0, 1, 1, 1, 1].map(|later| MORNING + later));
}

fn isolates_snapshots(make: Make<'_>) {
    let store = make(TestClock::new(MORNING));
    written(&*store, vec![put("P/1", 1, "one", vec![row(1, "a")])]);
    let before = store.snapshot().expect("a snapshot");
    let writes = vec![
        put("P/1", 2, "two", vec![row(1, "b")]),
        put("P/2", 1, "", vec![row(1, "a")]),
        Write::Set { name: b"n".to_vec(), value: b"v".to_vec() },
    ];
    written(&*store, writes);
    let seen = before.read(&key("P/1")).expect("a read").expect("a version");
    assert_eq!((seen.version, seen.body.as_deref()), (1, Some(b"one".as_slice())));
    assert_eq!(before.read(&key("P/2")), Ok(None));
    assert_eq!(before.value(b"n"), Ok(None));
    let found = before.find(&super::support::all_of(Filter::present(Index(1)))).expect("a search");
    assert_eq!(found.hits.iter().map(|hit| hit.key.as_str()).collect::<Vec<_>>(), ["P/1"]);
    drop(before);
    assert_eq!(finds(&*store, Filter::equal(Index(1), "a")), ["P/2"]);
}

fn counts_documents(make: Make<'_>) {
    let store = make(TestClock::new(MORNING));
    let counts = || store.statistics().expect("statistics").documents;
    assert_eq!(counts(), []);
    written(&*store, vec![put("B/1", 1, "", vec![]), put("A/1", 1, "", vec![]), put("B/2", 1, "", vec![])]);
    written(&*store, vec![put("B/1", 2, "", vec![]), put("C/1", 1, "", vec![])]);
    assert_eq!(counts(), [("A".to_owned(), 1), ("B".to_owned(), 2), ("C".to_owned(), 1)]);
    written(&*store, vec![delete("A/1", 2), delete("B/2", 2)]);
    written(&*store, vec![put("A/1", 3, "", vec![]), delete("C/1", 2)]);
    assert_eq!(counts(), [("A".to_owned(), 1), ("B".to_owned(), 1)]);
    assert!(store.statistics().expect("statistics").disk_bytes > 0);
}

fn keeps_values(make: Make<'_>) {
    let store = make(TestClock::new(MORNING));
    let value = |name: &[u8]| store.snapshot().expect("a snapshot").value(name).expect("a value");
    let set = |name: &[u8], value: &[u8]| Write::Set { name: name.to_vec(), value: value.to_vec() };
    written(&*store, vec![set(b"a", b"1"), set(b"b", b""), set(b"a", b"2")]);
    assert_eq!((value(b"a"), value(b"b"), value(b"c")), (Some(b"2".to_vec()), Some(Vec::new()), None));
    written(&*store, vec![set(b"b", b"3"), Write::Release { name: b"a".to_vec() }]);
    assert_eq!((value(b"a"), value(b"b"), value(b"")), (None, Some(b"3".to_vec()), None));
}

fn examines_one_document(make: Make<'_>) {
    let store = make(TestClock::new(MORNING));
    let link = |name: &str| Row { index: Index(3), value: key(name).to_link() };
    written(&*store, vec![put("P/1", 1, "one", vec![row(1, "a"), row(2, "b"), row(2, "a"), link("P/2")])]);
    written(&*store, vec![put("P/2", 1, "two", vec![row(1, "b")]), put("P/3", 1, "three", vec![])]);
    written(&*store, vec![delete("P/3", 2)]);
    let snapshot = store.snapshot().expect("a snapshot");
    let equal = |value: &str| Filter::equal(Index(1), value);
    let links = |value| Filter::LinksTo { links: vec![Index(3)], names: Vec::new(), to: Box::new(equal(value)) };
    let one_of = |values: [&str; 2]| {
        let values = values.iter().map(|value| value.as_bytes().to_vec()).collect();
        Filter::OneOf { index: Index(1), values }
    };
    let cases = [
        ("P/1", equal("a"), true, 2),
        ("P/1", equal("b"), false, 2),
        ("P/1", equal("b").not(), true, 2),
        ("P/1", one_of(["a", "c"]), true, 2),
        ("P/1", one_of(["b", "c"]), false, 2),
        ("P/1", Filter::Any(vec![equal("b"), equal("a")]), true, 2),
        ("P/1", Filter::Any(vec![equal("b"), links("b")]), true, 2),
        ("P/1", equal("b").and(links("b")), false, 2),
        ("P/1", equal("a").and(links("b").not()), false, 2),
        ("P/1", links("b"), true, 2),
        ("P/1", links("a").not(), true, 2),
        ("P/2", Filter::everything(), true, 0),
        ("P/2", Filter::nothing(), false, 0),
        ("P/3", Filter::everything(), false, 0),
    ];
    for (name, filter, accepted, rows) in cases {
        let examined = snapshot.examine(&key(name), &filter, &[Index(2)]).expect("a look").expect("a version");
        assert_eq!((examined.accepted, examined.rows.len()), (accepted, rows), "{name} {filter:?}");
        let (head, judged) = snapshot.judge(&key(name), &filter).expect("a look").expect("a version");
        let deleted = examined.version.body.is_none();
        assert_eq!(
            (head, judged),
            (crate::Head { version: examined.version.version, deleted }, accepted),
            "{name} {filter:?}"
        );
        assert_eq!(Some(examined.version), read(&*store, name), "{name}");
    }
    assert!(snapshot.examine(&key("P/4"), &Filter::everything(), &[]).expect("a look").is_none());
    assert!(snapshot.judge(&key("P/4"), &Filter::everything()).expect("a look").is_none());
}
