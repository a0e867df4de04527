//! The rule Guided: a service that asks for triage is booked after it.

use std::collections::BTreeSet;
use std::sync::Arc;

use fhir::json::{Document, Node};
use fhir::{DateTime, Instant, Outcome};
use repository::{Key, Planned, Rule, Transaction};

use super::extension::extension;
use super::refusal::Reason;
use crate::Services;

/// On a HealthcareService: whether triage comes before a booking.
const NEEDS_TRIAGE: &str = "https://flint.example/fhir/StructureDefinition/needs-triage";

/// Of one appointment so many references to slots and to what it rests on, and of a schedule so many actors, are followed.
const LOOKS_MAX: usize = 50;

/// The statuses in which an appointment takes place, or has.
const TAKES_PLACE: [&str; 5] = ["booked", "checked-in", "arrived", "fulfilled", "noshow"];

/// An appointment with a service that needs triage names in `supportingInformation` a GuidanceResponse about its patient, which ended with
/// success, not too long ago, and by which no other appointment was booked that the caller may know of. `basedOn` and `reasonReference` cannot
/// name one in R4.
///
/// What was booked once is not asked again, unless it moves to other slots. An import, and what the record keeper tells of bookings made
/// elsewhere, is not asked either.
#[derive(Debug)]
pub(crate) struct Guided {
    pub(crate) services: Arc<Services>,
}

impl Rule for Guided {
    fn name(&self) -> &'static str {
        "guided"
    }

    fn resource_types(&self) -> &'static [&'static str] {
        &["Appointment"]
    }

    fn apply(&self, transaction: &mut Transaction<'_>, planned: &Planned) -> Result<(), Outcome> {
        let before = planned.before.as_deref().map(Booking).filter(Booking::takes_place);
        let after = planned.after.as_deref().map(Booking).filter(Booking::takes_place);
        let is_kept = transaction.is_import() || transaction.requester().is_some_and(|requester| requester.custodian);
        let used = match (before, after) {
            (_, None) => None,
            (Some(before), Some(after)) if before.slots() == after.slots() => return Ok(()),
            (_, Some(_)) if is_kept => None,
            (_, Some(after)) => self.guidance(transaction, &planned.key, after)?,
        };
        // What it was booked by it may not name any more.
        let place = place(&planned.key);
        if let Some(name) = before.and(transaction.claimed(&place)?)
            && used.as_ref().is_none_or(|key| self::name(key) != name)
        {
            transaction.release(name);
            transaction.release(place.clone());
        }
        let Some(key) = used else { return Ok(()) };
        if holder(transaction, &key)?.is_some_and(|holder| holder != planned.key) {
            return Ok(());
        }
        let refusal = Reason::UsedBefore.refuse(&key, SUPPORTING);
        transaction.claim(name(&key), planned.key.as_str().as_bytes().to_vec(), refusal)?;
        transaction.exchange(place, Some(name(&key)))
    }
}

const SUPPORTING: &str = "Appointment.supportingInformation";

impl Guided {
    /// The triage that lets this be booked; `None` when none of its services asks for any.
    fn guidance(
        &self,
        transaction: &mut Transaction<'_>,
        owner: &Key,
        booking: Booking<'_>,
    ) -> Result<Option<Key>, Outcome> {
        let Some(service) = asking(transaction, booking)? else { return Ok(None) };
        let patients = booking.actors(transaction, "Patient");
        let mut refusal = Reason::Untriaged.refuse(&service, SUPPORTING);
        for key in booking.guidance(transaction) {
            match self.check(transaction, owner, &key, &patients)? {
                None => return Ok(Some(key)),
                Some(reason) => refusal = reason.refuse(&key, SUPPORTING),
            }
        }
        Err(refusal)
    }

    /// Why a triage does not let this be booked. Of one that is about somebody else no more is told than of one that is not there.
    fn check(
        &self,
        transaction: &mut Transaction<'_>,
        owner: &Key,
        key: &Key,
        patients: &[Key],
    ) -> Result<Option<Reason>, Outcome> {
        let Some(document) = transaction.read(key)? else { return Ok(Some(Reason::NoGuidance)) };
        let root = document.root();
        let subject = reference(transaction, root.get("subject"));
        if subject.is_none_or(|subject| !patients.contains(&subject)) {
            return Ok(Some(Reason::NoGuidance));
        }
        if !root.get("status").is_some_and(|status| status.is_str("success")) {
            return Ok(Some(Reason::NotFinished));
        }
        if let Some(other) = holder(transaction, key)?.filter(|holder| holder != owner)
            && transaction.is_told(&other)?
        {
            return Ok(Some(Reason::UsedBefore));
        }
        let now = Instant::from_millis(transaction.now());
        let age = now.as_millis().saturating_sub(decided(root, now).as_millis());
        let age_max = self.services.settings.triage_age_max.as_millis();
        Ok(i64::try_from(age_max).is_ok_and(|age_max| age > age_max).then_some(Reason::TooOld))
    }
}

