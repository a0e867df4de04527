//! Code systems and value sets as pure functions, <https://hl7.org/fhir/R4/terminology-module.html>: what codes a value set has, and
//! which codes stand below and above another.
//!
//! Invariants:
//! - No I/O: definitions come from a [`Source`]. What is always there ([`Published`](crate::published::Published)) is one.
//! - A value set is compiled once ([`Members`]) and then asked: whether it has a code ([`Members::check`]), its codes for a search
//!   ([`expand`]) or for people ([`Members::expansion`]).
//! - What is not known is said: it is neither a member nor none ([`Membership::Unknown`]), and it is refused where codes are listed.
//! - Everything is bounded: [`CODES_MAX`], [`LISTED_MAX`], [`VALUE_SETS_MAX`], [`PARTS_MAX`], [`NESTING_MAX`]. What would be cut is refused.

mod canonical;
mod code_system;
mod concept_map;
mod expansion;
mod implicit;
mod lookup;
mod members;
mod membership;
mod published;
mod special;
mod value_set;

use std::sync::Arc;

pub use canonical::Canonical;
pub use code_system::{Builder, CodeSystem, Concept, Content, Declared, Designation, Header, PropertyValue};
pub use concept_map::{ConceptMap, Dependency, Equivalence, Match, Translation, TranslationRequest, translate};
pub use expansion::{
    CODES_MAX, Codes, Contained, Expansion, ExpansionRequest, LISTED_MAX, PAGE_MAX, Parameter, expand,
};
pub use implicit::implicit;
pub use lookup::{Found, Subsumption, ancestors, descendants, lookup, subsumes, subsumption};
pub use members::{Members, Versions};
pub use membership::{Coded, Membership, check_any, code_in_system, member};
pub use value_set::{Filter, Include, Listed, ListedDesignation, Operator, ValueSet};

use membership::wrong_display;

use crate::{IssueType, Outcome};

/// How deep value sets may be built of one another.
pub const NESTING_MAX: usize = 16;

/// How many value sets may take part in one.
pub const VALUE_SETS_MAX: usize = 200;

/// How many includes and excludes a value set may have, runs of codes of one system in an expansion among them: a code is looked for in each.
pub const PARTS_MAX: usize = 2000;

/// Where definitions are found. Without a version, the latest.
pub trait Source {
    /// The code system of this canonical url.
    fn code_system(&self, canonical: Canonical<'_>) -> Result<Option<Arc<CodeSystem>>, Outcome>;

    /// The value set of this canonical url, or the one that a reference names.
    fn value_set(&self, canonical: Canonical<'_>) -> Result<Option<Arc<ValueSet>>, Outcome>;

    /// The members of a value set; one that is not known is refused. A source that is asked often keeps them.
    fn members(&self, value_set: Canonical<'_>) -> Result<Arc<Members>, Outcome> {
        Members::compile(self, value_set).map(Arc::new)
    }

    /// The concept map of this canonical url; a source may have none.
    fn concept_map(&self, canonical: Canonical<'_>) -> Result<Option<Arc<ConceptMap>>, Outcome> {
        let _ = canonical;
        Ok(None)
    }
}

fn unknown_code(system: &str, code: &str) -> Outcome {
    Outcome::new(IssueType::NotFound, format!("the code system `{system}` has no code `{code}`"))
}

#[cfg(test)]
mod tests;
