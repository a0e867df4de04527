//! Slots that are kept for some organisations, or for a time.

use fhir::json::{Document, Node};
use fhir::{Instant, Outcome};
use repository::{Key, Planned, Rule, Transaction};

use super::booker::{self, Booker, Books};
use super::refusal::Reason;
use super::resource::Entry;
use super::{booking, status, window};

/// For whom slots are kept.
pub(crate) const BOOKABLE_BY: &str = "https://flint.example/fhir/StructureDefinition/bookable-by";

/// A slot that is kept for some organisations is booked for one of these only. The slot, its schedule and the services of the schedule may
/// each say whom they are kept for. The organisation is the client's, as those who run the server say; no appointment names another. The
/// practice itself books for whom it says, and what it likes when it names none; a client that is nobody's books no such slot. Outside its
/// booking window only the practice books a slot.
/// <https://developer.nhs.uk/apis/gpconnect-1-2-7/appointments_slotavailabilitymanagement.html>
#[derive(Debug)]
pub(crate) struct KeptSlots;

impl Rule for KeptSlots {
    fn name(&self) -> &'static str {
        "kept-slots"
    }

    fn resource_types(&self) -> &'static [&'static str] {
        &["Appointment"]
    }

    fn apply(&self, transaction: &mut Transaction<'_>, planned: &Planned) -> Result<(), Outcome> {
        let Some(after) = planned.after.as_deref().map(Entry::new) else { return Ok(()) };
        let before = planned.before.as_deref().map(Entry::new);
        booker::permit(transaction, &planned.key, before, after)?;
        if transaction.is_import() || !status::takes(&after.status()) {
            return Ok(());
        }
        // What is offered was open to whom it is offered.
        let before = before.filter(|before| status::takes(&before.status()) || booking::takes_slots(*before));
        let had = before.map(|before| booking::named(transaction, before)).unwrap_or_default();
        let mut slots = booking::named(transaction, after);
        slots.retain(|(_, slot)| !had.iter().any(|(_, other)| other == slot));
        if slots.is_empty() {
            return Ok(());
        }
        let (booker, is_bound) = match Books::of(transaction, after)? {
            Books::Practice(None) => return Ok(()),
            Books::Practice(Some(booker)) => (booker, false),
            Books::Client(booker) => (booker, true),
            Books::Anybody => (Booker::default(), true),
        };
        for (at, slot) in slots {
            if is_kept(transaction, &slot, &booker)? {
                return Err(Reason::Kept.refuse(slot, booking::expression(at)));
            }
            if is_bound && !is_in_window(transaction, &slot)? {
                return Err(Reason::Window.refuse(slot, booking::expression(at)));
            }
        }
        Ok(())
    }
}

/// Whether the slot can be booked now, for this organisation.
pub(super) fn is_open(transaction: &mut Transaction<'_>, slot: &Key, booker: &Booker) -> Result<bool, Outcome> {
    Ok(is_in_window(transaction, slot)? && !is_kept(transaction, slot, booker)?)
}

fn is_in_window(transaction: &mut Transaction<'_>, slot: &Key) -> Result<bool, Outcome> {
    let now = Instant::from_millis(transaction.now());
    Ok(transaction.read(slot)?.is_none_or(|slot| window::is_open(&slot, now)))
}

/// Whether the slot, or anything that it is a slot of, is kept for others than this organisation.
fn is_kept(transaction: &mut Transaction<'_>, slot: &Key, booker: &Booker) -> Result<bool, Outcome> {
    let Some(slot) = transaction.read(slot)? else { return Ok(false) };
    if !admits(&slot, booker) {
        return Ok(true);
    }
    let schedule = transaction.local(&Entry::new(&slot).schedule());
    let Some(schedule) = schedule.map(|schedule| transaction.read(&schedule)).transpose()?.flatten() else {
        return Ok(false);
    };
    if !admits(&schedule, booker) {
        return Ok(true);
    }
    for actor in Entry::new(&schedule).actors() {
        let reference = actor.get("reference").and_then(Node::as_str).unwrap_or_default();
        let service = transaction.local(&reference).filter(|key| key.collection() == "HealthcareService");
        let service = service.map(|service| transaction.read(&service)).transpose()?.flatten();
        if service.is_some_and(|service| !admits(&service, booker)) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn admits(document: &Document, booker: &Booker) -> bool {
    let mut kept = Entry::new(document).extensions(BOOKABLE_BY).filter_map(|it| it.get("valueCoding")).peekable();
    kept.peek().is_none() || kept.any(|coding: Node<'_>| booker.is(coding))
}
