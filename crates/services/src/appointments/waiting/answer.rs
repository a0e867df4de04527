//! Answers to offers.

use std::sync::Arc;

use fhir::json::Node;
use fhir::{Instant, Outcome};
use repository::{Key, Planned, Rule, Transaction};

use super::entry::{books, has_waited, waits};
use crate::Services;
use crate::appointments::refusal::Reason;
use crate::appointments::resource::Entry;
use crate::appointments::{actor, hold, staff};

/// An AppointmentResponse of the patient to an offer from the waiting list does what it says: accepted books, declined waits on, and the slot is
/// offered to the next. To whatever else somebody responds, it is only kept.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) services: Arc<Services>,
}

impl Rule for Answer {
    fn name(&self) -> &'static str {
        "answer"
    }

    fn resource_types(&self) -> &'static [&'static str] {
        &["AppointmentResponse"]
    }

    fn apply(&self, transaction: &mut Transaction<'_>, planned: &Planned) -> Result<(), Outcome> {
        let Some(response) = &planned.after else { return Ok(()) };
        let entry = Entry::new(response);
        let answer = entry.text("participantStatus");
        let before = planned.before.as_deref().map(Entry::new);
        let is_said = before.is_some_and(|before| before.text("participantStatus") == answer);
        if transaction.is_import() || is_said || !["accepted", "declined"].contains(&&*answer) {
            return Ok(());
        }
        let reference = |name| response.root().path(&[name, "reference"]).and_then(Node::as_str).unwrap_or_default();
        let key = transaction.local(&reference("appointment")).filter(|key| key.collection() == "Appointment");
        let Some(key) = key else { return Ok(()) };
        let Some(appointment) = transaction.read(&key)? else { return Ok(()) };
        let offer = Entry::new(&appointment);
        if !has_waited(offer) {
            return Ok(());
        }
        let who = transaction.local(&reference("actor")).map(|key| key.to_string()).unwrap_or_default();
        if !actor::patients(transaction, offer)?.contains(&who) {
            return match staff::asks(transaction) {
                true => Ok(()),
                false => Err(Reason::NotAsked.refuse(who, "AppointmentResponse.actor")),
            };
        }
        let is_open = offer.status() == "proposed" && hold::is_alive(offer, transaction.now());
        if !is_open || transaction.is_written(&key) {
            return Err(Reason::OfferOver.refuse(offer.status(), "AppointmentResponse.appointment"));
        }
        let changed = match &*answer {
            "accepted" => books(&appointment)?,
            _ => waits(&appointment, Instant::from_millis(transaction.now()))?,
        };
        transaction.put(&key, changed)?;
        self.let_rules_look(transaction, &key)
    }
}

impl Answer {
    /// Rules look at callers' changes only; this one is the patient's in another form.
    fn let_rules_look(&self, transaction: &mut Transaction<'_>, key: &Key) -> Result<(), Outcome> {
        for rule in self.services.appointment_rules() {
            if let Some(planned) = transaction.planned_for(key)? {
                rule.apply(transaction, &planned)?;
            }
        }
        Ok(())
    }
}
