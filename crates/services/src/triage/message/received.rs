//! The rule ReceivedOnce.

use fhir::Outcome;
use fhir::json::{Document, Node, quote};
use repository::{Planned, Rule, Transaction};

use super::super::extension::{extension, extensions};
use super::super::refusal::Reason;

/// On a MessageHeader: by which ids the message came, so that an answer can name it and it is not taken twice.
const RECEIVED: &str = "https://flint.example/fhir/StructureDefinition/received-message";

/// The longest name in bytes.
const NAME_MAX: usize = 500;

/// A message is received once from each client: the id of its Bundle or header, and that of the request, are taken by its stored header.
#[derive(Debug)]
pub(crate) struct ReceivedOnce;

impl Rule for ReceivedOnce {
    fn name(&self) -> &'static str {
        "received-once"
    }

    fn resource_types(&self) -> &'static [&'static str] {
        &["MessageHeader"]
    }

    fn apply(&self, transaction: &mut Transaction<'_>, planned: &Planned) -> Result<(), Outcome> {
        let client = transaction.requester().map_or(String::new(), |requester| requester.client.clone());
        let names = |document: Option<&Document>| document.map_or_else(Vec::new, |it| names(it, &client));
        let (before, after) = (names(planned.before.as_deref()), names(planned.after.as_deref()));
        let owner = planned.key.as_str().as_bytes();
        for (name, _) in before.into_iter().filter(|name| !after.contains(name)) {
            if transaction.claimed(&name)?.as_deref() == Some(owner) {
                transaction.release(name);
            }
        }
        for (name, id) in after {
            let is_another = transaction.claimed(&name)?.is_some_and(|held| held != owner);
            if !(is_another && transaction.is_import()) {
                transaction.claim(name, owner.to_vec(), Reason::Received.refuse(id, "MessageHeader"))?;
            }
        }
        Ok(())
    }
}

/// The extension that keeps these ids.
pub(super) fn received(message: &str, request: &str) -> String {
    let part = |name: &str, id: &str| format!(r#"{{"url":"{name}","valueString":{}}}"#, quote(id));
    let parts: Vec<_> = [("message", message), ("request", request)]
        .into_iter()
        .filter(|(_, id)| !id.is_empty())
        .map(|(name, id)| part(name, id))
        .collect();
    format!(r#"{{"url":"{RECEIVED}","extension":[{}]}}"#, parts.join(","))
}

/// What a header takes: names, each with the id that it is made of.
fn names(header: &Document, client: &str) -> Vec<(Vec<u8>, String)> {
    let Some(received) = extension(header.root(), RECEIVED) else { return Vec::new() };
    let parts = ["message", "request"].into_iter().flat_map(|part| {
        let ids = extensions(received, part).filter_map(|it| it.get("valueString").and_then(Node::as_str));
        ids.map(move |id| (format!("message/{client}/{part}/{id}").into_bytes(), id.into_owned()))
    });
    parts.filter(|(name, _)| name.len() <= NAME_MAX).collect()
}
