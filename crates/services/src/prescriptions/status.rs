//! The states of an order, by GP Connect Patient Facing Prescriptions: requested, checked, taken up by a clerk, signed.

use fhir::Outcome;

use super::refusal::Reason;

/// From each state, those into which the practice may bring the order; it may pass over some. `entered-in-error` may follow every other, and
/// `cancelled` only `requested`.
const FOLLOWING: [(&str, &[&str]); 8] = [
    ("requested", &["accepted", "in-progress", "completed", "failed", "rejected", "cancelled"]),
    ("accepted", &["in-progress", "completed", "failed", "rejected"]),
    ("in-progress", &["completed", "failed", "rejected"]),
    ("completed", &[]),
    ("failed", &[]),
    ("rejected", &[]),
    ("cancelled", &[]),
    ("entered-in-error", &[]),
];

const AT: &str = "Task.status";

/// Refuses a state that no order has.
pub(super) fn known(status: &str) -> Result<(), Outcome> {
    match FOLLOWING.iter().any(|(known, _)| *known == status) {
        true => Ok(()),
        false => Err(Reason::NoStatus.refuse(status, AT)),
    }
}

/// Refuses a change of state: those of the practice by the table, for the patient only the withdrawal of what is requested.
pub(super) fn permit(is_professional: bool, before: &str, after: &str) -> Result<(), Outcome> {
    if before == after {
        return Ok(());
    }
    if after == "cancelled" && before != "requested" {
        return Err(Reason::NotRequested.refuse(before, AT));
    }
    if !is_professional && after != "cancelled" {
        return Err(Reason::OfPractice.refuse(after, AT));
    }
    let following = FOLLOWING.iter().find(|(from, _)| *from == before).map_or(&[][..], |(_, following)| following);
    match after == "entered-in-error" || following.contains(&after) {
        true => Ok(()),
        false => Err(Reason::Transition.refuse(format_args!("from {before} to {after}"), AT)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_states() {
        let states = FOLLOWING.map(|(state, _)| state);
        let of_practice = [
            ("requested", "requested accepted in-progress completed failed rejected cancelled entered-in-error"),
            ("accepted", "accepted in-progress completed failed rejected entered-in-error"),
            ("in-progress", "in-progress completed failed rejected entered-in-error"),
            ("completed", "completed entered-in-error"),
            ("failed", "failed entered-in-error"),
            ("rejected", "rejected entered-in-error"),
            ("cancelled", "cancelled entered-in-error"),
            ("entered-in-error", "entered-in-error"),
        ];
        assert_eq!(of_practice.map(|(state, _)| state), states);
        for (before, allowed) in of_practice {
            for after in states {
                let expected = allowed.split(' ').any(|state| state == after);
                assert_eq!(permit(true, before, after).is_ok(), expected, "{before} to {after}");
                let expected = before == after || (before, after) == ("requested", "cancelled");
                assert_eq!(permit(false, before, after).is_ok(), expected, "the patient: {before} to {after}");
            }
        }
    }

    #[test]
    fn an_order_is_only_what_the_table_has() {
        for status in ["draft", "received", "ready", "on-hold", ""] {
            assert!(known(status).is_err(), "{status}");
        }
        assert!(known("requested").is_ok());
    }
}
