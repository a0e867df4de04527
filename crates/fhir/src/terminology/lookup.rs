//! One code of a code system, and how two stand to each other, <https://hl7.org/fhir/R4/codesystem-operations.html>.

use std::sync::Arc;

use super::{CODES_MAX, Canonical, CodeSystem, Concept, Source, special, unknown_code};
use crate::{IssueType, Outcome};

/// A concept that was looked up.
#[derive(Clone, Debug)]
pub struct Found {
    system: Arc<CodeSystem>,
    at: u32,
}

/// How a code A stands to a code B, <https://hl7.org/fhir/R4/valueset-concept-subsumption-outcome.html>.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of R4")]
pub enum Subsumption {
    Equivalent,
    Subsumes,
    SubsumedBy,
    NotSubsumed,
}

impl Found {
    /// The concept.
    pub fn concept(&self) -> Option<Concept<'_>> {
        self.system.concept(self.at)
    }

    /// Its code system; one made for it when its codes follow a rule.
    pub fn system(&self) -> &CodeSystem {
        &self.system
    }
}

impl Subsumption {
    /// R4's code.
    pub fn code(self) -> &'static str {
        match self {
            Subsumption::Equivalent => "equivalent",
            Subsumption::Subsumes => "subsumes",
            Subsumption::SubsumedBy => "subsumed-by",
            Subsumption::NotSubsumed => "not-subsumed",
        }
    }
}

/// Looks a code up; unknown systems and codes are refused.
pub fn lookup(source: &dyn Source, system: Canonical<'_>, code: &str) -> Result<Found, Outcome> {
    let known = known_system(source, system);
    let found = known.as_ref().ok().and_then(|known| Some(Found { at: known.position(code)?, system: known.clone() }));
    if let Some(found) =
        found.or_else(|| special::lookup(system, code).map(|system| Found { system: Arc::new(system), at: 0 }))
    {
        return Ok(found);
    }
    let known = known?;
    Err(match known.is_complete() {
        true => unknown_code(system.url, code),
        false => {
            let text =
                format!("the code system `{system}` is here in part only, and the code `{code}` is not in that part");
            Outcome::new(IssueType::NotFound, text)
        }
    })
}

/// How code `a` stands to code `b` of one system; unknown systems and codes are refused. It does not walk the hierarchy.
pub fn subsumption(source: &dyn Source, system: Canonical<'_>, a: &str, b: &str) -> Result<Subsumption, Outcome> {
    let known = known_system(source, system)?;
    let position = |code: &str| known.position(code).ok_or_else(|| unknown_code(system.url, code));
    let (a, b) = (position(a)?, position(b)?);
    Ok(if a == b {
        Subsumption::Equivalent
    } else if known.is_below(b, a) {
        Subsumption::Subsumes
    } else if known.is_below(a, b) {
        Subsumption::SubsumedBy
    } else {
        Subsumption::NotSubsumed
    })
}

/// Whether `above` is `below` or stands above it; unknown systems and codes are refused.
pub fn subsumes(source: &dyn Source, system: &str, above: &str, below: &str) -> Result<bool, Outcome> {
    let relation = subsumption(source, Canonical::parse(system), above, below)?;
    Ok(matches!(relation, Subsumption::Equivalent | Subsumption::Subsumes))
}

/// The code and all below it; unknown systems and codes are refused, and more than [`CODES_MAX`] codes.
pub fn descendants(source: &dyn Source, system: &str, code: &str) -> Result<Vec<String>, Outcome> {
    related(source, system, code, CodeSystem::descendants)
}

/// The code and all above it; unknown systems and codes are refused.
pub fn ancestors(source: &dyn Source, system: &str, code: &str) -> Result<Vec<String>, Outcome> {
    related(source, system, code, CodeSystem::ancestors)
}

fn related(
    source: &dyn Source,
    system: &str,
    code: &str,
    others: impl Fn(&CodeSystem, u32) -> Vec<u32>,
) -> Result<Vec<String>, Outcome> {
    let known = known_system(source, Canonical::parse(system))?;
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

fn known_system(source: &dyn Source, system: Canonical<'_>) -> Result<Arc<CodeSystem>, Outcome> {
    let found = source.code_system(system)?.filter(|found| found.count() > 0);
    found.or_else(|| special::code_system(system)).ok_or_else(|| {
        Outcome::new(
            IssueType::NotFound,
            format!("the code system `{system}` is not known here; load it as a CodeSystem"),
        )
    })
}
