//! What is written about patients: one random resource of each type.

use serde_json::{Value, json};

use super::world::Maker;

impl Maker<'_> {
    pub(super) fn record(&mut self, name: &'static str, id: &str) -> Value {
        let mut it = json!({ "resourceType": name, "id": id });
        if name != "Binary" {
            it["identifier"] = json!([{ "system": "urn:t", "value": format!("{name}-{id}") }]);
        }
        let code = json!({ "coding": [{ "system": "urn:codes", "code": *self.dice.of(&["a", "b", "c"]) }] });
        let subject = self.patient_reference();
        let (date, end) = (self.date(), self.date());
        let encounter = self.maybe_one_of("Encounter");
        match name {
            "Encounter" => {
                it["status"] = json!("finished");
                it["class"] = json!({ "code": "AMB" });
                it["type"] = json!([code]);
                it["subject"] = subject;
                it["participant"] = json!([{ "individual": self.doctor() }]);
                it["period"] = period(&date, &end);
            }
            "Condition" => {
                it["clinicalStatus"] = json!({ "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active" }] });
                it["code"] = code;
                it["subject"] = subject;
                it["asserter"] = self.somebody();
                self.maybe(&mut it, "onsetDateTime", json!(date));
                self.maybe(&mut it, "recordedDate", json!(end));
            }
            "Observation" => {
                it["status"] = json!("final");
                it["code"] = code;
                it["subject"] = subject;
                it["performer"] = json!([self.somebody()]);
                self.maybe(&mut it, "effectiveDateTime", json!(date));
                it["valueInteger"] = json!(self.dice.below(5));
            }
            "AllergyIntolerance" => {
                it["clinicalStatus"] = json!({ "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "code": "active" }] });
                it["code"] = code;
                it["patient"] = subject;
                it["recorder"] = self.somebody();
                self.maybe(&mut it, "recordedDate", json!(date));
            }
            "MedicationRequest" => {
                it["status"] = json!("active");
                it["intent"] = json!("order");
                it["medicationCodeableConcept"] = code;
                it["subject"] = subject;
                it["requester"] = self.doctor();
                self.maybe(&mut it, "authoredOn", json!(date));
            }
            "Task" => {
                it["status"] = json!("requested");
                it["intent"] = json!("order");
                it["code"] = code;
                it["for"] = subject;
                it["requester"] = self.somebody();
                if let Some(focus) = self.maybe_one_of("MedicationRequest") {
                    it["focus"] = focus;
                }
                self.maybe(&mut it, "authoredOn", json!(date));
            }
            "Appointment" => {
                it["status"] = json!("proposed");
                it["serviceType"] = json!([code]);
                let mut actors = vec![json!({ "actor": subject, "status": "accepted" })];
                if self.dice.once_in(4) {
                    actors.push(json!({ "actor": self.patient_reference(), "status": "accepted" }));
                }
                it["participant"] = json!(actors);
                it["start"] = json!(format!("{date}T10:00:00Z"));
                it["end"] = json!(format!("{date}T10:10:00Z"));
            }
            "DocumentReference" => {
                it["status"] = json!("current");
                it["type"] = code;
                it["subject"] = subject;
                it["author"] = json!([self.somebody()]);
                it["content"] = json!([{ "attachment": { "contentType": "text/plain", "title": "a letter" } }]);
                self.maybe(&mut it, "date", json!(format!("{date}T10:00:00Z")));
            }
            "Binary" => {
                it["contentType"] = json!("text/plain");
                it["data"] = json!("aGVsbG8=");
                it["securityContext"] = match self.maybe_one_of("DocumentReference") {
                    Some(document) => document,
                    None => subject,
                };
            }
            "List" => {
                it["status"] = json!("current");
                it["mode"] = json!("working");
                it["code"] = code;
                it["subject"] = subject;
                it["source"] = self.somebody();
                let entries: Vec<_> =
                    (0..3).filter_map(|_| self.maybe_one_of("Condition")).map(|item| json!({ "item": item })).collect();
                if !entries.is_empty() {
                    it["entry"] = json!(entries);
                }
                self.maybe(&mut it, "date", json!(date));
            }
            "Communication" => {
                it["status"] = json!("completed");
                it["subject"] = subject;
                it["sender"] = self.somebody();
                it["recipient"] = json!([self.somebody()]);
                self.maybe(&mut it, "sent", json!(format!("{date}T10:00:00Z")));
                it["payload"] = json!([{ "contentString": "penicillin" }]);
            }
            "QuestionnaireResponse" => {
                it.as_object_mut().expect("an object").remove("identifier");
                it["identifier"] = json!({ "system": "urn:t", "value": format!("{name}-{id}") });
                it["status"] = json!("completed");
                it["subject"] = subject;
                it["author"] = self.somebody();
                self.maybe(&mut it, "authored", json!(date));
            }
            _ => {
                it["status"] = json!("active");
                it["intent"] = json!("plan");
                it["category"] = json!([code]);
                it["subject"] = subject;
                it["period"] = period(&date, &end);
            }
        }
        let has_encounter = [
            "Condition",
            "Observation",
            "MedicationRequest",
            "List",
            "Communication",
            "QuestionnaireResponse",
            "CarePlan",
        ];
        if let (Some(encounter), true) = (encounter, has_encounter.contains(&name)) {
            it["encounter"] = encounter;
        }
        if !["Binary"].contains(&name) {
            let word = *self.dice.of(&["asthma", "penicillin", "fracture"]);
            it["text"] = json!({ "status": "generated", "div": format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{word}</div>") });
        }
        self.name_somewhere(&mut it, name);
        if name == "Observation" && self.dice.once_in(3) {
            self.move_to_place(&mut it);
        }
        self.label(&mut it);
        it
    }

    /// Names another record where no search parameter looks, with what else a reference says.
    fn name_somewhere(&mut self, it: &mut Value, name: &str) {
        let other = *self.dice.of(&["Condition", "Observation", "Encounter", "Task", "Patient"]);
        let Some(mut reference) = self.maybe_one_of(other).filter(|_| name != "Binary") else { return };
        reference["display"] = json!("a fracture of the hip");
        reference["identifier"] = json!({ "system": "urn:t", "value": format!("{other}-0") });
        it["extension"] = json!([{ "url": "http://example.org/beside", "valueReference": reference }]);
    }

    /// Makes it one about a place, as ratings are; some still are about somebody as well.
    fn move_to_place(&mut self, it: &mut Value) {
        it["subject"] = json!({ "reference": "Location/l0" });
        if !self.dice.once_in(4) {
            it["performer"] = json!([{ "reference": format!("Organization/o{}", self.dice.below(3)) }]);
        }
        if !self.dice.once_in(4) {
            it.as_object_mut().expect("an object").remove("encounter");
        }
        if self.dice.once_in(4) {
            it["focus"] = json!([self.patient_reference()]);
        }
    }

    pub(super) fn provenance(&mut self, id: &str) -> Value {
        let target = loop {
            let name = *self.dice.of(&["Condition", "Observation", "Patient", "Encounter"]);
            if let Some(target) = self.maybe_one_of(name) {
                break target;
            }
        };
        let mut it = json!({ "resourceType": "Provenance", "id": id, "target": [target], "recorded": format!("{}T10:00:00Z", self.date()),
            "agent": [{ "who": self.doctor() }] });
        self.label(&mut it);
        it
    }

    pub(super) fn label(&mut self, it: &mut Value) {
        const LABELS: [(&str, &str); 4] = [
            ("http://terminology.hl7.org/CodeSystem/v3-ActCode", "PSY"),
            ("http://terminology.hl7.org/CodeSystem/v3-ActCode", "HIV"),
            ("http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "R"),
            ("http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "N"),
        ];
        if self.dice.once_in(3) {
            let (system, code) = *self.dice.of(&LABELS);
            let label = match self.dice.once_in(5) {
                true => json!({ "code": code }),
                false => json!({ "system": system, "code": code }),
            };
            it["meta"] = json!({ "security": [label] });
        }
    }

    fn maybe(&mut self, it: &mut Value, name: &str, value: Value) {
        if !self.dice.once_in(4) {
            it[name] = value;
        }
    }

    fn patient_reference(&mut self) -> Value {
        json!({ "reference": format!("Patient/p{}", self.dice.below(self.patients)) })
    }

    fn doctor(&mut self) -> Value {
        json!({ "reference": format!("Practitioner/dr{}", self.dice.below(3)) })
    }

    /// Mostly a doctor.
    fn somebody(&mut self) -> Value {
        if self.dice.once_in(4) { self.patient_reference() } else { self.doctor() }
    }

    fn maybe_one_of(&mut self, name: &'static str) -> Option<Value> {
        let count = if name == "Patient" { self.patients } else { *self.counts.get(name)? };
        if count == 0 || self.dice.once_in(2) {
            return None;
        }
        Some(json!({ "reference": format!("{name}/{}{}", short(name), self.dice.below(count)) }))
    }

    fn date(&mut self) -> String {
        format!("2027-0{}-0{}", 1 + self.dice.below(3), 1 + self.dice.below(9))
    }
}

/// How the ids of a type begin.
pub(super) fn short(name: &str) -> &'static str {
    match name {
        "Patient" => "p",
        "Encounter" => "e",
        "Condition" => "c",
        "Observation" => "ob",
        "AllergyIntolerance" => "al",
        "MedicationRequest" => "mr",
        "Task" => "ta",
        "Appointment" => "ap",
        "DocumentReference" => "do",
        "Binary" => "bi",
        "List" => "li",
        "Communication" => "co",
        "QuestionnaireResponse" => "qr",
        _ => "cp",
    }
}

fn period(one: &str, other: &str) -> Value {
    json!({ "start": one.min(other), "end": one.max(other) })
}
