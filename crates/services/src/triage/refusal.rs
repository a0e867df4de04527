//! Why triage refuses something: every reason with what the caller is told.

use fhir::outcome::{HTTP_ERROR_CODES, SPINE_CODES};
use fhir::{IssueType, Outcome};

use crate::refusal::refuse;

/// A reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    // Forms.
    Nameless,
    UnknownForm,
    SeveralForms,
    Unfinished,
    NothingMarked,
    NoValue,
    // What an engine decides.
    NotAnEngine,
    Untriaged,
    NoGuidance,
    NotFinished,
    TooOld,
    UsedBefore,
    // Messages.
    NotASender,
    NotAMessage,
    NoHeader,
    NoIdentity,
    Event,
    Response,
    Change,
    Required,
    NoFocus,
    Destination,
    NhsNumber,
    Status,
    UnknownFocus,
    SeveralFocus,
    NotCurrent,
    Stale,
    UnknownSlot,
    Received,
    // Referrals.
    OtherPatient,
    Ended,
}

impl Reason {
    /// The refusal for what was found, at the element `expression`. What a receiver of messages says has a code of its own.
    pub(super) fn refuse(self, found: impl std::fmt::Display, expression: impl Into<String>) -> Outcome {
        let (issue_type, code, text) = self.facts();
        let system = if code.starts_with("REC_") { HTTP_ERROR_CODES } else { SPINE_CODES };
        refuse(issue_type, (system, code), text, found, expression)
    }

    /// The issue type, the code and the text, in which `{}` stands for what was found.
    const fn facts(self) -> (IssueType, &'static str, &'static str) {
        use IssueType::{
            BadRequest, BadValue, BusinessRule, Conflict, Duplicate, Forbidden, MultipleMatches, NotFound,
            NotSupported, Required, UnresolvedReference,
        };
        const INVALID: &str = "INVALID_RESOURCE";
        const BAD: &str = "REC_BAD_REQUEST";
        const UNFIT: &str = "REC_UNPROCESSABLE_ENTITY";
        const CONFLICT: &str = "REC_CONFLICT";
        match self {
            Reason::Nameless => (Required, INVALID, "a questionnaire that answers are to be about has a url"),
            Reason::UnknownForm => {
                (UnresolvedReference, "REFERENCE_NOT_FOUND", "the questionnaire {} is not known here")
            }
            Reason::SeveralForms => (MultipleMatches, INVALID, "several questionnaires have the identifier {}"),
            Reason::Unfinished => (
                BusinessRule,
                INVALID,
                "the response has the status {}; only one that is completed or amended is extracted",
            ),
            Reason::NothingMarked => (BusinessRule, INVALID, "the questionnaire {} marks nothing for extraction"),
            Reason::NoValue => (BusinessRule, INVALID, "an answer to {} can be no value of an Observation"),
            Reason::NotAnEngine => (
                Forbidden,
                "ACCESS_DENIED",
                "a {} is what a triage engine or the practice says, not what a patient writes",
            ),
            Reason::Untriaged => (
                BusinessRule,
                INVALID,
                "{} asks for triage before a booking: name the GuidanceResponse in supportingInformation",
            ),
            Reason::NoGuidance => (BusinessRule, INVALID, "{} is no GuidanceResponse about this patient"),
            Reason::NotFinished => (BusinessRule, INVALID, "the triage {} has not ended with success"),
            Reason::TooOld => (BusinessRule, INVALID, "the triage {} is too long ago to book by"),
            Reason::UsedBefore => (BusinessRule, INVALID, "another appointment was booked by the triage {}"),
            Reason::NotASender => (Forbidden, "REC_FORBIDDEN", "messages come from systems and staff, not from {}"),
            Reason::NotAMessage => (BadRequest, BAD, "the operation takes a Bundle of type message, not {}"),
            Reason::NoHeader => (BadRequest, BAD, "a message begins with its MessageHeader, not with {}"),
            Reason::NoIdentity => (BadRequest, BAD, "a message has an id of the Bundle or of its MessageHeader"),
            Reason::Event => (
                BadRequest,
                BAD,
                "the event {} is none of servicerequest-request and booking-request of message-events-bars",
            ),
            Reason::Response => {
                (NotSupported, BAD, "this server asks nobody by messages, and so takes no responses such as {}")
            }
            Reason::Change => {
                (BadRequest, BAD, "the reason {} is none of new, update and delete of message-reason-bars")
            }
            Reason::Required => (BadRequest, BAD, "a message needs {}"),
            Reason::NoFocus => {
                (BadRequest, BAD, "the focus {} is not the one resource of its type that the event is about")
            }
            Reason::Destination => (UnresolvedReference, UNFIT, "the destination {} is no service of this server"),
            Reason::NhsNumber => {
                (BadValue, "INVALID_NHS_NUMBER", "the NHS number {} has not ten digits of which the last is right")
            }
            Reason::Status => (BusinessRule, UNFIT, "what is asked for does not go with the status {}"),
            Reason::UnknownFocus => (NotFound, "REC_NOT_FOUND", "there is no {} to change"),
            Reason::SeveralFocus => (MultipleMatches, CONFLICT, "several have the identifier {}"),
            Reason::NotCurrent => (Conflict, CONFLICT, "it has the status {} and is not changed any more"),
            Reason::Stale => (Conflict, CONFLICT, "it was changed since the version {}; read it again"),
            Reason::UnknownSlot => (UnresolvedReference, UNFIT, "{} is no slot of this server"),
            Reason::Received => (Duplicate, CONFLICT, "the message {} has been received before"),
            Reason::OtherPatient => (BusinessRule, INVALID, "a referral stays with its patient {}"),
            Reason::Ended => (BusinessRule, "INVALID_STATE_TRANSITION", "a referral cannot go {}"),
        }
    }
}
