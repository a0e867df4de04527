//! Slots that are kept for some organisations.

use fhir::Outcome;
use fhir::json::{Document, Node};
use repository::{Key, Planned, Requester, Rule, Transaction};

use super::booker::Booker;
use super::refusal::Reason;
use super::resource::Entry;
use super::{booking, status};

/// For whom slots are kept.
pub(crate) const BOOKABLE_BY: &str = "https://flint.example/fhir/StructureDefinition/bookable-by";

/// A slot that is kept for some organisations is booked for one of these only. The slot, its schedule and the services of the schedule may
/// each say whom they are kept for. The organisation is the one that the appointment names, or the client's; the practice itself, when it
/// names none, books what it likes. <https://developer.nhs.uk/apis/gpconnect-1-2-7/appointments_slotavailabilitymanagement.html>
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
        if transaction.is_import() || !status::takes(&after.status()) {
            return Ok(());
        }
        let before = planned.before.as_deref().map(Entry::new).filter(|before| status::takes(&before.status()));
        let had = before.map(|before| booking::named(transaction, before)).unwrap_or_default();
        let mut slots = booking::named(transaction, after);
        slots.retain(|(_, slot)| !had.iter().any(|(_, other)| other == slot));
        if slots.is_empty() {
            return Ok(());
        }
        let named = Booker::named(transaction, after)?;
        if named.is_none() && transaction.requester().is_none_or(Requester::is_practice) {
            return Ok(());
        }
        let bookers = [named.unwrap_or_default(), Booker::of_client(transaction)?];
        for (at, slot) in slots {
            if !is_open(transaction, &slot, &bookers)? {
                return Err(Reason::Kept.refuse(slot, booking::expression(at)));
            }
        }
        Ok(())
    }
}

/// Whether the slot, and all that it is a slot of, is kept for nobody or for one of these.
pub(super) fn is_open(transaction: &mut Transaction<'_>, slot: &Key, bookers: &[Booker]) -> Result<bool, Outcome> {
    let Some(slot) = transaction.read(slot)? else { return Ok(true) };
    if !admits(&slot, bookers) {
        return Ok(false);
    }
    let schedule = transaction.local(&Entry::new(&slot).schedule());
    let Some(schedule) = schedule.map(|schedule| transaction.read(&schedule)).transpose()?.flatten() else {
        return Ok(true);
    };
    if !admits(&schedule, bookers) {
        return Ok(false);
    }
    for actor in Entry::new(&schedule).actors() {
        let reference = actor.get("reference").and_then(Node::as_str).unwrap_or_default();
        let service = transaction.local(&reference).filter(|key| key.collection() == "HealthcareService");
        let service = service.map(|service| transaction.read(&service)).transpose()?.flatten();
        if service.is_some_and(|service| !admits(&service, bookers)) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn admits(document: &Document, bookers: &[Booker]) -> bool {
    let mut kept = Entry::new(document).extensions(BOOKABLE_BY).filter_map(|it| it.get("valueCoding")).peekable();
    kept.peek().is_none() || kept.any(|coding: Node<'_>| bookers.iter().any(|booker| booker.is(coding)))
}
