//! `$populate` on Questionnaire: a response with the answers that are known already,
//! <http://hl7.org/fhir/uv/sdc/OperationDefinition/Questionnaire-populate>.
//!
//! Every item of the form has its place in the response. A question is answered by, in this order, its `initialExpression`, the newest
//! Observation of its code where it has an `observationLinkPeriod`, and its `initial` values. A group with an `itemPopulationContext` comes
//! once for each item of that. Expressions are FHIRPath with the launch contexts and variables of the form, or FHIR queries.
//!
//! What is known here is used where `local` is true, and as far as the caller may read it. What cannot be filled in is told in `issues`, and
//! leaves the question open.

mod asked;
mod convert;
mod expression;
mod observation;
mod walk;

use bytes::Bytes;
use fhir::Outcome;
use repository::Session;

use self::asked::Asked;
use crate::inputs::Inputs;
use crate::{Invocation, Operation};

/// Inputs: which form, as `questionnaire` (itself, its url, or a reference to it), `questionnaireRef`, `canonical` or `identifier`, where it is
/// not that of the URL; `subject`; `context` with parts `name` and `content`; `local`.
pub(crate) struct Populate;

impl Operation for Populate {
    fn code(&self) -> &'static str {
        "populate"
    }

    fn definition(&self) -> &'static str {
        "http://hl7.org/fhir/uv/sdc/OperationDefinition/Questionnaire-populate"
    }

    fn at_types(&self) -> &'static [&'static str] {
        &["Questionnaire"]
    }

    fn at_instances(&self) -> &'static [&'static str] {
        &["Questionnaire"]
    }

    fn affects_state(&self) -> bool {
        false
    }

    fn run(&self, session: &Session<'_>, invocation: &Invocation) -> Result<Bytes, Outcome> {
        let inputs = Inputs::of(invocation);
        let asked = Asked::read(session, invocation, &inputs)?;
        let (response, issues) = walk::filled(session, &asked)?;
        let mut answer =
            format!(r#"{{"resourceType":"Parameters","parameter":[{{"name":"response","resource":{response}}}"#);
        if !issues.is_empty() {
            let issues = Outcome { issues }.to_json();
            answer.push_str(&format!(r#",{{"name":"issues","resource":{issues}}}"#));
        }
        answer.push_str("]}");
        Ok(answer.into())
    }
}
