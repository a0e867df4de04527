//! Slots: their status follows who holds their seats.

use fhir::Outcome;
use fhir::json::Document;
use repository::{Key, Planned, Rule, Transaction};

use super::refusal::Reason;
use super::resource::{Entry, with};
use super::seats::{Hold, SEATS_MAX, Seats};
use super::{hold, staff, status};

/// A slot whose seats appointments hold stays as busy as they make it, whatever is written to it: a practice that sends its slots again frees
/// none, and loses none.
#[derive(Debug)]
pub(crate) struct ClaimedSlot;

impl Rule for ClaimedSlot {
    fn name(&self) -> &'static str {
        "claimed-slot"
    }

    fn resource_types(&self) -> &'static [&'static str] {
        &["Slot"]
    }

    fn apply(&self, transaction: &mut Transaction<'_>, planned: &Planned) -> Result<(), Outcome> {
        let is_import = transaction.is_import();
        let Some(slot) = &planned.after else {
            return if is_import { Ok(()) } else { refuse_held(transaction, &planned.key) };
        };
        let entry = Entry::new(slot);
        if !is_import && let Err(found) = capacity_said(entry) {
            return Err(Reason::Capacity.refuse(found, "Slot.extension"));
        }
        let mut seats = Seats::read(transaction, &planned.key)?;
        let is_free = entry.status() == "free";
        if is_free {
            seats.count_all(transaction)?;
        }
        let capacity = capacity(entry);
        let status = (is_free && seats.is_full(capacity)).then(|| seats.busy());
        let overbooked = (seats.is_over(capacity) && !entry.is_overbooked()).then_some(true);
        mark(transaction, &planned.key, slot, status, overbooked)
    }
}

/// Refuses to delete a slot that an appointment holds.
fn refuse_held(transaction: &mut Transaction<'_>, slot: &Key) -> Result<(), Outcome> {
    let seats = Seats::read(transaction, slot)?;
    for owner in seats.owners() {
        let Some(appointment) = transaction.read(owner)? else { continue };
        let entry = Entry::new(&appointment);
        if status::holds(&entry.status()) || hold::is_alive(entry, transaction.now()) {
            let found = if transaction.may_read(owner)? { owner.as_str() } else { "an appointment" };
            return Err(Reason::SlotHeld.refuse(found, "Slot"));
        }
    }
    Ok(())
}

/// How many appointments a slot takes: as many as it says, and one when it says nothing.
fn capacity(slot: Entry<'_>) -> usize {
    capacity_said(slot).unwrap_or(1)
}

fn capacity_said(slot: Entry<'_>) -> Result<usize, &str> {
    let Some(said) = slot.capacity() else { return Ok(1) };
    said.parse().ok().filter(|capacity| (1..=SEATS_MAX).contains(capacity)).ok_or(said)
}

/// Gives a seat to an appointment; `at` is the element that names the slot. A record of what happened elsewhere takes one more than there are.
pub(super) fn take(
    transaction: &mut Transaction<'_>,
    slot: &Key,
    owner: &Key,
    hold: Hold,
    at: &str,
) -> Result<(), Outcome> {
    let is_import = transaction.is_import();
    let mut seats = if is_import { Seats::read(transaction, slot)? } else { available(transaction, slot)? };
    let document = transaction.read(slot)?;
    let hold = match &document {
        Some(document) if !is_import => admit(transaction, slot, document, &seats, hold)?,
        _ => Some(hold),
    };
    let Some(hold) = hold.filter(|_| !seats.are_all()) else {
        return if is_import { Ok(()) } else { Err(Reason::SlotTaken.refuse(slot, at)) };
    };
    change(transaction, slot, owner, &mut seats, Some(hold))
}

/// The seats that are held now. What holds them is looked at only when there is none left: one whose time has passed and that nobody ended yet
/// gives its seat to who asks, the one first that was over first.
fn available(transaction: &mut Transaction<'_>, slot: &Key) -> Result<Seats, Outcome> {
    let mut seats = Seats::read(transaction, slot)?;
    let Some(document) = transaction.read(slot)? else { return Ok(seats) };
    let capacity = capacity(Entry::new(&document));
    if !seats.is_full(capacity) {
        return Ok(seats);
    }
    let mut over = Vec::new();
    for owner in seats.tentative() {
        let Some(appointment) = transaction.read(owner)? else { continue };
        let entry = Entry::new(&appointment);
        if hold::is_over(entry, transaction.now()) {
            over.push((hold::until(entry), owner.clone()));
        }
    }
    over.sort();
    for (_, owner) in over {
        free(transaction, slot, &owner)?;
        seats = Seats::read(transaction, slot)?;
        if !seats.is_full(capacity) {
            break;
        }
    }
    Ok(seats)
}

