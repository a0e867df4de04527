//! Search parameters that come, change and go while the server runs.

use flint_tests::{Flint, Process};
use serde_json::{Value, json};
use tempfile::TempDir;

const EYES: &str = "https://a.example/StructureDefinition/eyes";

/// A server where nothing is indexed until the test says so.
fn flint() -> Flint {
    Flint::start_with(|config| config.indexes = false)
}

pub(crate) fn patient(id: &str, eyes: &str) -> Value {
    json!({"resourceType": "Patient", "id": id, "extension": [{"url": EYES, "valueCode": eyes}]})
}

pub(crate) fn parameter(members: Value) -> Value {
    let mut parameter = json!({
        "resourceType": "SearchParameter", "id": "eyes", "url": "https://a.example/SearchParameter/eyes", "name": "Eyes",
        "status": "active", "description": "The color of the eyes", "code": "eyes", "base": ["Patient"], "type": "token",
        "expression": format!("Patient.extension.where(url='{EYES}').value")
    });
    for (name, value) in members.as_object().expect("members") {
        match value {
            Value::Null => _ = parameter.as_object_mut().and_then(|parameter| parameter.remove(name)),
            value => parameter[name.as_str()] = value.clone(),
        }
    }
    parameter
}

/// Puts so many patients, every third with blue eyes, the others with green ones.
fn put_patients(flint: &Flint, count: usize) {
    let entry = |at: usize| {
        let patient = patient(&format!("p{at:04}"), if at.is_multiple_of(3) { "blue" } else { "green" });
        json!({"resource": patient, "request": {"method": "PUT", "url": format!("Patient/p{at:04}")}})
    };
    let entries: Vec<_> = (0..count).map(entry).collect();
    flint.send("POST ", json!({"resourceType": "Bundle", "type": "transaction", "entry": entries})).expect(200);
}

fn total(flint: &Flint, search: &str) -> String {
    flint.get(&format!("{search}&_summary=count")).expect(200).pointer("/total")
}

/// The parts of the operation's first answer: `status`, `done`, `total`.
fn state(flint: &Flint) -> Vec<(String, String)> {
    let answer = flint.get("/$search-parameters").expect(200).json();
    let parts = answer["parameter"][0]["part"].as_array().cloned().unwrap_or_default();
    let text = |part: &Value| {
        let value = part.as_object()?.iter().find(|(name, _)| name.starts_with("value"))?.1;
        Some((part["name"].as_str()?.to_owned(), value.as_str().map_or(value.to_string(), str::to_owned)))
    };
    parts.iter().filter_map(text).collect()
}

fn part(flint: &Flint, name: &str) -> String {
    state(flint).into_iter().find(|(part, _)| part == name).map(|(_, value)| value).unwrap_or_default()
}

#[test]
fn a_new_one_is_indexed_while_others_write_and_then_found() {
    let flint = flint();
    put_patients(&flint, 450);
    flint.get("/Patient?eyes=blue").expect(400);
    let metadata = flint.get("/metadata").expect(200);
    flint.send("PUT /SearchParameter/eyes", parameter(json!({}))).expect(201);
    let refused = |message: &str| {
        let reply = flint.get("/Patient?eyes=blue").expect(400);
        let text = reply.pointer("/issue/0/diagnostics");
        assert!(text.contains(message), "{text}");
    };
    refused("parameter `eyes` of Patient is being indexed, 0 % are done");
    assert!(flint.index_batch());
    refused("44 % are done");
    assert_eq!(
        (part(&flint, "status"), part(&flint, "done"), part(&flint, "total")),
        ("indexing".into(), "200".into(), "450".into())
    );
    let lenient =
        flint.call("GET /Patient?eyes=blue&_summary=count").header("Prefer", "handling=lenient").send().expect(200);
    assert_eq!(lenient.pointer("/total"), "450");
    assert!(lenient.text.contains("is being indexed"), "{}", lenient.text);
    let listed =
        |flint: &Flint| flint.get("/metadata").expect(200).text.contains("https://a.example/SearchParameter/eyes");
    assert!(!listed(&flint));

    // Before and behind where the indexing is, new and changed and deleted.
    flint.send("PUT /Patient/p0001", patient("p0001", "blue")).expect(200);
    flint.send("PUT /Patient/p0400", patient("p0400", "blue")).expect(200);
    flint.send("PUT /Patient/p0003", patient("p0003", "green")).expect(200);
    flint.send("PUT /Patient/a", patient("a", "blue")).expect(201);
    flint.send("PUT /Patient/z", patient("z", "blue")).expect(201);
    flint.call("DELETE /Patient/p0006").send().expect(204);
    flint.call("DELETE /Patient/p0399").send().expect(204);
    flint.index();
    assert_eq!(part(&flint, "status"), "active");
    assert_eq!(total(&flint, "/Patient?eyes=blue"), (150 + 2 - 1 + 2 - 2).to_string());
    assert_eq!(total(&flint, "/Patient?eyes:missing=true"), "0");
    assert!(listed(&flint));
    let after = flint.get("/metadata").expect(200);
    assert_ne!(metadata.header("etag"), after.header("etag"));
    assert_ne!(metadata.pointer("/date"), after.pointer("/date"));

    let flint = flint.restart();
    assert_eq!(total(&flint, "/Patient?eyes=blue"), "151");
}

