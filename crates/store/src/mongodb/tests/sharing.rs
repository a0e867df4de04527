//! Several processes over one database. Nothing of a store is shared within a process, so that two stores are as good as two processes.

use super::*;

const THREADS: usize = 3;
const ROUNDS: usize = 10;

/// Two stores over one database, with a clock each.
fn two(mongod: &'static Mongod) -> (Temporary, Temporary, [Arc<TestClock>; 2]) {
    let clocks = [NOON, NOON].map(TestClock::new);
    let first = Temporary::open(mongod, clocks[0].clone());
    let directory = TempDir::new().unwrap();
    let store = MongoDb::open(&first.url, directory.path(), clocks[1].clone()).unwrap();
    let second = Temporary { store: Some(store), mongod, url: first.url.clone(), _directory: directory };
    (first, second, clocks)
}

#[test]
fn each_sees_what_the_other_has_committed() {
    let Some(mongod) = Mongod::shared() else { return };
    let (first, second, clocks) = two(mongod);
    let before = second.snapshot().unwrap();
    let mut last = second.commits();
    assert_eq!(before.commits(), last);
    clocks[0].set(NOON + 1000);
    for version in 1..=6 {
        let (writer, reader) = if version % 2 == 1 { (&first, &second) } else { (&second, &first) };
        let committed = commit(writer, vec![put("P/1", version, &version.to_string())]).unwrap();
        // The second one's clock is late, and times never fall.
        assert_eq!(committed.time, NOON + 1000);
        assert_eq!(read(reader, "P/1"), Some((version, version.to_string())));
        assert!(reader.commits() > last && writer.commits() == reader.commits());
        last = reader.commits();
    }
    assert_eq!(before.read(&key("P/1")), Ok(None));
    assert_eq!(first.statistics().unwrap().documents, [("P".to_owned(), 1)]);
}

/// Who is alone presumes that all is as it has made it, and is refused where others have committed.
#[test]
fn what_is_presumed_is_checked() {
    let Some(mongod) = Mongod::shared() else { return };
    let (first, second, _) = two(mongod);
    let presumed = || first.store().presumed().unwrap();
    let commit_on = |snapshot: &dyn Snapshot, name| {
        let preconditions = Vec::from_iter(snapshot.premise());
        first.commit(Batch { preconditions, writes: vec![put(name, 1, "")] }).map(drop)
    };
    assert!(presumed().premise().is_none());
    (0..10).for_each(|number| drop(commit(&first, vec![put(&format!("P/{number}"), 1, "")]).unwrap()));
    let before = presumed();
    commit(&first, vec![put("P/own", 1, "")]).unwrap();
    assert!(before.premise().is_some());
    assert_eq!(commit_on(&*before, "P/after"), Ok(()));
    let (kept, asked) = (presumed(), presumed());
    commit(&second, vec![put("P/others", 1, "")]).unwrap();
    assert_eq!(commit_on(&*kept, "P/late"), Err(StoreError::Conflict(0)));
    assert!(asked.read(&key("P/others")).is_err());
    assert_eq!((kept.holds(), asked.holds()), (Ok(false), Ok(false)));
    let next = presumed();
    assert!(next.premise().is_none() && next.read(&key("P/others")).unwrap().is_some());
    assert_eq!((next.holds(), next.read(&key("P/late"))), (Ok(true), Ok(None)));
}

