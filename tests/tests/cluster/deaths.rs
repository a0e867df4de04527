//! A server is killed, or the only server of the database, while clients write.

use std::time::Duration;

use flint_tests::Client;
use serde_json::json;

use super::load::{self, Turn};
use super::system::{AUTH_ON, System};
use super::{AUTH_OFF, Cluster, within};
use crate::crash::check::check;
use crate::crash::{PATIENT, fill};
use crate::race::at_once;

const ROUNDS: usize = 4;

/// What a killed server has left open keeps the others for some seconds. Left alone, the database ends it after a minute.
const FREED: Duration = Duration::from_secs(30);

/// Within this time a server that has its database again serves as before.
const BACK: Duration = Duration::from_secs(45);

#[test]
fn a_killed_server_leaves_whole_transactions_and_others_go_on() {
    let Some(cluster) = Cluster::start(2, 1) else { return };
    fill(cluster.client(0));
    let mut writers = load::writers(43);
    for round in 0..ROUNDS {
        let killed = &cluster.nodes[round % 2];
        let turn = Turn::new((50 + 7 * round as u64, 20), FREED, || killed.kill());
        load::write(&mut writers, &cluster.clients(), &turn);
        check(cluster.client((round + 1) % 2), &writers);
        killed.restart();
    }
    cluster.clients().into_iter().for_each(|client| _ = check(client, &writers));
}

#[test]
fn without_the_database_requests_are_refused_and_afterwards_it_goes_on() {
    let Some(cluster) = Cluster::start_with(2, 1, "&serverSelectionTimeoutMS=1000", AUTH_OFF) else { return };
    fill(cluster.client(0));
    let mut writers = load::writers(47);
    let mongod = cluster.database.member(0);
    let outage = || {
        mongod.kill();
        for client in cluster.clients() {
            let patient = json!({"resourceType": "Patient"});
            let bundle = |kind| {
                let read = json!({"request": {"method": "GET", "url": PATIENT}});
                let create = json!({"resource": patient, "request": {"method": "POST", "url": "Patient"}});
                json!({"resourceType": "Bundle", "type": kind, "entry": [read, create]})
            };
            let replies = at_once(vec![
                client.call(&format!("GET /{PATIENT}")),
                client.call("GET /Patient?gender=female"),
                client.call(&format!("GET /{PATIENT}/_history")),
                client.call("POST /Patient").json(&patient),
                client.call("POST /Patient").header("Idempotency-Key", "k").json(&patient),
                client.call("POST /Patient").header("If-None-Exist", "identifier=a").json(&patient),
                client.call("PUT /Patient/a").json(&json!({"resourceType": "Patient", "id": "a"})),
                client.call(&format!("DELETE /{PATIENT}")),
                client.call("POST /").json(&bundle("transaction")),
                client.call("GET /Patient?_has:Observation:patient:status=final"),
                client.call("GET /$search-parameters"),
            ]);
            for reply in replies {
                reply.expect(503).facts(&[("retry-after", "1"), ("/issue/0/code", "transient")]);
            }
            let batch = client.call("POST /").json(&bundle("batch")).send().expect(200);
            let status = "503*";
            batch.facts(&[("/entry/0/response/status", status), ("/entry/1/response/status", status)]);
        }
        mongod.restart();
    };
    let turn = Turn::new((50, 60), BACK, outage);
    load::write(&mut writers, &cluster.clients(), &turn);
    cluster.clients().into_iter().for_each(|client| _ = check(client, &writers));
}

/// What the record keeper's own system may do.
const KEEPER: &str = "system/*.cruds";

/// Whoever shows a good token is not told that it is a bad one.
#[test]
fn without_the_database_nobody_is_let_in_or_turned_out() {
    let Some(cluster) = Cluster::start_with(1, 1, "&serverSelectionTimeoutMS=1000", AUTH_ON) else { return };
    let keeper = System::register(&cluster.url, &["--custodian", "--scope", KEEPER]);
    let client = Client::new(cluster.client(0).base_url()).bearing(&keeper.token(cluster.client(0), KEEPER));
    client.call("PUT /Patient/ann").json(&json!({"resourceType": "Patient", "id": "ann"})).send().expect(201);
    client.get("/Patient/ann").expect(200);
    let mongod = cluster.database.member(0);
    mongod.kill();
    client.get("/Patient/ann").expect(503).facts(&[("retry-after", "1"), ("/issue/0/code", "transient")]);
    let refused = keeper.ask_token(cluster.client(0), KEEPER).expect(503);
    refused.facts(&[("retry-after", "1"), ("/error", "temporarily_unavailable")]);
    let origin = client.base_url().trim_end_matches("/fhir");
    let page = client.get(&format!("{origin}/auth/authorize?response_type=code&client_id={}", keeper.id)).expect(503);
    page.facts(&[("retry-after", "1"), ("content-type", "text/html*")]);
    mongod.restart();
    within(BACK, || client.get("/Patient/ann").status == 200);
    within(BACK, || keeper.ask_token(cluster.client(0), KEEPER).status == 200);
}

/// More than there are threads for requests.
const WAITING: usize = 100;

/// Within this time it is told that the database is away, although requests wait for it for longer.
const TOLD: Duration = Duration::from_secs(5);

/// However many wait for the database, the server is there for others.
#[test]
fn without_the_database_a_server_still_answers_for_itself() {
    let Some(cluster) = Cluster::start_with(1, 1, "&serverSelectionTimeoutMS=8000", AUTH_ON) else { return };
    let keeper = System::register(&cluster.url, &["--custodian", "--scope", KEEPER]);
    let client = Client::new(cluster.client(0).base_url()).bearing(&keeper.token(cluster.client(0), KEEPER));
    let other = Client::patient(client.base_url(), TOLD);
    let origin = client.base_url().trim_end_matches("/fhir");
    let health = || other.get(&format!("{origin}/health"));
    assert_eq!(health().expect(200).text, "ok\n");
    cluster.database.member(0).kill();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| at_once((0..WAITING).map(|_| client.call("GET /Patient/none")).collect()));
        let is_waiting = |text: &str| {
            let in_progress = text.lines().find_map(|line| line.strip_prefix("flint_requests_in_progress "));
            in_progress.is_some_and(|number| number.parse().is_ok_and(|number: usize| number == WAITING))
        };
        within(TOLD, || is_waiting(&other.get(&format!("{origin}/metrics")).expect(200).text));
        assert_eq!(health().expect(503).text, "the store cannot be read\n");
        other.get("/Nothing").expect(404);
        assert!(!waiting.is_finished());
        for reply in waiting.join().expect("no panic") {
            reply.expect(503).facts(&[("retry-after", "1"), ("/issue/0/code", "transient")]);
        }
    });
}
