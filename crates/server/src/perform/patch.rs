//! JSON Patches as clients of a dialect send them.

use fhir::json::{Document, Kind};
use fhir::{IssueType, Outcome};
use search::Dialect;

use super::Payload;

/// The array that a patch must be, <https://www.rfc-editor.org/rfc/rfc6902#section-3>: GP Connect sends one operation without it. What
/// else is wrong with the body is left for [`fhir::json::JsonPatch::parse`] to say.
pub(super) fn as_array(dialect: Dialect, payload: Payload) -> Result<Payload, Outcome> {
    let (Dialect::Nhs, Payload::Bytes(bytes)) = (dialect, &payload) else { return Ok(payload) };
    let document = match Document::parse(bytes) {
        Ok(document) if document.root().kind() == Kind::Object => document,
        _ => return Ok(payload),
    };
    if document.root().get("resourceType").is_some() {
        return Err(Outcome::new(IssueType::MediaType, PARTIAL));
    }
    Ok(Payload::Bytes([b"[", bytes.as_ref(), b"]"].concat().into()))
}

/// Why part of a resource, as BaRS sends it, is no patch.
pub(crate) const PARTIAL: &str = "a PATCH with part of a resource is not served: send the changes as application/json-patch+json, or the whole resource with PUT";
