//! What patients and their apps may not do to other people's time.

use fhir::Outcome;
use repository::{Key, Transaction};

use super::actor::{self, Kind};
use super::guard;
use super::refusal::Reason;
use super::resource::Entry;

/// Refuses a booking by who acts for one patient that takes the time of practitioners who are not there to be booked: without slots, or of others
/// than those whose schedule the slots are in.
pub(super) fn permit(
    transaction: &mut Transaction<'_>,
    appointment: Entry<'_>,
    slots: &[(usize, Key)],
) -> Result<(), Outcome> {
    let requester = transaction.requester();
    if !requester.is_some_and(|requester| requester.is_lay() || requester.patient.is_some()) {
        return Ok(());
    }
    if slots.is_empty() {
        return Err(Reason::NoSlot.refuse(appointment.status(), "Appointment.slot"));
    }
    let mut scheduled = Vec::new();
    for (_, slot) in slots {
        scheduled.extend(guard::of_schedule(transaction, slot)?);
    }
    let named = actor::all(transaction, appointment)?;
    match named.iter().find(|actor| actor.kind == Kind::Practitioner && !scheduled.contains(actor)) {
        Some(actor) => Err(Reason::NotScheduled.refuse(&actor.name, "Appointment.participant")),
        None => Ok(()),
    }
}
