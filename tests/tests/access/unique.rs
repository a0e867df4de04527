use flint_tests::{Bearer, Guarded, example};
use serde_json::{Value, json};
use services::Overlap;

use super::callers::{holder, keeper};
use super::escalation::app;

/// The patient hides all of these types from an organization.
fn hide(keeper: &Bearer<'_>, organization: &str, types: &[&str]) {
    let classes: Vec<_> =
        types.iter().map(|name| json!({ "system": "http://hl7.org/fhir/resource-types", "code": name })).collect();
    let actor = json!([{ "role": { "coding": [{ "code": "IRCP" }] }, "reference": { "reference": organization } }]);
    let deny = json!({ "resourceType": "Consent", "status": "active",
        "scope": { "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy" }] },
        "category": [{ "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "INFA" }] }],
        "patient": { "reference": "Patient/p1" }, "dateTime": "2027-02-01T10:00:00Z",
        "performer": [{ "reference": "Patient/p1" }], "policy": [{ "uri": "http://example.org/policy" }],
        "provision": { "type": "deny", "actor": actor, "class": classes } });
    keeper.send("POST /Consent", deny).expect(201);
}

fn example_of(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(example(name)).expect("an example")).expect("JSON")
}

/// A consent of the surgery, to be written once more.
fn again(keeper: &Bearer<'_>, id: &str) -> Value {
    let mut consent = keeper.get(&format!("/Consent/{id}")).expect(200).json();
    let members = consent.as_object_mut().expect("an object");
    members.remove("id");
    members.remove("meta");
    consent
}

/// A booking of one slot of ten minutes, by a triage.
fn booking(slot: &str, start: &str, end: &str, triage: &str) -> Value {
    let mut booking = example_of("request-book-one-slot.json");
    booking["slot"] = json!([{ "reference": format!("Slot/{slot}") }]);
    booking["start"] = json!(format!("2027-03-08T{start}:00Z"));
    booking["end"] = json!(format!("2027-03-08T{end}:00Z"));
    booking["supportingInformation"] = json!([{ "reference": format!("GuidanceResponse/{triage}") }]);
    booking
}

/// Who may not know of the other consent writes a second one; who may is refused it, and still changes both.
#[test]
fn a_hidden_consent_refuses_no_other() {
    let guarded = Guarded::surgery();
    let (keeper, staff) = (guarded.hold(&keeper()), guarded.hold(&holder("staff")));
    let app = guarded.hold(&app());
    let (proxy, opt_out) = (again(&keeper, "share-husband"), again(&keeper, "ndop"));
    for caller in [&staff, &app] {
        caller.send("POST /Consent", proxy.clone()).expect(409);
        caller.send("POST /Consent", opt_out.clone()).expect(422);
    }
    for organization in ["Organization/gp1", "Organization/app1"] {
        hide(&keeper, organization, &["Consent"]);
    }
    for caller in [&staff, &app] {
        for consent in [&proxy, &opt_out] {
            let id = caller.send("POST /Consent", consent.clone()).expect(201).pointer("/id");
            caller.get(&format!("/Consent/{id}")).expect(404);
            let patch = r#"[{"op":"replace","path":"/dateTime","value":"2027-02-02T10:00:00Z"}]"#;
            let call = keeper.call(&format!("PATCH /Consent/{id}")).body("application/json-patch+json", patch);
            call.send().expect(200);
        }
    }
    keeper.send("POST /Consent", proxy).expect(409);
    keeper.send("POST /Consent", opt_out).expect(422);
}

/// Another order of the same plan, which the patient made elsewhere and shows nobody.
#[test]
fn a_hidden_order_refuses_no_other() {
    let guarded = Guarded::surgery();
    let (keeper, app) = (guarded.hold(&keeper()), guarded.hold(&app()));
    let joan = guarded.hold(&holder("patient"));
    let mut order = example_of("request-reorder-plan-ok.json");
    order["authoredOn"] = json!("2027-03-01T08:00:00Z");
    let first = joan.send("POST /Task", order.clone()).expect(201).pointer("/id");
    app.send("POST /Task", order.clone()).expect(409);
    hide(&keeper, "Organization/app1", &["Task"]);
    let second = app.send("POST /Task", order.clone()).expect(201).pointer("/id");
    joan.send("POST /Task", order).expect(409);
    // The practice sees both and answers each.
    for id in [first, second] {
        let patch = r#"[{"op":"replace","path":"/status","value":"accepted"}]"#;
        let call = keeper.call(&format!("PATCH /Task/{id}")).body("application/json-patch+json", patch);
        call.send().expect(200);
    }
}

