use std::path::Path;

use flint_tests::Flint;
use serde_json::{Value, json};

/// The service that a message is for.
pub(super) const SERVICE: &str = "https://fhir.nhs.uk/Id/dos-service-id|2000099901";

pub(super) const REFERRAL: &str = "urn:uuid:236bb75d-90ef-461f-b71e-fde7f899802c";
const PATIENT: &str = "urn:uuid:9589fb37-87a2-48d8-968f-b371429208a8";
const SENDER: &str = "urn:uuid:07939a0c-2854-46ff-9282-ad906bc93679";
const ENCOUNTER: &str = "urn:uuid:8c63d621-4d86-4f57-8699-e8e22d49935d";

pub(super) fn entry(full_url: &str, resource: Value) -> Value {
    json!({ "fullUrl": full_url, "resource": resource })
}

pub(super) fn header(event: &str, reason: &str, focus: &str) -> Value {
    json!({
        "resourceType": "MessageHeader",
        "eventCoding": { "system": "https://fhir.nhs.uk/CodeSystem/message-events-bars", "code": event },
        "destination": [{ "endpoint": SERVICE }],
        "sender": { "reference": SENDER },
        "source": { "name": "111 online", "endpoint": "https://fhir.nhs.uk/Id/dos-service-id|2222222222" },
        "reason": { "coding": [{ "system": "https://fhir.nhs.uk/CodeSystem/message-reason-bars", "code": reason }] },
        "focus": [{ "reference": focus }],
    })
}

