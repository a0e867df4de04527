use flint_tests::Flint;
use serde_json::{Value, json};

fn bundle(kind: &str, entries: &[Value]) -> Value {
    json!({"resourceType": "Bundle", "type": kind, "entry": entries})
}

fn entry(line: &str, resource: Value) -> Value {
    let (method, url) = line.split_once(' ').expect("a method and a url");
    match resource {
        Value::Null => json!({"request": {"method": method, "url": url}}),
        resource => json!({"resource": resource, "request": {"method": method, "url": url}}),
    }
}

/// A copy with one member more.
fn with(value: &Value, pointer: &str, name: &str, member: Value) -> Value {
    let mut value = value.clone();
    value.pointer_mut(pointer).expect("an object")[name] = member;
    value
}

#[test]
fn takes_all() {
    let flint = Flint::start();
    flint.send("PUT /Patient/old", json!({"resourceType": "Patient", "id": "old"})).expect(201);
    let mut patient = entry("POST Patient", json!({"resourceType": "Patient", "active": true}));
    patient["fullUrl"] = "urn:uuid:88f151c0-a954-468a-88bd-5ae15c08e059".into();
    let observation = json!({"resourceType": "Observation", "status": "final", "code": {"text": "x"},
        "subject": {"reference": "urn:uuid:88f151c0-a954-468a-88bd-5ae15c08e059"}});
    let entries = [
        entry("GET Patient?_id=old,new", Value::Null),
        entry("POST Observation", observation),
        patient,
        entry("PUT Patient/new", json!({"resourceType": "Patient", "id": "new"})),
        entry("DELETE Patient/old", Value::Null),
        entry("GET /Patient/old", Value::Null),
        entry("HEAD Patient/new", Value::Null),
    ];
    let reply = flint.send("POST /", bundle("transaction", &entries)).expect(200).facts(&[
        ("/type", "transaction-response"),
        ("/entry/0/response/status", "200 OK"),
        ("/entry/0/resource/total", "1"),
        ("/entry/1/response/status", "201 Created"),
        ("/entry/1/response/location", "Observation/*/_history/1"),
        ("/entry/1/response/etag", "W/\"1\""),
        ("/entry/1/response/lastModified", "2027-03-01T08:00:02.000Z"),
        ("/entry/1/resource", "-"),
        ("/entry/2/response/status", "201 Created"),
        ("/entry/3/response/status", "201 Created"),
        ("/entry/4/response/status", "204 No Content"),
        ("/entry/5/response/status", "410 Gone"),
        ("/entry/5/response/outcome/issue/0/code", "deleted"),
        ("/entry/6/response/status", "200 OK"),
        ("/entry/7", "-"),
    ]);
    let key = |at: usize| {
        let location = reply.pointer(&format!("/entry/{at}/response/location"));
        location.split_once("/_history").map(|(key, _)| key.to_owned()).expect("a location")
    };
    flint.get(&format!("/{}", key(1))).expect(200).facts(&[("/subject/reference", &key(2))]);
}

