//! Structural validation of a resource against the definitions, on every write: <https://hl7.org/fhir/R4/validation.html>.
//!
//! One walk over the document, guided by the definitions. On the way nothing is built: a path becomes text only for an issue.

mod binding;
mod contained;
mod invariant;
mod issues;
mod members;
mod nearest;
mod path;
mod primitive;
mod reference;
mod resource;

#[cfg(test)]
mod tests;

use crate::Definitions;
use crate::json::Document;
use crate::outcome::Issue;

pub use primitive::STRING_LENGTH_MAX;

/// How many issues one validation lists; the last one then says that there are more.
pub const ISSUES_MAX: usize = 100;

/// Everything wrong with `document` as an R4 resource: unknown elements, types, cardinality, primitive formats, choice types,
/// required bindings, references' format and target type, invariants. Errors refuse a write, warnings do not. Empty when all is well.
/// At most [`ISSUES_MAX`] issues are listed.
///
/// Each issue names its element in `expression`: `Patient.name[1].given[0]`, `Bundle.entry[3].resource.birthDate`. Best practice
/// (dom-6: a resource should have narrative) is not answered, and an invariant that cannot be evaluated is not the sender's fault.
pub fn validate(definitions: &'static Definitions, document: &Document) -> Vec<Issue> {
    resource::validate(definitions, document.root())
}
