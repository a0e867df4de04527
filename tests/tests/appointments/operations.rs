use std::time::Duration;

use flint_tests::{Bearer, Flint, Guarded, Holder, Reply};
use serde_json::{Value, json};

use super::*;

const DAY: &str = "start=2027-03-08&end=2027-03-08";

fn inputs(parts: &[(&str, Value)]) -> Value {
    let part = |(name, value): &(&str, Value)| match value {
        Value::String(text) if text.contains('/') => json!({"name": name, "valueReference": {"reference": text}}),
        Value::String(time) if ["start", "end"].contains(name) => json!({"name": name, "valueDateTime": time}),
        Value::String(text) => json!({"name": name, "valueString": text}),
        resource => json!({"name": name, "resource": resource}),
    };
    json!({"resourceType": "Parameters", "parameter": parts.iter().map(part).collect::<Vec<_>>()})
}

fn run(flint: &Flint, operation: &str, parts: &[(&str, Value)]) -> Reply {
    flint.send(&format!("POST /Appointment/${operation}"), inputs(parts))
}

/// The refusal of what cannot be had any more.
fn gone(reply: Reply) {
    reply.expect(404).facts(&[
        ("/resourceType", "OperationOutcome"),
        ("/issue/0/severity", "fatal"),
        ("/issue/0/code", "not-found"),
    ]);
}

#[test]
fn finds_what_is_free() {
    let flint = Flint::surgery();
    let found = flint.get(&format!("/Appointment/$find?{DAY}")).expect(200);
    assert_eq!(found.keys("match"), ["Appointment/slot-s0900", "Appointment/slot-s0910", "Appointment/slot-s0920"]);
    found.facts(&[
        ("/resourceType", "Bundle"),
        ("/type", "searchset"),
        ("/total", "3"),
        ("/entry/0/fullUrl", &format!("{}/Appointment/slot-s0900", flint.base_url())),
        ("/entry/0/resource/status", "proposed"),
        ("/entry/0/resource/start", "2027-03-08T09:00:00+00:00"),
        ("/entry/0/resource/end", "2027-03-08T09:10:00+00:00"),
        ("/entry/0/resource/slot/0/reference", "Slot/s0900"),
        ("/entry/0/resource/serviceType/0/text", "GP 10 minutes"),
        ("/entry/0/resource/serviceCategory/0/text", "Routine surgery"),
        ("/entry/0/resource/participant/0/actor/reference", "Practitioner/dr1"),
        ("/entry/0/resource/participant/1/actor/reference", "Location/loc1"),
        ("/entry/0/resource/requestedPeriod/0/start", "2027-03-08"),
        ("/entry/2/resource/extension/0/valueCodeableConcept/coding/0/code", "Telephone"),
    ]);
    // It is content that can be stored.
    let proposed = flint.get(&format!("/Appointment/$find?{DAY}")).json()["entry"][0]["resource"].clone();
    let issues = flint.send("POST /Appointment/$validate", proposed).expect(200);
    assert!(!issues.text.contains("\"error\""), "{}", issues.text);
    flint.get("/Appointment").expect(200).facts(&[("/total", "0")]);
    // What is held, booked or has begun is left out, and what is over the end.
    post(&flint, &nine("pending", "p1")).send().expect(201);
    post(&flint, &appointment("booked", "p2", &["s0910"], ("09:10", "09:20"))).send().expect(201);
    let found = flint.get("/Appointment/$find?start=2020-01-01&end=2027-03-29T08:09:00Z").expect(200);
    assert_eq!(found.keys("match"), ["Appointment/slot-s0920"]);
    flint
        .get("/Appointment/$find?start=2027-03-29T08:00:00Z&end=2027-03-29T08:10:00Z")
        .expect(200)
        .facts(&[("/total", "1")]);
}

