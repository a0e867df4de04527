//! References outside of containers and bundles.

use super::check;
use crate::IssueType::{Invariant, Value};

#[test]
fn references_have_a_form_and_an_allowed_target() {
    let patient = |organization: &str| {
        format!(r#"{{"resourceType":"Patient","managingOrganization":{organization}}}"#).leak() as &str
    };
    let (at, at_reference) = ("Patient.managingOrganization", "Patient.managingOrganization.reference");
    check(&[
        (patient(r#"{"reference":"Organization/a"}"#), None),
        (patient(r#"{"reference":"Organization/a/_history/2"}"#), None),
        (patient(r#"{"reference":"https://other.example/fhir/Organization/a"}"#), None),
        (patient(r#"{"reference":"https://other.example/about"}"#), None),
        (patient(r#"{"reference":"urn:uuid:c757873d-ec9a-4326-a141-556f43239520"}"#), None),
        (patient(r#"{"display":"x"}"#), None),
        (patient(r#"{"identifier":{"value":"x"},"type":"Organization"}"#), None),
        (patient(r#"{"reference":"Organization/a","type":"Organization"}"#), None),
        (
            patient(r#"{"reference":"Practitioner/a"}"#),
            Some((Value, at, "leads to Practitioner, but must lead to Organization")),
        ),
        (
            patient(r#"{"reference":"https://other.example/fhir/Practitioner/a"}"#),
            Some((Value, at, "leads to Practitioner")),
        ),
        (patient(r#"{"identifier":{"value":"x"},"type":"Practitioner"}"#), Some((Value, at, "leads to Practitioner"))),
        (
            patient(r#"{"reference":"Organization/a","type":"Practitioner"}"#),
            Some((Value, "Patient.managingOrganization.type", "leads to Organization, but its type says Practitioner")),
        ),
        (
            patient(r#"{"reference":"organization/a"}"#),
            Some((Value, at_reference, "`organization/a` is not a reference")),
        ),
        (patient(r#"{"reference":"Organization/a_b"}"#), Some((Value, at_reference, "is not a reference"))),
        (patient(r#"{"reference":"a"}"#), Some((Value, at_reference, "is not a reference"))),
        (patient(r#"{"reference":""}"#), Some((Value, at_reference, "the string is empty"))),
        (
            patient(r#"{"reference":"Organization?identifier=x"}"#),
            Some((Value, at_reference, "may stand only in a transaction")),
        ),
        (patient(r##"{"reference":"#a"}"##), Some((Invariant, at_reference, "no contained resource has the id `a`"))),
    ]);
}

#[test]
fn any_target_is_allowed_where_none_is_stated() {
    check(&[
        (r#"{"resourceType":"Basic","code":{"text":"x"},"subject":{"reference":"Slot/a"}}"#, None),
        (r#"{"resourceType":"Patient","extension":[{"url":"x","valueReference":{"reference":"Slot/a"}}]}"#, None),
        (
            r#"{"resourceType":"Patient","extension":[{"url":"x","valueReference":{"reference":"Slot"}}]}"#,
            Some((Value, "Patient.extension[0].value.reference", "`Slot` is not a reference")),
        ),
    ]);
}
