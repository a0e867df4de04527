//! Every refusal of an order, and beside it what is taken.

use flint_tests::Flint;
use server::Config;
use services::RepeatCount;

use super::*;

/// What is changed in an order or a plan.
type Change = fn(&mut Value);

fn remove(of: &mut Value, name: &str) {
    of.as_object_mut().expect("an object").remove(name);
}

#[test]
fn an_order_names_a_plan() {
    let flint = Flint::surgery();
    let cases: [(Change, u16, &str, &str, &str); 6] = [
        (|order| remove(order, "focus"), 422, "required", "INVALID_RESOURCE", "Task.focus"),
        (
            |order| order["focus"] = json!({ "display": "my tablets" }),
            422,
            "required",
            "INVALID_RESOURCE",
            "Task.focus",
        ),
        (|order| order["focus"]["reference"] = json!("Patient/p1"), 422, "required", "INVALID_RESOURCE", "Task.focus"),
        (
            |order| order["focus"]["reference"] = json!("MedicationRequest/none"),
            422,
            "not-found",
            "REFERENCE_NOT_FOUND",
            "Task.focus.reference",
        ),
        (
            |order| order["focus"]["reference"] = json!("https://ehr.example/fhir/MedicationRequest/plan-ok"),
            422,
            "not-found",
            "REFERENCE_NOT_FOUND",
            "Task.focus",
        ),
        (
            |order| order["focus"]["reference"] = json!("MedicationRequest/issue"),
            422,
            "business-rule",
            "INVALID_RESOURCE",
            "Task.focus",
        ),
    ];
    let mut issue = plan("issue", 0, None);
    issue["intent"] = json!("order");
    put_plan(&flint, issue);
    for (change, status, issue_type, code, element) in cases {
        let mut order = order("plan-ok");
        change(&mut order);
        refused(&flint.send("POST /Task", order), status, issue_type, code, element);
    }
    flint.send("POST /Task", order("plan-ok")).expect(201);
}

#[test]
fn a_plan_is_active_and_not_acute() {
    let flint = Flint::surgery();
    let statuses = ["stopped", "cancelled", "completed", "on-hold", "entered-in-error", "draft"];
    for status in statuses {
        let mut plan = plan(status, 0, None);
        plan["status"] = json!(status);
        put_plan(&flint, plan);
        let reply = flint.send("POST /Task", order(status));
        refused(&reply, 422, "business-rule", "PRESCRIPTION_CANCELLED", "Task.focus");
        reply.facts(&[("/issue/0/diagnostics", &format!("*`{status}`*"))]);
    }
    let courses = [
        ("http://terminology.hl7.org/CodeSystem/medicationrequest-course-of-therapy", "acute", 422),
        ("https://fhir.nhs.uk/CodeSystem/medicationrequest-course-of-therapy", "acute", 422),
        ("http://terminology.hl7.org/CodeSystem/medicationrequest-course-of-therapy", "seasonal", 201),
        ("https://fhir.nhs.uk/CodeSystem/medicationrequest-course-of-therapy", "continuous-repeat-dispensing", 201),
        (
            "https://fhir.hl7.org.uk/CodeSystem/UKCore-MedicationRequestCourseOfTherapy",
            "continuous-repeating-dispensing",
            201,
        ),
    ];
    for (at, (system, code, status)) in courses.into_iter().enumerate() {
        let id = format!("course{at}");
        let mut plan = plan(&id, 0, None);
        plan["courseOfTherapyType"]["coding"] = json!([{ "system": system, "code": code }]);
        put_plan(&flint, plan);
        flint.send("POST /Task", order(&id)).expect(status);
    }
}

