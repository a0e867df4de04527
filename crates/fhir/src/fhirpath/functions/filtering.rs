//! Filtering, projection and aggregates, <http://hl7.org/fhirpath/N1/#filtering-and-projection>.

use std::cmp::Ordering;

use super::{Call, Function, function};
use crate::fhirpath::compare::{ItemSet, order};
use crate::fhirpath::evaluate::{COLLECTION_LENGTH_MAX, Evaluated, Evaluation, Scope};
use crate::fhirpath::expression::Expr;
use crate::fhirpath::item::single;
use crate::fhirpath::{Collection, EvaluationError, Item};

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
    let mut selected = Collection::new();
    for (index, item) in call.input.iter().enumerate() {
        for item in evaluation.eval(&call.arguments[0], &call.scope.at(Some(item), index))? {
            evaluation.push(&mut selected, item)?;
        }
    }
    Ok(selected)
}

/// Adds what the projection gives until nothing new comes.
fn repeat<'a>(evaluation: &Evaluation<'a>, call: Call<'a, '_>) -> Evaluated<Collection<'a>> {
    let mut found = Collection::new();
    let mut round = call.input;
    while !round.is_empty() {
        let mut new = Collection::new();
        for (index, item) in round.iter().enumerate() {
            for item in evaluation.eval(&call.arguments[0], &call.scope.at(Some(item), index))? {
                evaluation.push(&mut new, item)?;
            }
        }
        let is_new = {
            let mut known = ItemSet::of(evaluation, &found)?;
            new.iter().map(|item| known.insert(evaluation, item)).collect::<Evaluated<Vec<bool>>>()?
        };
        let new = new.into_iter().zip(is_new).filter(|(_, is_new)| *is_new).map(|(item, _)| item);
        round = new.collect();
        found.extend(round.iter().cloned());
        if found.len() > COLLECTION_LENGTH_MAX {
            return Err(EvaluationError(format!("repeat() found more than {COLLECTION_LENGTH_MAX} items")));
        }
    }
    Ok(found)
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
/// sorts downwards; an empty key comes first.
fn sort<'a>(evaluation: &Evaluation<'a>, call: Call<'a, '_>) -> Evaluated<Collection<'a>> {
    let mut rows = Vec::with_capacity(call.input.len());
    for (index, item) in call.input.iter().enumerate() {
        let mut keys = Vec::new();
        if call.arguments.is_empty() {
            keys.push((Some(item.clone()), false));
        }
        for argument in call.arguments {
            let (key, is_descending) = match argument {
                Expr::Negate(key) => (&**key, true),
                key => (key, false),
            };
            let value = evaluation.eval(key, &call.scope.at(Some(item), index))?;
            keys.push((single(&value)?.cloned(), is_descending));
        }
        rows.push((keys, item.clone()));
    }
    let mut failure = None;
    rows.sort_by(|(left, _), (right, _)| {
        let keys = left.iter().zip(right);
        let orders = keys.map(|((left, is_descending), (right, _))| {
            let ordering = compare_keys(evaluation, left.as_ref(), right.as_ref()).unwrap_or_else(|error| {
                failure = Some(error);
                Ordering::Equal
            });
            if *is_descending { ordering.reverse() } else { ordering }
        });
        orders.fold(Ordering::Equal, Ordering::then)
    });
    match failure {
        Some(error) => Err(error),
        None => Ok(rows.into_iter().map(|(_, item)| item).collect()),
    }
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
