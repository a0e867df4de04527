use std::collections::BTreeSet;

use flint_tests::{Call, Flint, Reply};
use serde_json::{Value, json};
use store::testing::Random;

/// The answers to requests made at the same time, in the order of the requests.
pub(crate) fn at_once(calls: Vec<Call<'_>>) -> Vec<Reply> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = calls.into_iter().map(|call| scope.spawn(|| call.send())).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    })
}

/// How many of each status there are, in ascending order.
pub(crate) fn statuses(replies: &[Reply]) -> Vec<(u16, usize)> {
    let statuses: BTreeSet<_> = replies.iter().map(|reply| reply.status).collect();
    let count = |status| replies.iter().filter(|reply| reply.status == status).count();
    statuses.into_iter().map(|status| (status, count(status))).collect()
}

fn patient(value: &str) -> Value {
    json!({"resourceType": "Patient", "identifier": [{"system": "urn:x", "value": value}]})
}

#[test]
fn equal_conditional_creates_make_one() {
    let flint = Flint::start();
    let create = |_| flint.call("POST /Patient").header("If-None-Exist", "identifier=urn:x|1").json(&patient("1"));
    assert_eq!(statuses(&at_once((0..32).map(create).collect())), [(200, 31), (201, 1)]);
    flint.get("/Patient/_history?_count=0").expect(200).facts(&[("/total", "1")]);
}

#[test]
fn equal_conditions_in_transactions_make_one() {
    let flint = Flint::start();
    let urn = "urn:uuid:5e8bd5ee-5ba4-4b0c-9a0c-2b1c8e2a8f11";
    let transact = |_| {
        let observation = json!({"resourceType": "Observation", "status": "final", "code": {"text": "x"},
            "subject": {"reference": urn}});
        flint.call("POST /").json(&json!({"resourceType": "Bundle", "type": "transaction", "entry": [
            {"resource": observation, "request": {"method": "POST", "url": "Observation"}},
            {"fullUrl": urn, "resource": patient("1"),
                "request": {"method": "POST", "url": "Patient", "ifNoneExist": "identifier=urn:x|1"}}]}))
    };
    assert_eq!(statuses(&at_once((0..16).map(transact).collect())), [(200, 16)]);
    let found = flint.get("/Patient").expect(200).keys("match");
    assert_eq!(found.len(), 1);
    flint.get(&format!("/Observation?subject={}", found[0])).expect(200).facts(&[("/total", "16")]);
}

#[test]
fn one_update_of_a_version_wins() {
    let flint = Flint::start();
    let ann = |number: i32| json!({"resourceType": "Patient", "id": "ann", "multipleBirthInteger": number});
    flint.send("PUT /Patient/ann", ann(0)).expect(201);
    let update = |number| flint.call("PUT /Patient/ann").header("If-Match", "W/\"1\"").json(&ann(number));
    let replies = at_once((1..=32).map(update).collect());
    assert_eq!(statuses(&replies), [(200, 1), (412, 31)]);
    let winner = replies.iter().position(|reply| reply.status == 200).expect("one") + 1;
    flint.get("/Patient/ann").expect(200).facts(&[("/multipleBirthInteger", &winner.to_string()), ("etag", "W/\"2\"")]);
    flint.get("/Patient/ann/_history?_count=0").expect(200).facts(&[("/total", "2")]);
}

#[test]
fn every_unconditional_update_counts() {
    let flint = Flint::start();
    let ann = |number: i32| json!({"resourceType": "Patient", "id": "ann", "multipleBirthInteger": number});
    let replies = at_once((0..16).map(|number| flint.call("PUT /Patient/ann").json(&ann(number))).collect());
    assert_eq!(statuses(&replies), [(200, 15), (201, 1)]);
    let versions: BTreeSet<String> = replies.iter().map(|reply| reply.header("etag").to_owned()).collect();
    assert_eq!(versions, (1..=16).map(|version| format!("W/\"{version}\"")).collect());
}

/// Slots that lie side by side and may be booked together.
const SLOTS: [&str; 2] = ["s0900", "s0910"];