/// What a 111 service sends: a referral of p1.
pub(super) fn referral(id: &str, reason: &str, status: &str) -> Value {
    json!({ "resourceType": "Bundle", "id": id, "type": "message", "timestamp": "2027-03-01T08:00:00Z", "entry": [
        entry("urn:uuid:1cbdfb97-5859-48a4-8301-d54eab818d68", header("servicerequest-request", reason, REFERRAL)),
        entry(REFERRAL, json!({
            "resourceType": "ServiceRequest", "status": status, "intent": "plan",
            "identifier": [{ "system": "https://111.example/referral", "value": "r-1" }],
            "category": [
                { "coding": [{ "system": "https://fhir.nhs.uk/CodeSystem/message-category-servicerequest",
                    "code": "referral" }] },
                { "coding": [{ "system": "https://fhir.nhs.uk/CodeSystem/usecases-categories-bars", "code": "a2t1" }] }],
            "subject": { "reference": PATIENT }, "encounter": { "reference": ENCOUNTER },
            "occurrencePeriod": { "start": "2027-03-01T08:00:00Z", "end": "2027-03-01T10:00:00Z" },
        })),
        entry(PATIENT, json!({
            "resourceType": "Patient", "name": [{ "family": "Hartley" }],
            "identifier": [{ "system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9000000009" }],
        })),
        entry(ENCOUNTER, json!({
            "resourceType": "Encounter", "status": "triaged",
            "identifier": [{ "system": "https://111.example/case", "value": "c-1" }],
            "class": { "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "EMER" },
            "subject": { "reference": PATIENT },
        })),
        entry(SENDER, json!({
            "resourceType": "Organization", "name": "111 online",
            "identifier": [{ "system": "https://fhir.nhs.uk/Id/ods-organization-code", "value": "RND" }],
        })),
        entry("urn:uuid:1e91008e-96d0-438b-873c-c6d2c007fc29", json!({
            "resourceType": "Flag", "status": "active", "code": { "text": "A dog is in the house" },
            "subject": { "reference": PATIENT }, "encounter": { "reference": ENCOUNTER },
        })),
    ] })
}

pub(super) fn total(flint: &Flint, query: &str) -> String {
    flint
        .get(&format!("/{query}{}_summary=count", if query.contains('?') { '&' } else { '?' }))
        .expect(200)
        .pointer("/total")
}

/// T3.
#[test]
fn takes_a_referral_once() {
    let flint = Flint::surgery();
    let send = |id: &str, request: &str| {
        let call = flint.call("POST /$process-message").header("X-Request-Id", request);
        call.json(&referral(id, "new", "active")).send()
    };
    let taken = send("message-1", "request-1").expect(200).facts(&[
        ("/type", "message"),
        ("/entry/0/resource/resourceType", "MessageHeader"),
        ("/entry/0/resource/response/identifier", "message-1"),
        ("/entry/0/resource/response/code", "ok"),
        ("/entry/0/resource/focus/0/reference", REFERRAL),
        ("/entry/0/resource/destination/0/endpoint", "https://fhir.nhs.uk/Id/dos-service-id|2222222222"),
        ("/entry/0/resource/source/endpoint", SERVICE),
        ("/entry/1/fullUrl", REFERRAL),
        ("/entry/1/resource/status", "active"),
        ("/entry/1/resource/subject/reference", "Patient/p1"),
        ("x-request-id", "request-1"),
    ]);
    let request = taken.pointer("/entry/1/resource/id");
    // The patient and the service are those known here; the rest is written, with references between.
    assert_eq!(total(&flint, "Patient"), "3");
    let encounter = flint.get("/Encounter?identifier=https://111.example/case%7Cc-1").expect(200);
    encounter.facts(&[("/total", "1"), ("/entry/0/resource/subject/reference", "Patient/p1")]);
    flint.get("/Flag?patient=Patient/p1").expect(200).facts(&[("/total", "1")]);
    let task = flint.get(&format!("/Task?focus=ServiceRequest/{request}")).expect(200);
    task.facts(&[
        ("/total", "1"),
        ("/entry/0/resource/status", "requested"),
        ("/entry/0/resource/owner/reference", "HealthcareService/svc1"),
        ("/entry/0/resource/for/reference", "Patient/p1"),
        // The sender is not known here, and does not become known to everybody.
        ("/entry/0/resource/requester/reference", "#received-1"),
        ("/entry/0/resource/contained/0/name", "111 online"),
    ]);
    assert_eq!(total(&flint, "Organization"), "3");
    let header = flint.get(&format!("/MessageHeader?focus=ServiceRequest/{request}")).expect(200);
    header.facts(&[
        ("/total", "1"),
        ("/entry/0/resource/id", &taken.pointer("/entry/0/resource/id")),
        ("/entry/0/resource/extension/0/extension/0/valueString", "message-1"),
        ("/entry/0/resource/extension/0/extension/1/valueString", "request-1"),
    ]);
    let before = total(&flint, "_history");
    for (id, again) in [("message-1", "request-1"), ("message-1", "request-2"), ("message-2", "request-1")] {
        send(id, again)
            .expect(409)
            .facts(&[("/issue/0/code", "duplicate"), ("/issue/0/details/coding/0/code", "REC_CONFLICT")]);
    }
    assert_eq!(total(&flint, "_history"), before, "nothing is half-written");
}

#[test]
fn takes_one_of_the_same_messages_in_a_race() {
    let flint = Flint::surgery();
    let send = || {
        let call = flint.call("POST /$process-message").header("X-Request-Id", "one");
        call.json(&referral("message-1", "new", "active")).send().status
    };
    let statuses: Vec<_> = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..8).map(|_| scope.spawn(send)).collect();
        racers.into_iter().map(|racer| racer.join().expect("an answer")).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 7, "{statuses:?}");
    assert_eq!(total(&flint, "ServiceRequest"), "1");
}

