//! Decisions about the services, as the file of settings tells them.

use serde::Deserialize;
use services::{Overlap, Settings};

/// `[services]` of the file of settings: each may be missing.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ServiceSettings {
    /// Whether a patient may have two appointments at one time through different slots [default: refuse]
    patient_overlap: Option<OverlapPolicy>,
    /// The same for practitioners [default: refuse]
    practitioner_overlap: Option<OverlapPolicy>,
}

/// The two choices of [`Overlap`], as settings name them.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum OverlapPolicy {
    Refuse,
    Allow,
}

impl From<OverlapPolicy> for Overlap {
    fn from(policy: OverlapPolicy) -> Overlap {
        match policy {
            OverlapPolicy::Refuse => Overlap::Refuse,
            OverlapPolicy::Allow => Overlap::Allow,
        }
    }
}

impl From<ServiceSettings> for Settings {
    fn from(given: ServiceSettings) -> Settings {
        let default = Settings::default();
        Settings {
            patient_overlap: given.patient_overlap.map_or(default.patient_overlap, Into::into),
            practitioner_overlap: given.practitioner_overlap.map_or(default.practitioner_overlap, Into::into),
        }
    }
}
