//! Whose time those outside the practice take, and which patients are booked.

use fhir::Outcome;
use fhir::json::Node;
use repository::{Key, Transaction};

use super::actor::{self, Kind};
use super::booking::takes_slots;
use super::guard;
use super::refusal::Reason;
use super::resource::{Entry, has_declined};
use super::staff;

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

/// Refuses a booking by who is not of the practice, or acts for one patient, that takes the time of practitioners who are not there to be booked:
/// without slots, or of others than those whose schedule the slots are in.
pub(super) fn permit(
    transaction: &mut Transaction<'_>,
    appointment: Entry<'_>,
    slots: &[(usize, Key)],
) -> Result<(), Outcome> {
    let acts_for_one =
        transaction.requester().is_some_and(|requester| requester.is_lay() || requester.patient.is_some());
    if staff::asks(transaction) && !acts_for_one {
        return Ok(());
    }
    if acts_for_one && slots.len() > SLOTS_MAX {
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

/// Refuses to take slots for a patient who is not registered here, or not any more. Of one who may not be known to the caller no more is told.
pub(super) fn registered(transaction: &mut Transaction<'_>, appointment: Entry<'_>) -> Result<(), Outcome> {
    for (at, participant) in appointment.participants().enumerate() {
        let Some(actor) = participant.get("actor").filter(|_| !has_declined(participant)) else { continue };
        if actor::kind_of(actor).as_deref() != Some("Patient") {
            continue;
        }
        let name = actor::name(transaction, "Patient", actor)?;
        let key = name.and_then(|name| Key::parse(&name)).filter(|key| key.collection() == "Patient");
        let patient = key.map(|key| transaction.read(&key)).transpose()?.flatten();
        if !patient.is_some_and(|patient| is_active(patient.root())) {
            let expression = format!("Appointment.participant[{at}].actor");
            return Err(Reason::Unregistered.refuse(as_sent(actor), expression));
        }
    }
    Ok(())
}

fn is_active(patient: Node<'_>) -> bool {
    let is = |name: &str| patient.get(name).and_then(Node::as_bool);
    is("active") != Some(false) && patient.get("deceasedDateTime").is_none() && is("deceasedBoolean") != Some(true)
}
