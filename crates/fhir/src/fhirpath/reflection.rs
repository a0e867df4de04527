//! What `type()` gives and its members, <http://hl7.org/fhirpath/N1/#reflection>: the actual type of each item, not the declared one.

use std::borrow::Cow;

use super::evaluate::{Evaluated, Evaluation};
use super::expression::Member;
use super::{Collection, Item};
use crate::definitions::Element;

/// The type of an item.
pub(super) fn type_of<'a>(item: &Item<'a>) -> Item<'a> {
    match item {
        Item::Element(element) => Item::Type("FHIR", element.structure.name),
        value => Item::Type("System", value.system_type()),
    }
}

/// Follows member names from a type: `type().element.name`.
pub(super) fn walk<'a>(
    evaluation: &Evaluation<'a>,
    from: Item<'a>,
    members: &[Member],
    found: &mut Collection<'a>,
) -> Evaluated<()> {
    let Some((member, rest)) = members.split_first() else { return evaluation.push(found, from) };
    match (&from, &*member.name) {
        (Item::Type(_, name), "element") => {
            let structure = evaluation.context.definitions.structure(name);
            let elements = structure.map_or(&[][..], |structure| &structure.elements);
            elements.iter().try_for_each(|element| walk(evaluation, Item::TypeElement(element), rest, found))
        }
        _ if !rest.is_empty() => Ok(()),
        (from, name) => match text(evaluation, from, name) {
            Some(text) => evaluation.push(found, Item::String(text)),
            None if matches!((from, name), (Item::TypeElement(_), "isOneBased")) => {
                evaluation.push(found, Item::Boolean(false))
            }
            None => Ok(()),
        },
    }
}

fn text<'a>(evaluation: &Evaluation<'a>, of: &Item<'a>, member: &str) -> Option<Cow<'a, str>> {
    match (of, member) {
        (Item::Type(namespace, _), "namespace") => Some(Cow::Borrowed(namespace)),
        (Item::Type(_, name), "name") => Some(Cow::Borrowed(name)),
        (Item::Type("FHIR", name), "baseType") => {
            let base = evaluation.context.definitions.structure(name)?.base;
            Some(if base.is_empty() { Cow::Borrowed("System.Any") } else { Cow::Owned(format!("FHIR.{base}")) })
        }
        (Item::Type(..), "baseType") => Some(Cow::Borrowed("System.Any")),
        (Item::TypeElement(element), "name") => Some(Cow::Borrowed(element.name)),
        (Item::TypeElement(element), "type") => Some(Cow::Owned(declared_type(element))),
        _ => None,
    }
}

/// As the definition says: a list where it may repeat, a choice with all its types.
fn declared_type(element: &Element) -> String {
    let types: Vec<_> = element.types.iter().map(|it| format!("FHIR.{}", it.code)).collect();
    let types = if types.len() == 1 { types.concat() } else { format!("Choice<{}>", types.join(", ")) };
    if element.max == Some(1) { types } else { format!("List<{types}>") }
}
