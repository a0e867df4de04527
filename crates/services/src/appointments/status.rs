//! The states of an appointment. R4 names them and leaves the ways between them to the server.

use fhir::Outcome;

use super::refusal::Reason;

/// From each state, those that may follow. `entered-in-error` may follow every other.
const FOLLOWING: [(&str, &[&str]); 10] = [
    ("proposed", &["pending", "booked", "waitlist", "cancelled"]),
    ("pending", &["booked", "cancelled"]),
    ("waitlist", &["proposed", "booked", "cancelled"]),
    ("booked", &["checked-in", "arrived", "fulfilled", "noshow", "cancelled"]),
    ("checked-in", &["arrived", "fulfilled", "noshow", "cancelled"]),
    ("arrived", &["fulfilled", "cancelled"]),
    ("fulfilled", &[]),
    ("cancelled", &[]),
    ("noshow", &[]),
    ("entered-in-error", &[]),
];

/// Refuses a change of state that the table does not have.
pub(super) fn permit(before: &str, after: &str) -> Result<(), Outcome> {
    let following = FOLLOWING.iter().find(|(from, _)| *from == before).map_or(&[][..], |(_, following)| following);
    match before == after || after == "entered-in-error" || following.contains(&after) {
        true => Ok(()),
        false => Err(Reason::Transition.refuse(format_args!("from {before} to {after}"), "Appointment.status")),
    }
}

/// Whether an appointment in this state holds its slots for good.
pub(super) fn holds(status: &str) -> bool {
    ["booked", "checked-in", "arrived", "fulfilled", "noshow"].contains(&status)
}

/// Whether an appointment in this state takes the time of those who take part. Whoever did not come was not there: the slot is spent, and the
/// people are free.
pub(super) fn takes_time(status: &str) -> bool {
    holds(status) && status != "noshow"
}

/// Whether an appointment that comes into this state takes its slots.
pub(super) fn takes(status: &str) -> bool {
    status == "pending" || holds(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_states() {
        let states = FOLLOWING.map(|(state, _)| state);
        let allowed = [
            ("proposed", "proposed pending waitlist booked cancelled entered-in-error"),
            ("pending", "pending booked cancelled entered-in-error"),
            ("waitlist", "waitlist proposed booked cancelled entered-in-error"),
            ("booked", "booked checked-in arrived fulfilled noshow cancelled entered-in-error"),
            ("checked-in", "checked-in arrived fulfilled noshow cancelled entered-in-error"),
            ("arrived", "arrived fulfilled cancelled entered-in-error"),
            ("fulfilled", "fulfilled entered-in-error"),
            ("cancelled", "cancelled entered-in-error"),
            ("noshow", "noshow entered-in-error"),
            ("entered-in-error", "entered-in-error"),
        ];
        for (before, allowed) in allowed {
            for after in states {
                let expected = allowed.split(' ').any(|state| state == after);
                assert_eq!(permit(before, after).is_ok(), expected, "{before} to {after}");
            }
        }
    }
}