const TIMES: [&str; 3] = ["2027-03-08T09:00:00Z", "2027-03-08T09:10:00Z", "2027-03-08T09:20:00Z"];

/// A booking of the slots from one place to before another.
fn booking(from: usize, to: usize) -> Value {
    let slots: Vec<_> = SLOTS[from..to].iter().map(|slot| json!({"reference": format!("Slot/{slot}")})).collect();
    json!({"resourceType": "Appointment", "status": "booked", "slot": slots, "start": TIMES[from], "end": TIMES[to],
        "participant": [{"actor": {"reference": "Patient/p1"}, "status": "accepted"}]})
}

/// The slots that are not free, and those that booked appointments name.
fn taken(flint: &Flint) -> [Vec<String>; 2] {
    let slots = SLOTS.map(|slot| flint.get(&format!("/Slot/{slot}")).expect(200));
    let busy = slots.iter().filter(|slot| slot.pointer("/status") != "free");
    let busy = busy.map(|slot| format!("Slot/{}", slot.pointer("/id"))).collect();
    let booked = flint.get("/Appointment?status=booked").expect(200).json();
    let booked = booked["entry"].as_array().into_iter().flatten();
    let slots = booked.flat_map(|entry| entry["resource"]["slot"].as_array().into_iter().flatten());
    let mut named: Vec<_> = slots.map(|slot| slot["reference"].as_str().expect("a reference").to_owned()).collect();
    named.sort();
    [busy, named]
}

#[test]
fn one_booking_of_a_slot_wins() {
    let flint = Flint::surgery();
    let book = |_| flint.call("POST /Appointment").json(&booking(0, 1));
    let replies = at_once((0..100).map(book).collect());
    assert_eq!(statuses(&replies), [(201, 1), (409, 99)]);
    flint.get("/Appointment/_history?_count=0").expect(200).facts(&[("/total", "1")]);
    flint.get("/Slot/s0900/_history?_count=0").expect(200).facts(&[("/total", "2")]);
    assert_eq!(taken(&flint), [vec!["Slot/s0900".to_owned()], vec!["Slot/s0900".to_owned()]]);
    let winner = replies.iter().find(|reply| reply.status == 201).expect("one").pointer("/id");
    cancel(&flint, &winner).send().expect(200);
    assert_eq!(taken(&flint), [Vec::<String>::new(), Vec::new()]);
    book(0).send().expect(201);
}

fn cancel<'a>(flint: &'a Flint, id: &str) -> Call<'a> {
    let patch = r#"[{"op":"replace","path":"/status","value":"cancelled"}]"#;
    flint.call(&format!("PATCH /Appointment/{id}")).body("application/json-patch+json", patch)
}

/// An appointment is moved to other slots.
fn change<'a>(flint: &'a Flint, id: &str, from: usize, to: usize) -> Call<'a> {
    let mut moved = booking(from, to);
    moved["id"] = id.into();
    flint.call(&format!("PUT /Appointment/{id}")).json(&moved)
}

#[test]
fn slots_and_appointments_agree_after_every_race() {
    let flint = Flint::surgery();
    let mut random = Random::new(17);
    let mut won = 0;
    for _ in 0..25 {
        let booked = flint.get("/Appointment?status=booked").expect(200).keys("match");
        let calls = (0..6).map(|_| {
            let (from, to) = *random.pick(&[(0, 1), (1, 2), (0, 2)]);
            match booked.first().map(|key| key.trim_start_matches("Appointment/")) {
                Some(id) => match random.below(5) {
                    0 | 1 => cancel(&flint, id),
                    2 => change(&flint, id, from, to),
                    3 if random.one_in(3) => flint.call(&format!("DELETE /Appointment/{id}")),
                    _ => flint.call("POST /Appointment").json(&booking(from, to)),
                },
                None => flint.call("POST /Appointment").json(&booking(from, to)),
            }
        });
        let replies = at_once(calls.collect());
        won += replies.iter().filter(|reply| reply.status < 300).count();
        assert!(replies.iter().all(|reply| reply.status < 500), "{replies:?}");
        let [busy, named] = taken(&flint);
        assert_eq!(busy, named, "{replies:?}");
    }
    assert!(won >= 25, "{won}");
}
