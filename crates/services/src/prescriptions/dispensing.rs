//! How far a pharmacy is with an order, as NHS England's Prescriptions for Patients tells it in `Task.businessStatus`.

use fhir::Outcome;

use super::order::Order;
use super::refusal::Reason;

/// The system of [`STATES`].
pub(super) const SYSTEM: &str = "https://fhir.nhs.uk/CodeSystem/task-businessStatus-nppt";

/// They come in no fixed order: what is collected in part is prepared again.
const STATES: [&str; 13] = [
    "Prescriber Approved",
    "Prescriber Cancelled",
    "With Pharmacy",
    "With Pharmacy - Preparing Remainder",
    "With Pharmacy but Tracking not Supported",
    "Ready to Collect",
    "Ready to Collect - Partial",
    "Ready to Dispatch",
    "Ready to Dispatch - Partial",
    "Dispatched",
    "Collected",
    "Not Dispensed",
    "Tracking Temporarily Unavailable",
];

/// Refuses a code of the system that it does not have. Pharmacies write them with capitals and without.
pub(super) fn check(order: Order<'_>) -> Result<(), Outcome> {
    let is_known = |code: &str| STATES.iter().any(|known| known.eq_ignore_ascii_case(code));
    match order.dispensing().find(|code| !is_known(code)) {
        Some(code) => Err(Reason::DispensingStatus.refuse(code, "Task.businessStatus")),
        None => Ok(()),
    }
}