/// A practice with a second doctor, that is booked by triage; a booking by the patient, and the two that the app tries beside it: at the same time, and
/// later by the same triage.
fn beside(guarded: &Guarded) -> [Value; 2] {
    let (keeper, app) = (guarded.hold(&keeper()), guarded.hold(&app()));
    let joan = guarded.hold(&holder("patient"));
    for elsewhere in [
        json!({ "resourceType": "Practitioner", "id": "dr2" }),
        json!({ "resourceType": "Schedule", "id": "sch2", "actor": [{ "reference": "Practitioner/dr2" }] }),
        json!({ "resourceType": "Slot", "id": "t0900", "schedule": { "reference": "Schedule/sch2" }, "status": "free",
            "start": "2027-03-08T09:00:00Z", "end": "2027-03-08T09:10:00Z" }),
    ] {
        let url = format!(
            "{}/{}",
            elsewhere["resourceType"].as_str().expect("a type"),
            elsewhere["id"].as_str().expect("an id")
        );
        keeper.send(&format!("PUT /{url}"), elsewhere).expect(201);
    }
    let mut service = keeper.get("/HealthcareService/svc1").expect(200).json();
    service["extension"] =
        json!([{ "url": "https://flint.example/fhir/StructureDefinition/needs-triage", "valueBoolean": true }]);
    keeper.send("PUT /HealthcareService/svc1", service).expect(200);
    let guidance = json!({ "resourceType": "GuidanceResponse", "moduleUri": "https://engine.example/breath", "status": "success",
        "subject": { "reference": "Patient/p1" } });
    let triage = keeper.send("POST /GuidanceResponse", guidance).expect(201).pointer("/id");
    joan.send("POST /Appointment", booking("s0900", "09:00", "09:10", &triage)).expect(201);
    // What the first one has stays its own.
    joan.send("POST /Appointment", booking("s0910", "09:10", "09:20", &triage)).expect(422);
    let mut there = booking("t0900", "09:00", "09:10", &triage);
    there["participant"] = json!([{ "actor": { "reference": "Patient/p1" }, "status": "accepted" }]);
    let next = booking("s0910", "09:10", "09:20", &triage);
    let busy = app.send("POST /Appointment", there.clone()).expect(409);
    assert!(busy.text.contains("`Patient/p1` has another appointment at that time, from"), "{}", busy.text);
    let used = app.send("POST /Appointment", next.clone()).expect(422);
    assert!(used.text.contains("another appointment was booked by the triage"), "{}", used.text);
    hide(&keeper, "Organization/app1", &["Appointment"]);
    [there, next]
}

/// Where patients are at some time, and by which triage they have booked, is told by nothing that they hide.
#[test]
fn a_hidden_appointment_refuses_no_other() {
    let guarded = Guarded::surgery();
    for booking in beside(&guarded) {
        guarded.hold(&app()).send("POST /Appointment", booking).expect(201);
    }
}

/// Where that is the policy nobody is booked twice, whatever they hide, and no more of it is told than that.
#[test]
fn a_hidden_appointment_refuses_another_where_that_is_the_policy() {
    let guarded = Guarded::start_with(|config| {
        config.load.push(example("seed-transaction.json"));
        config.services.hidden_overlap = Overlap::Refuse;
    });
    let [there, next] = beside(&guarded);
    let app = guarded.hold(&app());
    let busy = app.send("POST /Appointment", there).expect(409);
    assert!(busy.text.contains("`Patient/p1` has another appointment"), "{}", busy.text);
    assert!(!busy.text.contains("from 2027"), "{}", busy.text);
    app.send("POST /Appointment", next).expect(201);
}

/// An app, and its place on the waiting list of a patient who hides from it that there are five others.
fn wait_beside_hidden(guarded: &Guarded) -> (Bearer<'_>, Value) {
    let (keeper, app, joan) = (guarded.hold(&keeper()), guarded.hold(&app()), guarded.hold(&holder("patient")));
    hide(&keeper, "Organization/app1", &["Appointment"]);
    let place = json!({ "resourceType": "Appointment", "status": "waitlist",
        "requestedPeriod": [{ "start": "2027-03-08", "end": "2027-03-12" }],
        "participant": [{ "actor": { "reference": "Patient/p1" }, "status": "accepted" },
            { "actor": { "reference": "Practitioner/dr1" }, "status": "accepted" }] });
    for _ in 0..5 {
        joan.send("POST /Appointment", place.clone()).expect(201);
    }
    joan.send("POST /Appointment", place.clone()).expect(422);
    (app, place)
}

/// How many places on the list a patient has is told by no refusal, but that there are absurdly many.
#[test]
fn hidden_places_refuse_no_other() {
    let guarded = Guarded::surgery();
    let (app, place) = wait_beside_hidden(&guarded);
    for _ in 5..50 {
        app.send("POST /Appointment", place.clone()).expect(201);
    }
    app.send("POST /Appointment", place).expect(422);
}

#[test]
fn hidden_places_refuse_another_where_that_is_the_policy() {
    let guarded = Guarded::start_with(|config| {
        config.load.push(example("seed-transaction.json"));
        config.services.hidden_overlap = Overlap::Refuse;
    });
    let (app, place) = wait_beside_hidden(&guarded);
    app.send("POST /Appointment", place).expect(422);
}
