//! The jobs that one server does for all, when it is killed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use flint_tests::Client;
use serde_json::{Value, json};
use store::{Clock, Key, MongoDb, Store, SystemClock};
use tempfile::TempDir;

use super::node::Node;
use super::system::{AUTH_ON, System};
use super::{Cluster, held, within};
use crate::crash::{PATIENT, fill};
use crate::search_parameter::{parameter, patient};

/// Within this time another server does what a killed one did.
const TAKEN_OVER: Duration = Duration::from_secs(15);

/// How long a server may take until it has the jobs that nobody has.
const TAKEN: Duration = Duration::from_secs(15);

/// How long the hold lasts that nobody books.
const HELD: Duration = Duration::from_secs(8);

const SCOPE: &str = "system/*.cruds";

const JOBS: [&str; 3] = ["audit", "index", "sweep"];

/// The database as no server shows it: each would do what is due before it answers.
struct Database {
    store: MongoDb,
    _directory: TempDir,
}

impl Database {
    fn open(url: &str) -> Database {
        let directory = TempDir::new().expect("a directory");
        let store = MongoDb::open(url, directory.path(), Arc::new(SystemClock)).expect("a store");
        Database { store, _directory: directory }
    }

    /// Which server has each of the jobs; empty for none.
    fn holders(&self) -> [String; JOBS.len()] {
        let snapshot = self.store.snapshot().expect("a store");
        JOBS.map(|job| {
            let lease = snapshot.value(format!("lease/{job}").as_bytes()).expect("a store").unwrap_or_default();
            let lease = String::from_utf8(lease).expect("UTF-8");
            let (place, until) = lease.split_once(' ').unwrap_or_default();
            let is_held = until.parse::<i64>().is_ok_and(|until| until > SystemClock.now());
            if is_held { place.to_owned() } else { String::new() }
        })
    }

    fn read(&self, key: &str) -> Value {
        let snapshot = self.store.snapshot().expect("a store");
        let version = snapshot.read(&Key::parse(key).expect("a key")).expect("a store").expect("a document");
        serde_json::from_slice(&version.body.expect("not deleted")).expect("JSON")
    }
}

#[test]
fn another_server_does_the_jobs_of_a_killed_one() {
    let Some(mut cluster) = Cluster::start_with(1, 1, "", AUTH_ON) else { return };
    let token = System::register(&cluster.url, &["--custodian", "--scope", SCOPE]).token(cluster.client(0), SCOPE);
    let bearing = |client: &Client| Client::new(client.base_url()).bearing(&token);
    let first = bearing(cluster.client(0));
    fill(&first);
    let database = Database::open(&cluster.url);
    within(TAKEN, || database.holders().iter().all(|holder| !holder.is_empty()));
    let before = database.holders();
    cluster.nodes.push(Node::start(&cluster.url, AUTH_ON));

    let hold = held(PATIENT, 0, fhir::Instant::from_millis(SystemClock.now() + HELD.as_millis() as i64));
    first.call("POST /Appointment").json(&hold).send().expect(201);
    first.call("PUT /Patient/ann").json(&patient("ann", "blue")).send().expect(201);
    assert_eq!(database.read("Slot/slot-0")["status"], "busy-tentative");
    assert_eq!(database.holders(), before);
    cluster.nodes[0].kill();
    let killed = Instant::now();

    let client = bearing(cluster.client(1));
    client.call("PUT /SearchParameter/eyes").json(&parameter(json!({}))).send().expect(201);
    let left = || TAKEN_OVER.saturating_sub(killed.elapsed());
    within(left(), || client.get("/Patient?eyes=blue").status == 200);
    within(left(), || database.read("Slot/slot-0")["status"] == "free");
    within(left(), || database.holders().iter().zip(&before).all(|(now, before)| !now.is_empty() && now != before));
    client.get("/Patient?eyes=blue").expect(200).facts(&[("/total", "1")]);
    client.get("/Appointment?slot=slot-0").expect(200).facts(&[("/entry/0/resource/status", "cancelled")]);
}
