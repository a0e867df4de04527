use flint_tests::{Bearer, Guarded, Holder};
use serde_json::{Value, json};

use super::callers::{holder, keeper};

/// A Consent about p1's privacy.
fn consent(id: &str, provision: Value) -> Value {
    json!({ "resourceType": "Consent", "id": id, "status": "active",
        "scope": { "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy" }] },
        "category": [{ "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "INFA" }] }],
        "patient": { "reference": "Patient/p1" }, "dateTime": "2027-02-01T10:00:00Z",
        "performer": [{ "reference": "Patient/p1" }], "policy": [{ "uri": "http://example.org/policy" }],
        "provision": provision })
}

fn to(key: &str) -> Value {
    json!([{ "role": { "coding": [{ "code": "IRCP" }] }, "reference": { "reference": key } }])
}

fn by(system: &str, value: &str) -> Value {
    json!([{ "role": { "coding": [{ "code": "IRCP" }] }, "reference": { "identifier": { "system": system, "value": value } } }])
}

fn without_id(mut consent: Value) -> Value {
    consent.as_object_mut().expect("an object").remove("id");
    consent
}

/// The app of Organization/app1, which writes whatever its patient could.
pub(super) fn app() -> Holder<'static> {
    Holder {
        scope: "patient/*.cruds",
        user: "Patient/p1",
        patient: "p1",
        organization: "Organization/app1",
        identifiers: &["urn:apps|one"],
        ..Holder::default()
    }
}

