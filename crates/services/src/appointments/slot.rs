//! Slots and who holds them.

use fhir::Outcome;
use fhir::json::Document;
use repository::{Key, Planned, Rule, Transaction};

use super::refusal::Reason;
use super::resource::{Entry, with_status};
use super::status;

/// A slot that an appointment holds stays busy, whatever is written to it: a practice that sends its slots again does not free them.
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
        let Some(owner) = holder(transaction, &planned.key)? else { return Ok(()) };
        match &planned.after {
            Some(slot) if Entry::new(slot).status() == "free" => {
                transaction.put(&planned.key, with_status(slot, "busy")?)
            }
            Some(_) => Ok(()),
            None if transaction.is_import() || !still_holds(transaction, &owner)? => Ok(()),
            None => Err(Reason::SlotHeld.refuse(owner, "Slot")),
        }
    }
}

/// The appointment that holds a slot.
pub(super) fn holder(transaction: &Transaction<'_>, slot: &Key) -> Result<Option<Key>, Outcome> {
    let value = transaction.claimed(&claim_name(slot))?;
    Ok(value.and_then(|value| Key::parse(std::str::from_utf8(&value).ok()?)))
}

fn still_holds(transaction: &mut Transaction<'_>, owner: &Key) -> Result<bool, Outcome> {
    Ok(transaction.read(owner)?.is_some_and(|appointment| status::holds(&Entry::new(&appointment).status())))
}

/// Gives the slot to an appointment; `at` is the element that names it.
pub(super) fn take(transaction: &mut Transaction<'_>, slot: &Key, owner: &Key, at: &str) -> Result<(), Outcome> {
    let taken = || Reason::SlotTaken.refuse(slot, at);
    let value = owner.as_str().as_bytes().to_vec();
    if transaction.is_import() && holder(transaction, slot)?.is_some() {
        return Ok(());
    }
    transaction.claim(claim_name(slot), value, taken())?;
    let Some(document) = transaction.read(slot)? else { return Ok(()) };
    let is_made_busy = is_made_busy(transaction, slot, &document)?;
    match &*Entry::new(&document).status() {
        "free" => transaction.put(slot, with_status(&document, "busy")?),
        _ if is_made_busy => Ok(()),
        _ if transaction.is_import() => Ok(()),
        _ => Err(taken()),
    }
}

/// Whether the caller's own changes make the slot busy: it was free, or was not there. A slot that was busy for another reason stays so.
pub(super) fn is_made_busy(transaction: &mut Transaction<'_>, slot: &Key, after: &Document) -> Result<bool, Outcome> {
    if !transaction.is_written(slot) || Entry::new(after).status() != "busy" {
        return Ok(false);
    }
    let before = transaction.read_stored(slot)?;
    Ok(before.is_none_or(|before| Entry::new(&before).status() == "free"))
}

/// Takes the slot back from the appointment that holds it.
pub(super) fn free(transaction: &mut Transaction<'_>, slot: &Key) -> Result<(), Outcome> {
    transaction.release(claim_name(slot));
    match transaction.read(slot)? {
        Some(document) if Entry::new(&document).status() == "busy" => {
            transaction.put(slot, with_status(&document, "free")?)
        }
        _ => Ok(()),
    }
}

/// The name of the claim on the one seat that a slot has.
fn claim_name(slot: &Key) -> Vec<u8> {
    format!("slot/{}/0", slot.id()).into_bytes()
}
