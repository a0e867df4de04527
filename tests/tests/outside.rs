use std::time::Duration;

use flint_tests::{Bearer, Guarded, Holder, Reply, example};
use serde_json::{Value, json};

fn patient() -> Holder<'static> {
    Holder { scope: "patient/*.cruds", user: "Patient/p1", patient: "p1", ..Holder::default() }
}

fn staff() -> Holder<'static> {
    Holder {
        scope: "user/*.cruds",
        user: "Practitioner/dr1",
        organization: "Organization/gp1",
        purposes: &["TREAT"],
        ..Holder::default()
    }
}

/// A system that is not the record keeper's, such as 111's.
fn system() -> Holder<'static> {
    Holder { scope: "system/*.cruds", purposes: &["TREAT"], ..Holder::default() }
}

fn request(name: &str) -> Value {
    let text = std::fs::read_to_string(example(name)).expect("an example");
    serde_json::from_str(&text).expect("JSON")
}

fn booked(caller: &Bearer<'_>) -> String {
    let reply = caller.send("POST /Appointment", request("request-book-one-slot.json")).expect(201);
    format!("/Appointment/{}", reply.pointer("/id"))
}

fn patch(caller: &Bearer<'_>, url: &str, operations: Value) -> Reply {
    let call = caller.call(&format!("PATCH {url}"));
    call.body("application/json-patch+json", operations.to_string()).send()
}

fn set(path: &str, value: Value) -> Value {
    json!([{ "op": "add", "path": path, "value": value }])
}

/// What only the practice may change of a booked appointment, and the element that the refusal names.
fn forbidden() -> Vec<(Value, &'static str)> {
    vec![
        (set("/status", json!("arrived")), "Appointment.status"),
        (set("/status", json!("checked-in")), "Appointment.status"),
        (set("/status", json!("fulfilled")), "Appointment.status"),
        (set("/status", json!("noshow")), "Appointment.status"),
        (set("/status", json!("entered-in-error")), "Appointment.status"),
        (set("/priority", json!(1)), "Appointment.priority"),
        (set("/patientInstruction", json!("x")), "Appointment.patientInstruction"),
        (set("/created", json!("2027-03-01")), "Appointment.created"),
        (set("/participant/0/status", json!("declined")), "Appointment.participant"),
        (set("/participant/2/status", json!("declined")), "Appointment.participant"),
        (set("/extension/-", json!({ "url": "urn:x", "valueBoolean": true })), "Appointment.extension"),
        (set("/contained/0/name", json!("Another")), "Appointment.contained"),
        (set("/identifier", json!([{ "system": "urn:x", "value": "1" }])), "Appointment.identifier"),
        (
            set(
                "/meta/security",
                json!([{ "system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R" }]),
            ),
            "Appointment.meta",
        ),
        (
            json!([{ "op": "replace", "path": "/slot/0/reference", "value": "Slot/s0910" },
                { "op": "replace", "path": "/start", "value": "2027-03-08T09:10:00Z" },
                { "op": "replace", "path": "/end", "value": "2027-03-08T09:20:00Z" }]),
            "Appointment.end",
        ),
        (
            json!([{ "op": "replace", "path": "/status", "value": "cancelled" },
                { "op": "add", "path": "/priority", "value": 1 }]),
            "Appointment.priority",
        ),
    ]
}

