//! Copies between stores of both engines: ended anywhere and gone on with, refused where they must be.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use bytes::Bytes;
use store::testing::{Mongod, Random, TestClock};
use store::{
    Committed, Embedded, Filter, Find, Frame, Index, Journal, Key, MongoDb, Put, Row, Snapshot, Statistics, time_value,
};
use tempfile::TempDir;

use super::*;

const NOON: i64 = 1_772_366_400_000;

/// How many versions a commit brings in these tests.
const FEW: usize = 7;

/// A store whose process is killed when so many more commits were made: the last is there, or it is not.
struct Mortal {
    store: Arc<dyn Store>,
    left: AtomicI64,
    keeps_last: bool,
}

impl Store for Mortal {
    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, StoreError> {
        self.store.snapshot()
    }

    fn commit(&self, batch: Batch) -> Result<Committed, StoreError> {
        if self.left.fetch_sub(1, Ordering::Relaxed) > 0 {
            return self.store.commit(batch);
        }
        if self.keeps_last {
            self.store.commit(batch)?;
        }
        Err(StoreError::Engine("killed".to_owned()))
    }

    fn commits(&self) -> u64 {
        self.store.commits()
    }

    fn journal(&self, done: store::Mark) -> Result<(Journal, Vec<Frame>), StoreError> {
        self.store.journal(done)
    }

    fn statistics(&self) -> Result<Statistics, StoreError> {
        self.store.statistics()
    }
}

/// A store to which somebody writes whenever it is looked at.
struct Busy(Arc<dyn Store>, AtomicU64);

impl Store for Busy {
    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, StoreError> {
        self.0.snapshot()
    }

    fn commit(&self, batch: Batch) -> Result<Committed, StoreError> {
        self.0.commit(batch)
    }

    fn commits(&self) -> u64 {
        self.1.fetch_add(1, Ordering::Relaxed)
    }

    fn journal(&self, done: store::Mark) -> Result<(Journal, Vec<Frame>), StoreError> {
        self.0.journal(done)
    }

    fn statistics(&self) -> Result<Statistics, StoreError> {
        self.0.statistics()
    }
}

/// An embedded store, whose directory goes with it.
struct Embed {
    store: Arc<Embedded>,
    clock: Arc<TestClock>,
    _directory: TempDir,
}

fn embed() -> Embed {
    let (directory, clock) = (TempDir::new().expect("a directory"), TestClock::new(NOON));
    let store = Arc::new(Embedded::open(directory.path(), clock.clone()).expect("a store"));
    Embed { store, clock, _directory: directory }
}

fn side<'s>(name: &str, store: &'s dyn Store) -> Side<'s> {
    Side { store, name: name.to_owned() }
}

fn begin<'s>(source: &'s dyn Store, target: &'s dyn Store) -> Result<Copy<'s>, CopyError> {
    Copy::begin_by(FEW, side("the source", source), side("the target", target))
}

fn copy(source: &dyn Store, target: &dyn Store) -> Result<Report, CopyError> {
    begin(source, target)?.finish(&|_| {})
}

fn commit(store: &dyn Store, writes: Vec<Write>) {
    store.commit(Batch { preconditions: Vec::new(), writes }).expect("committed");
}

fn set(name: &str, value: &str) -> Write {
    Write::Set { name: name.into(), value: value.into() }
}

