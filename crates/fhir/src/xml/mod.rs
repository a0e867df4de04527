//! Resources as XML, <https://hl7.org/fhir/R4/xml.html>, equal in meaning to their JSON.

use crate::json::Document;
use crate::{Definitions, IssueType, Outcome};

/// Reads a resource. External entities, document types and processing instructions are refused.
pub fn parse(definitions: &'static Definitions, text: &[u8]) -> Result<Document, Outcome> {
    let _ = (definitions, text);
    Err(Outcome::new(IssueType::NotSupported, "XML is not read yet"))
}

/// A resource of which the JSON is at hand, as XML.
pub fn write(definitions: &'static Definitions, document: &Document) -> Result<String, Outcome> {
    let _ = (definitions, document);
    Err(Outcome::new(IssueType::NotSupported, "XML is not written yet"))
}
