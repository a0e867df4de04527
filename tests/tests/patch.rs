use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flint_tests::{Flint, Reply};
use serde_json::{Value, json};

const JSON_PATCH: &str = "application/json-patch+json";
const XML_PATCH: &str = "application/xml-patch+xml";

fn flint() -> Flint {
    let flint = Flint::start();
    let ann = json!({"resourceType": "Patient", "id": "ann", "active": true, "birthDate": "1980",
        "identifier": [{"system": "urn:x", "value": "1"}], "name": [{"family": "Ash", "given": ["A", "B"]}]});
    flint.send("PUT /Patient/ann", ann).expect(201);
    flint
}

/// Parameters of one operation.
fn operation(kind: &str, path: &str, more: &[Value]) -> Value {
    let mut parts = vec![json!({"name": "type", "valueCode": kind}), json!({"name": "path", "valueString": path})];
    parts.extend_from_slice(more);
    json!({"resourceType": "Parameters", "parameter": [{"name": "operation", "part": parts}]})
}

fn replace_birth_date(date: &str) -> Value {
    operation("replace", "Patient.birthDate", &[json!({"name": "value", "valueDate": date})])
}

fn diff(operations: &str) -> String {
    format!(r#"<diff xmlns="http://hl7.org/fhir">{operations}</diff>"#)
}

#[test]
fn each_language_makes_a_new_version() {
    let flint = flint();
    let patch = |kind: &str, body: String| flint.call("PATCH /Patient/ann").body(kind, body).send().expect(200);
    patch(JSON_PATCH, r#"[{"op":"replace","path":"/birthDate","value":"1981"}]"#.to_owned())
        .facts(&[("etag", "W/\"2\""), ("/birthDate", "1981")]);
    patch("application/fhir+json", replace_birth_date("1982").to_string()).facts(&[
        ("etag", "W/\"3\""),
        ("/birthDate", "1982"),
        ("content-type", "*json*"),
    ]);
    let in_xml = concat!(
        r#"<Parameters xmlns="http://hl7.org/fhir"><parameter><name value="operation"/><part><name value="type"/><valueCode value="add"/></part>"#,
        r#"<part><name value="path"/><valueString value="Patient.name[0]"/></part><part><name value="name"/><valueString value="given"/></part>"#,
        r#"<part><name value="value"/><valueString value="C"/></part></parameter></Parameters>"#
    );
    let reply = patch("application/fhir+xml", in_xml.to_owned());
    assert!(
        reply.text.contains(r#"<given value="C"/>"#) && reply.header("content-type").contains("xml"),
        "{}",
        reply.text
    );
    let xml = diff(
        r#"<replace sel="f:Patient/f:birthDate/@value">1983</replace><remove sel="f:Patient/f:name/f:given[1]"/>"#,
    );
    let reply = patch(XML_PATCH, xml);
    assert!(reply.text.contains(r#"<birthDate value="1983"/>"#), "{}", reply.text);
    flint.get("/Patient/ann").expect(200).facts(&[
        ("etag", "W/\"5\""),
        ("/birthDate", "1983"),
        ("/name/0/given", r#"["B","C"]"#),
    ]);
    // What changes nothing makes no version.
    patch("application/fhir+json", json!({"resourceType": "Parameters"}).to_string()).facts(&[("etag", "W/\"5\"")]);
}

#[test]
fn a_patch_that_does_not_apply_changes_nothing() {
    let flint = flint();
    let json = |value: Value| ("application/fhir+json", value.to_string());
    let part = |name: &str, value: Value| {
        let mut part = json!({"name": name});
        part["valueInteger"] = value;
        part
    };
    let cases = [
        (json(operation("delete", "Patient.name[0].given", &[])), 422, "*finds 2 elements*"),
        (
            json(operation("replace", "Patient.telecom", &[json!({"name": "value", "valueString": "x"})])),
            422,
            "*nothing at `Patient.telecom`*",
        ),
        (
            json(operation("move", "Patient.name", &[part("source", json!(0)), part("destination", json!(1))])),
            422,
            "*`destination` is 1*",
        ),
        (
            json(operation("replace", "Patient.id", &[json!({"name": "value", "valueId": "bob"})])),
            422,
            "*must stay `ann`*",
        ),
        (json(replace_birth_date("yesterday")), 422, "*"),
        (json(operation("rename", "Patient.name", &[])), 400, "*`type` is `rename`*"),
        (json(operation("delete", "Patient.", &[])), 400, "*no FHIRPath*"),
        (json(json!({"resourceType": "Patient"})), 415, "*a PATCH with part of a resource is not served*"),
        ((XML_PATCH, diff(r#"<remove sel="f:Patient/f:gender"/>"#)), 422, "*finds nothing*"),
        (
            (XML_PATCH, diff(r#"<add sel="f:Patient"><nme value="x"/></add>"#)),
            422,
            "*`nme` is not an element of Patient*",
        ),
        ((XML_PATCH, diff(r#"<replace sel="f:Patient/f:id/@value">bob</replace>"#)), 422, "*must stay `ann`*"),
        ((XML_PATCH, diff(r#"<replace sel="f:Patient/f:birthDate/@value">yesterday</replace>"#)), 422, "*"),
        ((XML_PATCH, diff("<x/>")), 400, "*`x` should be*"),
        ((XML_PATCH, "<!DOCTYPE x><diff/>".to_owned()), 400, "*DOCTYPE*"),
        ((XML_PATCH, "{}".to_owned()), 400, "*"),
        (
            (JSON_PATCH, r#"[{"op":"test","path":"/active","value":false}]"#.to_owned()),
            422,
            "*the test of `/active` failed*",
        ),
        (("text/plain", "x".to_owned()), 415, "*application/xml-patch+xml*"),
    ];
    for ((kind, body), status, diagnostics) in cases {
        let reply =
            flint.call("PATCH /Patient/ann").header("Accept", "application/json").body(kind, body.as_str()).send();
        assert_eq!(reply.status, status, "{body}: {}", reply.text);
        reply.facts(&[("/issue/0/diagnostics", diagnostics)]);
    }
    flint.get("/Patient/ann").expect(200).facts(&[("etag", "W/\"1\"")]);
    flint.call("PATCH /Patient/none").body(XML_PATCH, diff(r#"<remove sel="f:Patient/f:active"/>"#)).send().expect(404);
}

#[test]
fn patches_are_conditional() {
    let flint = flint();
    let patch = |line: &str, version: &str, date: &str| -> Reply {
        let call = flint.call(line).json(&replace_birth_date(date));
        if version.is_empty() { call.send() } else { call.header("If-Match", version).send() }
    };
    patch("PATCH /Patient/ann", "W/\"9\"", "1981").expect(412);
    patch("PATCH /Patient/ann", "W/\"1\"", "1981").expect(200).facts(&[("etag", "W/\"2\"")]);
    patch("PATCH /Patient?identifier=urn:x|1", "", "1982")
        .expect(200)
        .facts(&[("etag", "W/\"3\""), ("/birthDate", "1982")]);
    patch("PATCH /Patient?identifier=urn:x|2", "", "1982").expect(404);
    let xml = diff(r#"<remove sel="f:Patient/f:birthDate"/>"#);
    flint.call("PATCH /Patient?identifier=urn:x|1").body(XML_PATCH, xml).send().expect(200);
    flint.get("/Patient/ann").expect(200).facts(&[("etag", "W/\"4\""), ("/birthDate", "-")]);
}

#[test]
fn bundles_hold_patches() {
    let flint = flint();
    let binary =
        |kind: &str, data: &str| json!({"resourceType": "Binary", "contentType": kind, "data": STANDARD.encode(data)});
    let entry = |url: &str, resource: Value| json!({"resource": resource, "request": {"method": "PATCH", "url": url}});
    let bundle = |kind: &str, entries: Vec<Value>| json!({"resourceType": "Bundle", "type": kind, "entry": entries});
    let xml = diff(r#"<replace sel="f:Patient/f:birthDate/@value">1983</replace>"#);
    for (resource, date) in [
        (replace_birth_date("1981"), "1981"),
        (binary(JSON_PATCH, r#"[{"op":"replace","path":"/birthDate","value":"1982"}]"#), "1982"),
        (binary(XML_PATCH, &xml), "1983"),
        (binary("application/fhir+json", &replace_birth_date("1984").to_string()), "1984"),
    ] {
        for kind in ["batch", "transaction"] {
            let url = if kind == "batch" { "Patient/ann" } else { "Patient?identifier=urn:x|1" };
            flint.send("POST /", bundle(kind, vec![entry(url, resource.clone())])).expect(200);
            flint.get("/Patient/ann").expect(200).facts(&[("/birthDate", date)]);
        }
    }
    let refused = [
        (operation("delete", "Patient.name.given", &[]), 422, "*finds 2 elements*"),
        (binary("text/plain", "x"), 415, "*"),
        (json!({"resourceType": "Patient", "id": "ann"}), 400, "*takes Parameters or a Binary*"),
    ];
    for (resource, status, diagnostics) in refused {
        let other = json!({"resource": {"resourceType": "Patient", "id": "bob"}, "request": {"method": "PUT", "url": "Patient/bob"}});
        let reply = flint.send("POST /", bundle("transaction", vec![other, entry("Patient/ann", resource)]));
        reply
            .expect(status)
            .facts(&[("/issue/0/diagnostics", diagnostics), ("/issue/0/expression/0", "Bundle.entry[1]*")]);
        flint.get("/Patient/bob").expect(404);
    }
}
