//! The codes of a value set, <https://hl7.org/fhir/R4/valueset.html#expansion>: for a search, and for people to choose from.

mod codes;
mod request;

pub use codes::{CODES_MAX, Codes, expand};
pub use request::{Contained, Expansion, ExpansionRequest, LISTED_MAX, PAGE_MAX, Parameter};
