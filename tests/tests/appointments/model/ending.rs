use flint_tests::Flint;
use serde_json::json;

use super::super::{appointment, put, register, to_status};
use super::replay::Replay;
use super::world::PLACES;

/// What is searched for: resources of a type with a status.
const FOUND: [(&str, &str); 6] = [
    ("Slot", "free"),
    ("Slot", "busy"),
    ("Slot", "busy-tentative"),
    ("Appointment", "booked"),
    ("Appointment", "cancelled"),
    ("Communication", "completed"),
];

/// What is read is what was written last, each alone and all of a kind.
pub(super) fn agree(flint: &Flint, replay: &Replay, wrong: &mut Vec<String>) {
    for (key, (number, resource)) in &replay.newest {
        let reply = flint.get(&format!("/{key}"));
        let expected = if resource.is_some() { 200 } else { 410 };
        if reply.status != expected || resource.as_ref().is_some_and(|resource| reply.json() != *resource) {
            wrong.push(format!("{key}/{number} is {resource:?}, and is read as {} {}", reply.status, reply.text));
        }
    }
    for (resource_type, status) in FOUND {
        let query = format!("/{resource_type}?status={status}&_count=1000");
        let (mut found, mut page) = (Vec::new(), Some(query));
        while let Some(at) = page {
            let reply = flint.get(&at).expect(200);
            found.extend(reply.keys("match"));
            page = reply.link("next");
        }
        found.sort();
        let mut expected: Vec<_> = replay.newest.iter().collect();
        expected.retain(|(key, (_, resource))| {
            key.split('/').next() == Some(resource_type) && resource.as_ref().is_some_and(|it| it["status"] == status)
        });
        let expected: Vec<_> = expected.into_iter().map(|(key, _)| key.clone()).collect();
        if found != expected {
            wrong.push(format!("{resource_type}s that are {status}: found {found:?}, not {expected:?}"));
        }
    }
    let held = flint.get("/Appointment?status=pending,proposed,waitlist").expect(200).keys("match");
    if !held.is_empty() {
        wrong.push(format!("held or waiting after all was over: {held:?}"));
    }
}

/// Once all are gone, each seat of each slot is to be had: nothing is taken by nobody.
pub(super) fn empty(flint: &Flint, replay: &Replay, wrong: &mut Vec<String>) {
    for (key, visit) in replay.visits.iter().filter(|(_, visit)| visit.is_seated() && !visit.is_hold()) {
        let id = &key["Appointment/".len()..];
        let reply = to_status(flint, id, "entered-in-error").send();
        // What was booked instead of something that was deleted is changed no more, and goes as that has gone.
        let is_left =
            reply.text.contains("leads to no resource") && flint.call(&format!("DELETE /{key}")).send().status == 204;
        if reply.status != 200 && !is_left {
            wrong.push(format!("{key}, {visit:?}, does not end: {}", reply.text));
        }
    }
    let strangers: Vec<_> = (0..3).map(|number| format!("stranger{number}")).collect();
    register(flint, &strangers);
    for place in &PLACES {
        put(flint, place.sent("free", 3, "at last"));
        let mut ids = Vec::new();
        for stranger in &strangers {
            let reply = flint.send("POST /Appointment", appointment("booked", stranger, &[place.id], place.time));
            match reply.status {
                201 => ids.push(reply.pointer("/id")),
                _ => wrong.push(format!("{} is empty, and {stranger} is refused: {}", place.id, reply.text)),
            }
        }
        let slot = flint.get(&format!("/Slot/{}", place.id)).expect(200).json();
        if slot["status"] != json!("busy") || slot["overbooked"] == json!(true) {
            wrong.push(format!("three of three seats are taken: {slot}"));
        }
        for id in ids {
            to_status(flint, &id, "cancelled").send().expect(200);
        }
        let slot = flint.get(&format!("/Slot/{}", place.id)).expect(200).json();
        if slot["status"] != json!("free") {
            wrong.push(format!("none of three seats is taken: {slot}"));
        }
    }
}
