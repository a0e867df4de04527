//! The rule GuidanceGiver.

use fhir::Outcome;
use repository::{Planned, Requester, Rule, Transaction};

use super::refusal::Reason;

/// What an engine decides is written by systems and staff. A patient, or who acts for one, only reads it: an appointment may rest on it.
#[derive(Debug)]
pub(crate) struct GuidanceGiver;

impl Rule for GuidanceGiver {
    fn name(&self) -> &'static str {
        "guidance-giver"
    }

    fn resource_types(&self) -> &'static [&'static str] {
        &["GuidanceResponse"]
    }

    fn apply(&self, transaction: &mut Transaction<'_>, planned: &Planned) -> Result<(), Outcome> {
        match transaction.requester().is_some_and(Requester::asks_for_patient) {
            true => Err(Reason::NotAnEngine.refuse(planned.key.collection(), planned.key.collection())),
            false => Ok(()),
        }
    }
}
