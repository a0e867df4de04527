use std::collections::BTreeSet;

use flint_tests::Flint;
use serde_json::{Value, json};

/// How many requests hold a medication of their own; each third holds three, the others one.
const REQUESTS: usize = 20;

fn filled() -> Flint {
    let flint = Flint::start();
    let medication =
        |id: &str, code: &str| json!({"resourceType": "Medication", "id": id, "code": {"coding": [{"code": code}]}});
    for number in 0..REQUESTS {
        let held = if number.is_multiple_of(3) { vec!["m", "n", "o"] } else { vec!["m"] };
        let mut contained: Vec<_> = held.iter().map(|id| medication(id, "abc")).collect();
        contained.push(medication("other", "xyz"));
        // Whatever is contained must be referred to.
        let details: Vec<_> = held.iter().map(|id| json!({"reference": format!("#{id}")})).collect();
        let request = json!({"resourceType": "MedicationRequest", "id": format!("r{number:02}"), "status": "active", "intent": "order",
            "subject": {"display": "Ann"}, "contained": contained, "medicationReference": {"reference": "#other"},
            "supportingInformation": details});
        flint.send(&format!("PUT /MedicationRequest/r{number:02}"), request).expect(201);
    }
    for number in 0..3 {
        let id = format!("own{number}");
        flint.send(&format!("PUT /Medication/{id}"), medication(&id, "abc")).expect(201);
    }
    flint
}

/// What a search finds on all its pages: the full URLs without the server's base, in order. No page has more than `count`.
fn pages(flint: &Flint, search: &str, count: usize) -> Vec<String> {
    let mut found = Vec::new();
    let mut next = Some(format!("{}/{search}&_count={count}", flint.base_url()));
    while let Some(url) = next {
        let reply = flint.get(&url).expect(200).facts(&[("/total", "")]);
        let bundle = reply.json();
        let entries = bundle["entry"].as_array().map(Vec::as_slice).unwrap_or_default();
        assert!(entries.len() <= count, "{search}: {}", entries.len());
        for entry in entries {
            assert_eq!(entry["search"]["mode"], "match", "{search}");
            let url = entry["fullUrl"].as_str().expect("a URL");
            found.push(url.strip_prefix(&format!("{}/", flint.base_url())).expect("ours").to_owned());
        }
        next = reply.link("next");
    }
    found
}

#[test]
fn pages_hold_what_is_contained_once() {
    let flint = filled();
    let containers: BTreeSet<_> = (0..REQUESTS).map(|number| format!("MedicationRequest/r{number:02}")).collect();
    let ids = |number: usize| if number.is_multiple_of(3) { vec!["m", "n", "o"] } else { vec!["m"] };
    let inside = |number| ids(number).into_iter().map(move |id| format!("MedicationRequest/r{number:02}#{id}"));
    let contained: BTreeSet<_> = (0..REQUESTS).flat_map(inside).collect();
    let own: BTreeSet<_> = (0..3).map(|number| format!("Medication/own{number}")).collect();
    let thirds = (0..REQUESTS).step_by(3).map(|number| format!("MedicationRequest/r{number:02}")).collect();
    let cases = [
        ("Medication?code=abc&_contained=true", containers.clone()),
        ("Medication?code=abc&_contained=both", &containers | &own),
        ("Medication?code=abc&_contained=true&_containedType=contained", contained.clone()),
        ("Medication?code=abc&_contained=both&_containedType=contained", &contained | &own),
        ("?_type=Medication&code=abc&_contained=true", containers),
        // Each is a candidate, and few have it.
        ("Medication?code:not=xyz&_id=m,n&_id:not=m&_contained=true", thirds),
        ("Medication?code=none&_contained=both", BTreeSet::new()),
        ("Medication?code=abc&code=xyz&_contained=true", BTreeSet::new()),
    ];
    for (search, expected) in cases {
        for count in [1, 2, 3, 7, 100] {
            let found = pages(&flint, search, count);
            assert_eq!(found.len(), expected.len(), "{search} by {count}: {found:?}");
            assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected, "{search} by {count}");
        }
    }
}

#[test]
fn answers_with_the_container_or_what_it_contains() {
    let flint = filled();
    let search = "/Medication?_id=n&_contained=true&_count=1";
    flint.get(search).expect(200).facts(&[
        ("/entry/0/resource/resourceType", "MedicationRequest"),
        ("/entry/0/resource/contained/1/id", "n"),
        ("/entry/0/search/mode", "match"),
    ]);
    let alone = flint.get(&format!("{search}&_containedType=contained")).expect(200);
    let id = alone.pointer("/entry/0/fullUrl");
    assert!(id.starts_with(&format!("{}/MedicationRequest/r", flint.base_url())) && id.ends_with("#n"), "{id}");
    assert_eq!(
        alone.json().pointer("/entry/0/resource"),
        Some(&json!({"resourceType": "Medication", "id": "n", "code": {"coding": [{"code": "abc"}]}}))
    );
    flint
        .get("/Medication?_id=n&_contained=true&_containedType=contained&_elements=id")
        .expect(200)
        .facts(&[("/entry/0/resource/meta/tag/0/code", "SUBSETTED"), ("/entry/0/resource/code", "")]);
}

#[test]
fn goes_on_past_a_container_that_went_away() {
    let flint = filled();
    let search = "/Medication?_contained=true&_containedType=contained&code=abc&_count=2";
    // r00 has three: two on the first page, the last of them on the next.
    let first = flint.get(search).expect(200);
    let next = first.link("next").expect("more");
    let begins = |facts: &[(&str, &str)]| drop(flint.get(&next).expect(200).facts(facts));
    begins(&[("/entry/0/fullUrl", "*r00#o"), ("/entry/1/fullUrl", "*r01#m")]);
    flint.call("DELETE /MedicationRequest/r00").send().expect(204);
    begins(&[("/entry/0/fullUrl", "*r01#m"), ("/entry/1/fullUrl", "*r02#m")]);
}

#[test]
fn refuses_what_does_not_go_together() {
    let flint = filled();
    let refused = |reply: flint_tests::Reply, message: &str| {
        drop(reply.expect(400).facts(&[("/issue/0/diagnostics", &format!("*{message}*"))]));
    };
    for (other, name) in [
        ("_sort=code", "`_sort`"),
        ("_include=*", "`_include`"),
        ("_revinclude=*", "`_revinclude`"),
        ("_summary=count", "`_summary=count`"),
        ("_total=accurate", "`_total=accurate`"),
    ] {
        let message = format!("parameter `_contained` does not go with {name}");
        refused(flint.get(&format!("/Medication?_contained=both&{other}")), &message);
    }
    let create = flint.call("POST /Medication").header("If-None-Exist", "code=abc&_contained=true");
    let medication: Value = json!({"resourceType": "Medication"});
    refused(create.json(&medication).send(), "parameter `_contained` does not go with a condition");
    refused(flint.get("/Medication?_containedType=all"), "expected `container` or `contained`");
}
