//! How many documents wait, in which pieces they are merged, and which damage is found.

use std::path::Path;

use heed::RwTxn;

use super::merge::{FRESH_BYTES, FRESH_MAX, MERGE_BYTES};
use super::{posting, record};
use crate::embedded::layout::State;
use crate::embedded::tables::{Files, View};
use crate::testing::TestClock;
use crate::{Batch, Embedded, Filter, Find, Index, Key, Put, Row, Store, Write};

const TEXT: Index = Index(1);

fn open(directory: &Path) -> Embedded {
    Embedded::open(directory, TestClock::new(1_000)).unwrap()
}

fn words(words: &[&str]) -> Vec<Row> {
    words.iter().map(|word| Row { index: TEXT, value: word.as_bytes().to_vec() }).collect()
}

fn put(number: u64, version: u64, words: Vec<Row>) -> Write {
    let key = Key::parse(&format!("D/{number}")).unwrap();
    let body = bytes::Bytes::from_static(b"{}");
    Write::Put(Put { key, version, body, stamp_at: None, rows: Vec::new(), words, time_index: None, mark: 0 })
}

fn write(store: &Embedded, writes: Vec<Write>) {
    store.commit(Batch { preconditions: Vec::new(), writes }).unwrap();
}

fn waiting(store: &Embedded) -> u64 {
    let txn = store.files.env.read_txn().unwrap();
    let state = View { txn: &txn, tables: &store.files.tables }.state().unwrap();
    store.files.tables.fresh.len(&txn).unwrap() + (state.next_number - state.unmerged)
}

fn find(store: &Embedded, word: &str) -> (usize, u64) {
    let found = store.snapshot().unwrap().find(&Find::new(Filter::word(TEXT, word), 100_000)).unwrap();
    (found.hits.len(), found.rows)
}

#[test]
fn few_documents_wait() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let mut versions = Vec::<u64>::new();
    // How many new documents a batch has, and how many that change.
    for (new, changed) in
        [(1, 1), (100, 0), (FRESH_MAX - 103, 0), (2, 0), (5, 700), (3_000, 0), (1, 2_500), (0, 1), (0, 900)]
    {
        let mut writes = Vec::new();
        for _ in 0..new {
            versions.push(1);
            writes.push(put(versions.len() as u64, 1, words(&["all", &format!("v1-{}", versions.len())])));
        }
        for (at, version) in versions.iter_mut().enumerate().take(changed) {
            *version += 1;
            writes.push(put(at as u64 + 1, *version, words(&["all", &format!("v{version}-{}", at + 1)])));
        }
        write(&store, writes);
        let waiting_max = if new > FRESH_MAX { 1 } else { FRESH_MAX };
        assert!(waiting(&store) < waiting_max, "{} after {new} and {changed}", waiting(&store));
        assert_eq!(find(&store, "all").0, versions.len());
        let (_, rows) = find(&store, "none");
        assert!(rows < FRESH_MAX + 10, "{rows} rows after {new} and {changed}");
        for (at, version) in versions.iter().enumerate().step_by(501) {
            assert_eq!(find(&store, &format!("v{version}-{}", at + 1)).0, 1);
            assert_eq!(find(&store, &format!("v{}-{}", version - 1, at + 1)).0, 0);
        }
        assert_eq!(store.verify(), Ok(()));
    }
}

#[test]
fn large_texts_do_not_wait() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let long = |number: u64, version: u64| {
        let long = (0..200).map(|word| Row { index: TEXT, value: format!("{version}-{word:0>200}").into_bytes() });
        put(number, version, long.chain(words(&["all"])).collect())
    };
    let documents = MERGE_BYTES as u64 / (200 * 200) + 20;
    let numbers: Vec<_> = (1..FRESH_MAX).collect();
    for some in numbers.chunks(100) {
        write(&store, some.iter().map(|number| put(documents + number, 1, Vec::new())).collect());
    }
    assert_eq!(waiting(&store), FRESH_MAX - 1);
    // Few documents, but much text: it does not wait, whether the documents are new, many at a time, or one by one.
    for version in 1..=2 {
        write(&store, (1..=documents).map(|number| long(number, version)).collect());
        assert!(waiting(&store) * 200 * 200 < FRESH_BYTES, "{}", waiting(&store));
        assert_eq!((find(&store, "all").0 as u64, store.verify()), (documents, Ok(())));
    }
    for number in 1..=documents {
        write(&store, vec![long(number, 3)]);
        assert!(waiting(&store) * 200 * 200 < FRESH_BYTES, "{}", waiting(&store));
    }
    assert_eq!((find(&store, "all").0 as u64, store.verify()), (documents, Ok(())));
}

