//! What a message is about, as it is here already.

use fhir::Outcome;
use fhir::json::{Document, Node};
use repository::{Key, Session, query_string};

use super::super::refusal::Reason;
use super::header::{Action, Event};

/// What a message changes, in the version that was looked at.
pub(super) struct Known {
    pub(super) key: Key,
    pub(super) version: u64,
}

/// Finds what an update or a deletion is about: by the id that this server gave it, else by its identifier. It must be current, and what is
/// sent must rest on the version that is.
pub(super) fn known(session: &Session<'_>, event: Event, sent: Node<'_>, place: &str) -> Result<Known, Outcome> {
    let resource_type = event.focus_type();
    let id = sent.get("id").and_then(Node::as_str).and_then(|id| Key::new(resource_type, &id));
    let version = match id {
        Some(key) => session.read(&key).map_err(|_| Reason::UnknownFocus.refuse(&key, place))?,
        None => {
            let Some(token) = identifier(sent) else {
                let found = format!("{resource_type} without id and identifier");
                return Err(Reason::UnknownFocus.refuse(found, place));
            };
            let query = query_string([("identifier", token.as_str())]);
            let mut found = session.lookup(resource_type, &query, 2)?;
            match (found.pop(), found.is_empty()) {
                (Some(version), true) => version,
                (Some(_), false) => return Err(Reason::SeveralFocus.refuse(token, place)),
                (None, _) => return Err(Reason::UnknownFocus.refuse(format!("{resource_type} {token}"), place)),
            }
        }
    };
    let document = Document::parse(version.body.as_deref().unwrap_or_default())?;
    let status = document.root().get("status").and_then(Node::as_str).unwrap_or_default();
    if status != event.current() {
        return Err(Reason::NotCurrent.refuse(status, format!("{place}.status")));
    }
    // Versions of other servers have other forms, and say nothing here.
    let rests_on = sent.path(&["meta", "versionId"]).and_then(Node::as_str);
    match rests_on.as_ref().and_then(|it| it.parse::<u64>().ok()).filter(|it| *it != version.version) {
        Some(other) => Err(Reason::Stale.refuse(other, format!("{place}.meta.versionId"))),
        None => Ok(Known { key: version.key, version: version.version }),
    }
}

/// Refuses a status that does not go with what is asked for.
pub(super) fn check_status(event: Event, action: Action, sent: Node<'_>, place: &str) -> Result<(), Outcome> {
    let status = sent.get("status").and_then(Node::as_str).unwrap_or_default();
    let (is_current, is_end) = (status == event.current(), event.ended().contains(&status.as_ref()));
    let fits = match action {
        Action::New => is_current,
        Action::Update => is_current || is_end,
        Action::Delete => is_end,
    };
    if fits { Ok(()) } else { Err(Reason::Status.refuse(status, format!("{place}.status"))) }
}

/// The first identifier with a system, as a value of `identifier`.
pub(super) fn identifier(resource: Node<'_>) -> Option<String> {
    let identifiers = resource.get("identifier").into_iter().flat_map(Node::each);
    identifiers.filter_map(token).next()
}

fn token(identifier: Node<'_>) -> Option<String> {
    let (system, value) = (identifier.get("system")?.as_str()?, identifier.get("value")?.as_str()?);
    (!system.is_empty() && !value.is_empty()).then(|| search::token(&system, &value))
}
