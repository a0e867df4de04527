//! Validation at its door: each rule with what it takes and what it refuses, and published resources.

mod bindings;
mod bundles;
mod contained;
mod elements;
mod invariants;
mod own;
mod profiles;
mod published;
mod references;

use crate::Definitions;
use crate::json::Document;
use crate::outcome::{Issue, IssueType, Severity};
use crate::validate::validate;

/// What an error must say: its code, its element, and a part of its message.
type Expected = (IssueType, &'static str, &'static str);

/// A resource and the only error it has; `None` when it is valid.
type Case = (&'static str, Option<Expected>);

fn errors(document: &Document) -> Vec<Issue> {
    let mut issues = validate(Definitions::r4(), document);
    issues.retain(|issue| issue.severity <= Severity::Error);
    issues
}

fn check(cases: &[Case]) {
    for (json, expected) in cases {
        let issues = errors(&Document::parse(json.as_bytes()).expect("a valid text"));
        match (expected, &issues[..]) {
            (None, []) => {}
            (Some((code, expression, message)), [issue]) => {
                assert_eq!((issue.code, issue.expression.concat().as_str()), (*code, *expression), "{json}: {issue:?}");
                assert!(issue.diagnostics.contains(message), "{json}: {issue:?}");
            }
            _ => panic!("{json}: {issues:#?}"),
        }
    }
}
