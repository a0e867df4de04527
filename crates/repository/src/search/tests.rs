//! Searches that take more than one `find`.

use fhir::IssueType;

use crate::testing::House;
use crate::{Counted, SearchPage};

/// A practice of two patients with their observations.
fn house() -> House {
    let house = House::new();
    let observation = |id: &str, patient: &str, code: &str, more: &str| {
        format!(
            r#"{{"resourceType":"Observation","id":"{id}","status":"final","code":{{"coding":[{{"code":"{code}"}}]}},"subject":{{"reference":"Patient/{patient}"}}{more}}}"#
        )
    };
    house.hold(&[
        r#"{"resourceType":"Organization","id":"trust","name":"Trust"}"#,
        r#"{"resourceType":"Organization","id":"gp","name":"Surgery","partOf":{"reference":"Organization/trust"}}"#,
        r#"{"resourceType":"Practitioner","id":"doc","name":[{"family":"Young"}]}"#,
        r#"{"resourceType":"Patient","id":"ann","gender":"female","name":[{"family":"Ash"}],"managingOrganization":{"reference":"Organization/gp"}}"#,
        r#"{"resourceType":"Patient","id":"bob","gender":"male","name":[{"family":"Birch"}],"generalPractitioner":[{"reference":"Practitioner/doc"}]}"#,
        &observation("o1", "ann", "pulse", r#","performer":[{"reference":"Practitioner/doc"}]"#),
        &observation("o2", "ann", "weight", r#","hasMember":[{"reference":"Observation/o1"}]"#),
        &observation("o3", "bob", "pulse", ""),
    ]);
    house
}

fn ids(versions: &[store::Version]) -> String {
    let mut ids: Vec<_> = versions.iter().map(|version| version.key.id()).collect();
    ids.sort_unstable();
    ids.join(" ")
}

#[test]
fn joins_and_includes() {
    let house = house();
    // Type, query, ids of the matches, ids of what is included.
    let cases = [
        ("Observation", "subject:Patient.name=ash", "o1 o2", ""),
        ("Observation", "patient.gender=male", "o3", ""),
        ("Observation", "patient.gender=male&code=weight", "", ""),
        ("Observation", "subject:Patient.organization.name=surgery", "o1 o2", ""),
        ("Observation", "subject:Patient.organization.partof.name=trust", "o1 o2", ""),
        ("Observation", "subject:Patient.organization.name=none", "", ""),
        ("Observation", "has-member.code=pulse", "o2", ""),
        ("Patient", "_has:Observation:patient:code=weight", "ann", ""),
        ("Patient", "_has:Observation:patient:code=pulse", "ann bob", ""),
        ("Patient", "_has:Observation:patient:code=pulse&gender=male", "bob", ""),
        ("Patient", "_has:Observation:patient:performer.name=young", "ann", ""),
        ("Patient", "_has:Observation:patient:code=none", "", ""),
        ("Organization", "_has:Patient:organization:_has:Observation:patient:code=weight", "gp", ""),
        ("Observation", "code=pulse&_include=Observation:subject", "o1 o3", "ann bob"),
        ("Observation", "_id=o1&_include=Observation:performer&_include=Observation:subject", "o1", "ann doc"),
        ("Observation", "_id=o1&_include=Observation:*", "o1", "ann doc"),
        ("Observation", "_id=o1&_include=Observation:subject:Group", "o1", ""),
        ("Observation", "_id=o1,o2&_include=Observation:has-member", "o1 o2", ""),
        ("Observation", "_id=o2&_include=Observation:has-member", "o2", "o1"),
        ("Observation", "_id=o2&_include=Observation:subject&_include:iterate=Patient:organization", "o2", "ann gp"),
        (
            "Observation",
            "_id=o2&_include=Observation:subject&_include:iterate=Patient:organization&_include:iterate=Organization:partof",
            "o2",
            "ann gp trust",
        ),
        ("Patient", "_id=ann&_revinclude=Observation:patient", "ann", "o1 o2"),
        ("Patient", "_id=ann&_include=Patient:organization&_revinclude=Observation:patient", "ann", "gp o1 o2"),
        (
            "Organization",
            "_id=gp&_revinclude=Patient:organization&_revinclude:iterate=Observation:patient",
            "gp",
            "ann o1 o2",
        ),
        ("Patient", "_id=ann&_include=Patient:general-practitioner", "ann", ""),
    ];
    for (resource_type, query, matches, included) in cases {
        let page = house.search(resource_type, query).unwrap_or_else(|outcome| panic!("{query}: {outcome}"));
        assert_eq!((ids(&page.matches).as_str(), ids(&page.included).as_str()), (matches, included), "{query}");
        assert_eq!(page.total, Some(Counted::exactly(page.matches.len() as u64)), "{query}");
        assert!(!page.includes_cut && page.rows > 0 || matches.is_empty(), "{query}");
    }
}

#[test]
fn cuts_includes_at_the_limit() {
    let house = House::new();
    let max = super::include::INCLUDES_MAX;
    let observations = |from: usize, to: usize| {
        let one = |at| {
            format!(
                r#"{{"resourceType":"Observation","id":"o{at}","status":"final","code":{{"text":"x"}},"subject":{{"reference":"Patient/ann"}}}}"#
            )
        };
        (from..to).map(one).collect::<Vec<_>>()
    };
    house.hold(&[r#"{"resourceType":"Patient","id":"ann"}"#]);
    let found = |house: &House| -> SearchPage {
        house.search("Patient", "_id=ann&_revinclude=Observation:patient").expect("found")
    };
    house.hold(&observations(0, max).iter().map(String::as_str).collect::<Vec<_>>());
    let page = found(&house);
    assert_eq!((page.included.len(), page.includes_cut), (max, false));
    house.hold(&observations(max, max + 1).iter().map(String::as_str).collect::<Vec<_>>());
    let page = found(&house);
    assert_eq!((page.included.len(), page.includes_cut), (max, true));
}

#[test]
fn joins_from_the_side_that_is_small() {
    let house = House::new();
    let max = super::join::KEYS_MAX;
    // Each is linked to itself, so that one join has this many on both sides.
    let patient = |at| {
        format!(
            r#"{{"resourceType":"Patient","id":"p{at}","gender":"female","link":[{{"other":{{"reference":"Patient/p{at}"}},"type":"seealso"}}]}}"#
        )
    };
    let patients: Vec<_> = (0..=max).map(patient).collect();
    for chunk in patients.chunks(crate::CHANGES_MAX) {
        house.hold(&chunk.iter().map(String::as_str).collect::<Vec<_>>());
    }
    let observation = |id: &str, patient: &str, code: &str| {
        format!(
            r#"{{"resourceType":"Observation","id":"{id}","status":"final","code":{{"coding":[{{"code":"{code}"}}]}},"subject":{{"reference":"Patient/{patient}"}}}}"#
        )
    };
    house.hold(&[&observation("o1", "p1", "pulse"), &observation("o2", "p2", "weight")]);
    let cases = [
        ("Observation", "patient.gender=female&code=pulse", "o1"),
        ("Observation", "patient.gender=male&code=pulse", ""),
        ("Observation", "patient.gender=female", "o1 o2"),
        ("Patient", "_has:Observation:patient:patient.gender=female&_id=p2", "p2"),
    ];
    for (resource_type, query, matches) in cases {
        let page = house.search(resource_type, query).unwrap_or_else(|outcome| panic!("{query}: {outcome}"));
        assert_eq!(ids(&page.matches), matches, "{query}");
    }
    let refused = house.search("Patient", "link:Patient.gender=female").map(|page| page.total);
    assert_eq!(refused.expect_err("too costly").issues[0].code, IssueType::TooCostly);
}
