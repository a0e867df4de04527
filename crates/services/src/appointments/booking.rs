//! The rule Booking.

use std::collections::HashSet;
use std::sync::Arc;

use fhir::Outcome;
use fhir::json::Document;
use repository::{Key, Planned, Rule, Transaction, Version};

use super::demands::{self, Named};
use super::refusal::Reason;
use super::resource::Entry;
use super::seats::{Hold, Seats};
use super::{guard, hold, patient, slot, status};
use crate::Services;

/// How many slots one appointment may fill.
const SLOTS_MAX: usize = 50;

/// An appointment that is booked, or held until a time, holds a seat in each of its slots, and no seat is held twice; nobody is booked twice at
/// one time.
///
/// Cancelling, entering in error and deleting give them back; other slots in a booked appointment move what it holds. An appointment that
/// staff bring in one transaction with its slots, already busy, is the record of a booking made elsewhere: it takes them, and nothing
/// more is demanded. An import demands nothing at all, and holds what it says.
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
        if let (Some(before), Some(after), false) = (before, planned.after.as_deref(), transaction.is_import()) {
            let after = Entry::new(after);
            if !hold::ends(before, after, transaction.now()) {
                status::permit(&before.status(), &after.status())?;
            }
        }
        let after = Booking::settled(transaction, planned, before)?;
        let after = after.as_deref().map(Entry::new);
        if let (Some(after), false) = (after, transaction.is_import()) {
            demands::waits(after)?;
            patient::alone(transaction, before, after)?;
        }
        let held = held(transaction, &planned.key, before)?;
        let wanted = match after.filter(|after| takes_slots(*after)) {
            Some(after) => wanted(transaction, before, after, &held)?,
            None => Wanted::default(),
        };
        let kind = if after.is_some_and(hold::is_hold) { Hold::Tentative } else { Hold::Firm };
        for slot in held.iter().filter(|held| !wanted.slots.iter().any(|(_, key)| key == *held)) {
            slot::free(transaction, slot, &planned.key)?;
        }
        for (at, slot) in &wanted.slots {
            match held.contains(slot) {
                true => slot::keep(transaction, slot, &planned.key, kind)?,
                false => slot::take(transaction, slot, &planned.key, kind, &expression(*at))?,
            }
        }
        let refuses = !wanted.is_record;
        guard::keep(transaction, &self.services.settings, &planned.key, (before, after), refuses)?;
        match after {
            Some(after) if hold::is_asked(after) && !transaction.is_import() => {
                hold::alone(transaction, &planned.key, before.filter(|before| hold::is_asked(*before)), after)
            }
            _ => Ok(()),
        }
    }

    fn committed(&self, version: &Version) {
        if let Some(until) = version.body.as_deref().and_then(hold::until_stored) {
            self.services.deadlines.note(until.as_millis());
        }
    }
}

impl Booking {
    /// The appointment to be, once a hold has its time and what is none has no such time.
    fn settled(
        transaction: &mut Transaction<'_>,
        planned: &Planned,
        before: Option<Entry<'_>>,
    ) -> Result<Option<Arc<Document>>, Outcome> {
        let Some(after) = &planned.after else { return Ok(None) };
        let Some(settled) = hold::settle(transaction, before, after)? else {
            return Ok(Some(after.clone()));
        };
        transaction.put(&planned.key, settled.clone())?;
        Ok(Some(Arc::new(settled)))
    }
}

/// Whether an appointment holds its slots, for good or until a time.
pub(super) fn takes_slots(appointment: Entry<'_>) -> bool {
    status::holds(&appointment.status()) || hold::is_hold(appointment)
}

/// The slots of the appointment as it was that it holds.
fn held(transaction: &mut Transaction<'_>, owner: &Key, before: Option<Entry<'_>>) -> Result<Vec<Key>, Outcome> {
    let mut held = Vec::new();
    for (_, slot) in before.map(|before| named(transaction, before)).unwrap_or_default() {
        if Seats::read(transaction, &slot)?.held_by(owner).is_some() {
            held.push(slot);
        }
    }
    Ok(held)
}

