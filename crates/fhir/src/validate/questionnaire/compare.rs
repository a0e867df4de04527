//! Answers beside each other: which is equal, and which is more.

use std::cmp::Ordering;

use crate::json::Node;
use crate::ucum::{self, Unit};
use crate::{DateTime, Decimal, Time};

/// A value with the name of its type, as in `valueQuantity`.
pub(super) type Typed<'a> = (&'a str, Node<'a>);

/// Whether two values are the same; `None` when that cannot be said.
pub(super) fn equal(left: Typed<'_>, right: Typed<'_>) -> Option<bool> {
    let same = |names: &[&str]| {
        names.iter().all(|name| {
            let [left, right] = [left.1, right.1].map(|node| node.get(name).and_then(Node::as_str));
            left == right
        })
    };
    match (left.0, right.0) {
        ("Coding", "Coding") => Some(same(&["system", "code"])),
        ("Reference", "Reference") => Some(same(&["reference"])),
        ("Boolean", "Boolean") => Some(left.1.raw() == right.1.raw()),
        ("String" | "Uri", "String" | "Uri") => Some(left.1.as_str() == right.1.as_str()),
        ("Attachment", "Attachment") => None,
        _ if family(left.0) != family(right.0) => Some(false),
        _ => compare(left, right).map(Ordering::is_eq),
    }
}

/// How a value stands to another; `None` for those that have no order.
pub(super) fn compare(left: Typed<'_>, right: Typed<'_>) -> Option<Ordering> {
    let texts = || Some((left.1.as_str()?, right.1.as_str()?));
    match (left.0, right.0) {
        ("Integer" | "Decimal", "Integer" | "Decimal") => Some(number(left.1)?.cmp(&number(right.1)?)),
        ("Date" | "DateTime" | "Instant", "Date" | "DateTime" | "Instant") => {
            let (left, right) = texts()?;
            DateTime::parse(&left)?.compare(&DateTime::parse(&right)?)
        }
        ("Time", "Time") => {
            let (left, right) = texts()?;
            Time::parse(&left)?.compare(&Time::parse(&right)?)
        }
        ("String", "String") => {
            let (left, right) = texts()?;
            Some(left.cmp(&right))
        }
        ("Quantity", "Quantity") => quantities(left.1, right.1),
        _ => None,
    }
}

/// Types whose values may be equal go by one name.
fn family(name: &str) -> &str {
    match name {
        "Integer" => "Decimal",
        "Date" | "Instant" => "DateTime",
        "Uri" => "String",
        name => name,
    }
}

fn number(node: Node<'_>) -> Option<Decimal> {
    Decimal::parse(node.raw())
}

/// Quantities in the same unit, or in units of UCUM that measure the same.
fn quantities(left: Node<'_>, right: Node<'_>) -> Option<Ordering> {
    let [left_value, right_value] = [left, right].map(|node| number(node.get("value")?));
    let (left_value, right_value) = (left_value?, right_value?);
    if left.get("comparator").or(right.get("comparator")).is_some() {
        return None;
    }
    let text = |node: Node<'_>, name: &str| node.get(name).and_then(Node::as_str).map(|text| text.into_owned());
    let unit = |node: Node<'_>| text(node, "code").or_else(|| text(node, "unit"));
    if unit(left) == unit(right) {
        return Some(left_value.cmp(&right_value));
    }
    let measured = |node: Node<'_>| {
        let is_ucum = text(node, "system").is_some_and(|system| system == ucum::SYSTEM);
        Unit::of(&text(node, "code").filter(|_| is_ucum)?)
    };
    let (left_unit, right_unit) = (measured(left)?, measured(right)?);
    if left_unit.base() != right_unit.base() {
        return None;
    }
    Some(left_unit.to_base(left_value)?.cmp(&right_unit.to_base(right_value)?))
}
