//! Changing some elements of a resource, <https://hl7.org/fhir/R4/http.html#patch>: three languages that say what is changed.

mod json;
mod path;
mod pointer;
mod xml;

pub use json::JsonPatch;
pub use path::PathPatch;
pub use xml::XmlPatch;

use crate::json::Document;
use crate::{Definitions, Outcome};

#[cfg(test)]
mod tests;

/// A patch of more operations is refused.
pub const OPERATIONS_MAX: usize = 1000;

/// A change of some elements.
#[derive(Clone, Debug)]
pub enum Patch {
    /// JSON Patch, RFC 6902.
    Json(JsonPatch),
    /// FHIRPath Patch: Parameters.
    Path(PathPatch),
    /// XML Patch, RFC 5261.
    Xml(XmlPatch),
}

impl Patch {
    /// A path that two operations of a JSON Patch change.
    pub fn changed_twice(&self) -> Option<&str> {
        match self {
            Patch::Json(patch) => patch.changed_twice(),
            Patch::Path(_) | Patch::Xml(_) => None,
        }
    }

    /// The resource with all operations applied in order. One that does not apply is refused as
    /// [`IssueType::Processing`](crate::IssueType::Processing), and then none is.
    pub fn apply(&self, definitions: &'static Definitions, target: &Document) -> Result<Document, Outcome> {
        match self {
            Patch::Json(patch) => patch.apply(target),
            Patch::Path(patch) => patch.apply(definitions, target),
            Patch::Xml(patch) => patch.apply(definitions, target),
        }
    }
}
