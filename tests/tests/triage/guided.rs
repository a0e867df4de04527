use std::time::Duration;

use flint_tests::{Flint, Guarded, Holder};
use serde_json::{Value, json};

use super::request;

const NEEDS_TRIAGE: &str = "https://flint.example/fhir/StructureDefinition/needs-triage";

/// The service whose slots the surgery has, which asks for triage from now on.
fn needing(mut service: Value) -> Value {
    service["extension"] = json!([{ "url": NEEDS_TRIAGE, "valueBoolean": true }]);
    service
}

fn guidance(patient: &str, status: &str) -> Value {
    json!({
        "resourceType": "GuidanceResponse", "moduleUri": "https://engine.example/breath", "status": status,
        "subject": { "reference": patient },
    })
}

/// A booking of `s0900`, or the next slots, by these triages.
fn booking(triages: &[&str]) -> Value {
    let mut booking = request("request-book-one-slot.json");
    if !triages.is_empty() {
        let references: Vec<_> =
            triages.iter().map(|it| json!({ "reference": format!("GuidanceResponse/{it}") })).collect();
        booking["supportingInformation"] = json!(references);
    }
    booking
}

fn in_slot(mut booking: Value, slot: &str, start: &str, end: &str) -> Value {
    booking["slot"] = json!([{ "reference": format!("Slot/{slot}") }]);
    booking["start"] = json!(format!("2027-03-08T{start}:00+00:00"));
    booking["end"] = json!(format!("2027-03-08T{end}:00+00:00"));
    booking
}

fn surgery() -> Flint {
    let flint = Flint::surgery();
    let service = flint.get("/HealthcareService/svc1").json();
    flint.send("PUT /HealthcareService/svc1", needing(service)).expect(200);
    flint
}

#[test]
fn books_after_triage_only() {
    let flint = surgery();
    let triage = |patient: &str, status: &str| {
        flint.send("POST /GuidanceResponse", guidance(patient, status)).expect(201).pointer("/id")
    };
    let refused = |triages: &[&str], text: &str| {
        flint.send("POST /Appointment", booking(triages)).expect(422).facts(&[
            ("/issue/0/code", "business-rule"),
            ("/issue/0/details/coding/0/code", "INVALID_RESOURCE"),
            ("/issue/0/expression/0", "Appointment.supportingInformation"),
            ("/issue/0/details/text", text),
        ]);
        flint.get("/Slot/s0900").facts(&[("/status", "free")]);
    };
    refused(&[], "*`HealthcareService/svc1` asks for triage*");
    let other = triage("Patient/p2", "success");
    let text = "*no GuidanceResponse about this patient";
    refused(&[&other], text);
    let failed = triage("Patient/p1", "data-required");
    refused(&[&failed], "*not ended with success");
    let old = triage("Patient/p1", "success");
    flint.advance(Duration::from_secs(24 * 60 * 60));
    refused(&[&old], "*too long ago*");
    let good = triage("Patient/p1", "success");
    let booked = flint.send("POST /Appointment", booking(&[&failed, &good])).expect(201);
    // One triage is for one appointment.
    let next = in_slot(booking(&[&good]), "s0910", "09:10", "09:20");
    flint
        .send("POST /Appointment", next.clone())
        .expect(422)
        .facts(&[("/issue/0/details/text", "another appointment*")]);
    // A booking that stands is not asked again, however old its triage; given back, the triage lets book again.
    flint.advance(Duration::from_secs(30 * 60 * 60));
    let mut standing = booked.json();
    let line = format!("PUT /Appointment/{}", booked.pointer("/id"));
    standing["comment"] = json!("I come by bus");
    flint.send(&line, standing.clone()).expect(200);
    let fresh = triage("Patient/p1", "success");
    standing["status"] = json!("cancelled");
    flint.send(&line, standing).expect(200);
    flint.send("POST /Appointment", next).expect(422).facts(&[("/issue/0/details/text", "*too long ago*")]);
    flint.send("POST /Appointment", in_slot(booking(&[&fresh]), "s0910", "09:10", "09:20")).expect(201);
}

#[test]
fn gives_a_triage_back_with_its_appointment() {
    let flint = surgery();
    let id = flint.send("POST /GuidanceResponse", guidance("Patient/p1", "success")).expect(201).pointer("/id");
    let first = flint.send("POST /Appointment", booking(&[&id])).expect(201);
    let mut moved = in_slot(first.json(), "s0910", "09:10", "09:20");
    moved["supportingInformation"] = json!([{ "reference": format!("GuidanceResponse/{id}") }]);
    flint.send(&format!("PUT /Appointment/{}", first.pointer("/id")), moved).expect(200);
    // In one transaction the old one goes and a new one comes, by the same triage.
    let entry = |method: &str, url: &str, resource: Value| json!({ "resource": resource, "request": { "method": method, "url": url } });
    let url = format!("Appointment/{}", first.pointer("/id"));
    let mut delete = entry("DELETE", &url, Value::Null);
    delete.as_object_mut().expect("an entry").remove("resource");
    let bundle = json!({ "resourceType": "Bundle", "type": "transaction",
        "entry": [entry("POST", "Appointment", booking(&[&id])), delete] });
    flint.send("POST /", bundle).expect(200);
    flint.get("/Slot/s0910").facts(&[("/status", "free")]);
}

