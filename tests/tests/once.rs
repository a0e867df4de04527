use std::sync::Arc;
use std::time::Duration;

use flint_tests::{Bearer, Call, Flint, Guarded, Holder, Reply, example};
use serde_json::{Value, json};
use server::Dialect;

const HOUR: Duration = Duration::from_secs(60 * 60);

fn ann() -> Value {
    json!({"resourceType": "Patient", "name": [{"family": "Smith"}]})
}

fn count(flint: &Flint, resource_type: &str) -> String {
    flint.get(&format!("/{resource_type}?_summary=count")).expect(200).pointer("/total")
}

/// What must be equal in the first answer and in one that tells it again.
fn told(reply: &Reply) -> Vec<String> {
    let headers = ["location", "etag", "last-modified"].map(|name| reply.header(name).to_owned());
    [reply.status.to_string(), reply.text.clone()].into_iter().chain(headers).collect()
}

/// Sends the same twice under one key: the second answer is the first one again.
fn twice<'a>(call: impl Fn() -> Call<'a>) -> Reply {
    let keyed = || call().header("Idempotency-Key", "k").send();
    let (first, second) = (keyed(), keyed());
    assert_eq!((first.header("idempotency-replayed"), second.header("idempotency-replayed")), ("", "true"));
    assert_eq!(told(&first), told(&second));
    first
}

#[test]
fn each_kind_of_write_is_done_once() {
    let flint = Flint::start();
    twice(|| flint.call("POST /Patient").json(&ann())).expect(201).facts(&[("location", "*/Patient/id-1/_history/1")]);
    assert_eq!(count(&flint, "Patient"), "1");
    let bob = |active| json!({"resourceType": "Patient", "id": "bob", "active": active});
    flint.send("PUT /Patient/bob", bob(true)).expect(201);
    let keyed = |line: &str, key: &str| flint.call(line).header("Idempotency-Key", key);
    for _ in 0..2 {
        // The version that it wants is current the first time only.
        let update = keyed("PUT /Patient/bob", "put").header("If-Match", "W/\"1\"").json(&bob(false)).send();
        update.expect(200).facts(&[("etag", "W/\"2\"")]);
        let patch = r#"[{"op":"replace","path":"/active","value":true}]"#;
        let patch = keyed("PATCH /Patient/bob", "patch").body("application/json-patch+json", patch).send();
        patch.expect(200).facts(&[("etag", "W/\"3\""), ("/active", "true")]);
    }
    for _ in 0..2 {
        keyed("DELETE /Patient/bob", "delete").send().expect(204).facts(&[("etag", "W/\"4\"")]);
    }
    flint.send("PUT /Patient/bob", bob(true)).expect(201);
    keyed("DELETE /Patient/bob", "delete").send().expect(204).facts(&[("etag", "W/\"4\"")]);
    flint.get("/Patient/bob").expect(200);
    let condition = |key: &str| keyed("POST /Patient", key).header("If-None-Exist", "family=Smith").json(&ann()).send();
    condition("match").expect(200);
    flint.call("DELETE /Patient/id-1").send().expect(204);
    condition("match").expect(200).facts(&[("location", "*/Patient/id-1/_history/1")]);
    condition("other").expect(201);
}

