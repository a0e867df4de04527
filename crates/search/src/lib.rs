//! FHIR search as pure functions, <https://hl7.org/fhir/R4/search.html>: a resource becomes index rows, a query string becomes a plan.
//!
//! Invariants:
//! - No I/O: nothing here reads a store; chains and `_has` are returned as [`Criterion`]s for the repository to run.
//! - The meaning of a parameter, prefix or modifier is written once, in `parameter/<type>.rs`, rows and filters side by side.
//! - Index numbers never change their meaning: they are hashes of type and parameter code.

mod addition;
mod named;
mod nhs_number;
mod query;
mod query_string;
mod registry;

mod extract;
mod parameter;
mod row;
mod shape;

mod asked;
mod canonical;
mod chain;
mod compartment;
mod compile;
mod conjunction;
mod contained;
mod dates;
mod dialect;
mod escape;
mod everything;
mod filter_expression;
mod free_slots;
mod include;
mod list;
mod refusal;
mod result;
mod rules;
mod sort;
mod terms;
mod text;
mod union;

#[cfg(test)]
mod testing;

pub use addition::{Addition, Progress};
pub use asked::Asked;
pub use chain::CHAINS_MAX;
pub use contained::ContainedResource;
pub use dates::dates;
pub use dialect::Dialect;
pub use everything::{Everything, Whose};
pub use named::{Name, Named};
pub use nhs_number::{NHS_NUMBER, is_nhs_number};
pub use parameter::VALUES_MAX;
pub use query::{Compartment, Contained, Criterion, Handling, Include, Query, Scope, Summary, Total};
pub use query_string::{parse_query_string, query_string, token};
pub use registry::{Added, Parameter, Registry, Rows};
pub use row::ROWS_FORMAT;
pub use rules::Span;
pub use terms::{TERMS_CODES_MAX, Terms};
