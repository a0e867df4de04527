//! What callers may not do to AuditEvents.

use fhir::json::{Document, Node};
use fhir::{IssueType, Outcome};

use super::{EXTENSION, Place};
use crate::{Name, Planned, Requester, Rule, Transaction};

/// Those that the ledger made are nobody's to write, update or delete; those of others are, once written, not changed by callers who are
/// authenticated. A system tells of what it saw or did itself; the record keeper keeps what it was told.
pub(crate) struct Protection;

impl Rule for Protection {
    fn name(&self) -> &'static str {
        "audit"
    }

    fn resource_types(&self) -> &'static [&'static str] {
        &["AuditEvent"]
    }

    fn apply(&self, transaction: &mut Transaction<'_>, planned: &Planned) -> Result<(), Outcome> {
        let refuse = |text: String| Err(Outcome::new(IssueType::MethodNotAllowed, text));
        let key = &planned.key;
        if Place::of_id(key.id()).is_some()
            || [&planned.before, &planned.after].into_iter().flatten().any(|event| is_ours(event))
        {
            return refuse(format!("`{key}` is kept by this server's audit; nobody writes, changes or deletes that"));
        }
        match planned.before.is_some() && transaction.session.repository.ledger().protects_all() {
            true => refuse(format!("`{key}` is a record of what happened; nobody changes or deletes it")),
            false => tells_of_itself(transaction, planned),
        }
    }
}

/// Refuses an event in which neither the observer nor an agent is who writes it: what it says of others nobody could hold against them.
fn tells_of_itself(transaction: &Transaction<'_>, planned: &Planned) -> Result<(), Outcome> {
    let requester = transaction.requester().filter(|it| !it.custodian && !transaction.is_import());
    let (Some(requester), Some(event)) = (requester, &planned.after) else { return Ok(()) };
    let agents = event.root().get("agent").into_iter().flat_map(Node::each).filter_map(|agent| agent.get("who"));
    match agents.chain(event.root().path(&["source", "observer"])).any(|who| is_of(transaction, requester, who)) {
        true => Ok(()),
        false => {
            let text =
                "neither `source.observer` nor an agent is the system that writes the event, or its organization";
            Err(Outcome::new(IssueType::Forbidden, text).at("AuditEvent.source.observer"))
        }
    }
}

/// Whether a reference names who asks.
fn is_of(transaction: &Transaction<'_>, requester: &Requester, who: Node<'_>) -> bool {
    let literal = who.get("reference").and_then(Node::as_str);
    let key = literal.and_then(|literal| transaction.local(&literal)).map(Name::Key);
    let text = |name| Some(who.path(&["identifier", name])?.as_str()?.into_owned());
    let identifier = text("system").zip(text("value")).map(|(system, value)| Name::Identifier { system, value });
    let organization = requester.organization.clone().map(Name::Key);
    key.into_iter()
        .chain(identifier)
        .any(|name| Some(&name) == organization.as_ref() || requester.names.contains(&name))
}

/// Whether it says that the ledger made it.
pub(super) fn is_ours(event: &Document) -> bool {
    let extensions = event.root().get("extension");
    let urls = extensions.into_iter().flat_map(|extensions| extensions.items());
    urls.filter_map(|extension| extension.get("url")).any(|url| url.is_str(EXTENSION))
}
