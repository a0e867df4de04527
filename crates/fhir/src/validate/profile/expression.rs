//! Expressions of profiles, which are strangers': what they take is taken off the steps of the walk.

use super::{STEPS_OF_QUESTION, Walk};
use crate::fhirpath::{Context, ElementNode, Expression, Item, Resolver, Steps, Targets};
use crate::json::Node;

/// How many steps of an expression count as one of the walk.
const STEPS_PER_STEP: u64 = 16;

/// Targets of references outside the document: what the library has in full validation, otherwise none. A rule that needs another
/// cannot be checked.
struct AtHand<'l>(Option<Targets<'l>>);

impl Resolver for AtHand<'_> {
    fn resolve<'a>(&'a self, reference: &str) -> Option<Node<'a>> {
        self.0.as_ref()?.resolve(reference)
    }

    fn needs_targets(&self) -> bool {
        true
    }

    fn definition<'a>(&'a self, url: &str) -> Option<Node<'a>> {
        self.0.as_ref()?.definition(url)
    }
}

impl<'v, 'a> Walk<'v, 'a> {
    /// Whether an expression is true of a value, or why that cannot be said. True when there are no steps left to ask.
    pub(super) fn holds(
        &mut self,
        expression: &Expression,
        variables: &[(&str, Vec<Item<'_>>)],
        node: ElementNode<'a>,
    ) -> Result<bool, String> {
        if !self.spend(STEPS_OF_QUESTION) {
            return Ok(true);
        }
        let (at_hand, mut steps) = (self.at_hand(), self.steps());
        let held = expression.holds_within(&self.context(&at_hand, variables), Item::Element(node), &mut steps);
        self.take(steps);
        held.map_err(|error| error.message)
    }

    /// Whether an expression on the resource selects an element. One that cannot be evaluated may.
    pub(super) fn selects(&mut self, expression: &Expression, element: ElementNode<'a>) -> bool {
        if !self.spend(STEPS_OF_QUESTION) {
            return true;
        }
        let (at_hand, mut steps) = (self.at_hand(), self.steps());
        let position = |it: ElementNode<'_>| it.value.or(it.sibling).map(Node::position);
        let is_it = |item: &Item<'_>| matches!(item, Item::Element(it) if position(*it) == position(element));
        let (found, _) = expression.trace(&self.context(&at_hand, &[]), Some(Item::Element(self.resource)), &mut steps);
        let is_selected = found.map_or(true, |found| found.iter().any(is_it));
        self.take(steps);
        is_selected
    }

    fn context<'c>(&self, at_hand: &'c AtHand<'_>, variables: &'c [(&'c str, Vec<Item<'c>>)]) -> Context<'c>
    where
        'a: 'c,
        'v: 'c,
    {
        Context {
            definitions: self.validator.definitions,
            resource: self.resource,
            root_resource: self.root_resource,
            resolver: Some(at_hand),
            library: Some(self.validator.library),
            variables,
            now: self.validator.now,
        }
    }

    fn at_hand(&self) -> AtHand<'v> {
        AtHand(self.is_full().then(|| Targets::new(self.validator.library)))
    }

    /// What one expression may take.
    fn steps(&self) -> Steps {
        Steps::of(self.steps_left.saturating_mul(STEPS_PER_STEP))
    }

    fn take(&mut self, left: Steps) {
        let taken = self.steps().left() - left.left();
        self.spend(taken / STEPS_PER_STEP);
    }
}
