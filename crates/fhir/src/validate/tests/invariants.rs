//! Invariants, by samples of each shape and by their number.

use std::collections::{BTreeMap, BTreeSet};

use super::check;
use crate::Definitions;
use crate::IssueType::Invariant;
use crate::definitions::Structure;
use crate::json::Document;
use crate::outcome::Severity;
use crate::validate::invariant::ELSEWHERE;
use crate::validate::validate;

#[test]
fn invariants_hold() {
    let appointment = |members: &str| {
        format!(r#"{{"resourceType":"Appointment","participant":[{{"actor":{{"display":"x"}},"status":"accepted"}}],{members}}}"#)
            .leak() as &str
    };
    let observation = |members: &str| {
        format!(r#"{{"resourceType":"Observation","status":"final","code":{{"text":"x"}},{members}}}"#).leak() as &str
    };
    check(&[
        // On a resource.
        (appointment(r#""status":"proposed""#), None),
        (
            appointment(r#""status":"booked""#),
            Some((Invariant, "Appointment", "the rule app-3 does not hold: Only proposed")),
        ),
        (
            appointment(r#""status":"proposed","start":"2026-03-01T09:00:00Z""#),
            Some((Invariant, "Appointment", "app-2")),
        ),
        (
            appointment(
                r#""status":"noshow","start":"2026-03-01T09:00:00Z","end":"2026-03-01T09:10:00Z","cancelationReason":{"text":"x"}"#,
            ),
            None,
        ),
        (r#"{"resourceType":"Organization","active":true}"#, Some((Invariant, "Organization", "org-1"))),
        // On a backbone element and on an element.
        (
            r#"{"resourceType":"Patient","contact":[{"gender":"male"}]}"#,
            Some((Invariant, "Patient.contact[0]", "pat-1")),
        ),
        (r#"{"resourceType":"Patient","contact":[{"gender":"male","name":{"text":"x"}}]}"#, None),
        (
            r#"{"resourceType":"Organization","name":"x","address":[{"use":"work"},{"use":"home"}]}"#,
            Some((Invariant, "Organization.address[1]", "org-2")),
        ),
        // On a data type, wherever it stands.
        (r#"{"resourceType":"Patient","telecom":[{"value":"1"}]}"#, Some((Invariant, "Patient.telecom[0]", "cpt-2"))),
        (observation(r#""valueQuantity":{"value":1,"code":"g"}"#), Some((Invariant, "Observation.value", "qty-3"))),
        (observation(r#""valueQuantity":{"value":1,"code":"g","system":"http://unitsofmeasure.org"}"#), None),
        (
            observation(r#""effectivePeriod":{"start":"2026-03-02","end":"2026-03-01"}"#),
            Some((Invariant, "Observation.effective", "per-1")),
        ),
        (observation(r#""effectivePeriod":{"start":"2026-03-01","end":"2026-03-01"}"#), None),
        (
            r#"{"resourceType":"Patient","extension":[{"url":"x","valuePeriod":{"start":"2026","end":"2025"}}]}"#,
            Some((Invariant, "Patient.extension[0].value", "per-1")),
        ),
        // What cannot be decided holds: the precisions differ.
        (observation(r#""effectivePeriod":{"start":"2026-03-01T09:00:00Z","end":"2026-03-01"}"#), None),
        // Inside other resources, with the nearest as %resource.
        (
            observation(r#""valueString":"x","dataAbsentReason":{"text":"x"}"#),
            Some((Invariant, "Observation", "obs-6")),
        ),
        (
            r##"{"resourceType":"Patient","contained":[{"resourceType":"Organization","id":"a","active":true}],"managingOrganization":{"reference":"#a"}}"##,
            Some((Invariant, "Patient.contained[0]", "org-1")),
        ),
        (
            r#"{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Organization"}}]}"#,
            Some((Invariant, "Bundle.entry[0].resource", "org-1")),
        ),
        (
            r#"{"resourceType":"Bundle","type":"transaction","entry":[{"resource":{"resourceType":"Patient"}}]}"#,
            Some((Invariant, "Bundle", "bdl-3")),
        ),
    ]);
}

#[test]
fn warnings_do_not_refuse() {
    let json = r#"{"resourceType":"Library","status":"draft","type":{"text":"x"},"name":"no identifier"}"#;
    let issues = validate(Definitions::r4(), &Document::parse(json.as_bytes()).expect("a valid text"));
    let [issue] = &issues[..] else { panic!("{issues:?}") };
    assert_eq!((issue.severity, issue.code), (Severity::Warning, Invariant));
    assert!(issue.diagnostics.starts_with("the rule lib-0 does not hold"), "{issue:?}");
}

#[test]
fn every_invariant_is_enforced() {
    let mut invariants = BTreeMap::new();
    let definitions = Definitions::r4();
    let mut names: Vec<&str> = definitions.resource_types().to_vec();
    let mut met = BTreeSet::new();
    while let Some(name) = names.pop() {
        let structure: &'static Structure = definitions.structure(name).expect("structures name structures");
        if !met.insert(name) {
            continue;
        }
        let stated = structure.elements.iter().flat_map(|element| &element.invariants);
        for invariant in structure.invariants.iter().chain(stated) {
            invariants.insert((invariant.key, invariant.human), *invariant);
        }
        for element in &structure.elements {
            names.extend(element.types.iter().map(|element_type| definitions.structure_of(element_type).name));
        }
    }
    let elsewhere = invariants.values().filter(|invariant| ELSEWHERE.contains(&invariant.key)).count();
    for invariant in invariants.values().filter(|invariant| !ELSEWHERE.contains(&invariant.key)) {
        assert!(invariant.to_evaluate().is_some(), "{}: {}", invariant.key, invariant.expression);
    }
    println!("{} expressions are evaluated, {elsewhere} rules are enforced by the walk", invariants.len() - elsewhere);
    assert_eq!(invariants.len(), 240);
}