#[test]
fn books_by_message() {
    let flint = Flint::surgery();
    let (appointment, slot) =
        ("urn:uuid:aca94bdb-2e38-4399-9ece-2ba083ce65b5", "urn:uuid:deb4c4b3-870b-4599-84df-5e54cef7afda");
    let message = |id: &str, reason: &str, resource: Value, slot_id: &str| {
        json!({ "resourceType": "Bundle", "id": id, "type": "message", "entry": [
            entry("urn:uuid:c5957fdd-097b-409d-a406-49c52ceef2cd", header("booking-request", reason, appointment)),
            entry(appointment, resource),
            entry(PATIENT, referral("x", "new", "active")["entry"][2]["resource"].clone()),
            entry(SENDER, referral("x", "new", "active")["entry"][4]["resource"].clone()),
            entry(slot, json!({ "resourceType": "Slot", "id": slot_id, "status": "busy",
                "schedule": { "reference": "urn:uuid:3a62607b-df65-4932-940c-14262787f62d" },
                "start": "2027-03-08T09:00:00Z", "end": "2027-03-08T09:10:00Z" })),
            entry("urn:uuid:3a62607b-df65-4932-940c-14262787f62d", json!({ "resourceType": "Schedule",
                "actor": [{ "reference": "HealthcareService/svc1" }] })),
        ] })
    };
    let booked = json!({
        "resourceType": "Appointment", "status": "booked", "created": "2027-03-01T08:00:00Z",
        "start": "2027-03-08T09:00:00Z", "end": "2027-03-08T09:10:00Z", "slot": [{ "reference": slot }],
        "participant": [{ "actor": { "reference": PATIENT }, "status": "accepted" }],
    });
    let send = |message: Value| flint.send("POST /$process-message", message);
    send(message("b0", "new", booked.clone(), "none")).expect(422).facts(&[("/issue/0/details/text", "*`none`*")]);
    let taken = send(message("b1", "new", booked.clone(), "s0900")).expect(200);
    let taken = taken.facts(&[("/entry/1/resource/slot/0/reference", "Slot/s0900")]);
    flint.get("/Slot/s0900").facts(&[("/status", "busy"), ("/schedule/reference", "Schedule/sch1")]);
    assert_eq!((total(&flint, "Schedule"), total(&flint, "Slot")), ("1".to_owned(), "7".to_owned()));
    send(message("b2", "new", booked, "s0900")).expect(409).facts(&[
        ("/issue/0/details/coding/0/code", "DUPLICATE_REJECTED"),
        ("/issue/0/expression/0", "Bundle.entry[1].resource.slot[0]"),
    ]);
    let mut cancelled = taken.json()["entry"][1]["resource"].clone();
    cancelled["status"] = json!("cancelled");
    send(message("b3", "update", cancelled.clone(), "s0900"))
        .expect(200)
        .facts(&[("/entry/1/resource/status", "cancelled")]);
    flint.get("/Slot/s0900").facts(&[("/status", "free")]);
    send(message("b4", "update", cancelled, "s0900")).expect(409);
}

/// The published example of a validation request (NHSDigital/booking-and-referral-fhir-api, examples 1.4.0), but for what is wrong with it.
#[test]
fn takes_the_published_example() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/triage/bars-api/validation-request.json");
    let example: Value = serde_json::from_str(&std::fs::read_to_string(path).expect("an example")).expect("JSON");
    let flint = Flint::surgery();
    // Its destination is a service of another place.
    flint.send("POST /$process-message", example.clone()).expect(422).facts(&[
        ("/issue/0/details/coding/0/code", "REC_UNPROCESSABLE_ENTITY"),
        ("/issue/0/expression/0", "Bundle.entry[0].resource.destination.endpoint"),
    ]);
    let service = example["entry"][2]["resource"].clone();
    let mut service = service;
    service.as_object_mut().expect("an object").remove("providedBy");
    flint.send("POST /HealthcareService", service).expect(201);
    // Its NHS number is none, and an episode that it names is not part of it.
    let refused = flint.send("POST /$process-message", example.clone()).expect(400);
    refused.facts(&[("/issue/0/details/coding/0/code", "INVALID_NHS_NUMBER"), ("/issue/0/code", "value")]);
    let mut example = example;
    example["entry"][5]["resource"]["identifier"][0]["value"] = json!("9000000009");
    let refused = flint.send("POST /$process-message", example.clone()).expect(422);
    refused.facts(&[("/issue/0/expression/0", "Bundle.entry[3].resource.episodeOfCare[0].reference")]);
    example["entry"][3]["resource"].as_object_mut().expect("an object").remove("episodeOfCare");
    let taken = flint.send("POST /$process-message", example.clone()).expect(200);
    taken.facts(&[
        ("/entry/0/resource/response/identifier", "86e3371d-1c15-4862-9552-d9560f8292ba"),
        ("/entry/1/resource/performer/0/reference", "HealthcareService/*"),
    ]);
    assert_eq!(total(&flint, "HealthcareService"), "2");
    flint
        .get("/Consent?category=https://fhir.nhs.uk/CodeSystem/consent-categories-bars%7CDRC")
        .facts(&[("/total", "1")]);
}
