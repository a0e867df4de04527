use flint_tests::Flint;
use serde_json::{Value, json};

fn patient(birth_date: &str) -> Value {
    json!({"resourceType": "Patient", "id": "ann", "text": {"status": "empty", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">Ann</div>"},
        "birthDate": birth_date})
}

/// Calls the operation and tells each issue as `severity code expression`.
fn told(flint: &Flint, call: &str, body: Option<&Value>) -> Vec<String> {
    let call = flint.call(call);
    let reply = match body {
        Some(body) => call.json(body).send(),
        None => call.send(),
    };
    let outcome = reply.expect(200).json();
    assert_eq!(outcome["resourceType"], "OperationOutcome");
    let issues = outcome["issue"].as_array().expect("issues").iter();
    let text = |issue: &Value, name: &str| issue.pointer(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    issues
        .map(|issue| {
            assert_ne!(text(issue, "/details/text"), "", "{issue}");
            let parts = ["/severity", "/code", "/expression/0"].map(|name| text(issue, name));
            parts.join(" ").trim_end().to_owned()
        })
        .collect()
}

const FINE: &str = "information informational";

#[test]
fn validates_what_is_sent_and_what_is_stored() {
    let flint = Flint::start();
    flint.send("PUT /Patient/ann", patient("1970-01-01")).expect(201);
    let (good, bad) = (patient("1970-01-01"), patient("1970"));
    let wrong = patient("yesterday");
    let inside = |resource: &Value, more: Value| {
        let mut parameters = vec![json!({"name": "resource", "resource": resource})];
        parameters.splice(0..0, more.as_array().expect("a list").iter().cloned());
        json!({"resourceType": "Parameters", "parameter": parameters})
    };
    let mode = |mode: &str| json!([{"name": "mode", "valueCode": mode}]);
    let other = json!({"resourceType": "Patient", "id": "bob"});
    let dangling =
        json!({"resourceType": "Patient", "id": "ann", "managingOrganization": {"reference": "Organization/none"}});
    let alone = json!({"resourceType": "Parameters", "parameter": [{"name": "x", "valueDate": "1970"}, {"name": "y", "valueDate": "never"}]});
    let cases: Vec<(&str, Option<Value>, &[&str])> = vec![
        ("POST /Patient/$validate", Some(good.clone()), &[FINE]),
        ("POST /Patient/$validate", Some(bad), &[FINE]),
        ("POST /Patient/$validate", Some(wrong.clone()), &["error value Patient.birthDate"]),
        ("POST /Patient/$validate", Some(inside(&good, json!([]))), &[FINE]),
        (
            "POST /Patient/$validate",
            Some(inside(&wrong, json!([]))),
            &["error value Parameters.parameter[0].resource.birthDate"],
        ),
        (
            "POST /Patient/$validate",
            Some(inside(&wrong, mode("create"))),
            &["error value Parameters.parameter[1].resource.birthDate"],
        ),
        ("POST /Observation/$validate", Some(good.clone()), &["error invalid Patient.resourceType"]),
        ("POST /Parameters/$validate", Some(alone), &["error value Parameters.parameter[1].value"]),
        ("GET /Patient/ann/$validate", None, &[FINE]),
        ("POST /Patient/ann/$validate", None, &[FINE]),
        ("POST /Patient/ann/$validate", Some(wrong), &["error value Patient.birthDate"]),
        ("POST /Patient/ann/$validate?mode=update", Some(good.clone()), &[FINE]),
        ("POST /Patient/ann/$validate?mode=update", Some(other), &["error invalid Patient.id"]),
        ("POST /Patient/$validate?mode=create", Some(good.clone()), &[FINE]),
        ("POST /Patient/ann/$validate", Some(inside(&good, mode("update"))), &[FINE]),
        ("GET /Patient/ann/$validate?mode=delete", None, &[FINE]),
    ];
    for (call, body, expected) in cases {
        let mut told = told(&flint, call, body.as_ref());
        told.retain(|issue| !issue.starts_with("warning"));
        let nothing = told.is_empty().then(|| FINE.to_owned());
        told.extend(nothing);
        assert_eq!(told, expected, "{call} {body:?}");
    }
    let told = told(&flint, "POST /Patient/ann/$validate?mode=update", Some(&dangling));
    assert!(told.contains(&"error not-found Patient.managingOrganization.reference".to_owned()), "{told:?}");
    flint.get("/Patient/ann").expect(200).facts(&[("/meta/versionId", "1"), ("/birthDate", "1970-01-01")]);
    flint.get("/Patient?_summary=count").expect(200).facts(&[("/total", "1")]);
}

#[test]
fn refuses_questions_that_make_no_sense() {
    let flint = Flint::start();
    flint.send("PUT /Patient/ann", patient("1970-01-01")).expect(201);
    let good = patient("1970-01-01");
    let none = json!({"resourceType": "Parameters", "parameter": [{"name": "mode", "valueCode": "create"}]});
    for (call, body, status, message) in [
        ("POST /Patient/$validate", None, 400, "there is no resource to validate*"),
        ("POST /Patient/$validate", Some(&none), 400, "there is no resource to validate*"),
        ("POST /Patient/$validate?mode=update", Some(&good), 400, "the mode `update` is about one resource*"),
        ("POST /Patient/$validate?mode=delete", Some(&good), 400, "the mode `delete` is about one resource*"),
        ("POST /Patient/ann/$validate?mode=create", Some(&good), 400, "the mode `create` is about a new resource*"),
        ("POST /Patient/$validate?mode=profile", Some(&good), 400, "the mode `profile` needs a `profile`*"),
        ("POST /Patient/$validate?mode=check", Some(&good), 400, "the mode `check` is none of `create`, *"),
        ("POST /Patient/$validate?profiles=x", Some(&good), 400, "the operation has no input `profiles`; it has *"),
        (
            "POST /Patient/$validate?profile=http://p.example/none",
            Some(&good),
            422,
            "the profile `http://p.example/none` is not known here",
        ),
        ("GET /Patient/none/$validate", None, 404, "there is no `Patient/none`"),
    ] {
        let sent = flint.call(call);
        let reply = match body {
            Some(body) => sent.json(body).send(),
            None => sent.send(),
        };
        reply.expect(status).facts(&[("/issue/0/details/text", message)]);
    }
}

#[test]
fn tells_line_and_column() {
    let flint = Flint::start();
    let json = "{\n  \"resourceType\": \"Patient\",\n  \"birthDate\":\n    \"yesterday\"\n}";
    let xml = "<Patient xmlns=\"http://hl7.org/fhir\">\n  <active value=\"true\"/>\n  <birthDate value=\"yesterday\"/>\n</Patient>";
    let inside =
        format!("{{\"resourceType\":\"Parameters\",\"parameter\":[{{\"name\":\"resource\",\n\"resource\":{json}}}]}}");
    let entry = |verb: &str| {
        format!(
            "{{\"resourceType\":\"Bundle\",\"type\":\"{verb}\",\"entry\":[{{\"request\":{{\"method\":\"POST\",\"url\":\"Patient\"}},\n\"resource\":{json}}}]}}"
        )
    };
    for (call, kind, body, status, issue, place) in [
        ("POST /Patient/$validate", "json", json.to_owned(), 200, "/issue", (4, 5)),
        ("POST /Patient/$validate", "json", inside, 200, "/issue", (5, 5)),
        ("POST /Patient/$validate", "xml", xml.to_owned(), 200, "/issue", (3, 3)),
        ("POST /Patient", "json", json.to_owned(), 422, "/issue", (4, 5)),
        ("POST /Patient", "xml", xml.to_owned(), 422, "/issue", (3, 3)),
        ("POST ", "json", entry("transaction"), 422, "/issue", (5, 5)),
        ("POST ", "json", entry("batch"), 200, "/entry/0/response/outcome/issue", (5, 5)),
    ] {
        let sent = flint.call(call).header("Accept", "application/fhir+json");
        let answer = sent.body(&format!("application/fhir+{kind}"), body).send().expect(status).json();
        let issues = answer.pointer(issue).and_then(Value::as_array).expect("issues");
        let issue = issues.iter().find(|issue| issue["severity"] == "error").expect("an error");
        let (line, column) = place;
        let diagnostics = issue["diagnostics"].as_str().expect("a text");
        assert!(diagnostics.ends_with(&format!(" (line {line}, column {column})")), "{call} {kind}: {diagnostics}");
        assert_eq!(issue["extension"][0]["valueInteger"], line);
    }
}
