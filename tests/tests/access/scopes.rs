use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flint_tests::{Bearer, Guarded, Holder, example};
use serde_json::{Value, json};

use super::callers::{end_consents, holder, keeper};

/// The patient p1 with an app that has these scopes.
fn own(scope: &str) -> Holder<'_> {
    Holder { scope, user: "Patient/p1", patient: "p1", ..Holder::default() }
}

fn observation(id: &str, category: &str, patient: &str) -> Value {
    json!({ "resourceType": "Observation", "id": id, "status": "final", "code": { "text": "x" }, "subject": { "reference": format!("Patient/{patient}") },
        "category": [{ "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": category }] }] })
}

fn without_id(mut resource: Value) -> Value {
    resource.as_object_mut().expect("an object").remove("id");
    resource
}

fn booking(slot: &str, patient: &str) -> Value {
    let text = std::fs::read_to_string(example("request-book-one-slot.json")).expect("a file");
    serde_json::from_str(&text.replace("s0900", slot).replace("Patient/p1", &format!("Patient/{patient}")))
        .expect("JSON")
}

/// What each scope lets be done with an Observation: read, search, create, update, delete; 200 and its like as `+`.
#[test]
fn scopes_grant_what_they_say() {
    let guarded = Guarded::surgery();
    let cases = [
        ("patient/*.read", "+ + 403 403 403"),
        ("patient/Observation.read", "+ + 403 403 403"),
        ("patient/Observation.write", "403 403 + + +"),
        ("patient/*.*", "+ + + + +"),
        ("patient/Observation.r", "+ 403 403 403 403"),
        ("patient/Observation.s", "403 + 403 403 403"),
        ("patient/Observation.c", "403 403 + 403 403"),
        ("patient/Observation.u", "403 403 403 + 403"),
        ("patient/Observation.d", "403 403 403 403 +"),
        ("patient/*.cruds", "+ + + + +"),
        ("patient/Condition.cruds", "403 403 403 403 403"),
        ("patient/Observation.rs patient/Observation.c", "+ + + 403 403"),
        ("user/Observation.rs", "+ + 403 403 403"),
        ("openid fhirUser", "403 403 403 403 403"),
    ];
    for (scope, expected) in cases {
        let app = guarded.hold(&own(scope));
        let keeper = guarded.hold(&keeper());
        keeper.send("PUT /Observation/mine", observation("mine", "vital-signs", "p1"));
        let statuses = [
            app.get("/Observation/mine").status,
            app.get("/Observation").status,
            app.send("POST /Observation", without_id(observation("", "vital-signs", "p1"))).status,
            app.send("PUT /Observation/mine", observation("mine", "laboratory", "p1")).status,
            app.call("DELETE /Observation/mine").send().status,
        ];
        let told = |status: &u16| if (200..300).contains(status) { "+".to_owned() } else { status.to_string() };
        assert_eq!(statuses.iter().map(told).collect::<Vec<_>>().join(" "), expected, "{scope}");
    }
}

/// A scope with parameters grants what satisfies them, read or written.
#[test]
fn granular_scopes_narrow_what_is_seen_and_written() {
    let guarded = Guarded::surgery();
    let keeper = guarded.hold(&keeper());
    keeper.send("PUT /Observation/vital", observation("vital", "vital-signs", "p1")).expect(201);
    keeper.send("PUT /Observation/lab", observation("lab", "laboratory", "p1")).expect(201);
    keeper.send("PUT /Observation/other", observation("other", "vital-signs", "p2")).expect(201);
    let category = "http://terminology.hl7.org/CodeSystem/observation-category|laboratory";
    let app = guarded.hold(&own(&format!("patient/Observation.cruds?category={category}")));
    app.get("/Observation/lab").expect(200);
    app.get("/Observation/vital").expect(404);
    app.get("/Observation/other").expect(404);
    app.get("/Observation?_total=accurate").expect(200).facts(&[("/total", "1"), ("/entry/0/resource/id", "lab")]);
    app.get("/Observation?category=vital-signs&_total=accurate").expect(200).facts(&[("/total", "0")]);
    let history = app.get("/Observation/_history").expect(200);
    assert!(!history.text.contains("vital-signs"), "{}", history.text);
    app.send("POST /Observation", without_id(observation("", "laboratory", "p1"))).expect(201);
    app.send("POST /Observation", without_id(observation("", "vital-signs", "p1"))).expect(403);
    app.send("POST /Observation", without_id(observation("", "laboratory", "p2"))).expect(403);
    app.send("PUT /Observation/lab", observation("lab", "vital-signs", "p1")).expect(403);
    app.send("PUT /Observation/vital", observation("vital", "laboratory", "p1")).expect(404);
    app.call("DELETE /Observation/vital").send().expect(204);
    keeper.get("/Observation/vital").expect(200);
    app.get("/Condition/copd1").expect(403);
}

