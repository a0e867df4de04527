//! What is known of a collection before it is evaluated.

use smallvec::SmallVec;

use crate::Definitions;
use crate::definitions::{Structure, StructureKind};

/// A collection of more types than this may as well be anything; `Extension.value` has 50.
const TYPES_MAX: usize = 64;

/// The types of a collection's items, whether there is at most one, and whether their order means something.
#[derive(Clone, Debug)]
pub(super) struct Static {
    /// `None` for anything; no types for a collection that is always empty.
    pub(super) types: Option<SmallVec<[Type; 2]>>,
    pub(super) is_single: bool,
    pub(super) is_ordered: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Type {
    Element(&'static Structure),
    System(&'static str),
}

impl PartialEq for Type {
    fn eq(&self, other: &Type) -> bool {
        self.name() == other.name()
    }
}

impl Type {
    pub(super) fn name(self) -> &'static str {
        match self {
            Type::Element(structure) => structure.name,
            Type::System(name) => name,
        }
    }

    /// Which values of System types an item of this type can stand for.
    pub(super) fn values(self, definitions: &Definitions) -> Values {
        match self {
            Type::System("Boolean") => Values::BOOLEAN,
            Type::System("Integer") => Values::INTEGER,
            Type::System("Decimal") => Values::DECIMAL,
            Type::System("String") => Values::STRING,
            Type::System("Date") => Values::DATE,
            Type::System("DateTime") => Values::DATE_TIME,
            Type::System("Time") => Values::TIME,
            Type::System("Quantity") => Values::QUANTITY,
            Type::System(_) => Values::NONE,
            Type::Element(structure) if structure.is_abstract => Values::ALL,
            Type::Element(structure) => match structure.name {
                "boolean" => Values::BOOLEAN,
                "integer" | "positiveInt" | "unsignedInt" => Values::INTEGER,
                "decimal" => Values::DECIMAL,
                "date" => Values::DATE,
                "dateTime" | "instant" => Values::DATE_TIME,
                "time" => Values::TIME,
                _ if structure.kind == StructureKind::Primitive => Values::STRING,
                name if definitions.is_a(name, "Quantity") => Values::QUANTITY,
                _ => Values::NONE,
            },
        }
    }
}

/// A set of System types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Values(u8);

impl Values {
    pub(super) const NONE: Values = Values(0);
    pub(super) const BOOLEAN: Values = Values(1);
    pub(super) const INTEGER: Values = Values(2);
    pub(super) const DECIMAL: Values = Values(4);
    pub(super) const STRING: Values = Values(8);
    pub(super) const DATE: Values = Values(16);
    pub(super) const DATE_TIME: Values = Values(32);
    pub(super) const TIME: Values = Values(64);
    pub(super) const QUANTITY: Values = Values(128);
    pub(super) const ALL: Values = Values(255);
    pub(super) const NUMBER: Values = Values::INTEGER.or(Values::DECIMAL);
    pub(super) const DAY: Values = Values::DATE.or(Values::DATE_TIME);
    pub(super) const MOMENT: Values = Values::DAY.or(Values::TIME);
    /// Dates and times are texts too, as they are written.
    pub(super) const TEXT: Values = Values::STRING.or(Values::MOMENT);

    pub(super) const fn or(self, other: Values) -> Values {
        Values(self.0 | other.0)
    }

    pub(super) fn meets(self, other: Values) -> bool {
        self.0 & other.0 != 0
    }
}

impl Static {
    pub(super) fn anything() -> Static {
        Static { types: None, is_single: false, is_ordered: true }
    }

    /// What is always empty.
    pub(super) fn nothing() -> Static {
        Static { types: Some(SmallVec::new()), is_single: true, is_ordered: true }
    }

    pub(super) fn element(structure: &'static Structure) -> Static {
        Static::of(Type::Element(structure))
    }

    pub(super) fn system(name: &'static str) -> Static {
        Static::of(Type::System(name))
    }

    pub(super) fn of(only: Type) -> Static {
        // Of a resource or element at large nothing is known: it may be of any type below.
        match only {
            Type::Element(structure) if matches!(structure.name, "Resource" | "DomainResource" | "Element") => {
                Static::anything().single()
            }
            only => Static { types: Some([only].into_iter().collect()), is_single: true, is_ordered: true },
        }
    }

    pub(super) fn single(self) -> Static {
        Static { is_single: true, is_ordered: true, ..self }
    }

    pub(super) fn many(self) -> Static {
        Static { is_single: false, ..self }
    }

    pub(super) fn unordered(self) -> Static {
        Static { is_ordered: self.is_single, ..self }
    }

    /// The types of both; the rest stays as it is here.
    pub(super) fn or(mut self, other: &Static) -> Static {
        let (Some(types), Some(others)) = (&mut self.types, &other.types) else {
            return Static { types: None, ..self };
        };
        for other in others {
            if !types.contains(other) {
                types.push(*other);
            }
        }
        if types.len() > TYPES_MAX {
            self.types = None;
        }
        self
    }

    /// Which values its items can be; `None` when that is open or there are no items.
    pub(super) fn values(&self, definitions: &Definitions) -> Option<Values> {
        let types = self.types.as_ref().filter(|types| !types.is_empty())?;
        Some(types.iter().fold(Values::NONE, |values, it| values.or(it.values(definitions))))
    }

    /// The types by name, for messages.
    pub(super) fn names(&self) -> String {
        let types = self.types.as_deref().unwrap_or_default();
        types.iter().map(|it| it.name()).collect::<Vec<_>>().join("|")
    }

    /// `string`, `HumanName[]`, `{}`.
    pub(super) fn to_text(&self) -> Option<String> {
        match self.types.as_deref()? {
            [] => Some("{}".to_owned()),
            _ if self.is_single => Some(self.names()),
            _ => Some(format!("{}[]", self.names())),
        }
    }
}
