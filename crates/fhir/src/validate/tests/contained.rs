//! Contained resources.

use super::check;
use crate::IssueType::{Duplicate, Invariant, Structure, Value};

fn patient(contained: &str, organization: &str) -> &'static str {
    let organization = match organization {
        "" => String::new(),
        reference => format!(r#","managingOrganization":{{"reference":"{reference}"}}"#),
    };
    format!(r#"{{"resourceType":"Patient","contained":[{contained}]{organization}}}"#).leak()
}

const ORGANIZATION: &str = r#"{"resourceType":"Organization","id":"a","name":"x"}"#;

#[test]
fn local_references_lead_to_contained_resources() {
    let practitioner = r#"{"resourceType":"Practitioner","id":"a"}"#;
    let provenance = r##"{"resourceType":"Provenance","id":"p","target":[{"reference":"#"}],"recorded":"2026-01-01T00:00:00Z",
        "agent":[{"who":{"reference":"#a"}}]}"##;
    check(&[
        (patient(ORGANIZATION, "#a"), None),
        (patient(provenance, ""), Some((Invariant, "Patient.contained[0].agent[0].who.reference", "has the id `a`"))),
        (patient(&format!("{provenance},{ORGANIZATION}"), ""), None),
        (patient(practitioner, "#a"), Some((Value, "Patient.managingOrganization", "leads to Practitioner"))),
    ]);
}

#[test]
fn contained_resources_are_linked_by_unique_ids() {
    let at = "Patient.contained[0]";
    check(&[
        (patient(ORGANIZATION, ""), Some((Invariant, at, "nothing refers to the contained resource `a`"))),
        (patient(r#"{"resourceType":"Organization","name":"x"}"#, ""), Some((Invariant, at, "has no id"))),
        (
            patient(&format!("{ORGANIZATION},{ORGANIZATION}"), "#a"),
            Some((Duplicate, "Patient.contained[1].id", "another contained resource has the id `a`")),
        ),
        (
            r##"{"resourceType":"QuestionnaireResponse","status":"completed","questionnaire":"#q",
                "contained":[{"resourceType":"Questionnaire","id":"q","status":"draft"}]}"##,
            None,
        ),
    ]);
}

#[test]
fn contained_resources_stay_simple() {
    let with =
        |members: &str| patient(&format!(r#"{{"resourceType":"Organization","id":"a","name":"x",{members}}}"#), "#a");
    check(&[
        (with(r#""meta":{"tag":[{"code":"x"}]}"#), None),
        (with(r#""meta":{"versionId":"1"}"#), Some((Invariant, "Patient.contained[0].meta.versionId", "(dom-4)"))),
        (
            with(r#""meta":{"lastUpdated":"2026-01-01T00:00:00Z"}"#),
            Some((Invariant, "Patient.contained[0].meta.lastUpdated", "(dom-4)")),
        ),
        (
            with(r#""meta":{"security":[{"code":"R"}]}"#),
            Some((Invariant, "Patient.contained[0].meta.security", "(dom-5)")),
        ),
        (
            with(&format!(r#""contained":[{ORGANIZATION}]"#)),
            Some((Invariant, "Patient.contained[0].contained", "holds no contained resources (dom-2)")),
        ),
        (with(r#""x":1"#), Some((Structure, "Patient.contained[0].x", "not an element of Organization"))),
        (
            patient(r#"{"resourceType":"X","id":"a"}"#, "#a"),
            Some((Structure, "Patient.contained[0]", "`X` is not a resource type")),
        ),
    ]);
}
