//! Binary operators except logic and union, <http://hl7.org/fhirpath/N1/#operations>.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::compare::{decimals, equal, equal_collections, equivalent_collections, order};
use super::evaluate::{Evaluated, Evaluation};
use super::expression::Operator;
use super::item::{one, optional, single, truth_item};
use super::{Collection, EvaluationError, Item, quantity};
use crate::Decimal;
use crate::datetime::CalendarUnit;

/// Applies an operator to two collections.
pub(super) fn apply<'a>(
    evaluation: &Evaluation<'a>,
    operator: Operator,
    left: Collection<'a>,
    right: Collection<'a>,
) -> Evaluated<Collection<'a>> {
    evaluation.spend(1)?;
    let result = match operator {
        Operator::Equal => equal_collections(evaluation, &left, &right)?,
        Operator::NotEqual => equal_collections(evaluation, &left, &right)?.map(|equal| !equal),
        Operator::Equivalent => Some(equivalent_collections(evaluation, &left, &right)?),
        Operator::NotEquivalent => Some(!equivalent_collections(evaluation, &left, &right)?),
        Operator::Less => ordered(evaluation, &left, &right)?.map(Ordering::is_lt),
        Operator::LessOrEqual => ordered(evaluation, &left, &right)?.map(Ordering::is_le),
        Operator::Greater => ordered(evaluation, &left, &right)?.map(Ordering::is_gt),
        Operator::GreaterOrEqual => ordered(evaluation, &left, &right)?.map(Ordering::is_ge),
        Operator::In => member(evaluation, &left, &right)?,
        Operator::Contains => member(evaluation, &right, &left)?,
        Operator::Concatenate => return concatenate(evaluation, &left, &right),
        _ => {
            let (Some(left), Some(right)) = (single(&left)?, single(&right)?) else { return Ok(Collection::new()) };
            let definitions = evaluation.context.definitions;
            let (left, right) = (left.system(definitions), right.system(definitions));
            return Ok(optional(arithmetic(evaluation, operator, &left, &right)?));
        }
    };
    Ok(truth_item(result))
}

fn ordered<'a>(
    evaluation: &Evaluation<'a>,
    left: &Collection<'a>,
    right: &Collection<'a>,
) -> Evaluated<Option<Ordering>> {
    match (single(left)?, single(right)?) {
        (Some(left), Some(right)) => order(evaluation.context.definitions, left, right),
        _ => Ok(None),
    }
}

/// `item in collection`.
fn member<'a>(
    evaluation: &Evaluation<'a>,
    item: &Collection<'a>,
    collection: &Collection<'a>,
) -> Evaluated<Option<bool>> {
    let Some(item) = single(item)? else { return Ok(None) };
    evaluation.spend(collection.len())?;
    for candidate in collection {
        if equal(evaluation, candidate, item)? == Some(true) {
            return Ok(Some(true));
        }
    }
    Ok(Some(false))
}

/// `&`: an empty side is the empty string.
fn concatenate<'a>(
    evaluation: &Evaluation<'a>,
    left: &Collection<'a>,
    right: &Collection<'a>,
) -> Evaluated<Collection<'a>> {
    let text = |side: &Collection<'a>| -> Evaluated<Cow<'a, str>> {
        match single(side)?.map(|item| item.system(evaluation.context.definitions)) {
            None => Ok(Cow::Borrowed("")),
            Some(Item::String(text)) => Ok(text),
            Some(other) => Err(EvaluationError::new(format!("`&` joins strings, found {other:?}"))),
        }
    };
    let (left, right) = (text(left)?, text(right)?);
    evaluation.spend_string(left.len() + right.len())?;
    Ok(one(Item::String(left + right)))
}

