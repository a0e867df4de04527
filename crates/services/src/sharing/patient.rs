//! The rules OfPatient and Kept.

use fhir::Outcome;
use repository::{Planned, Rule, Transaction};

use super::agreement::Agreement;
use super::refusal::Reason;

/// The scopes that are about a patient.
const SCOPES: [&str; 4] = ["adr", "patient-privacy", "research", "treatment"];

/// A consent about privacy, research, advance care or treatment names the patient.
///
/// R4 says so in its invariants ppc-2 to ppc-5, whose expressions compare the scope's system with a word and so hold for whatever there is:
/// <https://hl7.org/fhir/R4/consent.html#Consent-inv>.
#[derive(Debug)]
pub(crate) struct OfPatient;

impl Rule for OfPatient {
    fn name(&self) -> &'static str {
        "consent-of-patient"
    }

    fn resource_types(&self) -> &'static [&'static str] {
        &["Consent"]
    }

    fn apply(&self, transaction: &mut Transaction<'_>, planned: &Planned) -> Result<(), Outcome> {
        let Some(after) = planned.after.as_deref().map(Agreement::new) else { return Ok(()) };
        let scopes = after.scopes();
        match scopes.iter().find(|scope| SCOPES.contains(&scope.as_ref())) {
            Some(scope) if !after.has_patient() && !transaction.is_import() => {
                Err(Reason::Patient.refuse(scope, "Consent.patient"))
            }
            _ => Ok(()),
        }
    }
}

/// What a consent has decided stays on record: only one that never counted is deleted, but by the record keeper.
#[derive(Debug)]
pub(crate) struct Kept;

/// The statuses of those that never counted.
const UNDECIDED: [&str; 3] = ["draft", "proposed", "rejected"];

impl Rule for Kept {
    fn name(&self) -> &'static str {
        "consents-are-kept"
    }

    fn resource_types(&self) -> &'static [&'static str] {
        &["Consent"]
    }

    fn apply(&self, transaction: &mut Transaction<'_>, planned: &Planned) -> Result<(), Outcome> {
        let is_keeper = transaction.requester().is_none_or(|requester| requester.custodian);
        let deleted = planned.before.as_deref().filter(|_| planned.after.is_none() && !is_keeper);
        match deleted.map(Agreement::new) {
            Some(consent) if !UNDECIDED.contains(&consent.status().as_ref()) => {
                Err(Reason::Ended.refuse(&planned.key, "Consent"))
            }
            _ => Ok(()),
        }
    }
}
