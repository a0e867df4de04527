//! Operations, <https://hl7.org/fhir/R4/operations.html>.

use bytes::Bytes;
use fhir::{IssueType, Outcome};
use hyper::StatusCode;
use hyper::header::HeaderValue;
use services::{Answered, Gives, Invocation, Operation, Subject};

use super::{Call, Caller, Conditions, Payload, search};
use crate::interaction::Interaction;
use crate::media::Media;
use crate::respond::{Answer, Content, Refused};

pub(super) fn run(caller: &Caller<'_>, call: Call) -> Result<Answer, Refused> {
    let Interaction::Operation { operation, subject, ends, .. } = call.interaction else {
        return Err(Outcome::new(IssueType::Exception, "what is no operation was run as one").into());
    };
    let (mut raw, sent) = (None, call.payload.sent());
    let resource = match call.payload {
        Payload::Body { bytes, media: Media::Raw } => {
            raw = Some(bytes);
            None
        }
        Payload::Body { bytes, .. } if bytes.is_empty() => None,
        Payload::Nothing => None,
        payload => Some(payload.document()?),
    };
    let (services, gives) = (caller.state.services.clone(), operation.gives(&call.parameters));
    let is_async = call.preferences.is_async;
    let invocation = Invocation { subject, parameters: call.parameters, resource, is_async, ends, sent, raw, services };
    let caller = Caller { session: caller.session.during(operation.code()), sent: caller.sent.clone(), ..*caller };
    let bytes = match services::call(operation, &caller.session, &invocation)? {
        Answered::Bytes(bytes) => bytes,
        Answered::Search(query) => {
            return search::answer(&caller, &query, &path(operation, &invocation.subject), &call.general);
        }
        Answered::Accepted(told_at) => return Ok(Answer { told_at, ..Answer::empty(StatusCode::ACCEPTED) }),
        Answered::Waiting(progress) => {
            return Ok(Answer { progress: Some(progress), ..Answer::empty(StatusCode::ACCEPTED) });
        }
    };
    Ok(match gives {
        Gives::Resource => Answer::resource(bytes),
        Gives::File { media_type, max_age } => file(&call.conditions, bytes, media_type, max_age),
    })
}

/// Where an operation is called, below the base URL.
fn path(operation: &dyn Operation, subject: &Subject) -> String {
    let code = operation.code();
    match subject {
        Subject::System => format!("${code}"),
        Subject::Type(name) => format!("{name}/${code}"),
        Subject::Instance(key) => format!("{key}/${code}"),
    }
}

/// A file under a tag of its content, or that the caller has it already.
fn file(conditions: &Conditions, bytes: Bytes, media_type: &'static str, max_age: Option<u32>) -> Answer {
    let tag = format!("\"{}\"", &blake3::hash(&bytes).to_hex()[..TAG_LENGTH]);
    let is_known = conditions.if_none_match.as_ref().is_some_and(|tags| {
        tags.split(',').map(|known| known.trim().trim_start_matches("W/")).any(|known| known == "*" || known == tag)
    });
    let (status, bytes) = if is_known { (StatusCode::NOT_MODIFIED, Bytes::new()) } else { (StatusCode::OK, bytes) };
    let etag = HeaderValue::try_from(format!("W/{tag}")).ok();
    Answer { content: Content::File { bytes, media_type, max_age }, etag, ..Answer::empty(status) }
}

/// How many hexadecimal digits of a hash tell files apart.
const TAG_LENGTH: usize = 32;
