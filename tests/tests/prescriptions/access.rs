//! Who may order, and who may answer.

use flint_tests::{Bearer, Guarded, Holder};
use server::{Dialect, References};

use super::*;

const APP: &str = "patient/Task.cruds patient/MedicationRequest.rs";

fn app<'a>(scope: &'a str, user: &'a str) -> Holder<'a> {
    Holder { scope, user, patient: user.trim_start_matches("Patient/"), ..Holder::default() }
}

fn keeper() -> Holder<'static> {
    Holder { scope: "system/*.cruds", custodian: true, ..Holder::default() }
}

fn doctor() -> Holder<'static> {
    Holder {
        scope: "user/*.cruds",
        user: "Practitioner/dr1",
        organization: "Organization/gp1",
        purposes: &["TREAT"],
        ..Holder::default()
    }
}

/// An app to which the patient consented, of somebody else.
fn third_party(consents: &'static [&'static str]) -> Holder<'static> {
    Holder {
        scope: APP,
        user: "Patient/p1",
        patient: "p1",
        consents,
        organization: "Organization/app1",
        purposes: &["PATRQT"],
        ..Holder::default()
    }
}

fn to(caller: &Bearer<'_>, id: &str, status: &str) -> Reply {
    patched(caller.call(&format!("PATCH /Task/{id}")), status).send()
}

/// A plan of p2.
fn other_plan(id: &str) -> Value {
    let mut other = plan(id, 0, None);
    other["subject"]["reference"] = json!("Patient/p2");
    other
}

#[test]
fn an_app_orders_for_its_own_patient() {
    let guarded = Guarded::surgery();
    let (joan, peter) = (guarded.hold(&app(APP, "Patient/p1")), guarded.hold(&app(APP, "Patient/p2")));
    guarded.hold(&keeper()).send("PUT /MedicationRequest/other", other_plan("other")).expect(201);
    let mut for_peter = order("plan-ok");
    for_peter["for"]["reference"] = json!("Patient/p2");
    joan.send("POST /Task", for_peter.clone()).expect(403);
    // What others have is not there.
    let unknown = |reply: &Reply| refused(reply, 422, "not-found", "REFERENCE_NOT_FOUND", "Task.focus.reference");
    unknown(&peter.send("POST /Task", for_peter));
    unknown(&joan.send("POST /Task", order("other")));
    unknown(&joan.send("POST /Task", order("none")));
    let id = joan.send("POST /Task", order("plan-ok")).expect(201).pointer("/id");
    joan.get("/Task?status=requested").expect(200).facts(&[("/total", "1")]);
    peter.get("/Task?status=requested").expect(200).facts(&[("/total", "0")]);
    assert_eq!(to(&peter, &id, "cancelled").status, 404);
    guarded.hold(&app("patient/Task.rs", "Patient/p1")).send("POST /Task", order("plan-unlimited")).expect(403);
    to(&joan, &id, "cancelled").expect(200);
}