/// The last day of a plan ends at midnight in London, in summer an hour before that in UTC.
#[test]
fn a_plan_expires_in_london() {
    let flint = Flint::surgery();
    flint.tick(Duration::ZERO);
    for id in ["one", "two", "three"] {
        let mut plan = plan(id, 0, None);
        plan["extension"][0]["extension"][1]["valueDateTime"] = json!("2027-04-01");
        put_plan(&flint, plan);
    }
    let mut period = plan("four", 0, None);
    remove(&mut period, "extension");
    period["dispenseRequest"]["validityPeriod"] = json!({ "end": "2027-04-01" });
    put_plan(&flint, period);
    // From 2027-03-01T08:00:00Z to the last second of April 1.
    flint.advance(Duration::from_secs(31 * 24 * 60 * 60 + 15 * 60 * 60 - 1));
    flint.send("POST /Task", order("one")).expect(201);
    flint.advance(Duration::from_secs(1));
    for id in ["two", "four"] {
        let reply = flint.send("POST /Task", order(id));
        refused(&reply, 422, "business-rule", "PRESCRIPTION_EXPIRED", "Task.focus");
        reply.facts(&[("/issue/0/diagnostics", "*`2027-04-01`*")]);
    }
}

/// What the border is by each meaning of `numberOfRepeatsAllowed`, and for a source that has the other one.
#[test]
fn a_plan_has_repeats_left() {
    type Set = fn(&mut Config);
    let fhir: Set = |_| {};
    let total: Set = |config| config.services.repeat_count = RepeatCount::Total;
    let source: Set = |config| {
        config.services.repeat_count_of.insert("https://gp.example/connect".to_owned(), RepeatCount::Total);
    };
    let cases = [
        ("fhir", fhir, [(5, "", 201), (6, "", 422), (7, "", 422), (5, "https://gp.example/connect", 201)]),
        ("total", total, [(4, "", 201), (5, "", 422), (6, "", 422), (4, "https://gp.example/connect", 201)]),
        (
            "source",
            source,
            [
                (5, "", 201),
                (6, "", 422),
                (5, "https://gp.example/connect#42", 422),
                (4, "https://gp.example/connect", 201),
            ],
        ),
    ];
    for (name, set, plans) in cases {
        let flint = Flint::start_with(|config| {
            config.load.push(example("seed-transaction.json"));
            set(config);
        });
        for (at, (issued, source, status)) in plans.into_iter().enumerate() {
            let id = format!("plan{at}");
            let mut plan = plan(&id, issued, Some(6));
            if !source.is_empty() {
                plan["meta"]["source"] = json!(source);
            }
            put_plan(&flint, plan);
            let reply = flint.send("POST /Task", order(&id));
            assert_eq!(reply.status, status, "{name}: {issued} of 6: {}", reply.text);
            if status == 422 {
                refused(&reply, 422, "business-rule", "NO_MORE_PRESCRIPTIONS", "Task.focus");
            }
        }
        put_plan(&flint, plan("unlimited", 1_000, None));
        flint.send("POST /Task", order("unlimited")).expect(201);
    }
}

#[test]
fn an_order_is_for_the_patient_of_the_plan_who_lives() {
    let flint = Flint::surgery();
    let mut other = order("plan-ok");
    other["for"]["reference"] = json!("Patient/p2");
    refused(&flint.send("POST /Task", other.clone()), 403, "forbidden", "CONFLICTING_VALUES", "Task.for");
    remove(&mut other, "for");
    refused(&flint.send("POST /Task", other), 403, "forbidden", "CONFLICTING_VALUES", "Task.for");
    // By the NHS number alone.
    let mut numbered = order("plan-ok");
    let number = json!({ "system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9000000009" });
    numbered["for"] = json!({ "type": "Patient", "identifier": number });
    let id = flint.send("POST /Task", numbered).expect(201).pointer("/id");
    to_status(&flint, &id, "cancelled").expect(200);
    for (name, value, status) in [
        ("deceasedBoolean", json!(false), 201),
        ("deceasedBoolean", json!(true), 422),
        ("deceasedDateTime", json!("2027-02-28"), 422),
    ] {
        let mut patient = flint.get("/Patient/p1").expect(200).json();
        remove(&mut patient, "deceasedBoolean");
        patient[name] = value;
        flint.send("PUT /Patient/p1", patient).expect(200);
        let reply = flint.send("POST /Task", order("plan-ok"));
        assert_eq!(reply.status, status, "{}", reply.text);
        match status {
            201 => drop(to_status(&flint, &reply.pointer("/id"), "cancelled").expect(200)),
            _ => refused(&reply, 422, "business-rule", "PATIENT_DECEASED", "Task.for"),
        }
    }
}

