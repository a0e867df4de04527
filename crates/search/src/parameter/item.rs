//! Reading the items that expressions give.

use std::borrow::Cow;

use fhir::Definitions;
use fhir::definitions::StructureKind;
use fhir::fhirpath::{ElementNode, Item};
use fhir::json::{Kind, Node};

/// The name of the item's FHIR type; empty for FHIRPath's own types.
pub(super) fn type_name(item: &Item<'_>) -> &'static str {
    match item {
        Item::Element(element) => element.structure.name,
        _ => "",
    }
}

/// The JSON of an element that has a value.
pub(super) fn node<'a>(item: &Item<'a>) -> Option<Node<'a>> {
    match item {
        Item::Element(element) => element.value,
        _ => None,
    }
}

/// The item as a resource, if it is one.
pub(super) fn resource<'a>(item: &Item<'a>) -> Option<ElementNode<'a>> {
    match item {
        Item::Element(element) if element.structure.kind == StructureKind::Resource => Some(*element),
        _ => None,
    }
}

/// The text of a primitive: a string's content, the digits of a number, `true` or `false`.
pub(super) fn text<'a>(item: &'a Item<'_>) -> Option<Cow<'a, str>> {
    match item {
        Item::Element(element) => primitive_text(element.value?),
        Item::Boolean(value) => Some(Cow::Borrowed(if *value { "true" } else { "false" })),
        Item::Integer(value) => Some(Cow::Owned(value.to_string())),
        Item::String(text) => Some(Cow::Borrowed(text)),
        _ => None,
    }
}

fn primitive_text(node: Node<'_>) -> Option<Cow<'_, str>> {
    match node.kind() {
        Kind::String => node.as_str(),
        Kind::Number | Kind::Boolean => Some(Cow::Borrowed(node.raw())),
        Kind::Object | Kind::Array | Kind::Null => None,
    }
}

/// The text of an object's string member.
pub(super) fn member<'a>(node: Node<'a>, name: &str) -> Option<Cow<'a, str>> {
    node.get(name)?.as_str()
}

/// Puts the value of an extension in its place, for parameters whose expression ends at one; leaves anything else as it is.
pub(crate) fn resolve_extension(definitions: &'static Definitions, item: &mut Item<'_>) {
    let Item::Element(extension) = item else { return };
    if extension.structure.name != "Extension" {
        return;
    }
    let value = extension.value.into_iter().flat_map(Node::members).find_map(|(name, value)| {
        let (element, element_type) = extension.structure.member(name)?;
        (element.name == "value").then(|| ElementNode {
            value: Some(value),
            sibling: None,
            structure: definitions.structure_of(element_type),
            element: Some(element),
        })
    });
    if let Some(value) = value {
        *extension = value;
    }
}
