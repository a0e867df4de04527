//! FHIRPath (<http://hl7.org/fhirpath/N1/>) over the JSON without copying it: parsed and compiled once, evaluated many times.

mod check;
mod compare;
mod evaluate;
mod expression;
mod functions;
mod item;
mod lexer;
mod locate;
mod navigate;
mod operators;
mod outlook;
mod parser;
mod pattern;
mod quantity;
mod reflection;
mod targets;
mod types;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use smallvec::SmallVec;

pub use check::{Checked, Problem};
pub use targets::Targets;

use self::evaluate::Evaluation;
use crate::definitions::{Definitions, Structure};
use crate::json::Node;
use crate::{DateTime, Decimal, Time};

/// A compiled expression. `Send + Sync`; make it once and keep it.
#[derive(Debug)]
pub struct Expression(expression::Expr);

/// An element of a resource as FHIRPath sees it: its value, the `_name` sibling that holds a primitive's id and extensions, and its type.
#[derive(Clone, Copy)]
pub struct ElementNode<'a> {
    /// The value; absent when a primitive has only extensions.
    pub value: Option<Node<'a>>,
    /// The `_name` object of a primitive, if there is one.
    pub sibling: Option<Node<'a>>,
    /// The FHIR type: `Patient`, `HumanName`, `code`, `Patient.contact`.
    pub structure: &'static Structure,
    /// The element's definition where it is known (`None` for a resource root): gives reference targets, path, bindings.
    pub element: Option<&'static crate::definitions::Element>,
}

/// One item of a collection.
///
/// The target of a reference that is not at hand is an [`Item::Element`] without value and sibling: only its type is known, from the
/// reference's text or `Reference.type`. So `resolve() is Patient` works without a [`Resolver`]; members of such an item are empty.
#[derive(Clone)]
pub enum Item<'a> {
    Element(ElementNode<'a>),
    Boolean(bool),
    Integer(i64),
    Decimal(Decimal),
    String(Cow<'a, str>),
    Date(DateTime),
    DateTime(DateTime),
    Time(Time),
    /// A value and its unit: a UCUM code, or a calendar word in the singular (`month`).
    Quantity(Decimal, Cow<'a, str>),
    /// What `type()` gives: a namespace (`FHIR`, `System`) and a name.
    Type(&'static str, &'a str),
    /// What `type().element` gives: an element that the type has.
    TypeElement(&'static crate::definitions::Element),
}

/// What an expression evaluates to: items in order. Most results are one item, which needs no allocation.
pub type Collection<'a> = SmallVec<[Item<'a>; 1]>;

/// Why an expression is not FHIRPath; `at` is a byte offset into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    pub at: usize,
    pub message: String,
}

/// Why an evaluation failed (a singleton expected, a wrong type, a limit reached); `at` is a byte offset into the expression, where it
/// is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvaluationError {
    pub at: Option<usize>,
    pub message: String,
}

impl EvaluationError {
    fn new(message: impl Into<String>) -> EvaluationError {
        EvaluationError { at: None, message: message.into() }
    }

    /// Names the place, unless a place further inside is named already.
    fn within(mut self, at: u32) -> EvaluationError {
        self.at = self.at.or(Some(at as usize));
        self
    }
}

/// How much work is left for several evaluations that answer one question: at first about a second.
#[derive(Clone, Copy, Debug)]
pub struct Steps(u32);

impl Steps {
    /// So many, but no more than one evaluation may take.
    pub(crate) fn of(count: u64) -> Steps {
        Steps(u32::try_from(count).unwrap_or(u32::MAX).min(evaluate::STEPS_MAX))
    }

    /// How many are left.
    pub(crate) fn left(self) -> u64 {
        self.0.into()
    }
}

impl Default for Steps {
    fn default() -> Steps {
        Steps(evaluate::STEPS_MAX)
    }
}

/// What a `trace()` met on its way.
#[derive(Clone)]
pub struct Trace<'a> {
    pub name: Cow<'a, str>,
    pub items: Collection<'a>,
}

