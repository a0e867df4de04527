use flint_tests::{Bearer, Guarded, Reply};
use serde_json::{Value, json};
use server::Directory;

use super::callers::keeper;

fn observation(id: &str, more: Value) -> Value {
    let mut it = json!({ "resourceType": "Observation", "id": id, "status": "final", "code": { "text": "Overall rating" },
        "subject": { "reference": "Location/loc1" }, "performer": [{ "reference": "Organization/gp1" }],
        "effectiveDateTime": "2027-01-15", "valueCodeableConcept": { "text": "Good" } });
    for (name, value) in more.as_object().expect("members") {
        it[name.as_str()] = value.clone();
    }
    it
}

/// The surgery with a rating of its place, and with observations that are none.
fn rated() -> Guarded {
    let guarded = Guarded::surgery();
    let keeper = guarded.hold(&keeper());
    let put = |it: Value| {
        let line =
            format!("PUT /{}/{}", it["resourceType"].as_str().expect("a type"), it["id"].as_str().expect("an id"));
        keeper.send(&line, it).expect(201);
    };
    put(observation("rating", json!({})));
    put(observation("of-joan", json!({ "subject": { "reference": "Patient/p1" } })));
    put(observation("by-joan", json!({ "performer": [{ "reference": "Patient/p1" }] })));
    put(observation("by-doctor", json!({ "performer": [{ "reference": "Practitioner/dr1" }] })));
    put(observation("about-joan", json!({ "focus": [{ "reference": "Patient/p1" }] })));
    let label = json!([{ "system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R" }]);
    put(observation("closed", json!({ "meta": { "security": label } })));
    put(observation("of-nothing", json!({ "subject": { "display": "a place" } })));
    put(
        json!({ "resourceType": "PractitionerRole", "id": "role1", "practitioner": { "reference": "Practitioner/dr1" },
        "organization": { "reference": "Organization/gp1" }, "location": [{ "reference": "Location/loc1" }] }),
    );
    put(
        json!({ "resourceType": "Endpoint", "id": "end1", "status": "active", "managingOrganization": { "reference": "Organization/gp1" },
        "connectionType": { "system": "http://terminology.hl7.org/CodeSystem/endpoint-connection-type", "code": "hl7-fhir-rest" },
        "payloadType": [{ "text": "any" }], "address": "https://gp1.example/fhir" }),
    );
    guarded
}