#[test]
fn a_change_and_a_deletion_take_effect_at_once() {
    let flint = flint();
    put_patients(&flint, 9);
    flint.send("PUT /SearchParameter/eyes", parameter(json!({}))).expect(201);
    flint.index();
    assert_eq!(total(&flint, "/Patient?eyes=blue"), "3");

    // Words about it change nothing.
    flint.send("PUT /SearchParameter/eyes", parameter(json!({"description": "Which color the eyes have"}))).expect(200);
    assert_eq!(total(&flint, "/Patient?eyes=blue"), "3");

    let other = format!("Patient.extension.where(url='{EYES}' and value='green').value");
    flint.send("PUT /SearchParameter/eyes", parameter(json!({"expression": other}))).expect(200);
    flint.get("/Patient?eyes=blue").expect(400);
    flint.index();
    assert_eq!(total(&flint, "/Patient?eyes=blue"), "0");
    assert_eq!(total(&flint, "/Patient?eyes=green"), "6");

    let patch = json!([{"op": "replace", "path": "/code", "value": "iris"}]);
    flint.call("PATCH /SearchParameter/eyes").body("application/json-patch+json", patch.to_string()).send().expect(200);
    flint.get("/Patient?eyes=green").expect(400);
    flint.index();
    assert_eq!(total(&flint, "/Patient?iris=green"), "6");

    for status in ["retired", "active", "draft"] {
        flint.send("PUT /SearchParameter/eyes", parameter(json!({"status": status}))).expect(200);
        flint.index();
        flint.get("/Patient?eyes=green").expect(if status == "active" { 200 } else { 400 });
    }
    flint.send("PUT /SearchParameter/eyes", parameter(json!({}))).expect(200);
    flint.index();
    flint.call("DELETE /SearchParameter/eyes").send().expect(204);
    flint.get("/Patient?eyes=blue").expect(400);
    assert!(state(&flint).is_empty());
    assert!(!flint.get("/metadata").text.contains("https://a.example/SearchParameter/eyes"));
    flint.index();
    // The code is free again.
    flint.send("PUT /SearchParameter/other", parameter(json!({"id": "other"}))).expect(201);
    flint.index();
    assert_eq!(total(&flint, "/Patient?eyes=blue"), "3");
}

