use flint_tests::Flint;
use serde_json::json;

#[test]
fn creates_and_reads() {
    let flint = Flint::start();
    let ann = json!({"resourceType": "Patient", "name": [{"family": "Ash"}], "birthDate": "1980-05-01"});
    flint.send("POST /Patient", ann).expect(201).facts(&[
        ("location", &format!("{}/Patient/id-1/_history/1", flint.base_url())),
        ("etag", "W/\"1\""),
        ("last-modified", "Mon, 01 Mar 2027 08:00:01 GMT"),
        ("content-type", "application/fhir+json; charset=utf-8"),
        ("cache-control", "private, no-cache"),
        ("/id", "id-1"),
        ("/meta/versionId", "1"),
        ("/meta/lastUpdated", "2027-03-01T08:00:01.000Z"),
        ("/name/0/family", "Ash"),
    ]);
    let facts =
        [("etag", "W/\"1\""), ("last-modified", "Mon, 01 Mar 2027 08:00:01 GMT"), ("/id", "id-1"), ("location", "-")];
    flint.get("/Patient/id-1").expect(200).facts(&facts);
    flint.get("/Patient/id-1/_history/1").expect(200).facts(&facts);
    let head = flint.call("HEAD /Patient/id-1").send().expect(200).facts(&facts[..2]);
    assert_eq!(head.text, "");
    assert_eq!(head.header("content-length"), flint.get("/Patient/id-1").text.len().to_string());
}

#[test]
fn keeps_every_digit_and_extension() {
    let flint = Flint::start();
    let body = concat!(
        r#"{"resourceType":"Observation","id":"o","status":"final","code":{"text":"é \"x\""},"#,
        r#""valueQuantity":{"value":1.10},"_status":{"extension":[{"url":"http://x","valueDecimal":0.00000000000000000010}]}}"#
    );
    flint.call("PUT /Observation/o").body("application/json", body).send().expect(201);
    let text = flint.get("/Observation/o").expect(200).text;
    for part in [r#""value":1.10}"#, r#""valueDecimal":0.00000000000000000010}"#, r#""text":"é \"x\"""#] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn updates_patches_and_deletes() {
    let flint = Flint::start();
    let ann = |family: &str| json!({"resourceType": "Patient", "id": "ann", "name": [{"family": family}]});
    flint
        .send("PUT /Patient/ann", ann("Ash"))
        .expect(201)
        .facts(&[("location", "*/Patient/ann/_history/1"), ("etag", "W/\"1\"")]);
    flint.send("PUT /Patient/ann", ann("Birch")).expect(200).facts(&[("etag", "W/\"2\""), ("location", "-")]);
    flint.send("PUT /Patient/ann", ann("Birch")).expect(200).facts(&[("etag", "W/\"2\"")]);
    let patch = r#"[{"op":"replace","path":"/name/0/family","value":"Cedar"}]"#;
    let patched = flint.call("PATCH /Patient/ann").body("application/json-patch+json", patch).send();
    patched.expect(200).facts(&[("etag", "W/\"3\""), ("/name/0/family", "Cedar")]);
    flint.get("/Patient/ann/_history/2").expect(200).facts(&[("/name/0/family", "Birch")]);
    flint.call("DELETE /Patient/ann").send().expect(204).facts(&[("etag", "W/\"4\"")]);
    flint.get("/Patient/ann").expect(410).facts(&[("/issue/0/code", "deleted")]);
    flint.get("/Patient/ann/_history/4").expect(410);
    flint.get("/Patient/ann/_history/3").expect(200);
    flint.call("DELETE /Patient/ann").send().expect(204);
    flint.call("DELETE /Patient/never").send().expect(204);
    flint.send("PUT /Patient/ann", ann("Ash")).expect(201).facts(&[("etag", "W/\"5\"")]);
}

#[test]
fn answers_as_preferred() {
    let flint = Flint::start();
    let cases = [
        ("return=minimal", "-", "-"),
        ("return=representation", "Patient", "-"),
        ("return=OperationOutcome", "OperationOutcome", "informational"),
    ];
    for (prefer, resource_type, code) in cases {
        let patient = json!({"resourceType": "Patient", "active": true});
        let reply = flint.call("POST /Patient").header("Prefer", prefer).json(&patient).send();
        let facts = [("/resourceType", resource_type), ("/issue/0/code", code), ("location", "*/Patient/id-*")];
        reply.expect(201).facts(&facts);
    }
}

#[test]
fn refuses() {
    let flint = Flint::start();
    flint.send("PUT /Patient/ann", json!({"resourceType": "Patient", "id": "ann"})).expect(201);
    let patient = r#"{"resourceType":"Patient"}"#;
    let cases = [
        ("GET /Patient/bob", "", 404, "not-found"),
        ("GET /Patient/ann/_history/2", "", 404, "not-found"),
        ("GET /Patient/ann/_history/x", "", 404, "not-found"),
        ("GET /Nothing/ann", "", 404, "not-found"),
        ("GET /Patient/ann/$nothing", "", 404, "not-found"),
        ("POST /Patient/ann", patient, 405, "not-supported"),
        ("POST /Observation", patient, 400, "invalid"),
        ("PUT /Patient/bob", r#"{"resourceType":"Patient","id":"ann"}"#, 400, "invalid"),
        ("PUT /Patient/bob", patient, 400, "invalid"),
        ("PUT /Patient/b_b", r#"{"resourceType":"Patient","id":"b_b"}"#, 400, "invalid"),
        ("POST /Patient", r#"{"resourceType":"Patient","nothing":1}"#, 422, "structure"),
        ("POST /Patient", r#"{"resourceType":"Patient","gender":"x"}"#, 422, "code-invalid"),
        ("POST /Patient", r#"{"resourceType":"Patient","birthDate":"x"}"#, 422, "value"),
        ("POST /Observation", r#"{"resourceType":"Observation","status":"final"}"#, 422, "required"),
        (
            "POST /Observation",
            r#"{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/bob"}}"#,
            422,
            "not-found",
        ),
    ];
    for (line, body, status, code) in cases {
        let call = flint.call(line);
        let call = if body.is_empty() { call } else { call.body("application/fhir+json", body) };
        call.send().expect(status).facts(&[("/resourceType", "OperationOutcome"), ("/issue/0/code", code)]);
    }
    flint.get("/_history?_count=0").expect(200).facts(&[("/total", "1")]);
}

#[test]
fn outlives_a_restart() {
    let flint = Flint::start();
    flint.send("PUT /Patient/ann", json!({"resourceType": "Patient", "id": "ann"})).expect(201);
    let next = flint.get("/_history?_count=1");
    assert!(next.link("next").is_none());
    let flint = flint.restart();
    flint.get("/Patient/ann").expect(200).facts(&[("etag", "W/\"1\"")]);
}
