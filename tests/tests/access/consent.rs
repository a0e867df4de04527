use std::time::Duration;

use flint_tests::{Guarded, Holder};
use serde_json::json;

/// After it the consents of examples/surgery, which begin in 2027, are over.
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The app of examples/surgery, with the consent that its patient gave it.
const APP: Holder<'static> = Holder {
    scope: "patient/*.rs",
    user: "Patient/p1",
    patient: "p1",
    consents: &["Consent/share-app"],
    organization: "Organization/app1",
    purposes: &["PATRQT"],
    identifiers: &[],
    custodian: false,
};

/// The app sees what the consent permits, and nothing lets it infer the rest.
#[test]
fn an_app_sees_what_the_consent_permits() {
    let guarded = Guarded::surgery();
    let app = guarded.hold(&APP);
    app.get("/Condition").expect(200).facts(&[("/total", "1"), ("/entry/0/resource/id", "copd1"), ("/entry/1", "-")]);
    app.get("/Condition/copd1").expect(200);
    app.get("/Condition/sens1").expect(404);
    app.get("/Condition/sens1/_history").expect(404);
    app.get("/Condition/sens1/_history/1").expect(404);
    app.get("/Condition?_id=sens1&_total=accurate").expect(200).facts(&[("/total", "0")]);
    app.get("/Patient?_has:Condition:patient:code=35489007").expect(200).facts(&[("/total", "0")]);
    app.get("/Patient?_has:Condition:patient:code=13645005").expect(200).facts(&[("/total", "1")]);
    let included = app.get("/Patient?_id=p1&_revinclude=Condition:patient").expect(200);
    assert_eq!(included.keys("include"), ["Condition/copd1"]);
    let history = app.get("/Condition/_history").expect(200);
    assert!(!history.text.contains("sens1") && history.text.contains("copd1"), "{}", history.text);
    app.get("/Patient/p2").expect(404);
    app.get("/Observation?patient=p2").expect(200).facts(&[("/total", "0")]);
}

/// What the patient or the time ends has ended for tokens that were given out before.
#[test]
fn a_consent_that_ended_shows_nothing() {
    let guarded = Guarded::surgery();
    let (app, practice) = (guarded.hold(&APP), guarded.hold(&keeper()));
    app.get("/Condition/copd1").expect(200);
    let patch = json!([{ "op": "replace", "path": "/status", "value": "inactive" }]).to_string();
    let call = practice.call("PATCH /Consent/share-app").body("application/json-patch+json", patch);
    call.send().expect(200);
    app.get("/Condition/copd1").expect(404);
    app.get("/Condition").expect(200).facts(&[("/total", "0")]);
    let patch = json!([{ "op": "replace", "path": "/status", "value": "active" }]).to_string();
    let call = practice.call("PATCH /Consent/share-app").body("application/json-patch+json", patch);
    call.send().expect(200);
    app.get("/Condition/copd1").expect(200);
}

/// The period of the surgery's consent ends with the year.
#[test]
fn a_consent_whose_time_is_over_shows_nothing() {
    let guarded = Guarded::surgery();
    guarded.advance(YEAR);
    let app = guarded.hold(&APP);
    app.get("/Condition").expect(200).facts(&[("/total", "0")]);
    app.get("/Patient/p1").expect(404);
}

/// Who opted out of research is not counted by it; treatment goes on.
#[test]
fn opted_out_patients_are_not_in_research() {
    let guarded = Guarded::surgery();
    let asks = |purposes| guarded.hold(&Holder { scope: "system/*.rs", purposes, ..Holder::default() });
    let (research, treatment) = (asks(&["HRESCH"]), asks(&["TREAT"]));
    research.get("/Patient?_summary=count").expect(200).facts(&[("/total", "2")]);
    treatment.get("/Patient?_summary=count").expect(200).facts(&[("/total", "3")]);
    research.get("/Patient/p1").expect(404);
    treatment.get("/Patient/p1").expect(200);
}

/// A husband sees her record by the consent that names him, and sees it no more when that is not active.
#[test]
fn a_proxy_sees_by_the_consent_that_names_him() {
    let guarded = Guarded::surgery();
    let husband = Holder {
        scope: "patient/*.rs patient/Appointment.c",
        user: "RelatedPerson/rp1",
        patient: "p1",
        consents: &["Consent/share-husband"],
        ..Holder::default()
    };
    let (proxy, practice) = (guarded.hold(&husband), guarded.hold(&keeper()));
    proxy.get("/Condition/copd1").expect(200);
    proxy.get("/Patient/p2").expect(404);
    let inactive = json!({ "op": "replace", "path": "/status", "value": "inactive" });
    // As NHS England's examples have it: a list at the end of one that is not there yet.
    let reason = json!({ "op": "add", "path": "/extension/-", "value": [{
        "url": "https://fhir.nhs.uk/England/StructureDefinition/Extension-England-Consent-Status-Reason",
        "valueCodeableConcept": { "coding": [{
            "system": "https://fhir.nhs.uk/England/CodeSystem/England-ConsentStatusReason",
            "code": "ROLE_DEACTIVATED_PATIENT_REQUEST"
        }] }
    }] });
    let patch = |operations: serde_json::Value| {
        let call = practice.call("PATCH /Consent/share-husband");
        call.body("application/json-patch+json", operations.to_string()).send()
    };
    patch(json!([inactive])).expect(422);
    proxy.get("/Condition/copd1").expect(200);
    patch(json!([inactive, reason])).expect(200);
    proxy.get("/Condition/copd1").expect(404);
}

/// The practice's own system.
fn keeper() -> Holder<'static> {
    Holder { scope: "system/*.cruds", custodian: true, ..Holder::default() }
}