#[test]
fn finds_what_is_asked_for() {
    let flint = Flint::surgery();
    let code = |code: &str| json!([{"coding": [{"system": "urn:s", "code": code}]}]);
    let mut heart = slot("t1", "sch2", "free", ("09:00", "09:10"));
    heart["specialty"] = code("heart");
    let mut place = json!({"resourceType": "Location", "id": "loc2", "address": {"city": "Leeds"}});
    place["managingOrganization"] = json!({"reference": "Organization/pharm1"});
    let role = json!({"resourceType": "PractitionerRole", "id": "role2", "practitioner": {"reference": "Practitioner/dr2"},
        "organization": {"reference": "Organization/app1"}});
    let schedule = json!({"resourceType": "Schedule", "id": "sch2", "specialty": code("lung"), "serviceType": code("visit"),
        "actor": [{"reference": "PractitionerRole/role2"}, {"reference": "Location/loc2"}]});
    let resources = [
        json!({"resourceType": "Practitioner", "id": "dr2"}),
        place,
        role,
        schedule,
        heart,
        slot("t2", "sch2", "free", ("09:10", "09:20")),
    ];
    flint.send("POST /", together(&resources)).expect(200);
    let surgery = "slot-s0900 slot-s0910 slot-s0920";
    let cases = [
        ("practitioner=Practitioner/dr1", surgery),
        ("practitioner=Practitioner/dr2", "slot-t1 slot-t2"),
        (
            "practitioner=Practitioner/dr2&practitioner=Practitioner/dr1",
            "slot-s0900 slot-t1 slot-s0910 slot-t2 slot-s0920",
        ),
        ("organization=Organization/gp1", surgery),
        ("organization=Organization/app1", "slot-t1 slot-t2"),
        ("organization=Organization/pharm1", "slot-t1 slot-t2"),
        ("organization=Organization/pharm1&practitioner=Practitioner/dr1", ""),
        ("location-reference=Location/loc1", surgery),
        ("location-reference=Location/loc2", "slot-t1 slot-t2"),
        ("location-string=lee", "slot-t1 slot-t2"),
        ("location-string=York", ""),
        ("specialty=urn:s|heart", "slot-t1"),
        ("specialty=urn:s|lung", "slot-t2"),
        ("specialty=urn:s|lung&specialty=urn:s|heart", "slot-t1 slot-t2"),
        ("visit-type=urn:s|visit", "slot-t1 slot-t2"),
        ("visit-type=urn:s|other", ""),
    ];
    for (query, expected) in cases {
        let found = flint.get(&format!("/Appointment/$find?{DAY}&{}", query.replace('|', "%7C"))).expect(200);
        let mut keys = found.keys("match");
        keys.sort();
        let mut expected: Vec<_> = expected.split_whitespace().map(|id| format!("Appointment/{id}")).collect();
        expected.sort();
        assert_eq!(keys, expected, "{query}");
        assert_eq!(found.pointer("/total"), expected.len().to_string(), "{query}");
    }
    let body = inputs(&[
        ("start", json!("2027-03-08")),
        ("end", json!("2027-03-08")),
        ("practitioner", json!("Practitioner/dr2")),
    ]);
    flint.send("POST /Appointment/$find", body).expect(200).facts(&[("/total", "2")]);
}

#[test]
fn refuses_what_it_would_pass_over() {
    let flint = Flint::surgery();
    let cases = [
        ("end=2027-03-08", 422, "`start` is missing"),
        ("start=2027-03-08", 422, "`end` is missing"),
        ("start=monday&end=2027-03-08", 400, "`start` has a wrong value: `monday`"),
        ("start=2027-03-09&end=2027-03-08", 400, "is not after"),
        ("start=2027-03-08&end=2027-03-08&specialty=heart", 422, "not `system|code`"),
        ("start=2027-03-08&end=2027-03-08&practitioner=Patient/p1", 422, "no Practitioner"),
        ("start=2027-03-08&end=2027-03-08&location-reference=http://elsewhere/Location/loc1", 422, "no Location"),
        ("start=2027-03-08&end=2027-03-08&timing=x", 400, "`timing`"),
        ("start=2027-03-08&end=2027-03-08&doctor=x", 400, "no input `doctor`"),
    ];
    for (query, status, text) in cases {
        let reply = flint.get(&format!("/Appointment/$find?{query}"));
        assert!(reply.status == status && reply.text.contains(text), "{query}: {} {}", reply.status, reply.text);
    }
}

