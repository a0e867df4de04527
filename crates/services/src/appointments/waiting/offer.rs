//! Offers of what was given back.

use std::sync::Arc;

use fhir::json::{Document, quote};
use fhir::{Instant, Outcome};
use repository::{Key, Millis, Planned, Rule, Transaction};

use super::entry::offers;
use super::matching::Vacancy;
use super::replaces::replaced;
use crate::Services;
use crate::appointments::booker::Booker;
use crate::appointments::resource::Entry;
use crate::appointments::seats::Hold;
use crate::appointments::{actor, booking, guard, kept, slot};

/// A slot that an appointment gives back is offered to who waits longest for one like it. Comes after what decides who holds slots.
#[derive(Debug)]
pub(crate) struct Offers {
    pub(crate) services: Arc<Services>,
}

impl Rule for Offers {
    fn name(&self) -> &'static str {
        "offers"
    }

    fn resource_types(&self) -> &'static [&'static str] {
        &["Appointment"]
    }

    fn apply(&self, transaction: &mut Transaction<'_>, planned: &Planned) -> Result<(), Outcome> {
        if transaction.is_import() {
            return Ok(());
        }
        for slot in held_before(transaction, planned)? {
            self.offer(transaction, &slot)?;
        }
        Ok(())
    }
}

/// The slots that the appointment held, and those of the one that it replaces.
fn held_before(transaction: &mut Transaction<'_>, planned: &Planned) -> Result<Vec<Key>, Outcome> {
    let mut slots = Vec::new();
    let other = match planned.after.as_deref().and_then(|after| replaced(transaction, Entry::new(after))) {
        Some(other) => transaction.read_stored(&other)?,
        None => None,
    };
    for before in [&planned.before, &other].into_iter().flatten() {
        let before = Entry::new(before);
        if booking::takes_slots(before) {
            slots.extend(booking::named(transaction, before).into_iter().map(|(_, slot)| slot));
        }
    }
    Ok(slots)
}

impl Offers {
    /// Offers a slot, where it is free and to come, to the first who can come.
    fn offer(&self, transaction: &mut Transaction<'_>, key: &Key) -> Result<(), Outcome> {
        let Some(document) = transaction.read(key)? else { return Ok(()) };
        if Entry::new(&document).status() != "free" {
            return Ok(());
        }
        let Some(vacancy) = Vacancy::new(transaction, key, &document)? else { return Ok(()) };
        let now = transaction.now();
        if vacancy.start <= Instant::from_millis(now) {
            return Ok(());
        }
        let duration = Millis::try_from(self.services.settings.offer_duration.as_millis()).unwrap_or(Millis::MAX);
        let until = Instant::from_millis(now.saturating_add(duration)).min(vacancy.start);
        for candidate in vacancy.candidates(transaction)? {
            let Some(waiting) = transaction.read(&candidate)? else { continue };
            let offer = offers(&waiting, key, Entry::new(&document), until)?;
            if self.can_come(transaction, &candidate, key, Entry::new(&offer))?
                // What is not valid any more is passed over: it must not keep others from cancelling.
                && transaction.put(&candidate, Document::parse(offer.text().as_bytes())?).is_ok()
            {
                slot::take(transaction, key, &candidate, Hold::Tentative, "Appointment.slot[0]")?;
                let change = (Some(Entry::new(&waiting)), Some(Entry::new(&offer)));
                guard::keep(transaction, &self.services.settings, &candidate, change, false)?;
                return tell(transaction, &candidate, Entry::new(&offer), until);
            }
        }
        Ok(())
    }

    fn can_come(
        &self,
        transaction: &mut Transaction<'_>,
        candidate: &Key,
        slot: &Key,
        offer: Entry<'_>,
    ) -> Result<bool, Outcome> {
        let booker = Booker::named(transaction, offer)?.unwrap_or_default();
        Ok(kept::is_open(transaction, slot, &[booker])?
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
