//! Look-ups in a store.

use std::sync::Arc;

use fhir::Library;
use fhir::terminology::{Canonical, Coded, Membership, Source};

use super::Generation;
use crate::testing::{House, delete, key, put};
use crate::{Access, Acts, Permission, Requester, Rights};

fn questionnaire(id: &str, version: &str) -> String {
    let version = if version.is_empty() { String::new() } else { format!(r#""version":"{version}","#) };
    format!(r#"{{"resourceType":"Questionnaire","id":"{id}","url":"http://q.example/q",{version}"status":"active"}}"#)
}

fn value_set(code: &str) -> String {
    format!(
        r#"{{"resourceType":"ValueSet","id":"v","url":"http://v.example/v","status":"active",
        "compose":{{"include":[{{"system":"urn:c","concept":[{{"code":"{code}"}}]}}]}}}}"#
    )
}

fn generation(house: &House) -> Generation {
    Generation::read(&*house.session().snapshot().expect("a snapshot")).expect("readable")
}

#[test]
fn finds_by_url_and_version() {
    let house = House::new();
    for (id, version) in [("none", ""), ("nine", "1.9"), ("ten", "1.10"), ("draft", "draft")] {
        house.hold(&[&questionnaire(id, version)]);
    }
    for (canonical, expected) in [
        ("http://q.example/q", Some("ten")),
        ("http://q.example/q|1.9", Some("nine")),
        ("http://q.example/q|1.10#x", Some("ten")),
        ("http://q.example/q|2", None),
        ("http://q.example/other", None),
        ("Questionnaire/nine", Some("nine")),
        ("http://localhost/fhir/Questionnaire/none", Some("none")),
        ("ValueSet/nine", None),
        ("", None),
    ] {
        let session = house.session();
        for _ in 0..2 {
            let found = session.library().questionnaire(Canonical::parse(canonical)).expect("looked up");
            let id = found.as_ref().map(|found| found.root().get("id").and_then(|id| id.as_str()).expect("an id"));
            assert_eq!(id.as_deref(), expected, "{canonical}");
        }
    }
}

#[test]
fn sees_one_generation() {
    let house = House::new();
    let member = |library: &dyn Library, code: &str| {
        let coded = Coded { system: Some("urn:c"), code, ..Coded::default() };
        matches!(library.member(Canonical::parse("http://v.example/v"), &coded), Membership::In { .. })
    };
    house.hold(&[&value_set("a")]);
    let session = house.session();
    let before = session.library();
    assert!(member(&before, "a") && !member(&before, "b"));
    house.hold(&[&value_set("b")]);
    let after = session.library();
    assert!(!member(&after, "a") && member(&after, "b"));
    assert!(member(&before, "a"), "what was opened before sees what was there then");
    house.change(delete("ValueSet/v")).expect("deleted");
    assert!(!member(&session.library(), "b"));

    let session = house.session();
    let parsed = |url| session.library().value_set(Canonical::parse(url)).expect("looked up").expect("there");
    house.hold(&[&value_set("c")]);
    assert!(Arc::ptr_eq(&parsed("http://v.example/v"), &parsed("http://v.example/v")), "parsed once");
}

/// Sessions of several generations at one time share the caches, and none sees what is of another.
#[test]
fn sees_its_own_generation_beside_others() {
    let house = House::new();
    house.hold(&[&value_set("0")]);
    let has = |library: &dyn Library, code: &str| {
        let coded = Coded { system: Some("urn:c"), code, ..Coded::default() };
        matches!(library.member(Canonical::parse("http://v.example/v"), &coded), Membership::In { .. })
    };
    let session = house.session();
    let first = session.library();
    assert!(first.structure_definition(Canonical::parse("urn:none")).expect("looked up").is_none(), "opened");
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..100 {
                        let session = house.session();
                        let library = session.library();
                        let seen = || (0..30).filter(|code| has(&library, &code.to_string())).collect::<Vec<_>>();
                        let before = seen();
                        assert_eq!((before.len(), seen()), (1, before), "one moment");
                    }
                })
            })
            .collect();
        for code in 1..30 {
            house.hold(&[&value_set(&code.to_string())]);
            let session = house.session();
            let library = session.library();
            assert!(has(&library, &code.to_string()) && !has(&library, &(code - 1).to_string()), "{code}");
            assert!(has(&first, "0") && !has(&first, &code.to_string()), "{code}");
        }
        readers.into_iter().for_each(|reader| reader.join().expect("no reader fails"));
    });
}

#[test]
fn only_definitions_begin_a_generation() {
    let house = House::new();
    let steps = [
        (put(&questionnaire("q", "1")), true),
        (put(&questionnaire("q", "1")), false),
        (put(r#"{"resourceType":"Patient","id":"ann"}"#), false),
        (put(&questionnaire("q", "2")), true),
        (delete("Questionnaire/q"), true),
        (delete("Questionnaire/q"), false),
        (put(&questionnaire("q", "2")), true),
        (put(&value_set("a")), true),
    ];
    let mut seen = vec![generation(&house)];
    for (change, begins) in steps {
        let shown = format!("{change:?}");
        house.change(change).expect(&shown);
        let now = generation(&house);
        assert_eq!(seen.last() != Some(&now), begins, "{shown}");
        if begins {
            assert!(!seen.contains(&now), "{shown}");
            seen.push(now);
        }
    }
}

#[test]
fn follows_references_as_far_as_the_access_allows() {
    let house = House::new();
    house.hold(&[
        r#"{"resourceType":"Patient","id":"ann"}"#,
        r#"{"resourceType":"Patient","id":"bob"}"#,
        r#"{"resourceType":"Practitioner","id":"doc"}"#,
        &questionnaire("q", "1"),
    ]);
    house.change(delete("Patient/bob")).expect("deleted");
    let ann = Permission::Only(house.repository.registry().identity(&key("Patient/ann")));
    let only_ann = Access::limited([("Patient", Rights::default().with(Acts::SEE, &ann))], Requester::default());
    house.hold(&[r#"{"resourceType":"Patient","id":"eve"}"#]);
    for (reference, full, limited) in [
        ("Patient/ann", true, true),
        ("Patient/ann/_history/1", true, true),
        ("http://localhost/fhir/Patient/ann", true, true),
        ("http://elsewhere/fhir/Patient/ann", false, false),
        ("Patient/eve", true, false),
        ("Patient/bob", false, false),
        ("Patient/none", false, false),
        ("Practitioner/doc", true, false),
        ("urn:uuid:0b5e5c2e-7a3a-4a52-8b3f-2e9f3b1c8a11", false, false),
        ("#p", false, false),
        ("", false, false),
    ] {
        let found = |access| house.repository.open(access).library().resource(reference).is_some();
        assert_eq!((found(Access::full()), found(only_ann.clone())), (full, limited), "{reference}");
    }
    let hidden = house.repository.open(only_ann);
    let found = hidden.library().questionnaire(Canonical::parse("http://q.example/q")).expect("looked up");
    assert!(found.is_some(), "definitions are for everybody");
}
