//! JSON Patch (RFC 6902) on a FHIR document, <https://hl7.org/fhir/R4/http.html#patch>.
use super::Value;
use crate::Outcome;

/// A parsed patch document.
#[derive(Clone, Debug)]
pub struct JsonPatch {
    // private operations
}

impl JsonPatch {
    /// Parses a patch document. A malformed one is refused naming the operation's index, the member and what would be right.
    pub fn parse(_bytes: &[u8]) -> Result<JsonPatch, Outcome> {
        todo!()
    }
    /// Applies all operations in order or none. A failed `test` and a path that leads nowhere are refused with
    /// [`crate::IssueType::Processing`] (422).
    pub fn apply(&self, _target: Value) -> Result<Value, Outcome> {
        todo!()
    }
}