/// For whom and why the times are wanted may be said; they are the same.
#[test]
fn finds_the_same_for_everybody() {
    let flint = Flint::surgery();
    let ids = |query: &str| {
        let found = flint.get(&format!("/Appointment/$find?{DAY}{query}")).expect(200).json();
        let entries = found["entry"].as_array().expect("entries").clone();
        entries.into_iter().map(|it| it["resource"]["id"].clone()).collect::<Vec<_>>()
    };
    let all = ids("");
    for query in ["&patient-reference=Patient/p1", "&reason=http://snomed.info/sct%7C13645005"] {
        assert_eq!(ids(query), all, "{query}");
    }
}

#[test]
fn no_more_than_a_page_is_found() {
    let flint = Flint::surgery();
    let slots: Vec<_> = (0..101)
        .map(|at| {
            let time = |minutes: i32| format!("{:02}:{:02}", 10 + minutes / 60, minutes % 60);
            slot(&format!("m{at}"), "sch1", "free", (&time(at), &time(at + 1)))
        })
        .collect();
    flint.send("POST /", together(&slots)).expect(200);
    let found = flint.get(&format!("/Appointment/$find?{DAY}")).expect(200).facts(&[("/total", "104")]);
    assert_eq!(found.keys("match").len(), 100);
}

#[test]
fn holds_and_books_what_was_found() {
    let flint = Flint::surgery();
    let slot = ("appointment-reference", json!("Appointment/slot-s0900"));
    let p1 = ("patient-reference", json!("Patient/p1"));
    let held = run(&flint, "hold", &[slot.clone(), p1.clone()]).expect(200).facts(&[
        ("/type", "searchset"),
        ("/total", "1"),
        ("/entry/0/resource/status", "pending"),
        ("/entry/0/resource/participant/0/actor/reference", "Patient/p1"),
        ("/entry/0/resource/participant/1/actor/reference", "Practitioner/dr1"),
    ]);
    let appointment = held.json()["entry"][0]["resource"].clone();
    let stored = format!("Appointment/{}", appointment["id"].as_str().expect("an id"));
    assert_eq!(status_of(&flint, "Slot/s0900"), "busy-tentative");
    // What is held is held already.
    run(&flint, "hold", &[("appointment-reference", json!(stored))])
        .expect(200)
        .facts(&[("/entry/0/resource/id", appointment["id"].as_str().expect("an id"))]);
    gone(run(&flint, "hold", &[slot.clone(), ("patient-reference", json!("Patient/p2"))]));
    gone(run(&flint, "book", &[slot.clone(), ("patient-resource", json!({"resourceType": "Patient", "id": "p2"}))]));
    run(&flint, "book", &[("appointment-resource", appointment), ("comment", json!("by the lift"))]).expect(200).facts(
        &[
            ("/entry/0/resource/status", "booked"),
            ("/entry/0/resource/comment", "by the lift"),
            ("/entry/0/resource/extension/1", "-"),
        ],
    );
    assert_eq!(status_of(&flint, "Slot/s0900"), "busy");
    gone(run(&flint, "book", &[("appointment-reference", json!(stored))]));
    gone(run(&flint, "hold", &[("appointment-reference", json!(stored))]));
    // Changed, then cancelled.
    let mut booked = flint.get(&format!("/{stored}")).expect(200).json();
    booked["description"] = json!("cough");
    run(&flint, "book", &[("appointment-resource", booked.clone())])
        .expect(200)
        .facts(&[("/entry/0/resource/description", "cough"), ("/entry/0/resource/status", "booked")]);
    booked["status"] = json!("cancelled");
    booked["cancelationReason"] = json!({"text": "better"});
    run(&flint, "book", &[("appointment-resource", booked)])
        .expect(200)
        .facts(&[("/entry/0/resource/status", "cancelled"), ("/entry/0/resource/cancelationReason/text", "better")]);
    assert_eq!(status_of(&flint, "Slot/s0900"), "free");
    // Booked at once, for a patient who is known by number.
    let number = flint.get("/Patient/p2").expect(200).json()["identifier"][0].clone();
    let patient = json!({"resourceType": "Patient", "identifier": [number]});
    run(&flint, "book", &[slot, ("patient-resource", patient)]).expect(200).facts(&[
        ("/entry/0/resource/status", "booked"),
        ("/entry/0/resource/participant/0/actor/reference", "Patient/p2"),
    ]);
}

