//! `$process-message`: referrals and bookings as messages of the Booking and Referral Standard,
//! <http://hl7.org/fhir/OperationDefinition/MessageHeader-process-message>, <https://simplifier.net/guide/nhsbookingandreferralstandard>.
//!
//! A message becomes one transaction: its header, what it is about (its focus), the task of whoever receives it, and all that comes with
//! it, references rewritten as in any transaction. It is taken once: again is a duplicate, by the request's id and by the message's own.
//!
//! Patients are those known here by NHS number, or new. Organizations, services, places and people are those known here by an identifier; of
//! others nothing is written that everybody could see: what names them contains them. What is a record of the sender's, such as an encounter,
//! is kept up by its identifier, and written new where it has none.

mod directory;
mod entries;
mod focus;
mod header;
mod received;
mod reply;
mod task;

use bytes::Bytes;
use fhir::json::Document;
use fhir::validate::Depth;
use fhir::{Issue, IssueType, Outcome, Severity};
use repository::{HTTP_ERROR_CODES, Refusal, Requester, Session};

pub(crate) use self::received::ReceivedOnce;

use self::entries::Message;
use super::refusal::Reason;
use crate::inputs::Inputs;
use crate::{Invocation, Operation};

/// Input `content`: the Bundle. The answer is the Bundle that responds, at once.
pub(crate) struct ProcessMessage;

impl Operation for ProcessMessage {
    fn code(&self) -> &'static str {
        "process-message"
    }

    fn definition(&self) -> &'static str {
        "http://hl7.org/fhir/OperationDefinition/MessageHeader-process-message"
    }

    fn at_system(&self) -> bool {
        true
    }

    fn affects_state(&self) -> bool {
        true
    }

    fn run(&self, session: &Session<'_>, invocation: &Invocation) -> Result<Bytes, Outcome> {
        if let Some(requester) = session.requester().filter(|requester| Requester::asks_for_patient(requester)) {
            let user = requester.user.as_ref().map_or("", |user| user.collection());
            return Err(Reason::NotASender.refuse(user, "Bundle"));
        }
        let inputs = Inputs::of(invocation);
        if inputs.flag("async")? == Some(true) {
            inputs.refuse("async", "a message is answered at once")?;
        }
        inputs.refuse("response-url", "a message is answered at once")?;
        let Some(sent) = inputs.resource("content") else {
            return Err(Outcome::new(IssueType::BadRequest, "the input `content`, a message, is missing"));
        };
        let bundle = Document::parse(sent.raw().as_bytes())?;
        let message = Message::read(session, bundle.root())?;
        validate(session, &bundle)?;
        let prepared = message.prepare(session)?;
        let places = prepared.places;
        let changed = session.transact(prepared.changes).map_err(|refusal| placed(refusal, &places))?;
        reply::reply(session, &message, &changed, &places)
    }
}

/// Refuses a Bundle that is not R4's, wherever in it.
fn validate(session: &Session<'_>, bundle: &Document) -> Result<(), Outcome> {
    let mut issues = session.library().validator(Depth::Write).validate(bundle, &[]);
    issues.retain(|issue| issue.severity <= Severity::Error);
    if issues.is_empty() { Ok(()) } else { Err(Outcome { issues }) }
}

/// The refusal of a change as that of the entry it was made of; `places` are the entries of the changes.
fn placed(refusal: Refusal, places: &[Option<usize>]) -> Outcome {
    let Refusal { change, outcome } = refusal;
    let Some(entry) = change.and_then(|change| *places.get(change)?) else { return outcome };
    let place = format!("Bundle.entry[{entry}].resource");
    let issues = outcome.issues.into_iter().map(|issue| match issue.code {
        // Somebody else changed it meanwhile, which its sender could not know by a version.
        IssueType::Precondition => {
            Issue { code: IssueType::Conflict, coding: Some((HTTP_ERROR_CODES, "REC_CONFLICT")), ..issue }
        }
        _ => issue,
    });
    Outcome { issues: issues.map(|issue| issue.below(&place)).collect() }.at(place)
}