/// How one more appointment may hold a seat; `None` when it may not.
fn admit(
    transaction: &mut Transaction<'_>,
    slot: &Key,
    document: &Document,
    seats: &Seats,
    hold: Hold,
) -> Result<Option<Hold>, Outcome> {
    let entry = Entry::new(document);
    let is_full = seats.is_full(capacity(entry));
    if !is_full && (entry.status() == "free" || is_made_busy(transaction, slot, document)?) {
        return Ok(Some(hold));
    }
    let may_overbook =
        entry.is_overbooked() && entry.status() != "entered-in-error" && staff::brings(transaction, slot);
    Ok(may_overbook.then_some(if is_full { hold } else { Hold::Beside }))
}

/// Whether staff bring the slot with what is booked and make it busy: it was free, or was not there. One that was busy for another reason stays
/// so.
pub(super) fn is_made_busy(transaction: &mut Transaction<'_>, slot: &Key, after: &Document) -> Result<bool, Outcome> {
    if !staff::brings(transaction, slot) || Entry::new(after).status() != "busy" {
        return Ok(false);
    }
    let before = transaction.read_stored(slot)?;
    Ok(before.is_none_or(|before| Entry::new(&before).status() == "free"))
}

/// Lets an appointment hold the seat that it has in another way.
pub(super) fn keep(transaction: &mut Transaction<'_>, slot: &Key, owner: &Key, hold: Hold) -> Result<(), Outcome> {
    let mut seats = Seats::read(transaction, slot)?;
    match seats.held_by(owner) {
        None | Some(Hold::Beside) => Ok(()),
        Some(held) if held == hold => Ok(()),
        Some(_) => change(transaction, slot, owner, &mut seats, Some(hold)),
    }
}

/// Takes the seat back from the appointment that holds it.
pub(super) fn free(transaction: &mut Transaction<'_>, slot: &Key, owner: &Key) -> Result<(), Outcome> {
    let mut seats = Seats::read(transaction, slot)?;
    change(transaction, slot, owner, &mut seats, None)
}

fn change(
    transaction: &mut Transaction<'_>,
    slot: &Key,
    owner: &Key,
    seats: &mut Seats,
    hold: Option<Hold>,
) -> Result<(), Outcome> {
    let was = match transaction.read(slot)? {
        Some(document) => Fill::of(seats, Entry::new(&document)),
        None => Fill::default(),
    };
    seats.set(transaction, owner, hold)?;
    settle(transaction, slot, was, seats)
}

/// How many of the seats of a slot are held.
#[derive(Clone, Copy, Default)]
struct Fill {
    is_full: bool,
    is_over: bool,
}

impl Fill {
    fn of(seats: &Seats, slot: Entry<'_>) -> Fill {
        let capacity = capacity(slot);
        Fill { is_full: seats.is_full(capacity), is_over: seats.is_over(capacity) }
    }
}

/// Makes the slot's status what its seats say. A slot that was not full and not free is so for another reason, and stays.
fn settle(transaction: &mut Transaction<'_>, slot: &Key, was: Fill, seats: &Seats) -> Result<(), Outcome> {
    let Some(document) = transaction.read(slot)? else { return Ok(()) };
    let entry = Entry::new(&document);
    let is = Fill::of(seats, entry);
    let said = entry.status();
    let status = match &*said {
        "free" if is.is_full => seats.busy(),
        "busy" | "busy-tentative" if was.is_full && is.is_full => seats.busy(),
        "busy" | "busy-tentative" if was.is_full => "free",
        other => other,
    };
    let overbooked = match (is.is_over, entry.is_overbooked()) {
        (true, false) => Some(true),
        (false, true) if was.is_over => Some(false),
        _ => None,
    };
    mark(transaction, slot, &document, (status != said).then_some(status), overbooked)
}

/// Writes the slot with another status and mark, where there is one.
fn mark(
    transaction: &mut Transaction<'_>,
    slot: &Key,
    document: &Document,
    status: Option<&str>,
    overbooked: Option<bool>,
) -> Result<(), Outcome> {
    let mut changes = Vec::new();
    if let Some(status) = status {
        changes.push(("status", Some(format!("\"{status}\""))));
    }
    if let Some(overbooked) = overbooked {
        changes.push(("overbooked", overbooked.then(|| "true".to_owned())));
    }
    match changes.is_empty() {
        true => Ok(()),
        false => transaction.put(slot, with(document, &changes)?),
    }
}
