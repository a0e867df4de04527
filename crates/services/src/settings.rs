//! What those who run a server decide about its services.

/// What a server's services share: made once, and given to every rule and every call of an operation.
#[derive(Debug, Default)]
pub struct Services {
    /// As they were when the server started.
    pub settings: Settings,
}

/// Decisions that are neither the standard's nor ours to take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whether a patient may have two appointments at one time through different slots.
    pub patient_overlap: Overlap,
    /// The same for practitioners.
    pub practitioner_overlap: Overlap,
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

impl Default for Settings {
    fn default() -> Settings {
        Settings { patient_overlap: Overlap::Refuse, practitioner_overlap: Overlap::Refuse }
    }
}
