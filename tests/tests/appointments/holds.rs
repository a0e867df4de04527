use std::time::Duration;

use flint_tests::{Flint, Guarded, Holder};
use serde_json::{Value, json};

use super::*;
use crate::race::{at_once, statuses};

fn until(mut appointment: Value, until: &str) -> Value {
    appointment["extension"] = json!([{"url": HELD_UNTIL, "valueInstant": until}]);
    appointment
}

/// Five minutes and a little.
const OVER: Duration = Duration::from_secs(301);

#[test]
fn a_hold_keeps_its_slot_until_it_is_booked() {
    let flint = Flint::surgery();
    let hold = post(&flint, &nine("pending", "p1")).send().expect(201);
    // The first request was made a second after eight o'clock on 1 March.
    let until = hold.pointer("/extension/0/valueInstant");
    assert!(until.starts_with("2027-03-01T08:05:0") && until.ends_with(".000Z"), "{until}");
    assert_eq!(hold.pointer("/extension/0/url"), HELD_UNTIL);
    flint.get("/Slot/s0900").expect(200).facts(&[("/status", "busy-tentative")]);
    post(&flint, &nine("booked", "p2")).send().expect(409);
    post(&flint, &nine("pending", "p2")).send().expect(409);
    put(&flint, slot("s0900", "sch1", "free", ("09:00", "09:10"))).expect(200);
    flint.get("/Slot/s0900").expect(200).facts(&[("/status", "busy-tentative")]);
    let id = hold.pointer("/id");
    to_status(&flint, &id, "booked").send().expect(200).facts(&[("/status", "booked"), ("/extension", "-")]);
    flint.get("/Slot/s0900").expect(200).facts(&[("/status", "busy")]);
    flint.advance(OVER);
    flint.get(&format!("/Appointment/{id}")).expect(200).facts(&[("/status", "booked")]);
    flint.get("/Slot/s0900").expect(200).facts(&[("/status", "busy")]);
}

#[test]
fn a_hold_that_is_over_gives_its_slot_back() {
    // Whoever asks first, and for what, sees that it is over.
    for first in ["/Slot/s0900", "/Slot?status=free&_id=s0900&_total=accurate", "/Appointment?held-until=gt2027-01-01"]
    {
        let flint = Flint::surgery();
        let id = post(&flint, &nine("pending", "p1")).send().expect(201).pointer("/id");
        flint.get("/Appointment?held-until=gt2027-01-01").expect(200).facts(&[("/total", "1")]);
        flint.advance(OVER);
        let reply = flint.get(first).expect(200);
        match first.split('?').next() {
            Some("/Slot") => drop(reply.facts(&[("/total", "1")])),
            Some("/Appointment") => drop(reply.facts(&[("/total", "0")])),
            _ => drop(reply.facts(&[("/status", "free"), ("etag", "W/\"3\"")])),
        }
        flint.get(&format!("/Appointment/{id}")).expect(200).facts(&[
            ("/status", "cancelled"),
            ("/cancelationReason/coding/0/code", "other"),
            ("/extension", "-"),
            ("etag", "W/\"2\""),
        ]);
        to_status(&flint, &id, "booked").send().expect(422);
        post(&flint, &nine("booked", "p2")).send().expect(201);
        flint.get("/Slot/s0900").expect(200).facts(&[("/status", "busy")]);
    }
}

#[test]
fn holds_end_each_in_its_time() {
    let flint = Flint::surgery();
    flint.tick(Duration::ZERO);
    let (first, last) = ("2027-03-01T08:01:00Z", "2027-03-01T08:15:00Z");
    post(&flint, &until(nine("pending", "p1"), last)).send().expect(201);
    let second = appointment("pending", "p2", &["s0910"], ("09:10", "09:20"));
    post(&flint, &until(second, first)).send().expect(201);
    let free = |flint: &Flint| flint.get("/Slot?_id=s0900,s0910&status=free&_sort=start").expect(200).keys("match");
    flint.advance(Duration::from_millis(59_999));
    assert!(free(&flint).is_empty());
    flint.advance(Duration::from_millis(1));
    assert_eq!(free(&flint), ["Slot/s0910"]);
    flint.advance(Duration::from_secs(839));
    assert_eq!(free(&flint), ["Slot/s0910"]);
    flint.advance(Duration::from_secs(1));
    assert_eq!(free(&flint), ["Slot/s0900", "Slot/s0910"]);
}

