//! Why a booking is refused: every reason with what the caller is told.

use fhir::outcome::SPINE_CODES;
use fhir::{IssueType, Outcome};

use crate::refusal::refuse;

/// A reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    UnknownSlot,
    SlotTaken,
    SlotHeld,
    SlotTwice,
    OfPractice,
    Unregistered,
    Capacity,
    Busy,
    FullDay,
    TooLong,
    TooManyActors,
    NoSlot,
    NotScheduled,
    OtherPatient,
    Declined,
    LaySlots,
    HoldOver,
    HoldTime,
    HoldLonger,
    HoldTooLong,
    SecondHold,
    Offer,
    Name,
    TooManySlots,
    SlotWithoutTimes,
    Start,
    End,
    Gap,
    Schedule,
    Channel,
    ServiceType,
    Past,
    Description,
    Comment,
    Patient,
    Transition,
    MadeOutside,
    Begun,
    Way,
    Over,
    Element,
    Deleted,
    Kept,
    Window,
    OtherOrganisation,
    Limit,
    NotReplaceable,
    Replaced,
    ReplacedBegun,
    NotAsked,
    OfferOver,
    Places,
}

impl Reason {
    /// The refusal for what was found, at the element `expression`.
    pub(super) fn refuse(self, found: impl std::fmt::Display, expression: impl Into<String>) -> Outcome {
        let (issue_type, code, text) = self.facts();
        refuse(issue_type, (SPINE_CODES, code), text, found, expression)
    }

