//! The compiled form of a profile: a tree of what it demands of elements. What R4's own definitions demand is not repeated in it.

use std::sync::Arc;

use crate::definitions::Element;
use crate::fhirpath::Expression;
use crate::json::Document;

/// What a profile demands of an element's values, whatever their number.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    /// The types it may have, when not all those of its definition.
    pub(crate) types: Option<Vec<Box<str>>>,
    /// Profiles by type: a value of the type conforms to one of them.
    pub(crate) profiles: Vec<(Box<str>, Vec<Box<str>>)>,
    /// What a reference may lead to, when not all that its definition allows: one of these.
    pub(crate) targets: Vec<Target>,
    /// Exactly this value.
    pub(crate) fixed: Option<Arc<Document>>,
    /// At least what this value has.
    pub(crate) pattern: Option<Arc<Document>>,
    /// The most characters of a string.
    pub(crate) length_max: Option<u32>,
    /// `minValue` and `maxValue`.
    pub(crate) limits: Vec<Limit>,
    pub(crate) constraints: Vec<Constraint>,
    pub(crate) bindings: Vec<Binding>,
    pub(crate) children: Vec<Child>,
    /// How the values of this element are divided.
    pub(crate) slicing: Option<Slicing>,
    /// A content reference: the rules of another element hold here, at this place in [`super::Profile::contents`].
    pub(crate) content: Option<usize>,
}

/// An element of an element.
#[derive(Debug)]
pub(crate) struct Child {
    pub(crate) element: &'static Element,
    pub(crate) occurrence: Occurrence,
    pub(crate) rules: Arc<Rules>,
}

/// How often something stands, where the profile narrows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Occurrence {
    /// The smallest number; 0 when there is nothing to check.
    pub(crate) min: u32,
    /// The largest number; `None` when there is nothing to check.
    pub(crate) max: Option<u32>,
}

/// Where a reference leads to.
#[derive(Debug)]
pub(crate) enum Target {
    /// A resource of this type, or of one that specializes it.
    Type(&'static str),
    /// A resource that conforms to this profile.
    Profile(Box<str>),
}

/// `minValue` or `maxValue`.
#[derive(Debug)]
pub(crate) struct Limit {
    pub(crate) expression: Expression,
    /// In words: `at least 3`.
    pub(crate) human: String,
}

/// An invariant of the profile, <https://hl7.org/fhir/R4/conformance-rules.html#constraints>.
#[derive(Debug)]
pub(crate) struct Constraint {
    pub(crate) key: Box<str>,
    pub(crate) human: Box<str>,
    pub(crate) is_error: bool,
    pub(crate) is_best_practice: bool,
    /// Compiled, or why it cannot be.
    pub(crate) expression: Result<Expression, String>,
}

/// A binding to a value set.
#[derive(Debug)]
pub(crate) struct Binding {
    /// A canonical, with version if the profile names one.
    pub(crate) value_set: Box<str>,
    pub(crate) strength: Strength,
    /// True when the type's own definition has it already.
    pub(crate) is_inherited: bool,
}

/// How much a binding binds, <https://hl7.org/fhir/R4/terminologies.html#strength>; examples bind nothing and are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strength {
    Required,
    Extensible,
    Preferred,
}

/// How the values of an element are divided, <https://hl7.org/fhir/R4/profiling.html#slicing>.
#[derive(Debug)]
pub(crate) struct Slicing {
    pub(crate) is_ordered: bool,
    pub(crate) openness: Openness,
    pub(crate) slices: Vec<Slice>,
    /// What holds for values in no slice: the slice `@default`.
    pub(crate) default: Option<Arc<Rules>>,
}

/// Whether values may stand in no slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Openness {
    Open,
    /// Only after those in slices.
    OpenAtEnd,
    Closed,
}

#[derive(Debug)]
pub(crate) struct Slice {
    pub(crate) name: Box<str>,
    pub(crate) occurrence: Occurrence,
    /// A value is in the slice when all of these say so.
    pub(crate) tests: Vec<Test>,
    pub(crate) rules: Arc<Rules>,
}

/// What a discriminator looks at and what must be there.
#[derive(Debug)]
pub(crate) struct Test {
    pub(crate) path: Vec<Step>,
    pub(crate) demand: Demand,
}

/// One step of a discriminator's path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Member(Box<str>),
    /// `extension('url')`.
    Extension(Box<str>),
    /// `resolve()`.
    Resolve,
    /// `ofType(name)`.
    OfType(Box<str>),
}

/// What one of the values at the end of a discriminator's path must be.
#[derive(Debug)]
pub(crate) enum Demand {
    Fixed(Arc<Document>),
    Pattern(Arc<Document>),
    /// In this value set.
    Member(Box<str>),
    /// There, or not there.
    Exists(bool),
    /// Of one of these types.
    Types(Vec<Box<str>>),
    /// Conforming to one of these profiles.
    Profiles(Vec<Box<str>>),
    /// Meeting rules of this profile.
    Rules(Arc<Rules>),
}

impl Rules {
    /// True when there is nothing to check.
    pub(crate) fn is_empty(&self) -> bool {
        let Rules { types, profiles, targets, fixed, pattern, length_max, limits, .. } = self;
        let Rules { constraints, bindings, children, slicing, content, .. } = self;
        (types.is_none() && fixed.is_none() && pattern.is_none() && length_max.is_none())
            && (profiles.is_empty() && targets.is_empty() && limits.is_empty() && constraints.is_empty())
            && (bindings.is_empty() && children.is_empty() && slicing.is_none() && content.is_none())
    }
}

impl Occurrence {
    /// True when any number will do.
    pub(crate) fn is_free(self) -> bool {
        self == Occurrence::default()
    }
}