/// What an app writes permits nothing to the app, whatever else it permits.
#[test]
fn nobody_permits_anything_to_itself() {
    let guarded = Guarded::surgery();
    let app = guarded.hold(&app());
    let husband = guarded.hold(&holder("proxy"));
    let system = guarded.hold(&Holder { organization: "Organization/app1", ..holder("system") });
    let staff = guarded.hold(&holder("staff"));
    let origin = guarded.flint().base_url().trim_end_matches("/fhir").to_owned();
    let clients = format!("{origin}/auth/clients");
    let permit = |actor: Value| json!({ "type": "permit", "actor": actor });
    let own = by(&clients, &app.client);
    let media = json!([{ "system": "http://hl7.org/fhir/resource-types", "code": "Media" }]);
    let exception = json!({ "type": "deny", "actor": to("Practitioner/dr1"), "provision": [permit(own.clone())] });
    let inherited = json!({ "type": "deny", "actor": own, "provision": [{ "type": "permit" }] });
    let cases: [(&str, &Bearer<'_>, Value, u16); 14] = [
        // What is permitted and denied below hides the patient from these.
        ("a system's own organization", &system, permit(to("Organization/app1")), 403),
        ("the practice writes what it was told", &staff, permit(to("Organization/app1")), 201),
        ("the relative who asks", &husband, permit(to("RelatedPerson/rp1")), 403),
        ("its organization", &app, permit(to("Organization/app1")), 403),
        ("its id", &app, permit(own.clone()), 403),
        ("its identifier", &app, permit(by("urn:apps", "one")), 403),
        ("another app", &app, permit(by(&clients, "another")), 403),
        ("everybody", &app, json!({ "type": "permit" }), 403),
        ("an exception for itself", &app, exception, 403),
        ("an exception that inherits", &app, inherited, 403),
        ("a deny for itself", &app, json!({ "type": "deny", "actor": own, "class": media }), 201),
        ("a deny for everybody", &app, json!({ "type": "deny" }), 201),
        ("an organization", &app, permit(to("Organization/gp1")), 201),
        ("a relative", &app, permit(to("RelatedPerson/rp1")), 201),
    ];
    for (name, caller, provision, status) in cases {
        let reply = caller.send("POST /Consent", without_id(consent("-", provision)));
        assert_eq!(reply.status, status, "{name}: {}", reply.text);
        if status == 403 {
            assert!(reply.text.contains("includes who asks, or is an app"), "{name}: {}", reply.text);
        }
    }
}

/// An app lifts nothing that is denied to apps, and of what is permitted to others it changes nothing but that it ends.
#[test]
fn no_app_takes_back_what_narrows_apps() {
    let guarded = Guarded::surgery();
    let keeper = guarded.hold(&keeper());
    let app = guarded.hold(&app());
    let mind = json!([{ "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "PSY" }]);
    let deny = |actor: Value| json!({ "type": "deny", "actor": actor, "securityLabel": mind });
    keeper.send("PUT /Consent/own-deny", consent("own-deny", deny(to("Organization/app1")))).expect(201);
    keeper.send("PUT /Consent/other-deny", consent("other-deny", deny(to("Organization/gp1")))).expect(201);
    keeper.send("PUT /Consent/doctor-deny", consent("doctor-deny", deny(to("Practitioner/dr1")))).expect(201);
    let permit =
        json!({ "type": "permit", "actor": to("Organization/gp1"), "provision": [deny(to("Organization/gp1"))] });
    keeper.send("PUT /Consent/other-permit", consent("other-permit", permit)).expect(201);
    app.get("/Condition/sens1").expect(404);

    let status = |id: &str, status: &str| {
        let patch = json!([{ "op": "replace", "path": "/status", "value": status }]).to_string();
        app.call(&format!("PATCH /Consent/{id}")).body("application/json-patch+json", patch).send().status
    };
    let put = |id: &str, change: &dyn Fn(&mut Value)| {
        let mut changed = keeper.get(&format!("/Consent/{id}")).expect(200).json();
        change(&mut changed);
        app.send(&format!("PUT /Consent/{id}"), changed).status
    };
    let delete = |id: &str| app.call(&format!("DELETE /Consent/{id}")).send().status;
    for id in ["own-deny", "other-deny"] {
        assert_eq!(status(id, "inactive"), 403, "{id}");
        assert_eq!(delete(id), 403, "{id}");
        assert_eq!(
            put(id, &|consent| consent["provision"] = json!({ "type": "deny", "actor": to("Practitioner/dr1") })),
            403
        );
        assert_eq!(put(id, &|consent| consent["scope"]["coding"][0]["code"] = json!("treatment")), 403, "{id}");
        assert_eq!(
            put(id, &|consent| consent["dateTime"] = json!("2027-02-02T10:00:00Z")),
            200,
            "{id} decides the same"
        );
    }
    app.get("/Condition/sens1").expect(404);
    assert_eq!(status("doctor-deny", "inactive"), 200, "a patient shares with a doctor again");
    assert_eq!(
        put("other-permit", &|consent| consent["provision"] =
            json!({ "type": "permit", "actor": to("Organization/gp1") })),
        403
    );
    keeper.call("DELETE /Consent/other-deny").send().expect(204);

    // The whole of a permit goes, and does not come back.
    let whole = json!({ "type": "permit", "actor": to("Organization/gp1") });
    keeper.send("PUT /Consent/whole", consent("whole", whole)).expect(201);
    assert_eq!(put("whole", &|consent| consent["provision"]["period"] = json!({ "end": "2030" })), 403);
    assert_eq!(status("whole", "inactive"), 200);
    assert_eq!(status("whole", "active"), 403);
    // What was decided stays on record, whoever asks; the record keeper alone deletes.
    assert_eq!(delete("whole"), 403);
    let staff = guarded.hold(&holder("staff"));
    staff.call("DELETE /Consent/whole").send().expect(403).facts(&[("/issue/0/code", "forbidden")]);
    let mut draft = without_id(consent("-", json!({ "type": "deny", "actor": to("Practitioner/dr1") })));
    draft["status"] = json!("draft");
    let draft = app.send("POST /Consent", draft).expect(201).json();
    assert_eq!(delete(draft["id"].as_str().expect("an id")), 204, "it never counted");
    keeper.call("DELETE /Consent/whole").send().expect(204);
}

/// A permit is also what an organization is shown no more than: ending it is not for whom it narrows.
#[test]
fn nobody_ends_what_narrows_itself() {
    let guarded = Guarded::surgery();
    let keeper = guarded.hold(&keeper());
    let system = guarded.hold(&Holder { organization: "Organization/app1", ..holder("system") });
    let app = guarded.hold(&app());
    let class = |name: &str| json!({ "system": "http://hl7.org/fhir/resource-types", "code": name });
    let few = ["Patient", "AllergyIntolerance", "Consent"].map(class);
    let narrow = |actor: Value| json!({ "type": "permit", "actor": actor, "class": few });
    keeper.send("PUT /Consent/narrow", consent("narrow", narrow(to("Organization/app1")))).expect(201);
    keeper.send("PUT /Consent/share-app", consent("share-app", narrow(to("Organization/app1")))).expect(200);
    system.get("/AllergyIntolerance/all1").expect(200);
    for caller in [&system, &app] {
        let patch = r#"[{"op":"replace","path":"/status","value":"inactive"}]"#;
        let call = caller.call("PATCH /Consent/narrow").body("application/json-patch+json", patch);
        let told = call.send().expect(403).text;
        assert!(told.contains("without it that may be more"), "{told}");
        caller.call("DELETE /Consent/narrow").send().expect(403);
    }
    system.get("/Condition/copd1").expect(404);
    keeper.send("PUT /Consent/other", consent("other", narrow(to("Organization/gp1")))).expect(201);
    let patch = r#"[{"op":"replace","path":"/status","value":"inactive"}]"#;
    app.call("PATCH /Consent/other").body("application/json-patch+json", patch).send().expect(200);
}

/// However many consents an app writes, it closes the record to nobody.
#[test]
fn no_app_writes_all_the_consents_that_a_patient_may_have() {
    let guarded = Guarded::surgery();
    let app = guarded.hold(&app());
    let another = guarded.hold(&self::app());
    let deny = || without_id(consent("-", json!({ "type": "deny", "actor": to("Practitioner/dr1") })));
    for _ in 0..50 {
        app.send("POST /Consent", deny()).expect(201);
    }
    let refused = app.send("POST /Consent", deny()).expect(422);
    refused.facts(&[("/issue/0/code", "business-rule"), ("/issue/0/expression/0", "Consent.patient")]);
    another.send("POST /Consent", deny()).expect(201);
    app.get("/Condition/copd1").expect(200);
}