    /// The issue type, the code and the text, in which `{}` stands for what was found.
    const fn facts(self) -> (IssueType, &'static str, &'static str) {
        use IssueType::{BusinessRule, Conflict, Forbidden, UnresolvedReference, Value};
        const INVALID: &str = "INVALID_RESOURCE";
        match self {
            Reason::UnknownSlot => (UnresolvedReference, "REFERENCE_NOT_FOUND", "{} is no slot of this server"),
            Reason::SlotTaken => (Conflict, "DUPLICATE_REJECTED", "the slot {} is not free"),
            Reason::SlotHeld => (Conflict, "DUPLICATE_REJECTED", "the slot is held by {}; cancel that first"),
            Reason::OfPractice => (Forbidden, "ACCESS_DENIED", "only the practice writes {}"),
            Reason::Unregistered => {
                (UnresolvedReference, "PATIENT_NOT_FOUND", "{} is no patient who is registered here")
            }
            Reason::Capacity => (Value, INVALID, "the capacity {} is no whole number from `1` to `1000`"),
            Reason::Busy => (Conflict, "DUPLICATE_REJECTED", "{} has another appointment at that time"),
            Reason::FullDay => (
                BusinessRule,
                INVALID,
                "{} has `1000` appointments on that day, which is as many as one person can have; choose another day",
            ),
            Reason::TooLong => {
                (BusinessRule, INVALID, "the appointment touches {} days, at most `31` are booked at once")
            }
            Reason::TooManyActors => (BusinessRule, INVALID, "{} participants are more than can be kept free, `100`"),
            Reason::NoSlot => (BusinessRule, INVALID, "an appointment that is {} names the slots that it takes"),
            Reason::NotScheduled => {
                (BusinessRule, INVALID, "{} is not booked by these slots; name who is in their schedule")
            }
            Reason::OtherPatient => (BusinessRule, INVALID, "{} is another patient than the one you act for"),
            Reason::Declined => (BusinessRule, INVALID, "the patient has declined what is {}; cancel it instead"),
            Reason::LaySlots => (BusinessRule, INVALID, "{} slots are more than a patient books at once, `6`"),
            Reason::HoldOver => (Conflict, "FORBIDDEN_UPDATE", "the slots were held until {}, which is over"),
            Reason::HoldTime => (BusinessRule, INVALID, "the time {} until which slots are held is no instant to come"),
            Reason::HoldLonger => {
                (BusinessRule, INVALID, "the time {} until which slots are held is later than before")
            }
            Reason::HoldTooLong => {
                (BusinessRule, INVALID, "the time {} until which slots are held is over `900` seconds away")
            }
            Reason::SecondHold => {
                (Conflict, "DUPLICATE_REJECTED", "{} is held for this patient; book or cancel it first")
            }
            Reason::Offer => {
                (BusinessRule, INVALID, "slots are offered, until {}, by the practice; hold them as `pending`")
            }
            Reason::Name => (BusinessRule, INVALID, "names of {} bytes are too long to tell people apart"),
            Reason::SlotTwice => (BusinessRule, INVALID, "the slot {} is named twice"),
            Reason::TooManySlots => (BusinessRule, INVALID, "{} slots are more than one appointment can fill"),
            Reason::SlotWithoutTimes => (BusinessRule, INVALID, "the slot {} has no start and end to book by"),
            Reason::Start => (BusinessRule, INVALID, "the start {} is not that of the first slot"),
            Reason::End => (BusinessRule, INVALID, "the end {} is not that of the last slot"),
            Reason::Gap => (BusinessRule, INVALID, "the slot {} does not start when the one before it ends"),
            Reason::Schedule => (BusinessRule, INVALID, "the slot {} is of another schedule than the first"),
            Reason::Channel => (BusinessRule, INVALID, "the slot {} has another delivery channel than the first"),
            Reason::ServiceType => (BusinessRule, INVALID, "the slot {} has another service type than the first"),
            Reason::Past => (BusinessRule, INVALID, "the start {} is not in the future"),
            Reason::Description => (BusinessRule, INVALID, "the description has {} characters, at most `100` are kept"),
            Reason::Comment => (BusinessRule, INVALID, "the comment has {} characters, at most `500` are kept"),
            Reason::MadeOutside => (
                BusinessRule,
                INVALID,
                "an appointment is made {} by the practice; others make it booked, pending or waitlist",
            ),
            Reason::Begun => (BusinessRule, INVALID, "the appointment began at {}: only the practice changes it now"),
            Reason::Way => (BusinessRule, INVALID, "only the practice takes an appointment {}"),
            Reason::Over => (BusinessRule, INVALID, "the appointment is {}: only the practice changes it now"),
            Reason::Element => (
                BusinessRule,
                INVALID,
                "only the practice changes {}; others change description and comment, or cancel",
            ),
            Reason::Deleted => (BusinessRule, INVALID, "only the practice deletes {}; others cancel"),
            Reason::Kept => {
                (BusinessRule, INVALID, "the slot {} is kept for other organisations than the one that books")
            }
            Reason::Window => (BusinessRule, INVALID, "the slot {} is not released yet, or its booking has closed"),
            Reason::OtherOrganisation => {
                (BusinessRule, INVALID, "{} is not the organisation of the client that asks; name that, or none")
            }
            Reason::Limit => (
                BusinessRule,
                INVALID,
                "the organisation that books holds the {} appointments that it may hold on this schedule",
            ),
            Reason::NotReplaceable => {
                (Forbidden, "ACCESS_DENIED", "the access does not let {} be changed, nor replaced")
            }
            Reason::Replaced => {
                (BusinessRule, INVALID, "{} is no appointment of the same patient that can be replaced")
            }
            Reason::ReplacedBegun => (BusinessRule, INVALID, "{} has begun and is not replaced"),
            Reason::NotAsked => (BusinessRule, INVALID, "{} is no patient to whom the appointment is offered"),
            Reason::OfferOver => (Conflict, "FORBIDDEN_UPDATE", "the appointment is {}, and no offer that stands"),
            Reason::Patient => (BusinessRule, INVALID, "none of the {} participants is a patient who has not declined"),
            Reason::Places => (
                BusinessRule,
                INVALID,
                "a patient has {} places on the waiting list, which is as many as one may have; cancel one first",
            ),
            Reason::Transition => (BusinessRule, INVALID, "an appointment cannot go {}"),
        }
    }
}
