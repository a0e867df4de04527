//! Math, <http://hl7.org/fhirpath/N1/#math>. Roots, powers and logarithms go through floating point.

use super::{Call, Function, function, optional};
use crate::Decimal;
use crate::fhirpath::evaluate::{Evaluated, Evaluation};
use crate::fhirpath::{Collection, EvaluationError, Item};

pub(super) const FUNCTIONS: &[Function] = &[
    function("abs", 0..=0, |evaluation, call| match call.input_value(evaluation)? {
        Some(Item::Integer(value)) => Ok(optional(value.checked_abs().map(Item::Integer))),
        Some(Item::Quantity(value, unit)) => Ok(optional(Some(Item::Quantity(value.abs(), unit)))),
        _ => with_number(evaluation, &call, |value| Some(Item::Decimal(value.abs()))),
    }),
    function("ceiling", 0..=0, |evaluation, call| with_number(evaluation, &call, |value| whole(value.ceiling()))),
    function("floor", 0..=0, |evaluation, call| with_number(evaluation, &call, |value| whole(value.floor()))),
    function("truncate", 0..=0, |evaluation, call| with_number(evaluation, &call, |value| whole(value.truncate()))),
    function("round", 0..=1, |evaluation, call| {
        let places = call.integer(evaluation, 0)?.unwrap_or(0);
        let Some(places) = i32::try_from(places).ok().filter(|places| *places >= 0) else {
            return Err(EvaluationError::new(format!("round() expects a number of digits, found `{places}`")));
        };
        with_number(evaluation, &call, |value| value.at_scale(places).map(Item::Decimal))
    }),
    function("exp", 0..=0, |evaluation, call| with_number(evaluation, &call, |value| real(value.to_f64().exp()))),
    function("ln", 0..=0, |evaluation, call| with_number(evaluation, &call, |value| real(value.to_f64().ln()))),
    function("log", 1..=1, |evaluation, call| {
        with_numbers(evaluation, &call, |value, base| real(logarithm(value.to_f64(), base.to_f64())))
    }),
    function("power", 1..=1, power),
    function("sqrt", 0..=0, |evaluation, call| with_number(evaluation, &call, |value| real(value.to_f64().sqrt()))),
];

fn number(item: Item<'_>) -> Evaluated<Decimal> {
    match item {
        Item::Integer(value) => Ok(Decimal::from(value)),
        Item::Decimal(value) => Ok(value),
        other => Err(EvaluationError::new(format!("expected a number, found {other:?}"))),
    }
}

/// Applies a function to the input's number; empty when there is none.
fn with_number<'a>(
    evaluation: &Evaluation<'a>,
    call: &Call<'a, '_>,
    apply: impl FnOnce(Decimal) -> Option<Item<'a>>,
) -> Evaluated<Collection<'a>> {
    let value = call.input_value(evaluation)?.map(number).transpose()?;
    Ok(optional(value.and_then(apply)))
}

/// Applies a function to the input's number and the argument's; empty when either is.
fn with_numbers<'a>(
    evaluation: &Evaluation<'a>,
    call: &Call<'a, '_>,
    apply: impl FnOnce(Decimal, Decimal) -> Option<Item<'a>>,
) -> Evaluated<Collection<'a>> {
    let value = call.input_value(evaluation)?.map(number).transpose()?;
    let argument = call.value(evaluation, 0)?.map(number).transpose()?;
    Ok(optional(value.zip(argument).and_then(|(value, argument)| apply(value, argument))))
}

fn whole<'a>(value: Option<Decimal>) -> Option<Item<'a>> {
    value?.to_i64().map(Item::Integer)
}

/// Empty for what is no number.
fn real<'a>(value: f64) -> Option<Item<'a>> {
    Decimal::from_f64(value).map(Item::Decimal)
}

/// The bases two and ten have functions that are exact for their powers.
fn logarithm(value: f64, base: f64) -> f64 {
    match base {
        2.0 => value.log2(),
        10.0 => value.log10(),
        _ => value.ln() / base.ln(),
    }
}

/// An integer to the power of a natural number is an integer.
fn power<'a>(evaluation: &Evaluation<'a>, call: Call<'a, '_>) -> Evaluated<Collection<'a>> {
    if let (Some(Item::Integer(base)), Some(Item::Integer(exponent))) =
        (call.input_value(evaluation)?, call.value(evaluation, 0)?)
        && let Ok(exponent) = u32::try_from(exponent)
    {
        return Ok(optional(base.checked_pow(exponent).map(Item::Integer)));
    }
    with_numbers(evaluation, &call, |base, exponent| real(base.to_f64().powf(exponent.to_f64())))
}
