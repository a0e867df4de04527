use std::collections::BTreeSet;

use flint_tests::{Bearer, Call, Flint, Guarded, Holder, Reply};
use serde_json::{Value, json};

use crate::access::callers::{holder, keeper};

/// How requests are made: by everybody, or with a token.
type Make<'a> = dyn Fn(&str) -> Call<'a> + 'a;

/// Where to ask how far it is.
fn begin(call: &Make<'_>, line: &str) -> String {
    let reply = call(line).header("Prefer", "respond-async").send().expect(202);
    reply.header("content-location").to_owned()
}

/// The manifest, once it is there.
fn manifest(call: &Make<'_>, status: &str) -> Reply {
    for _ in 0..100 {
        let reply = call(&format!("GET {status}")).send();
        if reply.status != 202 {
            return reply.expect(200);
        }
    }
    panic!("it never ends");
}

/// What is in all files, each resource as `Type/id`.
fn exported(call: &Make<'_>, line: &str) -> BTreeSet<String> {
    files(call, &manifest(call, &begin(call, line)).json())
}

fn files(call: &Make<'_>, manifest: &Value) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for output in manifest["output"].as_array().expect("files") {
        let file = call(&format!("GET {}", output["url"].as_str().expect("a URL"))).send().expect(200);
        let file = file.facts(&[("content-type", "application/fhir+ndjson"), ("cache-control", "private, no-cache")]);
        for key in file.lines_of(&output["type"]) {
            assert!(!all.contains(&key), "twice: {key}");
            all.insert(key);
        }
    }
    all
}

/// The same by a search, all on one page.
fn found(flint: &Flint, url: &str) -> BTreeSet<String> {
    flint.get(url).expect(200).keys("match").into_iter().collect()
}

#[test]
fn exports_what_searches_find() {
    let flint = Flint::surgery();
    let call = |line: &str| flint.call(line);
    let of_place = json!({ "resourceType": "Observation", "id": "place", "status": "final", "code": { "text": "x" }, "subject": { "reference": "Location/loc1" } });
    flint.send("PUT /Observation/place", of_place).expect(201);
    let group = json!({ "resourceType": "Group", "id": "g", "type": "person", "actual": true, "member": [{ "entity": { "reference": "Patient/p1" } }] });
    flint.send("PUT /Group/g", group).expect(201);
    let record = || found(&flint, "/Patient/p1/$everything?_count=1000");
    for (line, url) in [
        ("GET /$export", "/?_count=1000"),
        ("GET /$export?_type=Observation,Patient", "/?_type=Observation,Patient&_count=1000"),
        (
            "GET /$export?_type=Observation&_type=Patient&_outputFormat=ndjson",
            "/?_type=Observation,Patient&_count=1000",
        ),
        (
            "GET /$export?_type=Observation&_typeFilter=Observation%3Fcode%3Dhttp://loinc.org%7C59408-5%26date%3Dge2027",
            "/Observation?code=http://loinc.org%7C59408-5",
        ),
        ("GET /Patient/$export?_type=Observation", "/Patient/$everything?_type=Observation&_count=1000"),
        ("GET /Patient/$export", "/Patient/$everything?_count=1000"),
        ("GET /Group/g/$export?_type=Condition", "/Patient/p1/$everything?_type=Condition&_count=1000"),
        ("GET /$export?_since=2027-03-02T00:00:00Z", "/?_lastUpdated=ge2027-03-02&_count=1000"),
    ] {
        assert_eq!(exported(&call, line), found(&flint, url), "{line}");
    }
    let mut members = record();
    members.insert("Group/g".to_owned());
    assert_eq!(exported(&call, "GET /Group/g/$export"), members);
    let body = json!({ "resourceType": "Parameters", "parameter": [
        { "name": "_type", "valueString": "Patient" }, { "name": "_type", "valueString": "Goal" },
        { "name": "patient", "valueReference": { "reference": "Patient/p1" } }] });
    let posted = flint.call("POST /Patient/$export").header("Prefer", "respond-async").json(&body).send().expect(202);
    let files = files(&call, &manifest(&call, posted.header("content-location")).json());
    assert_eq!(files, ["Goal/goal1", "Patient/p1"].map(str::to_owned).into());
}