#[test]
fn an_order_names_a_pharmacy_that_is_known() {
    let flint = Flint::surgery();
    let unknown = |order: Value| {
        let reply = flint.send("POST /Task", order);
        refused(&reply, 422, "business-rule", "ORGANISATION_NOT_FOUND", "Task.input[0].value");
    };
    unknown(order_at("plan-ok", "FZZ02"));
    let mut other = order_at("plan-ok", "FZZ01");
    other["input"][0]["valueIdentifier"]["system"] = json!("urn:x");
    unknown(other.clone());
    remove(&mut other["input"][0], "valueIdentifier");
    other["input"][0]["valueString"] = json!("Millbrook Pharmacy");
    unknown(other);
    // As the transaction leaves it.
    let pharmacy = json!({ "resourceType": "Organization", "id": "new", "name": "New",
        "identifier": [{ "system": "https://fhir.nhs.uk/Id/ods-organization-code", "value": "FZZ03" }] });
    let transact = |first: Value| {
        let second =
            json!({ "resource": order_at("plan-unlimited", "FZZ03"), "request": { "method": "POST", "url": "Task" } });
        flint.send("POST /", json!({ "resourceType": "Bundle", "type": "transaction", "entry": [first, second] }))
    };
    let put = json!({ "resource": pharmacy, "request": { "method": "PUT", "url": "Organization/new" } });
    let made = transact(put).expect(200).pointer("/entry/1/response/location");
    let id = made.split('/').rev().nth(2).expect("an id").to_owned();
    to_status(&flint, &id, "cancelled").expect(200);
    flint.get("/Organization/new").expect(200);
    let element = "Bundle.entry[1].resource.input[0].value";
    let reply = transact(json!({ "request": { "method": "DELETE", "url": "Organization/new" } }));
    refused(&reply, 422, "business-rule", "ORGANISATION_NOT_FOUND", element);
    let id = flint.send("POST /Task", order_at("plan-ok", "FZZ01")).expect(201).pointer("/id");
    let mut changed = flint.get(&format!("/Task/{id}")).expect(200).json();
    changed["input"][0]["valueIdentifier"]["value"] = json!("FZZ02");
    let reply = flint.send(&format!("PUT /Task/{id}"), changed);
    refused(&reply, 422, "business-rule", "ORGANISATION_NOT_FOUND", "Task.input[0].value");
}

#[test]
fn an_order_says_neither_too_much_nor_what_is_yet_to_come() {
    let flint = Flint::surgery();
    flint.tick(Duration::ZERO);
    let noted = |length: usize| {
        let mut order = order("plan-ok");
        order["note"] = json!([{ "text": "short" }, { "text": "ä".repeat(length) }]);
        order
    };
    refused(&flint.send("POST /Task", noted(1_001)), 400, "too-long", "INVALID_VALUE", "Task.note[1].text");
    let id = flint.send("POST /Task", noted(1_000)).expect(201).pointer("/id");
    to_status(&flint, &id, "cancelled").expect(200);
    // A clock may be a minute ahead.
    for (time, status) in [
        ("2027-03-01T08:01:00Z", 201),
        ("2027-03-01T08:01:01Z", 400),
        ("2027-03-01T09:01:00+01:00", 201),
        ("2027-03-02", 400),
        ("2027-03-01", 201),
    ] {
        let mut order = order("plan-ok");
        order["authoredOn"] = json!(time);
        remove(&mut order, "lastModified");
        let reply = flint.send("POST /Task", order);
        assert_eq!(reply.status, status, "{time}: {}", reply.text);
        match status {
            201 => drop(to_status(&flint, &reply.pointer("/id"), "cancelled").expect(200)),
            _ => refused(&reply, 400, "value", "INVALID_VALUE", "Task.authoredOn"),
        }
    }
}

