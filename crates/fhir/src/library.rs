//! What validation, FHIRPath and terminology look up outside the resource at hand: one door to profiles, value sets and other resources.

use std::sync::Arc;

use crate::Outcome;
use crate::json::Document;
use crate::profile::Profile;
use crate::terminology::{Canonical, Coded, Membership, Source};

/// Definitions and resources by their names. Implementations cache: the same question is asked for every resource of an import.
pub trait Library: Source + Sync {
    /// The StructureDefinition of this canonical url, as it was published; without a version, the latest.
    fn structure_definition(&self, canonical: Canonical<'_>) -> Result<Option<Arc<Document>>, Outcome>;

    /// The same, compiled for validation. `None` when it is not known here; an error when it is known and cannot be used.
    fn profile(&self, canonical: Canonical<'_>) -> Result<Option<Arc<Profile>>, Outcome>;

    /// The Questionnaire of this canonical url.
    fn questionnaire(&self, canonical: Canonical<'_>) -> Result<Option<Arc<Document>>, Outcome>;

    /// Whether a code is in a value set.
    fn member(&self, value_set: Canonical<'_>, coded: &Coded<'_>) -> Membership;

    /// The resource that a literal reference names (`Patient/ann`, or an absolute URL of this server), if it is at hand.
    fn resource(&self, reference: &str) -> Option<Arc<Document>>;
}
