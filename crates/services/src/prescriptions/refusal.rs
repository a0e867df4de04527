//! Why something about repeat prescriptions is refused: every reason with what the caller is told.

use fhir::outcome::SPINE_CODES as SPINE;
use fhir::{IssueType, Outcome};

use super::ordering::NOTE_MAX;
use crate::refusal::refuse;

/// UK Core's codes of the Electronic Prescription Service.
const EPS: &str = "https://fhir.hl7.org.uk/CodeSystem/UKCore-EPSIssueCode";

/// A reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    NoPlan,
    UnknownPlan,
    NotAPlan,
    Acute,
    NotActive,
    Expired,
    Exhausted,
    Ordered,
    OtherPatient,
    Deceased,
    Pharmacy,
    Note,
    Future,
    NotRequested,
    Exceeded,
    Transition,
    NoStatus,
    OfPractice,
    Unexplained,
    Moved,
    NoOrder,
    Completed,
    OtherPrescription,
    DispensingStatus,
    Prescriber,
}

impl Reason {
    /// The refusal for what was found, at the element `expression`.
    pub(super) fn refuse(self, found: impl std::fmt::Display, expression: impl Into<String>) -> Outcome {
        let (issue_type, system, code, text) = self.facts();
        refuse(issue_type, (system, code), &text.replace("{max}", &NOTE_MAX.to_string()), found, expression)
    }

    /// The issue type, the code with its system, and the text, in which `{}` stands for what was found.
    const fn facts(self) -> (IssueType, &'static str, &'static str, &'static str) {
        use IssueType::{
            BadValue, BusinessRule, CodeInvalid, Conflict, Duplicate, Forbidden, LongText, Required,
            UnresolvedReference,
        };
        const INVALID: &str = "INVALID_RESOURCE";
        const STATE: &str = "PRESCRIPTION_INVALID_STATE_TRANSITION";
        const SPENT: &str = "NO_MORE_PRESCRIPTIONS";
        match self {
            Reason::NoPlan => {
                (Required, SPINE, INVALID, "an order names its plan, a MedicationRequest, and {} is none")
            }
            Reason::UnknownPlan => {
                (UnresolvedReference, SPINE, "REFERENCE_NOT_FOUND", "{} is no MedicationRequest of this server")
            }
            Reason::NotAPlan => (BusinessRule, SPINE, INVALID, "what is ordered has the intent {}, not `plan`"),
            Reason::Acute => (BusinessRule, SPINE, "UNSUPPORTED_VALUE", "{} is an acute course, which is not repeated"),
            Reason::NotActive => {
                (BusinessRule, EPS, "PRESCRIPTION_CANCELLED", "the plan is {}, and only an active one is issued")
            }
            Reason::Expired => (BusinessRule, EPS, "PRESCRIPTION_EXPIRED", "the plan was authorized until {}"),
            Reason::Exhausted => (BusinessRule, EPS, SPENT, "the {} repeats that the plan authorizes are issued"),
            Reason::Ordered => (Duplicate, SPINE, "DUPLICATE_REJECTED", "{} has an order already that is not ended"),
            Reason::OtherPatient => (Forbidden, SPINE, "CONFLICTING_VALUES", "the plan is not one for {}"),
            Reason::Deceased => (BusinessRule, EPS, "PATIENT_DECEASED", "{} is recorded as deceased"),
            Reason::Pharmacy => (BusinessRule, SPINE, "ORGANISATION_NOT_FOUND", "the pharmacy {} is not known here"),
            Reason::Note => (LongText, SPINE, "INVALID_VALUE", "the note has {} characters, at most `{max}` are taken"),
            Reason::Future => (BadValue, SPINE, "INVALID_VALUE", "the time {} is yet to come"),
            Reason::NotRequested => {
                let text = "the order is {}: it is withdrawn or changed only while it is `requested`";
                (BusinessRule, SPINE, "INVALID_REQUEST_STATE", text)
            }
            Reason::Exceeded => (Conflict, EPS, SPENT, "the {} repeats that the plan authorizes are issued"),
            Reason::Transition => (BusinessRule, EPS, STATE, "an order cannot go {}"),
            Reason::NoStatus => (BusinessRule, SPINE, INVALID, "an order is never {}"),
            Reason::OfPractice => (Forbidden, SPINE, "ACCESS_DENIED", "it is for the practice to say {} of an order"),
            Reason::Unexplained => (Required, SPINE, INVALID, "an order that is {} says why in `statusReason`"),
            Reason::Moved => (BusinessRule, SPINE, INVALID, "an order stays with its plan and its patient, not {}"),
            Reason::NoOrder => (BusinessRule, SPINE, INVALID, "{} is an order of a repeat prescription and stays one"),
            Reason::Completed => (Conflict, EPS, STATE, "the order is completed already, with {}"),
            Reason::OtherPrescription => {
                (BusinessRule, SPINE, INVALID, "{} is no prescription on the plan of the order, for its patient")
            }
            Reason::DispensingStatus => (CodeInvalid, SPINE, "INVALID_VALUE", "{} is no status of dispensing"),
            Reason::Prescriber => {
                (Forbidden, SPINE, "ACCESS_DENIED", "a patient does not write what has the intent {}: it is prescribed")
            }
        }
    }
}
