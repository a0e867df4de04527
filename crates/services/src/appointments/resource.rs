//! Appointments and slots as the rules read them.

use std::borrow::Cow;

use fhir::json::{Document, Edit, Node, splice};
use fhir::{DateTime, Instant, Outcome, Reference};

/// The extension that says how patient and practitioner meet.
const DELIVERY_CHANNEL: &str = "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-DeliveryChannel";

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

    /// The codes of the delivery channel, none when it has none.
    pub(super) fn channel(self) -> Vec<String> {
        let extensions = self.0.get("extension").into_iter().flat_map(Node::each);
        let channels = extensions.filter(|it| it.get("url").is_some_and(|url| url.is_str(DELIVERY_CHANNEL)));
        channels.filter_map(|channel| channel.get("valueCodeableConcept")).flat_map(meaning).collect()
    }

    /// What kinds of service a slot is for.
    pub(super) fn service_types(self) -> Vec<String> {
        self.0.get("serviceType").into_iter().flat_map(Node::each).flat_map(meaning).collect()
    }

    /// How many participants there are, and whether one of them is a patient.
    pub(super) fn participants(self) -> (usize, bool) {
        let participants = self.0.get("participant").into_iter().flat_map(Node::each);
        let actors: Vec<_> = participants.map(|participant| participant.get("actor")).collect();
        (actors.len(), actors.into_iter().flatten().any(is_patient))
    }

    /// Whether everything that a booking must fulfill is the same in both.
    pub(super) fn same_booking(self, other: Entry<'_>) -> bool {
        let raw = |entry: Entry<'_>, name| entry.0.get(name).map(|node| node.raw().to_owned());
        ["start", "end", "slot", "description", "comment"].iter().all(|name| raw(self, name) == raw(other, name))
    }
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

fn is_patient(actor: Node<'_>) -> bool {
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

/// The document with another status.
pub(super) fn with_status(document: &Document, status: &str) -> Result<Document, Outcome> {
    let edits = document.root().get("status").map(|node| Edit { range: node.span(), text: format!("\"{status}\"") });
    Ok(Document::parse(splice(document.text(), edits.into_iter().collect()).as_bytes())?)
}
