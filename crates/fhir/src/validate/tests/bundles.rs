//! Resources in bundles and parameters.

use super::check;
use crate::IssueType::{Structure, Value};

const URN: &str = "urn:uuid:c757873d-ec9a-4326-a141-556f43239520";

/// A transaction or other bundle that creates a patient with this reference to its organization.
fn bundle(kind: &str, reference: &str, target: &str) -> &'static str {
    let request = match kind {
        "transaction" | "batch" => r#","request":{"method":"POST","url":"x"}"#,
        _ => "",
    };
    format!(
        r#"{{"resourceType":"Bundle","type":"{kind}","entry":[
            {{"fullUrl":"{URN}","resource":{target}{request}}},
            {{"resource":{{"resourceType":"Patient","managingOrganization":{{"reference":"{reference}"}}}}{request}}}]}}"#
    )
    .leak()
}

#[test]
fn references_reach_entries() {
    let organization = r#"{"resourceType":"Organization","name":"x"}"#;
    let practitioner = r#"{"resourceType":"Practitioner"}"#;
    let at = "Bundle.entry[1].resource.managingOrganization";
    check(&[
        (bundle("transaction", URN, organization), None),
        (bundle("collection", URN, organization), None),
        (bundle("collection", "urn:uuid:00000000-0000-0000-0000-000000000000", practitioner), None),
        (bundle("transaction", URN, practitioner), Some((Value, at, "leads to Practitioner"))),
        (bundle("transaction", "Organization?identifier=x", organization), None),
        (bundle("batch", "Organization?identifier=x", organization), None),
        (bundle("transaction", "Patient?identifier=x", organization), Some((Value, at, "leads to Patient"))),
        (
            bundle("collection", "Organization?identifier=x", organization),
            Some((Value, "Bundle.entry[1].resource.managingOrganization.reference", "only in a transaction")),
        ),
    ]);
}

#[test]
fn inner_resources_are_validated() {
    check(&[
        (
            r#"{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Patient","x":1}}]}"#,
            Some((Structure, "Bundle.entry[0].resource.x", "not an element of Patient")),
        ),
        (
            r#"{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Patient","birthDate":"x"}}]}"#,
            Some((Value, "Bundle.entry[0].resource.birthDate", "not of type date")),
        ),
        (
            r#"{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Patient"},"x":1}]}"#,
            Some((Structure, "Bundle.entry[0].x", "not an element of Bundle.entry")),
        ),
        (
            r#"{"resourceType":"Parameters","parameter":[{"name":"a","part":[{"name":"b","resource":{"resourceType":"Patient","x":1}}]}]}"#,
            Some((Structure, "Parameters.parameter[0].part[0].resource.x", "not an element of Patient")),
        ),
        (r#"{"resourceType":"Parameters","parameter":[{"name":"a","resource":{"resourceType":"Patient"}}]}"#, None),
        (
            r#"{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"X"}}]}}]}"#,
            Some((Structure, "Bundle.entry[0].resource.entry[0].resource", "`X` is not a resource type")),
        ),
    ]);
}

#[test]
fn local_references_stay_in_their_entry() {
    check(&[(
        r##"{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Patient",
            "contained":[{"resourceType":"Organization","id":"a","name":"x"}],"managingOrganization":{"reference":"#a"}}}]}"##,
        None,
    )]);
}
