//! Subsetting, <http://hl7.org/fhirpath/N1/#subsetting>.

use super::{Call, Function, function, optional};
use crate::fhirpath::EvaluationError;
use crate::fhirpath::compare::{ItemSet, distinct};
use crate::fhirpath::evaluate::{Evaluated, Evaluation};
use crate::fhirpath::item::single;

pub(super) const FUNCTIONS: &[Function] = &[
    function("single", 0..=0, |_, call| {
        single(&call.input)?;
        Ok(call.input)
    }),
    function("first", 0..=0, |_, call| Ok(optional(call.input.into_iter().next()))),
    function("last", 0..=0, |_, call| Ok(optional(call.input.into_iter().next_back()))),
    function("tail", 0..=0, |_, call| Ok(call.input.into_iter().skip(1).collect())),
    function("skip", 1..=1, |evaluation, call| {
        let count = count(evaluation, &call)?;
        Ok(call.input.into_iter().skip(count).collect())
    }),
    function("take", 1..=1, |evaluation, call| {
        let count = count(evaluation, &call)?;
        Ok(call.input.into_iter().take(count).collect())
    }),
    function("intersect", 1..=1, |evaluation, call| {
        let other = call.argument(evaluation, 0)?;
        let other = ItemSet::of(evaluation, other)?;
        let common = evaluation.filter(call.input, |item| other.contains(evaluation, item))?;
        distinct(evaluation, common)
    }),
    function("exclude", 1..=1, |evaluation, call| {
        let other = call.argument(evaluation, 0)?;
        let other = ItemSet::of(evaluation, other)?;
        evaluation.filter(call.input, |item| Ok(!other.contains(evaluation, item)?))
    }),
];

/// The first argument as a number of items; negative counts as none.
fn count<'a>(evaluation: &Evaluation<'a>, call: &Call<'a, '_>) -> Evaluated<usize> {
    match call.integer(evaluation, 0)? {
        Some(count) => Ok(usize::try_from(count).unwrap_or(0)),
        None => Err(EvaluationError::new("a number of items is expected, found nothing")),
    }
}
