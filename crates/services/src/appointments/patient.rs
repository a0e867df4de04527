//! What patients and their apps may not do to other people's time.

use fhir::Outcome;
use fhir::json::Node;
use repository::{Key, Requester, Transaction};

use super::actor::{self, Kind};
use super::booking::takes_slots;
use super::guard;
use super::refusal::Reason;
use super::resource::{Entry, has_declined};

/// How many slots who acts for one patient may fill by one appointment: an hour of ten minutes each, and no doctor's day.
const SLOTS_MAX: usize = 6;

/// Refuses who acts for one patient an appointment with other patients, and one that takes slots which the own patient has declined: either
/// would take time that no guard counts as the caller's own. Whom the practice put there may stay there.
pub(super) fn alone(
    transaction: &mut Transaction<'_>,
    before: Option<Entry<'_>>,
    after: Entry<'_>,
) -> Result<(), Outcome> {
    let Some(own) = actor::own(transaction).cloned() else { return Ok(()) };
    let before = before.filter(|before| before.same_place(after));
    let stays = |actor: Node<'_>| {
        let there = before.into_iter().flat_map(Entry::participants).filter_map(|it| it.get("actor"));
        there.into_iter().any(|it| it.raw() == actor.raw())
    };
    for (at, participant) in after.participants().enumerate() {
        let Some(actor) = participant.get("actor") else { continue };
        if actor::kind_of(actor).as_deref() != Some("Patient") {
            continue;
        }
        let expression = format!("Appointment.participant[{at}]");
        let name = actor::name(transaction, "Patient", actor)?;
        if name.as_deref() != Some(own.as_str()) {
            match stays(actor) {
                true => continue,
                false => return Err(Reason::OtherPatient.refuse(as_sent(actor), expression)),
            }
        }
        if has_declined(participant) && takes_slots(after) {
            return Err(Reason::Declined.refuse(after.status(), expression));
        }
    }
    Ok(())
}

/// A reference for who sent it: nothing is told of what it leads to.
fn as_sent(reference: Node<'_>) -> String {
    let text = |path: &[&str]| reference.path(path).and_then(Node::as_str);
    let identifier = || text(&["identifier", "value"]);
    text(&["reference"]).or_else(identifier).unwrap_or_default().into_owned()
}

/// Refuses a booking by who acts for one patient that takes the time of practitioners who are not there to be booked: without slots, or of others
/// than those whose schedule the slots are in.
pub(super) fn permit(
    transaction: &mut Transaction<'_>,
    appointment: Entry<'_>,
    slots: &[(usize, Key)],
) -> Result<(), Outcome> {
    let requester = transaction.requester();
    if !requester.is_some_and(is_limited) {
        return Ok(());
    }
    if slots.len() > SLOTS_MAX {
        return Err(Reason::LaySlots.refuse(slots.len(), "Appointment.slot"));
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

fn is_limited(requester: &Requester) -> bool {
    requester.is_lay() || requester.patient.is_some()
}