#[test]
fn serves_all_that_r4_serves_by_it() {
    let flint = flint();
    let cases = [
        json!({"id": "guide", "code": "guide", "url": "urn:guide", "type": "reference", "target": ["Practitioner"],
            "expression": "Patient.extension.where(url='urn:guide').value"}),
        json!({"id": "height", "code": "height", "url": "urn:height", "type": "quantity", "expression": "Patient.extension('urn:height').value"}),
        json!({"id": "seen", "code": "seen", "url": "urn:seen", "type": "date", "comparator": ["ge"], "multipleOr": false,
            "expression": "Patient.extension('urn:seen').value.ofType(dateTime)"}),
        json!({"id": "nick", "code": "nick", "url": "urn:nick", "type": "string", "base": ["Patient", "Practitioner"], "modifier": ["exact"],
            "expression": "Patient.name.where(use='nickname').given | Practitioner.name.where(use='nickname').given"}),
        json!({"id": "eyes-height", "code": "eyes-height", "url": "urn:eyes-height", "type": "composite", "expression": "Patient", "component": [
            {"definition": "https://a.example/SearchParameter/eyes", "expression": format!("extension('{EYES}').value")},
            {"definition": "urn:height", "expression": "extension('urn:height').value"}]}),
    ];
    flint.send("PUT /SearchParameter/eyes", parameter(json!({}))).expect(201);
    for members in cases {
        let line = format!("PUT /SearchParameter/{}", members["id"].as_str().expect("an id"));
        flint.send(&line, parameter(members)).expect(201);
    }
    flint
        .send(
            "PUT /Practitioner/doc",
            json!({"resourceType": "Practitioner", "id": "doc", "name": [{"use": "nickname", "given": ["Bones"]}]}),
        )
        .expect(201);
    for (id, height, seen, guide) in
        [("a", 170, "2024-05-01", "doc"), ("b", 180, "2025-05-01", "doc"), ("c", 190, "2026-05-01", "")]
    {
        let mut patient = patient(id, "blue");
        let extensions = patient["extension"].as_array_mut().expect("a list");
        extensions.push(json!({"url": "urn:height", "valueQuantity": {"value": height, "unit": "cm"}}));
        extensions.push(json!({"url": "urn:seen", "valueDateTime": seen}));
        if !guide.is_empty() {
            extensions
                .push(json!({"url": "urn:guide", "valueReference": {"reference": format!("Practitioner/{guide}")}}));
        }
        flint.send(&format!("PUT /Patient/{id}"), patient).expect(201);
    }
    flint.index();
    for (search, expected) in [
        ("/Patient?height=gt175&_sort=-height", "Patient/c Patient/b"),
        ("/Patient?seen=ge2025&_sort=seen", "Patient/b Patient/c"),
        ("/Patient?guide=doc&_sort=_id", "Patient/a Patient/b"),
        ("/Patient?guide.nick=bones&_sort=_id", "Patient/a Patient/b"),
        ("/Patient?guide:Practitioner.nick:exact=Bones&_sort=_id", "Patient/a Patient/b"),
        ("/Practitioner?_has:Patient:guide:height=180", "Practitioner/doc"),
        ("/Patient?eyes-height=blue$lt175", "Patient/a"),
        ("/Patient?guide:missing=true", "Patient/c"),
    ] {
        assert_eq!(flint.get(search).expect(200).keys("match").join(" "), expected, "{search}");
    }
    let included = flint.get("/Patient?_id=a&_include=Patient:guide").expect(200);
    assert_eq!(included.keys("include"), ["Practitioner/doc"]);
    let reverse = flint.get("/Practitioner?_id=doc&_revinclude=Patient:guide").expect(200);
    assert_eq!(reverse.keys("include"), ["Patient/a", "Patient/b"]);
    for (search, message) in [
        ("/Patient?seen=gt2025", "prefix `gt` of `seen` is not allowed, only ge"),
        ("/Patient?seen=2024,2025", "takes one value"),
        ("/Patient?nick:contains=x", "modifier `:contains` of `nick` is not allowed, only exact"),
    ] {
        let text = flint.get(search).expect(400).pointer("/issue/0/diagnostics");
        assert!(text.contains(message), "{search}: {text}");
    }
    let statement = flint.get("/metadata").expect(200).json();
    let resources = statement["rest"][0]["resource"].as_array().expect("types");
    let of = |name: &str, list: &str| {
        let resource = resources.iter().find(|resource| resource["type"] == name).expect("a type");
        resource[list].to_string()
    };
    assert!(of("Patient", "searchInclude").contains("Patient:guide"));
    assert!(of("Practitioner", "searchRevInclude").contains("Patient:guide"));
    assert!(of("Patient", "searchParam").contains("urn:eyes-height"));
    assert!(statement["rest"][0]["operation"].to_string().contains("search-parameters"));
    flint.call("DELETE /SearchParameter/eyes").send().expect(422);
}