/// A search that repeats a word pays for it once.
#[test]
fn finds_each_word_once() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    write(&store, (1..=100).map(|number| put(number, 1, words(&["all", "other"]))).collect());
    let rows = |words: &[&str]| {
        let filter = Filter::All(words.iter().map(|word| Filter::word(TEXT, *word)).collect());
        let found = store.snapshot().unwrap().find(&Find::new(filter, 1_000)).unwrap();
        assert_eq!(found.hits.len(), 100);
        found.rows
    };
    assert_eq!(rows(&["all"; 5_000]), rows(&["all"]));
    assert_eq!(rows(&["all", "other", "all"]), rows(&["other", "all"]));
}

#[test]
fn finds_damage() {
    type Damage = fn(&Files, &mut RwTxn<'_>) -> heed::Result<()>;
    // What is changed behind the store's back, and what is said about it. Of the documents 1 to 3, 2 has changed since it was merged.
    let cases: [(&str, Damage, &str); 11] = [
        (
            "a lost posting",
            |f, t| f.tables.postings.delete(t, &posting::key(TEXT, 0, b"both")).map(drop),
            "the posting of word `both` in index `1` is wrong",
        ),
        (
            "a posting of another document",
            |f, t| f.tables.postings.put(t, &posting::key(TEXT, 0, b"one"), &[0, 3]),
            "the posting of word `one` in index `1` is wrong",
        ),
        (
            "a posting too many",
            |f, t| f.tables.postings.put(t, &posting::key(TEXT, 0, b"none"), &[0, 1]),
            "postings without a document",
        ),
        (
            "a posting of another block",
            |f, t| f.tables.postings.put(t, &posting::key(TEXT, 7, b"one"), &[0, 1]),
            "postings without a document",
        ),
        ("a damaged posting", |f, t| f.tables.postings.put(t, &posting::key(TEXT, 0, b"one"), &[9]), "`postings`"),
        ("lost words", |f, t| f.tables.words.delete(t, &1_u64.to_be_bytes()).map(drop), "is wrong"),
        (
            "words of nobody",
            |f, t| f.tables.words.put(t, &1_000_000_u64.to_be_bytes(), &record::encode(&words(&["x"]))),
            "words without a document",
        ),
        (
            "cut words",
            |f, t| f.tables.words.put(t, &2_u64.to_be_bytes(), &record::encode(&words(&["new"]))[..10]),
            "the words of `D/2` are not as they should be",
        ),
        ("a forgotten change", |f, t| f.tables.fresh.delete(t, &2_u64.to_be_bytes()).map(drop), "is wrong"),
        (
            "a change of what was never merged",
            |f, t| f.tables.fresh.put(t, &1_000_000_u64.to_be_bytes(), &[]),
            "never merged has merged words",
        ),
        (
            "words that wait uncounted",
            |f, t| {
                let state = f.tables.meta.get(t, b"state")?.and_then(State::decode).unwrap();
                f.tables.meta.put(t, b"state", &State { waiting_bytes: 3, ..state }.encode())
            },
            "only `3` are counted",
        ),
    ];
    for (name, damage, expected) in cases {
        let directory = tempfile::tempdir().unwrap();
        let store = open(directory.path());
        write(&store, vec![put(1, 1, words(&["one", "both"])), put(2, 1, words(&["two", "both"])), put(3, 1, vec![])]);
        for numbers in [4..=FRESH_MAX - 3, FRESH_MAX - 2..=FRESH_MAX] {
            write(&store, numbers.map(|number| put(number, 1, Vec::new())).collect());
        }
        write(&store, vec![put(2, 2, words(&["new"]))]);
        assert_eq!((store.verify(), waiting(&store)), (Ok(()), 4), "{name}");
        let mut txn = store.files.env.write_txn().unwrap();
        damage(&store.files, &mut txn).unwrap();
        txn.commit().unwrap();
        let found = store.verify().unwrap_err().to_string();
        assert!(found.contains(expected), "{name}: {found}");
    }
}

#[test]
fn keeps_postings_over_blocks() {
    for (numbers, block) in [(vec![1, 2, 65_535], 0), (vec![65_536], 1), (vec![(1 << 32) + 5, (1 << 32) + 6], 65_536)] {
        assert!(numbers.iter().all(|number| posting::block(*number) == block));
        assert!(numbers.iter().all(|number| (posting::first_number(block)..posting::end(block)).contains(number)));
        let set = numbers.iter().map(|number| *number as u32).collect();
        let mut bytes = Vec::new();
        posting::encode(&set, &mut bytes).unwrap();
        assert_eq!(bytes.len() == 2, numbers.len() == 1);
        assert_eq!(posting::decode(block, &bytes).unwrap(), set);
    }
}
