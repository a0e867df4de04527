use std::fs;

use flint_tests::{Flint, example};
use serde_json::Value;

fn request(name: &str) -> Value {
    let text = fs::read_to_string(example(name)).expect("an example");
    serde_json::from_str(&text).expect("JSON")
}

const MORNING: &str = "/Slot?status=free&start=ge2027-03-08&start=lt2027-03-09&_include=Slot:schedule&_sort=start";

#[test]
fn books_a_slot_once() {
    let flint = Flint::surgery();
    flint.get("/Patient/p1").expect(200).facts(&[("/id", "p1"), ("etag", "W/\"1\"")]);
    let free = flint.get(MORNING).expect(200);
    assert_eq!(free.keys("match"), ["Slot/s0900", "Slot/s0910", "Slot/s0920"]);
    assert_eq!(free.keys("include"), ["Schedule/sch1"]);
    let booked = flint.send("POST /Appointment", request("request-book-one-slot.json")).expect(201);
    flint.get("/Slot/s0900").expect(200).facts(&[("/status", "busy"), ("etag", "W/\"2\"")]);
    assert_eq!(flint.get(MORNING).expect(200).keys("match"), ["Slot/s0910", "Slot/s0920"]);
    flint.send("POST /Appointment", request("request-book-one-slot.json")).expect(409);
    flint.get("/Appointment?patient=p1").expect(200).facts(&[("/total", "1")]);
    let cancel = r#"[{"op":"replace","path":"/status","value":"cancelled"}]"#;
    let line = format!("PATCH /Appointment/{}", booked.pointer("/id"));
    flint.call(&line).body("application/json-patch+json", cancel).send().expect(200);
    flint.get("/Slot/s0900").expect(200).facts(&[("/status", "free")]);
    flint.send("POST /Appointment", request("request-book-one-slot.json")).expect(201);
}

#[test]
fn refuses_what_cannot_be_booked() {
    let flint = Flint::surgery();
    let before = flint.get("/_history?_count=0").pointer("/total");
    let cases = [("busy-409", 409), ("not-adjacent-channel-422", 422), ("times-differ-422", 422), ("past-422", 422)];
    for (name, status) in cases {
        let reply = flint.send("POST /Appointment", request(&format!("request-book-{name}.json")));
        reply.expect(status).facts(&[("/resourceType", "OperationOutcome")]);
    }
    flint.get("/_history?_count=0").expect(200).facts(&[("/total", &before)]);
}

#[test]
fn loads_an_empty_store_only() {
    let flint = Flint::surgery();
    let total = flint.get("/_history?_count=0").pointer("/total");
    flint.send("POST /Appointment", request("request-book-one-slot.json")).expect(201);
    let flint = flint.restart_with(|config| config.load.push(example("seed-transaction.json")));
    flint.get("/Slot/s0900").expect(200).facts(&[("/status", "busy")]);
    assert_ne!(flint.get("/_history?_count=0").pointer("/total"), total);
}
