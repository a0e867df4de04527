//! What is opened, and what is refused with a reason.

use std::time::Duration;

use mongodb::bson::doc;

use super::*;

/// How long a test waits for what does not come.
const SOON: Patience = Patience { opening: Duration::from_millis(300), answer: Duration::from_secs(10) };

fn refusal(url: &str) -> String {
    let directory = TempDir::new().unwrap();
    let opened = MongoDb::open_patiently(url, directory.path(), TestClock::new(NOON), SOON);
    match opened.map(drop) {
        Err(StoreError::Unusable(text)) => text,
        other => panic!("{url}: {other:?}"),
    }
}

#[test]
fn says_what_is_wrong_with_a_url_but_not_its_password() {
    // Nobody listens where port 1 is; the second refusal comes before anybody is asked.
    let cases = [
        ("mongodb://ann:se%24cret@127.0.0.1:1/store?serverSelectionTimeoutMS=200", "cannot be reached"),
        ("mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=200", "names no database"),
        ("mongodb+srv://ann:se%24cret@example.org/store", "`mongodb+srv:` needs a look-up"),
        ("postgres://ann:secret@127.0.0.1/store", "is not like `mongodb://HOST/DATABASE?replicaSet=NAME`"),
        ("mongodb://ann:se$c@ret@127.0.0.1/store", "is not like"),
        ("mongodb://127.0.0.1:1/store?w=secret&serverSelectionTimeoutMS=secret", "is not like"),
    ];
    for (url, expected) in cases {
        let text = refusal(url);
        assert!(text.contains(expected), "{url}: {text}");
        assert!(!text.contains("cret"), "{url}: {text}");
    }
}

#[test]
fn refuses_a_server_without_transactions() {
    let Some(mongod) = Mongod::stand_alone() else { return };
    for options in ["serverSelectionTimeoutMS=200", "serverSelectionTimeoutMS=200&replicaSet=tests"] {
        let text = refusal(&format!("mongodb://127.0.0.1:{}/store?{options}", mongod.port()));
        assert!(text.contains("stand-alone") && text.contains("--replSet"), "{options}: {text}");
    }
}

#[test]
fn keeps_everything_over_a_restart() {
    let Some(mongod) = Mongod::shared() else { return };
    let (url, directory) = (mongod.new_database(), TempDir::new().unwrap());
    let open = || MongoDb::open(&url, directory.path(), TestClock::new(NOON));
    assert_eq!(MongoDb::exists(&url), Ok(false));
    let store = open().unwrap();
    assert_eq!(MongoDb::exists(&url), Ok(true));
    commit(&store, vec![put("P/1", 1, "one"), put("P/1", 2, "two")]).unwrap();
    // The directory is taken; the database is not.
    assert!(matches!(open().map(drop), Err(StoreError::Unusable(text)) if text.contains("another process")));
    let commits = store.commits();
    drop(store);
    let store = open().unwrap();
    assert_eq!((read(&store, "P/1"), store.commits()), (Some((2, "two".to_owned())), commits));
    drop(store);
    mongod.drop_database(&url);
}

#[test]
fn refuses_another_format() {
    let Some(mongod) = Mongod::shared() else { return };
    let temporary = Temporary::open(mongod, TestClock::new(NOON));
    let state = temporary.store().connection.collection(layout::STATE);
    let later = doc! { "$set": { "format": layout::FORMAT + 1 } };
    let set = async { state.update_one(doc! { "_id": layout::STATE_ID }, later).await };
    temporary.store().connection.wait(set).unwrap();
    let text = refusal(&temporary.url);
    assert!(text.contains("has format `2`, this program reads format `1`"), "{text}");
}

#[test]
fn ends_what_a_killed_process_left() {
    let Some(mongod) = Mongod::shared() else { return };
    let (url, directory) = (mongod.new_database(), TempDir::new().unwrap());
    let open = || MongoDb::open(&url, directory.path(), TestClock::new(NOON)).unwrap();
    let store = open();
    // As a process leaves it that is killed just before it commits.
    let connection = store.connection.clone();
    drop(store);
    let place = directory::place(directory.path()).unwrap();
    let mut session = session::open(&connection, &place).unwrap();
    let state = connection.collection(layout::STATE);
    connection.wait(async {
        session.start_transaction().await.unwrap();
        let change = state.update_one(doc! { "_id": layout::STATE_ID }, doc! { "$inc": { "commits": 1_i64 } });
        change.session(&mut session).await.unwrap();
    });
    std::mem::forget(session);
    let begun = std::time::Instant::now();
    let store = open();
    commit(&store, vec![put("P/1", 1, "one")]).unwrap();
    // The server itself would end it after a minute.
    assert!(begun.elapsed() < Duration::from_secs(30));
    drop(store);
    mongod.drop_database(&url);
}
