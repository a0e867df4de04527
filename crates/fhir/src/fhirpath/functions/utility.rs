//! Utility functions, <http://hl7.org/fhirpath/N1/#utility-functions>.

use super::{Call, Function, function, optional};
use crate::fhirpath::evaluate::{Evaluated, Evaluation};
use crate::fhirpath::item::{boolean, single};
use crate::fhirpath::{Collection, EvaluationError, Item, Trace};
use crate::{DateTime, Precision};

pub(super) const FUNCTIONS: &[Function] = &[
    function("trace", 1..=2, trace),
    function("now", 0..=0, |evaluation, _| Ok(optional(now(evaluation).map(Item::DateTime)))),
    function("today", 0..=0, |evaluation, _| Ok(optional(now(evaluation).map(|now| Item::Date(now.date()))))),
    function("timeOfDay", 0..=0, |evaluation, _| {
        Ok(optional(now(evaluation).and_then(|now| now.time()).map(Item::Time)))
    }),
    function("iif", 2..=3, iif),
];

/// The input passes through; what it is, or what the second argument makes of each item, is kept for those who ask for traces.
fn trace<'a>(evaluation: &Evaluation<'a>, call: Call<'a, '_>) -> Evaluated<Collection<'a>> {
    let Some(name) = call.text(evaluation, 0)? else {
        return Err(EvaluationError::new("trace() needs a name, found nothing"));
    };
    if evaluation.is_traced() {
        let items = match call.arguments.get(1) {
            Some(projection) => evaluation.project(projection, &call.input, call.scope)?,
            None => call.input.clone(),
        };
        evaluation.keep_trace(Trace { name, items })?;
    }
    Ok(call.input)
}

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
            .ok_or_else(|| EvaluationError::new(format!("iif() expects a boolean criterion, found {item:?}")))?,
    };
    match (is_true, call.arguments.get(2)) {
        (true, _) => evaluation.eval(&call.arguments[1], &scope),
        (false, Some(otherwise)) => evaluation.eval(otherwise, &scope),
        (false, None) => Ok(Collection::new()),
    }
}
