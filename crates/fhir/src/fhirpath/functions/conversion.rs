//! Conversion, <http://hl7.org/fhirpath/N1/#conversion>: each `toX()` has a `convertsToX()` that tells whether it gives something.

use std::borrow::Cow;

use super::{Call, Function, boolean, function, optional, string};
use crate::fhirpath::evaluate::{Evaluated, Evaluation};
use crate::fhirpath::quantity;
use crate::fhirpath::{Collection, Item};
use crate::{DateTime, Decimal, Precision, Time};

pub(super) const FUNCTIONS: &[Function] = &[
    function("toBoolean", 0..=0, |evaluation, call| convert(evaluation, call, to_boolean)),
    function("convertsToBoolean", 0..=0, |evaluation, call| converts(evaluation, call, to_boolean)),
    function("toInteger", 0..=0, |evaluation, call| convert(evaluation, call, to_integer)),
    function("convertsToInteger", 0..=0, |evaluation, call| converts(evaluation, call, to_integer)),
    function("toDecimal", 0..=0, |evaluation, call| convert(evaluation, call, to_decimal)),
    function("convertsToDecimal", 0..=0, |evaluation, call| converts(evaluation, call, to_decimal)),
    function("toString", 0..=0, |evaluation, call| convert(evaluation, call, to_string)),
    function("convertsToString", 0..=0, |evaluation, call| converts(evaluation, call, to_string)),
    function("toDate", 0..=0, |evaluation, call| convert(evaluation, call, to_date)),
    function("convertsToDate", 0..=0, |evaluation, call| converts(evaluation, call, to_date)),
    function("toDateTime", 0..=0, |evaluation, call| convert(evaluation, call, to_date_time)),
    function("convertsToDateTime", 0..=0, |evaluation, call| converts(evaluation, call, to_date_time)),
    function("toTime", 0..=0, |evaluation, call| convert(evaluation, call, to_time)),
    function("convertsToTime", 0..=0, |evaluation, call| converts(evaluation, call, to_time)),
    function("toQuantity", 0..=1, |evaluation, call| {
        let unit = call.text(evaluation, 0)?;
        Ok(optional(call.input_value(evaluation)?.and_then(|value| to_quantity_in(value, unit.as_deref()))))
    }),
    function("convertsToQuantity", 0..=1, |evaluation, call| {
        let unit = call.text(evaluation, 0)?;
        let value = call.input_value(evaluation)?;
        Ok(value.map(|value| boolean(to_quantity_in(value, unit.as_deref()).is_some())).unwrap_or_default())
    }),
];

type Conversion = for<'a> fn(Item<'a>) -> Option<Item<'a>>;

fn convert<'a>(evaluation: &Evaluation<'a>, call: Call<'a, '_>, to: Conversion) -> Evaluated<Collection<'a>> {
    Ok(optional(call.input_value(evaluation)?.and_then(to)))
}

fn converts<'a>(evaluation: &Evaluation<'a>, call: Call<'a, '_>, to: Conversion) -> Evaluated<Collection<'a>> {
    Ok(match call.input_value(evaluation)? {
        Some(value) => boolean(to(value).is_some()),
        None => Collection::new(),
    })
}

fn to_boolean(item: Item<'_>) -> Option<Item<'_>> {
    let value = match &item {
        Item::Boolean(value) => *value,
        Item::Integer(1) => true,
        Item::Integer(0) => false,
        Item::Decimal(value) if *value == Decimal::from(1) => true,
        Item::Decimal(value) if value.is_zero() => false,
        Item::String(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "1" | "1.0" => true,
            "false" | "f" | "no" | "n" | "0" | "0.0" => false,
            _ => return None,
        },
        _ => return None,
    };
    Some(Item::Boolean(value))
}

fn to_integer(item: Item<'_>) -> Option<Item<'_>> {
    match item {
        Item::Integer(_) => Some(item),
        Item::Boolean(value) => Some(Item::Integer(i64::from(value))),
        Item::String(text) => text.parse().ok().map(Item::Integer),
        _ => None,
    }
}

fn to_decimal(item: Item<'_>) -> Option<Item<'_>> {
    match item {
        Item::Decimal(_) => Some(item),
        Item::Integer(value) => Some(Item::Decimal(Decimal::from(value))),
        Item::Boolean(value) => Decimal::new(if value { 10 } else { 0 }, 1).map(Item::Decimal),
        Item::String(text) => Decimal::parse(text.strip_prefix('+').unwrap_or(&text)).map(Item::Decimal),
        _ => None,
    }
}

fn to_string(item: Item<'_>) -> Option<Item<'_>> {
    match item {
        Item::String(_) => Some(item),
        Item::Element(_) | Item::Type(..) => None,
        value => Some(string(value.to_string())),
    }
}

fn to_date(item: Item<'_>) -> Option<Item<'_>> {
    match item {
        Item::Date(_) => Some(item),
        Item::DateTime(moment) => Some(Item::Date(moment.date())),
        Item::String(text) => {
            let date = DateTime::parse_partial(&text).filter(|date| date.precision() <= Precision::Day);
            date.filter(|_| !text.ends_with('T')).map(Item::Date)
        }
        _ => None,
    }
}

fn to_date_time(item: Item<'_>) -> Option<Item<'_>> {
    match item {
        Item::DateTime(_) => Some(item),
        Item::Date(date) => Some(Item::DateTime(date)),
        Item::String(text) => DateTime::parse_partial(&text).map(Item::DateTime),
        _ => None,
    }
}

fn to_time(item: Item<'_>) -> Option<Item<'_>> {
    match item {
        Item::Time(_) => Some(item),
        Item::String(text) => Time::parse(text.strip_prefix('T').unwrap_or(&text)).map(Item::Time),
        _ => None,
    }
}

/// As a quantity of another unit, where one is given: `12 'cm'` in `m` is `0.12 'm'`.
fn to_quantity_in<'a>(item: Item<'a>, unit: Option<&str>) -> Option<Item<'a>> {
    match (to_quantity(item)?, unit) {
        (Item::Quantity(value, from), Some(unit)) => quantity::in_unit(value, from, unit),
        (value, _) => Some(value),
    }
}

fn to_quantity(item: Item<'_>) -> Option<Item<'_>> {
    match item {
        Item::Quantity(..) => Some(item),
        Item::String(text) => quantity::parse(&text),
        Item::Integer(_) | Item::Decimal(_) | Item::Boolean(_) => match to_decimal(item)? {
            Item::Decimal(value) => Some(Item::Quantity(value, Cow::Borrowed("1"))),
            _ => None,
        },
        _ => None,
    }
}
