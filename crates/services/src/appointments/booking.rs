//! The rule Booking.

use std::sync::Arc;

use fhir::Outcome;
use repository::{Key, Planned, Rule, Transaction};

use super::demands::{self, Named};
use super::refusal::Reason;
use super::resource::Entry;
use super::{slot, status};
use crate::Services;

/// How many slots one appointment may fill.
const SLOTS_MAX: usize = 50;

/// An appointment that is booked holds its slots; no slot is held twice.
///
/// Cancelling, entering in error and deleting give them back; other slots in a booked appointment move what it holds. An appointment that
/// comes in one transaction with its slots, already busy, is the record of a booking made elsewhere: it takes them, and nothing
/// more is demanded. An import demands nothing at all, and what is held already stays with who holds it.
#[derive(Debug)]
pub(crate) struct Booking {
    pub(crate) services: Arc<Services>,
}

impl Rule for Booking {
    fn name(&self) -> &'static str {
        "booking"
    }

    fn resource_types(&self) -> &'static [&'static str] {
        &["Appointment"]
    }

    fn apply(&self, transaction: &mut Transaction<'_>, planned: &Planned) -> Result<(), Outcome> {
        let before = planned.before.as_deref().map(Entry::new);
        let after = planned.after.as_deref().map(Entry::new);
        if let (Some(before), Some(after), false) = (before, after, transaction.is_import()) {
            status::permit(&before.status(), &after.status())?;
        }
        let held = held(transaction, &planned.key, before)?;
        let wanted = match after.map(|after| (after, after.status())) {
            Some((after, status)) if status == "booked" => booked(transaction, before, after, &held)?,
            Some((after, status)) if status::holds(&status) => {
                named(transaction, after).into_iter().filter(|(_, key)| held.contains(key)).collect()
            }
            _ => Vec::new(),
        };
        for slot in held.iter().filter(|held| !wanted.iter().any(|(_, key)| key == *held)) {
            slot::free(transaction, slot)?;
        }
        for (at, slot) in wanted.iter().filter(|(_, key)| !held.contains(key)) {
            slot::take(transaction, slot, &planned.key, &expression(*at))?;
        }
        Ok(())
    }
}

/// The slots of the appointment as it was that it holds.
fn held(transaction: &Transaction<'_>, owner: &Key, before: Option<Entry<'_>>) -> Result<Vec<Key>, Outcome> {
    let mut held = Vec::new();
    for (_, slot) in before.map(|before| named(transaction, before)).unwrap_or_default() {
        if slot::holder(transaction, &slot)?.as_ref() == Some(owner) {
            held.push(slot);
        }
    }
    Ok(held)
}

/// The slots of this server that an appointment names, with their positions.
fn named(transaction: &Transaction<'_>, appointment: Entry<'_>) -> Vec<(usize, Key)> {
    let slots = appointment.slots().into_iter().enumerate();
    let local = slots.filter_map(|(at, reference)| Some((at, transaction.local(&reference)?)));
    local.filter(|(_, key)| key.collection() == "Slot").collect()
}

/// The slots that a booked appointment shall hold, once it and they are found to fit.
fn booked(
    transaction: &mut Transaction<'_>,
    before: Option<Entry<'_>>,
    after: Entry<'_>,
    held: &[Key],
) -> Result<Vec<(usize, Key)>, Outcome> {
    let mut wanted = named(transaction, after);
    if transaction.is_import() {
        return Ok(wanted);
    }
    // What was accepted once stays accepted: a later state of an old booking does not have its times looked at again.
    if before.is_some_and(|before| status::holds(&before.status()) && before.same_booking(after)) {
        wanted.retain(|(_, key)| held.contains(key));
        return Ok(wanted);
    }
    refuse_names(after, &wanted)?;
    let mut slots = Vec::with_capacity(wanted.len());
    let mut brought = true;
    for (at, key) in &wanted {
        let expression = expression(*at);
        let Some(document) = transaction.read(key)? else { return Err(Reason::UnknownSlot.refuse(key, expression)) };
        brought &= slot::is_made_busy(transaction, key, &document)?;
        slots.push(Named { key: key.clone(), document, expression });
    }
    if !brought {
        demands::check(after, &slots)?;
        if wanted.iter().any(|(_, key)| !held.contains(key)) {
            demands::future(after, transaction.now())?;
        }
    }
    Ok(wanted)
}

/// Refuses names that lead to no slot of this server, or to one twice.
fn refuse_names(appointment: Entry<'_>, wanted: &[(usize, Key)]) -> Result<(), Outcome> {
    let named = appointment.slots();
    if named.len() > SLOTS_MAX {
        return Err(Reason::TooManySlots.refuse(named.len(), "Appointment.slot"));
    }
    for (at, reference) in named.iter().enumerate() {
        let Some((_, key)) = wanted.iter().find(|(other, _)| *other == at) else {
            return Err(Reason::UnknownSlot.refuse(reference, expression(at)));
        };
        if wanted.iter().any(|(other, earlier)| *other < at && earlier == key) {
            return Err(Reason::SlotTwice.refuse(key, expression(at)));
        }
    }
    Ok(())
}

fn expression(at: usize) -> String {
    format!("Appointment.slot[{at}]")
}
