//! What those who run a server decide about its services.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::appointments::Deadlines;
use crate::publish;

/// What a server's services share: made once, and given to every rule and every call of an operation.
#[derive(Debug, Default)]
pub struct Services {
    /// As they were when the server started.
    pub settings: Settings,
    /// When appointments that hold their slots until a time must give them back.
    pub(crate) deadlines: Deadlines,
    /// What is published.
    pub(crate) published: publish::Kept,
}

impl Services {
    /// With these decisions.
    pub fn new(settings: Settings) -> Services {
        Services { settings, ..Services::default() }
    }
}

/// Decisions that are neither the standard's nor ours to take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whether a patient may have two appointments at one time through different slots.
    pub patient_overlap: Overlap,
    /// Whether an appointment that the patient hides from who books refuses another one as well, which tells that there is one: by its time, or as
    /// one place on the waiting list too many.
    pub hidden_overlap: Overlap,
    /// Whether practitioners may have two at one time.
    pub practitioner_overlap: Overlap,
    /// What `numberOfRepeatsAllowed` of a repeat plan counts.
    pub repeat_count: RepeatCount,
    /// The same for the plans of one source, by its name: `meta.source` up to a `#`, or the system of an identifier.
    pub repeat_count_of: BTreeMap<String, RepeatCount>,
    /// How long after a triage an appointment may be booked by it.
    pub triage_age_max: Duration,
    /// How long who waits may think about an offer.
    pub offer_duration: Duration,
}

/// What becomes of a booking for someone who has another appointment at that time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overlap {
    /// It is refused.
    #[default]
    Refuse,
    /// It is taken.
    Allow,
}

/// The two meanings that `MedicationRequest.dispenseRequest.numberOfRepeatsAllowed` has among those who send plans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RepeatCount {
    /// Repeats, besides the first issue: R4 and the Electronic Prescription Service.
    #[default]
    Fhir,
    /// All issues, the first one counted: the draft of GP Connect Patient Facing Prescriptions.
    Total,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            patient_overlap: Overlap::Refuse,
            hidden_overlap: Overlap::Allow,
            practitioner_overlap: Overlap::Refuse,
            repeat_count: RepeatCount::Fhir,
            repeat_count_of: BTreeMap::new(),
            triage_age_max: Duration::from_secs(24 * 60 * 60),
            offer_duration: Duration::from_secs(60 * 60),
        }
    }
}
