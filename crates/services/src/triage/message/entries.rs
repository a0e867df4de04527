//! A message as a transaction.

use std::borrow::Cow;

use fhir::json::{Document, Node, Value};
use fhir::{IssueType, Outcome};
use repository::{Change, Key, Session, Target, query_string};

use super::super::refusal::Reason;
use super::directory::{Directory, is_of_directory};
use super::header::{Action, Event, Header};
use super::{focus, received, task};
use search::{NHS_NUMBER, is_nhs_number};

/// A message has at most so many entries.
const ENTRIES_MAX: usize = 500;

/// A message that was read.
pub(super) struct Message<'a> {
    pub(super) header: Header<'a>,
    pub(super) entries: Vec<Entry<'a>>,
    /// The id that its sender gave it.
    pub(super) id: Cow<'a, str>,
    /// Which entry it is about.
    pub(super) focus: usize,
    /// The service that it is for.
    service: Key,
}

pub(super) struct Entry<'a> {
    pub(super) full_url: Option<Cow<'a, str>>,
    pub(super) resource: Node<'a>,
}

/// The changes that a message makes, and which entry each was made of.
#[derive(Default)]
pub(super) struct Prepared {
    pub(super) changes: Vec<Change>,
    pub(super) places: Vec<Option<usize>>,
}

impl<'a> Message<'a> {
    /// Reads a Bundle, and refuses what is no message for a service of this server.
    pub(super) fn read(session: &Session<'_>, bundle: Node<'a>) -> Result<Message<'a>, Outcome> {
        let text = |node: Node<'a>, name: &str| node.get(name).and_then(Node::as_str);
        let kind = text(bundle, "type").unwrap_or_default();
        if bundle.resource_type() != Some("Bundle") || kind != "message" {
            let found = if bundle.resource_type() == Some("Bundle") {
                kind
            } else {
                text(bundle, "resourceType").unwrap_or_default()
            };
            return Err(Reason::NotAMessage.refuse(found, "Bundle.type"));
        }
        let entries = bundle.get("entry").into_iter().flat_map(Node::items);
        let entries = entries
            .filter_map(|entry| Some(Entry { full_url: text(entry, "fullUrl"), resource: entry.get("resource")? }));
        let entries: Vec<_> = entries.take(ENTRIES_MAX + 1).collect();
        if entries.len() > ENTRIES_MAX {
            let text = format!("the message has more than {ENTRIES_MAX} entries");
            return Err(Outcome::new(IssueType::TooCostly, text).at("Bundle.entry"));
        }
        let first = entries.first().and_then(|entry| entry.resource.resource_type()).unwrap_or_default();
        if first != "MessageHeader" {
            return Err(Reason::NoHeader.refuse(first, "Bundle.entry[0].resource"));
        }
        let header = Header::read(entries[0].resource)?;
        let Some(id) = text(bundle, "id").or(text(header.node, "id")) else {
            return Err(Reason::NoIdentity.refuse("", "Bundle.id"));
        };
        let is_focus = |entry: &Entry<'_>| {
            entry.full_url.as_ref() == Some(&header.focus)
                && entry.resource.resource_type() == Some(header.event.focus_type())
        };
        let Some(focus) = entries.iter().position(is_focus) else {
            return Err(Reason::NoFocus.refuse(&header.focus, "Bundle.entry[0].resource.focus"));
        };
        let service = service(session, &header.destination)?;
        Ok(Message { header, entries, id, focus, service })
    }

    /// The changes that it makes.
    pub(super) fn prepare(&self, session: &Session<'_>) -> Result<Prepared, Outcome> {
        let directory = Directory::read(session, &self.entries)?;
        let mut room = Directory::room();
        let place = format!("Bundle.entry[{}].resource", self.focus);
        let (event, action) = (self.header.event, self.header.action);
        let sent = self.entries[self.focus].resource;
        focus::check_status(event, action, sent, &place)?;
        let known = match action {
            Action::New => None,
            Action::Update | Action::Delete => Some(focus::known(session, event, sent, &place)?),
        };
        let mut prepared = Prepared::default();
        for (at, entry) in self.entries.iter().enumerate() {
            if entry.resource.resource_type().is_some_and(is_of_directory) {
                continue;
            }
            let mut value = Value::from(entry.resource);
            directory.place(&mut value, &mut room)?;
            let change = match (at, &known) {
                (0, _) => {
                    receive(&mut value, &received::received(&self.id, session.request_id()))?;
                    entry.create("MessageHeader", &value, None)?
                }
                (at, Some(known)) if at == self.focus => {
                    let if_match = Some(format!("W/\"{}\"", known.version));
                    entry.update(Target::Key(known.key.clone()), &value, if_match)?
                }
                (at, None) if at == self.focus => entry.create(event.focus_type(), &value, None)?,
                _ => self.other(session, at, &value)?,
            };
            prepared.changes.push(change);
            prepared.places.push(Some(at));
        }
        let tasks = match (event, known) {
            (Event::Booking, _) => Vec::new(),
            (Event::Referral, None) => {
                let mut task = task::created(session, &self.header, sent, &self.service)?;
                directory.place(&mut task, &mut room)?;
                vec![task::create(&task)?]
            }
            (Event::Referral, Some(known)) if is_ended(event, sent) => task::cancelled(session, &known.key)?,
            (Event::Referral, Some(_)) => Vec::new(),
        };
        prepared.places.extend(tasks.iter().map(|_| None));
        prepared.changes.extend(tasks);
        Ok(prepared)
    }

    /// What becomes of a resource that comes with the message.
    fn other(&self, session: &Session<'_>, at: usize, value: &Value) -> Result<Change, Outcome> {
        let entry = &self.entries[at];
        let definitions = fhir::Definitions::r4();
        let found = entry.resource.resource_type().unwrap_or_default();
        let Some(name) = definitions.resource_type(found) else {
            let text = format!("{} is not a resource type of FHIR R4", fhir::outcome::quoted(found));
            return Err(Outcome::new(IssueType::Structure, text).at(format!("Bundle.entry[{at}].resource")));
        };
        if name == "Patient" {
            check_nhs_numbers(entry.resource, at)?;
            let token = nhs_number(entry.resource).or_else(|| focus::identifier(entry.resource));
            return entry.create(name, value, token.as_deref().map(by_identifier));
        }
        let id = value.get("id").and_then(Value::as_str).filter(|_| self.header.action != Action::New);
        let here = id.and_then(|id| Key::new(name, id)).filter(|key| session.read(key).is_ok());
        let target = match (here, focus::identifier(entry.resource)) {
            (Some(key), _) => Target::Key(key),
            (None, Some(token)) => Target::Criteria { resource_type: name, query: by_identifier(&token) },
            (None, None) => return entry.create(name, value, None),
        };
        entry.update(target, value, None)
    }
}

