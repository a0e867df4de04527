//! The scenarios of the surgery, with the requests of examples/surgery as they are.

use flint_tests::Flint;

use super::*;

/// After the time at which the requests of examples/surgery were written.
fn surgery() -> Flint {
    let flint = Flint::surgery();
    flint.advance(2 * HOUR);
    flint
}

/// M1.
#[test]
fn orders_once_until_the_order_ends() {
    let flint = surgery();
    let first = flint.send("POST /Task", request("plan-ok")).expect(201).pointer("/id");
    refused(&flint.send("POST /Task", request("plan-ok")), 409, "duplicate", "DUPLICATE_REJECTED", "Task.focus");
    to_status(&flint, &first, "cancelled").expect(200);
    let second = flint.send("POST /Task", request("plan-ok")).expect(201).pointer("/id");
    flint.send("POST /Task", request("plan-ok")).expect(409);
    flint.call(&format!("DELETE /Task/{second}")).send().expect(204);
    let third = flint.send("POST /Task", request("plan-ok")).expect(201).pointer("/id");
    to_status(&flint, &third, "accepted").expect(200);
    flint.send("POST /Task", request("plan-ok")).expect(409);
    to_status(&flint, &third, "entered-in-error").expect(200);
    flint.send("POST /Task", request("with-one-off-pharmacy")).expect(201);
    flint.get("/Task?patient=p1&status=requested&_include=Task:focus").expect(200).facts(&[
        ("/total", "1"),
        ("/entry/1/search/mode", "include"),
        ("/entry/1/resource/id", "plan-ok"),
    ]);
}

/// M2.
#[test]
fn refuses_what_cannot_be_ordered_again() {
    let flint = surgery();
    for (plan, code) in [
        ("plan-exhausted", "NO_MORE_PRESCRIPTIONS"),
        ("plan-expired", "PRESCRIPTION_EXPIRED"),
        ("plan-stopped", "PRESCRIPTION_CANCELLED"),
        ("plan-acute", "UNSUPPORTED_VALUE"),
    ] {
        refused(&flint.send("POST /Task", request(plan)), 422, "business-rule", code, "Task.focus");
    }
    flint.get("/Task?_summary=count").expect(200).facts(&[("/total", "0")]);
    flint.send("POST /Task", request("plan-unlimited")).expect(201);
}

/// M3.
#[test]
fn completes_an_order_with_a_prescription() {
    let flint = surgery();
    let id = flint.send("POST /Task", request("plan-ok")).expect(201).pointer("/id");
    for status in ["accepted", "in-progress"] {
        to_status(&flint, &id, status).expect(200);
        assert_eq!(issued(&flint, "plan-ok"), 2);
    }
    let task = to_status(&flint, &id, "completed").expect(200).facts(&[
        ("/status", "completed"),
        ("/output/0/type/coding/0/code", "prescription"),
        ("/output/0/valueReference/reference", "MedicationRequest/*"),
        ("/output/1", "-"),
    ]);
    let prescription = task.pointer("/output/0/valueReference/reference");
    flint.get(&format!("/{prescription}")).expect(200).facts(&[
        ("/status", "active"),
        ("/intent", "order"),
        ("/basedOn/0/reference", "MedicationRequest/plan-ok"),
        ("/subject/reference", "Patient/p1"),
        ("/requester/reference", "PractitionerRole/dr1role"),
        ("/medicationCodeableConcept/coding/0/code", "39113611000001102"),
        ("/dosageInstruction/0/text", "As directed"),
        ("/dispenseRequest/quantity/value", "1"),
        ("/dispenseRequest/performer/reference", "Organization/pharm1"),
        ("/dispenseRequest/numberOfRepeatsAllowed", "0"),
        ("/identifier/0/system", "https://fhir.nhs.uk/Id/prescription-order-item-number"),
        ("/identifier/0/value", "*-*-8*-*-*"),
        ("/identifier/1", "-"),
        ("/groupIdentifier/system", "https://fhir.nhs.uk/Id/prescription-order-number"),
        ("/groupIdentifier/value", "*-A99901-*"),
        ("/authoredOn", "2027-03-01T10:*"),
        ("/extension", "-"),
    ]);
    flint.get(&format!("/{prescription}/_history")).expect(200).facts(&[("/entry/0/request/method", "POST")]);
    assert_eq!((issued(&flint, "plan-ok"), prescriptions(&flint, "plan-ok").len()), (3, 1));
    flint.get("/Communication?patient=p1").expect(200).facts(&[
        ("/total", "1"),
        ("/entry/0/resource/category/0/coding/0/code", "notification"),
        ("/entry/0/resource/basedOn/0/reference", &format!("Task/{id}")),
        ("/entry/0/resource/recipient/0/reference", "Patient/p1"),
    ]);
    flint.get("/MedicationRequest/plan-ok/_history?_count=0").expect(200).facts(&[("/total", "2")]);
    flint.send("POST /Task", request("plan-ok")).expect(201);
}
