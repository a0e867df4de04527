//! The rule Prescriber.

use fhir::Outcome;
use repository::{Planned, Rule, Transaction};

use super::caller;
use super::plan::Plan;
use super::refusal::Reason;

/// Who asks for a patient prescribes nothing: writes no plan, and no other MedicationRequest than a proposal or the report of what is taken.
/// What an order is judged by is thus the practice's word.
#[derive(Debug)]
pub(crate) struct Prescriber;

impl Rule for Prescriber {
    fn name(&self) -> &'static str {
        "prescriber"
    }

    fn resource_types(&self) -> &'static [&'static str] {
        &["MedicationRequest"]
    }

    fn apply(&self, transaction: &mut Transaction<'_>, planned: &Planned) -> Result<(), Outcome> {
        if transaction.is_import() || caller::is_professional(transaction) || transaction.changes_nothing(&planned.key)
        {
            return Ok(());
        }
        let states = planned.before.iter().chain(&planned.after).map(|document| Plan::new(document));
        for state in states {
            let intent = state.intent();
            if intent != "proposal" && (intent == "plan" || !state.is_reported()) {
                return Err(Reason::Prescriber.refuse(intent, "MedicationRequest.intent"));
            }
        }
        Ok(())
    }
}
