//! Quantities: a decimal with a unit, <http://hl7.org/fhirpath/N1/#quantity>.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use super::Item;
use super::compare::decimals;
use super::expression::Operator;
use crate::json::Node;
use crate::{Decimal, ucum};

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
    let base = |unit| in_base(Decimal::ZERO, unit).map(|(_, base)| base);
    left == right || base(left).zip(base(right)).is_some_and(|(left, right)| left == right)
}

fn in_same_unit(left: (Decimal, &str), right: (Decimal, &str)) -> Option<(Decimal, Decimal)> {
    if left.1 == right.1 {
        return Some((left.0, right.0));
    }
    let ((left, left_base), (right, right_base)) = (in_base(left.0, left.1)?, in_base(right.0, right.1)?);
    (left_base == right_base).then_some((left, right))
}

/// A value in base units, and which those are. Calendar durations up to weeks equal units of UCUM; of a month no number of days is
/// known, so months and years are something else than time.
fn in_base(value: Decimal, unit: &str) -> Option<(Decimal, Cow<'static, str>)> {
    if let Some(months) = months(unit) {
        return Some((value.checked_mul(months)?, Cow::Borrowed("month")));
    }
    let unit = ucum::Unit::of(ucum_code(unit))?;
    Some((unit.to_base(value)?, Cow::Owned(unit.base().to_owned())))
}

/// How many calendar months a calendar unit has.
fn months(unit: &str) -> Option<Decimal> {
    match unit {
        "month" => Some(Decimal::from(1)),
        "year" => Some(Decimal::from(12)),
        _ => None,
    }
}

fn ucum_code(unit: &str) -> &str {
    match unit {
        "millisecond" => "ms",
        "second" => "s",
        "minute" => "min",
        "hour" => "h",
        "day" => "d",
        "week" => "wk",
        code => code,
    }
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

/// The digits that are left of a measurement converted to another unit and back.
const CONVERTED_DIGITS: u32 = 16;

/// In the unit of the left side.
fn sum<'a>(left: (Decimal, &Cow<'a, str>), right: (Decimal, &Cow<'a, str>)) -> Option<Item<'a>> {
    Some(Item::Quantity(left.0.checked_add(converted(right.0, right.1, left.1)?)?, left.1.clone()))
}

/// The same quantity in another unit, a code of UCUM or a calendar word; `None` when that measures something else.
pub(super) fn in_unit<'a>(value: Decimal, from: Cow<'a, str>, to: &str) -> Option<Item<'a>> {
    let value = converted(value, &from, calendar_unit(to).unwrap_or(to))?;
    if from == to {
        return Some(Item::Quantity(value, from));
    }
    Some(Item::Quantity(value, calendar_unit(to).map_or_else(|| Cow::Owned(to.to_owned()), Cow::Borrowed)))
}

/// A value in another unit.
fn converted(value: Decimal, from: &str, to: &str) -> Option<Decimal> {
    if from == to {
        return Some(value);
    }
    let ((factor, base), (_, from_base)) = (factor(to)?, factor(from)?);
    if base != from_base {
        return None;
    }
    let (value, _) = in_base(value, from)?;
    value.checked_div(factor)?.rounded_to_digits(CONVERTED_DIGITS)
}

/// How many base units a unit is, and which; `None` where the zero of its scale lies elsewhere, as with degrees Celsius.
fn factor(unit: &str) -> Option<(Decimal, Cow<'static, str>)> {
    let (zero, base) = in_base(Decimal::ZERO, unit)?;
    let (one, _) = in_base(Decimal::from(1), unit)?;
    zero.is_zero().then_some((one, base))
}

/// In base units.
fn product<'a>(left: (Decimal, &str), right: (Decimal, &str), sign: i32) -> Option<Item<'a>> {
    let (value, operator) = match sign {
        1 => (left.0.checked_mul(right.0)?, '.'),
        _ => (left.0.checked_div(right.0)?, '/'),
    };
    let [left, right] = [left.1, right.1].map(|unit| {
        let code = ucum_code(unit);
        // Only a whole code may begin with a stroke.
        if code.starts_with('/') { format!("(1{code})") } else { format!("({code})") }
    });
    let (value, base) = in_base(value, &format!("{left}{operator}{right}"))?;
    Some(Item::Quantity(value, base))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_across_units() {
        let cases = [
            ("1", "g", "1000", "mg", Some(Ordering::Equal)),
            ("37", "Cel", "98.6", "[degF]", Some(Ordering::Equal)),
            ("1", "kPa", "7", "mm[Hg]", Some(Ordering::Greater)),
            ("1", "week", "7", "d", Some(Ordering::Equal)),
            ("1", "year", "11", "month", Some(Ordering::Greater)),
            ("1", "year", "1", "a", None),
            ("1", "g", "1", "m", None),
            ("1", "tablet", "2", "tablet", Some(Ordering::Less)),
            ("1", "tablet", "2", "g", None),
        ];
        for (left, left_unit, right, right_unit, expected) in cases {
            let value = |text| Decimal::parse(text).expect("a number");
            let order = compare((value(left), left_unit), (value(right), right_unit));
            assert_eq!(order, expected, "{left} {left_unit} and {right} {right_unit}");
            assert_eq!(comparable(left_unit, right_unit), expected.is_some(), "{left_unit} and {right_unit}");
        }
    }

    #[test]
    fn calculates_across_units() {
        let quantity = |text: &str| parse(text).unwrap_or_else(|| panic!("{text} is a quantity"));
        let cases = [
            ("2 'cm'", Operator::Multiply, "3 'm'", Some("0.06 'm2'")),
            ("4 'g'", Operator::Divide, "2 'm'", Some("2 'g.m-1'")),
            ("1 'm'", Operator::Divide, "1 'm'", Some("1 '1'")),
            ("60 '/min'", Operator::Multiply, "2 's'", Some("2 '1'")),
            ("1 'm'", Operator::Add, "5 'cm'", Some("1.05 'm'")),
            ("1 day", Operator::Subtract, "6 hours", Some("0.75 day")),
            ("1 year", Operator::Add, "6 months", Some("1.5 year")),
            ("1 '/min'", Operator::Add, "1 'Hz'", Some("61 '/min'")),
            ("1 'm'", Operator::Add, "5 'g'", None),
            ("1 'Cel'", Operator::Add, "1 'K'", None),
            ("1 'tablet'", Operator::Multiply, "2 'g'", None),
        ];
        for (left, operator, right, expected) in cases {
            let result = arithmetic(operator, &quantity(left), &quantity(right)).expect("defined");
            let equal = match (&result, expected.map(quantity)) {
                (Some(Item::Quantity(value, unit)), Some(Item::Quantity(other, other_unit))) => {
                    *value == other && *unit == other_unit
                }
                (result, expected) => result.is_none() && expected.is_none(),
            };
            assert!(equal, "{left} {operator:?} {right} is {result:?}");
        }
    }
}