/// The slots of this server that an appointment names, each once, with their positions.
pub(super) fn named(transaction: &Transaction<'_>, appointment: Entry<'_>) -> Vec<(usize, Key)> {
    let slots = appointment.slots().into_iter().enumerate();
    let local = slots.filter_map(|(at, reference)| Some((at, transaction.local(&reference)?)));
    let mut seen = HashSet::new();
    local.filter(|(_, key)| key.collection() == "Slot" && seen.insert(key.clone())).collect()
}

/// What an appointment shall hold.
#[derive(Default)]
struct Wanted {
    slots: Vec<(usize, Key)>,
    /// Whether it records a booking that was made elsewhere.
    is_record: bool,
}

/// The slots that an appointment shall hold, once it and they are found to fit.
fn wanted(
    transaction: &mut Transaction<'_>,
    before: Option<Entry<'_>>,
    after: Entry<'_>,
    held: &[Key],
) -> Result<Wanted, Outcome> {
    let mut wanted = Wanted { slots: named(transaction, after), is_record: false };
    if transaction.is_import() {
        return Ok(wanted);
    }
    if let Some(before) = before.filter(|before| was_accepted(*before, after, &wanted.slots, held)) {
        if before.has_patient() && !wanted.slots.is_empty() {
            demands::patient(after)?;
        }
        wanted.slots.retain(|(_, key)| held.contains(key));
        return Ok(wanted);
    }
    refuse_names(transaction, after, &wanted.slots)?;
    patient::permit(transaction, after, &wanted.slots)?;
    let mut slots = Vec::with_capacity(wanted.slots.len());
    let mut brought = true;
    for (at, key) in &wanted.slots {
        let expression = expression(*at);
        let Some(document) = transaction.read(key)? else { return Err(Reason::UnknownSlot.refuse(key, expression)) };
        brought &= slot::is_made_busy(transaction, key, &document)?;
        slots.push(Named { key: key.clone(), document, expression });
    }
    if !brought {
        demands::check(after, &slots)?;
        if !slots.is_empty() {
            patient::registered(transaction, after)?;
        }
        let is_to_come = after.status() == "booked" || hold::is_hold(after);
        if is_to_come && wanted.slots.iter().any(|(_, key)| !held.contains(key)) {
            demands::future(after, transaction.now())?;
        }
    }
    wanted.is_record = brought && !slots.is_empty();
    Ok(wanted)
}

/// Whether what is demanded of a booking was found before: a later state of an old one does not have its times looked at again.
fn was_accepted(before: Entry<'_>, after: Entry<'_>, wanted: &[(usize, Key)], held: &[Key]) -> bool {
    let is_same = match &*after.status() {
        "booked" | "pending" | "proposed" => before.same_booking(after),
        _ => before.same_place(after),
    };
    let was_booked = status::holds(&before.status());
    let was_held = hold::is_hold(before) && wanted.iter().all(|(_, key)| held.contains(key));
    is_same && (was_booked || was_held)
}

/// Refuses names that lead to no slot of this server, or to one twice.
fn refuse_names(transaction: &Transaction<'_>, appointment: Entry<'_>, wanted: &[(usize, Key)]) -> Result<(), Outcome> {
    let named = appointment.slots();
    if named.len() > SLOTS_MAX {
        return Err(Reason::TooManySlots.refuse(named.len(), "Appointment.slot"));
    }
    for (at, reference) in named.iter().enumerate() {
        if wanted.iter().any(|(other, _)| *other == at) {
            continue;
        }
        let key = transaction.local(reference).filter(|key| wanted.iter().any(|(_, earlier)| earlier == key));
        return Err(match key {
            Some(key) => Reason::SlotTwice.refuse(key, expression(at)),
            None => Reason::UnknownSlot.refuse(reference, expression(at)),
        });
    }
    Ok(())
}

/// The element that names a slot.
pub(super) fn expression(at: usize) -> String {
    format!("Appointment.slot[{at}]")
}
