//! What all tables of refusals have in common.

use std::fmt::Display;

use fhir::outcome::quoted;
use fhir::{IssueType, Outcome};

/// The refusal for what was found, which stands for `{}` in the text, at the element `expression`; `coding` is a system and its code.
pub(crate) fn refuse(
    issue_type: IssueType,
    coding: (&'static str, &'static str),
    text: &str,
    found: impl Display,
    expression: impl Into<String>,
) -> Outcome {
    let text = text.replace("{}", &quoted(&found.to_string()));
    Outcome::new(issue_type, text).coded(coding.0, coding.1).at(expression)
}