/// Finds the documents that an expression leads to, and keeps them for as long as its result. [`Targets`] is one over a library.
pub trait Resolver {
    /// The target of a reference for `resolve()`, when it is at hand. Contained and same-Bundle targets are found without asking.
    fn resolve<'a>(&'a self, reference: &str) -> Option<Node<'a>>;

    /// Whether an evaluation fails where it needs a target that is not at hand. Otherwise such targets have no members, and those
    /// whose type is not known either are left out.
    fn needs_targets(&self) -> bool {
        false
    }

    /// The StructureDefinition of a canonical url, with its snapshot, for `elementDefinition()`.
    fn definition<'a>(&'a self, url: &str) -> Option<Node<'a>> {
        let _ = url;
        None
    }
}

/// What an evaluation stands in. Without a library, R4's own definitions answer. `%resource` is the nearest resource around the input, `%rootResource` the outermost.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    pub definitions: &'static Definitions,
    /// `%resource`.
    pub resource: ElementNode<'a>,
    /// `%rootResource`.
    pub root_resource: ElementNode<'a>,
    pub resolver: Option<&'a dyn Resolver>,
    /// For `memberOf()`, `conformsTo()` and other questions of definitions.
    pub library: Option<&'a dyn crate::Library>,
    /// Variables of the caller, by name without `%`.
    pub variables: &'a [(&'a str, Vec<Item<'a>>)],
    /// `now()` and `today()`.
    pub now: crate::Instant,
}

impl<'a> Context<'a> {
    /// The context of a resource that stands alone, or of none, with nothing else at hand.
    pub fn of(
        definitions: &'static Definitions,
        resource: Option<ElementNode<'a>>,
        now: crate::Instant,
    ) -> Context<'a> {
        let nothing = || {
            let structure = definitions.structure("Resource").expect("R4 defines Resource");
            ElementNode { value: None, sibling: None, structure, element: None }
        };
        let resource = resource.unwrap_or_else(nothing);
        Context { definitions, resource, root_resource: resource, resolver: None, library: None, variables: &[], now }
    }
}

impl Expression {
    /// Parses and compiles an expression.
    pub fn parse(text: &str) -> Result<Expression, ParseError> {
        parser::parse(text).map(Expression)
    }

    /// Evaluates on one input item.
    pub fn evaluate<'a>(&'a self, context: &Context<'a>, input: Item<'a>) -> Result<Collection<'a>, EvaluationError> {
        Evaluation::new(*context, Some(input)).run(&self.0)
    }

    /// Evaluates on one input item or on none, and gives what its calls of `trace()` met too, also when it fails. The
    /// steps it takes are taken off `steps`.
    pub fn trace<'a>(
        &'a self,
        context: &Context<'a>,
        input: Option<Item<'a>>,
        steps: &mut Steps,
    ) -> (Result<Collection<'a>, EvaluationError>, Vec<Trace<'a>>) {
        let evaluation = Evaluation::traced(*context, input, steps);
        let result = evaluation.run(&self.0);
        *steps = evaluation.steps_left();
        (result, evaluation.into_traces())
    }

    /// Evaluates a constraint: true when the result is true or, as FHIR reads invariants, empty.
    pub fn holds<'a>(&'a self, context: &Context<'a>, input: Item<'a>) -> Result<bool, EvaluationError> {
        self.holds_within(context, input, &mut Steps::default())
    }

    /// The same; the steps it takes are taken off `steps`.
    pub(crate) fn holds_within<'a>(
        &'a self,
        context: &Context<'a>,
        input: Item<'a>,
        steps: &mut Steps,
    ) -> Result<bool, EvaluationError> {
        let evaluation = Evaluation::within(*context, Some(input), steps);
        let held = evaluation.run_truth(&self.0);
        *steps = evaluation.steps_left();
        Ok(held?.unwrap_or(true))
    }
}