/// Documents with some versions each, deletions among them, and claims and settings; `from` tells one filling from another.
fn fill(embed: &Embed, from: u64, documents: u64) {
    let mut random = Random::new(from);
    for number in from..from + documents {
        let key = Key::new(["Patient", "Observation"][(number % 2) as usize], &format!("d{number}")).expect("a key");
        for version in 1..=1 + random.below(3) {
            embed.clock.set(NOON + (number * 10 + version) as i64 / 3);
            let deletes = version > 1 && random.one_in(4);
            let mark = random.below(200) as u8;
            let write = match deletes {
                true => Write::Delete { key: key.clone(), version, mark },
                false => Write::Put(Put {
                    key: key.clone(),
                    version,
                    body: Bytes::from(format!(
                        "{{\"at\":\"????????????????????????\",\"n\":{number},\"v\":{version}}}"
                    )),
                    stamp_at: Some(7),
                    rows: vec![row(1, number % 3), row(2, version)],
                    words: vec![row(3, number % 5)],
                    time_index: Some(Index(5)),
                    mark,
                }),
            };
            commit(&*embed.store, vec![write, set(&format!("seat/{number}"), &version.to_string())]);
            if deletes {
                break;
            }
        }
    }
    commit(
        &*embed.store,
        vec![set("audit/block/1", "x"), set("lease/index", "here 99"), set("audit/journaled", "here")],
    );
}

fn row(index: u32, value: u64) -> Row {
    Row { index: Index(index), value: value.to_string().into() }
}

/// What searches of all kinds find.
fn found(store: &dyn Store) -> Vec<Vec<String>> {
    let rows = (0..3_u64).map(|value| Filter::equal(Index(1), value.to_string()));
    let words = (0..5_u64).map(|value| Filter::word(Index(3), value.to_string()));
    let others = [Filter::everything(), Filter::equal(Index(5), time_value(NOON + 3)), Filter::present(Index(2))];
    let filters = rows.chain(words).chain(others);
    let snapshot = store.snapshot().expect("a snapshot");
    let keys = |filter| {
        let found = snapshot.find(&Find::new(filter, 1000)).expect("a search");
        found.hits.into_iter().map(|hit| hit.key.to_string()).collect()
    };
    filters.map(keys).collect()
}

#[track_caller]
fn assert_moved(source: &dyn Store, target: &dyn Store) {
    let all = |store: &dyn Store| side("a store", store).log(None, 100_000).map(|(logged, _)| logged);
    assert_eq!(all(source), all(target));
    assert_eq!(found(source), found(target));
    let value = |name: &str| target.snapshot().and_then(|snapshot| snapshot.value(name.as_bytes())).expect("a value");
    assert_eq!(value("audit/block/1").as_deref(), Some(b"x".as_slice()));
    for name in ["lease/index", "audit/journaled", "copy/mark"] {
        assert_eq!(value(name), None, "{name}");
    }
}

/// Ends a copy after each of its commits, with the commit and without it, and goes on with it, perhaps after the source has grown.
fn goes_on_after_any_end(source: &Embed, target: &dyn Fn() -> Arc<dyn Store>, ends: impl Iterator<Item = i64>) {
    let whole = embed();
    let expected = copy(&*source.store, &*whole.store).expect("a copy");
    assert_moved(&*source.store, &*whole.store);
    for (end, keeps_last) in ends.flat_map(|end| [(end, false), (end, true)]) {
        let target = target();
        let mortal = Mortal { store: target.clone(), left: AtomicI64::new(end), keeps_last };
        let ended = copy(&*source.store, &mortal).expect_err("it was killed");
        assert!(ended.to_string().contains("the target: killed"), "{ended}");
        // The mark itself goes with the last commit of all.
        if !(keeps_last && refuse_unfinished(&*target).is_ok()) {
            assert_eq!(copy(&*source.store, &*target).as_ref(), Ok(&expected), "{end} {keeps_last}");
        }
        assert_moved(&*source.store, &*target);
    }
}

/// How many commits a copy makes.
fn commits_of(source: &dyn Store) -> i64 {
    let target = embed();
    let counting = Mortal { store: target.store.clone(), left: AtomicI64::new(i64::MAX), keeps_last: true };
    copy(source, &counting).expect("a copy");
    i64::MAX - counting.left.load(Ordering::Relaxed)
}

