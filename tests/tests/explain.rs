use flint_tests::{Flint, Reply, is_database};
use serde_json::json;

fn filled() -> Flint {
    let flint = Flint::start();
    for name in ["Ann", "Ben"] {
        let patient = json!({"resourceType": "Patient", "id": name, "name": [{"family": name}]});
        flint.send(&format!("PUT /Patient/{name}"), patient).expect(201);
        for day in 1..3 {
            let observation = json!({"resourceType": "Observation", "status": "final", "code": {"text": "x"},
                "subject": {"reference": format!("Patient/{name}")}, "effectiveDateTime": format!("2027-02-0{day}")});
            flint.send("POST /Observation", observation).expect(201);
        }
    }
    flint
}

/// The steps that an answer tells, one after the other.
fn steps(reply: &Reply) -> String {
    let bundle = reply.json();
    let entries = bundle["entry"].as_array().expect("entries");
    let outcome = entries.last().filter(|entry| entry["search"]["mode"] == "outcome").expect("an outcome");
    let issues = outcome["resource"]["issue"].as_array().expect("issues").iter();
    let steps = issues.map(|issue| {
        assert_eq!((&issue["severity"], &issue["code"]), (&json!("information"), &json!("informational")));
        issue["diagnostics"].as_str().expect("a text").to_owned()
    });
    steps.collect::<Vec<_>>().join("\n")
}

#[test]
fn tells_what_was_done() {
    let flint = filled();
    // The query, and what the steps mention in this order: the embedded store's, for which way a search goes is the store's business.
    let cases: [(&str, &[&str]); 6] = [
        (
            "/Patient?family=ann&name=ann",
            &[
                "search: seek in the list of a value of `Patient",
                "seek in the list of a value of `Patient",
                "find where the lists meet",
                "1 resources",
            ],
        ),
        ("/Observation?date=ge2027&_sort=-date&_total=none", &["search: ", "sort all"]),
        ("/Observation?subject.family=ben", &["search: ", "check each for `Observation.subject`"]),
        ("/Observation?date=2027-02-01&_include=Observation:subject", &["search: ", "include: ", "`Patient._id`"]),
        (
            "/Patient?name:contains=ANN",
            &["search: find by words of `Patient.name`", "find among them by a value of `Patient.name`", "1 resources"],
        ),
        ("/Patient?_sort=family", &["search: find by a value of `Patient`"]),
    ];
    for (query, expected) in cases {
        let steps = steps(&flint.get(&format!("{query}&_explain=true")).expect(200));
        let mut rest = steps.as_str();
        for text in if is_database() { &["search: "] } else { expected } {
            let at = rest.find(text).unwrap_or_else(|| panic!("{query}: no `{text}` in\n{steps}"));
            rest = &rest[at + text.len()..];
        }
    }
}

#[test]
fn answers_the_same_as_without() {
    let flint = filled();
    let plain = flint.get("/Observation?_count=2").expect(200);
    let told = flint.get("/Observation?_count=2&_explain=true").expect(200);
    assert_eq!(plain.keys("match"), told.keys("match"));
    assert_eq!((plain.pointer("/total"), told.pointer("/total")), ("4".to_owned(), "4".to_owned()));
    assert!(told.link("self").expect("a link").contains("_explain=true"));
    // A link leads to the same page whether its reader wants to be told or not.
    let next = told.link("next").expect("more");
    assert!(next.contains("_explain=true"));
    let without = flint.get(&next.replace("&_explain=true", "")).expect(200);
    assert_eq!(flint.get(&next).expect(200).keys("match"), without.keys("match"));
    flint.get("/Observation?_explain=false").expect(200).facts(&[("/entry/4", "-")]);
    flint
        .get("/Observation?_explain=yes")
        .expect(400)
        .facts(&[("/issue/0/diagnostics", "*`_explain`*`true` or `false`")]);
}
