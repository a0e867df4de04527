//! Consents as services write them: sharing by proxy, and the national data opt-out. What they mean for access is the repository's.
//!
//! Invariants:
//! - Nobody has two live proxy consents for one patient.
//! - A patient has one consent for each policy and purpose of an opt-out; it changes, and is not written again.

mod agreement;
mod opt_out;
mod patient;
mod proxy;
mod refusal;
mod unique;

pub(crate) use opt_out::OptOut;
pub(crate) use patient::OfPatient;
pub(crate) use proxy::Proxy;

#[cfg(test)]
mod tests;