#[test]
fn a_server_that_starts_knows_the_holds() {
    let flint = Flint::surgery();
    let id = post(&flint, &nine("pending", "p1")).send().expect(201).pointer("/id");
    // The time begins again, too.
    let flint = flint.restart();
    flint.get("/Slot/s0900").expect(200).facts(&[("/status", "busy-tentative")]);
    flint.advance(OVER);
    flint.get("/Slot/s0900").expect(200).facts(&[("/status", "free")]);
    assert_eq!(status_of(&flint, &format!("Appointment/{id}")), "cancelled");
}

#[test]
fn holds_have_bounds() {
    let flint = Flint::surgery();
    flint.tick(Duration::ZERO);
    let refused = [
        ("2027-03-01T08:15:01Z", "over `900` seconds away"),
        ("2027-03-01T08:00:00Z", "no instant to come"),
        ("2026-03-01T08:00:00Z", "no instant to come"),
    ];
    for (time, text) in refused {
        let reply = post(&flint, &until(nine("pending", "p1"), time)).send().expect(422);
        assert!(reply.text.contains(text), "{}", reply.text);
    }
    assert_eq!(status_of(&flint, "Slot/s0900"), "free");
    let hold = post(&flint, &until(nine("pending", "p1"), "2027-03-01T08:10:00Z")).send().expect(201);
    let mut hold: Value = hold.json();
    let line = format!("PUT /Appointment/{}", hold["id"].as_str().expect("an id"));
    // It may end earlier, and is not put off.
    hold = until(hold, "2027-03-01T08:10:01Z");
    let reply = flint.send(&line, hold.clone()).expect(422);
    assert!(reply.text.contains("later than before"), "{}", reply.text);
    flint.send(&line, until(hold.clone(), "2027-03-01T08:05:00Z")).expect(200);
    hold.as_object_mut().expect("an object").remove("extension");
    flint.send(&line, hold).expect(200).facts(&[("/extension/0/valueInstant", "2027-03-01T08:05:00.000Z")]);
    for (slots, start, end, status) in [
        (vec!["s0930"], "09:30", "09:40", 409),
        (vec!["s0910"], "09:10", "09:30", 422),
        (vec!["s0900", "s0920"], "09:00", "09:30", 422),
        (vec!["nowhere"], "09:00", "09:10", 422),
    ] {
        post(&flint, &appointment("pending", "p2", &slots, (start, end))).send().expect(status);
    }
    // Without a slot it is a request that holds nothing.
    post(&flint, &appointment("pending", "p2", &[], ("09:10", "09:20")))
        .send()
        .expect(201)
        .facts(&[("/extension", "-")]);
}

#[test]
fn one_hold_for_a_patient_and_a_client() {
    let flint = Flint::surgery();
    let at_ten_past = |patient| appointment("pending", patient, &["s0910"], ("09:10", "09:20"));
    let id = post(&flint, &nine("pending", "p1")).send().expect(201).pointer("/id");
    let reply = post(&flint, &at_ten_past("p1")).send().expect(409);
    assert!(reply.text.contains(&format!("`Appointment/{id}` is held")), "{}", reply.text);
    let other = post(&flint, &at_ten_past("p2")).send().expect(201).pointer("/id");
    to_status(&flint, &other, "cancelled").send().expect(200);
    to_status(&flint, &id, "booked").send().expect(200);
    post(&flint, &at_ten_past("p1")).send().expect(201);
    flint.advance(OVER);
    post(&flint, &at_ten_past("p1")).send().expect(201);
}

#[test]
fn a_hold_is_not_given_to_who_has_one() {
    let flint = Flint::surgery();
    post(&flint, &nine("pending", "p1")).send().expect(201);
    let ten_past = |patient| appointment("pending", patient, &["s0910"], ("09:10", "09:20"));
    let other = post(&flint, &ten_past("p2")).send().expect(201).pointer("/id");
    let give = |patient| flint.send(&format!("PUT /Appointment/{other}"), named(ten_past(patient), &other));
    let reply = give("p1").expect(409);
    assert!(reply.text.contains("is held for this patient"), "{}", reply.text);
    give("p3").expect(200);
    // Whoever has given theirs away may have another.
    post(&flint, &appointment("pending", "p2", &["s0920"], ("09:20", "09:30"))).send().expect(201);
}

