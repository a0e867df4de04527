//! Items: what they are as values, and where an element becomes one.

use std::borrow::Cow;
use std::fmt;

use super::{Collection, ElementNode, EvaluationError, Item, quantity};
use crate::definitions::StructureKind;
use crate::json::{Kind, Node};
use crate::{DateTime, Decimal, Definitions, Time};

impl<'a> Item<'a> {
    /// The element, when it is one.
    pub fn as_element(&self) -> Option<ElementNode<'a>> {
        match self {
            Item::Element(element) => Some(*element),
            _ => None,
        }
    }

    /// The name of the type: `Patient`, `code`; for values `Boolean`, `String`, ...
    pub fn type_name(&self) -> &'static str {
        match self {
            Item::Element(element) => element.structure.name,
            value => value.system_type(),
        }
    }

    /// The name in the System namespace; an element's is `Any`.
    pub(super) fn system_type(&self) -> &'static str {
        match self {
            Item::Element(_) => "Any",
            Item::Boolean(_) => "Boolean",
            Item::Integer(_) => "Integer",
            Item::Decimal(_) => "Decimal",
            Item::String(_) => "String",
            Item::Date(_) => "Date",
            Item::DateTime(_) => "DateTime",
            Item::Time(_) => "Time",
            Item::Quantity(..) => "Quantity",
            Item::Type(..) => "TypeInfo",
            Item::TypeElement(_) => "ClassInfoElement",
        }
    }

    /// The item as operators see it: a primitive with a value and a FHIR Quantity become values of System types, everything
    /// else stays as it is, <https://hl7.org/fhir/R4/fhirpath.html#types>.
    pub(super) fn system(&self, definitions: &Definitions) -> Item<'a> {
        match self {
            Item::Element(element) => element.system(definitions).unwrap_or_else(|| self.clone()),
            value => value.clone(),
        }
    }

    /// The same item without copying its text.
    pub(super) fn lend<'b>(&'b self) -> Item<'b>
    where
        'a: 'b,
    {
        match self {
            Item::String(text) => Item::String(Cow::Borrowed(text)),
            Item::Quantity(value, unit) => Item::Quantity(*value, Cow::Borrowed(unit)),
            other => other.clone(),
        }
    }
}

impl<'a> ElementNode<'a> {
    /// The root of a resource; `None` when its `resourceType` is not one of R4's.
    pub fn resource(definitions: &'static Definitions, node: Node<'a>) -> Option<ElementNode<'a>> {
        let structure = definitions.structure(node.resource_type()?)?;
        let is_concrete = structure.kind == StructureKind::Resource && !structure.is_abstract;
        is_concrete.then_some(ElementNode { value: Some(node), sibling: None, structure, element: None })
    }

    /// True when nothing but the type is known: the target of a reference that is not at hand.
    pub fn is_type_only(&self) -> bool {
        self.value.is_none() && self.sibling.is_none()
    }

    /// True for a primitive type.
    pub(super) fn is_primitive(&self) -> bool {
        self.structure.kind == StructureKind::Primitive
    }

    /// The value of a System type, for a primitive with a value or a Quantity.
    pub(super) fn system(&self, definitions: &Definitions) -> Option<Item<'a>> {
        let value = self.value?;
        if self.is_primitive() {
            return primitive(value, self.structure.name);
        }
        let is_quantity = value.kind() == Kind::Object && definitions.is_a(self.structure.name, "Quantity");
        if is_quantity { quantity::from_fhir(value) } else { None }
    }

    /// The text of a primitive that is a string, as it stands: also that of a date.
    pub(super) fn text(&self) -> Option<Cow<'a, str>> {
        if self.is_primitive() { self.value?.as_str() } else { None }
    }
}

/// A date that is none stays a string: validation tells, not this.
fn primitive<'a>(value: Node<'a>, type_name: &str) -> Option<Item<'a>> {
    match value.kind() {
        Kind::Boolean => value.as_bool().map(Item::Boolean),
        Kind::Number if type_name == "decimal" => Decimal::parse(value.raw()).map(Item::Decimal),
        Kind::Number => {
            value.raw().parse().map(Item::Integer).ok().or_else(|| Decimal::parse(value.raw()).map(Item::Decimal))
        }
        Kind::String => {
            let text = value.as_str()?;
            let item = match type_name {
                "date" => DateTime::parse_partial(&text).map(Item::Date),
                "dateTime" | "instant" => DateTime::parse_partial(&text).map(Item::DateTime),
                "time" => Time::parse(&text).map(Item::Time),
                _ => None,
            };
            Some(item.unwrap_or(Item::String(text)))
        }
        Kind::Object | Kind::Array | Kind::Null => None,
    }
}

/// The only item of a collection that may hold one at most.
pub(super) fn single<'c, 'a>(collection: &'c Collection<'a>) -> Result<Option<&'c Item<'a>>, EvaluationError> {
    match collection.as_slice() {
        [] => Ok(None),
        [item] => Ok(Some(item)),
        items => Err(EvaluationError::new(format!("expected one item, found {}", items.len()))),
    }
}

/// A collection as a truth value: a single item that is no boolean counts as true,
/// <http://hl7.org/fhirpath/N1/#singleton-evaluation-of-collections>.
pub(super) fn truth(collection: &Collection<'_>) -> Result<Option<bool>, EvaluationError> {
    Ok(single(collection)?.map(|item| boolean(item).unwrap_or(true)))
}

/// The value of a boolean, as an element or a value.
pub(super) fn boolean(item: &Item<'_>) -> Option<bool> {
    match item {
        Item::Boolean(value) => Some(*value),
        Item::Element(element) if element.is_primitive() => element.value?.as_bool(),
        _ => None,
    }
}

/// A truth value as a collection.
pub(super) fn truth_item<'a>(value: Option<bool>) -> Collection<'a> {
    optional(value.map(Item::Boolean))
}

/// One item as a collection.
pub(super) fn one(item: Item<'_>) -> Collection<'_> {
    Collection::from_buf([item])
}

/// One item, or none.
pub(super) fn optional(item: Option<Item<'_>>) -> Collection<'_> {
    item.map_or_else(Collection::new, one)
}

/// A value as `toString()` gives it; an element as its JSON.
impl fmt::Display for Item<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Item::Element(element) => match (element.text(), element.value) {
                (Some(text), _) => f.write_str(&text),
                (None, Some(value)) => f.write_str(value.raw()),
                (None, None) => Ok(()),
            },
            Item::Boolean(value) => write!(f, "{value}"),
            Item::Integer(value) => write!(f, "{value}"),
            Item::Decimal(value) => write!(f, "{value}"),
            Item::String(text) => f.write_str(text),
            Item::Date(value) => write!(f, "{value}"),
            Item::DateTime(value) => write!(f, "{value}"),
            Item::Time(value) => write!(f, "{value}"),
            Item::Quantity(value, unit) => quantity::write(f, value, unit),
            Item::Type(namespace, name) => write!(f, "{namespace}.{name}"),
            Item::TypeElement(element) => f.write_str(element.path),
        }
    }
}

/// Type and value, for messages and tests.
impl fmt::Debug for Item<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({self})", self.type_name())
    }
}
