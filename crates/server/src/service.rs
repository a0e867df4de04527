//! Decisions about the services, as the file of settings tells them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use services::{Overlap, RepeatCount, Settings};

/// `[services]` of the file of settings: each may be missing.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ServiceSettings {
    /// Whether a patient may have two appointments at one time through different slots [default: refuse]
    patient_overlap: Option<OverlapPolicy>,
    /// Whether an appointment that the patient hides from who books refuses another one as well [default: allow]
    hidden_overlap: Option<OverlapPolicy>,
    /// Whether practitioners may have two appointments at one time [default: refuse]
    practitioner_overlap: Option<OverlapPolicy>,
    /// What `numberOfRepeatsAllowed` of a repeat plan counts: repeats besides the first issue, or all issues [default: fhir]
    repeat_count: Option<RepeatCountPolicy>,
    /// The same for the plans of one source: its `meta.source`, or the system of an identifier
    repeat_count_of: Option<BTreeMap<String, RepeatCountPolicy>>,
    /// How many hours after a triage an appointment may be booked by it [default: 24]
    triage_hours_max: Option<u32>,
    /// How many minutes who waits may think about an offer [default: 60]
    offer_minutes: Option<u32>,
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

/// The two choices of [`RepeatCount`], as settings name them.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RepeatCountPolicy {
    Fhir,
    Total,
}

impl From<RepeatCountPolicy> for RepeatCount {
    fn from(policy: RepeatCountPolicy) -> RepeatCount {
        match policy {
            RepeatCountPolicy::Fhir => RepeatCount::Fhir,
            RepeatCountPolicy::Total => RepeatCount::Total,
        }
    }
}

impl From<ServiceSettings> for Settings {
    fn from(given: ServiceSettings) -> Settings {
        let default = Settings::default();
        Settings {
            patient_overlap: given.patient_overlap.map_or(default.patient_overlap, Into::into),
            hidden_overlap: given.hidden_overlap.map_or(default.hidden_overlap, Into::into),
            practitioner_overlap: given.practitioner_overlap.map_or(default.practitioner_overlap, Into::into),
            repeat_count: given.repeat_count.map_or(default.repeat_count, Into::into),
            repeat_count_of: given.repeat_count_of.map_or(default.repeat_count_of, |of| {
                of.into_iter().map(|(source, policy)| (source, policy.into())).collect()
            }),
            triage_age_max: given.triage_hours_max.map_or(default.triage_age_max, hours),
            offer_duration: given.offer_minutes.map_or(default.offer_duration, minutes),
        }
    }
}

fn hours(count: u32) -> Duration {
    Duration::from_secs(60 * 60 * u64::from(count))
}

fn minutes(count: u32) -> Duration {
    Duration::from_secs(60 * u64::from(count))
}
