use super::bench::Bench;

#[test]
fn takes_every_form() {
    let entries = r#"[{"fullUrl":"urn:uuid:3f0c9f0a-0000-4000-8000-000000000001","resource":{"resourceType":"Patient","id":"a"},"request":{"method":"PUT","url":"Patient/a"}},
        {"resource":{"resourceType":"Observation","id":"o","status":"final","code":{"text":"x"},"subject":{"reference":"urn:uuid:3f0c9f0a-0000-4000-8000-000000000001"}},"request":{"method":"PUT","url":"Observation/o"}}]"#;
    let bundle = |kind: &str| format!(r#"{{"resourceType":"Bundle","type":"{kind}","entry":{entries}}}"#);
    let lines = "{\"resourceType\":\"Patient\",\"id\":\"a\"}\r\n\n{\"resourceType\":\"Patient\",\"id\":\"b\",\"managingOrganization\":{\"reference\":\"Organization/later\"}}";
    let both = ["Observation/o", "Patient/a"];
    let document = r#"{"resourceType":"Bundle","id":"d","type":"document","timestamp":"2026-01-01T00:00:00Z","identifier":{"system":"urn:ietf:rfc:3986","value":"urn:uuid:3f0c9f0a-0000-4000-8000-000000000009"},
        "entry":[{"fullUrl":"http://x.example/Composition/c","resource":{"resourceType":"Composition","id":"c","status":"final","type":{"text":"x"},"date":"2026","author":[{"display":"x"}],"title":"x"}}]}"#;
    let search = r#"{"resourceType":"Bundle","type":"searchset","entry":[{"resource":{"resourceType":"Patient","id":"a"}},
        {"resource":{"resourceType":"OperationOutcome","issue":[{"severity":"warning","code":"informational"}]},"search":{"mode":"outcome"}}]}"#;
    let cases: [(&str, String, &[&str]); 8] = [
        ("x.json", bundle("transaction"), &both),
        ("x.json.gz", bundle("transaction"), &both),
        ("x.json", bundle("collection"), &both),
        ("x.json", search.to_owned(), &["Patient/a"]),
        ("x.json", r#"{"resourceType":"Patient","id":"a"}"#.to_owned(), &["Patient/a"]),
        ("x.json", document.to_owned(), &["Bundle/d"]),
        ("deep/er/x.ndjson", lines.to_owned(), &["Patient/a", "Patient/b"]),
        ("deep/x.ndjson.gz", lines.to_owned(), &["Patient/a", "Patient/b"]),
    ];
    for (name, content, expected) in cases {
        let bench = Bench::new();
        bench.write(&format!("in/{name}"), &content);
        bench.import(&["in"]);
        let resources = bench.resources();
        assert_eq!(resources.keys().collect::<Vec<_>>(), expected, "{name} {content}");
        if let Some(observation) = resources.get("Observation/o") {
            assert_eq!(observation["subject"]["reference"], "Patient/a", "{content}");
        }
    }
}

#[test]
fn takes_a_batch_entry_by_entry() {
    let bench = Bench::new();
    bench.write(
        "batch.json",
        r#"{"resourceType":"Bundle","type":"batch","entry":[
            {"resource":{"resourceType":"Patient"},"request":{"method":"POST","url":"Patient"}},
            {"request":{"method":"GET","url":"Patient/gone"}},
            {"resource":{"resourceType":"Patient","gender":"x"},"request":{"method":"POST","url":"Patient"}},
            {"resource":{"resourceType":"Patient","id":"a"},"request":{"method":"PUT","url":"Patient/a"}},
            {"request":{"method":"DELETE","url":"Patient/a"}}]}"#,
    );
    for _ in 0..2 {
        let ran = bench.run("import", &["batch.json"]);
        assert_eq!(ran.code, 1);
        assert!(ran.err.starts_with("batch.json:4: code-invalid: "), "{ran:?}");
        assert_eq!(bench.resources().len(), 1);
    }
}

