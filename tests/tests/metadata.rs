use flint_tests::Flint;
use serde_json::json;

#[test]
fn states_what_is_served() {
    let flint = Flint::start();
    let reply = flint.get("/metadata").expect(200).facts(&[
        ("/resourceType", "CapabilityStatement"),
        ("/fhirVersion", "4.0.1"),
        ("/patchFormat/0", "application/json-patch+json"),
        ("/implementation/url", flint.base_url()),
        ("/rest/0/security/cors", "true"),
        (
            "/rest/0/documentation",
            "*searches end after 10 seconds, chain 5 times, list 2000 values*include 1000 resources on a page. Writes with an Idempotency-Key*",
        ),
    ]);
    let statement = reply.json();
    let resources = statement["rest"][0]["resource"].as_array().expect("resources");
    assert_eq!(resources.len(), 146);
    let patient = resources.iter().find(|resource| resource["type"] == "Patient").expect("Patient");
    let has = |list: &str, name: &str, value: &str| {
        let list = patient[list].as_array().map(Vec::as_slice).unwrap_or_default();
        list.iter().any(|item| item[name] == value || item == value)
    };
    assert!(has("interaction", "code", "vread") && has("searchParam", "name", "birthdate"));
    for special in ["_text", "_content", "_list", "_filter", "_id"] {
        assert!(has("searchParam", "name", special), "{special}");
    }
    assert!(statement["rest"][0]["operation"].to_string().contains("OperationDefinition/search-parameters"));
    assert!(
        has("searchInclude", "", "*")
            && has("searchInclude", "", "Patient:organization")
            && has("searchRevInclude", "", "Observation:subject")
    );
    let etag = reply.header("etag");
    flint.call("GET /metadata").header("If-None-Match", etag).send().expect(304).facts(&[("etag", etag)]);
    flint.get("/metadata?mode=hearsay").expect(400);
    flint.send("POST /CapabilityStatement", statement).expect(201);
}

#[test]
fn answers_pages_of_this_machine_only() {
    let flint = Flint::start();
    let preflight = |origin| {
        let call = flint.call("OPTIONS /Patient").header("Origin", origin);
        let call = call.header("Access-Control-Request-Method", "PUT");
        call.header("Access-Control-Request-Headers", "authorization,content-type").send().expect(200)
    };
    let local = "http://localhost:3000";
    preflight(local).facts(&[
        ("access-control-allow-origin", local),
        ("access-control-allow-methods", "*PUT*"),
        ("access-control-allow-headers", "authorization,content-type"),
    ]);
    preflight("https://app.example").facts(&[("access-control-allow-origin", "-")]);
    for url in ["/metadata", "/Patient/none", "/Patient?nothing=1"] {
        let reply = flint.call(&format!("GET {url}")).header("Origin", local).send();
        reply.facts(&[("access-control-allow-origin", local), ("access-control-expose-headers", "*etag*")]);
        let reply = flint.call(&format!("GET {url}")).header("Origin", "https://app.example").send();
        reply.facts(&[("access-control-allow-origin", "-")]);
    }
    flint.call("GET /metadata").header("Host", "attacker.example").send().expect(403);
    // A browser sends this for any page without asking.
    let patient = r#"{"resourceType":"Patient","id":"x"}"#;
    for origin in ["https://app.example", "null"] {
        let call = flint.call("PUT /Patient/x").header("Origin", origin);
        call.body("text/plain", patient).send().expect(403).facts(&[("/issue/0/diagnostics", "*a page of*")]);
        let bundle = r#"{"resourceType":"Bundle","type":"transaction","entry":[]}"#;
        flint.call("POST /").header("Origin", origin).body("application/fhir+json", bundle).send().expect(403);
    }
    flint.get("/Patient/x").expect(404);
    flint.call("PUT /Patient/x").header("Origin", local).body("application/fhir+json", patient).send().expect(201);
}

#[test]
fn shows_health_and_figures() {
    let flint = Flint::start();
    let origin = flint.base_url().replace("/fhir", "");
    assert_eq!(flint.call(&format!("GET {origin}/health")).send().expect(200).text, "ok\n");
    flint.get("/Patient/none").expect(404);
    flint.send("PUT /Basic/b", json!({"resourceType": "Basic", "id": "b", "code": {"text": "x"}})).expect(201);
    let figures = flint.call(&format!("GET {origin}/metrics")).send().expect(200).text;
    assert!(figures.contains(r#"flint_requests_total{interaction="read",status="404"} 1"#), "{figures}");
    assert!(figures.contains(r#"flint_resources{resource_type="Basic"} 1"#), "{figures}");
    assert!(figures.contains(r#"flint_request_seconds_count{interaction="read"} 1"#), "{figures}");
}

#[test]
fn names_the_request() {
    let flint = Flint::start();
    flint.get("/Patient/none").facts(&[("x-request-id", "*")]);
    flint.call("GET /Patient/none").header("X-Request-Id", "my-1").send().facts(&[("x-request-id", "my-1")]);
    let odd = flint.call("GET /Patient/none").header("X-Request-Id", "a b").send();
    assert_ne!(odd.header("x-request-id"), "a b");
}

#[test]
fn writes_as_asked() {
    let flint = Flint::start();
    let long = "x".repeat(2000);
    flint.send("PUT /Basic/b", json!({"resourceType": "Basic", "id": "b", "code": {"text": long}})).expect(201);
    let pretty = flint.get("/Basic/b?_pretty=true").expect(200);
    assert!(pretty.text.contains("\n  \"id\": \"b\""), "{}", pretty.text);
    let plain = flint.get("/Basic/b");
    assert!(!plain.text.contains('\n'));
    plain.facts(&[("content-encoding", "-")]);
    let packed = flint.call("GET /Basic/b").header("Accept-Encoding", "gzip").send().expect(200);
    packed.facts(&[("content-encoding", "gzip"), ("vary", "*accept-encoding*")]);
}

#[test]
fn takes_only_so_many_requests() {
    let flint = Flint::start_with(|config| config.limits.requests = 0);
    let reply = flint.get("/Patient/none").expect(503);
    reply.facts(&[("/issue/0/code", "transient"), ("retry-after", "1")]);
}

/// A clock that is behind.
struct Year2020;

impl server::Clock for Year2020 {
    fn now(&self) -> server::Millis {
        1_577_836_800_000
    }
}

#[test]
fn is_never_older_than_what_is_served() {
    let flint = Flint::start_with(|config| config.clock = std::sync::Arc::new(Year2020));
    let date = flint.get("/metadata").expect(200).pointer("/date");
    let parameter = json!({"resourceType": "SearchParameter", "id": "x", "url": "urn:x", "name": "X", "status": "active", "description": "x",
        "code": "x", "base": ["Patient"], "type": "token", "expression": "Patient.extension('urn:x').value"});
    flint.send("PUT /SearchParameter/x", parameter).expect(201);
    flint.index();
    let reply = flint.get("/metadata").expect(200).facts(&[("/date", &date)]);
    assert!(reply.text.contains("urn:x"), "the parameter is listed");
}