#[test]
fn books_what_was_sent() {
    let flint = Flint::surgery();
    let proposed = flint.get(&format!("/Appointment/$find?{DAY}")).expect(200).json()["entry"][0]["resource"].clone();
    let patient = ("patient-resource", json!({"resourceType": "Patient", "id": "p1"}));
    run(&flint, "book", &[("appointment-resource", proposed.clone()), patient.clone()]).expect(422);
    let mut pending = proposed;
    pending["status"] = json!("pending");
    run(&flint, "book", &[("appointment-resource", pending.clone())]).expect(422);
    let booked = run(&flint, "book", &[("appointment-resource", pending.clone()), patient.clone()]).expect(200);
    booked.facts(&[
        ("/entry/0/resource/status", "booked"),
        ("/entry/0/resource/participant/0/actor/reference", "Patient/p1"),
    ]);
    gone(run(&flint, "book", &[("appointment-resource", pending), patient]));
    // Two slots are held as one that was sent.
    put(&flint, slot("n1", "sch1", "free", ("14:00", "14:10"))).expect(201);
    put(&flint, slot("n2", "sch1", "free", ("14:10", "14:20"))).expect(201);
    let both = appointment("proposed", "p2", &["n1", "n2"], ("14:00", "14:20"));
    run(&flint, "hold", &[("appointment-resource", both)]).expect(200);
    assert_eq!(
        (status_of(&flint, "Slot/n1"), status_of(&flint, "Slot/n2")),
        ("busy-tentative".into(), "busy-tentative".into())
    );
}

/// The codings of a refusal: that of Spine, and the HTTP error code of the NHS.
fn coded<'a>(http: &'a str, spine: &'a str) -> [(&'static str, &'a str); 4] {
    [
        ("/issue/0/details/coding/1/system", "https://fhir.nhs.uk/CodeSystem/http-error-codes"),
        ("/issue/0/details/coding/1/code", http),
        ("/issue/0/details/coding/0/system", "https://fhir.nhs.uk/R4/CodeSystem/Spine-ErrorOrWarningCode"),
        ("/issue/0/details/coding/0/code", spine),
    ]
}

