//! What lies on disk: kept over a restart, refused when it is another's, and found out when it is damaged.

use std::fs;

use crate::embedded::layout::{Current, Earlier, State, Stored, log_key, row_key};

use super::*;

#[test]
fn keeps_everything_over_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let clock = clock();
    let store = Embedded::open(directory.path(), clock.clone()).unwrap();
    clock.set(5_000);
    write(&store, vec![put("P/1", 1, &[(1, b"a")]), Write::Claim { name: b"n".to_vec(), value: b"v".to_vec() }]);
    drop(store);
    clock.set(4_000);
    let store = Embedded::open(directory.path(), clock).unwrap();
    let snapshot = store.snapshot().unwrap();
    assert_eq!(snapshot.read(&Key::parse("P/1").unwrap()).unwrap().unwrap().time, 5_000);
    assert_eq!(snapshot.value(b"n").unwrap().unwrap(), b"v");
    assert_eq!(write(&store, vec![put("P/2", 1, &[])]).time, 5_000);
    assert_eq!(store.verify(), Ok(()));
}

#[test]
fn finishes_waiting_commits_when_dropped() {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(Embedded::open(directory.path(), clock()).unwrap());
    let threads: Vec<_> = (0..8)
        .map(|thread| {
            let store = store.clone();
            std::thread::spawn(move || write(&store, vec![put(&format!("P/{thread}"), 1, &[])]))
        })
        .collect();
    drop(store);
    threads.into_iter().for_each(|thread| drop(thread.join().unwrap()));
    let store = Embedded::open(directory.path(), clock()).unwrap();
    assert_eq!(store.statistics().unwrap().documents, [("P".to_owned(), 8)]);
}

fn refusal(directory: &Path) -> String {
    match Embedded::open(directory, clock()) {
        Err(StoreError::Unusable(text)) => text,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("the store was opened"),
    }
}

#[test]
fn refuses_a_second_opener() {
    let directory = tempfile::tempdir().unwrap();
    let _store = Embedded::open(directory.path(), clock()).unwrap();
    let text = refusal(directory.path());
    assert!(text.contains("in use by another process") && text.contains(directory.path().to_str().unwrap()), "{text}");
}

#[test]
fn refuses_what_is_no_store() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(refusal(&file).contains("cannot be used"));
    fs::write(directory.path().join("data.mdb"), [b'x'; 10_000]).unwrap();
    assert!(refusal(directory.path()).contains("is no store or is damaged"));
}

#[test]
fn stays_whole_when_it_is_full() {
    let directory = tempfile::tempdir().unwrap();
    let store = Embedded::open_sized(directory.path(), clock(), 4 << 20).unwrap();
    let large = |name: &str| {
        let body = Bytes::from(vec![b'x'; 1 << 20]);
        let key = Key::parse(name).unwrap();
        let rows = vec![Row { index: Index(77), value: name.into() }];
        Put { key, version: 1, body, stamp_at: None, rows, words: Vec::new(), time_index: None, mark: 0 }
    };
    let commit = |writes| store.commit(Batch { preconditions: Vec::new(), writes }).map(drop);
    assert_eq!(commit(vec![Write::Put(large("P/1"))]), Ok(()));
    let many = (2..9).map(|number| Write::Put(large(&format!("Q/{number}"))));
    let claim = Write::Claim { name: b"n".to_vec(), value: Vec::new() };
    assert_eq!(commit([claim.clone()].into_iter().chain(many).collect()), Err(StoreError::Full));
    assert_eq!(store.verify(), Ok(()));
    assert_eq!(commit(vec![claim, put("P/2", 1, &[(77, b"a")])]), Ok(()));
    assert_eq!(store.statistics().unwrap().documents, [("P".to_owned(), 2)]);
    assert_eq!(store.verify(), Ok(()));
}

#[test]
fn refuses_another_format() {
    let directory = tempfile::tempdir().unwrap();
    let store = Embedded::open(directory.path(), clock()).unwrap();
    let mut txn = store.files.env.write_txn().unwrap();
    store.files.tables.meta.put(&mut txn, b"format", &5_u32.to_be_bytes()).unwrap();
    txn.commit().unwrap();
    drop(store);
    let text = refusal(directory.path());
    assert!(text.contains("has format `5`, this program reads format `4`: export"), "{text}");
}

