//! Consent as a filter: what patients decided about their records becomes a condition on index rows, so that every path by which a datum
//! leaves shows the same, and counts and pages are right. <https://hl7.org/fhir/R4/consent.html>, <https://profiles.ihe.net/ITI/PCF/>.
//!
//! A [`Book`] holds the policies of all patients, [`Policies::restrictions`] compiles what they mean for one [`crate::Requester`], and
//! [`Restrictions::filter`] gives the filter for a resource type. The steps are pure but for the book's look into the store.

mod book;
mod data;
mod decision;
mod filters;
mod kind;
mod policies;
mod policy;
mod provision;
mod reading;
mod restrictions;
mod tables;

#[cfg(test)]
mod tests;

use fhir::Instant;
use store::Key;

pub(crate) use book::Book;
pub(crate) use book::begun_by;
pub(crate) use kind::{Kind, is_public};
pub(crate) use policies::Policies;
pub use policy::{PROVISION_DEPTH_MAX, PROVISIONS_MAX};
pub(crate) use restrictions::Restrictions;

/// How many active consents about access one patient may have: with more, which only imports bring, nobody sees anything of the patient but the
/// custodian, the patient, and in an emergency who declares it.
pub const POLICIES_MAX: usize = 200;

/// What is seen of a patient who has no consent for the requester, <https://profiles.ihe.net/ITI/PCF/volume-1.html>.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Implicit {
    /// Everything: PCF's `Policy-all-normal`.
    #[default]
    Permit,
    /// What is labeled neither restricted nor sensitive: `Policy-basic-normal`.
    PermitNormal,
    /// Nothing but in an emergency: `Policy-break-glass-only`.
    BreakGlassOnly,
    /// Nothing: `Policy-deny`.
    Deny,
}

/// A declared emergency: it lifts what a patient denies to one user.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Elevation {
    /// Who declared it.
    pub(crate) user: Key,
    /// About whom.
    pub(crate) patient: Key,
    /// The first moment at which it is over.
    pub(crate) until: Instant,
}
