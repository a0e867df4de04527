//! The rule Identity.

use fhir::Outcome;
use fhir::json::Document;
use repository::{Planned, Requester, Rule, Transaction};

use super::refusal::Reason;
use crate::same::same;

/// What says who a patient is and who cares for them. Patients change how they are called and reached; the rest is the practice's, for an
/// NHS number leads to a record, and so to what is shared from it.
const KEPT: [&str; 8] = [
    "identifier",
    "active",
    "birthDate",
    "deceasedBoolean",
    "deceasedDateTime",
    "link",
    "managingOrganization",
    "generalPractitioner",
];

/// Patients, and those who act for them, keep who the patient is, and do not delete a patient.
#[derive(Debug)]
pub(crate) struct Identity;

impl Rule for Identity {
    fn name(&self) -> &'static str {
        "identity-of-patient"
    }

    fn resource_types(&self) -> &'static [&'static str] {
        &["Patient"]
    }

    fn apply(&self, transaction: &mut Transaction<'_>, planned: &Planned) -> Result<(), Outcome> {
        if transaction.is_import() || !transaction.requester().is_some_and(Requester::is_lay) {
            return Ok(());
        }
        let Some(before) = &planned.before else { return Ok(()) };
        let Some(after) = &planned.after else { return Err(Reason::Deleted.refuse(&planned.key, "Patient")) };
        match KEPT.iter().find(|name| !is_kept(before, after, name)) {
            Some(name) => Err(Reason::Identity.refuse(name, format!("Patient.{name}"))),
            None => Ok(()),
        }
    }
}

fn is_kept(before: &Document, after: &Document, name: &str) -> bool {
    let extensions = format!("_{name}");
    [name, &extensions].iter().all(|name| same(before.root().get(name), after.root().get(name)))
}
