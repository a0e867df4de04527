//! `Appointment/$book`: books, changes or cancels an Appointment, <https://profiles.ihe.net/ITI/Scheduling/ITI-117.html>.

use std::borrow::Cow;

use bytes::Bytes;
use fhir::json::{Document, Node, quote};
use fhir::{IssueType, Outcome};
use repository::{Act, Change, Key, Session, Target, Version};

use super::super::resource::{Entry, with};
use super::answer::{changed, gone, persistently};
use super::asked::{Asked, patient, patient_described, stored, to_store};
use super::proposal::{Terms, appointment, schedule};
use crate::inputs::Inputs;
use crate::{Invocation, Operation};

/// Inputs `appointment-reference` or `appointment-resource`, `patient-resource` and `comment`.
pub(crate) struct Book;

impl Operation for Book {
    fn code(&self) -> &'static str {
        "book"
    }

    fn definition(&self) -> &'static str {
        "https://profiles.ihe.net/ITI/Scheduling/OperationDefinition/appointment-book"
    }

    fn at_types(&self) -> &'static [&'static str] {
        &["Appointment"]
    }

    fn affects_state(&self) -> bool {
        true
    }

    fn run(&self, session: &Session<'_>, invocation: &Invocation) -> Result<Bytes, Outcome> {
        session.permit(Act::Create, "Appointment").or_else(|_| session.permit(Act::Update, "Appointment"))?;
        let inputs = Inputs::of(invocation);
        let comment = inputs.text("comment")?;
        let given = patient_described(session, &inputs)?;
        persistently(|| Book::once(session, &inputs, given.clone(), comment.as_ref()))
    }
}

impl Book {
    fn once(
        session: &Session<'_>,
        inputs: &Inputs<'_>,
        given: Option<Key>,
        comment: Option<&Cow<'_, str>>,
    ) -> Result<Bytes, Outcome> {
        let change = match Asked::of(session, inputs)? {
            Asked::Slot(key, slot) => new(session, &key, &slot, given, comment.map(AsRef::as_ref))?,
            Asked::Stored(version, document) => booked(version, &document, comment)?,
            Asked::Sent(sent) => of_sent(session, &sent, given, comment)?,
        };
        changed(session, change)
    }
}

/// Books a slot.
fn new(
    session: &Session<'_>,
    key: &Key,
    slot: &Document,
    given: Option<Key>,
    comment: Option<&str>,
) -> Result<Change, Outcome> {
    let patient = patient(session, given)?;
    let created = Some(session.now().to_string());
    let terms = Terms { status: "booked", id: None, patient: Some(&patient), comment, created, period: None };
    let schedule = schedule(session, slot)?;
    let document = Document::parse(appointment(key, slot, schedule.as_ref(), &terms).as_bytes())?;
    Ok(create(document))
}

/// Books what is stored as held or proposed.
fn booked(version: Version, document: &Document, comment: Option<&Cow<'_, str>>) -> Result<Change, Outcome> {
    match &*Entry::new(document).status() {
        "pending" | "proposed" => {
            let document = with(document, &with_comment(vec![("status", Some("\"booked\"".to_owned()))], comment))?;
            Ok(update(version, document))
        }
        "cancelled" => Err(gone("the appointment is cancelled, and its slots are free for others")),
        status => Err(gone(&format!("an appointment that is {status} cannot be booked"))),
    }
}

/// What an Appointment that was sent asks for by its status: `pending` books it, `booked` changes and `cancelled` cancels the stored one.
fn of_sent(
    session: &Session<'_>,
    sent: &Document,
    given: Option<Key>,
    comment: Option<&Cow<'_, str>>,
) -> Result<Change, Outcome> {
    let id = sent.root().get("id").and_then(Node::as_str);
    let key = id.and_then(|id| Key::new("Appointment", &id));
    let there = key.map(|key| stored(session, &key)).transpose()?.flatten();
    match (&*Entry::new(sent).status(), there) {
        ("pending", Some((version, document))) => booked(version, &document, comment),
        ("pending", None) => {
            let document = to_store(session, sent, "booked", given)?;
            Ok(create(with(&document, &with_comment(Vec::new(), comment))?))
        }
        ("booked", Some((version, _))) => {
            let document = with(sent, &with_comment(vec![("meta", meta(sent))], comment))?;
            Ok(update(version, document))
        }
        ("cancelled", Some((version, document))) => {
            let reason = sent.root().get("cancelationReason").map(|reason| reason.raw().to_owned());
            let mut changes = vec![("status", Some("\"cancelled\"".to_owned()))];
            if reason.is_some() {
                changes.push(("cancelationReason", reason));
            }
            Ok(update(version, with(&document, &with_comment(changes, comment))?))
        }
        ("booked" | "cancelled", None) => Err(gone("there is no such appointment to change or cancel")),
        (status, _) => {
            let text = format!(
                "the status {} asks for nothing: `pending` books, `booked` changes, `cancelled` cancels",
                fhir::outcome::quoted(status)
            );
            Err(Outcome::new(IssueType::Value, text).at("Appointment.status"))
        }
    }
}

/// `meta` without what the server sets.
fn meta(sent: &Document) -> Option<String> {
    let members = sent.root().get("meta")?.members();
    let kept = members.filter(|(name, _)| !["versionId", "lastUpdated"].contains(name));
    let kept: Vec<_> = kept.map(|(name, value)| format!(r#""{name}":{}"#, value.raw())).collect();
    (!kept.is_empty()).then(|| format!("{{{}}}", kept.join(",")))
}

fn with_comment<'a>(
    mut changes: Vec<(&'a str, Option<String>)>,
    comment: Option<&Cow<'_, str>>,
) -> Vec<(&'a str, Option<String>)> {
    changes.extend(comment.map(|comment| ("comment", Some(quote(comment)))));
    changes
}

fn create(document: Document) -> Change {
    Change::Create { resource_type: "Appointment", document, if_none_exist: None, full_url: None }
}

/// A new version of what was looked at, and of nothing else.
fn update(version: Version, document: Document) -> Change {
    let if_match = Some(version.version.to_string());
    Change::Update { target: Target::Key(version.key), document, if_match, if_none_match: false, full_url: None }
}