#[test]
fn a_transaction_is_done_once_and_a_batch_entry_by_entry() {
    let flint = Flint::start();
    let bundle = |kind: &str, family: &str| {
        json!({"resourceType": "Bundle", "type": kind, "entry": [
            {"resource": {"resourceType": "Patient", "gender": "none"}, "request": {"method": "POST", "url": "Patient"}},
            {"resource": {"resourceType": "Patient", "name": [{"family": family}]}, "request": {"method": "POST", "url": "Patient"}},
            {"request": {"method": "GET", "url": "Patient?_summary=count"}}]})
    };
    let mut transaction = bundle("transaction", "Smith");
    transaction["entry"].as_array_mut().expect("entries").remove(0);
    let first = twice(|| flint.call("POST /").json(&transaction)).expect(200);
    first.facts(&[("/entry/0/response/status", "201*"), ("/entry/1/resource/total", "1")]);
    let batch =
        |family: &str| flint.call("POST /").header("Idempotency-Key", "batch").json(&bundle("batch", family)).send();
    let (first, second) = (batch("Smith").expect(200), batch("Smith").expect(200));
    assert_eq!(first.pointer("/entry/1/response/location"), second.pointer("/entry/1/response/location"));
    assert_eq!((first.header("idempotency-replayed"), second.header("idempotency-replayed")), ("", "true"));
    second.facts(&[("/entry/0/response/status", "422*"), ("/entry/2/resource/total", "2")]);
    batch("Jones").expect(200).facts(&[("/entry/1/response/status", "422*")]);
    assert_eq!(count(&flint, "Patient"), "2");
}

#[test]
fn a_key_stands_for_one_request() {
    let flint = Flint::start();
    let keyed = |line: &str| flint.call(line).header("Idempotency-Key", "k");
    keyed("POST /Patient").json(&json!({"resourceType": "Patient", "gender": "none"})).send().expect(422);
    keyed("POST /Patient").json(&ann()).send().expect(201).facts(&[("idempotency-replayed", "-")]);
    let other = json!({"resourceType": "Patient", "name": [{"family": "Jones"}]});
    for call in [
        keyed("POST /Patient").json(&other),
        keyed("POST /Patient?_pretty=true").json(&ann()),
        keyed("POST /Patient").header("If-None-Exist", "family=Smith").json(&ann()),
        keyed("DELETE /Patient/id-2"),
    ] {
        let refused = call.send().expect(422);
        refused.facts(&[("/issue/0/code", "business-rule"), ("/issue/0/diagnostics", "the Idempotency-Key `k` *")]);
    }
    for bad in ["", "a b", &"x".repeat(256)] {
        flint.call("POST /Patient").header("Idempotency-Key", bad).json(&ann()).send().expect(400);
    }
    assert_eq!(count(&flint, "Patient"), "1");
    // What only reads is done each time.
    keyed("GET /Patient/id-2").send().expect(200).facts(&[("idempotency-replayed", "-")]);
    keyed("POST /Patient/$validate").json(&other).send().expect(200);
}

#[test]
fn of_parallel_requests_one_is_done() {
    let flint = Flint::surgery();
    let book = std::fs::read_to_string(example("request-book-one-slot.json")).expect("an example");
    let book: Value = serde_json::from_str(&book).expect("JSON");
    let replies: Vec<_> = std::thread::scope(|scope| {
        let call = |_| {
            let call = flint.call("POST /Appointment").header("Idempotency-Key", "k").json(&book);
            scope.spawn(|| call.send())
        };
        let threads: Vec<_> = (0..16).map(call).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic").expect(201)).collect()
    });
    assert_eq!(replies.iter().filter(|reply| reply.header("idempotency-replayed").is_empty()).count(), 1);
    assert!(replies.iter().all(|reply| told(reply) == told(&replies[0])), "{replies:?}");
    flint.get("/Appointment?slot=s0900&_summary=count").expect(200).facts(&[("/total", "1")]);
    flint.get("/Slot/s0900/_history?_summary=count").expect(200).facts(&[("/total", "2")]);
    // Without the key the slot is taken.
    flint.send("POST /Appointment", book).expect(409);
}

#[test]
fn a_key_is_known_for_a_day_and_over_a_restart() {
    let flint = Flint::start();
    let send =
        |flint: &Flint| flint.call("POST /Patient").header("Idempotency-Key", "k").json(&ann()).send().expect(201);
    let first = send(&flint).header("location").to_owned();
    let flint = flint.restart_with(|config| config.ids = Arc::new(|| "later".to_owned()));
    let place = |location: &str| location.split("/fhir/").nth(1).map(str::to_owned);
    assert_eq!(place(send(&flint).header("location")), place(&first));
    flint.advance(HOUR * 23);
    assert_eq!(place(send(&flint).header("location")), place(&first));
    flint.advance(HOUR);
    assert_eq!(send(&flint).header("idempotency-replayed"), "");
    assert_eq!(count(&flint, "Patient"), "2");
}

