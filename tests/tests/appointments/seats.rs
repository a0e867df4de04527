use flint_tests::{Flint, Guarded, Holder};
use serde_json::{Value, json};

use super::*;
use crate::race::{at_once, statuses};

const TWO: (&str, &str) = ("14:00", "15:00");

/// A surgery with a slot `g` from two to three of this capacity, and patients `q0` and on.
fn clinic(capacity: i32, patients: usize) -> (Flint, Vec<String>) {
    let flint = Flint::surgery();
    put(&flint, seating(slot("g", "sch1", "free", TWO), json!(capacity))).expect(201);
    let patients: Vec<_> = (0..patients).map(|number| format!("q{number}")).collect();
    register(&flint, &patients);
    (flint, patients)
}

fn at_two(patient: &str) -> Value {
    appointment("booked", patient, &["g"], TWO)
}

#[test]
fn as_many_win_as_there_are_seats() {
    let (flint, patients) = clinic(5, 16);
    let replies = at_once(patients.iter().map(|patient| post(&flint, &at_two(patient))).collect());
    assert_eq!(statuses(&replies), [(201, 5), (409, 11)]);
    let refused = replies.iter().position(|reply| reply.status == 409).expect("one");
    assert!(replies[refused].text.contains("DUPLICATE_REJECTED"), "{}", replies[refused].text);
    flint.get("/Slot/g").expect(200).facts(&[("/status", "busy"), ("/overbooked", "-"), ("etag", "W/\"2\"")]);
    let (won, lost): (Vec<_>, Vec<_>) = (0..16).partition(|at: &usize| replies[*at].status == 201);
    // Any of them gives a seat back, not only the last, and it is taken once.
    for at in &won[..2] {
        to_status(&flint, &replies[*at].pointer("/id"), "cancelled").send().expect(200);
    }
    assert_eq!(status_of(&flint, "Slot/g"), "free");
    let replies = at_once(lost.iter().map(|at| post(&flint, &at_two(&patients[*at]))).collect());
    assert_eq!(statuses(&replies), [(201, 2), (409, 9)]);
    assert_eq!(status_of(&flint, "Slot/g"), "busy");
    flint.get("/Appointment?status=booked&_summary=count").expect(200).facts(&[("/total", "5")]);
}

#[test]
fn bookings_and_cancellations_race_for_the_last_seat() {
    let (flint, patients) = clinic(2, 12);
    let first = post(&flint, &at_two("q0")).send().expect(201).pointer("/id");
    let mut calls: Vec<_> = patients[1..].iter().map(|patient| post(&flint, &at_two(patient))).collect();
    calls.push(to_status(&flint, &first, "cancelled"));
    let replies = at_once(calls);
    let won = replies.iter().filter(|reply| reply.status == 201).count();
    assert!((1..=2).contains(&won), "{replies:?}");
    assert_eq!(status_of(&flint, "Slot/g"), if won == 2 { "busy" } else { "free" });
}

#[test]
fn what_an_ehr_sends_frees_and_loses_no_seat() {
    // How many are booked of how many seats; what the EHR sends: a status and a capacity; the status then, whether it is overbooked, and the
    // status once all have cancelled.
    let cases = [
        (0, 2, "free", 1, "free", "-", "free"),
        (1, 2, "free", 2, "free", "-", "free"),
        (1, 2, "busy", 2, "busy", "-", "busy"),
        (1, 2, "busy-unavailable", 2, "busy-unavailable", "-", "busy-unavailable"),
        (2, 2, "free", 2, "busy", "-", "free"),
        (2, 2, "busy", 2, "busy", "-", "free"),
        (2, 2, "busy-unavailable", 2, "busy-unavailable", "-", "busy-unavailable"),
        (2, 2, "free", 1, "busy", "true", "free"),
        (2, 2, "free", 5, "free", "-", "free"),
        (3, 3, "free", 1, "busy", "true", "free"),
    ];
    for (booked, before, status, capacity, expected, overbooked, at_last) in cases {
        let case = format!("{booked} of {before}, sent {status} with {capacity}");
        let (flint, patients) = clinic(before, 4);
        let ids: Vec<_> =
            (0..booked).map(|at| post(&flint, &at_two(&patients[at])).send().expect(201).pointer("/id")).collect();
        put(&flint, seating(slot("g", "sch1", status, TWO), json!(capacity))).expect(200);
        let found = flint.get("/Slot/g").expect(200);
        let overbooked = if overbooked == "-" { "" } else { overbooked };
        assert_eq!(
            (found.pointer("/status"), found.pointer("/overbooked").as_str()),
            (expected.to_owned(), overbooked),
            "{case}"
        );
        let more = post(&flint, &at_two(&patients[3])).send();
        assert_eq!(more.status, if expected == "free" { 201 } else { 409 }, "{case}: {}", more.text);
        let more = (more.status == 201).then(|| more.pointer("/id"));
        for id in ids.iter().chain(&more) {
            to_status(&flint, id, "cancelled").send().expect(200);
        }
        flint.get("/Slot/g").expect(200).facts(&[("/status", at_last), ("/overbooked", "-")]);
    }
}