/// Also where the appointment does not name it any more.
#[test]
fn gives_a_triage_back_that_is_not_named_any_more() {
    let flint = surgery();
    let triage = flint.send("POST /GuidanceResponse", guidance("Patient/p1", "success")).expect(201).pointer("/id");
    let mut booked = flint.send("POST /Appointment", booking(&[&triage])).expect(201).json();
    let url = format!("/Appointment/{}", booked["id"].as_str().expect("an id"));
    booked.as_object_mut().expect("an object").remove("supportingInformation");
    flint.send(&format!("PUT {url}"), booked.clone()).expect(200);
    let next = in_slot(booking(&[&triage]), "s0910", "09:10", "09:20");
    flint.send("POST /Appointment", next.clone()).expect(422);
    booked["status"] = json!("cancelled");
    flint.send(&format!("PUT {url}"), booked).expect(200);
    flint.send("POST /Appointment", next).expect(201);
}

#[test]
fn one_triage_moves_with_what_is_booked_instead() {
    let flint = surgery();
    let id = flint.send("POST /GuidanceResponse", guidance("Patient/p1", "success")).expect(201).pointer("/id");
    let first = flint.send("POST /Appointment", booking(&[&id])).expect(201).pointer("/id");
    let mut instead = in_slot(booking(&[&id]), "s0910", "09:10", "09:20");
    flint.send("POST /Appointment", instead.clone()).expect(422);
    let replaces = json!({ "url": "http://hl7.org/fhir/5.0/StructureDefinition/extension-Appointment.replaces",
        "valueReference": { "reference": format!("Appointment/{first}") } });
    instead["extension"].as_array_mut().expect("extensions").push(replaces);
    flint.send("POST /Appointment", instead).expect(201);
    flint.get(&format!("/Appointment/{first}")).expect(200).facts(&[("/status", "cancelled")]);
    // It is used still.
    let again = in_slot(booking(&[&id]), "s0920", "09:20", "09:30");
    flint.send("POST /Appointment", again).expect(422).facts(&[("/issue/0/details/text", "another appointment*")]);
}

/// Of bookings at the same moment by one triage, one is taken.
#[test]
fn is_used_once_in_a_race() {
    let flint = surgery();
    let id = flint.send("POST /GuidanceResponse", guidance("Patient/p1", "success")).expect(201).pointer("/id");
    let bookings = [
        in_slot(booking(&[&id]), "s0900", "09:00", "09:10"),
        in_slot(booking(&[&id]), "s0910", "09:10", "09:20"),
        in_slot(booking(&[&id]), "s0920", "09:20", "09:30"),
    ];
    let send = |booking: &Value| flint.send("POST /Appointment", booking.clone()).status;
    let statuses: Vec<_> = std::thread::scope(|scope| {
        let racers: Vec<_> = bookings.iter().map(|booking| scope.spawn(|| send(booking))).collect();
        racers.into_iter().map(|racer| racer.join().expect("an answer")).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 422).count(), 2, "{statuses:?}");
}

/// T2.
#[test]
fn an_engine_decides_and_the_patient_books() {
    let guarded = Guarded::surgery();
    let keeper = guarded.hold(&Holder { scope: "system/*.cruds", custodian: true, ..Holder::default() });
    let service = keeper.get("/HealthcareService/svc1").json();
    keeper.send("PUT /HealthcareService/svc1", needing(service)).expect(200);
    let engine = guarded.hold(&Holder {
        scope: "system/GuidanceResponse.cruds system/RequestGroup.cruds system/Patient.rs",
        purposes: &["TREAT"],
        ..Holder::default()
    });
    let next = json!({
        "resourceType": "RequestGroup", "status": "active", "intent": "proposal",
        "subject": { "reference": "Patient/p1" },
        "action": [{ "title": "See a GP", "resource": { "reference": "HealthcareService/svc1" } }],
    });
    let mut decided = guidance("Patient/p1", "success");
    decided["result"] = json!({ "reference": "urn:uuid:0b5b2a4e-0000-4000-8000-000000000001" });
    let bundle = json!({ "resourceType": "Bundle", "type": "transaction", "entry": [
        { "fullUrl": "urn:uuid:0b5b2a4e-0000-4000-8000-000000000001", "resource": next,
            "request": { "method": "POST", "url": "RequestGroup" } },
        { "resource": decided, "request": { "method": "POST", "url": "GuidanceResponse" } },
    ] });
    let pushed = engine.send("POST /", bundle).expect(200);
    let location = pushed.pointer("/entry/1/response/location");
    let id = location.split('/').rev().nth(2).expect("a location").to_owned();
    let patient = Holder { scope: "patient/*.cruds", user: "Patient/p1", patient: "p1", ..Holder::default() };
    let app = guarded.hold(&patient);
    let found = app.get("/GuidanceResponse?patient=Patient/p1").expect(200);
    assert_eq!(found.keys("match"), [format!("GuidanceResponse/{id}")]);
    let group = app.get("/RequestGroup?patient=Patient/p1").expect(200);
    group.facts(&[("/entry/0/resource/action/0/resource/reference", "HealthcareService/svc1")]);
    app.send("POST /Appointment", booking(&[])).expect(422);
    app.send("POST /Appointment", booking(&[&id])).expect(201);
    // Another patient has none of it, and a patient decides nothing.
    let other = guarded.hold(&Holder { user: "Patient/p2", patient: "p2", ..patient });
    other.get(&format!("/GuidanceResponse/{id}")).expect(404);
    let own = app.send("POST /GuidanceResponse", guidance("Patient/p1", "success")).expect(403);
    own.facts(&[("/issue/0/details/coding/0/code", "ACCESS_DENIED")]);
    let mut changed = app.get(&format!("/GuidanceResponse/{id}")).expect(200).json();
    changed["status"] = json!("in-progress");
    app.send(&format!("PUT /GuidanceResponse/{id}"), changed).expect(403);
    app.call(&format!("DELETE /GuidanceResponse/{id}")).send().expect(403);
    // The record keeper tells of what was booked elsewhere.
    keeper.send("POST /Appointment", in_slot(booking(&[]), "s0910", "09:10", "09:20")).expect(201);
}
