//! `$break-glass` on a Patient: a practitioner declares an emergency.

use bytes::Bytes;
use fhir::{IssueType, Outcome};
use repository::{Emergency, Session};

use crate::inputs::Inputs;
use crate::{Invocation, Operation, Subject};

/// Input `reason`; the answer says until when, and names the Communication that tells the patient.
pub(crate) struct BreakGlass;

impl Operation for BreakGlass {
    fn code(&self) -> &'static str {
        "break-glass"
    }

    fn definition(&self) -> &'static str {
        "https://flint.example/fhir/OperationDefinition/break-glass"
    }

    fn at_instances(&self) -> &'static [&'static str] {
        &["Patient"]
    }

    fn affects_state(&self) -> bool {
        true
    }

    fn run(&self, session: &Session<'_>, invocation: &Invocation) -> Result<Bytes, Outcome> {
        let Subject::Instance(patient) = &invocation.subject else {
            return Err(Outcome::new(IssueType::Exception, "an operation on instances was run on none"));
        };
        let reason = Inputs::of(invocation).needed("reason")?;
        let Emergency { until, communication } = session.break_glass(patient, &reason)?;
        let answer = format!(
            r#"{{"resourceType":"Parameters","parameter":[{{"name":"until","valueInstant":"{until}"}},{{"name":"communication","valueReference":{{"reference":"{communication}"}}}}]}}"#
        );
        Ok(answer.into())
    }
}