#[test]
fn an_order_goes_by_its_table() {
    let flint = Flint::surgery();
    let begun = |status: &str| {
        let mut task = order("plan-ok");
        task["status"] = json!(status);
        flint.send("POST /Task", task)
    };
    refused(&begun("draft"), 422, "business-rule", "INVALID_RESOURCE", "Task.status");
    let id = begun("accepted").expect(201).pointer("/id");
    let to = |status: &str| to_status(&flint, &id, status);
    refused(&to("cancelled"), 422, "business-rule", "INVALID_REQUEST_STATE", "Task.status");
    refused(&to("requested"), 422, "business-rule", "PRESCRIPTION_INVALID_STATE_TRANSITION", "Task.status");
    refused(&to("on-hold"), 422, "business-rule", "INVALID_RESOURCE", "Task.status");
    refused(&to("rejected"), 422, "required", "INVALID_RESOURCE", "Task.statusReason");
    let mut task = flint.get(&format!("/Task/{id}")).expect(200).json();
    for (change, element) in [
        (
            (|task: &mut Value| task["focus"]["reference"] = json!("MedicationRequest/plan-unlimited")) as Change,
            "Task.focus",
        ),
        (|task| task["for"]["reference"] = json!("Patient/p2"), "Task.for"),
        (|task| remove(task, "code"), "Task.code"),
    ] {
        let mut other = task.clone();
        change(&mut other);
        let reply = flint.send(&format!("PUT /Task/{id}"), other);
        refused(&reply, 422, "business-rule", "INVALID_RESOURCE", element);
    }
    task["status"] = json!("rejected");
    task["statusReason"] = json!({ "text": "Please see the nurse first" });
    flint.send(&format!("PUT /Task/{id}"), task).expect(200);
    flint
        .get("/Communication?patient=p1")
        .expect(200)
        .facts(&[("/total", "1"), ("/entry/0/resource/payload/0/contentString", "*was refused*")]);
    refused(&to("accepted"), 422, "business-rule", "PRESCRIPTION_INVALID_STATE_TRANSITION", "Task.status");
    refused(&to("cancelled"), 422, "business-rule", "INVALID_REQUEST_STATE", "Task.status");
    flint.send("POST /Task", order("plan-ok")).expect(201);
}

/// How far a pharmacy is stands in an order by the codes of the NHS, at any time.
#[test]
fn a_pharmacy_says_how_far_it_is() {
    let flint = Flint::surgery();
    let id = flint.send("POST /Task", order("plan-ok")).expect(201).pointer("/id");
    to_status(&flint, &id, "completed").expect(200);
    let says = |code: &str, system: &str| {
        let status = json!({ "coding": [{ "system": system, "code": code }] });
        let patch = json!([{ "op": "add", "path": "/businessStatus", "value": status }]).to_string();
        flint.call(&format!("PATCH /Task/{id}")).body("application/json-patch+json", patch).send()
    };
    let nhs = "https://fhir.nhs.uk/CodeSystem/task-businessStatus-nppt";
    for code in ["With Pharmacy", "Ready to Collect - Partial", "collected", "collected"] {
        says(code, nhs).expect(200);
    }
    refused(&says("Lost", nhs), 422, "code-invalid", "INVALID_VALUE", "Task.businessStatus");
    says("Lost", "urn:x").expect(200);
    assert_eq!(issued(&flint, "plan-ok"), 3);
}

/// Other Tasks are none of this service's.
#[test]
fn other_tasks_are_as_they_are() {
    let flint = Flint::surgery();
    let mut task = order("plan-stopped");
    task["code"]["coding"][0]["code"] = json!("103742001");
    task["note"] = json!([{ "text": "x".repeat(2_000) }]);
    for _ in 0..2 {
        let id = flint.send("POST /Task", task.clone()).expect(201).pointer("/id");
        to_status(&flint, &id, "draft").expect(200);
        to_status(&flint, &id, "completed").expect(200).facts(&[("/output", "-")]);
    }
    assert_eq!(issued(&flint, "plan-stopped"), 3);
}