#[test]
fn refuses_what_cannot_be_searched_by() {
    let flint = flint();
    flint.send("PUT /SearchParameter/eyes", parameter(json!({}))).expect(201);
    for (members, element, message) in [
        (json!({"code": "a b", "url": "urn:x"}), "SearchParameter.code", ""),
        (json!({"code": "_eyes", "url": "urn:x"}), "SearchParameter.code", "the code `_eyes`"),
        (json!({"base": ["Person", "Pat"], "url": "urn:x"}), "*", "Pat"),
        (json!({"type": "special", "code": "x", "url": "urn:x"}), "SearchParameter.type", "the type `special`"),
        (json!({"expression": null, "code": "x", "url": "urn:x"}), "SearchParameter.expression", "needs an expression"),
        (
            json!({"expression": "Patient.name.", "code": "x", "url": "urn:x"}),
            "SearchParameter.expression",
            "is not FHIRPath",
        ),
        (json!({"expression": "Patient.nmae", "code": "x", "url": "urn:x"}), "SearchParameter.expression", "`nmae`"),
        (
            json!({"expression": "Person.name", "code": "x", "url": "urn:x"}),
            "SearchParameter.expression",
            "says nothing about Patient",
        ),
        (
            json!({"expression": "Patient.managingOrganization.resolve().name", "code": "x", "url": "urn:x"}),
            "SearchParameter.expression",
            "`resolve()`",
        ),
        (
            json!({"code": "gender", "url": "urn:x"}),
            "SearchParameter.code",
            "`gender` of Patient is `http://hl7.org/fhir/SearchParameter/individual-gender`",
        ),
        (json!({"url": "urn:x"}), "SearchParameter.code", "`eyes` of Patient is `SearchParameter/eyes`"),
        (json!({"code": "x"}), "SearchParameter.url", "is that of `SearchParameter/eyes`"),
    ] {
        let mut sent = parameter(members.clone());
        sent["id"] = json!("other");
        let reply = flint.send("PUT /SearchParameter/other", sent.clone());
        assert!(matches!(reply.status, 409 | 422), "{members}: {}", reply.text);
        let outcome = reply.json();
        assert!(element == "*" || outcome.to_string().contains(element), "{members}: {outcome}");
        assert!(outcome.to_string().contains(message), "{members}: {outcome}");
        // In a transaction nothing of it is done.
        let entries = json!([
            {"resource": patient("ann", "blue"), "request": {"method": "PUT", "url": "Patient/ann"}},
            {"resource": sent, "request": {"method": "PUT", "url": "SearchParameter/other"}}]);
        let reply = flint.send("POST ", json!({"resourceType": "Bundle", "type": "transaction", "entry": entries}));
        assert!(matches!(reply.status, 409 | 422), "{members}");
        flint.get("/Patient/ann").expect(404);
    }
    // What is not in use is not asked whether it could be, and what restates R4 is only kept.
    for members in [
        json!({"status": "draft", "code": "gender"}),
        json!({"status": "retired", "expression": "Patient.nmae"}),
        json!({"code": "gender", "url": "http://hl7.org/fhir/SearchParameter/individual-gender", "expression": "Patient.gender"}),
        json!({"code": "gender", "url": "urn:x", "derivedFrom": "http://hl7.org/fhir/SearchParameter/individual-gender", "expression": "Patient.gender"}),
    ] {
        let mut sent = parameter(members);
        sent["id"] = json!("other");
        let reply = flint.send("PUT /SearchParameter/other", sent);
        assert!(matches!(reply.status, 200 | 201), "{}", reply.text);
    }
    let answer = flint.get("/$search-parameters").json();
    assert_eq!(answer["parameter"].as_array().map(Vec::len), Some(1), "{answer}");
}

#[test]
fn imported_ones_are_indexed_before_anything_is_served() {
    let directory = TempDir::new().expect("a directory");
    let file = directory.path().join("all.ndjson");
    let patients = (0..300).map(|at| patient(&format!("p{at}"), "blue"));
    let lines: Vec<_> = patients.chain([parameter(json!({}))]).map(|resource| resource.to_string()).collect();
    std::fs::write(&file, lines.join("\n")).expect("written");
    let flint = Flint::start_with(|config| {
        config.indexes = false;
        config.load.push(file);
    });
    assert_eq!(total(&flint, "/Patient?eyes=blue"), "300");
}

#[test]
fn our_own_are_always_there() {
    let flint = flint();
    let statement = flint.get("/metadata").expect(200).text;
    for url in ["Slot-end", "Consent-performer", "delivery-channel"] {
        assert!(statement.contains(&format!("https://flint.example/fhir/SearchParameter/{url}")), "{url}");
    }
    let surgery = Flint::surgery();
    let all = surgery.get("/Slot?_count=100").expect(200).json();
    let ends = all["entry"].as_array().expect("slots").iter().filter_map(|entry| entry["resource"]["end"].as_str());
    let latest = ends.max().expect("an end").to_owned();
    let found =
        surgery.get(&format!("/Slot?end=ge{}&_count=100", latest.replace('+', "%2B"))).expect(200).keys("match").len();
    assert!(found > 0 && found < all["entry"].as_array().map_or(0, Vec::len), "{found}");
}

#[test]
fn a_killed_server_goes_on_where_it_was() {
    let directory = TempDir::new().expect("a directory");
    let (mut process, client) = Process::start(directory.path());
    let entries: Vec<_> = (0..3_000)
        .map(|at| json!({"resource": patient(&format!("p{at}"), "blue"), "request": {"method": "PUT", "url": format!("Patient/p{at}")}}))
        .collect();
    client
        .call("POST ")
        .json(&json!({"resourceType": "Bundle", "type": "transaction", "entry": entries}))
        .send()
        .expect(200);
    client.call("PUT /SearchParameter/eyes").json(&parameter(json!({}))).send().expect(201);
    process.kill();
    let (mut process, client) = Process::start(directory.path());
    client.call("PUT /Patient/new").json(&patient("new", "blue")).send().expect(201);
    process.kill();
    drop(process);
    let (_process, client) = Process::start(directory.path());
    // The server of its own indexes by itself; every request is a moment in which it does.
    for _ in 0..100_000 {
        let reply = client.get("/Patient?eyes=blue&_summary=count");
        if reply.status == 200 {
            assert_eq!(reply.pointer("/total"), "3001");
            return;
        }
        assert!(reply.text.contains("is being indexed"), "{}", reply.text);
    }
    panic!("the indexing does not end");
}
