use flint_tests::Flint;
use serde_json::{Value, json};

const URL: &str = "http://profiles.example/named";

fn profile() -> Value {
    json!({"resourceType": "StructureDefinition", "id": "named", "url": URL, "name": "Named", "status": "active",
        "kind": "resource", "abstract": false, "type": "Patient", "derivation": "constraint",
        "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Patient",
        "differential": {"element": [{"id": "Patient.name.family", "path": "Patient.name.family", "min": 1}]}})
}

#[test]
fn makes_snapshots_of_what_is_sent_and_what_is_known() {
    let flint = Flint::start();
    flint.send("PUT /StructureDefinition/named", profile()).expect(201);
    let parameters = |parameter: Value| Some(json!({"resourceType": "Parameters", "parameter": [parameter]}));
    let patient = "http://hl7.org/fhir/StructureDefinition/Patient";
    for (call, body, count, family) in [
        ("POST /StructureDefinition/$snapshot".to_owned(), Some(profile()), 54, 1),
        (
            "POST /StructureDefinition/$snapshot".to_owned(),
            parameters(json!({"name": "definition", "resource": profile()})),
            54,
            1,
        ),
        (
            "POST /StructureDefinition/$snapshot".to_owned(),
            parameters(json!({"name": "url", "valueString": URL})),
            54,
            1,
        ),
        (format!("GET /StructureDefinition/$snapshot?url={URL}"), None, 54, 1),
        (format!("GET /StructureDefinition/$snapshot?url={patient}"), None, 45, 0),
        ("GET /StructureDefinition/named/$snapshot".to_owned(), None, 54, 1),
    ] {
        let request = flint.call(&call);
        let reply = match &body {
            Some(body) => request.json(body).send(),
            None => request.send(),
        };
        let made = reply.expect(200).json();
        let elements = made["snapshot"]["element"].as_array().expect("elements");
        assert_eq!(elements.len(), count, "{call}");
        let found = elements.iter().find(|element| element["id"] == "Patient.name.family");
        assert_eq!(found.map_or(0, |element| element["min"].as_i64().expect("a number")), family, "{call}");
    }
    assert_eq!(
        flint.get("/StructureDefinition/named").expect(200).json()["snapshot"],
        Value::Null,
        "nothing is written"
    );
}

#[test]
fn refuses_what_no_snapshot_is_made_of() {
    let flint = Flint::start();
    let mut homeless = profile();
    homeless["baseDefinition"] = json!("http://profiles.example/nothing");
    for (call, body, status, message) in [
        ("POST /StructureDefinition/$snapshot", json!({"resourceType": "Parameters"}), 400, "give either"),
        ("POST /StructureDefinition/$snapshot?url=x", profile(), 400, "give either"),
        ("POST /StructureDefinition/$snapshot", homeless, 422, "profiles.example/nothing` is not known here"),
        (
            "GET /StructureDefinition/$snapshot?url=http://profiles.example/nothing",
            Value::Null,
            404,
            "is not known here",
        ),
        ("GET /StructureDefinition/$snapshot?base=x", Value::Null, 400, "no input `base`"),
        ("GET /StructureDefinition/nothing/$snapshot", Value::Null, 404, "nothing"),
        ("GET /Patient/$snapshot", Value::Null, 404, "snapshot"),
    ] {
        let request = flint.call(call);
        let reply = if body.is_null() { request.send() } else { request.json(&body).send() };
        let outcome = reply.expect(status).json();
        assert!(outcome["issue"][0]["diagnostics"].to_string().contains(message), "{call}: {outcome}");
    }
}
