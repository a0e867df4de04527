use std::fs;

use serde_json::Value;

use super::bench::Bench;

/// Without what a store sets itself.
fn content(resource: &Value) -> Value {
    let mut resource = resource.clone();
    let meta = resource["meta"].as_object_mut().expect("meta");
    meta.remove("lastUpdated");
    meta.remove("versionId");
    resource
}

#[test]
fn what_goes_out_comes_in_again() {
    let bench = Bench::new();
    let patient = |at: usize| format!(r#"{{"resourceType":"Patient","id":"p{at}","multipleBirthInteger":{at}}}"#);
    let mut lines: Vec<_> = (0..2345).map(patient).collect();
    lines.push(r#"{"resourceType":"Observation","id":"o","status":"final","code":{"text":"é \"x\"\n"},"valueQuantity":{"value":1.10}}"#.to_owned());
    bench.write("in.ndjson", &lines.join("\n"));
    bench.import(&["in.ndjson"]);
    let before = bench.resources();
    assert_eq!(before.len(), lines.len());
    assert!(fs::read_to_string(bench.path("export-0/Observation.ndjson")).expect("a file").contains(":1.10"));
    let other = Bench::new();
    other.import(&[bench.path("export-0").to_str().expect("UTF-8")]);
    let after = other.resources();
    assert!(before.keys().eq(after.keys()));
    assert!(before.values().map(content).eq(after.values().map(content)));
    bench.import(&["export-0"]);
    assert_eq!(bench.resources(), before, "its own export changes nothing");
}

#[test]
fn leaves_out_what_was_deleted() {
    let bench = Bench::new();
    bench.write("a.ndjson", "{\"resourceType\":\"Patient\",\"id\":\"a\"}\n{\"resourceType\":\"Basic\",\"id\":\"a\",\"code\":{\"text\":\"x\"}}");
    bench.write(
        "b.json",
        r#"{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"DELETE","url":"Patient/a"}}]}"#,
    );
    bench.import(&["a.ndjson"]);
    bench.import(&["b.json"]);
    assert_eq!(bench.resources().into_keys().collect::<Vec<_>>(), ["Basic/a"]);
    assert!(!bench.path("export-0/Patient.ndjson").exists());
}

#[test]
fn takes_an_empty_folder_only() {
    let bench = Bench::new();
    bench.write("in.ndjson", r#"{"resourceType":"Patient","id":"a"}"#);
    bench.import(&["in.ndjson"]);
    bench.write("half/Patient.ndjson.partial", "left by an export that did not end");
    assert_eq!(bench.run("export", &["half"]).code, 0);
    let names: Vec<_> =
        fs::read_dir(bench.path("half")).expect("a folder").map(|entry| entry.expect("an entry").file_name()).collect();
    assert_eq!(names, ["Patient.ndjson"]);
    let again = bench.run("export", &["half"]);
    assert!(again.code == 1 && again.err.contains("is not empty, it has `Patient.ndjson`"), "{again:?}");
}

#[test]
fn makes_no_store() {
    let bench = Bench::new();
    for _ in 0..2 {
        let ran = bench.run("export", &["out"]);
        assert!(ran.code == 1 && ran.err.contains("there is no store in `data`"), "{ran:?}");
        assert!(!bench.path("out").exists() && !bench.path("data/lock").exists());
        std::fs::create_dir_all(bench.path("data")).expect("a folder");
    }
}

#[test]
fn says_when_the_store_is_in_use() {
    let bench = Bench::new();
    bench.write("in.ndjson", r#"{"resourceType":"Patient","id":"a"}"#);
    bench.import(&["in.ndjson"]);
    let _lock = {
        let file = fs::File::open(bench.path("data/lock")).expect("the lock");
        file.lock().expect("nobody has it");
        file
    };
    for (command, argument) in [("export", "out"), ("import", "in.ndjson")] {
        let ran = bench.run(command, &[argument]);
        assert!(ran.code == 1 && ran.err.contains("in use by another process"), "{ran:?}");
    }
}
