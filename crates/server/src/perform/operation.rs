//! Operations, <https://hl7.org/fhir/R4/operations.html>.

use fhir::{IssueType, Outcome};
use services::Invocation;

use super::{Call, Caller, Payload};
use crate::interaction::Interaction;
use crate::media::Media;
use crate::respond::{Answer, Refused};

pub(super) fn run(caller: &Caller<'_>, call: Call) -> Result<Answer, Refused> {
    let Interaction::Operation { operation, subject, .. } = call.interaction else {
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
    let services = caller.state.services.clone();
    let invocation = Invocation { subject, parameters: call.parameters, resource, sent, raw, services };
    let session = caller.session.during(operation.code());
    Ok(Answer::resource(services::call(operation, &session, &invocation)?))
}
