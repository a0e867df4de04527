use flint_tests::Flint;
use serde_json::json;

#[test]
fn reads_gzip_only() {
    let flint = Flint::start();
    // {"resourceType":"Basic","id":"b","code":{"text":"x"}}
    let packed = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\xab\x56\x2a\x4a\x2d\xce\x2f\x2d\x4a\x4e\x0d\xa9\x2c\x48\x55\xb2\x52\x72\x4a\x2c\xce\x4c\x56\xd2\x51\xca\x4c\x01\x72\x92\x80\x8c\xe4\xfc\x14\xa0\x78\xb5\x52\x49\x6a\x45\x09\x50\xa8\x42\xa9\xb6\x16\x00\xbe\x89\x6c\x28\x35\x00\x00\x00";
    let post = |encoding: &str, body: Vec<u8>| {
        flint.call("POST /Basic").header("Content-Encoding", encoding).body("application/fhir+json", body).send()
    };
    post("gzip", packed.to_vec()).expect(201);
    post("gzip", packed[..30].to_vec()).expect(400);
    post("br", b"{}".to_vec()).expect(415);
    post("gzip", b"{}".to_vec()).expect(400);
}

#[test]
fn refuses_other_formats() {
    let flint = Flint::start();
    let turtle = "<http://x> a <http://hl7.org/fhir/Patient> .";
    let reply = flint.call("POST /Patient").body("text/turtle", turtle).send().expect(415);
    reply.facts(&[("/issue/0/diagnostics", "*`application/fhir+json` or `application/fhir+xml`*")]);
    flint.call("PATCH /Patient/x").body("application/fhir+json", "[]").send().expect(415);
    flint.call("GET /Patient").header("Accept", "text/turtle").send().expect(406);
    flint.get("/Patient?_format=ttl").expect(406);
    flint.get("/Patient?_format=application/fhir+json").expect(200);
}

#[test]
fn refuses_what_is_not_there() {
    let flint = Flint::start();
    let origin = flint.base_url().replace("/fhir", "");
    let cases = [
        ("GET /Patient/a/b/c/d/e", 404),
        ("GET /%FF", 404),
        ("GET /Patient?name=%FF", 400),
        ("TRACE /Patient", 405),
        ("GET /../etc/passwd", 404),
        ("DELETE /metadata", 405),
    ];
    for (line, status) in cases {
        flint.call(line).send().expect(status).facts(&[("/resourceType", "OperationOutcome")]);
    }
    for path in ["/", "/fhirx", "/other"] {
        flint.call(&format!("GET {origin}{path}")).send().expect(404).facts(&[("/resourceType", "OperationOutcome")]);
    }
    let patch = flint.call("PUT /metadata").send().expect(405);
    assert_eq!(patch.header("allow"), "GET, HEAD");
}

#[test]
fn refuses_bad_patches() {
    let flint = Flint::start();
    flint
        .call("PUT /Patient/ann")
        .body("application/json", r#"{"resourceType":"Patient","id":"ann"}"#)
        .send()
        .expect(201);
    let cases = [
        ("x", 400),
        ("{}", 400),
        (r#"[{"op":"jump","path":"/active"}]"#, 400),
        (r#"[{"op":"remove","path":"/active"}]"#, 422),
        (r#"[{"op":"test","path":"/id","value":"bob"}]"#, 422),
        (r#"[{"op":"add","path":"/nothing","value":1}]"#, 422),
        (r#"[{"op":"replace","path":"/id","value":"bob"}]"#, 422),
        (r#"[{"op":"replace","path":"/resourceType","value":"Group"}]"#, 422),
    ];
    for (patch, status) in cases {
        flint.call("PATCH /Patient/ann").body("application/json-patch+json", patch).send().expect(status);
    }
    flint.get("/Patient/ann").expect(200).facts(&[("etag", "W/\"1\"")]);
}

#[test]
fn survives_a_panic() {
    let flint = Flint::start_with(|config| config.ids = std::sync::Arc::new(|| panic!("as the test wants")));
    let patient = r#"{"resourceType":"Patient"}"#;
    let reply = flint.call("POST /Patient").body("application/json", patient).send().expect(500);
    let reply = reply.facts(&[("/issue/0/code", "exception")]);
    assert!(!reply.text.contains("as the test wants"), "{}", reply.text);
    flint.get("/Patient").expect(200).facts(&[("/total", "0")]);
    let ann = r#"{"resourceType":"Patient","id":"ann"}"#;
    flint.call("PUT /Patient/ann").body("application/json", ann).send().expect(201);
}

/// What a database may take for its own language is text like any other.
#[test]
fn keeps_and_finds_the_signs_of_query_languages() {
    let flint = Flint::start();
    let signs =
        ["$ne", "$where", "$", "a.b", ".", "{\"$gt\":\"\"}", "[$regex]", ".*", "\\", "%", "';drop", "\u{e4}\u{100}"];
    let encoded = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    for (at, sign) in signs.iter().enumerate() {
        let escaped =
            ["\\", "$", "|", ","].iter().fold((*sign).to_owned(), |text, it| text.replace(it, &format!("\\{it}")));
        let key = format!("Patient/p.{at}");
        let patient = json!({"resourceType": "Patient", "id": format!("p.{at}"), "name": [{"family": sign}],
            "identifier": [{"system": sign, "value": sign}]});
        flint.call(&format!("PUT /{key}")).header("Idempotency-Key", &encoded(sign)).json(&patient).send().expect(201);
        assert_eq!(flint.get(&format!("/{key}")).expect(200).pointer("/name/0/family"), *sign);
        let value = encoded(&escaped);
        for query in
            [format!("identifier={value}%7C{value}"), format!("identifier={value}"), format!("family:exact={value}")]
        {
            assert_eq!(flint.get(&format!("/Patient?{query}")).expect(200).keys("match"), [key.as_str()], "{query}");
        }
    }
    // A member of a resource has no such name, and no text has such a character.
    for member in ["$set", "a.b", "$", ""] {
        flint.send("POST /Basic", json!({"resourceType": "Basic", "code": {"text": "x"}, member: "x"})).expect(422);
    }
    flint.send("POST /Basic", json!({"resourceType": "Basic", "code": {"text": "a\u{0}b"}})).expect(422);
    for query in ["identifier=a%00", "identifier=%00%7C%00", "family=a%00b", "_id=$ne", "_id=a%00"] {
        flint.get(&format!("/Patient?{query}")).expect(200).facts(&[("/total", "0")]);
    }
    flint.get("/Patient?family=%00").expect(400);
    for id in ["$where", "a%00", "%24ne"] {
        flint.get(&format!("/Patient/{id}")).expect(404);
    }
}
