//! Sharing: what patients decide about their records, and what overrides it. What consents mean for access is the repository's.
//!
//! Invariants:
//! - Nobody has two live proxy consents for one patient, as far as who writes them may know.
//! - A patient has one consent for each policy and purpose of an opt-out, as far as who writes it may know; it changes, and is not written again.
//! - A patient has no more active consents than are judged, and no app writes most of them.

mod agreement;
mod apps;
mod break_glass;
mod identity;
mod limit;
mod names;
mod opt_out;
mod patient;
mod proxy;
mod refusal;
mod unique;

pub(crate) use apps::Apps;
pub(crate) use break_glass::BreakGlass;
pub(crate) use identity::Identity;
pub(crate) use limit::Limit;
pub(crate) use names::Names;
pub(crate) use opt_out::OptOut;
pub(crate) use patient::{Kept, OfPatient};
pub(crate) use proxy::Proxy;

#[cfg(test)]
mod tests;
