//! The message that answers another.

use bytes::Bytes;
use fhir::Outcome;
use fhir::json::{Node, quote};
use repository::{Changed, Session};

use super::entries::{Entry, Message};

/// The answer to a message that was taken: its header with the id that it has here, and what it is about as that is now. The full URLs are
/// those of the message, so that its sender sees which id each was given.
pub(super) fn reply(
    session: &Session<'_>,
    message: &Message<'_>,
    changed: &[Changed],
    places: &[Option<usize>],
) -> Result<Bytes, Outcome> {
    let version = |entry: usize| {
        let at = places.iter().position(|place| *place == Some(entry))?;
        changed.get(at)?.version.as_ref()
    };
    let header = &message.header;
    let id = version(0).map_or(String::new(), |version| format!(r#""id":{},"#, quote(version.key.id())));
    let raw = |name: &str| header.node.get(name).map_or("", Node::raw);
    let resource = format!(
        r#"{{"resourceType":"MessageHeader",{id}"eventCoding":{},"destination":[{{"endpoint":{}}}],"source":{{"endpoint":{}}},"reason":{},"response":{{"identifier":{},"code":"ok"}},"focus":[{{"reference":{}}}]}}"#,
        raw("eventCoding"),
        quote(&header.source),
        quote(&header.destination),
        raw("reason"),
        quote(&message.id),
        quote(&header.focus),
    );
    let entry = |entry: &Entry<'_>, resource: &str| {
        let full_url = entry.full_url.as_ref().map_or(String::new(), |url| format!(r#""fullUrl":{},"#, quote(url)));
        format!(r#"{{{full_url}"resource":{resource}}}"#)
    };
    let focus = version(message.focus).and_then(|version| version.body.as_deref()).map(String::from_utf8_lossy);
    let mut entries = vec![entry(&message.entries[0], &resource)];
    entries.extend(focus.map(|focus| entry(&message.entries[message.focus], &focus)));
    let answer = format!(
        r#"{{"resourceType":"Bundle","type":"message","timestamp":"{}","entry":[{}]}}"#,
        session.now(),
        entries.join(",")
    );
    Ok(answer.into())
}