#[test]
fn callers_outside_the_practice_amend_texts_and_cancel() {
    let guarded = Guarded::surgery();
    for holder in [patient(), system()] {
        let caller = guarded.hold(&holder);
        let url = booked(&caller);
        for (operations, element) in forbidden() {
            patch(&caller, &url, operations).expect(422).facts(&[
                ("/issue/0/code", "business-rule"),
                ("/issue/0/expression/0", element),
                ("/issue/0/details/coding/0/code", "INVALID_RESOURCE"),
            ]);
        }
        patch(&caller, &url, set("/description", json!("Breathless for four days"))).expect(200);
        patch(&caller, &url, set("/description", json!("x".repeat(101)))).expect(422);
        let mut amended = caller.get(&url).expect(200).json();
        amended["comment"] = json!("I cannot climb stairs");
        amended["meta"] = json!({ "profile": amended["meta"]["profile"] });
        caller.send(&format!("PUT {url}"), amended).expect(200).facts(&[("/comment", "I cannot climb stairs")]);
        caller.call(&format!("DELETE {url}")).send().expect(422).facts(&[("/issue/0/code", "business-rule")]);
        let mut cancelled = caller.get(&url).expect(200).json();
        cancelled["status"] = json!("cancelled");
        cancelled["cancelationReason"] = json!({ "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/appointment-cancellation-reason", "code": "pat" }] });
        let reason = "https://fhir.nhs.uk/STU3/StructureDefinition/Extension-GPConnect-AppointmentCancellationReason-1";
        let extensions = cancelled["extension"].as_array_mut().expect("extensions");
        extensions.push(json!({ "url": reason, "valueString": "I feel better" }));
        caller.send(&format!("PUT {url}"), cancelled).expect(200);
        caller.get("/Slot/s0900").expect(200).facts(&[("/status", "free")]);
        let late = patch(&caller, &url, set("/comment", json!("too late"))).expect(422);
        late.facts(&[("/issue/0/expression/0", "Appointment.status"), ("/issue/0/diagnostics", "*`cancelled`*")]);
    }
}

#[test]
fn the_practice_changes_what_it_likes() {
    let guarded = Guarded::surgery();
    let keeper = Holder { scope: "system/*.cruds", custodian: true, ..Holder::default() };
    for holder in [staff(), keeper] {
        let caller = guarded.hold(&holder);
        let url = booked(&caller);
        patch(&caller, &url, set("/priority", json!(1))).expect(200);
        patch(&caller, &url, set("/participant/2/status", json!("tentative"))).expect(200);
        patch(&caller, &url, set("/status", json!("arrived"))).expect(200);
        caller.call(&format!("DELETE {url}")).send().expect(204);
    }
}

#[test]
fn nothing_is_changed_once_it_began() {
    let guarded = Guarded::surgery();
    let url = booked(&guarded.hold(&patient()));
    guarded.advance(Duration::from_secs(7 * 24 * 60 * 60 + 2 * 60 * 60));
    for holder in [patient(), system()] {
        let caller = guarded.hold(&holder);
        for operations in [set("/comment", json!("late")), set("/status", json!("cancelled"))] {
            let reply = patch(&caller, &url, operations).expect(422);
            reply.facts(&[
                ("/issue/0/expression/0", "Appointment.start"),
                ("/issue/0/diagnostics", "*2027-03-08T09:00:00+00:00*"),
            ]);
        }
    }
    patch(&guarded.hold(&staff()), &url, set("/status", json!("noshow"))).expect(200);
}

#[test]
fn appointments_are_made_booked_held_or_waiting() {
    let guarded = Guarded::surgery();
    let mut waiting = request("request-waitlist.json");
    // When no slot is free that it would be offered.
    waiting["requestedPeriod"] = json!([{ "start": "2027-03-15", "end": "2027-03-16" }]);
    for holder in [patient(), system()] {
        let caller = guarded.hold(&holder);
        for status in ["arrived", "checked-in", "fulfilled", "noshow", "cancelled", "entered-in-error", "proposed"] {
            let mut appointment = request("request-book-one-slot.json");
            appointment["status"] = json!(status);
            let reply = caller.send("POST /Appointment", appointment.clone()).expect(422);
            reply.facts(&[("/issue/0/expression/0", "Appointment.status")]);
            appointment["id"] = json!("chosen");
            let put = caller.send("PUT /Appointment/chosen", appointment).status;
            assert!([422, 404, 403].contains(&put), "{status}: {put}");
        }
        let reply = caller.send("POST /Appointment", waiting.clone()).expect(201);
        let url = format!("/Appointment/{}", reply.pointer("/id"));
        patch(&caller, &url, set("/requestedPeriod/0/end", json!("2027-03-19"))).expect(200);
        patch(&caller, &url, set("/priority", json!(1))).expect(422);
        patch(&caller, &url, set("/status", json!("proposed"))).expect(422);
        patch(&caller, &url, set("/status", json!("cancelled"))).expect(200);
    }
}

