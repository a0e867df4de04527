//! Existence, <http://hl7.org/fhirpath/N1/#existence>.

use super::{Call, Function, boolean, function, integer};
use crate::fhirpath::compare::{ItemSet, distinct};
use crate::fhirpath::evaluate::{Evaluated, Evaluation};
use crate::fhirpath::item;
use crate::fhirpath::{Collection, EvaluationError};

pub(super) const FUNCTIONS: &[Function] = &[
    function("empty", 0..=0, |_, call| Ok(boolean(call.input.is_empty()))),
    function("exists", 0..=1, exists),
    function("not", 0..=0, |_, call| Ok(item::truth_item(item::truth(&call.input)?.map(|value| !value)))),
    function("all", 1..=1, all),
    function("allTrue", 0..=0, |_, call| Ok(boolean(!booleans(&call)?.contains(&false)))),
    function("anyTrue", 0..=0, |_, call| Ok(boolean(booleans(&call)?.contains(&true)))),
    function("allFalse", 0..=0, |_, call| Ok(boolean(!booleans(&call)?.contains(&true)))),
    function("anyFalse", 0..=0, |_, call| Ok(boolean(booleans(&call)?.contains(&false)))),
    function("subsetOf", 1..=1, |evaluation, call| {
        let other = call.argument(evaluation, 0)?;
        is_subset(evaluation, &call.input, other)
    }),
    function("supersetOf", 1..=1, |evaluation, call| {
        let other = call.argument(evaluation, 0)?;
        is_subset(evaluation, &other, call.input)
    }),
    function("count", 0..=0, |_, call| Ok(integer(call.input.len()))),
    function("distinct", 0..=0, |evaluation, call| distinct(evaluation, call.input)),
    function("isDistinct", 0..=0, |evaluation, call| {
        let mut set = ItemSet::new();
        for item in call.input {
            if !set.insert(evaluation, item)? {
                return Ok(boolean(false));
            }
        }
        Ok(boolean(true))
    }),
];

fn exists<'a>(evaluation: &Evaluation<'a>, call: Call<'a, '_>) -> Evaluated<Collection<'a>> {
    for (index, item) in call.input.iter().enumerate() {
        if call.criterion(evaluation, item, index)? {
            return Ok(boolean(true));
        }
    }
    Ok(boolean(false))
}

fn all<'a>(evaluation: &Evaluation<'a>, call: Call<'a, '_>) -> Evaluated<Collection<'a>> {
    for (index, item) in call.input.iter().enumerate() {
        if !call.criterion(evaluation, item, index)? {
            return Ok(boolean(false));
        }
    }
    Ok(boolean(true))
}

fn booleans(call: &Call<'_, '_>) -> Evaluated<Vec<bool>> {
    let boolean = |found| {
        item::boolean(found).ok_or_else(|| EvaluationError::new(format!("expected only booleans, found {found:?}")))
    };
    call.input.iter().map(boolean).collect()
}

fn is_subset<'a>(
    evaluation: &Evaluation<'a>,
    part: &Collection<'a>,
    whole: Collection<'a>,
) -> Evaluated<Collection<'a>> {
    let whole = ItemSet::of(evaluation, whole)?;
    for item in part {
        if !whole.contains(evaluation, item)? {
            return Ok(boolean(false));
        }
    }
    Ok(boolean(true))
}