/// `+ - * / div mod`; `None` where there is no result: division by zero, a result out of range.
fn arithmetic<'a>(
    evaluation: &Evaluation<'a>,
    operator: Operator,
    left: &Item<'a>,
    right: &Item<'a>,
) -> Evaluated<Option<Item<'a>>> {
    let result = match (left, right) {
        (Item::Integer(left), Item::Integer(right)) if operator != Operator::Divide => match operator {
            Operator::Add => left.checked_add(*right),
            Operator::Subtract => left.checked_sub(*right),
            Operator::Multiply => left.checked_mul(*right),
            Operator::Div => left.checked_div(*right),
            _ => left.checked_rem(*right),
        }
        .map(Item::Integer),
        (Item::String(left), Item::String(right)) if operator == Operator::Add => {
            evaluation.spend_string(left.len() + right.len())?;
            Some(Item::String(format!("{left}{right}").into()))
        }
        (Item::Date(_) | Item::DateTime(_) | Item::Time(_), Item::Quantity(amount, unit)) => match operator {
            Operator::Add => shift(left, *amount, unit)?,
            Operator::Subtract => shift(left, -*amount, unit)?,
            _ => return Err(undefined(operator, left, right)),
        },
        (Item::Quantity(..), _) | (_, Item::Quantity(..)) => {
            return quantity::arithmetic(operator, left, right).ok_or_else(|| undefined(operator, left, right));
        }
        _ => {
            let (left, right) = decimals(left, right).ok_or_else(|| undefined(operator, left, right))?;
            match operator {
                Operator::Add => left.checked_add(right).map(Item::Decimal),
                Operator::Subtract => left.checked_sub(right).map(Item::Decimal),
                Operator::Multiply => left.checked_mul(right).map(Item::Decimal),
                Operator::Divide => left.checked_div(right).map(Item::Decimal),
                Operator::Div => {
                    left.checked_div(right).and_then(Decimal::truncate).and_then(Decimal::to_i64).map(Item::Integer)
                }
                _ => left.checked_rem(right).map(Item::Decimal),
            }
        }
    };
    Ok(result)
}

/// A date or time so much later; `None` outside the years 1 to 9999.
fn shift<'a>(moment: &Item<'a>, amount: Decimal, unit: &str) -> Evaluated<Option<Item<'a>>> {
    let unit = match unit {
        "year" => CalendarUnit::Year,
        "month" => CalendarUnit::Month,
        "week" | "wk" => CalendarUnit::Week,
        "day" | "d" => CalendarUnit::Day,
        "hour" | "h" => CalendarUnit::Hour,
        "minute" | "min" => CalendarUnit::Minute,
        "second" | "s" => CalendarUnit::Second,
        "millisecond" | "ms" => CalendarUnit::Millisecond,
        other => return Err(EvaluationError::new(format!("`{other}` is not a duration that dates can be moved by"))),
    };
    Ok(match moment {
        Item::Date(date) => date.add(amount, unit).map(Item::Date),
        Item::DateTime(moment) => moment.add(amount, unit).map(Item::DateTime),
        Item::Time(time) => time.add(amount, unit).map(Item::Time),
        _ => None,
    })
}

fn undefined(operator: Operator, left: &Item<'_>, right: &Item<'_>) -> EvaluationError {
    EvaluationError::new(format!("`{}` is not defined for {left:?} and {right:?}", operator.symbol()))
}

/// Unary minus.
pub(super) fn negate<'a>(evaluation: &Evaluation<'a>, operand: Collection<'a>) -> Evaluated<Collection<'a>> {
    let Some(item) = single(&operand)? else { return Ok(operand) };
    let negated = match item.system(evaluation.context.definitions) {
        Item::Integer(value) => value.checked_neg().map(Item::Integer),
        Item::Decimal(value) => Some(Item::Decimal(-value)),
        Item::Quantity(value, unit) => Some(Item::Quantity(-value, unit)),
        other => return Err(EvaluationError::new(format!("`-` is not defined for {other:?}"))),
    };
    Ok(optional(negated))
}
