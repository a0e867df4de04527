//! The header of a message, checked.

use std::borrow::Cow;

use fhir::Outcome;
use fhir::json::Node;

use super::super::refusal::Reason;

const EVENTS: &str = "https://fhir.nhs.uk/CodeSystem/message-events-bars";
const REASONS: &str = "https://fhir.nhs.uk/CodeSystem/message-reason-bars";

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Referral,
    Booking,
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    New,
    Update,
    Delete,
}

/// What a header says.
pub(super) struct Header<'a> {
    pub(super) node: Node<'a>,
    pub(super) event: Event,
    pub(super) action: Action,
    /// The reference to what it is about.
    pub(super) focus: Cow<'a, str>,
    /// Whom it is sent to.
    pub(super) destination: Cow<'a, str>,
    /// Where an answer goes.
    pub(super) source: Cow<'a, str>,
}

impl Event {
    /// The type of what a message is about.
    pub(super) fn focus_type(self) -> &'static str {
        match self {
            Event::Referral => "ServiceRequest",
            Event::Booking => "Appointment",
        }
    }

    /// The status in which that is current.
    pub(super) fn current(self) -> &'static str {
        match self {
            Event::Referral => "active",
            Event::Booking => "booked",
        }
    }

    /// The statuses by which it is taken back.
    pub(super) fn ended(self) -> [&'static str; 2] {
        match self {
            Event::Referral => ["revoked", "entered-in-error"],
            Event::Booking => ["cancelled", "entered-in-error"],
        }
    }
}

impl<'a> Header<'a> {
    /// Reads the header of a message, the first entry's resource.
    pub(super) fn read(node: Node<'a>) -> Result<Header<'a>, Outcome> {
        let refuse = |reason: Reason, found: &str, element: &str| {
            Err(reason.refuse(found, format!("Bundle.entry[0].resource.{element}")))
        };
        let text = |node: Node<'a>, name: &str| node.get(name).and_then(Node::as_str).unwrap_or_default();
        let coded = |coding: Option<Node<'a>>, system: &str| {
            coding.filter(|coding| coding.get("system").is_some_and(|it| it.is_str(system))).map(|it| text(it, "code"))
        };
        let event = coded(node.get("eventCoding"), EVENTS).unwrap_or_default();
        let event = match event.as_ref() {
            "servicerequest-request" => Event::Referral,
            "booking-request" => Event::Booking,
            "servicerequest-response" | "booking-response" => return refuse(Reason::Response, &event, "event"),
            _ => return refuse(Reason::Event, &event, "event"),
        };
        let mut codings = node.path(&["reason", "coding"]).into_iter().flat_map(Node::each);
        let action = codings.find_map(|coding| coded(Some(coding), REASONS)).unwrap_or_default();
        let action = match action.as_ref() {
            "new" => Action::New,
            "update" => Action::Update,
            "delete" => Action::Delete,
            _ => return refuse(Reason::Change, &action, "reason"),
        };
        let first = |list: &str, path: &[&str]| {
            let mut items = node.get(list).into_iter().flat_map(Node::items);
            match (items.next(), items.next()) {
                (Some(item), None) => item.path(path).and_then(Node::as_str),
                _ => None,
            }
        };
        let Some(destination) = first("destination", &["endpoint"]) else {
            return refuse(Reason::Required, "one destination with its endpoint", "destination");
        };
        let source = node.get("source").map(|source| text(source, "endpoint")).unwrap_or_default();
        if source.is_empty() {
            return refuse(Reason::Required, "the endpoint of its source", "source");
        }
        let Some(focus) = first("focus", &["reference"]) else {
            return refuse(Reason::Required, "one focus", "focus");
        };
        Ok(Header { node, event, action, focus, destination, source })
    }
}
