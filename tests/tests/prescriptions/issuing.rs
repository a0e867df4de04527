//! What completing an order writes, and what it takes as it is.

use flint_tests::Flint;

use super::*;

fn nominate(flint: &Flint, reference: Value) {
    let mut patient = flint.get("/Patient/p1").expect(200).json();
    patient["extension"] = json!([{
        "url": "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-NominatedPharmacy",
        "valueReference": reference,
    }]);
    flint.send("PUT /Patient/p1", patient).expect(200);
}

fn ods(code: &str) -> Value {
    json!({ "system": "https://fhir.nhs.uk/Id/ods-organization-code", "value": code })
}

/// The pharmacy of the order, before the patient's, before the plan's.
#[test]
fn a_prescription_goes_to_the_pharmacy_that_was_chosen() {
    let flint = Flint::surgery();
    let other =
        json!({ "resourceType": "Organization", "id": "pharm2", "identifier": [ods("FZZ02")], "name": "Other" });
    flint.send("PUT /Organization/pharm2", other).expect(201);
    let completed = |order: Value| {
        let id = flint.send("POST /Task", order).expect(201).pointer("/id");
        let task = to_status(&flint, &id, "completed").expect(200);
        flint.get(&format!("/{}", task.pointer("/output/0/valueReference/reference"))).expect(200)
    };
    let performer = "/dispenseRequest/performer/reference";
    completed(order("plan-ok")).facts(&[(performer, "Organization/pharm1")]);
    nominate(&flint, json!({ "identifier": ods("FYY09"), "display": "Elsewhere" }));
    completed(order("plan-ok")).facts(&[("/dispenseRequest/performer/identifier/value", "FYY09"), (performer, "-")]);
    completed(order_at("plan-ok", "FZZ02")).facts(&[(performer, "Organization/pharm2")]);
}

