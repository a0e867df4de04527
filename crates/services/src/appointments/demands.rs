//! What a booking must fulfill before it takes slots.

use std::sync::Arc;

use fhir::json::Document;
use fhir::{Instant, Outcome};
use repository::{Key, Millis};

use super::refusal::Reason;
use super::resource::Entry;

/// How many characters of a description and a comment reach the practice, <https://developer.nhs.uk/apis/gpconnect/>.
const DESCRIPTION_MAX: usize = 100;
const COMMENT_MAX: usize = 500;

/// A slot that a booking names, with the element that names it.
pub(super) struct Named {
    pub(super) key: Key,
    pub(super) document: Arc<Document>,
    pub(super) expression: String,
}

struct Timed<'a> {
    named: &'a Named,
    entry: Entry<'a>,
    start: Instant,
    end: Instant,
}

/// Refuses a booking whose slots do not fit it or one another. `slots` are in any order.
pub(super) fn check(appointment: Entry<'_>, slots: &[Named]) -> Result<(), Outcome> {
    texts(appointment)?;
    let mut timed = slots.iter().map(Timed::new).collect::<Result<Vec<_>, _>>()?;
    timed.sort_by_key(|slot| slot.start);
    for pair in timed.windows(2) {
        pair[1].follows(&pair[0])?;
    }
    let (Some(first), Some(last)) = (timed.first(), timed.last()) else { return Ok(()) };
    if appointment.instant("start") != Some(first.start) {
        return Err(Reason::Start.refuse(appointment.text("start"), "Appointment.start"));
    }
    if appointment.instant("end") != Some(last.end) {
        return Err(Reason::End.refuse(appointment.text("end"), "Appointment.end"));
    }
    patient(appointment)
}

/// Refuses to take slots for no patient.
pub(super) fn patient(appointment: Entry<'_>) -> Result<(), Outcome> {
    match appointment.has_patient() {
        true => Ok(()),
        false => Err(Reason::Patient.refuse(appointment.participants().count(), "Appointment.participant")),
    }
}

/// Refuses a booking of what has begun.
pub(super) fn future(appointment: Entry<'_>, now: Millis) -> Result<(), Outcome> {
    match appointment.instant("start") {
        Some(start) if start > Instant(now.saturating_mul(1000)) => Ok(()),
        _ => Err(Reason::Past.refuse(appointment.text("start"), "Appointment.start")),
    }
}

/// Refuses texts that do not reach the practice whole, where they are sent.
pub(super) fn waits(appointment: Entry<'_>) -> Result<(), Outcome> {
    match appointment.status() == "waitlist" {
        true => texts(appointment),
        false => Ok(()),
    }
}

/// Texts are never cut on the way to the practice, so too long ones are refused.
fn texts(appointment: Entry<'_>) -> Result<(), Outcome> {
    let limits = [("description", DESCRIPTION_MAX, Reason::Description), ("comment", COMMENT_MAX, Reason::Comment)];
    for (name, limit, reason) in limits {
        let length = appointment.text(name).chars().count();
        if length > limit {
            return Err(reason.refuse(length, format!("Appointment.{name}")));
        }
    }
    Ok(())
}

impl Timed<'_> {
    fn new(named: &Named) -> Result<Timed<'_>, Outcome> {
        let entry = Entry::new(&named.document);
        match (entry.instant("start"), entry.instant("end")) {
            (Some(start), Some(end)) => Ok(Timed { named, entry, start, end }),
            _ => Err(Reason::SlotWithoutTimes.refuse(&named.key, &named.expression)),
        }
    }

    fn follows(&self, before: &Timed<'_>) -> Result<(), Outcome> {
        let (this, that) = (self.entry, before.entry);
        let demands = [
            (Reason::Gap, self.start == before.end),
            (Reason::Schedule, this.schedule() == that.schedule()),
            (Reason::Channel, this.channel() == that.channel()),
            (Reason::ServiceType, this.service_types() == that.service_types()),
        ];
        match demands.iter().find(|(_, fulfilled)| !fulfilled) {
            Some((reason, _)) => Err(reason.refuse(&self.named.key, &self.named.expression)),
            None => Ok(()),
        }
    }
}
