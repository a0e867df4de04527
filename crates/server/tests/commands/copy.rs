use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use server::Clock;
use store::testing::Mongod;
use store::{Batch, MongoDb, SystemClock, Write};

use super::bench::{Bench, Ran};
use super::serve::Serving;

/// Records like Synthea's: a transaction for each patient, with encounters, conditions and observations that refer to each other.
fn write_records(bench: &Bench, patients: usize) {
    for at in 0..patients {
        let entry = |id: &str, resource: String| {
            let kind = resource.split('"').nth(3).expect("a type").to_owned();
            format!(
                r#"{{"fullUrl":"urn:uuid:{id}","resource":{resource},"request":{{"method":"PUT","url":"{kind}/{id}"}}}}"#
            )
        };
        let patient = format!("p{at}");
        let subject = format!(r#""subject":{{"reference":"Patient/{patient}"}}"#);
        let mut entries = vec![entry(
            &patient,
            format!(
                r#"{{"resourceType":"Patient","id":"{patient}","text":{{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">narrative of {patient}</div>"}},"name":[{{"family":"Family{}","given":["Given{at}"]}}],"birthDate":"19{:02}-01-01"}}"#,
                at % 7,
                at % 90 + 10
            ),
        )];
        // A few patients have most of the record.
        for number in 0..=at % 11 {
            let id = format!("{patient}-e{number}");
            entries.push(entry(
                &id,
                format!(
                    r#"{{"resourceType":"Encounter","id":"{id}","status":"finished","class":{{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"AMB"}},{subject},"period":{{"start":"2020-0{}-01T09:00:00Z"}}}}"#,
                    number % 9 + 1
                ),
            ));
            for which in 0..4 {
                let observation = format!("{id}-o{which}");
                entries.push(entry(
                    &observation,
                    format!(
                        r#"{{"resourceType":"Observation","id":"{observation}","status":"final","code":{{"coding":[{{"system":"http://loinc.org","code":"8302-{which}"}}]}},{subject},"encounter":{{"reference":"Encounter/{id}"}},"valueQuantity":{{"value":{at}.{number}0,"unit":"cm","system":"http://unitsofmeasure.org","code":"cm"}}}}"#
                    ),
                ));
            }
        }
        let entries = entries.join(",");
        bench.write(
            &format!("records/{patient}.json"),
            &format!(r#"{{"resourceType":"Bundle","type":"transaction","entry":[{entries}]}}"#),
        );
    }
}

/// What has a history: some are changed, deleted, and come back.
fn write_changes(bench: &Bench) {
    let patient = |family: &str| format!(r#"{{"resourceType":"Patient","id":"p1","name":[{{"family":"{family}"}}]}}"#);
    let request = |method: &str, url: &str| format!(r#""request":{{"method":"{method}","url":"{url}"}}"#);
    for (number, entry) in [
        format!(r#"{{"resource":{},{}}}"#, patient("Changed"), request("PUT", "Patient/p1")),
        format!("{{{}}}", request("DELETE", "Observation/p3-e0-o1")),
        format!("{{{}}}", request("DELETE", "Patient/p1")),
        format!(r#"{{"resource":{},{}}}"#, patient("Again"), request("PUT", "Patient/p1")),
    ]
    .iter()
    .enumerate()
    {
        let name = format!("change-{number}.json");
        bench.write(&name, &format!(r#"{{"resourceType":"Bundle","type":"batch","entry":[{entry}]}}"#));
        bench.import(&[&name]);
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// A copy that must come to its end.
#[track_caller]
fn copied(bench: &Bench, from: &str, to: &str, flags: &[&str]) -> Ran {
    let ran = bench.run("copy", &[&["--from", from, "--to", to], flags].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    ran
}

/// The lines that say how many versions and values there are, and their hashes.
fn hashes(ran: &Ran) -> Vec<&str> {
    let lines = ran.out.lines().filter(|line| line.starts_with("versions ") || line.starts_with("values "));
    let lines: Vec<_> = lines.collect();
    assert_eq!(lines.len(), 2, "{ran:?}");
    lines
}

/// What searches and histories say, without what differs from one server to another.
fn answers(serving: &Serving) -> Vec<String> {
    let queries = [
        "Patient?family=family3&_sort=birthdate&_count=100",
        "Patient?_text=narrative&_summary=count",
        "Observation?code=http://loinc.org%7C8302-1&_count=500",
        "Observation?patient=p8&value-quantity=gt0.05%7C%7Cm&_count=100",
        "Encounter?date=ge2020-04&_summary=count",
        "Patient?_has:Observation:patient:code=8302-2&_summary=count",
        "Patient/p1/_history",
        "Observation/p3-e0-o1/_history",
    ];
    let answer = |query: &&str| {
        let answer = serving.get(&format!("/fhir/{query}"));
        assert!(answer.starts_with("HTTP/1.1 200"), "{query}: {answer}");
        let keys = ["\"id\":\"p", "\"total\":", "\"versionId\":", "\"lastUpdated\":\"20", "\"family\":"];
        let parts = answer.split(',').filter(|part| keys.iter().any(|key| part.contains(key)));
        format!("{query}: {}", parts.collect::<Vec<_>>().join(","))
    };
    queries.iter().map(answer).collect()
}

#[test]
fn moves_a_store_to_a_database_and_back() {
    let Some(mongod) = Mongod::shared() else { return };
    let [source, there, back] = [(); 3].map(|()| Bench::new());
    write_records(&source, 60);
    source.import(&["records"]);
    write_changes(&source);
    let app = ["add", "--name", "An app", "--redirect-uri", "https://app.example/cb", "--scope", "patient/*.rs"];
    assert_eq!(source.run("app", &app).code, 0);
    let url = mongod.new_database();
    let to = copied(&there, text(&source.path("data")), &url, &[]);
    assert!(to.out.contains("60 Patient\n") && to.out.contains("are the same"), "{to:?}");
    // Nothing is told of where the database is.
    assert!(!to.out.contains("mongodb") && !to.err.contains("mongodb"), "{to:?}");
    let from = there.run("copy", &["--from", &url, "--to", text(&back.path("data"))]);
    assert_eq!(from.code, 0, "{from:?}");
    assert_eq!(hashes(&to), hashes(&from));
    let apps = |bench: &Bench| bench.run("app", &["list"]).out;
    assert!(apps(&source).contains("An app") && apps(&source) == apps(&back));
    let expected = answers(&Serving::start(&source, &[]));
    assert_eq!(answers(&Serving::start(&back, &[])), expected);
    assert_eq!(answers(&Serving::start(&there, &["--store", &url])), expected);
    mongod.drop_database(&url);
}

#[test]
fn copies_while_the_store_is_served() {
    let [source, target] = [(); 2].map(|()| Bench::new());
    write_records(&source, 30);
    source.import(&["records"]);
    let (from, to) = (source.path("data"), target.path("data"));
    let (from, to) = (text(&from), text(&to));
    let serving = Serving::start(&source, &[]);
    let family = |family: &str| format!(r#"{{"resourceType":"Patient","id":"p2","name":[{{"family":"{family}"}}]}}"#);
    for round in 0..3 {
        assert!(serving.put("/fhir/Patient/p2", &family(&format!("Round{round}"))).starts_with("HTTP/1.1 200"));
        let ran = copied(&target, from, to, &["--online"]);
        assert!(ran.out.contains("the last step: stop all servers"), "{ran:?}");
        // Nobody serves it yet.
        let served = target.run("serve", &["--listen", "127.0.0.1:0"]);
        assert!(served.code == 1 && served.err.contains("a copy of another store that is not finished"), "{served:?}");
    }
    let early = target.run("copy", &["--from", from, "--to", to]);
    assert!(early.code == 1 && early.err.contains("in use by another process"), "{early:?}");
    assert!(serving.put("/fhir/Patient/p2", &family("Last")).starts_with("HTTP/1.1 200"));
    assert!(serving.get("/fhir/Patient/p2").contains("Last"));
    serving.stop();
    let ran = copied(&target, from, to, &[]);
    assert!(ran.out.contains("30 Patient\n"), "{ran:?}");
    // Who saw the patient is in the audit of both.
    for action in ["head", "verify"] {
        let [one, other] = [&source, &target].map(|bench| bench.run("audit", &[action]));
        assert!(one.code == 0 && one.out == other.out, "{one:?} {other:?}");
    }
    let serving = Serving::start(&target, &[]);
    let found = serving.get("/fhir/Patient?family=last&_summary=count");
    assert!(found.contains(r#""total":1"#), "{found}");
    let history = serving.get("/fhir/Patient/p2/_history");
    assert!(["Round0", "Round1", "Round2"].iter().all(|family| history.contains(family)), "{history}");
}

#[test]
fn refuses_what_cannot_be_copied() {
    let bench = Bench::new();
    bench.write("in.ndjson", r#"{"resourceType":"Patient","id":"a"}"#);
    bench.import(&["in.ndjson"]);
    bench.write("letters/a.txt", "not a store");
    let cases: [(&[&str], &str); 8] = [
        (&["--from", "data", "--to", "data"], "`data` would be copied to itself"),
        (&["--from", "gone", "--to", "new"], "`gone`: there is no store in `gone`"),
        (&["--from", "gone", "--to", "new", "--online"], "`gone`: there is no store in `gone`"),
        (&["--from", "letters", "--to", "new"], "there is no store in `letters`"),
        (&["--from", "data", "--to", "letters"], "`letters` is not empty"),
        (&["--from", "data", "--to", "postgres://ann:secret@host/db"], "--to: this is neither a directory nor like"),
        (&["--from", "mongodb://ann:secret@a/b", "--to", "mongodb://a/c"], "moved by their own tools"),
        (&["--from", "data"], "--to"),
    ];
    for (arguments, expected) in cases {
        let ran = bench.run("copy", arguments);
        assert!(ran.code != 0 && ran.err.contains(expected) && !ran.err.contains("secret"), "{arguments:?}: {ran:?}");
    }
    assert!(!bench.path("gone").exists() && !bench.path("new").exists());
    copied(&bench, "data", "new", &[]);
    let again = bench.run("copy", &["--from", "data", "--to", "new"]);
    assert!(again.code == 1 && again.err.contains("`new`: something is there already"), "{again:?}");
}

#[test]
fn a_database_that_a_server_has_is_not_finished() {
    let Some(mongod) = Mongod::shared() else { return };
    let bench = Bench::new();
    bench.write("in.ndjson", r#"{"resourceType":"Patient","id":"a"}"#);
    bench.import(&["in.ndjson"]);
    let url = mongod.new_database();
    let other = Bench::new();
    copied(&other, text(&bench.path("data")), &url, &[]);
    let lease = |until: i64| {
        let store = MongoDb::open(&url, &other.path("elsewhere"), std::sync::Arc::new(SystemClock)).expect("a store");
        let write = Write::Set { name: b"lease/index".to_vec(), value: format!("elsewhere {until}").into_bytes() };
        let batch = Batch { preconditions: Vec::new(), writes: vec![write] };
        store::Store::commit(&store, batch).expect("committed");
    };
    // A second is left of the time in which another server would take it over.
    lease(SystemClock.now() - 6_000);
    let mut command = other.command("copy", &["--from", &url, "--to", "back"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines().map(|line| line.expect("UTF-8"));
    assert!(lines.any(|line| line.contains("looking for")));
    lease(SystemClock.now() + 10_000);
    let rest: Vec<_> = lines.collect();
    assert!(rest.iter().any(|line| line.contains("a server still has the database of --from")), "{rest:?}");
    assert_eq!(child.wait().expect("a child").code(), Some(1));
    // Long over.
    lease(SystemClock.now() - 60_000);
    copied(&other, &url, "back", &[]);
    mongod.drop_database(&url);
}
