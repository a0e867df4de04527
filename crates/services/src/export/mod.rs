//! `$export`: all that a caller may see as files of NDJSON, <https://hl7.org/fhir/uv/bulkdata/STU2/export.html>.
//!
//! Invariants:
//! - Nothing is exported before it is downloaded. A job is one stored value: what was asked for, and where each file begins and ends. A file is
//!   searched when it is fetched, with what the caller may see at that moment, and accounted for then.
//! - Files are ranges of ids of a type: whatever is written meanwhile, nothing is in two of them, and nothing between them.
//! - A job is its caller's. For everybody else there is none.
//! - Each request does a bounded piece: a status request looks on where the one before it ended.

mod asked;
mod file;
mod job;
mod operation;
mod status;

pub(crate) use operation::{Export, GroupExport, PatientExport};
pub(crate) use status::ExportStatus;
