//! Offers of what was given back, or is free.

use std::sync::Arc;

use fhir::json::{Document, quote};
use fhir::{Instant, Outcome};
use repository::{Key, Millis, Planned, Rule, Transaction};

use super::entry::offers;
use super::matching::{Candidates, LookedFor, Vacancy, free, looked_for};
use super::meeting;
use super::replaces::replaced;
use crate::Services;
use crate::appointments::resource::Entry;
use crate::appointments::seats::{Hold, Seats};
use crate::appointments::{actor, booker, booking, guard, hold, kept, slot};

/// How many changes of one transaction are looked at for slots that become free: who sends more at a time has them offered to those who come
/// later only.
const SENT_MAX: usize = 500;

/// A slot that an appointment gives back, or that a practice sends as free, is offered to who waits longest for one like it; who comes to the
/// list, wants something else or declines is offered the first that is free. Who left an offer unanswered is not: nobody else would have what
/// they do not look at. Comes after what decides who holds slots.
#[derive(Debug)]
pub(crate) struct Offers {
    pub(crate) services: Arc<Services>,
}

impl Rule for Offers {
    fn name(&self) -> &'static str {
        "offers"
    }

    fn resource_types(&self) -> &'static [&'static str] {
        &["Appointment", "Slot"]
    }

    fn apply(&self, transaction: &mut Transaction<'_>, planned: &Planned) -> Result<(), Outcome> {
        if transaction.is_import() {
            return Ok(());
        }
        if planned.key.collection() == "Slot" {
            return match becomes_free(transaction, planned) {
                true => self.offer(transaction, &planned.key),
                false => Ok(()),
            };
        }
        for slot in given_back(transaction, planned)? {
            self.offer(transaction, &slot)?;
        }
        let waiting = transaction.read(&planned.key)?.filter(|waiting| Entry::new(waiting).status() == "waitlist");
        let Some(waiting) = waiting.filter(|_| !transaction.changes_nothing(&planned.key)) else { return Ok(()) };
        let looked_for = looked_for(transaction, &waiting);
        meeting::comes(transaction, looked_for.names())?;
        let before = planned.before.as_deref().map(Entry::new);
        match before.is_some_and(|before| hold::is_over(before, transaction.now())) {
            true => Ok(()),
            false => self.welcome(transaction, &planned.key, &waiting, &looked_for),
        }
    }
}

/// Whether a slot that was sent becomes free.
fn becomes_free(transaction: &Transaction<'_>, planned: &Planned) -> bool {
    let is_free = |slot: &Document| Entry::new(slot).status() == "free";
    planned.after.as_deref().is_some_and(is_free)
        && !planned.before.as_deref().is_some_and(is_free)
        && transaction.change_of(&planned.key).is_some_and(|at| at < SENT_MAX)
}

/// The slots that the appointment held and holds no more, and those of the one that it replaces.
fn given_back(transaction: &mut Transaction<'_>, planned: &Planned) -> Result<Vec<Key>, Outcome> {
    let mut slots = Vec::new();
    let other = planned.after.as_deref().and_then(|after| replaced(transaction, Entry::new(after)));
    let replaced = match &other {
        Some(other) => transaction.read_stored(other)?,
        None => None,
    };
    for (owner, before) in [(Some(&planned.key), &planned.before), (other.as_ref(), &replaced)] {
        let (Some(owner), Some(before)) = (owner, before) else { continue };
        let before = Entry::new(before);
        if !booking::takes_slots(before) {
            continue;
        }
        for (_, slot) in booking::named(transaction, before) {
            if Seats::read(transaction, &slot)?.held_by(owner).is_none() {
                slots.push(slot);
            }
        }
    }
    Ok(slots)
}

