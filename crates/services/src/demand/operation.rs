//! `$demand`.

use bytes::Bytes;
use fhir::{IssueType, Outcome};
use repository::{Requester, Session};

use super::figures::Figures;
use super::period::Period;
use crate::inputs::Inputs;
use crate::{Invocation, Operation, Subject};

/// Inputs `start` and `end`, days. On a HealthcareService its own figures, on the type those of all services and of triage. For staff.
pub(crate) struct Demand;

impl Operation for Demand {
    fn code(&self) -> &'static str {
        "demand"
    }

    fn definition(&self) -> &'static str {
        "https://flint.example/fhir/OperationDefinition/demand"
    }

    fn at_types(&self) -> &'static [&'static str] {
        &["HealthcareService"]
    }

    fn at_instances(&self) -> &'static [&'static str] {
        &["HealthcareService"]
    }

    fn affects_state(&self) -> bool {
        false
    }

    fn run(&self, session: &Session<'_>, invocation: &Invocation) -> Result<Bytes, Outcome> {
        if !session.requester().is_none_or(Requester::is_practice) {
            return Err(Outcome::new(IssueType::Forbidden, "only staff and the record keeper are told these figures"));
        }
        let inputs = Inputs::of(invocation);
        let period = Period::new(&inputs.needed("start")?, &inputs.needed("end")?)?;
        let service = match &invocation.subject {
            Subject::Instance(service) => Some(session.read(service)?.key),
            _ => None,
        };
        let parameters = Figures { session, service: service.as_ref(), period }.parameters()?;
        Ok(format!(r#"{{"resourceType":"Parameters","parameter":[{}]}}"#, parameters.join(",")).into())
    }
}