/// A plan without a count has one afterwards; one whose practice is not known gets a number of ours.
#[test]
fn counts_where_nothing_was_counted() {
    let flint = Flint::surgery();
    let mut plan = plan("bare", 0, Some(1));
    plan.as_object_mut().expect("an object").remove("extension");
    plan["requester"] = json!({ "reference": "Practitioner/dr1" });
    plan["meta"]["security"] = json!([{ "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "PSY" }]);
    put_plan(&flint, plan);
    let id = flint.send("POST /Task", order("bare")).expect(201).pointer("/id");
    to_status(&flint, &id, "completed").expect(200);
    assert_eq!(issued(&flint, "bare"), 1);
    let [prescription] = prescriptions(&flint, "bare").try_into().expect("one");
    assert_eq!(prescription["groupIdentifier"]["system"], "https://tools.ietf.org/html/rfc4122");
    // What hides the plan hides what it becomes.
    assert_eq!(prescription["meta"]["security"][0]["code"], "PSY");
    flint.get("/Communication?_security=PSY").expect(200).facts(&[("/total", "1")]);
    refused(&flint.send("POST /Task", order("bare")), 422, "business-rule", "NO_MORE_PRESCRIPTIONS", "Task.focus");
}

/// The practice's own system issues, and says so with the order: by a prescription, or by the number under which it was sent.
#[test]
fn takes_the_prescription_that_the_practice_sends() {
    let flint = Flint::surgery();
    let mut sent = plan("sent", 0, None);
    sent["intent"] = json!("instance-order");
    sent["basedOn"] = json!([{ "reference": "MedicationRequest/plan-ok" }]);
    sent.as_object_mut().expect("an object").remove("extension");
    put_plan(&flint, sent.clone());
    let id = flint.send("POST /Task", order("plan-ok")).expect(201).pointer("/id");
    let mut task = flint.get(&format!("/Task/{id}")).expect(200).json();
    task["status"] = json!("completed");
    let output =
        |reference: &str| json!([{ "type": { "text": "issue" }, "valueReference": { "reference": reference } }]);
    for (id, change) in [
        ("of-other-plan", json!({ "basedOn": [{ "reference": "MedicationRequest/plan-unlimited" }] })),
        ("of-other-patient", json!({ "subject": { "reference": "Patient/p2" } })),
        ("plan", json!({ "intent": "plan" })),
    ] {
        let mut wrong = sent.clone();
        wrong["id"] = json!(id);
        wrong.as_object_mut().expect("an object").extend(change.as_object().expect("an object").clone());
        put_plan(&flint, wrong);
        task["output"] = output(&format!("MedicationRequest/{id}"));
        let reply =
            flint.send(&format!("PUT {}", format_args!("/Task/{}", task["id"].as_str().expect("an id"))), task.clone());
        refused(&reply, 422, "business-rule", "INVALID_RESOURCE", "Task.output[0].value");
    }
    assert_eq!(issued(&flint, "plan-ok"), 2);
    task["output"] = output("MedicationRequest/sent");
    flint.send(&format!("PUT /Task/{id}"), task).expect(200).facts(&[("/output/1", "-")]);
    assert_eq!((issued(&flint, "plan-ok"), prescriptions(&flint, "plan-ok").len()), (3, 0));
    let id = flint.send("POST /Task", order("plan-ok")).expect(201).pointer("/id");
    let mut task = flint.get(&format!("/Task/{id}")).expect(200).json();
    task["status"] = json!("completed");
    let number = "a54219b8-f741-4c47-b662-e4f8dfa49ab6";
    task["output"] = json!([{
        "type": { "coding": [{ "code": "sent-to-eps",
            "system": "https://fhir.nhs.uk/England/CodeSystem/England-PFSPrescriptionOrderingParameter" }] },
        "valueIdentifier": { "system": "https://fhir.nhs.uk/Id/prescription-order-item-number", "value": number },
    }]);
    flint.send(&format!("PUT /Task/{id}"), task).expect(200);
    let [prescription] = prescriptions(&flint, "plan-ok").try_into().expect("one");
    assert_eq!(prescription["identifier"][0]["value"], number);
}

/// One transaction of the practice's own system: it has counted, and is not counted again.
#[test]
fn takes_the_count_that_the_practice_sends() {
    let flint = Flint::surgery();
    for (counted, expected, status) in [(3, 3, 200), (3, 4, 200), (7, 7, 409), (6, 6, 200)] {
        let id = flint.send("POST /Task", order("plan-ok")).expect(201).pointer("/id");
        let before = issued(&flint, "plan-ok");
        let mut task = flint.get(&format!("/Task/{id}")).expect(200).json();
        task["status"] = json!("completed");
        let put =
            |resource: Value, url: String| json!({ "resource": resource, "request": { "method": "PUT", "url": url } });
        let reply = flint.send(
            "POST /",
            json!({ "resourceType": "Bundle", "type": "transaction", "entry": [
            put(task, format!("Task/{id}")),
            put(plan("plan-ok", counted, Some(6)), "MedicationRequest/plan-ok".to_owned()),
        ] }),
        );
        assert_eq!(reply.status, status, "{}", reply.text);
        assert_eq!(issued(&flint, "plan-ok"), if status == 200 { expected } else { before });
        if status == 409 {
            refused(&reply, 409, "conflict", "NO_MORE_PRESCRIPTIONS", "Bundle.entry[0].resource.status");
            to_status(&flint, &id, "cancelled").expect(200);
        }
    }
}

/// What happened meanwhile to the plan, or to the patient, stops the issue.
#[test]
fn nothing_is_issued_on_what_has_stopped() {
    let flint = Flint::surgery();
    let id = flint.send("POST /Task", order("plan-ok")).expect(201).pointer("/id");
    let mut stopped = plan("plan-ok", 2, Some(6));
    stopped["status"] = json!("stopped");
    put_plan(&flint, stopped);
    refused(&to_status(&flint, &id, "completed"), 422, "business-rule", "PRESCRIPTION_CANCELLED", "Task.focus");
    put_plan(&flint, plan("plan-ok", 6, Some(6)));
    refused(&to_status(&flint, &id, "completed"), 409, "conflict", "NO_MORE_PRESCRIPTIONS", "Task.status");
    put_plan(&flint, plan("plan-ok", 5, Some(6)));
    let mut patient = flint.get("/Patient/p1").expect(200).json();
    patient["deceasedBoolean"] = json!(true);
    flint.send("PUT /Patient/p1", patient.clone()).expect(200);
    refused(&to_status(&flint, &id, "completed"), 422, "business-rule", "PATIENT_DECEASED", "Task.for");
    flint.get(&format!("/Task/{id}")).expect(200).facts(&[("/status", "requested"), ("/output", "-")]);
    patient["deceasedBoolean"] = json!(false);
    flint.send("PUT /Patient/p1", patient).expect(200);
    to_status(&flint, &id, "completed").expect(200);
    assert_eq!((issued(&flint, "plan-ok"), prescriptions(&flint, "plan-ok").len()), (6, 1));
}

/// Who completes what is completed is told so, by whatever method; who only sends it again is not.
#[test]
fn an_order_is_completed_once() {
    let flint = Flint::surgery();
    let id = flint.send("POST /Task", order("plan-ok")).expect(201).pointer("/id");
    let mut seen = flint.get(&format!("/Task/{id}")).expect(200).json();
    seen["status"] = json!("completed");
    let task = flint.send(&format!("PUT /Task/{id}"), seen.clone()).expect(200);
    let state = "PRESCRIPTION_INVALID_STATE_TRANSITION";
    refused(&flint.send(&format!("PUT /Task/{id}"), seen), 409, "conflict", state, "Task.output");
    refused(&to_status(&flint, &id, "completed"), 409, "conflict", state, "Task.status");
    let mut again = task.json();
    let same = flint.call(&format!("PUT /Task/{id}")).body("application/fhir+json", task.text.clone()).send();
    same.expect(200).facts(&[("etag", task.header("etag"))]);
    again["note"] = json!([{ "text": "Collected by her husband" }]);
    flint.send(&format!("PUT /Task/{id}"), again).expect(200);
    assert_eq!((issued(&flint, "plan-ok"), prescriptions(&flint, "plan-ok").len()), (3, 1));
}

/// Orders that were made and ended elsewhere are records: nothing is demanded, and nothing follows. Imported ones hold their plans.
#[test]
fn keeps_records_of_orders_made_elsewhere() {
    let flint = surgery_with(&[
        task("open", "plan-ok", "accepted"),
        task("done", "plan-stopped", "completed"),
        task("odd", "plan-exhausted", "on-hold"),
    ]);
    refused(&flint.send("POST /Task", order("plan-ok")), 409, "duplicate", "DUPLICATE_REJECTED", "Task.focus");
    for status in ["completed", "failed", "rejected", "cancelled", "entered-in-error"] {
        let mut record = task(status, "plan-stopped", status);
        record["statusReason"] = json!({ "text": "known there" });
        flint.send(&format!("PUT /Task/{status}"), record).expect(201).facts(&[("/output", "-")]);
    }
    flint.get("/Communication?_summary=count").expect(200).facts(&[("/total", "0")]);
    assert_eq!(issued(&flint, "plan-stopped"), 3);
    to_status(&flint, "open", "completed").expect(200);
    assert_eq!(issued(&flint, "plan-ok"), 3);
    flint.send("POST /Task", order("plan-ok")).expect(201);
}
