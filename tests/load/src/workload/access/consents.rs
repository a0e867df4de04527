//! What patients decide in these stores, and what is hidden for it.

use serde_json::{Value, json};

use crate::scale::Facts;

/// The Consent that the patient's app rests on.
pub(super) const OF_APP: &str = "share-app";

/// How many patients decide at least: one of each kind.
const DECIDERS_MIN: usize = 3;

/// What some of the patients decided.
pub(super) struct Consents {
    /// By patient: whether staff see nothing of the record.
    hidden: Vec<bool>,
    /// Paths of resources that staff may not see although they see others of the same patient.
    pub(super) labeled: Vec<String>,
    /// The resources, one a line.
    pub(super) lines: String,
}

/// What is decided, in turns.
#[derive(Clone, Copy)]
enum Kind {
    /// Nobody sees anything.
    Dissent,
    /// Nobody sees what is labeled as about mental health.
    Sensitive,
    /// Nobody sees anything for research.
    OptOut,
}

const KINDS: [Kind; 3] = [Kind::Dissent, Kind::Sensitive, Kind::OptOut];

impl Consents {
    /// Consents of so many percent of the patients, and that of the patient at `reader`, who shares with an app and hides nothing.
    pub(super) fn of(facts: &Facts, percent: usize, reader: usize) -> Consents {
        let others: Vec<_> = (0..facts.patients.len()).filter(|at| *at != reader).collect();
        let count = (facts.patients.len() * percent / 100).clamp(DECIDERS_MIN.min(others.len()), others.len());
        let step = others.len() / count.max(1);
        let mut consents =
            Consents { hidden: vec![false; facts.patients.len()], labeled: Vec::new(), lines: String::new() };
        let permit = json!({"type": "permit", "purpose": [purpose("PATRQT")]});
        consents.add(&consent(OF_APP, &facts.patients[reader].id(), &permit));
        for (number, at) in others.into_iter().step_by(step.max(1)).take(count).enumerate() {
            let patient = facts.patients[at].id();
            let kind = KINDS[number % KINDS.len()];
            consents.add(&consent(&format!("decision-{number}"), &patient, &kind.provision()));
            match kind {
                Kind::Dissent => consents.hidden[at] = true,
                Kind::Sensitive => {
                    consents.add(&labeled(number, &patient));
                    consents.add(&list(number, &patient));
                    consents.labeled.push(format!("/fhir/Observation/labeled-{number}"));
                }
                Kind::OptOut => {}
            }
        }
        consents
    }

    fn add(&mut self, resource: &Value) {
        self.lines.push_str(&resource.to_string());
        self.lines.push('\n');
    }

    /// Whether staff see nothing of this patient's record.
    pub(super) fn hides(&self, patient: usize) -> bool {
        self.hidden[patient]
    }
}

impl Kind {
    fn provision(self) -> Value {
        match self {
            Kind::Dissent => json!({"type": "deny"}),
            Kind::Sensitive => json!({"type": "deny", "securityLabel": [label()]}),
            Kind::OptOut => json!({"type": "deny", "purpose": [purpose("HRESCH")]}),
        }
    }
}

fn consent(id: &str, patient: &str, provision: &Value) -> Value {
    let coding = |system: &str, code: &str| json!({"coding": [{"system": format!("http://terminology.hl7.org/CodeSystem/{system}"), "code": code}]});
    json!({
        "resourceType": "Consent", "id": id, "status": "active",
        "scope": coding("consentscope", "patient-privacy"), "category": [coding("v3-ActCode", "INFA")],
        "patient": {"reference": format!("Patient/{patient}")},
        "policy": [{"uri": "http://example.org/policy"}], "provision": provision,
    })
}

fn purpose(code: &str) -> Value {
    json!({"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": code})
}

fn label() -> Value {
    json!({"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "PSY"})
}

/// An observation that nothing but its id and identifier finds among the others.
fn labeled(number: usize, patient: &str) -> Value {
    let id = format!("labeled-{number}");
    json!({
        "resourceType": "Observation", "id": id, "meta": {"security": [label()]},
        "identifier": [{"system": "urn:labeled", "value": id}],
        "status": "preliminary", "code": {"text": "mood"}, "subject": {"reference": format!("Patient/{patient}")},
    })
}

/// Names it, and may be seen by those who may not see it.
fn list(number: usize, patient: &str) -> Value {
    json!({
        "resourceType": "List", "id": format!("naming-{number}"), "status": "current", "mode": "working",
        "subject": {"reference": format!("Patient/{patient}")},
        "entry": [{"item": {"reference": format!("Observation/labeled-{number}")}}],
    })
}
