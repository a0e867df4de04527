//! What no snapshot is made of.

use std::sync::Arc;

use super::{Definitions, definition};
use crate::IssueType;
use crate::json::Document;
use crate::profile::snapshot;

fn check(all: &[Arc<Document>], wanted: &Document, code: IssueType, message: &str) {
    let outcome = snapshot(&Definitions::of(all), wanted).expect_err(message);
    let worst = outcome.worst().expect("an issue");
    assert_eq!(worst.code, code, "{outcome}");
    assert!(worst.diagnostics.contains(message), "{outcome}");
}

#[test]
fn what_cannot_be_made_is_refused() {
    let profile = |base: &str, path: &str| definition("it", base, "constraint", &format!(r#"{{"path":"{path}"}}"#));
    let deep = format!("Patient{}", ".contact".repeat(40));
    let other = Arc::new(Document::parse(br#"{"resourceType":"Patient","url":"u"}"#).expect("a valid text"));
    let cases = [
        (other, IssueType::Invalid, "not of `Patient`"),
        (profile("Nothing", "Nothing"), IssueType::Processing, "StructureDefinition/Nothing` is not known here"),
        (profile("Patient", "Observation"), IssueType::Invalid, "is about `Observation`, its base about `Patient`"),
        (
            profile("Patient", "Patient.color"),
            IssueType::Invalid,
            "names `Patient.color`, which its base does not have",
        ),
        (profile("Patient", "Patient.id.x"), IssueType::Invalid, "names `Patient.id.x`"),
        (profile("Patient", "Patient.deceasedQuantity"), IssueType::Invalid, "names `Patient.deceasedQuantity`"),
        (profile("Patient", &deep), IssueType::TooCostly, "deeper than 32 parts"),
        (profile("it", "Patient"), IssueType::Processing, "`http://ours.example/it` is made from itself"),
    ];
    for (wanted, code, message) in cases {
        check(std::slice::from_ref(&wanted), &wanted, code, message);
    }
}

#[test]
fn circles_are_refused() {
    let root = r#"{"path":"Patient"}"#;
    let bases = [definition("a", "b", "constraint", root), definition("b", "a", "constraint", root)];
    check(&bases, &bases[0], IssueType::Processing, "`http://ours.example/a` is made from itself");
    let inside = r#"{"path":"HumanName.extension","sliceName":"x","type":[{"code":"Extension","profile":["http://ours.example/y"]}]},
        {"path":"HumanName.extension.url"}"#;
    let back = r#"{"path":"Extension.value[x]","type":[{"code":"HumanName","profile":["http://ours.example/x"]}]},
        {"path":"Extension.value[x].family"}"#;
    let types = [definition("x", "HumanName", "constraint", inside), definition("y", "Extension", "constraint", back)];
    check(&types, &types[0], IssueType::Processing, "`http://ours.example/x` is made from itself");
}

#[test]
fn growth_is_bounded() {
    // Each unfolds the one before it twenty times.
    let slices = |of: usize| -> String {
        let slice = |slice| {
            format!(
                r#",{{"path":"Extension.extension","sliceName":"s{slice}","type":[{{"code":"Extension","profile":["http://ours.example/e{of}"]}}]}},
                {{"path":"Extension.extension.url"}}"#
            )
        };
        (0..20).map(slice).collect()
    };
    let mut all = vec![definition("e0", "Extension", "constraint", r#"{"path":"Extension.url"}"#)];
    for level in 1..8 {
        let elements = format!(r#"{{"path":"Extension"}}{}"#, slices(level - 1));
        all.push(definition(&format!("e{level}"), "Extension", "constraint", &elements));
    }
    check(&all, &all[7], IssueType::TooCostly, "more than 50000 elements");

    let link =
        |at: usize| definition(&format!("c{at}"), &format!("c{}", at + 1), "constraint", r#"{"path":"Patient"}"#);
    let chain: Vec<_> = (0..40).map(link).collect();
    check(&chain, &chain[0], IssueType::TooCostly, "more than 32 definitions");

    let many = vec![r#"{"path":"Patient.id"}"#; 10_001].join(",");
    check(&[], &definition("it", "Patient", "constraint", &many), IssueType::TooCostly, "more than 10000 elements");
}
