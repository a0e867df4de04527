use flint_tests::Flint;
use serde_json::json;

use super::*;

/// Slots that may be booked together, that may not, that are busy, that are past; and times that are not theirs.
#[test]
fn slots_fit_one_another_and_the_booking() {
    let flint = Flint::surgery();
    let cases = [
        (vec!["s0910", "s0920"], ("09:10", "09:30"), 422, "another delivery channel"),
        (vec!["s0930"], ("09:30", "09:40"), 409, "`Slot/s0930` is not free"),
        (vec!["s0900"], ("09:00", "09:15"), 422, "the end"),
        (vec!["s0900"], ("09:05", "09:10"), 422, "the start"),
        (vec!["s0900", "s0900"], ("09:00", "09:10"), 422, "named twice"),
        (vec!["s0900", "none"], ("09:00", "09:20"), 422, "REFERENCE_NOT_FOUND"),
    ];
    for (slots, times, status, text) in cases {
        let reply = post(&flint, &appointment("booked", "p1", &slots, times)).send();
        assert!(reply.status == status && reply.text.contains(text), "{slots:?}: {} {}", reply.status, reply.text);
    }
    let mut past = nine("booked", "p1");
    past["start"] = json!("2024-03-04T09:00:00Z");
    past["end"] = json!("2024-03-04T09:10:00Z");
    past["slot"] = json!([{"reference": "Slot/sPast"}]);
    post(&flint, &past).send().expect(422);
    post(&flint, &appointment("booked", "p1", &["s0900", "s0910"], ("09:00", "09:20"))).send().expect(201);
    flint.get("/Slot?status=busy&_id=s0900,s0910").expect(200).facts(&[("/total", "2")]);
}

/// Whoever has read an older version cancels nothing; who has read the current one frees the slot for the next search.
#[test]
fn cancels_what_was_read() {
    let flint = Flint::surgery();
    let free = |flint: &Flint| flint.get("/Slot?status=free&_id=s0900").expect(200).pointer("/total");
    let booked = post(&flint, &nine("booked", "p1")).send().expect(201);
    let mut appointment = booked.json();
    let line = format!("PUT /Appointment/{}", booked.pointer("/id"));
    appointment["comment"] = json!("by the lift");
    flint.send(&line, appointment.clone()).expect(200).facts(&[("etag", "W/\"2\"")]);
    appointment["status"] = json!("cancelled");
    appointment["cancelationReason"] = json!({"text": "better"});
    let cancel = |version: &str| flint.call(&line).header("If-Match", version).json(&appointment).send();
    cancel("W/\"1\"").expect(412);
    assert_eq!(free(&flint), "0");
    cancel("W/\"2\"").expect(200);
    assert_eq!(free(&flint), "1");
    post(&flint, &nine("booked", "p2")).send().expect(201);
}
