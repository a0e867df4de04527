//! Coming to the list, going back to it, and what is booked instead of another.

use std::sync::Arc;

use fhir::json::{Document, Node};
use fhir::{Instant, Outcome};
use repository::{Key, Planned, Rule, Transaction};

use super::entry::{OFFERED, WAITING_SINCE, comes, forgets, has_waited, is_answered, keeps, waits};
use super::place;
use crate::Services;
use crate::appointments::refusal::Reason;
use crate::appointments::resource::{Entry, with};
use crate::appointments::{Booking, BookingLimit, actor};
use crate::triage::Guided;

/// Of R5, as an extension: the appointment in whose place this one is booked.
const REPLACES: &str = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Appointment.replaces";

/// The patient's decision.
const BY_PATIENT: &str = r#"{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/appointment-cancellation-reason","code":"pat","display":"Patient"}]}"#;

/// The states that end when another appointment is booked instead.
const REPLACEABLE: [&str; 4] = ["booked", "pending", "proposed", "waitlist"];

/// The server keeps since when somebody waits, and what was offered. An offer that is declined goes back to the list; an appointment that is
/// booked in place of another cancels that. Comes before what decides who holds slots.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) services: Arc<Services>,
}

impl Rule for Waiting {
    fn name(&self) -> &'static str {
        "waiting"
    }

    fn resource_types(&self) -> &'static [&'static str] {
        &["Appointment"]
    }

    fn apply(&self, transaction: &mut Transaction<'_>, planned: &Planned) -> Result<(), Outcome> {
        let Some(after) = planned.after.as_deref() else { return Ok(()) };
        let before = planned.before.as_deref();
        let settings = &self.services.settings;
        place::take(transaction, settings, &planned.key, before.map(Entry::new), Entry::new(after))?;
        if transaction.is_import() {
            return Ok(());
        }
        may_replace(transaction, before.map(Entry::new), Entry::new(after))?;
        if let Some(kept) = self::kept(before, after, Instant::from_millis(transaction.now()))? {
            transaction.put(&planned.key, kept)?;
        }
        let was_booked = before.is_some_and(|before| Entry::new(before).status() == "booked");
        match Entry::new(after).status() == "booked" && !was_booked {
            true => self.cancel_other(transaction, &planned.key, Entry::new(after)),
            false => Ok(()),
        }
    }
}

/// The appointment with what only the server writes; `None` where that is so already.
fn kept(before: Option<&Document>, after: &Document, now: Instant) -> Result<Option<Document>, Outcome> {
    let was = before.map(|before| Entry::new(before).status()).unwrap_or_default();
    let is = Entry::new(after).status();
    let before = before.map(Entry::new);
    let is_declined = was == "proposed" && is == "proposed" && is_answered(after, "declined");
    if was == "proposed" && is == "waitlist" || is_declined && before.is_some_and(has_waited) {
        let kept = before.map(|before| keeps(after, before)).transpose()?;
        return Ok(Some(waits(kept.as_ref().unwrap_or(after), now)?));
    }
    if was != "waitlist" && is == "waitlist" {
        return Ok(Some(comes(after, now)?));
    }
    let written = |entry: Entry<'_>| {
        let all = entry.extensions(WAITING_SINCE).chain(entry.extensions(OFFERED));
        all.map(|it| it.raw().to_owned()).collect::<Vec<_>>()
    };
    let said = written(Entry::new(after));
    match before.filter(|before| has_waited(*before)) {
        Some(before) if written(before) == said => Ok(None),
        Some(before) => Ok(Some(keeps(after, before)?)),
        None if said.is_empty() => Ok(None),
        // What never waited is not to be taken for what did when its time is over.
        None => Ok(Some(forgets(after)?)),
    }
}

/// The appointment of this server in whose place one is.
pub(super) fn replaced(transaction: &Transaction<'_>, appointment: Entry<'_>) -> Option<Key> {
    let extension = appointment.extensions(REPLACES).next()?;
    let reference = extension.path(&["valueReference", "reference"]).and_then(Node::as_str)?;
    transaction.local(&reference).filter(|key| key.collection() == "Appointment")
}

/// Refuses to name an appointment to be replaced to who may not change it: replacing cancels it, be it later and by somebody else's answer.
fn may_replace(transaction: &Transaction<'_>, before: Option<Entry<'_>>, after: Entry<'_>) -> Result<(), Outcome> {
    let Some(other) = replaced(transaction, after) else { return Ok(()) };
    let is_named = before.and_then(|before| replaced(transaction, before)).as_ref() == Some(&other);
    match is_named || transaction.may_update(&other)? {
        true => Ok(()),
        false => Err(Reason::NotReplaceable.refuse(other, "Appointment.extension")),
    }
}

impl Waiting {
    /// Cancels what is replaced, if it is the same patients' and still stands; the caller's own change of it goes before.
    fn cancel_other(
        &self,
        transaction: &mut Transaction<'_>,
        key: &Key,
        appointment: Entry<'_>,
    ) -> Result<(), Outcome> {
        let Some(other) = replaced(transaction, appointment).filter(|other| other != key) else { return Ok(()) };
        if transaction.is_written(&other) {
            return Ok(());
        }
        let refuse = |reason: Reason| Err(reason.refuse(&other, "Appointment.extension"));
        let Some(before) = transaction.read(&other)? else { return refuse(Reason::Replaced) };
        let entry = Entry::new(&before);
        let sorted = |mut names: Vec<String>| {
            names.sort_unstable();
            names
        };
        let patients = sorted(actor::patients(transaction, appointment)?);
        if patients.is_empty() || sorted(actor::patients(transaction, entry)?) != patients {
            return refuse(Reason::Replaced);
        }
        if !REPLACEABLE.contains(&&*entry.status()) {
            return Ok(());
        }
        if entry.instant("start").is_some_and(|start| start.as_millis() <= transaction.now()) {
            return refuse(Reason::ReplacedBegun);
        }
        let changes =
            [("status", Some("\"cancelled\"".to_owned())), ("cancelationReason", Some(BY_PATIENT.to_owned()))];
        transaction.put(&other, with(&before, &changes)?)?;
        let Some(planned) = transaction.planned_for(&other)? else { return Ok(()) };
        Booking { services: self.services.clone() }.apply(transaction, &planned)?;
        BookingLimit.apply(transaction, &planned)?;
        // The triage by which it was booked lets the other be booked.
        Guided { services: self.services.clone() }.apply(transaction, &planned)
    }
}
