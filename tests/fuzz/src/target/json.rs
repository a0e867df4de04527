//! JSON as a body: read, validated with the profiles it names, indexed.

use fhir::json::Document;
use fhir::published::Published;
use fhir::validate::{Depth, Validator};
use fhir::{Definitions, Instant, Severity};

use super::{EXAMPLES, Target};

pub(super) const TARGET: Target = Target {
    name: "json",
    corpus: || EXAMPLES.iter().map(|text| text.as_bytes().to_vec()).collect(),
    words: &[
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\u0000",
        "\\ud800",
        "\\ud83d\\ude00",
        "null",
        "true",
        "-0",
        "1e999999999",
        "0.00000000000000000000000000000000000000000000000001",
        "\u{feff}",
        "\"resourceType\":\"Bundle\"",
        "\"extension\":[{\"url\":\"u\",\"valueString\":\"\"}]",
        "\"_status\":{\"id\":\"x\"}",
        "\"contained\":[{",
        "\"reference\":\"#\"",
        "\"2027-02-29\"",
        "\"valueQuantity\":{\"value\":1}",
        "{\"a\":",
        "[[",
        "<div xmlns=\\\"\\\">",
        "\"meta\":{\"profile\":[\"http://hl7.org/fhir/StructureDefinition/bp\"]}",
        "\"div\":\"<div><p></div>\"",
    ],
    run,
};

fn run(input: &[u8]) {
    let Ok(document) = Document::parse(input) else { return };
    let again = Document::parse(document.text().as_bytes()).expect("what was read can be read again");
    assert_eq!(again.text(), document.text());
    let validator = Validator {
        definitions: Definitions::r4(),
        library: &Published,
        depth: Depth::Full,
        unknown_profile: Severity::Warning,
        now: Instant(0),
    };
    let issues = validator.validate(&document, &[]);
    assert!(issues.len() <= fhir::validate::ISSUES_MAX, "{} issues", issues.len());
    if issues.iter().all(|issue| issue.severity > Severity::Error) {
        drop(super::search::registry().rows(&document));
    }
}
