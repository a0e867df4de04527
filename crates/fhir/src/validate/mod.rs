//! Structural validation of a resource against the definitions: on every write.

use crate::Definitions;
use crate::json::Document;
use crate::outcome::Issue;

/// Everything wrong with `document` as an R4 resource: unknown elements, types, cardinality, primitive formats, choice types,
/// required bindings, references' format and target type, invariants. Errors refuse a write, warnings do not. Empty when all is well.
/// At most [`ISSUES_MAX`] issues are listed.
pub fn validate(_definitions: &'static Definitions, _document: &Document) -> Vec<Issue> {
    todo!()
}

/// How many issues one validation lists; the last one then says that there are more.
pub const ISSUES_MAX: usize = 100;