/// What a writer knows of its own last commit is not taken for what is so when others have written since.
#[test]
fn nothing_rests_on_what_was_before() {
    let Some(mongod) = Mongod::shared() else { return };
    let (first, second, _) = two(mongod);
    let set = |value: &str| Write::Set { name: b"n".to_vec(), value: value.into() };
    let at = |value: &str| Precondition::Value { name: b"n".to_vec(), value: Some(value.into()) };
    let commit_at = |at, writes| first.commit(Batch { preconditions: vec![at], writes }).map(drop);
    commit(&first, vec![set("a")]).unwrap();
    commit(&second, vec![set("b"), put("P/2", 1, "")]).unwrap();
    assert_eq!(commit_at(at("b"), vec![put("P/1", 1, "")]), Ok(()));
    assert_eq!(commit_at(at("b"), vec![put("P/1", 2, "")]), Ok(()));
    commit(&second, vec![set("c")]).unwrap();
    assert_eq!(commit_at(at("b"), vec![put("P/1", 3, "")]), Err(StoreError::Conflict(0)));
    assert_eq!(first.snapshot().unwrap().value(b"n"), Ok(Some(b"c".to_vec())));
    // Nor is made what is there already.
    let absent = Precondition::Version { key: key("P/2"), version: 0 };
    assert_eq!(commit_at(absent, vec![put("P/2", 1, "")]), Err(StoreError::Conflict(0)));
    assert!(matches!(commit(&first, vec![put("P/2", 1, "")]), Err(StoreError::Misuse(_))));
    assert_eq!(commit_at(at("c"), vec![put("P/3", 1, ""), put("P/1", 3, "")]), Ok(()));
}

/// Of two who change one document in turns nobody is refused more often than the other one has changed it: who reads again reads the change.
#[test]
fn who_was_refused_reads_why() {
    let Some(mongod) = Mongod::shared() else { return };
    let (first, second, _) = two(mongod);
    let changes = |store: &dyn Store| {
        let mut refused = 0;
        for _ in 0..4 * ROUNDS {
            loop {
                let version = read(store, "Counter/1").map_or(0, |(version, _)| version);
                let at = Precondition::Version { key: key("Counter/1"), version };
                let batch = Batch { preconditions: vec![at], writes: vec![put("Counter/1", version + 1, "")] };
                match store.commit(batch) {
                    Ok(_) => break,
                    Err(StoreError::Conflict(0)) => refused += 1,
                    Err(error) => panic!("{error}"),
                }
            }
        }
        refused
    };
    let refused = std::thread::scope(|scope| {
        [&first, &second].map(|store| scope.spawn(|| changes(store))).map(|thread| thread.join().unwrap())
    });
    assert!(refused.iter().all(|refused| *refused <= 4 * ROUNDS), "{refused:?}");
}

/// Both increment one counter, and take numbered names.
#[test]
fn they_exclude_each_other() {
    let Some(mongod) = Mongod::shared() else { return };
    let (first, second, _) = two(mongod);
    let increment = |store: &dyn Store| {
        let (version, count) =
            read(store, "Counter/1").map_or((0, 0), |(version, text)| (version, text.parse().unwrap()));
        let at = Precondition::Version { key: key("Counter/1"), version };
        let count: u64 = count;
        let claim = Write::Claim { name: format!("count {}", count + 1).into_bytes(), value: Vec::new() };
        let writes = vec![put("Counter/1", version + 1, &(count + 1).to_string()), claim];
        match store.commit(Batch { preconditions: vec![at], writes }) {
            Ok(_) => true,
            Err(StoreError::Conflict(0)) => false,
            Err(error) => panic!("{error}"),
        }
    };
    std::thread::scope(|scope| {
        for thread in 0..2 * THREADS {
            let (store, increment) = (if thread % 2 == 0 { &first } else { &second }, &increment);
            scope.spawn(move || {
                for _ in 0..ROUNDS {
                    while !increment(store) {}
                }
            });
        }
    });
    let all = (2 * THREADS * ROUNDS) as u64;
    assert_eq!(read(&first, "Counter/1"), Some((all, all.to_string())));
    let snapshot = second.snapshot().unwrap();
    assert_eq!(snapshot.values(b"count ", None, 1000).unwrap().len() as u64, all);
    let history = crate::History {
        scope: crate::HistoryScope::All,
        since: None,
        before: None,
        after: None,
        limit: 1000,
        total: true,
    };
    let history = snapshot.history(&history).unwrap();
    let numbers: Vec<_> = history.versions.iter().map(|version| version.version).collect();
    assert_eq!((numbers, history.total), ((1..=all).rev().collect(), Some(all)));
}
