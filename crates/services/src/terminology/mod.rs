//! Terminology operations, <https://hl7.org/fhir/R4/terminology-service.html>: one file each.
//!
//! Invariants:
//! - Definitions that come with a call hold for that call, and go nowhere else.
//! - What is not known here is asked of the terminology server elsewhere, if there is one; else it is refused, never guessed.

mod answer;
mod code;
mod elsewhere;
mod expand;
mod lookup;
mod subsumes;
mod terms;
mod translate;
mod validate_code;

pub use expand::EXPANSION_INPUTS;
pub(crate) use expand::Expand;
pub(crate) use lookup::Lookup;
pub(crate) use subsumes::Subsumes;
pub(crate) use translate::Translate;
pub(crate) use validate_code::{ValidateInCodeSystem, ValidateInValueSet};

/// Why `date` is refused.
const DATE_REFUSED: &str = "definitions are applied as they are now, not as they were at a time";