/// Nothing of a user's own scopes reaches beyond a patient's record, where the user is a patient or acts for one.
#[test]
fn scopes_of_users_who_are_patients_stay_in_their_record() {
    let guarded = Guarded::surgery();
    end_consents(&guarded.hold(&keeper()));
    let proxy = Holder { user: "RelatedPerson/rp1", patient: "p1", scope: "user/*.cruds", ..Holder::default() };
    let cases = [
        (own("user/*.cruds"), 200),
        (Holder { patient: "", ..own("user/*.cruds") }, 404),
        (Holder { consents: &["Consent/share-husband"], ..proxy.clone() }, 200),
        (Holder { consents: &["Consent/left-husband"], ..proxy.clone() }, 404),
        (proxy, 404),
    ];
    for (holder, own) in cases {
        let caller = guarded.hold(&holder);
        let seen = |line: &str| caller.get(line).status;
        // Who may see nothing of a type is not asked which.
        let own = if holder.patient.is_empty() { 403 } else { own };
        assert_eq!(seen("/Condition/copd1"), own, "{holder:?}");
        assert!([403, 404].contains(&seen("/Patient/p2")), "{holder:?}");
        assert!(
            [403, 404]
                .contains(&caller.call("PATCH /Patient/p2").body("application/json-patch+json", "[]").send().status)
        );
        let all = caller.get("/Patient?_total=accurate");
        assert!(all.status == 403 || !all.text.contains("Patient/p2"), "{holder:?}: {}", all.text);
    }
}

/// A doctor's launch for one patient hides what others hide from the doctor.
#[test]
fn a_patient_in_context_shows_nobody_else() {
    let guarded = Guarded::surgery();
    let keeper = guarded.hold(&keeper());
    let mut dissent = keeper.get("/Consent/ndop").expect(200).json();
    dissent["id"] = json!("dissent");
    dissent["scope"]["coding"][0]["code"] = json!("patient-privacy");
    dissent["patient"] = json!({ "reference": "Patient/p2" });
    dissent["provision"] = json!({ "type": "deny" });
    keeper.send("PUT /Consent/dissent", dissent).expect(201);
    let doctor = Holder { purposes: &["TREAT"], ..holder("staff") };
    for doctor in [doctor.clone(), Holder { patient: "p1", ..doctor.clone() }, Holder { patient: "p3", ..doctor }] {
        let caller = guarded.hold(&doctor);
        caller.get("/Patient/p1").expect(200);
        assert_eq!(caller.get("/Patient/p2").status, 404, "{doctor:?}");
        caller.get("/Patient?_summary=count").expect(200).facts(&[("/total", "2")]);
    }
}

/// Entry by entry: some are refused, the rest is done.
#[test]
fn a_batch_is_judged_entry_by_entry() {
    let guarded = Guarded::surgery();
    let app = guarded.hold(&own("patient/Observation.crus patient/Condition.rs"));
    let get = |url: &str| json!({ "request": { "method": "GET", "url": url } });
    let post = |resource: Value| {
        let name = resource["resourceType"].clone();
        json!({ "resource": without_id(resource), "request": { "method": "POST", "url": name } })
    };
    let condition = json!({ "resourceType": "Condition", "subject": { "reference": "Patient/p1" } });
    let entries = vec![
        (get("Condition/copd1"), "200"),
        (get("Patient/p1"), "403"),
        (get("Condition/none"), "404"),
        (post(observation("", "laboratory", "p1")), "201"),
        (post(observation("", "laboratory", "p2")), "403"),
        (post(condition), "403"),
        (
            json!({ "resource": observation("spo2-1", "laboratory", "p1"), "request": { "method": "PUT", "url": "Observation/spo2-1" } }),
            "200",
        ),
        (
            json!({ "resource": observation("new", "laboratory", "p1"), "request": { "method": "PUT", "url": "Observation/new" } }),
            "404",
        ),
        (json!({ "request": { "method": "DELETE", "url": "Observation/spo2-1" } }), "403"),
        (get("Observation?_summary=count"), "200"),
    ];
    let (entries, expected): (Vec<_>, Vec<_>) = entries.into_iter().unzip();
    let bundle = |kind: &str| json!({ "resourceType": "Bundle", "type": kind, "entry": entries });
    let answer = app.send("POST /", bundle("batch")).expect(200).json();
    let statuses: Vec<_> = answer["entry"]
        .as_array()
        .expect("entries")
        .iter()
        .map(|entry| entry["response"]["status"].as_str().expect("a status")[..3].to_owned())
        .collect();
    assert_eq!(statuses, expected);
    let before = app.get("/Observation?_summary=count").pointer("/total");
    app.send("POST /", bundle("transaction")).expect(403);
    app.get("/Observation?_summary=count").expect(200).facts(&[("/total", &before)]);
}

