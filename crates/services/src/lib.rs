//! What patients come for: the rules of the services, and operations.

mod appointments;
mod fhirpath;
mod inputs;
mod operation;
pub mod packages;
mod search_parameters;
mod sharing;
mod snapshot;
mod terminology;
mod validate;

pub use operation::{Invocation, Operation, Sent, Subject};
pub use terminology::EXPANSION_INPUTS;

use repository::Rule;

/// Every rule, in the order they apply.
pub static RULES: &[&'static dyn Rule] =
    &[&appointments::ClaimedSlot, &appointments::Booking, &sharing::OfPatient, &sharing::Proxy, &sharing::OptOut];

/// Every operation.
pub static OPERATIONS: &[&'static dyn Operation] = &[
    &search_parameters::SearchParameters,
    &validate::Validate,
    &sharing::BreakGlass,
    &packages::PackageAdd,
    &packages::PackageList,
    &packages::PackageRemove,
    &terminology::Expand,
    &fhirpath::FhirPath,
    &snapshot::Snapshot,
    &terminology::Lookup,
    &terminology::Subsumes,
    &terminology::Translate,
    &terminology::ValidateInCodeSystem,
    &terminology::ValidateInValueSet,
];
