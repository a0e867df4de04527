//! Resources as XML, <https://hl7.org/fhir/R4/xml.html>, equal in meaning to their JSON.
//!
//! Nothing is ever fetched or expanded: a document type, and with it every entity of its own, is refused. What is read and
//! written is bounded by the text itself and by [`json::DEPTH_MAX`](crate::json::DEPTH_MAX).

pub(crate) mod escape;
mod narrative;
mod read;
pub(crate) mod scan;
mod write;

pub use read::parse;
pub(crate) use scan::{Scanner, Token};
pub use write::{write, write_pretty};

/// The namespace of FHIR's elements.
pub(crate) const FHIR: &str = "http://hl7.org/fhir";
/// The namespace of narrative.
pub(crate) const XHTML: &str = "http://www.w3.org/1999/xhtml";
/// The namespace of `schemaLocation`, which is the one foreign attribute a resource may have.
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

#[cfg(test)]
mod tests;