/// The same appointment with its id.
fn named(mut appointment: Value, id: &str) -> Value {
    appointment["id"] = json!(id);
    appointment
}

#[test]
fn the_last_seat_is_held_once() {
    let flint = Flint::surgery();
    let patients: Vec<_> = (0..16).map(|number| format!("q{number}")).collect();
    register(&flint, &patients);
    put(&flint, seating(slot("g", "sch1", "free", ("14:00", "15:00")), json!(2))).expect(201);
    let hold = |patient: &String| appointment("pending", patient, &["g"], ("14:00", "15:00"));
    let replies = at_once(patients.iter().map(|patient| post(&flint, &hold(patient))).collect());
    assert_eq!(statuses(&replies), [(201, 2), (409, 14)]);
    flint.get("/Slot/g").expect(200).facts(&[("/status", "busy-tentative")]);
    let won: Vec<_> = replies.iter().filter(|reply| reply.status == 201).map(|reply| reply.pointer("/id")).collect();
    to_status(&flint, &won[0], "booked").send().expect(200);
    flint.get("/Slot/g").expect(200).facts(&[("/status", "busy-tentative")]);
    flint.advance(OVER);
    flint.get("/Slot/g").expect(200).facts(&[("/status", "free")]);
    post(&flint, &appointment("booked", "p1", &["g"], ("14:00", "15:00"))).send().expect(201);
    flint.get("/Slot/g").expect(200).facts(&[("/status", "busy")]);
}

#[test]
fn one_of_many_gets_what_was_held() {
    let flint = Flint::surgery();
    let patients: Vec<_> = (0..8).map(|number| format!("q{number}")).collect();
    register(&flint, &patients);
    let id = post(&flint, &nine("pending", "p1")).send().expect(201).pointer("/id");
    flint.advance(OVER);
    let mut calls = vec![to_status(&flint, &id, "booked")];
    calls.extend(patients.iter().map(|patient| post(&flint, &nine("booked", patient))));
    let replies = at_once(calls);
    assert_eq!(statuses(&replies), [(201, 1), (409, 7), (422, 1)]);
    assert_eq!(replies[0].status, 422, "whoever held it comes too late: {}", replies[0].text);
    assert_eq!(status_of(&flint, "Slot/s0900"), "busy");
    // Booked and cancelled at once, it ends cancelled whichever is first, and the slot is free.
    for _ in 0..5 {
        let held = appointment("pending", "p2", &["s0910"], ("09:10", "09:20"));
        let id = post(&flint, &held).send().expect(201).pointer("/id");
        at_once(vec![to_status(&flint, &id, "booked"), to_status(&flint, &id, "cancelled")]);
        assert_eq!(status_of(&flint, &format!("Appointment/{id}")), "cancelled");
        assert_eq!(status_of(&flint, "Slot/s0910"), "free");
    }
}

#[test]
fn the_practice_offers_and_a_patient_takes() {
    let guarded = Guarded::surgery();
    let staff = guarded.hold(&Holder {
        scope: "user/*.cruds",
        user: "Practitioner/dr1",
        organization: "Organization/gp1",
        purposes: &["TREAT"],
        ..Holder::default()
    });
    let patient =
        guarded.hold(&Holder { scope: "patient/*.cruds", user: "Patient/p1", patient: "p1", ..Holder::default() });
    let offer = until(nine("proposed", "p1"), "2027-03-01T10:00:00Z");
    let reply = patient.send("POST /Appointment", offer.clone()).expect(422);
    assert!(reply.text.contains("by the practice"), "{}", reply.text);
    let id = staff.send("POST /Appointment", offer).expect(201).pointer("/id");
    patient.get("/Slot/s0900").expect(200).facts(&[("/status", "busy-tentative")]);
    let accept = r#"[{"op":"replace","path":"/status","value":"booked"}]"#;
    let call = patient.call(&format!("PATCH /Appointment/{id}")).body("application/json-patch+json", accept);
    call.send().expect(200).facts(&[("/status", "booked"), ("/extension", "-")]);
    patient.get("/Slot/s0900").expect(200).facts(&[("/status", "busy")]);
}
