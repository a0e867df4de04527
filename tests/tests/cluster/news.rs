//! What is changed through one server, and when it counts in another.

use std::time::Duration;

use fhir::Instant;
use flint_tests::Client;
use serde_json::{Value, json};
use store::{Clock, SystemClock};

use super::node::run;
use super::system::{AUTH_ON, BASE_URL, System};
use super::{Cluster, held, within};
use crate::crash::fill;
use crate::packages::{GZIP, package, profile};
use crate::search_parameter::{parameter, patient};

/// A server knows within this time what was changed through another one.
const KNOWN: Duration = Duration::from_secs(2);

#[test]
fn search_parameters_come_and_go() {
    let Some(cluster) = Cluster::start(2, 1) else { return };
    for (at, other) in [(0, 1), (1, 0)] {
        let (client, other) = (cluster.client(at), cluster.client(other));
        let put = client.call("PUT /Patient/ann").json(&patient("ann", "blue")).send();
        assert!(matches!(put.status, 200 | 201), "{put:?}");
        let found = || other.get("/Patient?eyes=blue");
        found().expect(400);
        let version = client.call("PUT /SearchParameter/eyes").json(&parameter(json!({}))).send();
        assert!(matches!(version.status, 200 | 201), "{version:?}");
        within(KNOWN, || found().status == 200 && client.get("/Patient?eyes=blue").status == 200);
        found().facts(&[("/total", "1")]);
        client.call("DELETE /SearchParameter/eyes").send().expect(204);
        within(KNOWN, || found().status == 400);
    }
}

#[test]
fn packages_come_and_go() {
    let Some(cluster) = Cluster::start(2, 1) else { return };
    let packed = package("p.example@1.0.0", json!({}), &[profile()]);
    let meta = json!({"profile": ["http://p.example/StructureDefinition/born"]});
    for (at, other) in [(0, 1), (1, 0)] {
        let (client, other) = (cluster.client(at), cluster.client(other));
        // The profile wants a birth date.
        let put = || {
            other.call("PUT /Patient/ann").json(&json!({"resourceType": "Patient", "id": "ann", "meta": meta})).send()
        };
        assert!(matches!(put().status, 200 | 201));
        client.call("POST /$package-add").body(GZIP, packed.clone()).send().expect(200);
        within(KNOWN, || put().status == 422);
        client.call("POST /$package-remove?package=p.example@1.0.0").send().expect(200);
        within(KNOWN, || put().status == 200);
    }
}

/// Each hold that nobody books ends a second after the one before, so that one of them ends just after a look for such.
const HOLDS: i64 = 6;

/// Whichever server sees to it: it is another one that was asked for the hold.
#[test]
fn holds_end_in_time_wherever_they_were_made() {
    let Some(cluster) = Cluster::start(2, 1) else { return };
    fill(cluster.client(0));
    let begun = SystemClock.now();
    let mut ends = Vec::new();
    for (at, second) in [0, 1].into_iter().flat_map(|at| (0..HOLDS).map(move |second| (at, second))) {
        let (slot, until) = (at as i64 * HOLDS + second, begun + 8_000 + 1_000 * second);
        // Who has a hold gets no other one.
        let (id, client) = (format!("p{slot}"), cluster.client(at));
        let patient = json!({"resourceType": "Patient", "id": id});
        client.call(&format!("PUT /Patient/{id}")).json(&patient).send().expect(201);
        let hold = held(&format!("Patient/{id}"), slot as u64, Instant::from_millis(until));
        client.call("POST /Appointment").json(&hold).send().expect(201);
        ends.push((until, slot, 1 - at));
    }
    ends.sort_unstable();
    for (until, slot, other) in ends {
        let left = Duration::from_millis((until - SystemClock.now() + KNOWN.as_millis() as i64).max(0) as u64);
        let is_free = || cluster.client(other).get(&format!("/Slot/slot-{slot}")).pointer("/status") == "free";
        within(left, is_free);
    }
}

/// What the record keeper's own system may do, and what one may that does research.
const KEEPER: &str = "system/*.cruds";
const RESEARCH: &str = "system/*.rs";

/// Nobody sees through one server what was withheld through another one a moment before.
#[test]
fn access_ends_everywhere_at_once() {
    let Some(cluster) = Cluster::start_with(2, 1, "", AUTH_ON) else { return };
    let keeper = System::register(&cluster.url, &["--custodian", "--scope", KEEPER]);
    let research = System::register(&cluster.url, &["--purpose", "HRESCH", "--scope", RESEARCH]);
    // The tokens are given out by the one, and count in the other.
    let (kept, asked) = (keeper.token(cluster.client(0), KEEPER), research.token(cluster.client(1), RESEARCH));
    let bearing = |token: &str| [0, 1].map(|at| Client::new(cluster.client(at).base_url()).bearing(token));
    let (keepers, researchers) = (bearing(&kept), bearing(&asked));
    let ann = json!({"resourceType": "Patient", "id": "ann"});
    keepers[0].call("PUT /Patient/ann").json(&ann).send().expect(201);
    let statuses = |clients: &[Client], order: [usize; 2]| order.map(|at| clients[at].get("/Patient/ann").status);
    for round in 0..6 {
        let (at, other) = (round % 2, 1 - round % 2);
        assert_eq!(statuses(&researchers, [at, other]), [200, 200], "{round}");
        let put = keepers[at].call("PUT /Consent/ann").json(&opted_out()).send();
        assert!(matches!(put.status, 200 | 201), "{put:?}");
        assert_eq!(statuses(&researchers, [other, at]), [404, 404], "{round}");
        keepers[at].call("DELETE /Consent/ann").send().expect(204);
    }
    assert_eq!(statuses(&researchers, [1, 0]), [200, 200]);
    research.revoke(cluster.client(0), &asked);
    assert_eq!(statuses(&researchers, [1, 0]), [401, 401]);

    assert_eq!(statuses(&keepers, [0, 1]), [200, 200]);
    run(&cluster.url, &["app", "remove", &keeper.id, "--base-url", BASE_URL]);
    assert_eq!(statuses(&keepers, [1, 0]), [401, 401]);
}

/// Ann does not take part in research.
fn opted_out() -> Value {
    let coding = |system: &str, code: &str| json!({"system": system, "code": code});
    json!({"resourceType": "Consent", "id": "ann", "status": "active",
        "scope": {"coding": [coding("http://terminology.hl7.org/CodeSystem/consentscope", "research")]},
        "category": [{"coding": [coding("http://loinc.org", "59284-0")]}],
        "patient": {"reference": "Patient/ann"}, "performer": [{"reference": "Patient/ann"}], "dateTime": "2020-01-01T00:00:00Z",
        "policy": [{"authority": "https://www.gov.uk/", "uri": "https://digital.nhs.uk/services/national-data-opt-out"}],
        "provision": {"type": "deny", "purpose": [
            coding("http://terminology.hl7.org/CodeSystem/v3-ActReason", "HRESCH"),
            coding("http://terminology.hl7.org/CodeSystem/v3-ActReason", "HSYSADMIN")]}})
}
