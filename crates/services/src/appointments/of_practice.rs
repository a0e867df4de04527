//! Who writes schedules and slots.

use fhir::Outcome;
use repository::{Planned, Rule, Transaction};

use super::refusal::Reason;
use super::staff;

/// When a practice sees people is for the practice to say: its staff, the record keeper, and whoever may do everything. What others book
/// changes slots by the rules of booking alone.
#[derive(Debug)]
pub(crate) struct OfPractice;

impl Rule for OfPractice {
    fn name(&self) -> &'static str {
        "slots-of-the-practice"
    }

    fn resource_types(&self) -> &'static [&'static str] {
        &["Schedule", "Slot"]
    }

    fn apply(&self, transaction: &mut Transaction<'_>, planned: &Planned) -> Result<(), Outcome> {
        let is_asked = transaction.is_written(&planned.key);
        match !is_asked || transaction.is_import() || staff::asks(transaction) {
            true => Ok(()),
            false => Err(Reason::OfPractice.refuse(&planned.key, planned.key.collection())),
        }
    }
}
