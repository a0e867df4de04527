//! Type names and what has which type: `is`, `as`, `ofType`, a leading type name, `type()`.

use super::{EvaluationError, Item};
use crate::Definitions;

/// A type specifier as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TypeName {
    pub(super) namespace: Namespace,
    pub(super) name: Box<str>,
}

/// Without one, an element's type is looked for among FHIR's types and a value's among the System types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Namespace {
    Any,
    Fhir,
    System,
}

const SYSTEM_TYPES: [&str; 9] =
    ["Any", "Boolean", "String", "Integer", "Decimal", "Date", "DateTime", "Time", "Quantity"];

/// The program's own text for the name of a System type.
pub(super) fn system_type(name: &str) -> Option<&'static str> {
    SYSTEM_TYPES.into_iter().find(|known| *known == name)
}

impl TypeName {
    /// True when the item has this type or one that specializes it.
    pub(super) fn includes(&self, definitions: &Definitions, item: &Item<'_>) -> Result<bool, EvaluationError> {
        self.matches(definitions, item, |name, actual| definitions.is_a(actual, name))
    }

    /// True when the item has exactly this type, or this type is abstract and the item's specializes it: `gender.as(string)` is
    /// empty though a `code` is a `string`.
    pub(super) fn selects(&self, definitions: &Definitions, item: &Item<'_>) -> Result<bool, EvaluationError> {
        self.matches(definitions, item, |name, actual| {
            definitions.structure(name).is_some_and(|structure| structure.is_abstract) && definitions.is_a(actual, name)
        })
    }

    fn matches(
        &self,
        definitions: &Definitions,
        item: &Item<'_>,
        specializes: impl FnOnce(&str, &str) -> bool,
    ) -> Result<bool, EvaluationError> {
        let name = &*self.name;
        if let Item::Element(element) = item
            && self.namespace != Namespace::System
            && (element.structure.name == name || specializes(name, element.structure.name))
        {
            return Ok(true);
        }
        let is_system = system_type(name).is_some();
        match self.namespace {
            Namespace::Any | Namespace::Fhir if definitions.structure(name).is_some() => {}
            Namespace::Any if is_system => {}
            Namespace::System => {}
            _ => return Err(EvaluationError::new(format!("type `{name}` is unknown"))),
        }
        let is_value = !matches!(item, Item::Element(_));
        Ok(is_value && self.namespace != Namespace::Fhir && is_system && (name == "Any" || item.system_type() == name))
    }
}
