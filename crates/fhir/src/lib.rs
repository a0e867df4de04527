//! FHIR R4 (4.0.1) itself: its JSON without loss, its definitions as data, FHIRPath, and validation.
//!
//! Invariants:
//! - This crate uses no other crate of the workspace, does no I/O, and knows neither HTTP nor stores.
//! - A document is never rebuilt from a model: what came in goes out, to the last digit.
//! - Nothing here panics on any input; every refusal is an [`Outcome`] or a small error of its own.

pub mod collection;
pub mod definitions;
pub mod fhirpath;
pub mod json;
pub mod library;
pub mod narrative;
pub mod outcome;
pub mod patch;
pub mod place;
pub mod profile;
pub mod published;
pub mod reference;
pub mod terminology;
pub mod ucum;
pub mod validate;
pub mod xml;

mod datetime;
mod decimal;

pub use datetime::{CalendarUnit, DateTime, Instant, Precision, Time, is_date, is_datetime, is_instant, is_time};
pub use decimal::Decimal;
pub use definitions::Definitions;
pub use library::Library;
pub use outcome::{Issue, IssueType, Outcome, Severity};
pub use reference::Reference;