fn found(nobody: &Bearer<'_>, url: &str) -> Vec<String> {
    let reply = nobody.get(url).expect(200);
    assert!(!reply.text.contains(r#""reference":"Patient/"#), "{url}: {}", reply.text);
    [reply.keys("match"), reply.keys("include")].concat()
}

#[test]
fn the_directory_is_open_to_everybody() {
    let guarded = rated();
    let nobody = guarded.nobody();
    for key in ["Organization/gp1", "Location/loc1", "PractitionerRole/role1", "Endpoint/end1", "Observation/rating"] {
        nobody.get(&format!("/{key}")).expect(200).facts(&[("etag", "W/\"1\"")]);
        nobody.call(&format!("HEAD /{key}")).send().expect(200);
        let (name, id) = key.split_once('/').expect("a key");
        assert_eq!(found(&nobody, &format!("/{name}?_id={id}")), [key]);
    }
    let service = found(&nobody, "/HealthcareService?_count=1").remove(0);
    nobody.get(&format!("/{service}")).expect(200);
    let form = nobody.call("POST /Location/_search").body("application/x-www-form-urlencoded", "_id=loc1");
    assert_eq!(form.send().expect(200).keys("match"), ["Location/loc1"]);
    assert_eq!(
        found(&nobody, "/Organization?_id=gp1&_revinclude=Endpoint:organization"),
        ["Organization/gp1", "Endpoint/end1"]
    );
    assert_eq!(
        found(&nobody, "/Location?_id=loc1&_revinclude=Observation:subject"),
        ["Location/loc1", "Observation/rating"]
    );
    let rated = "/Location?_has:Observation:subject:status=final&_id=loc1";
    assert_eq!(found(&nobody, rated), ["Location/loc1"]);
}

#[test]
fn nothing_but_the_directory_is_open() {
    let guarded = rated();
    let nobody = guarded.nobody();
    let asked = |reply: Reply| reply.expect(401).facts(&[("/issue/0/code", "login"), ("www-authenticate", "Bearer")]);
    for url in [
        "/Patient/p1",
        "/Patient",
        "/Practitioner/dr1",
        "/Practitioner",
        "/Slot?status=free",
        "/Schedule",
        "/Condition",
        "/?_type=Location",
        "/_history",
        "/Location/_history",
        "/Location/loc1/_history",
        "/Location/loc1/_history/1",
        "/Patient/p1/Observation",
        "/Practitioner/dr1/PractitionerRole",
        "/Location/loc1/$validate",
        "/$search-parameters",
    ] {
        asked(nobody.get(url));
    }
    let location = json!({ "resourceType": "Location", "id": "loc1" });
    for line in [
        "POST /Location",
        "PUT /Location/loc1",
        "PATCH /Location/loc1",
        "DELETE /Location/loc1",
        "POST /",
        "POST /Location/$validate",
    ] {
        asked(nobody.call(line).header("Connection", "close").json(&location).send());
    }
    let hidden = ["of-joan", "by-joan", "by-doctor", "about-joan", "closed", "of-nothing"];
    let told = |id: &str| nobody.get(&format!("/Observation/{id}")).expect(404).text.replace(id, "ID");
    for id in hidden {
        assert_eq!(told(id), told("absent"), "{id}");
        assert_eq!(found(&nobody, &format!("/Observation?_id={id}")), [""; 0], "{id}");
    }
    for (url, expected) in [
        ("/Observation", &["Observation/rating"][..]),
        ("/Observation?subject=Patient/p1", &[]),
        ("/Observation?patient=p1", &[]),
        ("/Observation?performer:Practitioner.family=okafor", &[]),
        ("/Observation?focus:missing=false", &[]),
        ("/PractitionerRole?practitioner:Practitioner.family=okafor", &[]),
        ("/PractitionerRole?_id=role1&_include=PractitionerRole:practitioner", &["PractitionerRole/role1"]),
        ("/Location?_id=loc1&_has:Appointment:actor:status=booked", &[]),
        ("/Location?_has:Encounter:location:status=finished", &[]),
        (
            "/Location?_id=loc1&_revinclude=*&_revinclude=Appointment:actor",
            &["Location/loc1", "PractitionerRole/role1", "Observation/rating"],
        ),
        (
            "/Organization?_id=gp1&_revinclude=Patient:general-practitioner&_revinclude=Patient:organization",
            &["Organization/gp1"],
        ),
        ("/Organization?_has:Patient:organization:_id=p1", &[]),
    ] {
        let mut found = found(&nobody, url);
        let mut expected: Vec<_> = expected.iter().map(|key| (*key).to_owned()).collect();
        found.retain(|key| !key.starts_with("HealthcareService/"));
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{url}");
    }
    nobody.get("/Observation?_summary=count").expect(200).facts(&[("/total", "1")]);
}

#[test]
fn a_token_that_does_not_count_opens_nothing() {
    let guarded = rated();
    for value in ["Bearer a.b.c", "Basic YTpi", "Bearer", ""] {
        let reply = guarded.flint().call("GET /Location/loc1").header("Authorization", value).send();
        reply.expect(401).facts(&[("www-authenticate", "Bearer error=\"invalid_token\"*")]);
    }
}

#[test]
fn the_directory_can_be_closed() {
    for (directory, status, told) in [
        (Directory::Open, 200, "Without a token Endpoint, *"),
        (Directory::Closed, 401, "Nothing is answered without a token *"),
    ] {
        let guarded = Guarded::start_with(|config| {
            config.directory = directory;
            config.load.push(flint_tests::example("seed-transaction.json"));
        });
        let nobody = guarded.nobody();
        nobody.get("/Location/loc1").expect(status);
        nobody.get("/metadata").expect(200).facts(&[("/rest/0/security/description", told)]);
        let systems = nobody.get("/metadata?mode=terminology").expect(200).json();
        assert!(systems["codeSystem"].as_array().is_some_and(|systems| !systems.is_empty()));
    }
}
