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

/// What says who acts for a patient: a sign-in leads to it by identifiers.
const KEPT_OF_RELATED: [&str; 5] = ["identifier", "active", "patient", "birthDate", "period"];

/// Patients, and those who act for them, keep who the patient is and who acts for the patient, and delete neither.
#[derive(Debug)]
pub(crate) struct Identity;

impl Rule for Identity {
    fn name(&self) -> &'static str {
        "identity-of-patient"
    }

    fn resource_types(&self) -> &'static [&'static str] {
        &["Patient", "RelatedPerson"]
    }

    fn apply(&self, transaction: &mut Transaction<'_>, planned: &Planned) -> Result<(), Outcome> {
        if transaction.is_import() || !transaction.requester().is_some_and(Requester::asks_for_patient) {
            return Ok(());
        }
        let resource_type = planned.key.collection();
        let kept = if resource_type == "Patient" { &KEPT[..] } else { &KEPT_OF_RELATED[..] };
        let Some(after) = &planned.after else { return Err(Reason::Deleted.refuse(&planned.key, resource_type)) };
        let changed = match &planned.before {
            Some(before) => kept.iter().find(|name| !is_kept(before, after, name)),
            // Whoever is new is nobody yet who could sign in.
            None if resource_type == "Patient" => None,
            None => kept[..1].iter().find(|name| after.root().get(name).is_some()),
        };
        match changed {
            Some(name) => Err(Reason::Identity.refuse(name, format!("{resource_type}.{name}"))),
            None => Ok(()),
        }
    }
}

fn is_kept(before: &Document, after: &Document, name: &str) -> bool {
    let extensions = format!("_{name}");
    [name, &extensions].iter().all(|name| same(before.root().get(name), after.root().get(name)))
}