impl Entry<'_> {
    fn create(
        &self,
        resource_type: &'static str,
        value: &Value,
        if_none_exist: Option<String>,
    ) -> Result<Change, Outcome> {
        Ok(Change::Create { resource_type, document: document(value, None)?, if_none_exist, full_url: self.full_url() })
    }

    fn update(&self, target: Target, value: &Value, if_match: Option<String>) -> Result<Change, Outcome> {
        let id = match &target {
            Target::Key(key) => Some(key.id().to_owned()),
            Target::Criteria { .. } => None,
        };
        let document = document(value, id)?;
        Ok(Change::Update { target, document, if_match, if_none_match: false, full_url: self.full_url() })
    }

    fn full_url(&self) -> Option<String> {
        self.full_url.clone().map(Cow::into_owned)
    }
}

/// The content with the id that it has here: that which its sender gave it says nothing.
fn document(value: &Value, id: Option<String>) -> Result<Document, Outcome> {
    let mut value = value.clone();
    value.remove("id");
    if let Some(id) = id {
        value.set("id", id);
    }
    Ok(Document::parse(value.to_string().as_bytes())?)
}

/// Adds the extension by which the stored header is known.
fn receive(header: &mut Value, extension: &str) -> Result<(), Outcome> {
    let extension = Value::parse(extension)?;
    match header.get_mut("extension") {
        Some(Value::Array(extensions)) => extensions.push(extension),
        _ => header.set("extension", Value::Array(vec![extension])),
    }
    Ok(())
}

fn by_identifier(token: &str) -> String {
    query_string([("identifier", token)])
}

fn is_ended(event: Event, sent: Node<'_>) -> bool {
    let status = sent.get("status").and_then(Node::as_str).unwrap_or_default();
    event.ended().contains(&status.as_ref())
}

/// The service of this server that an endpoint, `system|value`, names.
fn service(session: &Session<'_>, endpoint: &str) -> Result<Key, Outcome> {
    let refuse = || Reason::Destination.refuse(endpoint, "Bundle.entry[0].resource.destination.endpoint");
    let (system, value) = endpoint.split_once('|').ok_or_else(refuse)?;
    // Both spellings are about.
    let other = match system.split_once("://") {
        Some(("http", rest)) => format!("https://{rest}"),
        Some(("https", rest)) => format!("http://{rest}"),
        _ => system.to_owned(),
    };
    let tokens = [system, &other].map(|system| search::token(system, value)).join(",");
    let mut found = session.lookup("HealthcareService", &query_string([("identifier", tokens.as_str())]), 2)?;
    match (found.pop(), found.is_empty()) {
        (Some(service), true) => Ok(service.key),
        _ => Err(refuse()),
    }
}

/// The NHS numbers of a patient.
fn nhs_numbers(patient: Node<'_>) -> impl Iterator<Item = Cow<'_, str>> {
    let identifiers = patient.get("identifier").into_iter().flat_map(Node::items);
    let ours = identifiers.filter(|it| it.get("system").is_some_and(|it| it.is_str(NHS_NUMBER)));
    ours.filter_map(|it| it.get("value").and_then(Node::as_str))
}

fn nhs_number(patient: Node<'_>) -> Option<String> {
    nhs_numbers(patient).next().map(|number| search::token(NHS_NUMBER, &number))
}

fn check_nhs_numbers(patient: Node<'_>, at: usize) -> Result<(), Outcome> {
    match nhs_numbers(patient).find(|number| !is_nhs_number(number)) {
        Some(wrong) => Err(Reason::NhsNumber.refuse(wrong, format!("Bundle.entry[{at}].resource.identifier"))),
        None => Ok(()),
    }
}
