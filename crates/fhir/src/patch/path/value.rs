//! The values that operations bring, and how they are written where they are put.

use super::place::Content;
use crate::Definitions;
use crate::definitions::{Element, ElementType, Structure, StructureKind};
use crate::json::{Node, Value};
use crate::outcome::quoted;

/// A value as the Parameters hold it.
#[derive(Clone, Debug)]
pub(super) enum Given {
    /// `value[x]`: the name of its type with an upper-case first letter.
    Typed {
        type_name: String,
        value: Option<Value>,
        sibling: Option<Value>,
    },
    Resource(Value),
    /// Parts, each an element by name: how an element of a type without name is given.
    Parts(Vec<(String, Given)>),
}

/// An element of a structure, as which a value is written.
#[derive(Clone, Copy)]
pub(super) struct Slot {
    pub(super) element: &'static Element,
    pub(super) element_type: &'static ElementType,
}

impl Given {
    /// Reads what a parameter named `value` holds.
    pub(super) fn parse(part: Node<'_>) -> Result<Given, String> {
        let mut typed: Option<(String, Option<Value>, Option<Value>)> = None;
        for (name, node) in part.members() {
            match name {
                "name" | "id" => {}
                "resource" => return Ok(Given::Resource(node.into())),
                "part" => return Given::parts(node),
                _ => {
                    let (name, is_sibling) = name.strip_prefix('_').map_or((name, false), |name| (name, true));
                    let Some(type_name) = name.strip_prefix("value") else {
                        return Err(format!("{} is no member of a value", quoted(name)));
                    };
                    let typed = typed.get_or_insert_with(|| (type_name.to_owned(), None, None));
                    if typed.0 != type_name {
                        return Err("a value has two types".to_owned());
                    }
                    *(if is_sibling { &mut typed.2 } else { &mut typed.1 }) = Some(node.into());
                }
            }
        }
        let (type_name, value, sibling) = typed.ok_or("the value is empty")?;
        Ok(Given::Typed { type_name, value, sibling })
    }

    fn parts(parts: Node<'_>) -> Result<Given, String> {
        let part = |part: Node<'_>| {
            let name = part.get("name").and_then(Node::as_str).ok_or("a part of the value has no name")?;
            Ok((name.into_owned(), Given::parse(part)?))
        };
        Ok(Given::Parts(parts.items().map(part).collect::<Result<_, String>>()?))
    }

    /// The type of `element` that the value has.
    pub(super) fn slot(&self, definitions: &'static Definitions, element: &'static Element) -> Result<Slot, String> {
        let fits = |element_type: &&ElementType| self.fits(definitions, element_type, element.is_choice);
        match element.types.iter().find(fits) {
            Some(element_type) => Ok(Slot { element, element_type }),
            None => {
                let expected: Vec<_> = element.types.iter().map(|it| format!("`{}`", it.code)).collect();
                Err(format!(
                    "a value of type `{}` does not fit `{}`, which is of type {}",
                    self.type_name(),
                    element.path,
                    expected.join(" or ")
                ))
            }
        }
    }

    fn fits(&self, definitions: &'static Definitions, element_type: &ElementType, is_choice: bool) -> bool {
        let structure = definitions.structure_of(element_type);
        match self {
            Given::Resource(resource) => {
                let name = resource.get("resourceType").and_then(Value::as_str).unwrap_or_default();
                structure.kind == StructureKind::Resource && definitions.is_a(name, structure.name)
            }
            Given::Parts(_) => matches!(structure.kind, StructureKind::Backbone | StructureKind::Complex),
            Given::Typed { type_name, value, .. } => {
                let is_same = is_type(type_name, element_type.code);
                let is_primitive = structure.kind == StructureKind::Primitive;
                // Parameters have no value of type `xhtml`, and clients know a date from a string only where the type is chosen.
                let is_alike = !is_choice
                    && is_primitive
                    && value.as_ref().is_none_or(|value| is_scalar_of(value, structure.name));
                let is_kind = !is_primitive && definitions.is_a(element_type.code, type_name);
                is_same || is_alike || is_kind
            }
        }
    }

    fn type_name(&self) -> &str {
        match self {
            Given::Typed { type_name, .. } => type_name,
            Given::Resource(resource) => resource.get("resourceType").and_then(Value::as_str).unwrap_or("Resource"),
            Given::Parts(_) => "BackboneElement",
        }
    }

    /// How the value is written as an element of that type.
    pub(super) fn content(&self, definitions: &'static Definitions, slot: Slot) -> Result<Content, String> {
        match self {
            Given::Typed { value, sibling, .. } => Ok(Content { value: value.clone(), sibling: sibling.clone() }),
            Given::Resource(resource) => Ok(Content { value: Some(resource.clone()), sibling: None }),
            Given::Parts(parts) => {
                let structure = definitions.structure_of(slot.element_type);
                let mut object = Value::object();
                for (name, given) in parts {
                    let element = element(structure, name)?;
                    let slot = given.slot(definitions, element)?;
                    add(&mut object, slot, given.content(definitions, slot)?)?;
                }
                Ok(Content { value: Some(object), sibling: None })
            }
        }
    }
}

/// Adds an element to an object: at the end of its list when it may repeat.
fn add(object: &mut Value, slot: Slot, content: Content) -> Result<(), String> {
    let name = slot.element_type.json_name;
    let place = super::place::Place { parent: Vec::new(), name: name.to_owned(), index: None };
    if slot.element.max != Some(1) {
        let count = place.count(object);
        place.insert(object, count, content);
        return Ok(());
    }
    if object.get(name).is_some() {
        return Err(format!("`{}` is given twice", slot.element.path));
    }
    place.replace(object, content);
    Ok(())
}

/// The element of a structure by its name in FHIRPath (`value`) or in JSON (`valueQuantity`).
pub(super) fn element(structure: &'static Structure, name: &str) -> Result<&'static Element, String> {
    let by_json_name = || structure.member(name).map(|(element, _)| element);
    structure
        .element(name)
        .or_else(by_json_name)
        .ok_or_else(|| format!("{} is not an element of {}", quoted(name), structure.name))
}

fn is_type(type_name: &str, code: &str) -> bool {
    let mut letters = type_name.chars().zip(code.chars());
    let first = letters.next().is_some_and(|(given, code)| given.eq_ignore_ascii_case(&code));
    first && type_name.len() == code.len() && letters.all(|(given, code)| given == code)
}

/// Whether a scalar is written as values of that type are.
fn is_scalar_of(value: &Value, type_name: &str) -> bool {
    match value {
        Value::Boolean(_) => type_name == "boolean",
        Value::Number(_) => matches!(type_name, "decimal" | "integer" | "unsignedInt" | "positiveInt"),
        Value::String(_) => !matches!(type_name, "boolean" | "decimal" | "integer" | "unsignedInt" | "positiveInt"),
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}
