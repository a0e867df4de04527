use std::io::{Read, Write};
use std::net::TcpStream;

use flint_tests::{Flint, Process, is_database};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Levels of nesting, and digits of a number, that no honest body has.
const DEEP: usize = 10_000;
const DIGITS: usize = 100_000;

/// However bad a body is, the answer is short.
const ANSWER_BYTES_MAX: usize = 20_000;

/// Sends each body to create a resource; each must be refused with this status and diagnostics, and change nothing.
#[track_caller]
fn refuse_all(cases: Vec<(Vec<u8>, u16, &str)>) {
    let flint = Flint::start();
    let mut wrong = Vec::new();
    for (body, status, diagnostics) in cases {
        let text = String::from_utf8_lossy(&body);
        let start: String = text.chars().take(120).collect();
        let named = text.split_once(r#"{"resourceType":""#).and_then(|(_, rest)| rest.split_once('"'));
        let resource_type = named.map_or("Patient", |(name, _)| name).to_owned();
        let reply = flint.call(&format!("POST /{resource_type}")).body("application/fhir+json", body).send();
        let found = reply.pointer("/issue/0/diagnostics");
        let is_outcome = reply.pointer("/resourceType") == "OperationOutcome" && reply.text.len() < ANSWER_BYTES_MAX;
        let total = flint.get("/_history?_count=0").expect(200).pointer("/total");
        if reply.status != status || !found.contains(diagnostics) || !is_outcome || total != "0" {
            wrong.push((start, reply.status, found, total));
        }
    }
    assert_eq!(wrong, []);
}

#[test]
fn refuses_what_is_no_json() {
    let cases: &[(&[u8], &str)] = &[
        (b"", "no resource"),
        (b"{", "line 1, column 2"),
        (b"{\n \"resourceType\": \"Patient\",\n ]", "line 3, column 2"),
        (br#"{"resourceType":"Patient"} x"#, "end of the text"),
        (br#"{"resourceType":"Patient"}{"resourceType":"Patient"}"#, "end of the text"),
        (br#"{"resourceType":"Patient",}"#, "a member name"),
        (br#"{'resourceType':'Patient'}"#, "a member name"),
        (br#"{resourceType:"Patient"}"#, "a member name"),
        (br#"{"resourceType" "Patient"}"#, "`:`"),
        (b"// a patient\n{\"resourceType\":\"Patient\"}", "a value"),
        (br#"{"resourceType":"Patient","active":True}"#, "a value"),
        (br#"{"resourceType":"Patient","active":tru}"#, "a value"),
        (br#"{"resourceType":"Patient","name":[{"given":["Ann",]}]}"#, "a value"),
        (br#"{"resourceType":"Patient","name":[{"given":["Ann"}]}"#, "`,` or `]`"),
        (br#"{"resourceType":"Patient","multipleBirthInteger":01}"#, "superfluous `0`"),
        (br#"{"resourceType":"Patient","multipleBirthInteger":+1}"#, "a value"),
        (br#"{"resourceType":"Patient","multipleBirthInteger":.5}"#, "a value"),
        (br#"{"resourceType":"Patient","multipleBirthInteger":1.}"#, "a digit"),
        (br#"{"resourceType":"Patient","multipleBirthInteger":1e}"#, "a digit"),
        (br#"{"resourceType":"Patient","multipleBirthInteger":0x1}"#, "`,` or `}`"),
        (br#"{"resourceType":"Patient","multipleBirthInteger":NaN}"#, "a value"),
        (b"{\"resourceType\":\"Patient\",\"language\":\"a\x01b\"}", "control character"),
        (b"{\"resourceType\":\"Patient\",\"language\":\"a\nb\"}", "control character"),
        (br#"{"resourceType":"Patient","language":"\x"}"#, "escape"),
        (br#"{"resourceType":"Patient","language":"\ud800"}"#, "surrogate"),
        (br#"{"resourceType":"Patient","language":"\udc00\ud800"}"#, "surrogate"),
        (b"{\"resourceType\":\"Patient\",\"id\":\"\xff\"}", "UTF-8"),
        // A slash in two bytes, half a surrogate pair in three, and a text in UTF-16.
        (b"{\"resourceType\":\"Patient\",\"language\":\"\xc0\xaf\"}", "UTF-8"),
        (b"{\"resourceType\":\"Patient\",\"language\":\"\xed\xa0\x80\"}", "UTF-8"),
        (b"\xff\xfe{\0\"\0", "UTF-8"),
        (br#"{"resourceType":"Patient","active":true,"active":false}"#, "twice"),
        (br#"{"resourceType":"Patient","active":true,"\u0061ctive":false}"#, "twice"),
        (br#"{"resourceType":"Patient","resourceType":"Group"}"#, "twice"),
        (br#"{"resourceType":"Patient","name":[{"use":"old","text":"x","use":"old"}]}"#, "twice"),
    ];
    refuse_all(cases.iter().map(|(body, diagnostics)| (body.to_vec(), 400, *diagnostics)).collect());
}

#[test]
fn refuses_other_types() {
    let cases = [
        ("null", 400, ""),
        ("[]", 400, ""),
        ("7", 400, ""),
        (r#""Patient""#, 400, ""),
        ("{}", 400, "resourceType"),
        (r#"{"resourceType":"Nothing"}"#, 404, "Nothing"),
        (r#"{"resourceType":"Resource"}"#, 404, "Resource"),
        (r#"{"resourceType":"HumanName"}"#, 404, "HumanName"),
        (r#"{"resourceType":7}"#, 400, ""),
        (r#"{"resourceType":null}"#, 400, ""),
        (r#"{"resourceType":"Patient","nothing":1}"#, 422, "nothing"),
        (r#"{"resourceType":"Patient","name":"Ann"}"#, 422, ""),
        (r#"{"resourceType":"Patient","name":{"family":"Ash"}}"#, 422, ""),
        (r#"{"resourceType":"Patient","name":[null]}"#, 422, ""),
        (r#"{"resourceType":"Patient","name":[[{"family":"Ash"}]]}"#, 422, ""),
        (r#"{"resourceType":"Patient","name":[]}"#, 422, "empty"),
        (r#"{"resourceType":"Patient","name":[{}]}"#, 422, "empty"),
        (r#"{"resourceType":"Patient","name":[{"family":["Ash"]}]}"#, 422, ""),
        (r#"{"resourceType":"Patient","name":[{"family":""}]}"#, 422, ""),
        (r#"{"resourceType":"Patient","name":null}"#, 422, ""),
        (r#"{"resourceType":"Patient","active":"true"}"#, 422, ""),
        (r#"{"resourceType":"Patient","active":1}"#, 422, ""),
        (r#"{"resourceType":"Patient","_active":true}"#, 422, ""),
        (r#"{"resourceType":"Patient","birthDate":19800501}"#, 422, ""),
        (r#"{"resourceType":"Patient","birthDate":"1980-02-30"}"#, 422, ""),
        (r#"{"resourceType":"Patient","multipleBirthInteger":"2"}"#, 422, ""),
        (r#"{"resourceType":"Patient","multipleBirthInteger":1.0}"#, 422, ""),
        (r#"{"resourceType":"Patient","multipleBirthInteger":1,"multipleBirthBoolean":true}"#, 422, ""),
        (r#"{"resourceType":"Patient","multipleBirthString":"x"}"#, 422, ""),
        (r#"{"resourceType":"Patient","meta":[]}"#, 422, ""),
        (r#"{"resourceType":"Patient","id":5}"#, 422, ""),
        (r#"{"resourceType":"Patient","text":"x"}"#, 422, ""),
        (r#"{"resourceType":"Patient","contained":{}}"#, 422, ""),
        (r#"{"resourceType":"Patient","contained":[7]}"#, 422, ""),
        (r##"{"resourceType":"Patient","contained":[{"resourceType":"Nothing","id":"a"}]}"##, 422, ""),
        (r#"{"resourceType":"Patient","extension":[{"valueString":"x"}]}"#, 422, ""),
        (r#"{"resourceType":"Patient","photo":[{"data":"?"}]}"#, 422, ""),
    ];
    refuse_all(cases.into_iter().map(|(body, status, text)| (body.as_bytes().to_vec(), status, text)).collect());
}

#[test]
fn refuses_what_is_too_deep_or_too_large() {
    let nested = |open: &str, inside: &str, close: &str| open.repeat(DEEP) + inside + &close.repeat(DEEP);
    let patient = |member: String| format!(r#"{{"resourceType":"Patient",{member}}}"#);
    let integer = |number: &str| patient(format!(r#""multipleBirthInteger":{number}"#));
    let decimal = |number: &str| {
        let quantity = format!(r#""valueQuantity":{{"value":{number}}}"#);
        format!(r#"{{"resourceType":"Observation","status":"final","code":{{"text":"x"}},{quantity}}}"#)
    };
    let digits = "9".repeat(DIGITS);
    let div = nested("<b>", "x", "</b>");
    let div =
        format!(r#""text":{{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">{div}</div>"}}"#);
    let cases = vec![
        (patient(format!(r#""x":{}"#, nested("[", "1", "]"))), 400, "deeper"),
        (patient(format!(r#""x":{}"#, nested(r#"{"x":"#, "1", "}"))), 400, "deeper"),
        (nested("[", "", "]"), 400, "deeper"),
        ("[".repeat(DEEP), 400, "deeper"),
        (patient(nested(r#""extension":[{"url":"http://x","#, r#""valueCode":"x""#, "}]")), 400, "deeper"),
        (
            patient(nested(r#""contained":[{"resourceType":"Patient","id":"a","#, r#""active":true"#, "}]")),
            400,
            "deeper",
        ),
        (patient(div), 422, "deep"),
        (integer("1e99999999999"), 422, ""),
        (integer("2147483648"), 422, ""),
        (integer("-2147483649"), 422, ""),
        (integer(&digits), 422, ""),
        (decimal("1e99999999999"), 422, ""),
        (decimal("-1e99999999999"), 422, ""),
        (decimal("1e-99999999999"), 422, ""),
        (decimal(&digits), 422, ""),
        (decimal(&format!("0.{digits}")), 422, ""),
        (decimal(&format!("1e{digits}")), 422, ""),
        (patient(format!(r#""birthDate":"{digits}""#)), 422, ""),
        (patient(format!(r#""managingOrganization":{{"reference":"Organization/{digits}"}}"#)), 422, ""),
    ];
    refuse_all(cases.into_iter().map(|(body, status, text)| (body.into_bytes(), status, text)).collect());
}

/// A resource with a reference to this, and perhaps with something contained.
fn referring(reference: &str, contained: Value) -> Value {
    let mut patient = json!({"resourceType": "Patient", "managingOrganization": {"reference": reference}});
    if contained != Value::Null {
        patient["contained"] = contained;
    }
    patient
}

#[test]
fn refuses_references_that_lead_nowhere() {
    let part =
        |id: &str, of: &str| json!({"resourceType": "Organization", "id": id, "name": id, "partOf": {"reference": of}});
    let nested = json!([{"resourceType": "Organization", "id": "a", "name": "a", "contained": [part("b", "#a")]}]);
    let unnamed = json!([{"resourceType": "Organization", "name": "a"}]);
    let cases = [
        (referring("Organization/none", Value::Null), 422, "Organization/none"),
        (referring("Patient/none", Value::Null), 422, "Patient"),
        (referring("Organization", Value::Null), 422, "not a reference"),
        (referring("Organization/no id", Value::Null), 422, ""),
        (referring("Nothing/none", Value::Null), 422, "Nothing"),
        (referring("#none", Value::Null), 422, "`none`"),
        (referring("#a", json!([part("b", "#a")])), 422, "`a`"),
        (referring("#a", json!([part("a", "#none")])), 422, "`none`"),
        (referring("#a", json!([part("a", "#a"), part("a", "#a")])), 409, "already"),
        (referring("#a", nested), 422, ""),
        (referring("#a", unnamed), 422, ""),
        (referring("Organization?identifier=urn:x|none", Value::Null), 422, "matches"),
    ];
    refuse_all(cases.into_iter().map(|(body, status, text)| (body.to_string().into_bytes(), status, text)).collect());
}

#[test]
fn follows_no_circle() {
    let flint = Flint::start();
    let part =
        |id: &str, of: &str| json!({"resourceType": "Organization", "id": id, "name": id, "partOf": {"reference": of}});
    let circle = referring("#a", json!([part("a", "#b"), part("b", "#c"), part("c", "#a")]));
    flint.send("POST /Patient", circle).expect(201);
    let itself = referring("#a", json!([part("a", "#a")]));
    flint.send("POST /Patient", itself).expect(201);
    let urns = ["urn:uuid:0b9b2c0e-1d7c-4b6e-8b5f-000000000001", "urn:uuid:0b9b2c0e-1d7c-4b6e-8b5f-000000000002"];
    let entry = |own: &str, other: &str| {
        let organization = json!({"resourceType": "Organization", "name": own, "partOf": {"reference": other}});
        json!({"fullUrl": own, "resource": organization, "request": {"method": "POST", "url": "Organization"}})
    };
    let entries = [entry(urns[0], urns[1]), entry(urns[1], urns[0])];
    let all = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
    let done = flint.call("POST /").header("Prefer", "return=representation").json(&all).send().expect(200);
    let reference = |at: usize| done.pointer(&format!("/entry/{at}/resource/partOf/reference"));
    let key = |at: usize| format!("Organization/{}", done.pointer(&format!("/entry/{at}/resource/id")));
    assert_eq!([reference(0), reference(1)], [key(1), key(0)]);
    // Chains and includes go as far as they are told, and no further.
    let url = format!("/Organization?partof.partof={}&_include=Organization:partof", key(0));
    let found = flint.get(&url).expect(200);
    assert_eq!((found.keys("match"), found.keys("include")), (vec![key(0)], vec![key(1)]));
}

#[test]
fn refuses_bundles_at_odds_with_themselves() {
    let flint = Flint::start();
    let patient = |id: &str| json!({"resourceType": "Patient", "id": id});
    let entry = |method: &str, url: &str, resource: Value| json!({"resource": resource, "request": {"method": method, "url": url}});
    let put = |id: &str| entry("PUT", &format!("Patient/{id}"), patient(id));
    let named = |url: &str| {
        let mut entry = entry("POST", "Patient", json!({"resourceType": "Patient"}));
        entry["fullUrl"] = url.into();
        entry
    };
    let urn = "urn:uuid:0b9b2c0e-1d7c-4b6e-8b5f-000000000001";
    let dangling = json!({"resourceType": "Patient", "managingOrganization": {"reference": urn}});
    let cases = [
        (vec![put("a"), put("a")], 400),
        (vec![put("a"), json!({"request": {"method": "DELETE", "url": "Patient/a"}})], 400),
        (vec![put("a"), entry("PUT", "Patient/b", patient("c"))], 400),
        (vec![named(urn), named(urn)], 400),
        (vec![put("a"), entry("POST", "Patient", dangling.clone())], 422),
        (vec![put("a"), entry("POST", "Nothing", json!({"resourceType": "Nothing"}))], 404),
        (vec![put("a"), entry("POST", "Patient/$nothing", patient("b"))], 404),
        (vec![put("a"), entry("POST", "Patient", json!("Patient"))], 400),
        (vec![put("a"), entry("POST", "Patient", Value::Null)], 400),
        (vec![put("a"), json!(7)], 422),
        (vec![put("a"), json!({})], 422),
    ];
    let mut wrong = Vec::new();
    for (entries, status) in cases {
        let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
        let reply = flint.send("POST /", bundle);
        let total = flint.get("/_history?_count=0").expect(200).pointer("/total");
        if reply.status != status || total != "0" {
            wrong.push((entries, reply.status, reply.text, total));
        }
    }
    assert_eq!(wrong, []);
}

#[test]
fn refuses_unknown_types_and_operations() {
    let flint = Flint::start();
    let patient = json!({"resourceType": "Patient"});
    let cases = [
        ("POST /Nothing", 404),
        ("PUT /Nothing/a", 404),
        ("POST /patient", 404),
        ("POST /Patient/$nothing", 404),
        ("POST /Patient/a/$nothing", 404),
        ("POST /$nothing", 404),
        ("PUT /Patient/$nothing", 404),
        ("POST /Observation", 400),
        ("PUT /Patient/a", 400),
        ("PUT /Observation/a", 400),
        ("PUT /Patient", 400),
        ("POST /Patient/a", 405),
        ("POST /Patient/a/_history/1", 405),
        ("PUT /Patient/a/_history/1", 405),
    ];
    let mut wrong = Vec::new();
    for (line, status) in cases {
        let reply = flint.send(line, patient.clone());
        let total = flint.get("/_history?_count=0").expect(200).pointer("/total");
        if reply.status != status || reply.pointer("/resourceType") != "OperationOutcome" || total != "0" {
            wrong.push((line, reply.status, reply.text, total));
        }
    }
    assert_eq!(wrong, []);
}

/// The limit in the next tests; the server's own is far above.
const BODY_MAX: usize = 1 << 20;

#[test]
fn holds_to_the_body_limit() {
    let flint = Flint::start_with(|config| config.limits.body_bytes = BODY_MAX);
    let body = |length: usize| {
        let frame = r#"{"resourceType":"Basic","code":{"text":""}}"#;
        frame.replace("\"\"", &format!("\"{}\"", "x".repeat(length - frame.len())))
    };
    let post = |body: String| flint.call("POST /Basic").body("application/fhir+json", body).send();
    post(body(BODY_MAX)).expect(201);
    post(body(BODY_MAX + 1)).expect(413).facts(&[("/issue/0/code", "too-long")]);
    stream(flint.base_url(), BODY_MAX + 1);
    flint.get("/Basic/_history?_count=0").expect(200).facts(&[("/total", "1")]);
}

/// What one document of a database may have; the embedded store holds whatever may be sent.
const DOCUMENT_MAX: usize = 16 << 20;

#[test]
fn a_resource_that_the_store_cannot_hold_is_refused_whole() {
    let flint = Flint::start();
    let binary = |length: usize| json!({"resourceType": "Binary", "id": "large", "contentType": "text/plain", "data": "QUFB".repeat(length / 4)});
    let bundle = |length: usize| {
        let entry =
            |url: &str, resource: Value| json!({"resource": resource, "request": {"method": "PUT", "url": url}});
        let basic = json!({"resourceType": "Basic", "id": "beside", "code": {"text": "beside"}});
        let entries = [entry("Basic/beside", basic), entry("Binary/large", binary(length))];
        json!({"resourceType": "Bundle", "type": "transaction", "entry": entries})
    };
    let is_refused = is_database();
    let (status, found) = if is_refused { (413, 404) } else { (200, 200) };
    let answer = flint.send("POST /", bundle(DOCUMENT_MAX)).expect(status);
    if is_refused {
        let text = "*`Binary/large` would have *at most *";
        answer.facts(&[("/issue/0/code", "too-long"), ("/issue/0/diagnostics", text)]);
    }
    flint.get("/Basic/beside").expect(found);
    flint.get("/Binary/large").expect(found);
    // What is there stays as it is.
    flint.send("PUT /Binary/large", binary(8)).expect(if is_refused { 201 } else { 200 });
    flint.send("PUT /Binary/large", binary(DOCUMENT_MAX)).expect(if is_refused { 413 } else { 200 });
    let version = if is_refused { "1" } else { "3" };
    flint.get("/Binary/large?_elements=id").expect(200).facts(&[("/meta/versionId", version)]);
    flint.send("PUT /Binary/large", binary(DOCUMENT_MAX * 9 / 10)).expect(200);
}

const STREAMS: usize = 4;
const STREAM_BYTES: usize = 100 << 20;

/// So much may all bodies of one server hold, and twice that is room for everything else.
const MEMORY_MAX: u64 = 1 << 30;

#[test]
fn streams_without_end_take_bounded_memory() {
    let directory = TempDir::new().expect("a directory");
    let (process, client) = Process::start(directory.path());
    std::thread::scope(|scope| {
        let base_url = client.base_url();
        (0..STREAMS).for_each(|_| drop(scope.spawn(|| stream(base_url, STREAM_BYTES))));
    });
    if let Some(memory) = process.memory_max() {
        println!("{STREAMS} bodies of {STREAM_BYTES} bytes: {memory} bytes of memory at most");
        assert!(memory < MEMORY_MAX, "{memory}");
    }
    client.get("/_history?_count=0").expect(200).facts(&[("/total", "0")]);
}

/// Sends a body without saying how long it is; it must be refused.
fn stream(base_url: &str, length: usize) {
    let (address, path) = base_url.trim_start_matches("http://").split_once('/').expect("a path");
    let mut stream = TcpStream::connect(address).expect("the server listens");
    let head = format!(
        "POST /{path}/Basic HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("sent");
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    // The server may hang up before it has read all of it.
    let all_sent = (0..length.div_ceil(0x10000)).all(|_| stream.write_all(chunk.as_bytes()).is_ok());
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 413") || !all_sent, "{answer}");
}
