use std::time::Duration;

use flint_tests::{Guarded, Holder, Reply};
use serde_json::{Value, json};

const DOCTOR: Holder<'static> = Holder {
    scope: "user/*.rs",
    user: "Practitioner/dr1",
    patient: "",
    consents: &[],
    organization: "Organization/gp1",
    purposes: &["TREAT"],
    identifiers: &[],
    custodian: false,
};

/// Joan hides everything from everybody.
fn dissent() -> Value {
    json!({
        "resourceType": "Consent", "id": "dissent", "status": "active",
        "scope": { "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy" }] },
        "category": [{ "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "INFA" }] }],
        "patient": { "reference": "Patient/p1" }, "dateTime": "2027-02-01T10:00:00Z",
        "performer": [{ "reference": "Patient/p1" }], "organization": [{ "reference": "Organization/gp1" }],
        "policy": [{ "uri": "http://example.org/policy/none" }], "provision": { "type": "deny" }
    })
}

fn reason(text: &str) -> Value {
    json!({ "resourceType": "Parameters", "parameter": [{ "name": "reason", "valueString": text }] })
}

fn guarded() -> Guarded {
    let guarded = Guarded::surgery();
    let keeper = guarded.hold(&Holder { scope: "system/*.cruds", custodian: true, ..Holder::default() });
    keeper.send("PUT /Consent/dissent", dissent()).expect(201);
    guarded
}

#[test]
fn an_emergency_shows_what_was_hidden_for_an_hour() {
    let guarded = guarded();
    let (doctor, colleague) = (guarded.hold(&DOCTOR), guarded.hold(&Holder { user: "Practitioner/dr2", ..DOCTOR }));
    let joan = guarded.hold(&Holder { scope: "patient/*.rs", user: "Patient/p1", patient: "p1", ..Holder::default() });
    doctor.get("/Condition/copd1").expect(404);
    doctor.get("/Condition?patient=p1").expect(200).facts(&[("/total", "0")]);
    let declared = doctor.send("POST /Patient/p1/$break-glass", reason("found unconscious")).expect(200);
    declared.facts(&[
        ("/parameter/0/valueInstant", "2027-03-01T09:*"),
        ("/parameter/1/valueReference/reference", "Communication/*"),
    ]);
    doctor.get("/Condition/copd1").expect(200);
    colleague.get("/Condition/copd1").expect(404);
    joan.get("/Communication?category=alert").expect(200).facts(&[
        ("/total", "1"),
        ("/entry/0/resource/sender/reference", "Practitioner/dr1"),
        ("/entry/0/resource/payload/0/contentString", "*found unconscious"),
    ]);
    let events = joan.get("/AuditEvent?_sort=date").expect(200);
    assert!(events.text.contains("BTG") && events.text.contains("found unconscious"), "{}", events.text);
    guarded.advance(Duration::from_secs(60 * 60));
    let doctor = guarded.hold(&DOCTOR);
    doctor.get("/Condition/copd1").expect(404);
}

#[test]
fn only_a_practitioner_declares_an_emergency_and_says_why() {
    let guarded = guarded();
    let doctor = guarded.hold(&DOCTOR);
    let declare = |holder: &Holder<'_>| -> Reply {
        guarded.hold(holder).send("POST /Patient/p1/$break-glass", reason("found unconscious"))
    };
    declare(&Holder { scope: "patient/*.cruds", user: "Patient/p2", patient: "p2", ..Holder::default() }).expect(403);
    declare(&Holder { scope: "patient/*.rs", patient: "p1", ..DOCTOR }).expect(403);
    declare(&Holder { scope: "system/*.cruds", ..Holder::default() }).expect(403);
    declare(&Holder { scope: "user/Slot.rs", ..DOCTOR }).expect(403);
    doctor.send("POST /Patient/p1/$break-glass", reason(" ")).expect(422);
    doctor.send("POST /Patient/p1/$break-glass", json!({ "resourceType": "Parameters" })).expect(422);
    doctor.send("POST /Patient/p1/$break-glass", reason(&"x".repeat(1_001))).expect(413);
    doctor.send("POST /Patient/p9/$break-glass", reason("x")).expect(404);
    doctor.get("/Patient/p1/$break-glass?reason=x").expect(405);
    doctor.get("/Condition/copd1").expect(404);
}

/// Who declared an emergency does not take back what told the patient of it, and nobody else pretends to be the server.
#[test]
fn nobody_changes_what_told_the_patient() {
    let guarded = guarded();
    let doctor = guarded.hold(&Holder { scope: "user/*.cruds", ..DOCTOR });
    let keeper = guarded.hold(&Holder { scope: "system/*.cruds", custodian: true, ..Holder::default() });
    let joan =
        guarded.hold(&Holder { scope: "patient/*.cruds", user: "Patient/p1", patient: "p1", ..Holder::default() });
    let declared = doctor.send("POST /Patient/p1/$break-glass", reason("found unconscious")).expect(200).json();
    let key = declared["parameter"][1]["valueReference"]["reference"].as_str().expect("a reference").to_owned();
    let told = joan.get(&format!("/{key}")).expect(200).json();
    for caller in [&doctor, &keeper, &joan] {
        let mut changed = told.clone();
        changed["payload"][0]["contentString"] = json!("nothing of interest");
        caller.send(&format!("PUT /{key}"), changed.clone()).expect(405);
        changed["extension"] = json!([]);
        changed.as_object_mut().expect("an object").remove("extension");
        caller.send(&format!("PUT /{key}"), changed).expect(405);
        for patch in [
            r#"[{"op":"replace","path":"/status","value":"entered-in-error"}]"#,
            r#"[{"op":"remove","path":"/extension"}]"#,
        ] {
            let call = caller.call(&format!("PATCH /{key}")).body("application/json-patch+json", patch);
            call.send().expect(405);
        }
        caller.call(&format!("DELETE /{key}")).send().expect(405);
        let mut copy = told.clone();
        copy.as_object_mut().expect("an object").remove("id");
        caller.send("POST /Communication", copy).expect(405);
        let bundle = json!({ "resourceType": "Bundle", "type": "transaction",
            "entry": [{ "request": { "method": "DELETE", "url": key } }] });
        caller.send("POST /", bundle).expect(405);
    }
    assert_eq!(joan.get(&format!("/{key}")).expect(200).json(), told);
    let mut own = told;
    let object = own.as_object_mut().expect("an object");
    object.remove("id");
    object.remove("extension");
    doctor.send("POST /Communication", own).expect(201);
}
