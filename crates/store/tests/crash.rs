//! kill -9 at random moments while several threads write: what was acknowledged is there as a whole, and nothing is there in part.
//!
//! The test runs itself as the process that is killed. Power cuts are the engine's and the file system's business: nothing here
//! shows what a disk forgets.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test; the whole file is one")]

use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use store::testing::Random;
use store::{
    Batch, Count, Embedded, Filter, Find, Head, Index, Key, Precondition, Put, Row, Snapshot, Store, SystemClock, Write,
};

const ROUNDS: u64 = 20;
const WRITERS: u64 = 4;

/// How many batches a document and a claim outlive the one that made them.
const LIFE: u64 = 3;

/// How many documents of each writer are indexed anew in turn, and how many of them by one batch: enough for words to be merged often.
const SHELF: u64 = 600;
const SHELF_PART: u64 = 100;

/// For how many of the last batches rows and words are looked for.
const SEARCHED: u64 = 10;

/// Where the process that is to be killed keeps its store; it is the parent when this is not set.
const DIRECTORY: &str = "STORE_CRASH_DIRECTORY";

#[test]
fn loses_nothing_and_halves_nothing() {
    if std::env::var_os(DIRECTORY).is_some() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    fill_shelves(directory.path());
    let mut random = Random::new(9);
    let mut acknowledged = [0; WRITERS as usize];
    for _ in 0..ROUNDS {
        let mut child = start(directory.path());
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let patience = random.below(60);
        let mut read = 0;
        for line in lines {
            // A last line may be cut by the kill: its batch is in flight then, as far as anybody knows.
            let Some((writer, number)) = line.ok().as_deref().and_then(parse) else { continue };
            acknowledged[writer] = number;
            read += 1;
            if read == patience + 1 {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        check(directory.path(), &acknowledged);
    }
    println!("killed {ROUNDS} times after {acknowledged:?} acknowledged batches");
    assert!(acknowledged.iter().all(|number| *number > 0));
}

fn start(directory: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "writes_until_it_is_killed", "--nocapture"]).env(DIRECTORY, directory);
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

/// `acknowledged WRITER NUMBER.` What the test's harness says before stands in the first line.
fn parse(line: &str) -> Option<(usize, u64)> {
    let (_, said) = line.split_once("acknowledged ")?;
    let (writer, number) = said.strip_suffix('.')?.split_once(' ')?;
    Some((writer.parse().ok()?, number.parse().ok()?))
}

#[test]
fn writes_until_it_is_killed() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let store = Embedded::open(Path::new(&directory), Arc::new(SystemClock)).unwrap();
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let store = &store;
            scope.spawn(move || {
                let last = newest(&*store.snapshot().unwrap(), &counter(writer));
                for number in last + 1.. {
                    store.commit(batch(writer, number)).unwrap();
                    let line = format!("acknowledged {writer} {number}.\n");
                    // One call, so that lines of several threads do not mix. The parent may have stopped reading.
                    if std::io::stdout().lock().write_all(line.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
}

fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

fn counter(writer: u64) -> Key {
    key(&format!("Counter/{writer}"))
}

fn documents(writer: u64, number: u64) -> [Key; 2] {
    ["left", "right"].map(|side| key(&format!("Document/{side}-{writer}-{number}")))
}

fn claim(writer: u64, number: u64) -> Vec<u8> {
    format!("claim {writer} {number}").into_bytes()
}

fn put(key: Key, version: u64, value: String) -> Write {
    let words = vec![Row { index: Index(9), value: value.clone().into_bytes() }];
    let rows = vec![
        Row { index: Index(1), value: b"all".to_vec() },
        Row { index: Index(2), value: value.clone().into_bytes() },
        Row { index: Index(3), value: key.id().as_bytes().to_vec() },
    ];
    Write::Put(Put {
        key,
        version,
        body: value.into(),
        stamp_at: None,
        rows,
        words,
        time_index: Some(Index(4)),
        mark: 0,
    })
}

/// The documents that stay, before anything is known about them.
fn fill_shelves(directory: &Path) {
    let store = Embedded::open(directory, Arc::new(SystemClock)).unwrap();
    let bare = |key: Key| {
        let body = key.as_str().to_owned().into();
        Write::Put(Put {
            key,
            version: 1,
            body,
            stamp_at: None,
            rows: vec![],
            words: vec![],
            time_index: None,
            mark: 0,
        })
    };
    for writer in 0..WRITERS {
        let writes = (0..SHELF).map(|place| bare(on_shelf(writer, place))).collect();
        store.commit(Batch { preconditions: vec![], writes }).unwrap();
    }
}

fn on_shelf(writer: u64, place: u64) -> Key {
    key(&format!("Shelf/{writer}-{place}"))
}

/// The part of the shelf whose turn it is gets a row and a word that name the batch.
fn reindex(writer: u64, number: u64) -> impl Iterator<Item = Write> {
    let part = number % (SHELF / SHELF_PART) * SHELF_PART;
    (part..part + SHELF_PART).map(move |place| {
        let value = |index| Row { index: Index(index), value: format!("{writer} {number}").into_bytes() };
        let (rows, words) = (vec![value(7)], vec![value(8)]);
        Write::Reindex { key: on_shelf(writer, place), version: 1, rows, words, time_index: None }
    })
}

/// Two documents, a claim, and a counter; those of [`LIFE`] batches ago go. A part of the shelf is indexed anew.
fn batch(writer: u64, number: u64) -> Batch {
    let value = format!("{writer} {number}");
    let mut writes: Vec<Write> = documents(writer, number).map(|key| put(key, 1, value.clone())).into();
    writes.push(put(counter(writer), number, value));
    writes.push(Write::Claim { name: claim(writer, number), value: b"held".to_vec() });
    writes.extend(reindex(writer, number));
    if number > LIFE {
        writes.extend(documents(writer, number - LIFE).map(|key| Write::Delete { key, version: 2, mark: 0 }));
        writes.push(Write::Release { name: claim(writer, number - LIFE) });
    }
    Batch { preconditions: vec![Precondition::Version { key: counter(writer), version: number - 1 }], writes }
}

fn newest(snapshot: &dyn Snapshot, key: &Key) -> u64 {
    snapshot.head(key).unwrap().map_or(0, |head| head.version)
}

fn check(directory: &Path, acknowledged: &[u64]) {
    let store = Embedded::open(directory, Arc::new(SystemClock)).unwrap();
    store.verify().unwrap();
    let snapshot = store.snapshot().unwrap();
    let mut alive = 0;
    for (writer, acknowledged) in (0..).zip(acknowledged) {
        let last = newest(&*snapshot, &counter(writer));
        // At most the one batch that was in flight may be there without having been acknowledged.
        assert!((*acknowledged..=acknowledged + 1).contains(&last), "writer {writer}: {last} after {acknowledged}");
        for number in 1..=last + 1 {
            let lives = number <= last && number + LIFE > last;
            let expected = match (number <= last, lives) {
                (false, _) => None,
                (true, true) => Some(Head { version: 1, deleted: false }),
                (true, false) => Some(Head { version: 2, deleted: true }),
            };
            let heads = documents(writer, number).map(|key| snapshot.head(&key).unwrap());
            assert_eq!(heads, [expected; 2], "batch {number} of writer {writer}");
            let held = snapshot.value(&claim(writer, number)).unwrap().is_some();
            assert_eq!(held, lives, "claim {number} of writer {writer}");
            let value = format!("{writer} {number}");
            let expected = 2 * u64::from(lives) + u64::from(number == last);
            if number + SEARCHED < last {
                continue;
            }
            for filter in [Filter::equal(Index(2), value.as_str()), Filter::word(Index(9), value.as_str())] {
                assert_eq!(count(&*snapshot, filter), expected, "rows and words of batch {number} of writer {writer}");
            }
            let is_shelved = number <= last && number + SHELF / SHELF_PART > last;
            let expected = SHELF_PART * u64::from(is_shelved);
            for filter in [Filter::equal(Index(7), value.as_str()), Filter::word(Index(8), value.as_str())] {
                assert_eq!(count(&*snapshot, filter), expected, "shelf of batch {number} of writer {writer}");
            }
        }
        alive += 2 * last.min(LIFE) + u64::from(last > 0);
    }
    assert_eq!(count(&*snapshot, Filter::equal(Index(1), "all")), alive);
}

fn count(snapshot: &dyn Snapshot, filter: Filter) -> u64 {
    let find = Find { total: Count::Exact, ..Find::new(filter, 0) };
    snapshot.find(&find).unwrap().total.unwrap().count
}
