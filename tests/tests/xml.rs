use std::fmt::Write;

use flint_tests::{Flint, Reply};
use serde_json::json;

const XML: &str = "application/fhir+xml";
const ANN: &str = concat!(
    r#"<?xml version="1.0" encoding="UTF-8"?><Patient xmlns="http://hl7.org/fhir"><!-- c --><id value="ann"/><text><status value="generated"/>"#,
    r#"<div xmlns="http://www.w3.org/1999/xhtml"><p>Ann &amp; co</p></div></text><active value="true"/><name id="n"><family value="Ash"/>"#,
    r#"<given value="A"/><given value="B"><extension url="http://u"><valueDecimal value="1.10"/></extension></given></name></Patient>"#
);

fn xml(reply: &Reply) -> &str {
    assert!(reply.header("content-type").contains("xml"), "{}", reply.header("content-type"));
    let start = r#"<?xml version="1.0" encoding="UTF-8"?>"#;
    reply.text.strip_prefix(start).unwrap_or_else(|| panic!("no XML: {}", reply.text)).trim_start()
}

#[track_caller]
fn holds(reply: &Reply, parts: &[&str]) {
    let text = xml(reply);
    for part in parts {
        assert!(text.contains(part), "`{part}` is missing: {text}");
    }
}

#[test]
fn reads_and_writes_both_formats() {
    let flint = Flint::start();
    let created = flint.call("PUT /Patient/ann").header("Accept", XML).body(XML, ANN).send().expect(201);
    holds(&created, &[r#"<Patient xmlns="http://hl7.org/fhir"><id value="ann"/><meta><versionId value="1"/>"#]);
    let json = flint.get("/Patient/ann").expect(200);
    json.facts(&[
        ("content-type", "application/fhir+json; charset=utf-8"),
        ("/name/0/id", "n"),
        ("/name/0/given/1", "B"),
        ("/name/0/_given/0", "null"),
        ("/name/0/_given/1/extension/0/url", "http://u"),
        ("/text/div", r#"<div xmlns="http://www.w3.org/1999/xhtml"><p>Ann &amp; co</p></div>"#),
    ]);
    assert!(flint.get("/Patient/ann").text.contains(r#""valueDecimal":1.10}"#));
    let read = |format: &str| flint.call("GET /Patient/ann").header("Accept", format).send().expect(200);
    let whole = read(XML);
    let parts = [
        r#"<div xmlns="http://www.w3.org/1999/xhtml"><p>Ann &amp; co</p></div>"#,
        r#"<given value="B"><extension url="http://u"><valueDecimal value="1.10"/></extension></given></name></Patient>"#,
    ];
    holds(&whole, &parts);
    for (accept, content_type) in [
        ("application/fhir+xml", "application/fhir+xml; charset=utf-8"),
        ("application/xml", "application/xml; charset=utf-8"),
        ("text/xml", "text/xml; charset=utf-8"),
        ("application/fhir+xml; fhirVersion=4.0", "application/fhir+xml; charset=utf-8"),
        ("application/fhir+json;q=0.5, application/fhir+xml;q=0.6", "application/fhir+xml; charset=utf-8"),
        ("application/fhir+json;q=0.7, application/fhir+xml;q=0.6", "application/fhir+json; charset=utf-8"),
        ("*/*", "application/fhir+json; charset=utf-8"),
    ] {
        let reply = read(accept).facts(&[("content-type", content_type), ("etag", "W/\"1\""), ("vary", "*accept*")]);
        assert_eq!(reply.text == whole.text, content_type.contains("xml"), "{accept}");
    }
    // Sent back as it came, it is the same again.
    let same = flint.call("PUT /Patient/ann").body(XML, whole.text.as_str()).send().expect(200);
    same.facts(&[("etag", "W/\"1\""), ("content-type", "application/fhir+xml; charset=utf-8")]);
}

#[test]
fn every_interaction_answers_in_xml() {
    let flint = Flint::start();
    flint.call("PUT /Patient/ann").body(XML, ANN).send().expect(201);
    flint.call("POST /Patient").body("application/xml; charset=utf-8", ANN).send().expect(201);
    flint.call("PUT /Patient?_id=ann").body("text/xml", ANN.replace("Ash", "Birch")).send().expect(200);
    let cases: [(&str, u16, &[&str]); 15] = [
        ("GET /Patient/ann", 200, &["<Patient ", r#"<family value="Birch"/>"#]),
        ("GET /Patient/ann/_history/1", 200, &[r#"<family value="Ash"/>"#]),
        ("GET /Patient/ann/_history", 200, &["<Bundle ", r#"<type value="history"/>"#, "<resource><Patient><id "]),
        ("GET /Patient?family=birch", 200, &[r#"<total value="1"/>"#, r#"<search><mode value="match"/></search>"#]),
        ("GET /Patient?_summary=count", 200, &[r#"<total value="2"/><link>"#]),
        (
            "GET /Patient/ann?_elements=active",
            200,
            &[r#"<code value="SUBSETTED"/>"#, r#"<active value="true"/></Patient>"#],
        ),
        ("GET /Patient/ann?_summary=text", 200, &["<div "]),
        ("GET /metadata", 200, &["<CapabilityStatement ", r#"<fhirVersion value="4.0.1"/>"#]),
        ("GET /metadata?mode=terminology", 200, &["<TerminologyCapabilities "]),
        ("GET /metadata?mode=none", 400, &["<OperationOutcome "]),
        ("GET /Patient/none", 404, &["<OperationOutcome ", r#"<code value="not-found"/>"#]),
        ("GET /Nothing", 404, &["<OperationOutcome "]),
        ("GET /Patient?nothing=1", 400, &["<OperationOutcome "]),
        ("GET /$search-parameters", 200, &["<Parameters xmlns=\"http://hl7.org/fhir\""]),
        ("DELETE /Patient/ann", 204, &[]),
    ];
    for (line, status, parts) in cases {
        let reply = flint.call(line).header("Accept", XML).send().expect(status);
        if status != 204 {
            holds(&reply, parts);
        }
    }
    flint.call("GET /Patient/ann").header("Accept", XML).send().expect(410);
    flint.call("GET /Patient?name=%FF").header("Accept", XML).send().expect(400).facts(&[("content-type", "*xml*")]);
}

#[test]
fn formats_are_asked_for_in_the_query_too() {
    let flint = Flint::start();
    flint.call("PUT /Patient/ann").body(XML, ANN).send().expect(201);
    for format in ["xml", "text/xml", "application/xml", "application/fhir+xml", "application/fhir%2Bxml"] {
        let reply = flint.get(&format!("/Patient/ann?_format={format}")).expect(200);
        reply.facts(&[("content-type", "application/fhir+xml; charset=utf-8")]);
    }
    let json = flint.call("GET /Patient/ann?_format=json").header("Accept", XML).send().expect(200);
    json.facts(&[("/id", "ann")]);
    let pretty = flint.get("/Patient/ann?_format=xml&_pretty=true").expect(200);
    holds(&pretty, &["\n  <id value=\"ann\"/>\n", "\n  <name id=\"n\">\n    <family value=\"Ash\"/>"]);
    let form = |body: &str| {
        flint.call("POST /Patient/_search?_format=json").body("application/x-www-form-urlencoded", body).send()
    };
    holds(&form("_id=ann&_format=xml").expect(200), &["<Bundle "]);
    form("_id=ann").expect(200).facts(&[("/total", "1")]);
    let page = flint.get("/Patient?_format=xml&_count=1").expect(200);
    holds(&page, &["_format=xml"]);
    for format in ["ttl", "html", "xmlx", "application/fhir%2Bxml;%20fhirVersion=5.0"] {
        flint.get(&format!("/Patient/ann?_format={format}")).expect(406).facts(&[("/issue/0/code", "not-supported")]);
    }
    flint.call("GET /Patient/ann").header("Accept", "application/fhir+xml; fhirVersion=5.0").send().expect(406);
    flint.call("GET /Patient/ann").header("Accept", "text/html").send().expect(406);
}

#[test]
fn heads_and_conditions_are_those_of_json() {
    let flint = Flint::start();
    flint.call("PUT /Patient/ann").body(XML, ANN).send().expect(201);
    let get = flint.call("GET /Patient/ann").header("Accept", XML).send().expect(200);
    let head = flint.call("HEAD /Patient/ann").header("Accept", XML).send().expect(200);
    head.facts(&[
        ("content-length", &get.text.len().to_string()),
        ("etag", "W/\"1\""),
        ("content-type", get.header("content-type")),
    ]);
    flint.call("GET /Patient/ann").header("Accept", XML).header("If-None-Match", "W/\"1\"").send().expect(304);
    let changed = ANN.replace("Ash", "Birch");
    let put =
        |version: &str| flint.call("PUT /Patient/ann").header("If-Match", version).body(XML, changed.as_str()).send();
    put("W/\"7\"").expect(412).facts(&[("content-type", "*xml*")]);
    put("W/\"1\"").expect(200);
    let packed = flint.call("GET /metadata").header("Accept", XML).header("Accept-Encoding", "gzip").send().expect(200);
    packed.facts(&[("content-encoding", "gzip"), ("vary", "accept, accept-encoding")]);
}

#[test]
fn bundles_work_in_xml() {
    let flint = Flint::start();
    let bundle = |kind: &str, entries: &[(&str, &str, &str)]| {
        let mut text = format!(r#"<Bundle xmlns="http://hl7.org/fhir"><type value="{kind}"/>"#);
        for (method, url, resource) in entries {
            let resource = if resource.is_empty() { String::new() } else { format!("<resource>{resource}</resource>") };
            let _ = write!(
                text,
                r#"<entry>{resource}<request><method value="{method}"/><url value="{url}"/></request></entry>"#
            );
        }
        text + "</Bundle>"
    };
    let transaction = bundle(
        "transaction",
        &[
            ("PUT", "Patient/ann", r#"<Patient><id value="ann"/><active value="true"/></Patient>"#),
            (
                "POST",
                "Observation",
                r#"<Observation><status value="final"/><code><text value="x"/></code><subject><reference value="Patient/ann"/></subject></Observation>"#,
            ),
            ("GET", "Patient/ann", ""),
        ],
    );
    let done = flint.call("POST /").body(XML, transaction).send().expect(200);
    holds(
        &done,
        &[
            r#"<type value="transaction-response"/>"#,
            r#"<response><status value="201 Created"/>"#,
            "<resource><Patient><id",
        ],
    );
    flint.get("/Observation?subject=Patient/ann").expect(200).facts(&[("/total", "1")]);
    let batch = bundle("batch", &[("GET", "Patient/none", ""), ("DELETE", "Patient/none", "")]);
    let done = flint.call("POST /").body(XML, batch).send().expect(200);
    holds(&done, &["<outcome><OperationOutcome><issue>", r#"<status value="404 Not Found"/>"#]);
    // One bad entry, and nothing is stored.
    let bad = bundle(
        "transaction",
        &[
            ("PUT", "Patient/bob", r#"<Patient><id value="bob"/></Patient>"#),
            ("PUT", "Patient/eve", r#"<Patient><id value="eve"/><gender value="x"/></Patient>"#),
        ],
    );
    let refused = flint.call("POST /").body(XML, bad).send().expect(422);
    holds(&refused, &[r#"<expression value="Bundle.entry[1].resource.gender"/>"#]);
    flint.get("/Patient/bob").expect(404);
}

#[test]
fn refuses_bad_xml_by_name_and_place() {
    let flint = Flint::start();
    let patient = |inside: &str| format!("<Patient xmlns=\"http://hl7.org/fhir\">\n  {inside}</Patient>");
    let cases = [
        ("<Patient".to_owned(), 400, "*at line 1, column 1"),
        (r#"{"resourceType":"Patient"}"#.to_owned(), 400, "*text stands outside*"),
        (patient("<name>"), 400, "*at line 2, column 9"),
        (
            format!("<!DOCTYPE p [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>{}", patient("<gender value=\"&x;\"/>")),
            400,
            "*DOCTYPE*",
        ),
        (patient("<gender value=\"&x;\"/>"), 400, "*the entity `x` is unknown*"),
        (patient("<nme/>"), 422, "*`nme` is not an element of Patient at line 2, column 3"),
        (patient("<gender value=\"male\"/><active value=\"true\"/>"), 422, "*`active` comes after `gender`*"),
        (patient("<gender value=\"x\"/>"), 422, "*"),
        ("<Patient/>".to_owned(), 422, "*no namespace*"),
        (
            "<Group xmlns='http://hl7.org/fhir'><type value='person'/><actual value='true'/></Group>".to_owned(),
            400,
            "*",
        ),
        (patient(&"<contact>".repeat(100_000)), 422, "*`contact` is not an element of Patient.contact*"),
        (
            patient(&format!("<extension url='u'>{}", "<extension url='u'>".repeat(100_000))),
            400,
            "*nests deeper than 128 levels*",
        ),
        (String::new(), 400, "*"),
    ];
    for (body, status, diagnostics) in cases {
        let shown: String = body.chars().take(80).collect();
        let call = flint.call("POST /Patient").header("Accept", "application/json").body(XML, body);
        let reply = call.send();
        assert_eq!(reply.status, status, "{shown}: {}", reply.text);
        reply.facts(&[("/resourceType", "OperationOutcome"), ("/issue/0/diagnostics", diagnostics)]);
    }
    flint.get("/Patient").expect(200).facts(&[("/total", "0")]);
    for content_type in [
        "application/xhtml+xml",
        "application/fhir+xml; charset=utf-16",
        "application/fhir+xml; fhirVersion=5.0",
        "text/plain",
    ] {
        flint.call("POST /Patient").body(content_type, ANN).send().expect(415);
    }
}

#[test]
fn states_its_formats() {
    let flint = Flint::start();
    let statement = flint.get("/metadata").expect(200).json();
    assert_eq!(statement["format"], json!(["application/fhir+json", "application/fhir+xml", "json", "xml"]));
    let patches =
        ["application/json-patch+json", "application/xml-patch+xml", "application/fhir+json", "application/fhir+xml"];
    assert_eq!(statement["patchFormat"], json!(patches));
}

#[test]
fn tells_what_xml_cannot_hold() {
    let flint = Flint::start();
    // A narrative of JSON may hold names of characters that XML does not know.
    let div = r#"<div xmlns="http://www.w3.org/1999/xhtml">a&nbsp;b<a href="x?a=1&b=2">c</a></div>"#;
    let patient = json!({"resourceType": "Patient", "id": "p", "text": {"status": "generated", "div": div}});
    flint.send("PUT /Patient/p", patient).expect(201);
    holds(&flint.get("/Patient/p?_format=xml").expect(200), &["a\u{a0}b<a href=\"x?a=1&amp;b=2\">c</a>"]);
}
