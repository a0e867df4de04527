//! A database that fails: what is tried again takes effect once, and what fails leaves nothing.

use std::thread;
use std::time::Duration;

use mongodb::bson::{Bson, Document, doc};

use super::*;

/// A store whose commands can be made to fail, and no others.
fn fragile(mongod: &'static Mongod, name: &str, patience: Patience) -> Temporary {
    let (url, directory) = (format!("{}&appName={name}", mongod.new_database()), TempDir::new().unwrap());
    let store = MongoDb::open_patiently(&url, directory.path(), TestClock::new(NOON), patience).unwrap();
    Temporary { store: Some(store), mongod, url, _directory: directory }
}

/// Lets so many of these commands fail.
fn fail(mongod: &Mongod, name: &str, times: i32, commands: &[&str], mut how: Document) {
    how.insert("failCommands", commands.to_vec());
    how.insert("appName", name);
    mongod.fail_commands(doc! { "times": times }.into(), how);
}

fn again(code: i32) -> Document {
    doc! { "errorCode": code, "errorLabels": ["TransientTransactionError"] }
}

/// The server has one such order at a time, and so these are one test.
#[test]
fn a_commit_takes_effect_once_or_not_at_all() {
    const NAME: &str = "trouble";
    let Some(mongod) = Mongod::shared() else { return };
    let store = fragile(mongod, NAME, PATIENCE);
    commit(&store, vec![put("P/0", 1, "")]).unwrap();
    let unknown = doc! { "code": 64, "errmsg": "waiting for replication timed out", "codeName": "WriteConcernTimeout" };
    // The commands that fail, how often and how, and what comes of the commit.
    type Case<'c> = (&'c [&'c str], i32, Document, Option<fn(&StoreError) -> bool>);
    let full: fn(&StoreError) -> bool = |error| *error == StoreError::Full;
    let large: fn(&StoreError) -> bool = |error| matches!(error, StoreError::TooLarge(_));
    let engine: fn(&StoreError) -> bool = |error| matches!(error, StoreError::Engine(_));
    let cases: Vec<Case<'_>> = vec![
        (&["update"], 1, again(112), None),
        (&["find", "insert", "update", "findAndModify"], 5, again(112), None),
        (&["insert"], 1, again(251), None),
        (&["insert"], 1, doc! { "closeConnection": true }, None),
        (&["commitTransaction"], 1, again(251), None),
        (&["commitTransaction"], 3, doc! { "closeConnection": true }, None),
        (&["commitTransaction"], 2, doc! { "writeConcernError": unknown }, None),
        (&["insert"], 1, doc! { "errorCode": 14031 }, Some(full)),
        (&["insert"], 1, doc! { "errorCode": 388 }, Some(large)),
        (&["update"], 1, doc! { "errorCode": 96 }, Some(engine)),
        (&["commitTransaction"], 1, doc! { "errorCode": 96 }, Some(engine)),
    ];
    let mut commits = store.commits();
    for (number, (commands, times, how, fails)) in (1..).zip(cases) {
        let name = format!("P/{number}");
        let case = format!("{commands:?} {times} {how}");
        fail(mongod, NAME, times, commands, how);
        let result = commit(&store, vec![put(&name, 1, "one"), put(&name, 2, "two"), put("P/0", number + 1, "")]);
        mongod.fail_commands(Bson::String("off".to_owned()), Document::new());
        match fails {
            None => {
                assert_eq!(result.map(|committed| committed.versions.len()), Ok(3), "{case}");
                assert_eq!(read(&store, &name), Some((2, "two".to_owned())), "{case}");
                commits += 1;
            }
            Some(expected) => {
                assert!(result.as_ref().is_err_and(expected), "{case}: {result:?}");
                assert_eq!(read(&store, &name), None, "{case}");
                // Afterwards all is as if nothing had been.
                commit(&store, vec![put("P/0", number + 1, "")]).unwrap();
                commits += 1;
            }
        }
        assert_eq!(store.commits(), commits, "{case}");
    }
    reads_fail_and_work_again(mongod, &store, NAME);
    waits_for_no_answer_for_ever(mongod);
}

/// However much waits to be written, no transaction becomes larger than a database with little memory takes.
#[test]
fn much_at_once_is_no_large_transaction() {
    let Some(mongod) = Mongod::shared() else { return };
    let store = Temporary::open(mongod, TestClock::new(NOON));
    let document = |name: String| {
        let rows = (1..=40).map(|index| Row { index: Index(index), value: format!("{index} of {name}").into() });
        match put(&name, 1, &" ".repeat(1_500)) {
            Write::Put(put) => Write::Put(Put { rows: rows.collect(), ..put }),
            other => other,
        }
    };
    thread::scope(|scope| {
        let all = (0..6).map(|batch| {
            let writes = (0..700).map(|number| document(format!("P/{batch}-{number}"))).collect();
            scope.spawn(|| commit(&store, writes).map(drop))
        });
        for one in Vec::from_iter(all) {
            assert_eq!(one.join().unwrap(), Ok(()));
        }
    });
}

fn waits_for_no_answer_for_ever(mongod: &'static Mongod) {
    const NAME: &str = "silence";
    let patience = Patience { answer: Duration::from_millis(500), ..PATIENCE };
    let store = fragile(mongod, NAME, patience);
    let silence = |commands| fail(mongod, NAME, 1, commands, doc! { "blockConnection": true, "blockTimeMS": 3000 });
    silence(&["find"]);
    assert!(matches!(store.snapshot().map(drop), Err(StoreError::Unreachable(_))));
    silence(&["insert"]);
    assert!(matches!(commit(&store, vec![put("P/1", 1, "one")]), Err(StoreError::Unreachable(_))));
    // This one is there, and the server is asked until that is known.
    silence(&["commitTransaction"]);
    assert_eq!(commit(&store, vec![put("P/1", 1, "one")]).map(drop), Ok(()));
    assert_eq!(read(&store, "P/1"), Some((1, "one".to_owned())));
}

fn reads_fail_and_work_again(mongod: &Mongod, store: &Temporary, name: &str) {
    let before = store.commits();
    fail(mongod, name, 1, &["find"], doc! { "errorCode": 96 });
    assert!(matches!(store.snapshot().map(drop), Err(StoreError::Engine(_))));
    fail(mongod, name, 2, &["find"], doc! { "errorCode": 96 });
    let unread = [store.commits(), store.commits()];
    assert!(unread[0] != unread[1] && !unread.contains(&before));
    // What a server says that ends, or that is not the primary any more; the driver asks some of it once more by itself.
    for code in [43, 91, 134, 189, 246, 10107, 11600, 11602, 13435, 13436] {
        fail(mongod, name, 2, &["find"], doc! { "errorCode": code });
        let read = store.snapshot().map(drop);
        assert!(matches!(read, Err(StoreError::Unreachable(_))), "{code}: {read:?}");
        mongod.fail_commands(Bson::String("off".to_owned()), Document::new());
    }
    // The driver asks once more by itself.
    fail(mongod, name, 1, &["find"], doc! { "closeConnection": true });
    assert!(store.snapshot().is_ok());
    mongod.fail_commands(Bson::String("off".to_owned()), Document::new());
    assert_eq!(store.commits(), before);
}