#[test]
fn a_key_is_the_callers_own() {
    let guarded = Guarded::surgery();
    let doctor = Holder {
        scope: "user/*.cruds",
        user: "Practitioner/dr1",
        organization: "Organization/gp1",
        ..Holder::default()
    };
    let (one, other) = (guarded.hold(&doctor), guarded.hold(&doctor));
    let note = json!({"resourceType": "Basic", "code": {"text": "a note"}});
    let send = |bearer: &Bearer<'_>| bearer.call("POST /Basic").header("Idempotency-Key", "k").json(&note).send();
    let (first, second, again) = (send(&one).expect(201), send(&other).expect(201), send(&one).expect(201));
    assert_eq!(told(&first), told(&again));
    assert_ne!(first.header("location"), second.header("location"));
    assert_eq!(again.header("idempotency-replayed"), "true");
    // A patient's app is no way to what another patient's app has done.
    let app = |patient: &'static str, user: &'static str| Holder {
        scope: "patient/*.cruds",
        user,
        patient,
        ..Holder::default()
    };
    let (joan, ann) = (guarded.hold(&app("p1", "Patient/p1")), guarded.hold(&app("p2", "Patient/p2")));
    let note = |patient: &str| json!({"resourceType": "Basic", "code": {"text": "a note"}, "subject": {"reference": format!("Patient/{patient}")}});
    let send = |bearer: &Bearer<'_>, patient: &str| {
        bearer.call("POST /Basic").header("Idempotency-Key", "k").json(&note(patient)).send()
    };
    send(&joan, "p1").expect(201);
    send(&ann, "p1").expect(403);
}

#[test]
fn an_emergency_is_declared_once() {
    let guarded = Guarded::surgery();
    let doctor = Holder {
        scope: "user/*.rs",
        user: "Practitioner/dr1",
        organization: "Organization/gp1",
        purposes: &["TREAT"],
        ..Holder::default()
    };
    let doctor = guarded.hold(&doctor);
    let reason =
        json!({"resourceType": "Parameters", "parameter": [{"name": "reason", "valueString": "found unconscious"}]});
    let declare =
        || doctor.call("POST /Patient/p1/$break-glass").header("Idempotency-Key", "k").json(&reason).send().expect(200);
    let (first, second) = (declare(), declare());
    assert_eq!(told(&first), told(&second));
    assert_eq!(second.header("idempotency-replayed"), "true");
}

#[test]
fn nhs_clients_name_requests_by_their_id() {
    let nhs = Flint::start_with(|config| config.dialect = Dialect::Nhs);
    let send = |flint: &Flint, id: &str| flint.call("POST /Patient").header("X-Request-Id", id).json(&ann()).send();
    send(&nhs, "7").expect(201).facts(&[("x-request-id", "7")]);
    let refused = send(&nhs, "7").expect(409);
    refused.facts(&[
        ("/issue/0/code", "duplicate"),
        ("/issue/0/details/coding/0/code", "REC_CONFLICT"),
        ("/issue/0/diagnostics", "*X-Request-Id `7`*"),
        ("x-request-id", "7"),
        ("idempotency-replayed", "-"),
    ]);
    send(&nhs, "8").expect(201);
    nhs.call("GET /Patient").header("X-Request-Id", "7").send().expect(200);
    let keyed =
        || nhs.call("POST /Patient").header("X-Request-Id", "9").header("Idempotency-Key", "k").json(&ann()).send();
    assert_eq!(told(&keyed()), told(&keyed()));
    assert_eq!(count(&nhs, "Patient"), "3");
    let r4 = Flint::start();
    send(&r4, "7").expect(201);
    send(&r4, "7").expect(201);
}