#[test]
fn goes_on_wherever_it_was_ended() {
    let source = embed();
    fill(&source, 0, 30);
    let ends = commits_of(&*source.store);
    assert!(ends > 8, "{ends}");
    let open = || {
        let (directory, clock) = (TempDir::new().expect("a directory"), TestClock::new(0));
        Arc::new(Embedded::open(directory.path(), clock).expect("a store")) as Arc<dyn Store>
    };
    goes_on_after_any_end(&source, &open, 0..ends);
}

#[test]
fn goes_both_ways_between_engines() {
    let Some(mongod) = Mongod::shared() else { return };
    let source = embed();
    fill(&source, 0, 40);
    let beside = TempDir::new().expect("a directory");
    let number = AtomicU64::new(0);
    let open = |url: &str| {
        let own = beside.path().join(number.fetch_add(1, Ordering::Relaxed).to_string());
        Arc::new(MongoDb::open(url, Path::new(&own), TestClock::new(0)).expect("a store")) as Arc<dyn Store>
    };
    let url = mongod.new_database();
    let database = open(&url);
    let there = copy(&*source.store, &*database).expect("a copy");
    assert_moved(&*source.store, &*database);
    let back = embed();
    // As the command has it: nobody writes.
    let source_again = MongoDb::open_beside(&url).expect("a store");
    assert_eq!(copy(&source_again, &*back.store).as_ref(), Ok(&there));
    assert_moved(&*source.store, &*back.store);
    assert_eq!(back.store.verify(), Ok(()));
    let middle = commits_of(&*source.store) / 2;
    goes_on_after_any_end(&source, &|| open(&mongod.new_database()), [0, 1, middle].into_iter());
    for name in 0..number.load(Ordering::Relaxed) {
        mongod.drop_database(&mongod.database(&format!("store-{name}")));
    }
}

#[test]
fn follows_a_source_that_grows() {
    let (source, target) = (embed(), embed());
    fill(&source, 0, 30);
    for round in 1..4 {
        let mut online = begin(&*source.store, &*target.store).expect("a beginning");
        online.follow(&|_| {}).expect("followed");
        assert!(online.left().expect("a number") <= FEW as u64);
        assert!(refuse_unfinished(&*target.store).is_err());
        // What was the newest is no more; what was set is released.
        let key = Key::parse("Patient/d0").expect("a key");
        let head =
            source.store.snapshot().and_then(|snapshot| snapshot.head(&key)).expect("a head").expect("a version");
        let write = Write::Put(Put {
            key,
            version: head.version + 1,
            body: Bytes::from("{}"),
            stamp_at: None,
            rows: vec![row(1, 2)],
            words: vec![],
            time_index: None,
            mark: 0,
        });
        commit(&*source.store, vec![write, Write::Release { name: format!("seat/{round}").into_bytes() }]);
        fill(&source, 100 * round, 12);
    }
    let report = copy(&*source.store, &*target.store).expect("a copy");
    assert_moved(&*source.store, &*target.store);
    assert!(!report.indexes_anew && report.values > 0 && report.versions > 60, "{report:?}");
    // Every version was told once.
    let (whole, told) = (embed(), AtomicU64::new(0));
    let tell = |more| {
        told.fetch_add(more, Ordering::Relaxed);
    };
    assert_eq!(begin(&*source.store, &*whole.store).expect("a beginning").finish(&tell), Ok(report.clone()));
    assert_eq!(told.into_inner(), report.versions);
}

#[test]
fn has_the_index_made_anew_where_it_was_changed_meanwhile() {
    let (source, target) = (embed(), embed());
    fill(&source, 0, 5);
    let value = |name: &[u8]| target.store.snapshot().and_then(|snapshot| snapshot.value(name)).expect("a value");
    commit(&*source.store, vec![set("search/rows-format", "10"), set("search/generation", "1 5")]);
    begin(&*source.store, &*target.store).expect("a beginning").follow(&|_| {}).expect("followed");
    commit(&*source.store, vec![set("search/generation", "2 6")]);
    assert!(copy(&*source.store, &*target.store).expect("a copy").indexes_anew);
    assert_eq!((value(moving::ROWS_MADE), value(b"search/generation").as_deref()), (None, Some(b"2 6".as_slice())));
    // While some rows are made anew, those that are copied may be either.
    let target = embed();
    commit(&*source.store, vec![set("search/jobs", "Patient\t0\t3\t\t\n")]);
    assert!(copy(&*source.store, &*target.store).expect("a copy").indexes_anew);
}

