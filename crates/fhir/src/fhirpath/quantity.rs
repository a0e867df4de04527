//! Quantities: a decimal with a unit, <http://hl7.org/fhirpath/N1/#quantity>.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use super::Item;
use super::compare::decimals;
use super::expression::Operator;
use super::units::Unit;
use crate::Decimal;
use crate::json::Node;

const CALENDAR_UNITS: [&str; 8] = ["year", "month", "week", "day", "hour", "minute", "second", "millisecond"];

/// The singular of a calendar word: `days` gives `day`.
pub(super) fn calendar_unit(word: &str) -> Option<&'static str> {
    let singular = word.strip_suffix('s').unwrap_or(word);
    CALENDAR_UNITS.into_iter().find(|unit| *unit == singular)
}

/// A FHIR Quantity as a value: its code, or where there is none its unit.
pub(super) fn from_fhir(quantity: Node<'_>) -> Option<Item<'_>> {
    let value = Decimal::parse(quantity.get("value")?.raw())?;
    let unit = quantity.get("code").or_else(|| quantity.get("unit")).and_then(Node::as_str);
    Some(Item::Quantity(value, unit.unwrap_or(Cow::Borrowed("1"))))
}

/// `10 'mg'`, `4 days`, `1.5`.
pub(super) fn parse(text: &str) -> Option<Item<'static>> {
    let text = text.trim();
    let number = text.strip_prefix('+').unwrap_or(text);
    let end = number.find(|letter: char| !matches!(letter, '0'..='9' | '.' | '-')).unwrap_or(number.len());
    let (digits, unit) = number.split_at(end);
    let value = Decimal::parse(digits)?;
    let unit = unit.trim_start();
    if unit.is_empty() {
        return Some(Item::Quantity(value, Cow::Borrowed("1")));
    }
    if let Some(code) = unit.strip_prefix('\'').and_then(|unit| unit.strip_suffix('\'')) {
        return (!code.is_empty()).then(|| Item::Quantity(value, Cow::Owned(code.to_owned())));
    }
    calendar_unit(unit).map(|unit| Item::Quantity(value, Cow::Borrowed(unit)))
}

pub(super) fn write(f: &mut fmt::Formatter<'_>, value: &Decimal, unit: &str) -> fmt::Result {
    if CALENDAR_UNITS.contains(&unit) { write!(f, "{value} {unit}") } else { write!(f, "{value} '{unit}'") }
}

/// The order of two quantities; `None` when their units measure different things.
pub(super) fn compare(left: (Decimal, &str), right: (Decimal, &str)) -> Option<Ordering> {
    let (left, right) = in_same_unit(left, right)?;
    Some(left.cmp(&right))
}

/// True when they are equal to the digits of the less precise one.
pub(super) fn equivalent(left: (Decimal, &str), right: (Decimal, &str)) -> bool {
    in_same_unit(left, right).is_some_and(|(left, right)| equivalent_decimals(left, right))
}

/// True when two numbers are equal when rounded to the scale of the less precise one.
pub(super) fn equivalent_decimals(left: Decimal, right: Decimal) -> bool {
    let scale = left.scale().min(right.scale()).max(0);
    left == right || left.at_scale(scale).zip(right.at_scale(scale)).is_some_and(|(left, right)| left == right)
}

/// True when both units measure the same thing.
pub(super) fn comparable(left: &str, right: &str) -> bool {
    left == right
        || Unit::parse(left).zip(Unit::parse(right)).is_some_and(|(left, right)| left.dimensions == right.dimensions)
}

fn in_same_unit(left: (Decimal, &str), right: (Decimal, &str)) -> Option<(Decimal, Decimal)> {
    if left.1 == right.1 {
        return Some((left.0, right.0));
    }
    let (left_unit, right_unit) = (Unit::parse(left.1)?, Unit::parse(right.1)?);
    if left_unit.dimensions != right_unit.dimensions {
        return None;
    }
    Some((left.0.checked_mul(left_unit.factor)?, right.0.checked_mul(right_unit.factor)?))
}

/// `+ - * /` where at least one side is a quantity. The outer `None` says that the operator is not defined for these, the inner
/// one that there is no result.
pub(super) fn arithmetic<'a>(operator: Operator, left: &Item<'a>, right: &Item<'a>) -> Option<Option<Item<'a>>> {
    match (left, right) {
        (Item::Quantity(left, left_unit), Item::Quantity(right, right_unit)) => match operator {
            Operator::Add | Operator::Subtract => {
                let right = if operator == Operator::Add { *right } else { -*right };
                Some(sum((*left, left_unit), (right, right_unit)))
            }
            Operator::Multiply => Some(product((*left, left_unit), (*right, right_unit), 1)),
            Operator::Divide => Some(product((*left, left_unit), (*right, right_unit), -1)),
            _ => None,
        },
        (Item::Quantity(value, unit), number) if matches!(operator, Operator::Multiply | Operator::Divide) => {
            let (_, number) = decimals(&Item::Integer(1), number)?;
            let value =
                if operator == Operator::Multiply { value.checked_mul(number) } else { value.checked_div(number) };
            Some(value.map(|value| Item::Quantity(value, unit.clone())))
        }
        (number, Item::Quantity(value, unit)) if operator == Operator::Multiply => {
            let (_, number) = decimals(&Item::Integer(1), number)?;
            Some(value.checked_mul(number).map(|value| Item::Quantity(value, unit.clone())))
        }
        _ => None,
    }
}

/// In the unit of the left side.
fn sum<'a>(left: (Decimal, &Cow<'a, str>), right: (Decimal, &Cow<'a, str>)) -> Option<Item<'a>> {
    let right = if left.1 == right.1 {
        right.0
    } else {
        let (left_unit, right_unit) = (Unit::parse(left.1)?, Unit::parse(right.1)?);
        if left_unit.dimensions != right_unit.dimensions {
            return None;
        }
        right.0.checked_mul(right_unit.factor)?.checked_div(left_unit.factor)?
    };
    Some(Item::Quantity(left.0.checked_add(right)?, left.1.clone()))
}

/// In base units.
fn product<'a>(left: (Decimal, &str), right: (Decimal, &str), sign: i32) -> Option<Item<'a>> {
    let unit = Unit::parse(left.1)?.combine(&Unit::parse(right.1)?, sign)?;
    let value = if sign > 0 { left.0.checked_mul(right.0)? } else { left.0.checked_div(right.0)? };
    Some(Item::Quantity(value.checked_mul(unit.factor)?, Cow::Owned(unit.base_code())))
}
