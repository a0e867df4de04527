//! What the waiting list keeps in an appointment.

use fhir::json::{Document, Node, quote};
use fhir::{Instant, Outcome};
use repository::Key;

use crate::appointments::hold::HELD_UNTIL;
use crate::appointments::resource::{Entry, is_patient, with};

/// Since when it waits, as the server saw it.
pub(super) const WAITING_SINCE: &str = "https://flint.example/fhir/StructureDefinition/waiting-since";

/// A slot that it was offered, as `Slot/id`: no reference, for the slot may go.
pub(super) const OFFERED: &str = "https://flint.example/fhir/StructureDefinition/offered-slot";

/// How many slots are remembered that somebody was offered; the oldest is forgotten.
const OFFERED_MAX: usize = 50;

/// Whether it came from the waiting list.
pub(in crate::appointments) fn has_waited(appointment: Entry<'_>) -> bool {
    appointment.extensions(WAITING_SINCE).next().is_some()
}

/// Whether it was offered this slot already.
pub(super) fn was_offered(appointment: Entry<'_>, slot: &Key) -> bool {
    appointment.extensions(OFFERED).any(|it| it.get("valueString").is_some_and(|text| text.is_str(slot.as_str())))
}

/// The appointment as it waits: since `since`, without a slot and a time.
pub(super) fn waits(appointment: &Document, since: Instant) -> Result<Document, Outcome> {
    let mut extensions = others(appointment, &[WAITING_SINCE, HELD_UNTIL]);
    extensions.push(format!(r#"{{"url":{},"valueInstant":"{since}"}}"#, quote(WAITING_SINCE)));
    with(
        appointment,
        &[
            ("extension", Some(format!("[{}]", extensions.join(",")))),
            ("status", Some(quote("waitlist"))),
            ("slot", None),
            ("start", None),
            ("end", None),
            ("participant", Some(answered(appointment, "accepted"))),
        ],
    )
}

/// The appointment as one that has just come to the list: nothing that only the server knows is taken over.
pub(super) fn comes(appointment: &Document, since: Instant) -> Result<Document, Outcome> {
    let mut extensions = others(appointment, &[WAITING_SINCE, OFFERED]);
    extensions.push(format!(r#"{{"url":{},"valueInstant":"{since}"}}"#, quote(WAITING_SINCE)));
    with(appointment, &[("extension", Some(format!("[{}]", extensions.join(","))))])
}

/// The appointment without what only the server knows.
pub(super) fn forgets(appointment: &Document) -> Result<Document, Outcome> {
    let extensions = others(appointment, &[WAITING_SINCE, OFFERED]);
    with(appointment, &[("extension", (!extensions.is_empty()).then(|| format!("[{}]", extensions.join(","))))])
}

/// The appointment with what the server keeps of another version of it.
pub(super) fn keeps(appointment: &Document, before: Entry<'_>) -> Result<Document, Outcome> {
    let mut extensions = others(appointment, &[WAITING_SINCE, OFFERED]);
    let kept = before.extensions(WAITING_SINCE).chain(before.extensions(OFFERED));
    extensions.extend(kept.map(|it| it.raw().to_owned()));
    let extensions = (!extensions.is_empty()).then(|| format!("[{}]", extensions.join(",")));
    with(appointment, &[("extension", extensions)])
}

/// The appointment as an offer of a slot until a time.
pub(super) fn offers(appointment: &Document, key: &Key, slot: Entry<'_>, until: Instant) -> Result<Document, Outcome> {
    let entry = Entry::new(appointment);
    let mut extensions = others(appointment, &[HELD_UNTIL, OFFERED]);
    let earlier: Vec<_> = entry.extensions(OFFERED).map(|it| it.raw().to_owned()).collect();
    extensions.extend(earlier.into_iter().rev().take(OFFERED_MAX - 1).rev());
    extensions.push(format!(r#"{{"url":{},"valueString":"{key}"}}"#, quote(OFFERED)));
    extensions.push(format!(r#"{{"url":{},"valueInstant":"{until}"}}"#, quote(HELD_UNTIL)));
    with(
        appointment,
        &[
            ("extension", Some(format!("[{}]", extensions.join(",")))),
            ("status", Some(quote("proposed"))),
            ("slot", Some(format!(r#"[{{"reference":"{key}"}}]"#))),
            ("start", Some(quote(&slot.text("start")))),
            ("end", Some(quote(&slot.text("end")))),
            ("participant", Some(answered(appointment, "needs-action"))),
        ],
    )
}

/// The appointment as the patient has accepted it.
pub(super) fn books(appointment: &Document) -> Result<Document, Outcome> {
    let participants = answered(appointment, "accepted");
    with(appointment, &[("status", Some(quote("booked"))), ("participant", Some(participants))])
}

/// Whether a patient who takes part has this answer.
pub(super) fn is_answered(appointment: &Document, answer: &str) -> bool {
    let mut participants = appointment.root().get("participant").into_iter().flat_map(Node::each);
    participants.any(|participant| {
        participant.get("actor").is_some_and(is_patient)
            && participant.get("status").is_some_and(|status| status.is_str(answer))
    })
}

/// The extensions with other urls.
fn others(appointment: &Document, urls: &[&str]) -> Vec<String> {
    let extensions = appointment.root().get("extension").into_iter().flat_map(Node::each);
    let is_other = |it: &Node<'_>| !it.get("url").is_some_and(|url| urls.iter().any(|known| url.is_str(known)));
    extensions.filter(is_other).map(|it| it.raw().to_owned()).collect()
}

/// The participants, the patients with this answer.
fn answered(appointment: &Document, answer: &str) -> String {
    let participants = appointment.root().get("participant").into_iter().flat_map(Node::each);
    let answered = participants.map(|participant| {
        if !participant.get("actor").is_some_and(is_patient) {
            return participant.raw().to_owned();
        }
        let others = participant.members().filter(|(name, _)| *name != "status");
        let others = others.map(|(name, value)| format!(r#""{name}":{}"#, value.raw()));
        let members: Vec<_> = others.chain([format!(r#""status":"{answer}""#)]).collect();
        format!("{{{}}}", members.join(","))
    });
    format!("[{}]", answered.collect::<Vec<_>>().join(","))
}