#[track_caller]
fn assert_refused<T: fmt::Debug>(result: Result<T, CopyError>, expected: &[&str]) {
    let refused = result.map(drop).expect_err("refused").to_string();
    assert!(expected.iter().all(|expected| refused.contains(expected)), "{refused}");
}

#[test]
fn refuses_a_target_that_holds_something_else() {
    let (source, other) = (embed(), embed());
    fill(&source, 0, 20);
    fill(&other, 500, 20);
    for writes in [vec![set("seat/1", "1")], vec![]] {
        let target = embed();
        match writes.is_empty() {
            true => fill(&target, 7, 1),
            false => commit(&*target.store, writes),
        }
        assert_refused(copy(&*source.store, &*target.store), &["the target: something is there already"]);
    }
    let target = embed();
    copy(&*source.store, &*target.store).expect("a copy");
    assert_refused(copy(&*source.store, &*target.store), &["the target: something is there already", "not done again"]);
    let target = embed();
    begin(&*source.store, &*target.store).expect("a beginning").follow(&|_| {}).expect("followed");
    assert_refused(
        copy(&*other.store, &*target.store),
        &["the target: a copy of another store is there", "`Observation/"],
    );
    // An unfinished copy is no source, and a mark that cannot be read is no mark.
    assert_refused(
        copy(&*target.store, &*embed().store),
        &["the source: it is a copy of another store that is not finished"],
    );
    commit(&*target.store, vec![set("copy/mark", "1 nonsense")]);
    assert_refused(copy(&*source.store, &*target.store), &["the mark of the copy there is damaged"]);
}

#[test]
fn refuses_to_finish_while_somebody_writes() {
    let (source, target) = (embed(), embed());
    fill(&source, 0, 20);
    let busy = Busy(source.store.clone(), AtomicU64::new(0));
    assert_refused(copy(&busy, &*target.store), &["the source: it was written to meanwhile", "stop all its servers"]);
    assert!(refuse_unfinished(&*target.store).is_err());
    copy(&*source.store, &*target.store).expect("a copy");
    assert_moved(&*source.store, &*target.store);
}

#[test]
fn refuses_two_copies_at_a_time() {
    let (source, target) = (embed(), embed());
    fill(&source, 0, 20);
    let first = begin(&*source.store, &*target.store).expect("a beginning");
    copy(&*source.store, &*target.store).expect("a copy");
    assert_refused(first.finish(&|_| {}), &["the target: another copy to it goes on at the same time"]);
}

#[test]
fn names_what_differs() {
    let (source, target) = (embed(), embed());
    fill(&source, 0, 9);
    let mut online = begin(&*source.store, &*target.store).expect("a beginning");
    online.follow(&|_| {}).expect("followed");
    // Somebody has put something into the target.
    let put = Write::Put(Put {
        key: Key::parse("Basic/x").expect("a key"),
        version: 1,
        body: Bytes::from("{}"),
        stamp_at: None,
        rows: vec![],
        words: vec![],
        time_index: None,
        mark: 0,
    });
    commit(&*target.store, vec![put]);
    assert_refused(copy(&*source.store, &*target.store), &["newest version, 1 of `Basic/x`, is not in the source"]);
    assert_refused(online.compare_counts(), &["other numbers of documents", "Basic"]);
    commit(&*source.store, vec![set("seat/zz", "1")]);
    assert_refused(
        online.compare_values(),
        &["the stored value `seat/zz` is not the same in the target and in the source"],
    );
}