/// A patient books by the rule: the slot follows, and cannot be written.
#[test]
fn a_patient_books_and_never_writes_a_slot() {
    let guarded = Guarded::surgery();
    let app = guarded.hold(&own("patient/*.cruds"));
    app.get("/Slot?status=free&_summary=count").expect(200);
    let mut slot = app.get("/Slot/s0900").expect(200).json();
    slot["status"] = json!("busy");
    app.send("PUT /Slot/s0900", slot.clone()).expect(403);
    app.send("POST /Slot", without_id(slot)).expect(403);
    app.call("DELETE /Slot/s0900").send().expect(403);
    app.call("PATCH /Slot/s0900")
        .body("application/json-patch+json", r#"[{"op":"replace","path":"/status","value":"busy"}]"#)
        .send()
        .expect(403);
    app.send("POST /Appointment", booking("s0900", "p2")).expect(403);
    app.get("/Slot/s0900").expect(200).facts(&[("/status", "free")]);
    let booked = app.send("POST /Appointment", booking("s0900", "p1")).expect(201);
    app.get("/Slot/s0900").expect(200).facts(&[("/status", "busy")]);
    let other = guarded.hold(&Holder { user: "Patient/p2", patient: "p2", ..own("patient/*.cruds") });
    other.get(&format!("/Appointment/{}", booked.pointer("/id"))).expect(404);
    let taken = other.send("POST /Appointment", booking("s0900", "p2")).expect(409);
    assert!(!taken.text.contains(&booked.pointer("/id")) && !taken.text.contains("Patient/p1"), "{}", taken.text);
}

/// What belongs to the server is not a patient's to write, whatever the scope.
#[test]
fn patients_write_no_definitions_and_no_audit() {
    let guarded = Guarded::surgery();
    let keeper = guarded.hold(&keeper());
    let parameter = json!({ "resourceType": "SearchParameter", "id": "x", "url": "urn:x", "name": "X", "status": "active", "description": "x", "code": "x",
        "base": ["Patient"], "type": "string", "expression": "Patient.id" });
    let profile = json!({ "resourceType": "StructureDefinition", "id": "x", "url": "urn:x", "name": "X", "status": "active", "kind": "resource", "abstract": false, "type": "Patient" });
    let event = keeper.get("/AuditEvent?_count=1").expect(200).json()["entry"][0]["resource"].clone();
    for scope in ["patient/*.cruds", "user/*.cruds"] {
        let app = guarded.hold(&own(scope));
        for resource in [&parameter, &profile, &event] {
            let name = resource["resourceType"].as_str().expect("a type");
            let key = format!("{name}/{}", resource["id"].as_str().expect("an id"));
            app.send(&format!("POST /{name}"), without_id(resource.clone())).expect(403);
            app.send(&format!("PUT /{key}"), resource.clone()).expect(403);
            app.call(&format!("DELETE /{key}")).send().expect(403);
        }
    }
    audit_stands(&keeper, &event);
    audit_stands(&guarded.hold(&holder("staff")), &event);
    keeper
        .get(&format!("/AuditEvent/{}", event["id"].as_str().expect("an id")))
        .expect(200)
        .facts(&[("etag", "W/\"1\"")]);
}

fn audit_stands(caller: &Bearer<'_>, event: &Value) {
    let key = format!("AuditEvent/{}", event["id"].as_str().expect("an id"));
    let refused = [
        caller.send(&format!("PUT /{key}"), event.clone()).status,
        caller
            .call(&format!("PATCH /{key}"))
            .body("application/json-patch+json", r#"[{"op":"remove","path":"/outcome"}]"#)
            .send()
            .status,
        caller.call(&format!("DELETE /{key}")).send().status,
        caller.call("DELETE /AuditEvent?action=R").send().status,
    ];
    assert!(refused.iter().all(|status| [403, 404, 405].contains(status)), "{refused:?}");
}

/// The consents on which an access rests are not its own to change.
#[test]
fn nobody_extends_the_consent_that_the_access_rests_on() {
    let guarded = Guarded::surgery();
    let keeper = guarded.hold(&keeper());
    for (name, id) in [("app", "share-app"), ("proxy", "share-husband")] {
        let caller = guarded.hold(&holder(name));
        let mut wider = keeper.get(&format!("/Consent/{id}")).expect(200).json();
        wider["provision"] = json!({ "type": "permit" });
        assert_eq!(caller.send(&format!("PUT /Consent/{id}"), wider).status, 403, "{name}");
        let patch = r#"[{"op":"remove","path":"/provision/period"}]"#;
        let patched = caller.call(&format!("PATCH /Consent/{id}")).body("application/json-patch+json", patch).send();
        assert_eq!(patched.status, 403, "{name}");
    }
}

/// Patients, and those who act for them, change how the patient is reached, and not who that is.
#[test]
fn a_patient_stays_who_it_is() {
    let guarded = Guarded::surgery();
    let keeper = guarded.hold(&keeper());
    for name in ["patient", "proxy", "app"] {
        let caller = guarded.hold(&holder(name));
        let patient = caller.get("/Patient/p1").expect(200).json();
        let with = |element: &str, value: Value| {
            let mut changed = patient.clone();
            changed[element] = value;
            changed
        };
        for changed in [
            with("identifier", json!([{ "system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9000000017" }])),
            with("identifier", json!([])),
            with("birthDate", json!("2001-01-01")),
            with("_birthDate", json!({ "extension": [{ "url": "urn:x", "valueString": "y" }] })),
            with("deceasedBoolean", json!(true)),
            with("active", json!(false)),
            with("link", json!([{ "type": "seealso", "other": { "reference": "Patient/p1" } }])),
            with("generalPractitioner", json!([{ "display": "Another" }])),
        ] {
            let status = caller.send("PUT /Patient/p1", changed.clone()).status;
            assert!([403, 422].contains(&status), "{name} {status}: {changed}");
        }
        let patch = r#"[{"op":"remove","path":"/identifier"}]"#;
        caller.call("PATCH /Patient/p1").body("application/json-patch+json", patch).send().expect(403);
        caller.call("DELETE /Patient/p1").send().expect(403);
        caller.send("PUT /Patient/p1", with("telecom", json!([{ "system": "phone", "value": name }]))).expect(200);
    }
    let patient = keeper.get("/Patient/p1").expect(200).json();
    assert_eq!(patient["telecom"][0]["value"], "app");
    guarded
        .hold(&holder("staff"))
        .send("PUT /Patient/p1", {
            let mut changed = patient;
            changed["birthDate"] = json!("2001-01-01");
            changed
        })
        .expect(200);
}

/// By identifiers and roles consents and sign-ins mean people and organizations: whoever is meant does not say so.
#[test]
fn nobody_takes_the_name_of_another() {
    let guarded = Guarded::surgery();
    let keeper = guarded.hold(&keeper());
    keeper.send(
        "PUT /PractitionerRole/dr1role",
        json!({ "resourceType": "PractitionerRole", "id": "dr1role",
        "practitioner": { "reference": "Practitioner/dr1" }, "organization": { "reference": "Organization/gp1" } }),
    );
    let system = guarded.hold(&Holder {
        scope: "system/*.cruds",
        purposes: &["TREAT"],
        organization: "Organization/gp1",
        ..Holder::default()
    });
    let staff = guarded.hold(&Holder { scope: "user/*.cruds", ..holder("staff") });
    let own =
        guarded.hold(&Holder { scope: "patient/*.cruds", user: "Patient/p1", patient: "p1", ..Holder::default() });
    let proxy = guarded.hold(&Holder { scope: "patient/*.cruds", ..holder("proxy") });
    let number = json!([{ "system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9434765919" }]);
    let ods = json!([{ "system": "https://fhir.nhs.uk/Id/ods-organization-code", "value": "RYE" }]);
    let with = |key: &str, name: &str, value: &Value| {
        let mut resource = keeper.get(&format!("/{key}")).expect(200).json();
        resource[name] = value.clone();
        resource
    };
    let refused = |caller: &Bearer<'_>, line: &str, resource: Value, element: &str| {
        caller
            .send(line, resource)
            .expect(403)
            .facts(&[("/issue/0/details/coding/0/code", "ACCESS_DENIED"), ("/issue/0/expression/0", element)]);
    };
    for caller in [&own, &proxy] {
        let line = "PUT /RelatedPerson/rp1";
        refused(caller, line, with("RelatedPerson/rp1", "identifier", &number), "RelatedPerson.identifier");
        let mut new = with("RelatedPerson/rp1", "identifier", &number);
        new.as_object_mut().expect("an object").remove("id");
        refused(caller, "POST /RelatedPerson", new, "RelatedPerson.identifier");
    }
    let line = "PUT /Practitioner/dr1";
    refused(&staff, line, with("Practitioner/dr1", "identifier", &ods), "Practitioner.identifier");
    refused(
        &staff,
        "PUT /PractitionerRole/dr1role",
        with("PractitionerRole/dr1role", "identifier", &ods),
        "PractitionerRole.identifier",
    );
    let role = json!({ "resourceType": "PractitionerRole", "practitioner": { "reference": "Practitioner/dr1" } });
    refused(&staff, "POST /PractitionerRole", role.clone(), "PractitionerRole.practitioner");
    for caller in [&staff, &system] {
        refused(
            caller,
            "PUT /Organization/gp1",
            with("Organization/gp1", "identifier", &ods),
            "Organization.identifier",
        );
    }
    // What names nobody they may say, and a directory others than its own.
    staff.send("PUT /Organization/gp1", with("Organization/gp1", "name", &json!("The surgery"))).expect(200);
    system
        .send(
            "PUT /Organization/other",
            json!({ "resourceType": "Organization", "id": "other", "identifier": ods, "name": "x" }),
        )
        .expect(201);
    system.send("POST /PractitionerRole", role).expect(201);
}

/// What may be changed and not read is changed, and not shown.
#[test]
fn writes_show_what_may_be_read() {
    let guarded = Guarded::surgery();
    let keeper = guarded.hold(&keeper());
    keeper.send("PUT /Observation/mine", observation("mine", "vital-signs", "p1")).expect(201);
    let (writes, reads) =
        (guarded.hold(&own("patient/Observation.cus")), guarded.hold(&own("patient/Observation.rus")));
    let patch = |value: Value| json!({ "resourceType": "Binary", "contentType": "application/json-patch+json", "data": STANDARD.encode(value.to_string()) });
    for (value, name) in [
        (json!([]), "nothing"),
        (json!([{ "op": "test", "path": "/status", "value": "final" }]), "a test"),
        (json!([{ "op": "replace", "path": "/code/text", "value": "y" }]), "a change"),
    ] {
        for (caller, shown) in [(&writes, false), (&reads, true)] {
            let call = caller.call("PATCH /Observation/mine").header("Prefer", "return=representation");
            let answer = call.body("application/json-patch+json", value.to_string()).send().expect(200);
            assert_eq!(answer.text.contains("Patient/p1"), shown, "{name}: {}", answer.text);
            let entry = json!({ "resource": patch(value.clone()), "request": { "method": "PATCH", "url": "Observation/mine" } });
            let bundle = json!({ "resourceType": "Bundle", "type": "transaction", "entry": [entry] });
            let call = caller.call("POST /").header("Prefer", "return=representation");
            let answer = call.body("application/fhir+json", bundle.to_string()).send().expect(200);
            assert_eq!(answer.text.contains("Patient/p1"), shown, "{name} in a transaction: {}", answer.text);
        }
    }
    let again = |caller: &Bearer<'_>| {
        let call = caller.call("POST /Observation").header("If-None-Exist", "_id=mine");
        call.body("application/fhir+json", without_id(observation("", "laboratory", "p1")).to_string()).send()
    };
    let existing = again(&writes).expect(200);
    assert!(existing.text.is_empty(), "{}", existing.text);
    // What the caller made is what it sent.
    let made = writes.send("POST /Observation", without_id(observation("", "laboratory", "p1"))).expect(201);
    assert!(made.text.contains("Patient/p1"), "{}", made.text);
}

/// A read that is not granted refuses the transaction that it is in, and nothing of it is written.
#[test]
fn a_transaction_with_a_read_that_is_not_granted_does_nothing() {
    let guarded = Guarded::surgery();
    let app = guarded.hold(&own("patient/Observation.cruds"));
    let before = app.get("/Observation?_summary=count").pointer("/total");
    let made = json!({ "resource": without_id(observation("", "vital-signs", "p1")), "request": { "method": "POST", "url": "Observation" } });
    for (url, status) in [
        ("Condition", 403),
        ("Condition/copd1", 403),
        ("Condition/copd1/_history", 403),
        ("Observation/none", 404),
        ("Observation/spo2-1", 200),
    ] {
        let read = json!({ "request": { "method": "GET", "url": url } });
        let bundle = json!({ "resourceType": "Bundle", "type": "transaction", "entry": [read, made] });
        app.send("POST /", bundle).expect(status);
        let after = app.get("/Observation?_summary=count").pointer("/total");
        assert_eq!(after == before, status != 200, "{url}");
    }
}
