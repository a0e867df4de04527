//! A resource as JSON: whose it is, when it is from, what it is about.

use std::collections::BTreeSet;

use serde_json::{Value, json};

const CONFIDENTIALITY: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
const ACT_CODE: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";

/// A resource as it was committed.
pub(super) struct Datum<'a> {
    pub(super) key: &'a str,
    pub(super) content: &'a Value,
    pub(super) day: String,
}

impl Datum<'_> {
    /// A directory, which is never hidden.
    pub(super) fn is_public(&self) -> bool {
        ["Organization", "Practitioner", "Location", "Slot"].contains(&of_type(self.key))
    }

    /// An Observation about a place, by an organization, and about nothing else.
    pub(super) fn is_of_place(&self) -> bool {
        let leads =
            |element: &str, kind: &str| references(self.content, &[element]).iter().all(|key| key.starts_with(kind));
        of_type(self.key) == "Observation"
            && leads("subject", "Location/")
            && leads("performer", "Organization/")
            && ["focus", "encounter"].iter().all(|name| self.content[*name].is_null())
            && self.labels().is_empty()
    }

    pub(super) fn patients(&self) -> BTreeSet<String> {
        let elements: &[&str] = match of_type(self.key) {
            "Condition" => &["subject", "asserter"],
            "Observation" => &["subject", "performer"],
            "AllergyIntolerance" => &["patient", "recorder", "asserter"],
            "Encounter" | "MedicationRequest" | "CarePlan" => &["subject"],
            "Task" => &["for", "requester", "owner"],
            "DocumentReference" => &["subject", "author"],
            "Provenance" => &["target"],
            "List" => &["subject", "source"],
            "Communication" => &["subject", "sender", "recipient"],
            "QuestionnaireResponse" => &["subject", "author"],
            "Consent" | "RelatedPerson" => &["patient"],
            "Schedule" => &["actor"],
            _ => &[],
        };
        let mut named = references(self.content, elements);
        match of_type(self.key) {
            "Patient" => {
                let linked = self.content["link"].as_array().into_iter().flatten();
                named.extend(linked.map(|link| text(&link["other"]["reference"])));
                named.push(self.key.to_owned());
            }
            "Appointment" => {
                let all = self.content["participant"].as_array().into_iter().flatten();
                named.extend(all.map(|participant| text(&participant["actor"]["reference"])));
            }
            _ => {}
        }
        named.into_iter().filter(|key| key.starts_with("Patient/")).collect()
    }

    fn labels(&self) -> Vec<(String, String)> {
        let all = self.content["meta"]["security"].as_array().into_iter().flatten();
        all.map(|label| (text(&label["system"]), text(&label["code"]))).collect()
    }

    /// Labeled neither as restricted nor as sensitive.
    pub(super) fn is_normal(&self) -> bool {
        let system = |code: &str| if code == "R" { CONFIDENTIALITY } else { ACT_CODE };
        let is_high = |(of, code): &(String, String)| {
            ["R", "PSY", "HIV"].contains(&code.as_str()) && (of.is_empty() || of == system(code))
        };
        !self.labels().iter().any(is_high)
    }

    /// Whether a label of a provision means it; what has no label is `N`.
    pub(super) fn has_label(&self, label: &Value, is_deny: bool) -> bool {
        let (system, code) = (text(&label["system"]), text(&label["code"]));
        let is_labeled = self.labels().iter().any(|(of, is)| *is == code && (of.is_empty() || *of == system));
        match (code == "N", is_deny) {
            (false, _) => is_labeled,
            (true, false) => self.is_normal(),
            (true, true) => is_labeled || self.is_normal(),
        }
    }

    pub(super) fn codes(&self) -> Vec<String> {
        let concept = match of_type(self.key) {
            "Condition" | "Observation" | "AllergyIntolerance" | "Task" | "List" => &self.content["code"],
            "MedicationRequest" => &self.content["medicationCodeableConcept"],
            "Encounter" | "DocumentReference" => match &self.content["type"] {
                Value::Array(all) => &all[0],
                one => one,
            },
            "Appointment" => &self.content["serviceType"][0],
            "CarePlan" => &self.content["category"][0],
            _ => &Value::Null,
        };
        vec![text(&concept["coding"][0]["code"])]
    }

    /// The days that say when it is from; `None` where its type has none, and it is when it was committed.
    fn days(&self) -> Option<Vec<(String, String)>> {
        let elements: &[&str] = match of_type(self.key) {
            "Condition" => &["onsetDateTime", "recordedDate"],
            "Observation" => &["effectiveDateTime"],
            "Encounter" | "CarePlan" => &["period"],
            "AllergyIntolerance" => &["recordedDate"],
            "MedicationRequest" | "Task" => &["authoredOn"],
            "Appointment" => &["start"],
            "DocumentReference" | "List" => &["date"],
            "Provenance" => &["recorded"],
            "Communication" => &["sent"],
            "QuestionnaireResponse" => &["authored"],
            "Consent" => &["dateTime"],
            "Schedule" => &["planningHorizon"],
            _ => return None,
        };
        let day = |value: &Value| text(value).chars().take(10).collect::<String>();
        let span = |name: &&str| match self.content.get(*name)? {
            period @ Value::Object(_) => Some((day(&period["start"]), day(&period["end"]))),
            value => Some((day(value), day(value))),
        };
        Some(elements.iter().filter_map(span).collect())
    }

    /// Whether it is from a period: a deny takes what touches it or has no date, a permit what lies within it.
    pub(super) fn is_dated(&self, period: &Value, is_deny: bool) -> bool {
        let (start, end) = (text(&period["start"]), text(&period["end"]));
        let Some(days) = self.days() else { return start <= self.day && self.day <= end };
        match is_deny {
            true => days.is_empty() || days.iter().any(|(first, last)| *first <= end && start <= *last),
            false => days.iter().any(|(first, last)| start <= *first && *last <= end),
        }
    }

    /// Whether a provision names it, or what it belongs to or is by.
    pub(super) fn is_named(&self, data: &Value) -> bool {
        let key = text(&data["reference"]["reference"]);
        let naming = |elements: &[&str]| references(self.content, elements).contains(&key);
        match data["meaning"].as_str().expect("a meaning") {
            "instance" => self.key == key,
            "related" => self.key == key || naming(&["encounter", "focus", "target"]),
            _ => match of_type(self.key) {
                "Encounter" => self.content["participant"][0]["individual"]["reference"] == json!(key),
                "Provenance" => self.content["agent"][0]["who"]["reference"] == json!(key),
                "Condition" => naming(&["asserter"]),
                "Observation" => naming(&["performer"]),
                "AllergyIntolerance" => naming(&["recorder"]),
                "MedicationRequest" | "Task" => naming(&["requester"]),
                "DocumentReference" | "QuestionnaireResponse" => naming(&["author"]),
                "List" => naming(&["source"]),
                "Communication" => naming(&["sender"]),
                _ => false,
            },
        }
    }
}

/// Where elements refer to.
fn references(content: &Value, elements: &[&str]) -> Vec<String> {
    let each = |name: &&str| match &content[*name] {
        Value::Array(all) => all.iter().map(|one| text(&one["reference"])).collect(),
        one => vec![text(&one["reference"])],
    };
    elements.iter().flat_map(each).collect()
}

/// The type in a key.
pub(super) fn of_type(key: &str) -> &str {
    key.split('/').next().unwrap_or_default()
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