#[test]
fn takes_nothing() {
    let flint = Flint::start();
    let good = entry("PUT Patient/good", json!({"resourceType": "Patient", "id": "good"}));
    let cases = [
        (
            entry("POST Patient", json!({"resourceType": "Patient", "gender": "x"})),
            422,
            "Bundle.entry[1].resource.gender",
        ),
        (entry("PATCH Patient/none", Value::Null), 400, "Bundle.entry[1]*"),
        (entry("GET Patient?nothing=1", Value::Null), 400, "Bundle.entry[1]"),
        (entry("PUT Patient?identifier=x&nothing=1", json!({"resourceType": "Patient"})), 400, "Bundle.entry[1]*"),
        (entry("PUT Nothing/1", json!({"resourceType": "Patient"})), 404, "Bundle.entry[1]*"),
        (entry("GRAB Patient", Value::Null), 422, "Bundle.entry[1].request.method"),
        (entry("POST Patient", Value::Null), 400, "Bundle.entry[1]*"),
        (entry("POST ", json!({"resourceType": "Bundle"})), 400, "Bundle.entry[1]*"),
        (entry("PUT http://other.example/fhir/Patient/1", json!({})), 400, "Bundle.entry[1].request.url"),
        (json!({"resource": {"resourceType": "Patient"}}), 422, "Bundle.entry[1].request"),
        (json!(7), 422, "Bundle.entry[1]"),
        (with(&good, "/request", "ifMatch", json!(5)), 422, "Bundle.entry[1].request.ifMatch"),
        (with(&good, "/request", "ifmatch", json!("W/\"5\"")), 422, "Bundle.entry[1].request.ifmatch"),
        (with(&good, "/request", "ifModifiedSince", json!("now")), 422, "Bundle.entry[1].request.ifModifiedSince"),
        (with(&good, "", "fullURL", json!("urn:uuid:1")), 422, "Bundle.entry[1].fullURL"),
        (good.clone(), 400, "Bundle.entry[*"),
        (entry("GET Patient/none", Value::Null), 404, "Bundle.entry[1]"),
        (
            entry(
                "POST Observation",
                json!({"resourceType": "Observation", "status": "final", "code": {"text": "x"},
                "subject": {"reference": "Patient/none"}}),
            ),
            422,
            "Bundle.entry[1].resource.subject*",
        ),
    ];
    for (bad, status, expression) in cases {
        let reply = flint.send("POST /", bundle("transaction", &[good.clone(), bad])).expect(status);
        reply.facts(&[("/resourceType", "OperationOutcome"), ("/issue/0/expression/0", expression)]);
    }
    flint.get("/_history?_count=0").expect(200).facts(&[("/total", "0")]);
}

#[test]
fn treats_batch_entries_alone() {
    let flint = Flint::start();
    let entries = [
        entry("PUT Patient/ann", json!({"resourceType": "Patient", "id": "ann"})),
        entry("POST Patient", json!({"resourceType": "Patient", "gender": "x"})),
        entry("GET Patient/ann", Value::Null),
        entry("GET Nothing", Value::Null),
        entry("GET metadata", Value::Null),
    ];
    flint.send("POST ", bundle("batch", &entries)).expect(200).facts(&[
        ("/type", "batch-response"),
        ("/entry/0/response/status", "201 Created"),
        ("/entry/1/response/status", "422 Unprocessable Entity"),
        ("/entry/1/response/outcome/issue/0/expression/0", "Bundle.entry[1].resource.gender"),
        ("/entry/2/resource/id", "ann"),
        ("/entry/3/response/status", "404 Not Found"),
        ("/entry/4/resource/resourceType", "CapabilityStatement"),
    ]);
}

#[test]
fn reads_what_changed() {
    let flint = Flint::start();
    flint.send("PUT /Patient/ann", json!({"resourceType": "Patient", "id": "ann"})).expect(201);
    let read = |name: &str, value: &str| with(&entry("GET Patient/ann", Value::Null), "/request", name, json!(value));
    let entries = [
        read("ifNoneMatch", "W/\"1\""),
        read("ifNoneMatch", "W/\"2\""),
        read("ifModifiedSince", "2027-03-01T08:00:01Z"),
        read("ifModifiedSince", "2027-03-01T09:00:01+01:00"),
        read("ifModifiedSince", "2027-03-01T08:00:00.999Z"),
    ];
    flint.send("POST /", bundle("transaction", &entries)).expect(200).facts(&[
        ("/entry/0/response/status", "304*"),
        ("/entry/1/response/status", "200*"),
        ("/entry/2/response/status", "304*"),
        ("/entry/3/response/status", "304*"),
        ("/entry/4/response/status", "200*"),
    ]);
}

