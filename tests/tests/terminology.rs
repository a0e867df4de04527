use flint_tests::Flint;
use serde_json::json;

const ANIMALS: &str = "urn:example:animals";

fn filled() -> Flint {
    let flint = Flint::start();
    let system = json!({"resourceType": "CodeSystem", "id": "animals", "url": ANIMALS, "version": "1", "status": "active",
        "content": "complete", "hierarchyMeaning": "is-a", "concept": [{"code": "animal", "concept": [
            {"code": "mammal", "concept": [{"code": "cat"}, {"code": "dog"}]}, {"code": "fish"}]}]});
    flint.send("PUT /CodeSystem/animals", system).expect(201);
    for (id, version, compose) in [
        ("old", "1.9", json!({"include": [{"system": ANIMALS, "concept": [{"code": "fish"}]}]})),
        (
            "new",
            "1.10",
            json!({"include": [{"system": ANIMALS,
            "filter": [{"property": "concept", "op": "is-a", "value": "mammal"}]}],
            "exclude": [{"system": ANIMALS, "concept": [{"code": "dog"}]}]}),
        ),
    ] {
        let value_set = json!({"resourceType": "ValueSet", "id": id, "url": "http://v.example/pets", "version": version,
            "status": "active", "compose": compose});
        flint.send(&format!("PUT /ValueSet/{id}"), value_set).expect(201);
    }
    let whole = json!({"resourceType": "ValueSet", "id": "whole", "url": "http://v.example/all", "status": "active",
        "compose": {"include": [{"system": ANIMALS}]}});
    flint.send("PUT /ValueSet/whole", whole).expect(201);
    flint.send("PUT /Patient/ann", json!({"resourceType": "Patient", "id": "ann", "gender": "female"})).expect(201);
    for code in ["cat", "dog", "fish", "mammal"] {
        let observation = json!({"resourceType": "Observation", "id": code, "status": "final",
            "subject": {"reference": "Patient/ann"}, "code": {"coding": [{"system": ANIMALS, "code": code}]}});
        flint.send(&format!("PUT /Observation/{code}"), observation).expect(201);
    }
    let bare = json!({"resourceType": "Observation", "id": "bare", "status": "final", "code": {"text": "cat"}});
    flint.send("PUT /Observation/bare", bare).expect(201);
    flint
}

#[test]
fn finds_by_value_set_and_hierarchy() {
    let flint = filled();
    for (path, ids) in [
        ("/Observation?code:in=http://v.example/pets", "cat mammal"),
        ("/Observation?code:in=http://v.example/pets|1.9", "fish"),
        ("/Observation?code:in=ValueSet/old", "fish"),
        ("/Observation?code:in=ValueSet/old,ValueSet/new", "cat fish mammal"),
        ("/Observation?code:not-in=http://v.example/pets", "bare dog fish"),
        ("/Observation?code:in=http://v.example/all", "cat dog fish mammal"),
        ("/Observation?code:not-in=http://v.example/all", "bare"),
        ("/Observation?code:below=urn:example:animals|mammal", "cat dog mammal"),
        ("/Observation?code:below=urn:example:animals|fish", "fish"),
        ("/Observation?code:above=urn:example:animals|cat", "cat mammal"),
        ("/Observation?code:below=urn:example:animals|mammal&code:not=dog", "cat mammal"),
        ("/Patient?_has:Observation:patient:code:below=urn:example:animals|animal", "ann"),
        ("/Observation?patient.gender:in=http://hl7.org/fhir/ValueSet/administrative-gender&code=cat", "cat"),
        ("/Patient?gender:not-in=http://hl7.org/fhir/ValueSet/administrative-gender", ""),
    ] {
        let mut found: Vec<_> = flint.get(path).expect(200).keys("match");
        found.sort();
        let found: Vec<_> = found.iter().filter_map(|key| Some(key.split_once('/')?.1)).collect();
        assert_eq!(found.join(" "), ids, "{path}");
    }
}

#[test]
fn decides_conditional_interactions() {
    let flint = filled();
    let observation = json!({"resourceType": "Observation", "status": "final", "code": {"text": "x"}});
    for (condition, status) in [
        ("code:in=ValueSet/old", 200),
        ("code:in=http://v.example/pets", 412),
        ("code:below=urn:example:animals|dog&patient.gender:missing=true", 201),
        ("code:in=http://v.example/none", 400),
    ] {
        let create = flint.call("POST /Observation").header("If-None-Exist", condition);
        create.json(&observation).send().expect(status);
    }
}

#[test]
fn refuses_what_is_unknown() {
    let flint = filled();
    for (path, message) in [
        (
            "/Observation?code:in=http://v.example/none",
            "parameter `code:in`: the value set `http://v.example/none` is not known here",
        ),
        ("/Observation?code:in=http://v.example/pets|2", "*the value set `http://v.example/pets|2` is not known here"),
        (
            "/Observation?code:below=http://snomed.info/sct|1",
            "parameter `code:below`: the code system `http://snomed.info/sct` is not known here*",
        ),
        ("/Observation?code:above=urn:example:animals|cow", "*the code system `urn:example:animals` has no code `cow`"),
        ("/Observation?code:below=cat", "parameter `code` has the value `cat`, expected `system|code`"),
        (
            "/Observation?identifier:in=ValueSet/old",
            "modifier `:in` of `identifier` is unknown, allowed are :missing, :not, :text, :of-type",
        ),
        ("/Observation?subject:in=ValueSet/old", "*`:in`*"),
    ] {
        flint.get(path).expect(400).facts(&[("/issue/0/diagnostics", message)]);
    }
}

#[test]
fn compares_without_case_where_systems_do_not_say() {
    let flint = filled();
    let patient = json!({"resourceType": "Patient", "id": "bob", "gender": "male", "identifier": [{"system": "urn:i", "value": "Ab-1"}],
        "telecom": [{"system": "email", "value": "Bob@example.org"}]});
    flint.send("PUT /Patient/bob", patient).expect(201);
    for (path, total) in [
        ("/Patient?identifier=AB-1", "1"),
        ("/Patient?identifier=urn:i|ab-1", "1"),
        ("/Patient?identifier=urn:i|", "1"),
        ("/Patient?identifier=urn:j|", "0"),
        ("/Patient?email=bob@EXAMPLE.org", "1"),
        ("/Patient?gender=MALE", "0"),
        ("/Patient?_id=BOB", "0"),
        ("/Observation?code=CAT", "1"),
    ] {
        flint.get(path).expect(200).facts(&[("/total", total)]);
    }
    // An identifier that differs in case alone is another one to a condition.
    for (value, status) in [("ab-1", 201), ("Ab-1", 200), ("AB-1", 201), ("ab-1", 200)] {
        let patient = json!({"resourceType": "Patient", "identifier": [{"system": "urn:i", "value": value}]});
        let create = flint.call("POST /Patient").header("If-None-Exist", &format!("identifier=urn:i|{value}"));
        create.json(&patient).send().expect(status);
    }
}
