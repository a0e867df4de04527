//! From a differential to a snapshot, <https://hl7.org/fhir/R4/profiling.html#snapshot>.

use crate::json::Document;
use crate::library::Library;
use crate::{IssueType, Outcome};

/// The StructureDefinition with a snapshot made from its base and its differential; a snapshot that it brings is replaced.
pub fn snapshot(library: &dyn Library, definition: &Document) -> Result<Document, Outcome> {
    let _ = (library, definition);
    Err(Outcome::new(IssueType::NotSupported, "snapshots are not made yet"))
}