#[test]
fn honors_conditions_and_preferences() {
    let flint = Flint::start();
    let mut once =
        entry("POST Patient", json!({"resourceType": "Patient", "identifier": [{"system": "urn:x", "value": "1"}]}));
    once["request"]["ifNoneExist"] = "identifier=urn:x|1".into();
    let all = bundle("transaction", &[once]);
    flint.send("POST /", all.clone()).expect(200).facts(&[("/entry/0/response/status", "201 Created")]);
    flint.send("POST /", all.clone()).expect(200).facts(&[("/entry/0/response/status", "200 OK")]);
    let whole = flint.call("POST /").header("Prefer", "return=representation").json(&all).send().expect(200);
    whole.facts(&[("/entry/0/resource/identifier/0/value", "1"), ("/entry/0/fullUrl", "*/fhir/Patient/*")]);
    let mut stale = entry("DELETE Patient?identifier=urn:x|1", Value::Null);
    stale["request"]["ifMatch"] = "W/\"9\"".into();
    flint.send("POST /", bundle("transaction", &[stale])).expect(412);
    let patch = json!({"resourceType": "Binary", "contentType": "application/json-patch+json",
        "data": "W3sib3AiOiJhZGQiLCJwYXRoIjoiL2FjdGl2ZSIsInZhbHVlIjp0cnVlfV0="});
    let patch = entry("PATCH Patient?identifier=urn:x|1", patch);
    flint.send("POST /", bundle("transaction", &[patch])).expect(200).facts(&[("/entry/0/response/etag", "W/\"2\"")]);
}

#[test]
fn refuses_what_is_no_batch() {
    let flint = Flint::start();
    let cases = [
        (bundle("collection", &[]), 400),
        (json!({"resourceType": "Bundle"}), 400),
        (json!({"resourceType": "Patient"}), 400),
        (json!([]), 400),
        (json!({"resourceType": "Bundle", "type": "batch", "entry": {}}), 422),
        (json!({"resourceType": "Bundle", "type": "batch", "entry": "none"}), 422),
        (json!({"resourceType": "Bundle", "type": "batch", "entries": []}), 422),
    ];
    for (body, status) in cases {
        flint.send("POST /", body).expect(status).facts(&[("/resourceType", "OperationOutcome")]);
    }
    flint.send("POST /", bundle("transaction", &[])).expect(200).facts(&[("/entry", "-")]);
}

/// Many changes are one like few are.
#[test]
fn takes_thousands_of_entries_or_none() {
    const ENTRIES: usize = 5_000;
    let flint = Flint::start();
    let mut entries: Vec<_> = (0..ENTRIES)
        .map(|at| {
            let code = json!({"coding": [{"system": "urn:x", "code": format!("c{}", at % 10)}]});
            entry(&format!("PUT Basic/b{at}"), json!({"resourceType": "Basic", "id": format!("b{at}"), "code": code}))
        })
        .collect();
    let taken = bundle("transaction", &entries);
    entries.push(json!({"request": {"method": "DELETE", "url": "Basic?code=urn:x|c1&_id=none&none=none"}}));
    flint.send("POST /", bundle("transaction", &entries)).expect(400);
    flint.get("/Basic/_history?_count=0").expect(200).facts(&[("/total", "0")]);
    let status = format!("/entry/{}/response/status", ENTRIES - 1);
    flint.send("POST /", taken.clone()).expect(200).facts(&[(&status, "201*")]);
    flint.get("/Basic?code=urn:x|c1&_summary=count").expect(200).facts(&[("/total", &(ENTRIES / 10).to_string())]);
    // The same again, now as updates that change nothing, and one that fails when all others are done: what it rests on has another version.
    entries.truncate(ENTRIES);
    entries.push(json!({"request": {"method": "DELETE", "url": "Basic/b0", "ifMatch": "W/\"7\""}}));
    entries.remove(0);
    flint.send("POST /", bundle("transaction", &entries)).expect(412);
    flint.get("/Basic/_history?_count=0").expect(200).facts(&[("/total", &ENTRIES.to_string())]);
}
