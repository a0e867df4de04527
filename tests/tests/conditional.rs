use flint_tests::Flint;
use serde_json::{Value, json};

fn patient(value: &str) -> Value {
    json!({"resourceType": "Patient", "identifier": [{"system": "urn:x", "value": value}]})
}

#[test]
fn reads_what_changed() {
    let flint = Flint::start();
    flint.send("POST /Patient", patient("1")).expect(201);
    let cases = [
        ("If-None-Match", "W/\"1\"", 304),
        ("If-None-Match", "\"7\", \"1\"", 304),
        ("If-None-Match", "*", 304),
        ("If-None-Match", "W/\"2\"", 200),
        ("If-Modified-Since", "Mon, 01 Mar 2027 08:00:01 GMT", 304),
        ("If-Modified-Since", "Mon, 01 Mar 2027 08:00:00 GMT", 200),
        ("If-Modified-Since", "yesterday", 200),
    ];
    for (name, value, status) in cases {
        let reply = flint.call("GET /Patient/id-1").header(name, value).send().expect(status);
        reply.facts(&[("etag", "W/\"1\""), ("/id", if status == 304 { "-" } else { "id-1" })]);
    }
}

#[test]
fn creates_once() {
    let flint = Flint::start();
    let create =
        |criteria: &str| flint.call("POST /Patient").header("If-None-Exist", criteria).json(&patient("1")).send();
    create("identifier=urn:x%7C1").expect(201).facts(&[("location", "*/Patient/id-1/_history/1")]);
    create("identifier=urn:x|1").expect(200).facts(&[("location", "*/Patient/id-1/_history/1")]);
    create("Patient?identifier=urn:x%7C1").expect(200);
    flint.send("POST /Patient", patient("1")).expect(201);
    create("identifier=urn:x%7C1").expect(412).facts(&[("/issue/0/code", "multiple-matches")]);
    create("nothing=1").expect(400);
    create("identifier=urn:x%7C2").expect(201);
}

#[test]
fn updates_what_matches() {
    let flint = Flint::start();
    flint.send("PUT /Patient?identifier=urn:x%7C1", patient("1")).expect(201);
    let mut changed = patient("1");
    changed["active"] = true.into();
    flint.send("PUT /Patient?identifier=urn:x%7C1", changed).expect(200).facts(&[("etag", "W/\"2\"")]);
    let patch = r#"[{"op":"add","path":"/gender","value":"female"}]"#;
    let patch = |criteria: &str| {
        flint.call(&format!("PATCH /Patient?{criteria}")).body("application/json-patch+json", patch).send()
    };
    patch("identifier=urn:x%7C1").expect(200).facts(&[("/gender", "female"), ("etag", "W/\"3\"")]);
    patch("identifier=urn:x%7C2").expect(404);
    flint.send("POST /Patient", patient("1")).expect(201);
    flint.send("PUT /Patient?identifier=urn:x%7C1", patient("1")).expect(412);
    patch("identifier=urn:x%7C1").expect(412);
    flint.call("DELETE /Patient?identifier=urn:x%7C1").send().expect(412);
}

#[test]
fn deletes_what_matches() {
    let flint = Flint::start();
    flint.send("POST /Patient", patient("1")).expect(201);
    flint.call("DELETE /Patient?identifier=urn:x%7C1").send().expect(204);
    flint.get("/Patient/id-1").expect(410);
    flint.call("DELETE /Patient?identifier=urn:x%7C1").send().expect(204);
    flint.call("DELETE /Patient").send().expect(400);
}

#[test]
fn holds_to_the_version_named() {
    let flint = Flint::start();
    let ann = json!({"resourceType": "Patient", "id": "ann"});
    let mut changed = ann.clone();
    changed["active"] = true.into();
    flint.call("PUT /Patient/ann").header("If-None-Match", "*").json(&ann).send().expect(201);
    flint.call("PUT /Patient/ann").header("If-None-Match", "*").json(&changed).send().expect(412);
    flint.call("PUT /Patient/ann").header("If-Match", "W/\"2\"").json(&changed).send().expect(412);
    flint.call("PUT /Patient/ann").header("If-Match", "W/\"1\"").json(&changed).send().expect(200);
    let patch = flint.call("PATCH /Patient/ann").header("If-Match", "W/\"1\"");
    patch.body("application/json-patch+json", "[]").send().expect(412);
    flint.call("DELETE /Patient/ann").header("If-Match", "W/\"1\"").send().expect(412);
    flint.call("DELETE /Patient/ann").header("If-Match", "nothing, \"x\"").send().expect(400);
    let nobody = json!({"resourceType": "Patient", "id": "nobody"});
    flint.call("PUT /Patient/nobody").header("If-Match", "*").json(&nobody).send().expect(412);
    flint.call("PUT /Patient/ann").header("If-Match", "*").json(&changed).send().expect(200);
    flint.call("DELETE /Patient/ann").header("If-Match", "W/\"2\"").send().expect(204);
}