#[test]
fn the_manifest_says_what_there_is() {
    let flint = Flint::surgery();
    let call = |line: &str| flint.call(line);
    let reply = flint.call("GET /$export?_type=Patient,Slot,Goal").header("Prefer", "respond-async").send().expect(202);
    let status = reply.header("content-location").to_owned();
    assert!(status.starts_with(flint.base_url()), "{status}");
    let manifest = manifest(&call, &status).facts(&[
        ("content-type", "application/json"),
        ("/transactionTime", "2027-03-01T08:00:*Z"),
        ("/request", "*/fhir/$export?_type=Patient&_type=Slot&_type=Goal"),
        ("/requiresAccessToken", "false"),
        ("/output/0/type", "Patient"),
        ("/error", "[]"),
    ]);
    assert_eq!(manifest.json()["output"].as_array().map(Vec::len), Some(3));
    // What is written after it began is the next one's, and what is gone is gone.
    flint.advance(std::time::Duration::from_secs(60));
    flint.send("PUT /Patient/late", json!({ "resourceType": "Patient", "id": "late" })).expect(201);
    flint.call("DELETE /Goal/goal1").send().expect(204);
    let left = files(&call, &manifest.json());
    assert!(left.contains("Patient/p1") && !left.contains("Patient/late") && !left.contains("Goal/goal1"), "{left:?}");
    let since = manifest.pointer("/transactionTime");
    assert_eq!(exported(&call, &format!("GET /Patient/$export?_since={since}")), ["Patient/late".to_owned()].into());
    // It can be ended, once, and ends after a day.
    flint.call(&format!("DELETE {status}")).send().expect(202);
    let file = manifest.pointer("/output/0/url");
    for line in [format!("GET {status}"), format!("DELETE {status}"), format!("GET {file}")] {
        flint.call(&line).send().expect(404);
    }
    let status = begin(&call, "GET /$export?_type=Goal");
    flint.advance(std::time::Duration::from_secs(24 * 60 * 60 - 120));
    flint.get(&status).expect(200);
    flint.advance(std::time::Duration::from_secs(240));
    flint.get(&status).expect(404);
}

#[test]
fn refuses_what_it_does_not_understand_by_name() {
    let flint = Flint::surgery();
    flint.get("/$export").expect(400).facts(&[("/issue/0/diagnostics", "*`Prefer: respond-async`*")]);
    for (line, status, told) in [
        ("GET /$export?_type=Patients", 400, "`_type` is `Patients`"),
        ("GET /Patient/$export?_type=Slot", 400, "`_type` is `Slot`"),
        ("GET /$export?_outputFormat=text/csv", 400, "`_outputFormat` is `text/csv`"),
        ("GET /$export?_since=2027", 400, "`_since`"),
        ("GET /$export?_elements=id", 400, "no input `_elements`"),
        ("GET /$export?patient=Patient/p1", 400, "no input `patient`"),
        ("GET /Patient/$export?patient=Group/g", 400, "`patient`"),
        ("GET /$export?_type=Goal&_typeFilter=Patient%3Fname=x", 400, "`_typeFilter`"),
        ("GET /$export?_type=Goal&_typeFilter=Goal", 400, "`_typeFilter` is `Goal`"),
        ("GET /Patient/$export?patient=", 400, "`patient`"),
        ("GET /$export?_type=Goal&_typeFilter=Goal%3Fnothing=x", 400, "`nothing`"),
        ("GET /$export?_type=Goal&_typeFilter=Goal%3F_count=1", 400, "`_typeFilter`"),
        ("GET /Group/none/$export", 404, "Group/none"),
        ("DELETE /$export", 405, ""),
        ("GET /$export-status?job=none", 404, "no export `none`"),
        ("GET /$export-status", 422, "`job`"),
    ] {
        let reply = flint.call(line).header("Prefer", "respond-async").send().expect(status);
        assert!(reply.text.contains(told), "{line}: {}", reply.text);
    }
    // Passed over, they would widen what is exported.
    for named in
        [json!({ "identifier": { "value": "1" } }), json!({ "reference": "https://elsewhere.example/Patient/p1" })]
    {
        let body =
            json!({ "resourceType": "Parameters", "parameter": [{ "name": "patient", "valueReference": named }] });
        flint.call("POST /Patient/$export").header("Prefer", "respond-async").json(&body).send().expect(400);
    }
    let status = begin(&|line| flint.call(line), "GET /$export?_type=Goal");
    flint.get(&status).expect(200);
    flint.get(&format!("{status}&file=1")).expect(404);
    flint.get(&format!("{status}&file=x")).expect(400);
}

