//! Doing what an [`Interaction`] says: a file each. All of it blocks and none of it awaits.

mod bundle;
mod history;
mod operation;
mod pages;
mod patch;
mod read;
mod search;
mod write;

pub(crate) use bundle::{ENTRIES_MAX, check_bundle, entry_change, refused_at};
pub(crate) use pages::COUNT_MAX;
pub(crate) use write::change;

use bytes::Bytes;
use fhir::json::Document;
use fhir::{IssueType, Outcome};
use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH};
use repository::{Millis, Session};
use services::Sent;

use crate::interaction::Interaction;
use crate::media::{Format, Media};
use crate::negotiate::{General, Preferences};
use crate::respond::{Answer, Refused, parse_http_date};
use crate::{State, capability};

/// An interaction with all that HTTP or a Bundle entry says about it.
pub(crate) struct Call {
    pub(crate) interaction: Interaction,
    /// Decoded, without those in `general`.
    pub(crate) parameters: Vec<(String, String)>,
    pub(crate) general: General,
    pub(crate) conditions: Conditions,
    pub(crate) preferences: Preferences,
    pub(crate) payload: Payload,
}

/// Who calls.
pub(crate) struct Caller<'a> {
    pub(crate) state: &'a State,
    pub(crate) session: Session<'a>,
    pub(crate) request_id: &'a HeaderValue,
    /// The body, to tell where in it something is wrong.
    pub(crate) sent: Option<Sent>,
}

/// What comes with a call.
pub(crate) enum Payload {
    Nothing,
    Body {
        bytes: Bytes,
        media: Media,
    },
    /// The resource of a Bundle entry.
    Document(Document),
}

/// What must be true for the call to be performed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Conditions {
    pub(crate) if_match: Option<String>,
    pub(crate) if_none_match: Option<String>,
    pub(crate) if_modified_since: Option<Millis>,
    pub(crate) if_none_exist: Option<String>,
}

/// Performs a call.
pub(crate) fn perform(caller: &Caller<'_>, call: Call) -> Result<Answer, Refused> {
    match &call.interaction {
        Interaction::Capabilities => capability::answer(caller, &call),
        Interaction::Read(key) => read::read(caller, &call, key),
        Interaction::Vread(key, version) => read::vread(caller, &call, key, version),
        Interaction::History(scope) => history::history(caller, &call, scope),
        Interaction::Search { scope, .. } => search::search(caller, &call, scope),
        Interaction::Create(_) | Interaction::Update(_) | Interaction::Patch(_) | Interaction::Delete(_) => {
            write::write(caller, call)
        }
        Interaction::Bundle => bundle::bundle(caller, call),
        Interaction::Operation { .. } => operation::run(caller, call),
    }
}

pub(crate) const IF_NONE_EXIST: HeaderName = HeaderName::from_static("if-none-exist");

impl Conditions {
    /// Refuses a condition that cannot be read: were it passed over, the call would be performed without it.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Conditions, Outcome> {
        let text = |name: HeaderName| {
            let mut values = headers.get_all(&name).iter();
            let Some(value) = values.next() else { return Ok(None) };
            if values.next().is_some() {
                return Err(Outcome::new(IssueType::BadRequest, format!("header `{name}` is given more than once")));
            }
            match std::str::from_utf8(value.as_bytes()) {
                Ok(text) => Ok(Some(text.to_owned())),
                Err(_) => Err(Outcome::new(IssueType::BadRequest, format!("header `{name}` is not UTF-8"))),
            }
        };
        Ok(Conditions {
            if_match: text(IF_MATCH)?,
            if_none_match: text(IF_NONE_MATCH)?,
            // HTTP's dates have no milliseconds, and what is no date is passed over: RFC 9110 section 13.1.3.
            if_modified_since: text(IF_MODIFIED_SINCE)?.as_deref().and_then(parse_http_date).map(|date| date + 999),
            if_none_exist: text(IF_NONE_EXIST)?,
        })
    }
}

impl Payload {
    /// The resource as it was sent.
    pub(crate) fn sent(&self) -> Option<Sent> {
        match self {
            Payload::Body { bytes, media: Media::Resource(Format::Json) } => Some(Sent::Json(bytes.clone())),
            Payload::Body { bytes, media: Media::Resource(Format::Xml) } => Some(Sent::Xml(bytes.clone())),
            _ => None,
        }
    }

    /// The resource.
    pub(crate) fn document(self) -> Result<Document, Outcome> {
        match self {
            Payload::Document(document) => Ok(document),
            Payload::Body { bytes, media: Media::Resource(format) } if !bytes.is_empty() => format.read(&bytes),
            Payload::Body { .. } | Payload::Nothing => {
                Err(Outcome::new(IssueType::BadRequest, "there is no resource where one must be sent"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loses_no_condition() {
        let cases: [(&[&[u8]], Option<&str>); 5] = [
            (&[b"identifier=urn:x|1"], Some("identifier=urn:x|1")),
            (&["name=Zo\u{eb}".as_bytes()], Some("name=Zo\u{eb}")),
            (&[b""], Some("")),
            (&[b"name=\xff"], None),
            (&[b"name=a", b"name=b"], None),
        ];
        for (values, expected) in cases {
            for header in [IF_NONE_EXIST, IF_MATCH, IF_NONE_MATCH, IF_MODIFIED_SINCE] {
                let values = values.iter().map(|value| HeaderValue::from_bytes(value).expect("a value"));
                let headers = values.map(|value| (header.clone(), value)).collect();
                let read = Conditions::of(&headers);
                assert_eq!(read.is_ok(), expected.is_some(), "{header}");
                if header == IF_NONE_EXIST
                    && let Ok(read) = read
                {
                    assert_eq!(read.if_none_exist.as_deref(), expected);
                }
            }
        }
        assert!(Conditions::of(&HeaderMap::new()).is_ok_and(|none| none.if_match.is_none()));
    }
}
