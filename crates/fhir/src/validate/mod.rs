//! Structural validation of a resource against the definitions, on every write: <https://hl7.org/fhir/R4/validation.html>.
//!
//! One walk over the document, guided by the definitions. On the way nothing is built: a path becomes text only for an issue.

mod binding;
mod contained;
mod invariant;
mod issues;
mod members;
mod nearest;
mod path;
mod primitive;
mod profile;
mod questionnaire;
mod reference;
mod resource;

#[cfg(test)]
mod tests;

use crate::definitions::Structure;
use crate::json::{Document, Node};
use crate::outcome::{Issue, Severity};
use crate::terminology::Canonical;
use crate::{Definitions, Library};

pub use primitive::STRING_LENGTH_MAX;

/// How many issues one validation lists; the last one then says that there are more.
pub const ISSUES_MAX: usize = 100;

/// Everything wrong with `document` as an R4 resource: unknown elements, types, cardinality, primitive formats, choice types,
/// required bindings, references' format and target type, invariants. Errors refuse a write, warnings do not. Empty when all is well.
/// At most [`ISSUES_MAX`] issues are listed.
///
/// Each issue names its element in `expression`: `Patient.name[1].given[0]`, `Bundle.entry[3].resource.birthDate`. Best practice
/// (dom-6: a resource should have narrative) is not answered, and an invariant that cannot be evaluated is not the sender's fault.
pub fn validate(definitions: &'static Definitions, document: &Document) -> Vec<Issue> {
    resource::validate(definitions, document.root()).finish()
}

/// The same of a value of a data type that stands by itself; paths begin with the name of the type.
pub fn validate_value(definitions: &'static Definitions, data_type: &'static Structure, node: Node<'_>) -> Vec<Issue> {
    resource::validate_value(definitions, data_type, node).finish()
}

/// What is wrong with a text as a value of a primitive type, as it stands in a query; `None` when nothing is.
pub fn text_fault(primitive: &Structure, text: &str) -> Option<String> {
    primitive::text_fault(primitive.name, text).map(|fault| fault.message)
}

/// Validation with all that it may look up.
#[derive(Clone, Copy)]
pub struct Validator<'a> {
    /// The structures of R4.
    pub definitions: &'static Definitions,
    /// Profiles, value sets, questionnaires, and the targets of references.
    pub library: &'a dyn Library,
    /// How much is looked at.
    pub depth: Depth,
    /// How bad it is that a profile is not known here.
    pub unknown_profile: Severity,
    /// `now()` in expressions.
    pub now: crate::Instant,
}

/// How much a validation looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// What decides whether a write is accepted: structure, invariants, required bindings, and all that the profiles demand.
    Write,
    /// Everything that can be said: bindings of every strength, displays, targets of references.
    Full,
}

impl Validator<'_> {
    /// What [`validate`] says, and what the profiles demand that the resource names in `meta.profile` or that are `asked` for.
    pub fn validate(&self, document: &Document, asked: &[Canonical<'_>]) -> Vec<Issue> {
        let issues = resource::validate(self.definitions, document.root());
        profile::validate(self, document.root(), asked, issues)
    }
}
