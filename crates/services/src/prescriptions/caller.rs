//! On which side of a prescription a caller stands.

use repository::{Requester, Transaction};

/// Who they are that act for a practice or a pharmacy.
const PROFESSIONALS: [&str; 3] = ["Organization", "Practitioner", "PractitionerRole"];

/// Whether the caller is of the practice or a pharmacy: a professional, a system with rights beyond one patient's record, or anybody where
/// nobody says who asks. All others ask for the patient.
pub(super) fn is_professional(transaction: &Transaction<'_>) -> bool {
    transaction.requester().is_none_or(|requester| {
        let Requester { user, patient, custodian, .. } = requester;
        let is_system = user.is_none() && patient.is_none();
        *custodian || is_system || user.as_ref().is_some_and(|user| PROFESSIONALS.contains(&user.collection()))
    })
}
