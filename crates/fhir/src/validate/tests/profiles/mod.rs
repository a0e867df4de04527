//! Resources against profiles: each rule with what it takes and what it refuses, and published profiles with their examples.

mod elements;
mod hostile;
mod published;
mod resources;
mod slicing;

use crate::collection::Collection;
use crate::json::Document;
use crate::outcome::{Issue, IssueType, Severity};
use crate::terminology::Canonical;
use crate::validate::{Depth, Validator};
use crate::{Definitions, Instant};

/// Where the profiles of these tests are: this and a name.
const BASE: &str = "http://x.example/";

/// What an issue must say: its code, its element, and a part of its message.
type Expected = (IssueType, &'static str, &'static str);

/// A resource and its issues, in any order.
type Case<'t> = (&'t str, &'t [Expected]);

fn validator(library: &Collection, depth: Depth) -> Validator<'_> {
    Validator {
        definitions: Definitions::r4(),
        library,
        depth,
        unknown_profile: Severity::Warning,
        now: Instant(1_700_000_000_000_000),
    }
}

/// A profile of this name, by its differential.
fn profile(name: &str, type_name: &str, differential: &str) -> String {
    format!(
        r#"{{"resourceType":"StructureDefinition","url":"{BASE}{name}","name":"P","status":"draft","kind":"resource","abstract":false,
            "type":"{type_name}","baseDefinition":"http://hl7.org/fhir/StructureDefinition/{type_name}","derivation":"constraint",
            "differential":{{"element":[{differential}]}}}}"#
    )
}

fn library(resources: &[String]) -> Collection {
    let mut library = Collection::default();
    for resource in resources {
        library.add(Document::parse(resource.as_bytes()).expect("valid JSON"));
    }
    library
}

/// The issues of a resource against the profile `p`.
fn issues(library: &Collection, depth: Depth, json: &str) -> Vec<Issue> {
    let document = Document::parse(json.as_bytes()).expect("valid JSON");
    validator(library, depth).validate(&document, &[Canonical::parse("http://x.example/p")])
}

fn check(library: &Collection, cases: &[Case<'_>]) {
    for (json, expected) in cases {
        let found = issues(library, Depth::Write, json);
        assert_eq!(found.len(), expected.len(), "{json}: {found:#?}");
        for (code, expression, message) in *expected {
            let is_it = |issue: &&Issue| {
                issue.code == *code && issue.expression.concat() == *expression && issue.diagnostics.contains(message)
            };
            assert!(found.iter().any(|issue| is_it(&issue)), "{json}: {code:?} {expression} {message}: {found:#?}");
        }
    }
}

/// Checks resources against a profile of the differential.
fn check_profile(type_name: &str, differential: &str, cases: &[Case<'_>]) {
    check(&library(&[profile("p", type_name, differential)]), cases);
}
