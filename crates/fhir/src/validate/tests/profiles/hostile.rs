//! Profiles that would take all of the stack, the memory or the time of who compiles them or checks a resource against them.

use super::{issues, library};
use crate::terminology::Canonical;
use crate::validate::Depth;
use crate::{Library, profile};

/// The profile `p` of a type, by its snapshot.
fn published(type_name: &str, elements: &[String]) -> String {
    format!(
        r#"{{"resourceType":"StructureDefinition","url":"http://x.example/p","name":"P","status":"draft","kind":"resource",
            "abstract":false,"type":"{type_name}","derivation":"constraint",
            "baseDefinition":"http://hl7.org/fhir/StructureDefinition/{type_name}",
            "snapshot":{{"element":[{{"path":"{type_name}"}},{}]}}}}"#,
        elements.join(",")
    )
}

/// What is said of a resource against the profile `p`.
fn said(profile: String, json: &str) -> String {
    let issues = issues(&library(&[profile]), Depth::Write, json);
    issues.iter().map(|issue| format!("{}: {}\n", issue.expression.concat(), issue.diagnostics)).collect()
}

#[test]
fn content_references_in_circles_lead_nowhere() {
    let response = r#"{"resourceType":"Questionnaire","status":"draft","item":[{"linkId":"a","type":"group","item":[{"linkId":"b","type":"display"}]}]}"#;
    for circle in [
        vec![r##"{"path":"Questionnaire.item","contentReference":"#Questionnaire.item"}"##],
        vec![
            r#"{"path":"Questionnaire.item"}"#,
            r##"{"path":"Questionnaire.item","sliceName":"a","contentReference":"#Questionnaire.item"}"##,
        ],
        vec![
            r##"{"path":"Questionnaire.item","contentReference":"#Questionnaire.contact"}"##,
            r##"{"path":"Questionnaire.contact","contentReference":"#Questionnaire.item"}"##,
        ],
    ] {
        let elements: Vec<String> = circle.iter().map(|element| (*element).to_owned()).collect();
        assert_eq!(said(published("Questionnaire", &elements), response), "", "{circle:?}");
    }
}

#[test]
fn slices_of_slices_are_bounded() {
    let slice = |depth: usize| {
        let name = vec!["a"; depth].join("/");
        format!(r#"{{"path":"Patient.name","sliceName":"{name}"}}"#)
    };
    let patient = r#"{"resourceType":"Patient","name":[{"family":"x"}]}"#;
    for (depth, expected) in [(8, ""), (9, "slices more than 8 deep"), (1_000, "slices more than 8 deep")] {
        let mut elements = vec![r#"{"path":"Patient.name"}"#.to_owned()];
        elements.extend((1..=depth).map(slice));
        let said = said(published("Patient", &elements), patient);
        assert!(said.contains(expected) && said.is_empty() == expected.is_empty(), "{depth}: {said}");
    }
}

#[test]
fn discriminators_are_bounded() {
    // Extensions in extensions, two mandatory slices on each level: as many ends as there are ways down.
    let mut elements = vec![];
    let path = |depth: usize| format!("Patient{}", ".extension".repeat(depth));
    let slicing = |path: &str| {
        format!(
            r#"{{"path":"{}","slicing":{{"discriminator":[{{"type":"value","path":"{path}"}}],"rules":"open"}}}}"#,
            "Patient.extension"
        )
    };
    let discriminator = format!("{}.url", vec!["extension"; 30].join("."));
    elements.push(slicing(&discriminator));
    for depth in 2..=31 {
        elements.push(format!(r#"{{"path":"{}"}}"#, path(depth)));
    }
    for depth in (2..=31).rev() {
        for name in ["a", "b"] {
            elements.push(format!(r#"{{"path":"{}","sliceName":"{name}","min":1}}"#, path(depth)));
        }
    }
    elements.push(r#"{"path":"Patient.extension","sliceName":"s","min":1}"#.to_owned());
    let patient = r#"{"resourceType":"Patient"}"#;
    let found = said(published("Patient", &elements), patient);
    assert!(found.contains("lead to more than 100000 elements"), "{found}");
    // A path that is not understood tells no slice.
    let endless = vec!["ofType(a)"; 50_000].join(".");
    let elements = [slicing(&endless), r#"{"path":"Patient.extension","sliceName":"s","min":1}"#.to_owned()];
    assert_eq!(said(published("Patient", &elements), patient), "");
}

#[test]
fn expressions_share_the_steps_of_the_walk() {
    // Each alone takes less than an expression may; all together more than a resource of this size may.
    let constraint = |key: usize| {
        format!(
            r#"{{"key":"e-{key}","severity":"error","human":"x",
                "expression":"descendants().select(%resource.descendants().count()).count() >= 0"}}"#
        )
    };
    let given: Vec<_> = (0..300).map(|name| format!("\"{name}\"")).collect();
    let patient = format!(r#"{{"resourceType":"Patient","name":[{{"given":[{}]}}]}}"#, given.join(","));
    for (count, is_refused) in [(1, false), (200, true)] {
        let constraints: Vec<_> = (0..count).map(constraint).collect();
        let element = format!(r#"{{"path":"Patient.name","constraint":[{}]}}"#, constraints.join(","));
        let said = said(published("Patient", &[element]), &patient);
        assert_eq!(said.contains("ask for more steps"), is_refused, "{count}: {said}");
        assert!(is_refused || said.is_empty(), "{said}");
    }
}

#[test]
fn snapshots_of_deep_profiles_fit_on_the_stack() {
    // Each is made of the next, at the end of the deepest path that a differential may have.
    let url = |number: usize| format!("http://x.example/{number}");
    let below = ".extension".repeat(30);
    let profiles = (0..40).map(|number| {
        let (own, next) = (url(number), url(number + 1));
        format!(
            r#"{{"resourceType":"StructureDefinition","url":"{own}","name":"P","status":"draft","kind":"complex-type",
                "abstract":false,"type":"Extension","baseDefinition":"http://hl7.org/fhir/StructureDefinition/Extension",
                "derivation":"constraint","differential":{{"element":[
                    {{"path":"Extension{below}","type":[{{"code":"Extension","profile":["{next}"]}}]}},
                    {{"path":"Extension{below}.url","min":1}}]}}}}"#
        )
    });
    let library = library(&profiles.collect::<Vec<_>>());
    let first = library.structure_definition(Canonical::parse(&url(0))).expect("a library").expect("a profile");
    let refused = profile::snapshot(&library, &first).expect_err("a chain without end");
    assert!(refused.to_string().contains("made from each other have elements more than 200 deep"), "{refused}");
}

#[test]
fn deep_resources_fit_on_the_stack() {
    let item = r##"{"path":"Questionnaire.item"},
        {"path":"Questionnaire.item.item","contentReference":"#Questionnaire.item","min":1}"##;
    let (mut questionnaire, mut depth) = (r#"{"linkId":"x","type":"display"}"#.to_owned(), 1);
    while depth + 2 < crate::json::DEPTH_MAX / 2 {
        questionnaire = format!(r#"{{"linkId":"{depth}","type":"group","item":[{questionnaire}]}}"#);
        depth += 1;
    }
    let json = format!(r#"{{"resourceType":"Questionnaire","status":"draft","item":[{questionnaire}]}}"#);
    let found = said(published("Questionnaire", &[item.to_owned()]), &json);
    assert!(found.contains("`item` is missing: it must stand here at least once"), "{found}");
    // Profiles that ask each other, with a walk in a walk.
    let asks = r#"{"path":"Patient","constraint":[{"key":"c-1","severity":"error","human":"x",
        "expression":"conformsTo('http://x.example/p')"}]}"#;
    let found = said(super::profile("p", "Patient", asks), r#"{"resourceType":"Patient"}"#);
    assert!(found.contains("the rule c-1 could not be checked") || found.is_empty(), "{found}");
}