#[test]
fn finds_damage() {
    type Damage = fn(&Files, &mut heed::RwTxn<'_>) -> heed::Result<()>;
    // What is changed behind the store's back, and what is said about it.
    let cases: [(&str, Damage, &str); 15] = [
        ("a lost row", |f, t| f.tables.rows.delete(t, &row_key(Index(1), b"a", 1)).map(drop), "is not in the index"),
        (
            "a row too many",
            |f, t| f.tables.rows.put(t, &row_key(Index(1), b"b", 1), &[]),
            "index rows without a document",
        ),
        (
            "a sample's row too many",
            |f, t| f.tables.samples.put(t, &[&[2][..], &row_key(Index(1), b"b", 1)].concat(), &[]),
            "rows in samples without a document",
        ),
        (
            "a lost version",
            |f, t| f.tables.versions.delete(t, &1_u64.to_be_bytes()).map(drop),
            "a record of table `versions` is damaged",
        ),
        (
            "a version too many",
            |f, t| f.tables.versions.put(t, &9_u64.to_be_bytes(), &stored()),
            "versions without a document",
        ),
        (
            "a wrong leap",
            |f, t| {
                let earlier = Earlier { previous: 1, leap: 1 };
                let stored = Stored { mark: 0, time: 1_000, version: 2, earlier, key: "P/1", body: Some(b"") };
                f.tables.versions.put(t, &2_u64.to_be_bytes(), &stored.encode())
            },
            "the versions of `P/1` do not lead to one another",
        ),
        (
            "a lost log entry",
            |f, t| f.tables.log.delete(t, &log_key(0, 1_000, 1)).map(drop),
            "version `1` of all is not where it should be in the log",
        ),
        (
            "a wrong log entry",
            |f, t| f.tables.log.put(t, &log_key(0, 1_001, 1), &[]),
            "entries of the log without a version",
        ),
        (
            "a lost document",
            |f, t| f.tables.documents.delete(t, b"P/1").map(drop),
            "current records without a document",
        ),
        (
            "a reused number",
            |f, t| {
                f.tables.meta.put(
                    t,
                    b"state",
                    &State { next_number: 1, next_sequence: 3, time: 2_000, unmerged: 1, waiting_bytes: 0 }.encode(),
                )
            },
            "a number that is still to be given",
        ),
        (
            "a time ahead",
            |f, t| {
                f.tables.meta.put(
                    t,
                    b"state",
                    &State { next_number: 9, next_sequence: 3, time: 999, unmerged: 1, waiting_bytes: 0 }.encode(),
                )
            },
            "version `2` of `P/1` is missing or not as it should be",
        ),
        (
            "an old current record",
            |f, t| f.tables.current.put(t, &1_u64.to_be_bytes(), &Current::encode(1, 2, "P/1", &[])),
            "version `1` of `P/1` is missing or not as it should be",
        ),
        (
            "a cut current record",
            |f, t| {
                f.tables.current.put(
                    t,
                    &1_u64.to_be_bytes(),
                    &[&Current::encode(2, 2, "P/1", &[])[..], &[0; 3]].concat(),
                )
            },
            "end too early",
        ),
        (
            "a wrong home",
            |f, t| f.tables.homes.put(t, &1_u32.to_be_bytes(), b"\0Q"),
            "index `1` is not at home where `P/1` is",
        ),
        (
            "a wrong count",
            |f, t| f.tables.counts.put(t, b"\0\0\0\x01a", &7_u64.to_be_bytes()),
            "number of rows of a frequent value is wrong",
        ),
    ];
    for (name, damage, expected) in cases {
        let directory = tempfile::tempdir().unwrap();
        let store = Embedded::open(directory.path(), clock()).unwrap();
        write(&store, vec![put("P/1", 1, &[(1, b"a")]), put("P/1", 2, &[(1, b"a")])]);
        assert_eq!(store.verify(), Ok(()));
        let mut txn = store.files.env.write_txn().unwrap();
        damage(&store.files, &mut txn).unwrap();
        txn.commit().unwrap();
        let found = store.verify().unwrap_err().to_string();
        assert!(found.contains(expected), "{name}: {found}");
    }
}

fn stored() -> Vec<u8> {
    Stored { mark: 0, time: 1_000, version: 1, earlier: Earlier::default(), key: "P/9", body: None }.encode()
}
