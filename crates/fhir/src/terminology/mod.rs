//! Code systems and value sets as pure functions, <https://hl7.org/fhir/R4/terminology-module.html>: what codes a value set has, and
//! which codes stand below and above another.
//!
//! Invariants:
//! - No I/O: definitions come from a [`Source`]. R4's own definitions are one, for the value sets of required bindings that are
//!   enumerated; code systems, other value sets and hierarchies are not among them and must be in a store.
//! - Everything is bounded: [`CODES_MAX`], [`VALUE_SETS_MAX`], [`NESTING_MAX`]. What would be cut is refused.

mod canonical;
mod code_system;
mod expansion;
mod implicit;
mod membership;
mod published;
mod value_set;

use std::sync::Arc;

pub use canonical::Canonical;
pub use code_system::{Builder, CodeSystem, Concept, Content, Declared, Designation, Header, PropertyValue};
pub use expansion::{CODES_MAX, Codes, NESTING_MAX, VALUE_SETS_MAX, expand};
pub use implicit::implicit;
pub use membership::{Coded, Membership, member};
pub use value_set::{Filter, Include, Operator, ValueSet};

use crate::{IssueType, Outcome};

/// Where definitions are found. Without a version, the latest.
pub trait Source {
    /// The code system of this canonical url.
    fn code_system(&self, canonical: Canonical<'_>) -> Result<Option<Arc<CodeSystem>>, Outcome>;

    /// The value set of this canonical url, or the one that a reference names.
    fn value_set(&self, canonical: Canonical<'_>) -> Result<Option<Arc<ValueSet>>, Outcome>;
}

/// The code and all below it; unknown systems and codes are refused.
pub fn descendants(source: &dyn Source, system: &str, code: &str) -> Result<Vec<String>, Outcome> {
    related(source, system, code, CodeSystem::descendants)
}

/// The code and all above it; unknown systems and codes are refused.
pub fn ancestors(source: &dyn Source, system: &str, code: &str) -> Result<Vec<String>, Outcome> {
    related(source, system, code, CodeSystem::ancestors)
}

/// Whether `above` is `below` or stands above it; unknown systems and codes are refused.
pub fn subsumes(source: &dyn Source, system: &str, above: &str, below: &str) -> Result<bool, Outcome> {
    let known = known_system(source, system)?;
    let at = known.position(above).ok_or_else(|| unknown_code(system, above))?;
    let below = known.position(below).ok_or_else(|| unknown_code(system, below))?;
    Ok(at == below || known.is_below(below, at))
}

fn related(
    source: &dyn Source,
    system: &str,
    code: &str,
    others: impl Fn(&CodeSystem, u32) -> Vec<u32>,
) -> Result<Vec<String>, Outcome> {
    let known = known_system(source, system)?;
    let at = known.position(code).ok_or_else(|| unknown_code(system, code))?;
    let found = others(&known, at);
    match found.len() < CODES_MAX {
        true => {
            let codes = [at].into_iter().chain(found).filter_map(|at| known.concept(at));
            Ok(codes.map(|concept| concept.code().to_owned()).collect())
        }
        false => Err(Outcome::new(
            IssueType::TooCostly,
            format!("code `{code}` of `{system}` has more than {CODES_MAX} relatives"),
        )),
    }
}

fn known_system(source: &dyn Source, system: &str) -> Result<Arc<CodeSystem>, Outcome> {
    source.code_system(Canonical::parse(system))?.ok_or_else(|| {
        Outcome::new(
            IssueType::NotFound,
            format!("the code system `{system}` is not known here; load it as a CodeSystem"),
        )
    })
}

fn unknown_code(system: &str, code: &str) -> Outcome {
    Outcome::new(IssueType::NotFound, format!("the code system `{system}` has no code `{code}`"))
}

#[cfg(test)]
mod tests;
