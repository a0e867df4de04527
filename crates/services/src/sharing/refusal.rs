//! Why a consent, or a change of a patient, is refused: every reason with what the caller is told.

use fhir::outcome::SPINE_CODES;
use fhir::{IssueType, Outcome};

use crate::refusal::refuse;

/// A reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    Patient,
    Transition,
    Unexplained,
    Explanation,
    NoText,
    Basis,
    Grantor,
    ChangedTwice,
    SecondProxy,
    SecondOptOut,
    DateTime,
    Performers,
    Lifted,
    Permitted,
    Narrowing,
    OwnPermit,
    Name,
    Identity,
    Names,
    Deleted,
    Number,
    Ended,
}

impl Reason {
    /// The refusal for what was found, at the element `expression`.
    pub(super) fn refuse(self, found: impl std::fmt::Display, expression: impl Into<String>) -> Outcome {
        let (issue_type, code, text) = self.facts();
        refuse(issue_type, (SPINE_CODES, code), text, found, expression)
    }

    /// The issue type, the code and the text, in which `{}` stands for what was found.
    const fn facts(self) -> (IssueType, &'static str, &'static str) {
        use IssueType::{BusinessRule, CodeInvalid, Duplicate, Forbidden, Required, Value};
        const INVALID: &str = "INVALID_RESOURCE";
        match self {
            Reason::Patient => (Required, INVALID, "a consent of scope {} names the patient"),
            Reason::Transition => (BusinessRule, "INVALID_STATE_TRANSITION", "a proxy consent cannot go {}"),
            Reason::Unexplained => (BusinessRule, INVALID, "the status {} comes with a new status reason"),
            Reason::Explanation => {
                (CodeInvalid, INVALID, "the status reason {} is none of England-ConsentStatusReason for that status")
            }
            Reason::NoText => (Required, INVALID, "the status reason {} says in its text what it is"),
            Reason::Basis => (BusinessRule, INVALID, "a proxy consent that is {} keeps its legal basis in policyRule"),
            Reason::Grantor => (
                Required,
                INVALID,
                "a proxy consent that is {} names who granted it: an organization, or the extension Consent.grantor with an ODS code",
            ),
            Reason::ChangedTwice => (Duplicate, "DUPLICATE_PATCHES", "the patch changes {} more than once"),
            Reason::SecondProxy => {
                (Duplicate, "DUPLICATE_RELATIONSHIP", "{} is such a consent for the same two people")
            }
            Reason::SecondOptOut => (
                BusinessRule,
                "DUPLICATE_REJECTED",
                "{} is the consent for this patient, policy and purpose; update it",
            ),
            Reason::DateTime => (Value, INVALID, "the dateTime {} has no time with its zone"),
            Reason::Performers => (BusinessRule, INVALID, "the patient and {} cannot both decide"),
            Reason::Identity => {
                (Forbidden, "ACCESS_DENIED", "{} says who somebody is, which is for the practice to change")
            }
            Reason::Names => (
                Forbidden,
                "ACCESS_DENIED",
                "{} is what consents mean people and organizations by: it is for the record keeper to say",
            ),
            Reason::Lifted => (
                Forbidden,
                "ACCESS_DENIED",
                "{} denies something to an organization, an app or who asks: the practice lifts that, no app does",
            ),
            Reason::Permitted => (
                Forbidden,
                "ACCESS_DENIED",
                "{} says what the patient permits: an app ends it by status `inactive`, and changes nothing else",
            ),
            Reason::Narrowing => (
                Forbidden,
                "ACCESS_DENIED",
                "{} says what is shared with who asks, and without it that may be more: the patient ends it on the page of apps, or the practice",
            ),
            Reason::OwnPermit => (
                Forbidden,
                "ACCESS_DENIED",
                "{} includes who asks, or is an app: that is permitted where people sign in, by no consent that an app writes",
            ),
            Reason::Number => (
                BusinessRule,
                INVALID,
                "there are {} active consents about this patient's record already, as many as may be: end one first",
            ),
            Reason::Ended => (
                Forbidden,
                "ACCESS_DENIED",
                "what was decided by {} stays on record: it is ended by status `inactive`, and not deleted",
            ),
            Reason::Deleted => (Forbidden, "ACCESS_DENIED", "{} is for the practice to delete"),
            Reason::Name => (BusinessRule, INVALID, "names of {} bytes are too long to tell people apart"),
        }
    }
}
