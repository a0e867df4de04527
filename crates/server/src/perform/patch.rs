//! What a PATCH carries: JSON Patch, XML Patch, or FHIRPath Patch as Parameters, <https://hl7.org/fhir/R4/http.html#patch>.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fhir::json::{Document, Kind, Node};
use fhir::patch::{JsonPatch, Patch, PathPatch, XmlPatch};
use fhir::{IssueType, Outcome};
use search::Dialect;

use super::Payload;
use crate::interaction::Expected;
use crate::media::{Media, media};

/// Why part of a resource, as BaRS sends it, is no patch.
const PARTIAL: &str = "a PATCH with part of a resource is not served: send the changes as application/json-patch+json, \
                       application/xml-patch+xml or Parameters, or the whole resource with PUT";

/// The patch that a call carries.
pub(super) fn patch(payload: Payload) -> Result<Patch, Outcome> {
    match payload {
        Payload::Body { bytes, media } => of_bytes(&bytes, media),
        Payload::Document(document) => of_entry(&document),
        Payload::Nothing => Err(Outcome::new(IssueType::BadRequest, "there is no patch where one must be sent")),
    }
}

fn of_bytes(bytes: &[u8], media: Media) -> Result<Patch, Outcome> {
    match media {
        Media::JsonPatch => Ok(Patch::Json(JsonPatch::parse(bytes)?)),
        Media::XmlPatch => Ok(Patch::Xml(XmlPatch::parse(bytes)?)),
        Media::Resource(format) => {
            let document = format.read(bytes)?;
            match document.root().resource_type() {
                Some("Parameters") => Ok(Patch::Path(PathPatch::parse(&document)?)),
                _ => Err(Outcome::new(IssueType::MediaType, PARTIAL)),
            }
        }
        Media::Form | Media::Raw => Err(Outcome::new(IssueType::MediaType, "a form is no patch")),
    }
}

/// The patch that is the resource of a Bundle entry: Parameters, or a Binary that holds a patch of another kind.
fn of_entry(document: &Document) -> Result<Patch, Outcome> {
    let root = document.root();
    match root.resource_type() {
        Some("Parameters") => return Ok(Patch::Path(PathPatch::parse(document)?)),
        Some("Binary") => {}
        other => {
            let found = other.unwrap_or("none");
            let text =
                format!("PATCH in a Bundle takes Parameters or a Binary with a patch, found resourceType `{found}`");
            return Err(Outcome::new(IssueType::NotSupported, text).at(found));
        }
    }
    let text = |name: &str| root.get(name).and_then(Node::as_str).unwrap_or_default();
    let media = media(&text("contentType"), Expected::Patch).map_err(|outcome| outcome.at("Binary.contentType"))?;
    let data = STANDARD
        .decode(&*text("data"))
        .map_err(|_| Outcome::new(IssueType::Value, "the data is not base64").at("Binary.data"))?;
    of_bytes(&data, media)
}

/// The array that a JSON Patch must be, <https://www.rfc-editor.org/rfc/rfc6902#section-3>: GP Connect sends one operation without it.
/// What else is wrong with the body is left for [`JsonPatch::parse`] to say.
pub(super) fn as_array(dialect: Dialect, payload: Payload) -> Result<Payload, Outcome> {
    let (Dialect::Nhs, Payload::Body { bytes, media: Media::JsonPatch }) = (dialect, &payload) else {
        return Ok(payload);
    };
    let document = match Document::parse(bytes) {
        Ok(document) if document.root().kind() == Kind::Object => document,
        _ => return Ok(payload),
    };
    if document.root().get("resourceType").is_some() {
        return Err(Outcome::new(IssueType::MediaType, PARTIAL));
    }
    Ok(Payload::Body { bytes: [b"[", bytes.as_ref(), b"]"].concat().into(), media: Media::JsonPatch })
}
