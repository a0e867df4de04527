//! Concept maps, <https://hl7.org/fhir/R4/conceptmap.html>: from the codes of one system to those of another.

mod read;
mod translate;

use rustc_hash::FxHashMap;

pub use translate::{Match, Translation, TranslationRequest, translate};

/// A concept map as it is defined.
#[derive(Clone, Debug, Default)]
pub struct ConceptMap {
    /// Its canonical url, without version.
    pub url: String,
    /// Its version.
    pub version: Option<String>,
    /// The value set of the codes that it maps.
    pub source: Option<String>,
    /// The value set of the codes that it maps to.
    pub target: Option<String>,
    groups: Vec<Group>,
}

/// What is mapped from one system to another.
#[derive(Clone, Debug, Default)]
struct Group {
    source: Option<String>,
    source_version: Option<String>,
    target: Option<String>,
    target_version: Option<String>,
    elements: Vec<Element>,
    /// The elements of each code.
    by_source: FxHashMap<String, Vec<u32>>,
    /// The elements that each code is a target of.
    by_target: FxHashMap<String, Vec<u32>>,
    unmapped: Option<Unmapped>,
}

#[derive(Clone, Debug, Default)]
struct Element {
    code: String,
    display: Option<String>,
    targets: Vec<Target>,
}

#[derive(Clone, Debug)]
struct Target {
    code: Option<String>,
    display: Option<String>,
    equivalence: Equivalence,
    comment: Option<String>,
    depends_on: Vec<Dependency>,
    products: Vec<Dependency>,
}

/// A value of another element that a mapping asks for, or gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dependency {
    /// The element or property.
    pub property: String,
    /// The system of the value, if it is a code.
    pub system: Option<String>,
    /// The code, or the text.
    pub value: String,
    /// The text of the code.
    pub display: Option<String>,
}

/// What becomes of codes that a group does not have.
#[derive(Clone, Debug)]
enum Unmapped {
    Provided,
    Fixed { code: String, display: Option<String> },
    OtherMap(String),
}

/// How the code that is mapped to stands to the one that is mapped, <https://hl7.org/fhir/R4/valueset-concept-map-equivalence.html>.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of R4")]
pub enum Equivalence {
    RelatedTo,
    Equivalent,
    Equal,
    Wider,
    Subsumes,
    Narrower,
    Specializes,
    Inexact,
    Unmatched,
    Disjoint,
}

impl Equivalence {
    const ALL: [(&str, Equivalence); 10] = [
        ("relatedto", Equivalence::RelatedTo),
        ("equivalent", Equivalence::Equivalent),
        ("equal", Equivalence::Equal),
        ("wider", Equivalence::Wider),
        ("subsumes", Equivalence::Subsumes),
        ("narrower", Equivalence::Narrower),
        ("specializes", Equivalence::Specializes),
        ("inexact", Equivalence::Inexact),
        ("unmatched", Equivalence::Unmatched),
        ("disjoint", Equivalence::Disjoint),
    ];

    /// R4's code.
    pub fn code(self) -> &'static str {
        Equivalence::ALL[self as usize].0
    }

    fn parse(code: &str) -> Option<Equivalence> {
        Equivalence::ALL.iter().find(|(known, _)| *known == code).map(|(_, equivalence)| *equivalence)
    }

    /// How the code that is mapped stands to the one that it is mapped to.
    fn reversed(self) -> Equivalence {
        match self {
            Equivalence::Wider => Equivalence::Narrower,
            Equivalence::Narrower => Equivalence::Wider,
            Equivalence::Subsumes => Equivalence::Specializes,
            Equivalence::Specializes => Equivalence::Subsumes,
            same => same,
        }
    }

    /// Whether there is a translation at all.
    fn is_match(self) -> bool {
        !matches!(self, Equivalence::Unmatched | Equivalence::Disjoint)
    }
}

#[cfg(test)]
mod tests;
