//! Random Consents of the shapes of IHE PCF, research opt-outs, and some that are not understood.

use serde_json::{Value, json};

use super::dice::Dice;

/// A Consent of one patient.
pub(super) fn random(dice: &mut Dice, id: &str, patient: usize, patients: usize) -> Value {
    let is_research = dice.once_in(6);
    let scope = if is_research {
        "research"
    } else {
        *dice.of(&["patient-privacy", "patient-privacy", "patient-privacy", "treatment"])
    };
    let status = if dice.once_in(6) { "inactive" } else { "active" };
    let person = match dice.once_in(4) {
        true => json!({ "identifier": { "system": "urn:nhs", "value": format!("N{patient}") } }),
        false => json!({ "reference": format!("Patient/p{patient}") }),
    };
    let effect = if is_research { "deny" } else { *dice.of(&["permit", "permit", "deny"]) };
    let mut root = provision(dice, effect, patients);
    if is_research {
        root.as_object_mut().expect("an object").remove("purpose");
    }
    for _ in 0..dice.below(3) {
        let effect = *dice.of(&["permit", "deny", "deny"]);
        let mut nested = provision(dice, effect, patients);
        if dice.once_in(5) {
            let effect = *dice.of(&["permit", "deny"]);
            nested["provision"] = json!([provision(dice, effect, patients)]);
        }
        let all = root["provision"].as_array().cloned().unwrap_or_default();
        root["provision"] = all.into_iter().chain([nested]).collect();
    }
    json!({
        "resourceType": "Consent", "id": id, "status": status,
        "scope": { "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": scope }] },
        "category": [{ "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "INFA" }] }],
        "patient": person, "dateTime": "2027-02-01T10:00:00Z",
        "policy": [{ "uri": format!("http://example.org/policy/{id}") }], "provision": root
    })
}

/// Each element now and then.
fn provision(dice: &mut Dice, effect: &str, patients: usize) -> Value {
    let mut it = json!({ "type": effect });
    if dice.once_in(4) {
        it["period"] = dice
            .of(&[
                json!({ "start": "2027-01-01", "end": "2027-02-01" }),
                json!({ "start": "2027-01-01" }),
                json!({ "start": "2027-03-20" }),
                json!({ "start": "2027-01-01", "end": "2028-01-01" }),
            ])
            .clone();
    }
    if dice.once_in(3) {
        let reference = match dice.below(6) {
            0 => json!({ "reference": format!("RelatedPerson/rp{}", dice.below(patients)) }),
            1 | 2 => json!({ "reference": format!("Practitioner/dr{}", dice.below(3)) }),
            3 => {
                let (system, letter) = *dice.of(&[("urn:ods", "O"), ("urn:gmc", "G"), ("urn:nhs", "R")]);
                json!({ "identifier": { "system": system, "value": format!("{letter}{}", dice.below(3)) } })
            }
            _ => json!({ "reference": format!("Organization/o{}", dice.below(3)) }),
        };
        it["actor"] = json!([{ "role": { "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP" }] }, "reference": reference }]);
    }
    if dice.once_in(4) {
        let purposes = ["TREAT", "HRESCH", "PATRQT", "HPAYMT"];
        it["purpose"] =
            json!([{ "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": *dice.of(&purposes) }]);
    }
    if dice.once_in(8) {
        let actions = ["access", "collect", "disclose"];
        it["action"] = json!([{ "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/consentaction", "code": *dice.of(&actions) }] }]);
    }
    if dice.once_in(3) {
        it["securityLabel"] = json!([dice
            .of(&[
                json!({ "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "PSY" }),
                json!({ "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "HIV" }),
                json!({ "system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R" }),
                json!({ "system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "N" }),
            ])
            .clone()]);
    }
    if dice.once_in(6) {
        let classes = ["Condition", "Observation", "Encounter", "Task", "Patient"];
        it["class"] = json!([{ "system": "http://hl7.org/fhir/resource-types", "code": *dice.of(&classes) }]);
    }
    if dice.once_in(6) {
        it["code"] = json!([{ "coding": [{ "system": "urn:codes", "code": *dice.of(&["a", "b"]) }] }]);
    }
    if dice.once_in(6) {
        it["dataPeriod"] =
            json!({ "start": "2027-01-05", "end": *dice.of(&["2027-02-05", "2027-03-01", "2027-03-02"]) });
    }
    if dice.once_in(5) {
        let (meaning, reference) = match dice.below(4) {
            0 => ("instance", format!("Condition/c{}", dice.below(patients * 2))),
            1 => ("instance", format!("Observation/ob{}", dice.below(patients * 2))),
            2 => ("related", format!("Encounter/e{}", dice.below(patients * 2))),
            _ => ("authoredby", format!("Practitioner/dr{}", dice.below(3))),
        };
        it["data"] = json!([{ "meaning": meaning, "reference": { "reference": reference } }]);
    }
    if dice.once_in(30) {
        it["modifierExtension"] = json!([{ "url": "urn:unknown", "valueBoolean": true }]);
    }
    it
}