impl Offers {
    /// Offers a slot, where it is free and to come, to the first who can come; one that several can have to as many.
    fn offer(&self, transaction: &mut Transaction<'_>, key: &Key) -> Result<(), Outcome> {
        let Some(slot) = transaction.read(key)? else { return Ok(()) };
        let Some(vacancy) = Vacancy::new(transaction, key, &slot)? else { return Ok(()) };
        meeting::is_given(transaction, vacancy.names())?;
        if transaction.lookup("Appointment", "status=waitlist", 1)?.is_empty() {
            return Ok(());
        }
        let mut candidates = Candidates::default();
        while let Some(several) = candidates.next(transaction, &vacancy)? {
            for candidate in several {
                let is_offered = self.offer_to(transaction, &candidate, &vacancy, Entry::new(&slot))?;
                if is_offered && transaction.read(key)?.is_none_or(|slot| Entry::new(&slot).status() != "free") {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Offers who looks for a slot the first free one that suits.
    fn welcome(
        &self,
        transaction: &mut Transaction<'_>,
        key: &Key,
        waiting: &Document,
        looked_for: &LookedFor,
    ) -> Result<(), Outcome> {
        for slot_key in free(transaction, waiting, looked_for)? {
            let Some(slot) = transaction.read(&slot_key)? else { continue };
            if let Some(vacancy) = Vacancy::new(transaction, &slot_key, &slot)?
                && vacancy.suits(transaction, waiting)
                && self.offer_to(transaction, key, &vacancy, Entry::new(&slot))?
            {
                break;
            }
        }
        Ok(())
    }

    /// Offers a slot to somebody; whether that can be.
    fn offer_to(
        &self,
        transaction: &mut Transaction<'_>,
        candidate: &Key,
        vacancy: &Vacancy<'_>,
        slot: Entry<'_>,
    ) -> Result<bool, Outcome> {
        let duration = Millis::try_from(self.services.settings.offer_duration.as_millis()).unwrap_or(Millis::MAX);
        let until = Instant::from_millis(transaction.now().saturating_add(duration)).min(vacancy.start);
        let Some(waiting) = transaction.read(candidate)? else { return Ok(false) };
        let offer = offers(&waiting, vacancy.key, slot, until)?;
        // What is not valid any more is passed over: it must not keep others from cancelling.
        if !self.can_come(transaction, candidate, vacancy.key, Entry::new(&offer))?
            || transaction.put(candidate, Document::parse(offer.text().as_bytes())?).is_err()
        {
            return Ok(false);
        }
        slot::take(transaction, vacancy.key, candidate, Hold::Tentative, "Appointment.slot[0]")?;
        let change = (Some(Entry::new(&waiting)), Some(Entry::new(&offer)));
        guard::keep(transaction, &self.services.settings, candidate, change, false)?;
        tell(transaction, candidate, Entry::new(&offer), until)?;
        Ok(true)
    }

    fn can_come(
        &self,
        transaction: &mut Transaction<'_>,
        candidate: &Key,
        slot: &Key,
        offer: Entry<'_>,
    ) -> Result<bool, Outcome> {
        let booker = booker::waiting(transaction, candidate, offer)?.unwrap_or_default();
        Ok(kept::is_open(transaction, slot, &booker)?
            && guard::is_free(transaction, &self.services.settings, candidate, offer)?)
    }
}

/// Tells the patients.
fn tell(transaction: &mut Transaction<'_>, appointment: &Key, offer: Entry<'_>, until: Instant) -> Result<(), Outcome> {
    let sent = Instant::from_millis(transaction.now());
    let text = format!("You are offered an appointment at {}. Please answer by {until}.", offer.text("start"));
    for patient in actor::patients(transaction, offer)? {
        let Some(patient) = transaction.local(&patient) else { continue };
        let key = transaction.new_key("Communication")?;
        let communication = format!(
            r#"{{"resourceType":"Communication","id":"{}","status":"completed","category":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/communication-category","code":"notification"}}]}}],"subject":{{"reference":"{patient}"}},"about":[{{"reference":"{appointment}"}}],"sent":"{sent}","recipient":[{{"reference":"{patient}"}}],"payload":[{{"contentString":{}}}]}}"#,
            key.id(),
            quote(&text),
        );
        transaction.put(&key, Document::parse(communication.as_bytes())?)?;
    }
    Ok(())
}