/// When it was decided: as it says, but not later than it was written.
fn decided(guidance: Node<'_>, now: Instant) -> Instant {
    let time = |node: Option<Node<'_>>| Some(DateTime::parse(&node?.as_str()?)?.range().0);
    let written = time(guidance.path(&["meta", "lastUpdated"])).unwrap_or(now);
    time(guidance.get("occurrenceDateTime")).map_or(written, |said| said.min(written))
}

/// A service of the appointment, or of the schedules of its slots, that asks for triage.
fn asking(transaction: &mut Transaction<'_>, booking: Booking<'_>) -> Result<Option<Key>, Outcome> {
    let mut services: BTreeSet<Key> = booking.actors(transaction, SERVICE).into_iter().collect();
    let mut schedules = BTreeSet::new();
    for slot in booking.named(transaction, "slot", "Slot") {
        let slot = transaction.read(&slot)?;
        schedules.extend(slot.and_then(|slot| reference(transaction, slot.root().get("schedule"))));
    }
    for schedule in schedules.iter().filter(|schedule| schedule.collection() == "Schedule") {
        let Some(schedule) = transaction.read(schedule)? else { continue };
        let actors = schedule.root().get("actor").into_iter().flat_map(Node::each).take(LOOKS_MAX);
        services.extend(actors.filter_map(|actor| reference(transaction, Some(actor))));
    }
    for service in services.into_iter().filter(|service| service.collection() == SERVICE) {
        let document = transaction.read(&service)?;
        let needs = document.is_some_and(|it| {
            extension(it.root(), NEEDS_TRIAGE).and_then(|it| it.get("valueBoolean")?.as_bool()) == Some(true)
        });
        if needs {
            return Ok(Some(service));
        }
    }
    Ok(None)
}

const SERVICE: &str = "HealthcareService";

/// An Appointment as this rule reads it.
#[derive(Clone, Copy)]
struct Booking<'a>(&'a Document);

impl Booking<'_> {
    fn takes_place(&self) -> bool {
        let status = self.0.root().get("status").and_then(Node::as_str).unwrap_or_default();
        TAKES_PLACE.contains(&status.as_ref())
    }

    fn slots(&self) -> Option<String> {
        self.0.root().get("slot").map(|slots| slots.raw().to_owned())
    }

    /// The resources of this server of one type that an element names.
    fn named(&self, transaction: &Transaction<'_>, element: &str, resource_type: &str) -> Vec<Key> {
        let named = self.0.root().get(element).into_iter().flat_map(Node::each).take(LOOKS_MAX);
        let keys = named.filter_map(|named| reference(transaction, Some(named)));
        keys.filter(|key| key.collection() == resource_type).collect()
    }

    fn guidance(&self, transaction: &Transaction<'_>) -> Vec<Key> {
        self.named(transaction, "supportingInformation", "GuidanceResponse")
    }

    /// The participants of one type.
    fn actors(&self, transaction: &Transaction<'_>, resource_type: &str) -> Vec<Key> {
        let participants = self.0.root().get("participant").into_iter().flat_map(Node::each).take(LOOKS_MAX);
        let keys = participants.filter_map(|participant| reference(transaction, participant.get("actor")));
        keys.filter(|key| key.collection() == resource_type).collect()
    }
}

fn reference(transaction: &Transaction<'_>, reference: Option<Node<'_>>) -> Option<Key> {
    transaction.local(&reference?.get("reference")?.as_str()?)
}

/// What an appointment that was booked by a triage holds.
fn name(guidance: &Key) -> Vec<u8> {
    format!("triage/{guidance}").into_bytes()
}

/// Where stands what an appointment holds.
fn place(appointment: &Key) -> Vec<u8> {
    format!("triage/of/{}", appointment.id()).into_bytes()
}

/// The appointment that was booked by a triage.
fn holder(transaction: &mut Transaction<'_>, guidance: &Key) -> Result<Option<Key>, Outcome> {
    let held = transaction.claimed(&name(guidance))?;
    Ok(held.and_then(|held| Key::parse(std::str::from_utf8(&held).ok()?)))
}
