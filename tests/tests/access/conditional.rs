use flint_tests::{Bearer, Guarded, Reply};
use serde_json::{Value, json};

use super::callers::{holder, keeper};
use super::matrix::told;

/// One of p1's Conditions with an identifier, of those that the app's consent hides or not.
fn condition(identifier: &str, is_hidden: bool) -> Value {
    let labels = match is_hidden {
        true => json!([{ "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "PSY" }]),
        false => json!([{ "code": "plain" }]),
    };
    json!({ "resourceType": "Condition", "meta": { "security": labels }, "identifier": [{ "system": "urn:t", "value": identifier }],
        "subject": { "reference": "Patient/p1" }, "code": { "text": "x" },
        "clinicalStatus": { "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active" }] } })
}

/// A bundle with one entry.
fn bundle(kind: &str, resource: Option<Value>, request: Value) -> Value {
    let mut entry = json!({ "request": request });
    if let Some(resource) = resource {
        entry["resource"] = resource;
    }
    json!({ "resourceType": "Bundle", "type": kind, "entry": [entry] })
}

const PATCH: &str = r#"[{"op":"add","path":"/language","value":"en"}]"#;

/// A conditional interaction by an identifier.
type Attempt = fn(&Bearer<'_>, &str) -> Reply;

fn criteria(identifier: &str) -> String {
    format!("identifier=urn:t%7C{identifier}")
}

fn in_bundle(app: &Bearer<'_>, kind: &str, identifier: &str, method: &str) -> Reply {
    let url = format!("Condition?{}", criteria(identifier));
    let content = condition(identifier, false);
    let binary = json!({ "resourceType": "Binary", "contentType": "application/json-patch+json", "data": "W3sib3AiOiJhZGQiLCJwYXRoIjoiL2xhbmd1YWdlIiwidmFsdWUiOiJlbiJ9XQ==" });
    let (resource, request) = match method {
        "POST" => (Some(content), json!({ "method": method, "url": "Condition", "ifNoneExist": criteria(identifier) })),
        "PUT" => (Some(content), json!({ "method": method, "url": url })),
        "PATCH" => (Some(binary), json!({ "method": method, "url": url })),
        _ => (None, json!({ "method": method, "url": url })),
    };
    app.send("POST /", bundle(kind, resource, request))
}

const ATTEMPTS: [(&str, Attempt); 13] = [
    ("create", |app, it| {
        let call = app.call("POST /Condition").header("If-None-Exist", &criteria(it));
        call.body("application/fhir+json", condition(it, false).to_string()).send()
    }),
    ("update", |app, it| app.send(&format!("PUT /Condition?{}", criteria(it)), condition(it, false))),
    ("update of a version", |app, it| {
        let call = app.call(&format!("PUT /Condition?{}", criteria(it))).header("If-Match", "W/\"1\"");
        call.body("application/fhir+json", condition(it, false).to_string()).send()
    }),
    ("patch", |app, it| {
        let call = app.call(&format!("PATCH /Condition?{}", criteria(it)));
        call.body("application/json-patch+json", PATCH).send()
    }),
    ("delete", |app, it| app.call(&format!("DELETE /Condition?{}", criteria(it))).send()),
    ("reference", |app, it| {
        let observation = json!({ "resourceType": "Observation", "status": "final", "code": { "text": "x" },
            "subject": { "reference": "Patient/p1" }, "focus": [{ "reference": format!("Condition?identifier=urn:t|{it}") }] });
        let request = json!({ "method": "POST", "url": "Observation" });
        app.send("POST /", bundle("transaction", Some(observation), request))
    }),
    ("create in a transaction", |app, it| in_bundle(app, "transaction", it, "POST")),
    ("update in a transaction", |app, it| in_bundle(app, "transaction", it, "PUT")),
    ("patch in a transaction", |app, it| in_bundle(app, "transaction", it, "PATCH")),
    ("delete in a transaction", |app, it| in_bundle(app, "transaction", it, "DELETE")),
    ("create in a batch", |app, it| in_bundle(app, "batch", it, "POST")),
    ("update in a batch", |app, it| in_bundle(app, "batch", it, "PUT")),
    ("delete in a batch", |app, it| in_bundle(app, "batch", it, "DELETE")),
];

/// By what only something hidden satisfies, everything ends as by what nothing does, also the second time, and what is hidden stays.
#[test]
fn what_is_hidden_satisfies_no_condition() {
    let guarded = Guarded::surgery();
    let (keeper, app) = (guarded.hold(&keeper()), guarded.hold(&holder("app")));
    for (at, (name, attempt)) in ATTEMPTS.iter().enumerate() {
        let (hidden, absent) = (format!("h{at}"), format!("a{at}"));
        let stored = keeper.send("POST /Condition", condition(&hidden, true)).expect(201);
        let url = format!("/Condition/{}", stored.pointer("/id"));
        for turn in ["first", "second"] {
            let answers = [&hidden, &absent].map(|it| told(&attempt(&app, it), it));
            assert_eq!(answers[0], answers[1], "{name}, the {turn} time");
        }
        assert_eq!(keeper.get(&url).expect(200).text, stored.text, "{name}");
        app.get(&url).expect(404);
    }
}

/// Of two that satisfy it, one of them hidden, the other is the only one.
#[test]
fn what_is_hidden_makes_no_condition_ambiguous() {
    let guarded = Guarded::surgery();
    let (keeper, app) = (guarded.hold(&keeper()), guarded.hold(&holder("app")));
    for (at, (name, attempt)) in ATTEMPTS.iter().enumerate() {
        let (both, seen) = (format!("b{at}"), format!("s{at}"));
        let hidden = keeper.send("POST /Condition", condition(&both, true)).expect(201);
        keeper.send("POST /Condition", condition(&both, false)).expect(201);
        keeper.send("POST /Condition", condition(&seen, false)).expect(201);
        let answers = [&both, &seen].map(|it| {
            let reply = attempt(&app, it);
            assert!(reply.status < 300, "{name}: {}", reply.text);
            told(&reply, it)
        });
        assert_eq!(answers[0], answers[1], "{name}");
        let url = format!("/Condition/{}", hidden.pointer("/id"));
        assert_eq!(keeper.get(&url).expect(200).text, hidden.text, "{name}");
    }
}

/// A condition looks through no hidden resource either.
#[test]
fn conditions_lead_through_nothing_hidden() {
    let guarded = Guarded::surgery();
    let (keeper, app) = (guarded.hold(&keeper()), guarded.hold(&holder("app")));
    let hidden = keeper.send("POST /Condition", condition("far", true)).expect(201).pointer("/id");
    let list = json!({ "resourceType": "List", "status": "current", "mode": "working", "subject": { "reference": "Patient/p1" },
        "entry": [{ "item": { "reference": format!("Condition/{hidden}") } }, { "item": { "reference": "Condition/copd1" } }] });
    keeper
        .send("PUT /List/near", {
            let mut list = list.clone();
            list["id"] = json!("near");
            list
        })
        .expect(201);
    let mut own = list;
    own.as_object_mut().expect("an object").remove("entry");
    let create = |criteria: &str| {
        let call = app.call("POST /List").header("If-None-Exist", criteria);
        call.body("application/fhir+json", own.to_string()).send()
    };
    create("item:Condition.code:text=x").expect(201);
    create(&format!("item:Condition.{}", criteria("far"))).expect(201);
    create(&format!("item=Condition/{hidden}")).expect(201);
    create("item=Condition/copd1").expect(200);
}