#[test]
fn waits_for_what_is_referred_to() {
    let posted = |resource: &str, condition: &str| {
        format!(
            r#"{{"resourceType":"Bundle","type":"transaction","entry":[{{"resource":{resource},"request":{{"method":"POST","url":"{}"{condition}}}}}]}}"#,
            resource.split('"').nth(3).expect("a type"),
        )
    };
    let bench = Bench::new();
    let task = r#"{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient?identifier=urn:x|p"}}"#;
    let patient = r#"{"resourceType":"Patient","identifier":[{"system":"urn:x","value":"p"}],"generalPractitioner":[{"reference":"Practitioner?identifier=urn:x|d"}],"managingOrganization":{"reference":"Organization?identifier=urn:x|h"}}"#;
    let doctor = r#"{"resourceType":"Practitioner","identifier":[{"system":"urn:x","value":"d"}]}"#;
    let hospital = r#"{"resourceType":"Organization","name":"x","identifier":[{"system":"urn:x","value":"h"}]}"#;
    bench.write("in/a.json", &posted(task, ""));
    bench.write("in/b.json", &posted(patient, r#","ifNoneExist":"identifier=urn:x|p""#));
    bench.write("in/c.json", &posted(doctor, r#","ifNoneExist":"identifier=urn:x|d""#));
    bench.write("in/d.json", &posted(doctor, r#","ifNoneExist":"identifier=urn:x|d" "#));
    bench.write("in/hospitalInformation9.json", &posted(hospital, r#","ifNoneExist":"identifier=urn:x|h""#));
    bench.import(&["in", "--threads", "1"]);
    let resources = bench.resources();
    let types: Vec<_> = resources.keys().map(|key| key.split('/').next().expect("a type")).collect();
    assert_eq!(types, ["Observation", "Organization", "Patient", "Practitioner"]);
    let reference = |value: &serde_json::Value| value["reference"].as_str().expect("a reference").to_owned();
    let patient = resources.iter().find(|(key, _)| key.starts_with("Patient/")).expect("a patient");
    assert!(resources.contains_key(&reference(&patient.1["generalPractitioner"][0])));
    assert!(resources.contains_key(&reference(&patient.1["managingOrganization"])));
    bench.import(&["in"]);
    assert_eq!(bench.resources(), resources);
}

#[test]
fn lists_what_is_refused_and_takes_the_rest() {
    let bench = Bench::new();
    let mut lines: Vec<String> =
        (0..2500).map(|_| r#"{"resourceType":"Basic","code":{"text":"x"}}"#.to_owned()).collect();
    lines[1] = r#"{"resourceType":"Patient","gender":"secret"}"#.to_owned();
    lines[999] = "{".to_owned();
    lines[1000] = r#"{"resourceType":"Nothing"}"#.to_owned();
    lines[2000] = r#"{"resourceType":"Patient","id":"not an id"}"#.to_owned();
    lines[2001] = r#"{"resourceType":"Patient","birthDate":"31.12.2020"}"#.to_owned();
    bench.write("in/a.ndjson", &lines.join("\n"));
    bench.write(
        "in/b.json",
        "{\"resourceType\":\"Bundle\",\"type\":\"transaction\",\n\"entry\":[\n{\"resource\":{\"resourceType\":\"Patient\"},\"request\":{\"method\":\"POST\",\"url\":\"Patient\"}},\n{\"resource\":{\"resourceType\":\"Patient\",\"x\":1},\"request\":{\"method\":\"POST\",\"url\":\"Patient\"}}]}",
    );
    bench.write("in/c.json", "{\n\"resourceType\": \"Patient\",,\n}");
    bench.write("in/d.json", r#"{"resourceType":"Bundle","type":"history"}"#);
    bench.write("in/e.json", r#"{"resourceType":"Patient","id":"e"}"#);
    bench.write("in/f.json", r#"{"resourceType":"Bundle","type":"collection","entries":[{}]}"#);
    let expected = [
        ("in/a.ndjson:2: ", "Patient.gender"),
        ("in/a.ndjson:1000: ", "at column 2"),
        ("in/a.ndjson:1001: ", "`Nothing`"),
        ("in/a.ndjson:2001: ", "`not an id`"),
        ("in/a.ndjson:2002: ", "Patient.birthDate"),
        ("in/b.json:4: ", "Bundle.entry[1].resource"),
        ("in/c.json:2: ", "structure: "),
        ("in/d.json: ", "`history`"),
        ("in/f.json: ", "`entries` is not an element of Bundle"),
        ("flint: ", "9 refused"),
    ];
    let mut before = None;
    for _ in 0..2 {
        let ran = bench.run("import", &["in"]);
        assert_eq!(ran.code, 1, "{ran:?}");
        // A slow machine is told every few seconds how far it is.
        let told: Vec<_> =
            ran.err.lines().filter(|line| !line.starts_with(|first: char| first.is_ascii_digit())).collect();
        assert_eq!(told.len(), expected.len(), "{ran:?}");
        for (line, (begin, part)) in told.iter().zip(expected) {
            assert!(line.starts_with(begin) && line.contains(part), "{line}");
        }
        let resources = bench.resources();
        assert_eq!(resources.len(), 2500 - 5 + 1);
        assert!(before.is_none_or(|before| before == resources), "a second run changes nothing");
        before = Some(resources);
    }
}

#[test]
fn checks_references_when_asked_to() {
    let bench = Bench::new();
    let lines = r#"{"resourceType":"Patient","id":"a","link":[{"other":{"reference":"Patient/b"},"type":"seealso"}]}
{"resourceType":"Patient","id":"b","managingOrganization":{"reference":"Organization/gone"}}
{"resourceType":"Patient","id":"c"}"#;
    bench.write("a.ndjson", lines);
    let ran = bench.run("import", &["a.ndjson", "--references", "check"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.starts_with("a.ndjson:1: not-found: ") && ran.err.contains("\na.ndjson:2: not-found: "), "{ran:?}");
    assert_eq!(bench.resources().into_keys().collect::<Vec<_>>(), ["Patient/c"]);
    bench.write("b.ndjson", r#"{"resourceType":"Organization","id":"gone","name":"x"}"#);
    bench.import(&["a.ndjson", "b.ndjson", "--references", "check"]);
    assert_eq!(bench.resources().len(), 4);
}

#[test]
fn takes_the_policy_for_references_from_every_setting() {
    let bench = Bench::new();
    let patient = r#"{"resourceType":"Patient","id":"b","managingOrganization":{"reference":"Organization/gone"}}"#;
    bench.write("a.ndjson", patient);
    bench.write("check.toml", "references = 'check'");
    bench.write("accept.toml", "references = 'accept'");
    let cases: [(&[&str], Option<&str>, i32); 5] = [
        (&["--config", "check.toml"], None, 1),
        (&[], Some("check"), 1),
        (&["--references", "check"], Some("accept"), 1),
        (&["--config", "check.toml"], Some("accept"), 0),
        (&["--config", "accept.toml"], None, 0),
    ];
    for (arguments, variable, code) in cases {
        let mut command = bench.command("import", &[&["a.ndjson"], arguments].concat());
        command.envs(variable.map(|value| ("FLINT_REFERENCES", value)));
        let ran = command.output().expect("the program runs");
        assert_eq!(ran.status.code(), Some(code), "{arguments:?} {variable:?}: {ran:?}");
    }
}

#[test]
fn takes_versions_of_a_resource_in_their_order() {
    let bench = Bench::new();
    let line = |version: usize| format!(r#"{{"resourceType":"Basic","id":"a","code":{{"text":"{version}"}}}}"#);
    bench.write("a.ndjson", &(1..=3).map(line).collect::<Vec<_>>().join("\n"));
    bench.import(&["a.ndjson"]);
    let resources = bench.resources();
    assert_eq!(resources["Basic/a"]["code"]["text"], "3");
    assert_eq!(resources["Basic/a"]["meta"]["versionId"], "3");
}

#[test]
fn says_what_cannot_be_imported() {
    let bench = Bench::new();
    bench.write("notes.txt", "x");
    bench.write("broken.json.gz", "");
    std::fs::write(bench.path("broken.json.gz"), "no gzip").expect("a file");
    let cases = [
        ("gone", "cannot read `gone`"),
        ("notes.txt", "its name must end in .json"),
        ("broken.json.gz", "broken.json.gz: cannot be read"),
    ];
    for (path, expected) in cases {
        let ran = bench.run("import", &[path]);
        assert_eq!(ran.code, 1, "{path}");
        assert!(ran.err.contains(expected), "{path}: {ran:?}");
    }
    let ran = bench.run("serve", &["--listen", "127.0.0.1:0", "--load", "notes.txt"]);
    assert!(ran.code == 1 && ran.err.contains("notes.txt"), "{ran:?}");
}
