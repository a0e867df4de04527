//! Combining, <http://hl7.org/fhirpath/N1/#combining>.

use super::{Call, Function, function};
use crate::fhirpath::Collection;
use crate::fhirpath::compare::distinct;
use crate::fhirpath::evaluate::{Evaluated, Evaluation};

pub(super) const FUNCTIONS: &[Function] = &[
    function("union", 1..=1, |evaluation, call| {
        let all = combine(evaluation, call)?;
        distinct(evaluation, all)
    }),
    function("combine", 1..=1, combine),
];

fn combine<'a>(evaluation: &Evaluation<'a>, call: Call<'a, '_>) -> Evaluated<Collection<'a>> {
    let other = call.argument(evaluation, 0)?;
    let mut all = call.input;
    for item in other {
        evaluation.push(&mut all, item)?;
    }
    Ok(all)
}