/// Where references are not checked, those of apps are: whether anything is hidden from one makes no difference.
#[test]
fn an_order_tells_nothing_of_hidden_plans() {
    let guarded = Guarded::start_with(|config| {
        config.load.push(example("seed-transaction.json"));
        config.references = References::Accept;
    });
    let keeper = guarded.hold(&keeper());
    keeper.send("PUT /MedicationRequest/other", other_plan("other")).expect(201);
    let mut secret = plan("secret", 0, None);
    secret["status"] = json!("stopped");
    secret["meta"]["security"] =
        json!([{ "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "PSY" }]);
    keeper.send("PUT /MedicationRequest/secret", secret).expect(201);
    let joan = guarded.hold(&app(APP, "Patient/p1"));
    let shared = guarded.hold(&third_party(&["Consent/share-app"]));
    for (caller, plan) in [(&shared, "secret"), (&shared, "none"), (&joan, "other"), (&joan, "none")] {
        let reply = caller.send("POST /Task", order(plan));
        refused(&reply, 422, "not-found", "REFERENCE_NOT_FOUND", "Task.focus.reference");
        let text = format!("the reference `MedicationRequest/{plan}` leads to no resource of this server*");
        reply.facts(&[("/issue/0/diagnostics", &text)]);
    }
    refused(&joan.send("POST /Task", order("secret")), 422, "business-rule", "PRESCRIPTION_CANCELLED", "Task.focus");
}

#[test]
fn a_third_party_orders_by_consent() {
    let guarded = Guarded::surgery();
    let keeper = guarded.hold(&keeper());
    let mut past = keeper.get("/Consent/share-app").expect(200).json();
    past["id"] = json!("past");
    past["status"] = json!("inactive");
    keeper.send("PUT /Consent/past", past).expect(201);
    let refuses = |holder: &Holder<'_>| {
        // Some may not write, and some see no plan that they could name.
        let reply = guarded.hold(holder).send("POST /Task", order("plan-ok"));
        assert!([403, 422].contains(&reply.status) && !reply.text.contains("plan is"), "{}", reply.text);
    };
    refuses(&third_party(&["Consent/past"]));
    let husband = Holder { scope: APP, user: "RelatedPerson/rp1", patient: "p1", ..Holder::default() };
    refuses(&husband);
    keeper.get("/Task?_summary=count").expect(200).facts(&[("/total", "0")]);
    guarded.hold(&third_party(&["Consent/share-app"])).send("POST /Task", order("plan-ok")).expect(201);
    let proxy = Holder { consents: &["Consent/share-husband"], ..husband };
    guarded.hold(&proxy).send("POST /Task", order("plan-unlimited")).expect(201);
}

#[test]
fn the_patient_withdraws_and_the_practice_answers() {
    let guarded = Guarded::surgery();
    let (joan, doctor) = (guarded.hold(&app("patient/*.cruds", "Patient/p1")), guarded.hold(&doctor()));
    for status in ["accepted", "in-progress", "completed", "rejected"] {
        let mut begun = order("plan-ok");
        begun["status"] = json!(status);
        begun["statusReason"] = json!({ "text": "why" });
        refused(&joan.send("POST /Task", begun), 403, "forbidden", "ACCESS_DENIED", "Task.status");
    }
    let mut issued = order("plan-ok");
    issued["output"] = json!([{ "type": { "text": "x" }, "valueString": "x" }]);
    refused(&joan.send("POST /Task", issued), 403, "forbidden", "ACCESS_DENIED", "Task.output");
    let id = joan.send("POST /Task", order("plan-ok")).expect(201).pointer("/id");
    for status in ["accepted", "in-progress", "completed", "failed", "rejected", "entered-in-error"] {
        refused(&to(&joan, &id, status), 403, "forbidden", "ACCESS_DENIED", "Task.status");
    }
    let add = |path: &str, value: Value| {
        let patch = json!([{ "op": "add", "path": path, "value": value }]).to_string();
        joan.call(&format!("PATCH /Task/{id}")).body("application/json-patch+json", patch).send()
    };
    add("/note", json!([{ "text": "Before Friday, please" }])).expect(200);
    let collected = json!({ "text": "collected" });
    refused(&add("/businessStatus", collected), 403, "forbidden", "ACCESS_DENIED", "Task.businessStatus");
    to(&doctor, &id, "accepted").expect(200);
    let requested = "INVALID_REQUEST_STATE";
    refused(&to(&joan, &id, "cancelled"), 422, "business-rule", requested, "Task.status");
    refused(&add("/note", json!([{ "text": "Today!" }])), 422, "business-rule", requested, "Task.status");
    let deleted = joan.call(&format!("DELETE /Task/{id}")).send();
    refused(&deleted, 422, "business-rule", requested, "Task.status");
    let reject = |reason: Value| {
        let patch = json!([{ "op": "replace", "path": "/status", "value": "rejected" },
            { "op": "add", "path": "/statusReason", "value": reason }]);
        doctor.call(&format!("PATCH /Task/{id}")).body("application/json-patch+json", patch.to_string()).send()
    };
    refused(&to(&doctor, &id, "rejected"), 422, "required", "INVALID_RESOURCE", "Task.statusReason");
    reject(json!({ "text": "Please have your blood pressure taken" })).expect(200);
    joan.get("/Communication")
        .expect(200)
        .facts(&[("/total", "1"), ("/entry/0/resource/category/0/coding/0/code", "notification")]);
    let id = joan.send("POST /Task", order("plan-ok")).expect(201).pointer("/id");
    joan.call(&format!("DELETE /Task/{id}")).send().expect(204);
}

/// Staff and the record keeper's system complete, and no other system does; the patient sees what came of it.
#[test]
fn the_practice_and_its_systems_complete() {
    let guarded = Guarded::surgery();
    let joan = guarded.hold(&app("patient/*.cruds", "Patient/p1"));
    let system = Holder { scope: "system/*.cruds", purposes: &["TREAT"], ..Holder::default() };
    for holder in [doctor(), keeper()] {
        let id = joan.send("POST /Task", order("plan-ok")).expect(201).pointer("/id");
        let completed = to(&guarded.hold(&holder), &id, "completed").expect(200);
        joan.get(&format!("/{}", completed.pointer("/output/0/valueReference/reference"))).expect(200);
    }
    joan.get("/Communication").expect(200).facts(&[("/total", "2")]);
    let id = joan.send("POST /Task", order("plan-ok")).expect(201).pointer("/id");
    let reply = to(&guarded.hold(&system), &id, "completed");
    refused(&reply, 403, "forbidden", "ACCESS_DENIED", "Task.status");
    to(&guarded.hold(&system), &id, "in-progress").expect(200);
    let events = joan.get("/AuditEvent?entity=MedicationRequest/plan-ok&_count=100").expect(200);
    assert!(events.text.contains("Practitioner/dr1"), "{}", events.text);
}

/// What an order is judged by is nothing that a patient writes.
#[test]
fn a_patient_prescribes_nothing() {
    let guarded = Guarded::surgery();
    let joan = guarded.hold(&app("patient/*.cruds", "Patient/p1"));
    let more = plan("plan-ok", 0, Some(99));
    let denied = |reply: &Reply| refused(reply, 403, "forbidden", "ACCESS_DENIED", "MedicationRequest.intent");
    denied(&joan.send("PUT /MedicationRequest/plan-ok", more.clone()));
    denied(&joan.call("DELETE /MedicationRequest/plan-ok").send());
    let post = |change: Value| {
        let mut request = more.clone();
        let members = request.as_object_mut().expect("an object");
        members.remove("id");
        members.extend(change.as_object().expect("an object").clone());
        joan.send("POST /MedicationRequest", request)
    };
    denied(&post(json!({})));
    denied(&post(json!({ "reportedBoolean": true })));
    denied(&post(json!({ "intent": "order" })));
    post(json!({ "intent": "proposal" })).expect(201);
    post(json!({ "intent": "order", "reportedBoolean": true })).expect(201);
    let same = joan.get("/MedicationRequest/plan-ok").expect(200).text;
    joan.call("PUT /MedicationRequest/plan-ok").body("application/fhir+json", same).send().expect(200);
}

#[test]
fn a_patient_nominates_a_pharmacy_that_is_known() {
    let guarded = Guarded::surgery();
    let joan = guarded.hold(&app("patient/*.cruds", "Patient/p1"));
    let nominate = |caller: &Bearer<'_>, reference: Value| {
        let mut patient = caller.get("/Patient/p1").expect(200).json();
        let url = "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-NominatedPharmacy";
        patient["extension"] = json!([{ "url": url, "valueReference": reference }]);
        caller.send("PUT /Patient/p1", patient)
    };
    let ods = |code: &str| json!({ "identifier": { "system": "https://fhir.nhs.uk/Id/ods-organization-code", "value": code } });
    for unknown in
        [ods("FZZ02"), json!({ "display": "Millbrook" }), json!({ "reference": "https://x.example/Organization/1" })]
    {
        let reply = nominate(&joan, unknown);
        refused(&reply, 422, "business-rule", "ORGANISATION_NOT_FOUND", "Patient.extension.value");
    }
    nominate(&joan, ods("FZZ01")).expect(200);
    nominate(&joan, json!({ "reference": "Organization/pharm1" })).expect(200);
    // The practice says what the registry has.
    nominate(&guarded.hold(&doctor()), ods("FZZ02")).expect(200);
    let mut patient = joan.get("/Patient/p1").expect(200).json();
    patient["telecom"] = json!([{ "system": "phone", "value": "01632960002" }]);
    joan.send("PUT /Patient/p1", patient).expect(200);
}

/// Clients of the NHS put the NHS number where the id belongs.
#[test]
fn an_nhs_number_means_its_patient() {
    let numbered = |number: &str| {
        let mut order = order("plan-ok");
        let reference = json!({ "reference": format!("Patient/{number}"),
            "identifier": { "system": "https://fhir.nhs.uk/Id/nhs-number", "value": number } });
        order["for"] = reference.clone();
        order["requester"] = reference;
        order
    };
    for dialect in [Dialect::Nhs, Dialect::R4] {
        let guarded = Guarded::start_with(|config| {
            config.load.push(example("seed-transaction.json"));
            config.dialect = dialect;
        });
        let joan = guarded.hold(&app(APP, "Patient/p1"));
        let doctor = guarded.hold(&doctor());
        let own = joan.send("POST /Task", numbered("9000000009"));
        if dialect == Dialect::R4 {
            assert!([403, 422].contains(&own.status), "{}", own.text);
            refused(
                &doctor.send("POST /Task", numbered("9000000009")),
                422,
                "not-found",
                "REFERENCE_NOT_FOUND",
                "Task.for.reference",
            );
            continue;
        }
        let own = own.expect(201).facts(&[
            ("/for/reference", "Patient/p1"),
            ("/for/identifier/value", "9000000009"),
            ("/requester/reference", "Patient/p1"),
        ]);
        joan.get("/Task?patient=9000000009").expect(200).facts(&[("/total", "1")]);
        joan.send("POST /Task", numbered("9000000017")).expect(403);
        to(&joan, &own.pointer("/id"), "cancelled").expect(200);
        doctor.send("POST /Task", numbered("9000000009")).expect(201);
        let unknown = doctor.send("POST /Task", numbered("9434765919"));
        refused(&unknown, 422, "not-found", "REFERENCE_NOT_FOUND", "Task.for.reference");
    }
}