/// An offer is accepted or declined for oneself.
#[test]
fn a_patient_answers_an_offer() {
    let guarded = Guarded::surgery();
    let (own, staff) = (guarded.hold(&patient()), guarded.hold(&staff()));
    for (status, answer) in [("booked", "accepted"), ("cancelled", "declined")] {
        let mut offer = request("request-book-one-slot.json");
        offer["status"] = json!("proposed");
        offer["participant"][0]["status"] = json!("needs-action");
        let reply = staff.send("POST /Appointment", offer).expect(201);
        let url = format!("/Appointment/{}", reply.pointer("/id"));
        patch(&own, &url, set("/participant/2/status", json!("declined"))).expect(422);
        patch(&own, &url, set("/participant/0/actor", json!({ "reference": "Patient/p1", "display": "x" })))
            .expect(422);
        patch(&own, &url, set("/status", json!("waitlist"))).expect(422);
        let answered = json!([{ "op": "replace", "path": "/participant/0/status", "value": answer },
            { "op": "replace", "path": "/status", "value": status }]);
        patch(&own, &url, answered).expect(200).facts(&[("/status", status)]);
    }
}

/// Schedules and slots are the practice's, whatever a patient's scopes.
#[test]
fn patients_write_no_schedules() {
    let guarded = Guarded::surgery();
    let own = guarded.hold(&patient());
    let schedule = own.get("/Schedule/sch1").expect(200).json();
    own.send("PUT /Schedule/sch1", schedule.clone()).expect(403);
    own.call("DELETE /Schedule/sch1").send().expect(403);
    let mut new = schedule;
    new.as_object_mut().expect("an object").remove("id");
    own.send("POST /Schedule", new).expect(403);
}

/// Moving an appointment is one transaction: the old one is cancelled and the new one booked, in whatever order they are sent.
#[test]
fn an_appointment_is_moved_in_one_transaction() {
    let guarded = Guarded::surgery();
    let own = guarded.hold(&patient());
    let mut url = booked(&own);
    for (turn, slot) in ["s0910", "s0900", "s0910"].into_iter().enumerate() {
        let minute: u32 = slot[3..].parse().expect("a minute");
        let mut new = request("request-book-one-slot.json");
        new["slot"] = json!([{ "reference": format!("Slot/{slot}") }]);
        new["start"] = json!(format!("2027-03-08T09:{minute:02}:00Z"));
        new["end"] = json!(format!("2027-03-08T09:{:02}:00Z", minute + 10));
        let mut old = own.get(&url).expect(200).json();
        old["status"] = json!("cancelled");
        let mut entries = vec![
            json!({ "resource": old, "request": { "method": "PUT", "url": &url[1..] } }),
            json!({ "resource": new, "request": { "method": "POST", "url": "Appointment" } }),
        ];
        if turn % 2 == 1 {
            entries.reverse();
        }
        let bundle = json!({ "resourceType": "Bundle", "type": "transaction", "entry": entries });
        let reply = own.send("POST /", bundle).expect(200);
        let created = if turn % 2 == 1 { 0 } else { 1 };
        let location = reply.pointer(&format!("/entry/{created}/response/location"));
        let id = location.split("Appointment/").nth(1).and_then(|rest| rest.split('/').next()).expect("a location");
        own.get(&url).expect(200).facts(&[("/status", "cancelled")]);
        url = format!("/Appointment/{id}");
        let busy: Vec<_> = ["s0900", "s0910"].map(|slot| own.get(&format!("/Slot/{slot}")).pointer("/status")).into();
        let expected = if slot == "s0900" { ["busy", "free"] } else { ["free", "busy"] };
        assert_eq!(busy, expected);
    }
}
