//! Filtering, projection and aggregates, <http://hl7.org/fhirpath/N1/#filtering-and-projection>.

use std::cmp::Ordering;

use super::{Call, Function, function};
use crate::fhirpath::compare::{ItemSet, order};
use crate::fhirpath::evaluate::{Evaluated, Evaluation, Scope};
use crate::fhirpath::expression::Expr;
use crate::fhirpath::item::single;
use crate::fhirpath::{Collection, Item};

// `is`, `as` and `ofType` are steps of their own: their argument is a type name, not an expression.
pub(super) const FUNCTIONS: &[Function] = &[
    function("where", 1..=1, keep),
    function("select", 1..=1, select),
    function("repeat", 1..=1, repeat),
    function("aggregate", 1..=2, aggregate),
    function("sort", 0..=usize::MAX, sort),
];

fn keep<'a>(evaluation: &Evaluation<'a>, call: Call<'a, '_>) -> Evaluated<Collection<'a>> {
    let mut kept = Collection::new();
    for (index, item) in call.input.iter().enumerate() {
        if call.criterion(evaluation, item, index)? {
            evaluation.push(&mut kept, item.clone())?;
        }
    }
    Ok(kept)
}

fn select<'a>(evaluation: &Evaluation<'a>, call: Call<'a, '_>) -> Evaluated<Collection<'a>> {
    evaluation.project(&call.arguments[0], &call.input, call.scope)
}

/// Adds what the projection gives for the input, then for what was added, until nothing new comes.
fn repeat<'a>(evaluation: &Evaluation<'a>, call: Call<'a, '_>) -> Evaluated<Collection<'a>> {
    let mut found = ItemSet::new();
    for (index, item) in call.input.iter().enumerate() {
        for item in evaluation.eval(&call.arguments[0], &call.scope.at(Some(item), index))? {
            found.insert(evaluation, item)?;
        }
    }
    let mut next = 0;
    while let Some(item) = found.items.get(next).cloned() {
        for item in evaluation.eval(&call.arguments[0], &call.scope.at(Some(&item), next))? {
            found.insert(evaluation, item)?;
        }
        next += 1;
    }
    Ok(found.items)
}

fn aggregate<'a>(evaluation: &Evaluation<'a>, call: Call<'a, '_>) -> Evaluated<Collection<'a>> {
    let mut total = call.argument(evaluation, 1)?;
    for (index, item) in call.input.iter().enumerate() {
        let scope = Scope { this: Some(item), index, total: Some(&total) };
        let next = evaluation.eval(&call.arguments[0], &scope)?;
        total = next;
    }
    Ok(total)
}

/// Sorts by the keys that the arguments give, by the items themselves when there is none. A key with a minus sign before it
/// sorts downwards; an empty key comes first either way.
fn sort<'a>(evaluation: &Evaluation<'a>, call: Call<'a, '_>) -> Evaluated<Collection<'a>> {
    let is_descending: Vec<bool> = call.arguments.iter().map(|key| matches!(key, Expr::Negate(..))).collect();
    let mut rows = Vec::with_capacity(call.input.len());
    for (index, item) in call.input.iter().enumerate() {
        let mut keys = Vec::with_capacity(call.arguments.len());
        for argument in call.arguments {
            let key = if let Expr::Negate(_, key) = argument { key } else { argument };
            let value = evaluation.eval(key, &call.scope.at(Some(item), index))?;
            keys.push(single(&value)?.cloned());
        }
        if call.arguments.is_empty() {
            keys.push(Some(item.clone()));
        }
        rows.push(Row { keys, item: item.clone() });
    }
    let rows = sorted(rows, &|left, right| {
        for (at, (left, right)) in left.keys.iter().zip(&right.keys).enumerate() {
            let ordering = compare_keys(evaluation, left.as_ref(), right.as_ref())?;
            let is_reversed = left.is_some() && right.is_some() && is_descending.get(at) == Some(&true);
            match if is_reversed { ordering.reverse() } else { ordering } {
                Ordering::Equal => {}
                decided => return Ok(decided),
            }
        }
        Ok(Ordering::Equal)
    })?;
    Ok(rows.into_iter().map(|row| row.item).collect())
}

struct Row<'a> {
    keys: Vec<Option<Item<'a>>>,
    item: Item<'a>,
}

/// A stable merge sort of our own: dates of different precision have no total order, which the standard one may panic on.
fn sorted<'a>(
    mut rows: Vec<Row<'a>>,
    compare: &impl Fn(&Row<'a>, &Row<'a>) -> Evaluated<Ordering>,
) -> Evaluated<Vec<Row<'a>>> {
    if rows.len() < 2 {
        return Ok(rows);
    }
    let mut merged = Vec::with_capacity(rows.len());
    let right = rows.split_off(rows.len() / 2);
    let mut left = sorted(rows, compare)?.into_iter().peekable();
    let mut right = sorted(right, compare)?.into_iter().peekable();
    while let (Some(first), Some(second)) = (left.peek(), right.peek()) {
        let next = if compare(first, second)?.is_le() { left.next() } else { right.next() };
        merged.extend(next);
    }
    merged.extend(left);
    merged.extend(right);
    Ok(merged)
}

fn compare_keys<'a>(
    evaluation: &Evaluation<'a>,
    left: Option<&Item<'a>>,
    right: Option<&Item<'a>>,
) -> Evaluated<Ordering> {
    evaluation.spend(1)?;
    match (left, right) {
        (Some(left), Some(right)) => Ok(order(evaluation.context.definitions, left, right)?.unwrap_or(Ordering::Equal)),
        (left, right) => Ok(left.is_some().cmp(&right.is_some())),
    }
}