fn make<'a>(bearer: &'a Bearer<'a>) -> impl Fn(&str) -> Call<'a> + 'a {
    |line| bearer.call(line)
}

/// Each file has what its caller may see when it is fetched, and is on record; a job is nobody else's.
#[test]
fn consent_holds_when_a_file_is_fetched() {
    let guarded = Guarded::surgery();
    let all = ["app", "patient", "staff", "research", "custodian"].map(|name| guarded.hold(&holder(name)));
    let [app, own, staff, research, custodian] = &all;
    let conditions = |caller: &Bearer<'_>| exported(&make(caller), "GET /Patient/$export?_type=Condition,Patient");
    let of_all = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(conditions(app), of_all(&["Condition/copd1", "Patient/p1"]));
    assert_eq!(conditions(own), of_all(&["Condition/copd1", "Condition/sens1", "Patient/p1"]));
    assert_eq!(conditions(research), of_all(&["Patient/p2", "Patient/p3"]));
    for caller in [staff, custodian] {
        let expected = of_all(&["Condition/copd1", "Condition/sens1", "Patient/p1", "Patient/p2", "Patient/p3"]);
        assert_eq!(conditions(caller), expected);
    }
    let status = begin(&make(app), "GET /Patient/$export?_type=Condition");
    let manifest = manifest(&make(app), &status).facts(&[("/requiresAccessToken", "true")]).json();
    let file = manifest["output"][0]["url"].as_str().expect("a URL").to_owned();
    assert!(app.get(&file).expect(200).text.contains("copd1"));
    for other in [own, staff, custodian] {
        other.get(&status).expect(404);
        other.get(&file).expect(404);
        other.call(&format!("DELETE {status}")).send().expect(404);
    }
    guarded.nobody().get(&file).expect(401);
    let narrow = Holder { scope: "patient/Observation.rs patient/Patient.rs", ..holder("patient") };
    let narrow = guarded.hold(&narrow);
    let some = exported(&make(&narrow), "GET /Patient/$export");
    assert!(
        some.iter().all(|key| key.starts_with("Observation/") || key == "Patient/p1") && some.len() == 5,
        "{some:?}"
    );
    narrow.call("GET /Patient/$export?_type=Goal").header("Prefer", "respond-async").send().expect(403);
    // The patient hides it from the app while it has the manifest.
    let mut consent = guarded.hold(&keeper()).get("/Consent/share-app").expect(200).json();
    consent["status"] = json!("inactive");
    guarded.hold(&keeper()).send("PUT /Consent/share-app", consent).expect(200);
    assert_eq!(app.get(&file).expect(200).text, "");
    // Only what was fetched is on record.
    let events = guarded.hold(&holder("patient")).get("/AuditEvent?patient=p1&_count=1000").expect(200).json();
    let events = events["entry"].as_array().expect("events").iter().map(|entry| &entry["resource"]);
    let of_staff = events.filter(|event| event.to_string().contains("Practitioner/dr1"));
    let codes: Vec<_> = of_staff.map(|event| event["subtype"][1]["code"].clone()).collect();
    assert_eq!(codes, ["export-status", "export-status"]);
}
