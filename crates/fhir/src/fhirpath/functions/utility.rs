//! Utility functions, <http://hl7.org/fhirpath/N1/#utility-functions>.

use super::{Call, Function, function, optional};
use crate::fhirpath::evaluate::{Evaluated, Evaluation};
use crate::fhirpath::item::{boolean, single};
use crate::fhirpath::{Collection, EvaluationError, Item};
use crate::{DateTime, Precision};

pub(super) const FUNCTIONS: &[Function] = &[
    // There is no log for an expression's writer: the input passes through.
    function("trace", 1..=2, |_, call| Ok(call.input)),
    function("now", 0..=0, |evaluation, _| Ok(optional(now(evaluation).map(Item::DateTime)))),
    function("today", 0..=0, |evaluation, _| Ok(optional(now(evaluation).map(|now| Item::Date(now.date()))))),
    function("timeOfDay", 0..=0, |evaluation, _| {
        Ok(optional(now(evaluation).and_then(|now| now.time()).map(Item::Time)))
    }),
    function("iif", 2..=3, iif),
];

fn now(evaluation: &Evaluation<'_>) -> Option<DateTime> {
    DateTime::from_instant(evaluation.context.now, Precision::Millisecond)
}

/// The criterion and the results see the input as `$this`; only the chosen result is evaluated.
fn iif<'a>(evaluation: &Evaluation<'a>, call: Call<'a, '_>) -> Evaluated<Collection<'a>> {
    let this = single(&call.input)?;
    let scope = call.scope.at(this, call.scope.index);
    let criterion = evaluation.eval(&call.arguments[0], &scope)?;
    let is_true = match single(&criterion)? {
        None => false,
        Some(item) => boolean(item)
            .ok_or_else(|| EvaluationError(format!("iif() expects a boolean criterion, found {item:?}")))?,
    };
    match (is_true, call.arguments.get(2)) {
        (true, _) => evaluation.eval(&call.arguments[1], &scope),
        (false, Some(otherwise)) => evaluation.eval(otherwise, &scope),
        (false, None) => Ok(Collection::new()),
    }
}