#[test]
fn refuses_inputs_that_do_not_fit() {
    let flint = Flint::surgery();
    let slot = ("appointment-reference", json!("Appointment/slot-s0900"));
    let patient = |id: &str| json!({"resourceType": "Patient", "id": id});
    for operation in ["hold", "book"] {
        run(&flint, operation, &[]).expect(400);
        run(&flint, operation, &[slot.clone(), slot.clone()]).expect(400);
        run(&flint, operation, &[("appointment-resource", patient("p1"))]).expect(400);
        run(&flint, operation, &[slot.clone(), ("patient", json!("Patient/p1"))]).expect(400);
        run(&flint, operation, std::slice::from_ref(&slot)).expect(422);
        gone(run(&flint, operation, &[("appointment-reference", json!("Appointment/nothing"))]));
        run(&flint, operation, &[("appointment-reference", json!("Slot/s0900"))]).expect(400);
        flint.get(&format!("/Appointment/${operation}?appointment-reference=Appointment/slot-s0900")).expect(405);
    }
    run(&flint, "hold", &[slot.clone(), ("patient-reference", json!("Practitioner/dr1"))]).expect(400);
    run(&flint, "book", &[slot.clone(), ("patient-resource", patient("nobody"))]).expect(422);
    let numbered = |value: &str| {
        let identifier = json!([{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": value}]);
        ("patient-resource", json!({"resourceType": "Patient", "identifier": identifier}))
    };
    for (number, status, http, spine) in [
        ("9000000008", 400, "BAD_REQUEST", "INVALID_NHS_NUMBER"),
        ("9476719931", 422, "UNPROCESSABLE_ENTITY", "PATIENT_NOT_FOUND"),
    ] {
        run(&flint, "book", &[slot.clone(), numbered(number)]).expect(status).facts(&coded(http, spine));
    }
    flint.get("/Patient/nobody").expect(404).facts(&coded("NOT_FOUND", "PATIENT_NOT_FOUND"));
    flint.get("/Appointment/nothing").expect(404).facts(&coded("NOT_FOUND", "NO_RECORD_FOUND"));
    let stale = flint.call("PUT /Patient/p1").header("If-Match", "W/\"9\"").json(&patient("p1"));
    stale.send().expect(412).facts(&coded("CONFLICT", "RESOURCE_VERSION_MISMATCH"));
    run(&flint, "book", &[slot, ("patient-resource", patient("p1")), ("patient-resource", patient("p2"))]).expect(400);
    let other = |status: &str| json!({"resourceType": "Appointment", "id": "x", "status": status, "participant": []});
    gone(run(&flint, "book", &[("appointment-resource", other("booked"))]));
    gone(run(&flint, "book", &[("appointment-resource", other("cancelled"))]));
    run(&flint, "book", &[("appointment-resource", other("fulfilled"))]).expect(422);
    assert_eq!(status_of(&flint, "Slot/s0900"), "free");
}

/// A hold, its time, somebody else's booking: what the first one booked is not to be found.
#[test]
fn a_hold_that_is_over_is_not_booked() {
    let guarded = Guarded::surgery();
    let app = |user, patient| {
        guarded.hold(&Holder { scope: "patient/Appointment.cruds", user, patient, ..Holder::default() })
    };
    let (one, two) = (app("Patient/p1", "p1"), app("Patient/p2", "p2"));
    let call = |app: &Bearer<'_>, operation: &str, reference: &str| {
        app.send(&format!("POST /Appointment/${operation}"), inputs(&[("appointment-reference", json!(reference))]))
    };
    let found = one.get(&format!("/Appointment/$find?{DAY}")).expect(200);
    let slot = found.keys("match")[0].clone();
    let held = call(&one, "hold", &slot).expect(200);
    let hold = format!("Appointment/{}", held.pointer("/entry/0/resource/id"));
    gone(call(&two, "book", &slot));
    gone(call(&two, "book", &hold));
    guarded.advance(Duration::from_secs(301));
    call(&two, "book", &slot).expect(200).facts(&[("/entry/0/resource/participant/0/actor/reference", "Patient/p2")]);
    gone(call(&one, "book", &hold));
    gone(call(&one, "book", &slot));
}

/// Whoever loses a race is told what whoever comes late is told.
#[test]
fn a_lost_race_is_not_found() {
    let flint = Flint::surgery();
    let call = |operation: &str, reference: &str| {
        let body = inputs(&[("appointment-reference", json!(reference))]);
        flint.call(&format!("POST /Appointment/${operation}")).json(&body)
    };
    for _ in 0..10 {
        let id = post(&flint, &nine("pending", "p1")).send().expect(201).pointer("/id");
        let key = format!("Appointment/{id}");
        let mut calls: Vec<_> = (0..4).map(|_| call("book", &key)).collect();
        calls.extend((0..4).map(|_| call("hold", &key)));
        for reply in crate::race::at_once(calls) {
            match reply.status {
                200 => {}
                _ => gone(reply),
            }
        }
        to_status(&flint, &id, "cancelled").send().expect(200);
    }
}

#[test]
fn an_app_books_for_its_patient_alone() {
    let guarded = Guarded::surgery();
    let app = guarded.hold(&Holder {
        scope: "patient/Appointment.cruds",
        user: "Patient/p1",
        patient: "p1",
        ..Holder::default()
    });
    let reader = guarded.hold(&Holder {
        scope: "patient/Appointment.rs",
        user: "Patient/p1",
        patient: "p1",
        ..Holder::default()
    });
    let slot = ("appointment-reference", json!("Appointment/slot-s0900"));
    for patient in ["p2", "nobody"] {
        let reference = ("patient-reference", json!(format!("Patient/{patient}")));
        app.send("POST /Appointment/$hold", inputs(&[slot.clone(), reference])).expect(403);
        let resource = ("patient-resource", json!({"resourceType": "Patient", "id": patient}));
        app.send("POST /Appointment/$book", inputs(&[slot.clone(), resource])).expect(403);
    }
    reader.get(&format!("/Appointment/$find?{DAY}")).expect(200).facts(&[("/total", "3")]);
    reader.send("POST /Appointment/$hold", inputs(std::slice::from_ref(&slot))).expect(403);
    reader.send("POST /Appointment/$book", inputs(std::slice::from_ref(&slot))).expect(403);
    app.send("POST /Appointment/$hold", inputs(std::slice::from_ref(&slot))).expect(200);
    reader.send("POST /Appointment/$hold", inputs(&[slot])).expect(403);
}