#[test]
fn a_smaller_capacity_waits_until_enough_have_cancelled() {
    let (flint, patients) = clinic(3, 5);
    let ids: Vec<_> =
        patients[..3].iter().map(|patient| post(&flint, &at_two(patient)).send().expect(201).pointer("/id")).collect();
    put(&flint, seating(slot("g", "sch1", "free", TWO), json!(2))).expect(200);
    to_status(&flint, &ids[0], "cancelled").send().expect(200);
    flint.get("/Slot/g").expect(200).facts(&[("/status", "busy"), ("/overbooked", "-")]);
    post(&flint, &at_two("q3")).send().expect(409);
    to_status(&flint, &ids[1], "cancelled").send().expect(200);
    assert_eq!(status_of(&flint, "Slot/g"), "free");
    post(&flint, &at_two("q3")).send().expect(201);
    post(&flint, &at_two("q4")).send().expect(409);
}

#[test]
fn capacity_has_bounds() {
    let flint = Flint::surgery();
    for (capacity, status) in
        [(json!(1), 201), (json!(1000), 200), (json!(0), 422), (json!(1001), 422), (json!(-1), 422)]
    {
        let reply = put(&flint, seating(slot("g", "sch1", "free", TWO), capacity.clone()));
        assert_eq!(reply.status, status, "{capacity}: {}", reply.text);
        assert!(status < 300 || reply.text.contains(&format!("the capacity `{capacity}`")), "{}", reply.text);
    }
    let mut text = slot("g", "sch1", "free", TWO);
    text["extension"] = json!([{"url": CAPACITY, "valueString": "two"}]);
    put(&flint, text).expect(422);
}

#[test]
fn staff_overbook_when_they_say_so() {
    let (flint, _) = clinic(1, 4);
    let first = post(&flint, &at_two("q0")).send().expect(201).pointer("/id");
    let g = slot("g", "sch1", "busy", TWO);
    let over = |slot: &Value| {
        let mut slot = slot.clone();
        slot["overbooked"] = json!(true);
        slot
    };
    flint.send("POST /", together(&[g.clone(), at_two("q1")])).expect(409);
    flint.send("POST /", together(&[over(&g), at_two("q1")])).expect(200);
    flint.get("/Slot/g").expect(200).facts(&[("/status", "busy"), ("/overbooked", "true")]);
    post(&flint, &at_two("q2")).send().expect(409);
    to_status(&flint, &first, "cancelled").send().expect(200);
    flint.get("/Slot/g").expect(200).facts(&[("/status", "busy"), ("/overbooked", "-")]);
    // A slot that is taken elsewhere stays so when the one beside has cancelled.
    let half_past = ("09:30", "09:40");
    let beside = appointment("booked", "q3", &["s0930"], half_past);
    let reply = flint.send("POST /", together(&[over(&slot("s0930", "sch1", "busy", half_past)), beside])).expect(200);
    let location = reply.pointer("/entry/1/response/location");
    let id = location.split("Appointment/").nth(1).and_then(|rest| rest.split('/').next()).expect("an id").to_owned();
    flint.get("/Slot/s0930").expect(200).facts(&[("/status", "busy"), ("/overbooked", "true")]);
    to_status(&flint, &id, "cancelled").send().expect(200);
    flint.get("/Slot/s0930").expect(200).facts(&[("/status", "busy"), ("/overbooked", "-")]);
    // And is free when the practice says so, but not while the one beside has it.
    put(&flint, slot("s0930", "sch1", "free", half_past)).expect(200);
    assert_eq!(status_of(&flint, "Slot/s0930"), "free");
}

#[test]
fn only_the_practice_brings_a_slot_as_booked() {
    let guarded = Guarded::surgery();
    let system = guarded.hold(&Holder { scope: "system/*.cruds", purposes: &["TREAT"], ..Holder::default() });
    let staff = guarded.hold(&Holder {
        scope: "user/*.cruds",
        user: "Practitioner/dr1",
        organization: "Organization/gp1",
        purposes: &["TREAT"],
        ..Holder::default()
    });
    let patient =
        guarded.hold(&Holder { scope: "patient/*.cruds", user: "Patient/p1", patient: "p1", ..Holder::default() });
    let record =
        |time: (&str, &str)| together(&[slot("g", "sch1", "busy", time), appointment("booked", "p1", &["g"], time)]);
    patient.send("POST /", record(TWO)).expect(403);
    system.send("POST /", record(TWO)).expect(403);
    staff.send("POST /", record(TWO)).expect(200);
    assert_eq!(staff.get("/Slot/g").expect(200).pointer("/status"), "busy");
}

#[test]
fn whoever_is_there_already_takes_the_slot() {
    for status in ["checked-in", "arrived", "fulfilled", "noshow"] {
        let flint = Flint::surgery();
        let id = post(&flint, &nine(status, "p1")).send().expect(201).pointer("/id");
        assert_eq!(status_of(&flint, "Slot/s0900"), "busy", "{status}");
        post(&flint, &nine("booked", "p2")).send().expect(409);
        to_status(&flint, &id, "entered-in-error").send().expect(200);
        assert_eq!(status_of(&flint, "Slot/s0900"), "free", "{status}");
        post(&flint, &appointment(status, "p1", &["s0900"], ("09:00", "09:20"))).send().expect(422);
        post(&flint, &appointment(status, "p1", &["s0930"], ("09:30", "09:40"))).send().expect(409);
    }
}
