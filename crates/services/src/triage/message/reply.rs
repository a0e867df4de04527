//! The message that answers another.

use bytes::Bytes;
use fhir::Outcome;
use fhir::json::{Node, quote};
use repository::{Changed, Session};

use super::entries::{Entry, Message};

/// The answer to a message that was taken: its header with the id that it has here, and what it is about as that is now, where its sender
/// may read it. The full URLs are those of the message, so that its sender sees which id each was given.
pub(super) fn reply(
    session: &Session<'_>,
    message: &Message<'_>,
    changed: &[Changed],
    places: &[Option<usize>],
) -> Result<Bytes, Outcome> {
    let change = |entry: usize| changed.get(places.iter().position(|place| *place == Some(entry))?);
    let header = &message.header;
    let id = change(0).and_then(|changed| changed.version.as_ref());
    let id = id.map_or(String::new(), |version| format!(r#""id":{},"#, quote(version.key.id())));
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
    let focus = change(message.focus).cloned().map(|changed| session.disclosed(changed)).transpose()?;
    let focus = focus.and_then(|changed| changed.version?.body);
    let mut entries = vec![entry(&message.entries[0], &resource)];
    entries.extend(focus.map(|focus| entry(&message.entries[message.focus], &String::from_utf8_lossy(&focus))));
    let answer = format!(
        r#"{{"resourceType":"Bundle","type":"message","timestamp":"{}","entry":[{}]}}"#,
        session.now(),
        entries.join(",")
    );
    Ok(answer.into())
}
