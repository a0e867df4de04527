//! Where an element stands in a resource.

use std::fmt::Write;

use super::{ElementNode, Steps};
use crate::Definitions;
use crate::definitions::Element;
use crate::json::Node;

impl<'a> ElementNode<'a> {
    /// The path from this element to one below it, as `Patient.name[0].given[1]`; `None` when it is not below, or when there are not
    /// enough steps left to find it.
    pub fn path_to(
        &self,
        definitions: &'static Definitions,
        target: &ElementNode<'_>,
        steps: &mut Steps,
    ) -> Option<String> {
        let mut path = self.structure.name.to_owned();
        let mut at = *self;
        while !at.is(target) {
            let (name, child) = at.child_around(definitions, target, steps)?;
            path.push_str(&name);
            at = child;
        }
        Some(path)
    }

    fn is(&self, other: &ElementNode<'_>) -> bool {
        let same = |left: Option<Node<'_>>, right: Option<Node<'_>>| match (left, right) {
            (Some(left), Some(right)) => is_same(left, right),
            _ => false,
        };
        same(self.value, other.value) || (self.value.is_none() && same(self.sibling, other.sibling))
    }

    /// The child that is or holds an element, and its name as a path has it.
    fn child_around(
        &self,
        definitions: &'static Definitions,
        target: &ElementNode<'_>,
        steps: &mut Steps,
    ) -> Option<(String, ElementNode<'a>)> {
        let target = target.value.or(target.sibling)?;
        let holds = |node: Option<Node<'_>>| node.is_some_and(|node| contains(node, target));
        let (mut found, mut before, mut index) = (None, None::<&Element>, 0);
        // An error ends the visit: with what was sought, or without steps.
        let _ = self.visit_children(definitions, &mut |child| {
            steps.0 = steps.0.checked_sub(1).ok_or(())?;
            let element = child.element.ok_or(())?;
            index = if before.is_some_and(|before| std::ptr::eq(before, element)) { index + 1 } else { 0 };
            before = Some(element);
            if !holds(child.value) && !holds(child.sibling) {
                return Ok(());
            }
            let mut name = format!(".{}", element.name);
            if element.max != Some(1) {
                let _ = write!(name, "[{index}]");
            }
            found = Some((name, child));
            Err(())
        });
        found
    }
}

fn is_same(left: Node<'_>, right: Node<'_>) -> bool {
    left.position() == right.position() && std::ptr::eq(left.document(), right.document())
}

fn contains(outer: Node<'_>, inner: Node<'_>) -> bool {
    let (outer_span, inner_span) = (outer.span(), inner.span());
    std::ptr::eq(outer.document(), inner.document())
        && outer_span.start <= inner_span.start
        && inner_span.end <= outer_span.end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Instant;
    use crate::fhirpath::{Context, Expression, Item};
    use crate::json::Document;

    #[test]
    fn finds_the_way_to_an_element() {
        let patient = r#"{"resourceType":"Patient","contained":[{"resourceType":"Organization","name":"S"}],
            "name":[{"given":["Ann"]},{"given":["A","B"],"_given":[null,{"extension":[{"url":"x","valueCode":"y"}]}]}],
            "_birthDate":{"extension":[{"url":"u","valueString":"s"}]},"deceasedBoolean":false}"#;
        let document = Document::parse(patient.as_bytes()).expect("JSON");
        let definitions = Definitions::r4();
        let root = ElementNode::resource(definitions, document.root());
        let context = Context::of(definitions, root, Instant(0));
        for (expression, expected) in [
            ("Patient", "Patient"),
            ("name[1]", "Patient.name[1]"),
            ("name.given", "Patient.name[1].given[1]"),
            ("name.given.extension.value", "Patient.name[1].given[1].extension[0].value"),
            ("birthDate", "Patient.birthDate"),
            ("birthDate.extension.value", "Patient.birthDate.extension[0].value"),
            ("deceased", "Patient.deceased"),
            ("contained.name", "Patient.contained[0].name"),
        ] {
            let root = root.expect("a resource");
            let expression = Expression::parse(expression).expect(expression);
            let found = expression.evaluate(&context, Item::Element(root)).expect("a result");
            let element = found.last().and_then(Item::as_element).expect("an element");
            let path = |mut steps: Steps| root.path_to(definitions, &element, &mut steps);
            assert_eq!(path(Steps::default()).as_deref(), Some(expected));
            assert_eq!(path(Steps(0)).is_some(), expected == "Patient");
        }
        let alone = root.expect("a resource").path_to(definitions, &context.resource, &mut Steps(10));
        assert_eq!(alone.as_deref(), Some("Patient"));
    }
}
