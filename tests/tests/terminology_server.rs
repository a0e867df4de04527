use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use flint_tests::Flint;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// A terminology server that knows the code `a` of `urn:far`, and remembers what it was asked.
struct Stub {
    url: String,
    asked: Asked,
    /// Held until it stops.
    _stop: oneshot::Sender<()>,
}

type Asked = Arc<Mutex<Vec<String>>>;

impl Stub {
    fn start() -> Stub {
        let asked = Asked::default();
        let (stop, stopped) = oneshot::channel::<()>();
        let (started, bound) = std::sync::mpsc::channel();
        let router = Router::new().route("/fhir/{type}/{operation}", post(answer)).with_state(asked.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
                started.send(listener.local_addr().expect("an address")).expect("the test waits");
                let stop = async move { drop(stopped.await) };
                axum::serve(listener, router).with_graceful_shutdown(stop).await.expect("it serves");
            });
        });
        let url = format!("http://{}/fhir", bound.recv().expect("it starts"));
        Stub { url, asked, _stop: stop }
    }

    fn flint(&self) -> Flint {
        Flint::start_with(|config| config.terminology_server = Some(self.url.clone()))
    }

    /// What it was asked since the last time.
    fn taken(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().expect("no panic"))
    }
}

async fn answer(
    State(asked): State<Asked>,
    Path((_, operation)): Path<(String, String)>,
    body: Bytes,
) -> (StatusCode, String) {
    let body = String::from_utf8(body.to_vec()).expect("UTF-8");
    let has = |text: &str| body.contains(text);
    asked.lock().expect("no panic").push(body.clone());
    let refusal = |status: u16, text: &str| {
        let outcome = json!({"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "not-found", "diagnostics": text}]});
        (StatusCode::from_u16(status).expect("a status"), outcome.to_string())
    };
    if has("urn:nowhere") {
        return refusal(404, "never heard of it");
    }
    if has("urn:broken") {
        return (StatusCode::OK, "<html>".to_owned());
    }
    if has("urn:failing") {
        return refusal(500, "it hurts");
    }
    let answer = match operation.as_str() {
        "$expand" => {
            json!({"resourceType": "ValueSet", "status": "active", "expansion": {"timestamp": "2026", "contains": [{"system": "urn:far", "code": "a"}]}})
        }
        "$lookup" => {
            json!({"resourceType": "Parameters", "parameter": [{"name": "name", "valueString": "Far"}, {"name": "display", "valueString": "Alpha"}]})
        }
        "$subsumes" => {
            json!({"resourceType": "Parameters", "parameter": [{"name": "outcome", "valueCode": "subsumes"}]})
        }
        _ => {
            let is_known = has(r#""code":"a""#) || has(r#""valueCode":"a""#);
            json!({"resourceType": "Parameters", "parameter": [{"name": "result", "valueBoolean": is_known}, {"name": "message", "valueString": "said far away"}]})
        }
    };
    (StatusCode::OK, answer.to_string())
}

fn open_value_set() -> Value {
    json!({"resourceType": "ValueSet", "id": "open", "url": "http://v.example/open", "status": "active",
        "compose": {"include": [{"system": "urn:far"}]}})
}

#[test]
fn asks_about_what_is_not_known_here() {
    let stub = Stub::start();
    let flint = stub.flint();
    flint.send("PUT /ValueSet/open", open_value_set()).expect(201);
    for (path, facts) in [
        ("/CodeSystem/$lookup?system=urn:far&code=a", ("/parameter/1/valueString", "Alpha")),
        ("/CodeSystem/$subsumes?system=urn:far&codeA=a&codeB=b", ("/parameter/0/valueCode", "subsumes")),
        ("/CodeSystem/$validate-code?url=urn:far&code=a", ("/parameter/0/valueBoolean", "true")),
        ("/ValueSet/$validate-code?url=urn:far:vs&system=urn:far&code=a", ("/parameter/0/valueBoolean", "true")),
        (
            "/ValueSet/$validate-code?url=urn:far:vs&system=urn:far&code=b",
            ("/parameter/1/valueString", "said far away"),
        ),
        ("/ValueSet/$expand?url=urn:far:vs&filter=x&count=3", ("/expansion/contains/0/code", "a")),
        ("/ValueSet/$expand?url=http://v.example/open", ("/expansion/contains/0/code", "a")),
    ] {
        flint.get(path).expect(200).facts(&[facts]);
        assert_eq!(stub.taken().len(), 1, "{path}");
        flint.get(path).expect(200).facts(&[facts]);
        assert_eq!(stub.taken(), [""; 0], "{path}: what was answered is kept");
    }
    flint.advance(Duration::from_secs(3600));
    flint.get("/CodeSystem/$lookup?system=urn:far&code=a").expect(200);
    assert_eq!(stub.taken().len(), 1, "not for ever");
    for path in [
        "/ValueSet/$validate-code?url=http://hl7.org/fhir/ValueSet/administrative-gender&system=urn:far&code=a",
        "/CodeSystem/$lookup?system=http://hl7.org/fhir/administrative-gender&code=male",
        "/ValueSet/$expand?url=http://hl7.org/fhir/ValueSet/administrative-gender",
    ] {
        flint.get(path).expect(200);
        assert_eq!(stub.taken(), [""; 0], "{path}: it is known here");
    }
}

#[test]
fn tells_no_more_than_codes() {
    let stub = Stub::start();
    let flint = stub.flint();
    flint.send("PUT /ValueSet/open", open_value_set()).expect(201);
    let coding = json!({"system": "urn:far", "code": "a", "display": "Alpha", "userSelected": true, "extension": [{"url": "urn:secret", "valueString": "secret"}]});
    let concept = json!({"coding": [coding, {"system": "urn:far", "code": "b"}], "text": "secret"});
    let call = json!({"resourceType": "Parameters", "id": "secret", "parameter": [
        {"name": "url", "valueUri": "http://v.example/open"}, {"name": "codeableConcept", "valueCodeableConcept": concept}]});
    flint.send("POST /ValueSet/$validate-code", call).expect(200);
    let asked = stub.taken().join("\n");
    assert!(asked.contains("Alpha") && !asked.contains("secret"), "{asked}");
    assert!(asked.contains(r#""name":"valueSet""#), "its definition is not known there: {asked}");
}

#[test]
fn says_when_it_does_not_get_an_answer() {
    let stub = Stub::start();
    let flint = stub.flint();
    let url = &stub.url;
    for (system, status, message) in [
        ("urn:nowhere", 404, format!("the terminology server `{url}` says: `never heard of it`")),
        ("urn:broken", 503, format!("the terminology server `{url}` answered with something that is no JSON")),
        ("urn:failing", 503, format!("the terminology server `{url}` failed: `it hurts`")),
    ] {
        flint.advance(Duration::from_secs(60));
        let reply = flint.get(&format!("/CodeSystem/$lookup?system={system}&code=a")).expect(status);
        reply.facts(&[("/issue/0/diagnostics", &message)]);
    }
    stub.taken();
    flint.get("/CodeSystem/$lookup?system=urn:far&code=a").expect(503);
    assert_eq!(stub.taken(), [""; 0], "it is left alone for a moment after it failed");
    flint.advance(Duration::from_secs(60));
    flint.get("/CodeSystem/$lookup?system=urn:far&code=a").expect(200);
    let down = Flint::start_with(|config| config.terminology_server = Some("http://127.0.0.1:1/fhir".to_owned()));
    let reply = down.get("/ValueSet/$expand?url=urn:far:vs").expect(503);
    reply.facts(&[
        ("/issue/0/code", "transient"),
        ("/issue/0/diagnostics", "the terminology server `http://127.0.0.1:1/fhir` cannot be asked: *"),
        ("/issue/1/code", "not-found"),
    ]);
}
