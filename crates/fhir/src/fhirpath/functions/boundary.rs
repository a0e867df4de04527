//! Boundaries and precision, <https://hl7.org/fhirpath/#lowboundaryprecision-integer-decimal--date--datetime--time>: the least and
//! the greatest value that a value of limited precision can stand for.

use super::{Call, Function, boolean, function, integer, optional};
use crate::fhirpath::evaluate::{Evaluated, Evaluation};
use crate::fhirpath::quantity;
use crate::fhirpath::{Collection, EvaluationError, Item};
use crate::{DateTime, Decimal, Time};

pub(super) const FUNCTIONS: &[Function] = &[
    function("lowBoundary", 0..=1, |evaluation, call| boundary(evaluation, call, Side::Low)),
    function("highBoundary", 0..=1, |evaluation, call| boundary(evaluation, call, Side::High)),
    function("precision", 0..=0, |evaluation, call| {
        let digits = |text: &str| text.bytes().filter(u8::is_ascii_digit).count();
        Ok(match call.input_value(evaluation)? {
            None => Collection::new(),
            Some(Item::Integer(_)) => integer(0),
            Some(Item::Decimal(value)) => integer(usize::try_from(value.scale()).unwrap_or(0)),
            Some(Item::Date(moment) | Item::DateTime(moment)) => integer(digits(split_offset(&moment.to_string()).0)),
            Some(Item::Time(time)) => integer(digits(&time.to_string())),
            Some(other) => return Err(EvaluationError::new(format!("{other:?} has no precision"))),
        })
    }),
    function("comparable", 1..=1, |evaluation, call| {
        Ok(match (call.input_value(evaluation)?, call.value(evaluation, 0)?) {
            (Some(Item::Quantity(_, left)), Some(Item::Quantity(_, right))) => {
                boolean(quantity::comparable(&left, &right))
            }
            _ => Collection::new(),
        })
    }),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Low,
    High,
}

/// A decimal's boundary has no more digits after the point.
const SCALE_MAX: i32 = 31;

/// The argument says how many digits the result has: after the point for numbers, in all for dates and times. Empty when that
/// many are not possible.
fn boundary<'a>(evaluation: &Evaluation<'a>, call: Call<'a, '_>, side: Side) -> Evaluated<Collection<'a>> {
    let precision = call.integer(evaluation, 0)?.map(|digits| i32::try_from(digits).unwrap_or(-1));
    let Some(value) = call.input_value(evaluation)? else { return Ok(Collection::new()) };
    let scale = precision.unwrap_or(8);
    Ok(optional(match value {
        Item::Integer(value) => decimal_boundary(Decimal::from(value), scale, side).map(Item::Decimal),
        Item::Decimal(value) => decimal_boundary(value, scale, side).map(Item::Decimal),
        Item::Quantity(value, unit) => decimal_boundary(value, scale, side).map(|value| Item::Quantity(value, unit)),
        Item::Date(date) => {
            let text = moment_boundary(&date.to_string(), &DATE_PARTS, precision.unwrap_or(8), side);
            text.and_then(|text| DateTime::parse_partial(&text)).map(Item::Date)
        }
        Item::DateTime(moment) => date_time_boundary(&moment, precision.unwrap_or(17), side).map(Item::DateTime),
        Item::Time(time) => {
            let text = moment_boundary(&time.to_string(), &TIME_PARTS, precision.unwrap_or(9), side);
            text.and_then(|text| Time::parse(&text)).map(Item::Time)
        }
        other => return Err(EvaluationError::new(format!("{other:?} has no boundary"))),
    }))
}

fn decimal_boundary(value: Decimal, scale: i32, side: Side) -> Option<Decimal> {
    if !(0..=SCALE_MAX).contains(&scale) {
        return None;
    }
    let (low, high) = value.implicit_range();
    let power = Decimal::new(1, -scale)?;
    let shifted = match side {
        Side::Low => low.checked_mul(power)?.floor()?,
        Side::High => high.checked_mul(power)?.ceiling()?,
    };
    shifted.checked_mul(Decimal::new(1, scale)?)?.at_scale(scale)
}

/// A part of a date or time: how many digits there are with it, and what it is at least and at most.
struct Part {
    digits: i32,
    low: &'static str,
    /// Tried from the first on: a month has up to 31 days.
    high: &'static [&'static str],
}

const fn part(digits: i32, low: &'static str, high: &'static [&'static str]) -> Part {
    Part { digits, low, high }
}

const MONTH: Part = part(6, "-01", &["-12"]);
const DAY: Part = part(8, "-01", &["-31", "-30", "-29", "-28"]);
const DATE_PARTS: [Part; 2] = [MONTH, DAY];
const DATE_TIME_PARTS: [Part; 6] = [
    MONTH,
    DAY,
    part(10, "T00", &["T23"]),
    part(12, ":00", &[":59"]),
    part(14, ":00", &[":59"]),
    part(17, ".000", &[".999"]),
];
const TIME_PARTS: [Part; 3] = [part(4, ":00", &[":59"]), part(6, ":00", &[":59"]), part(9, ".000", &[".999"])];

/// Cuts or completes the text of a date or time to so many digits.
fn moment_boundary(text: &str, parts: &[Part], precision: i32, side: Side) -> Option<String> {
    let digits = |text: &str| text.bytes().filter(u8::is_ascii_digit).count() as i32;
    let first = parts[0].digits - 2;
    if precision != first && !parts.iter().any(|part| part.digits == precision) {
        return None;
    }
    let mut text = text.to_owned();
    while digits(&text) > precision {
        text.pop();
    }
    let mut text = text.trim_end_matches(['-', 'T', ':', '.']).to_owned();
    for part in parts.iter().filter(|part| part.digits <= precision) {
        if digits(&text) >= part.digits {
            continue;
        }
        let choices = if side == Side::Low { std::slice::from_ref(&part.low) } else { part.high };
        let is_possible = |text: &String| choices.len() == 1 || DateTime::parse_partial(text).is_some();
        text = choices.iter().map(|choice| format!("{text}{choice}")).find(is_possible)?;
    }
    Some(text)
}

/// Where no offset is given it could be any: the earliest moment is where the day begins first, the latest where it begins last.
fn date_time_boundary(moment: &DateTime, precision: i32, side: Side) -> Option<DateTime> {
    let text = moment.to_string();
    let (local, offset) = split_offset(&text);
    let local = moment_boundary(local, &DATE_TIME_PARTS, precision, side)?;
    let offset = match (offset, side) {
        _ if precision <= 8 => "",
        ("", Side::Low) => "+14:00",
        ("", Side::High) => "-12:00",
        (offset, _) => offset,
    };
    DateTime::parse_partial(&format!("{local}{offset}"))
}

/// The date and time as it is locally, and its offset.
fn split_offset(text: &str) -> (&str, &str) {
    let time = text.find('T').unwrap_or(text.len());
    let offset = text[time..].find(['Z', '+', '-']).map_or(text.len(), |at| time + at);
    text.split_at(offset)
}
