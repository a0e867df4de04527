//! What an operation answers beside its definition: a mistake here is the program's, so tests look and callers do not wait for it.

use fhir::json::Document;

use super::Definition;
use super::part::{Parts, structure_fits};

/// Says what is wrong with an answer.
pub(super) fn check(definition: &Definition, answer: &[u8]) -> Result<(), String> {
    let document = Document::parse(answer).map_err(|error| format!("it is not JSON: {error}"))?;
    let root = document.root();
    if let Some(wanted) = definition.returns() {
        return structure_fits(root, wanted.name).map_err(|found| format!("it is {found}, not a {}", wanted.name));
    }
    structure_fits(root, "Parameters").map_err(|found| format!("it is {found}, not Parameters"))?;
    let mut parts = Parts::of("output", &definition.outputs);
    parts.check(root, "parameter", "Parameters").and_then(|()| parts.finish()).map_err(|outcome| outcome.to_string())
}
