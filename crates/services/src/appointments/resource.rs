//! Appointments and slots as the rules read them.

use std::borrow::Cow;

use fhir::json::{Document, Node};
use fhir::{DateTime, Instant, Outcome, Reference};

/// The extension that says how many appointments a slot takes, SMART Scheduling Links.
const CAPACITY: &str = "http://fhir-registry.smarthealthit.org/StructureDefinition/slot-capacity";

/// The extension that says how patient and practitioner meet.
pub(super) const DELIVERY_CHANNEL: &str =
    "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-DeliveryChannel";

/// A resource with a status and a time: Appointment or Slot.
#[derive(Clone, Copy)]
pub(super) struct Entry<'a>(Node<'a>);

impl<'a> Entry<'a> {
    pub(super) fn new(document: &'a Document) -> Entry<'a> {
        Entry(document.root())
    }

    pub(super) fn text(self, name: &str) -> Cow<'a, str> {
        self.0.get(name).and_then(Node::as_str).unwrap_or_default()
    }

    pub(super) fn status(self) -> Cow<'a, str> {
        self.text("status")
    }

    /// The instant at which `start` or `end` says.
    pub(super) fn instant(self, name: &str) -> Option<Instant> {
        Some(DateTime::parse(&self.0.get(name)?.as_str()?)?.range().0)
    }

    /// `Appointment.slot`: the references as they stand.
    pub(super) fn slots(self) -> Vec<Cow<'a, str>> {
        let slots = self.0.get("slot").into_iter().flat_map(Node::each);
        slots.map(|slot| slot.get("reference").and_then(Node::as_str).unwrap_or_default()).collect()
    }

    /// `Slot.schedule`.
    pub(super) fn schedule(self) -> Cow<'a, str> {
        self.0.path(&["schedule", "reference"]).and_then(Node::as_str).unwrap_or_default()
    }

    /// The extensions with this url.
    pub(super) fn extensions(self, url: &'static str) -> impl Iterator<Item = Node<'a>> + use<'a> {
        let extensions = self.0.get("extension").into_iter().flat_map(Node::each);
        extensions.filter(move |it| it.get("url").is_some_and(|found| found.is_str(url)))
    }

    /// The codes of the delivery channel, none when it has none.
    pub(super) fn channel(self) -> Vec<String> {
        let channels = self.extensions(DELIVERY_CHANNEL);
        channels.filter_map(|channel| channel.get("valueCodeableConcept")).flat_map(meaning).collect()
    }

    /// The resource that it contains under this id.
    pub(super) fn contained(self, id: &str) -> Option<Node<'a>> {
        let mut contained = self.0.get("contained").into_iter().flat_map(Node::each);
        contained.find(|resource| resource.get("id").is_some_and(|found| found.is_str(id)))
    }

    /// How many appointments a slot says that it takes, as written; `None` when it says nothing.
    pub(super) fn capacity(self) -> Option<&'a str> {
        self.extensions(CAPACITY).next().map(|it| it.get("valueInteger").map_or("", Node::raw))
    }

    /// `Slot.overbooked`.
    pub(super) fn is_overbooked(self) -> bool {
        self.0.get("overbooked").and_then(Node::as_bool).unwrap_or(false)
    }

    /// Who takes part, with `Reference`s: of an appointment those who have not declined, of a schedule all.
    pub(super) fn actors(self) -> impl Iterator<Item = Node<'a>> {
        let accepting = self.participants().filter(|it| !has_declined(*it));
        let schedule = self.0.get("actor").into_iter().flat_map(Node::each);
        accepting.filter_map(|participant| participant.get("actor")).chain(schedule)
    }

    /// What kinds of service a slot is for.
    pub(super) fn service_types(self) -> Vec<String> {
        self.0.get("serviceType").into_iter().flat_map(Node::each).flat_map(meaning).collect()
    }

    /// `Appointment.participant`: all, whatever they answered.
    pub(super) fn participants(self) -> impl Iterator<Item = Node<'a>> {
        self.0.get("participant").into_iter().flat_map(Node::each)
    }

    /// Whether a patient takes part who has not declined.
    pub(super) fn has_patient(self) -> bool {
        self.actors().any(is_patient)
    }

    /// Whether it takes the same slots at the same time.
    pub(super) fn same_place(self, other: Entry<'_>) -> bool {
        self.same(other, &["start", "end", "slot"])
    }

    /// Whether everything that a booking must fulfill is the same in both.
    pub(super) fn same_booking(self, other: Entry<'_>) -> bool {
        self.same_place(other) && self.same(other, &["description", "comment"])
    }

    fn same(self, other: Entry<'_>, names: &[&str]) -> bool {
        let raw = |entry: Entry<'_>, name: &str| entry.0.get(name).map(|node| node.raw().to_owned());
        names.iter().all(|name| raw(self, name) == raw(other, name))
    }
}

/// Whether a participant of an appointment has declined.
pub(super) fn has_declined(participant: Node<'_>) -> bool {
    participant.get("status").is_some_and(|status| status.is_str("declined"))
}

/// The codes of a CodeableConcept, or its text when it has none.
fn meaning(concept: Node<'_>) -> Vec<String> {
    let text = |node: Option<Node<'_>>| node.and_then(Node::as_str).unwrap_or_default().into_owned();
    let codings: Vec<_> = concept
        .get("coding")
        .into_iter()
        .flat_map(Node::each)
        .map(|coding| format!("{}|{}", text(coding.get("system")), text(coding.get("code"))))
        .collect();
    if codings.is_empty() { vec![text(concept.get("text"))] } else { codings }
}

/// Whether a participant's actor is a patient.
pub(super) fn is_patient(actor: Node<'_>) -> bool {
    if actor.get("type").is_some_and(|name| name.is_str("Patient")) {
        return true;
    }
    let reference = actor.get("reference").and_then(Node::as_str).unwrap_or_default();
    match Reference::parse(&reference) {
        Some(Reference::Relative { resource_type, .. } | Reference::Absolute { resource_type, .. }) => {
            resource_type == "Patient"
        }
        _ => false,
    }
}

/// The document with other top-level members, each as JSON, where they stood, else at the end; `None` takes one away.
pub(super) fn with(document: &Document, changes: &[(&str, Option<String>)]) -> Result<Document, Outcome> {
    let changed = |name: &str| changes.iter().find(|(changed, _)| *changed == name).map(|(_, value)| value.as_deref());
    let member = |(name, value): (&str, &str)| format!(r#""{name}":{value}"#);
    let there = document.root().members();
    let kept = there.filter_map(|(name, value)| Some((name, changed(name).unwrap_or(Some(value.raw()))?)));
    let new = changes.iter().filter(|(name, _)| document.root().get(name).is_none());
    let new = new.filter_map(|(name, value)| Some((*name, value.as_deref()?)));
    let members: Vec<_> = kept.chain(new).map(member).collect();
    Ok(Document::parse(format!("{{{}}}", members.join(",")).as_bytes())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_stay_where_they_stood() {
        let document = Document::parse(br#"{"a":1,"b":[2],"c":{"b":3}}"#).expect("JSON");
        let text = |text: &str| Some(text.to_owned());
        let changed = with(&document, &[("d", text("4")), ("b", text("5")), ("c", None), ("e", None)]).expect("JSON");
        assert_eq!(changed.text(), r#"{"a":1,"b":5,"d":4}"#);
    }
}
