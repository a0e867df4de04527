//! Random records: patients, what is written about them, its versions and deletions, and what they decided.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::consents;
use super::dice::Dice;
use super::records::short;

/// Types of which the world has resources, those that others refer to first.
pub(super) const TYPES: [&str; 21] = [
    "Organization",
    "Practitioner",
    "Location",
    "Patient",
    "RelatedPerson",
    "Schedule",
    "Slot",
    "Encounter",
    "Condition",
    "Observation",
    "AllergyIntolerance",
    "MedicationRequest",
    "Task",
    "Appointment",
    "DocumentReference",
    "Binary",
    "Provenance",
    "List",
    "Communication",
    "QuestionnaireResponse",
    "CarePlan",
];

/// The types of records of which each patient has several.
const RECORDS: [&str; 13] = [
    "Encounter",
    "Condition",
    "Observation",
    "AllergyIntolerance",
    "MedicationRequest",
    "Task",
    "Appointment",
    "DocumentReference",
    "Binary",
    "List",
    "Communication",
    "QuestionnaireResponse",
    "CarePlan",
];

/// What one commit writes: `Type/id` and the content, `None` for a deletion.
pub(super) type Round = Vec<(String, Option<Value>)>;

/// All that is written, in order.
pub(super) struct World {
    pub(super) patients: usize,
    pub(super) rounds: Vec<Round>,
}

/// A version of a resource.
pub(super) struct Version<'w> {
    pub(super) round: usize,
    pub(super) content: Option<&'w Value>,
}

impl World {
    pub(super) fn new(dice: &mut Dice) -> World {
        let patients = 3 + dice.below(3);
        let mut maker = Maker { dice, patients, counts: BTreeMap::new() };
        let mut rounds = vec![maker.base()];
        for _ in 0..2 {
            let round = maker.changes(&rounds[0]);
            rounds.push(round);
        }
        World { patients, rounds }
    }

    /// All resources with their versions, oldest first.
    pub(super) fn all(&self) -> BTreeMap<&str, Vec<Version<'_>>> {
        let mut all: BTreeMap<&str, Vec<Version<'_>>> = BTreeMap::new();
        for (at, round) in self.rounds.iter().enumerate() {
            for (key, content) in round {
                all.entry(key).or_default().push(Version { round: at, content: content.as_ref() });
            }
        }
        all
    }
}

/// Makes resources, which refer to those that it has counted.
pub(super) struct Maker<'d> {
    pub(super) dice: &'d mut Dice,
    pub(super) patients: usize,
    pub(super) counts: BTreeMap<&'static str, usize>,
}

impl Maker<'_> {
    fn base(&mut self) -> Round {
        let mut round = Round::new();
        for at in 0..3 {
            self.counts.insert("Organization", 3);
            round.push(keep(
                json!({ "resourceType": "Organization", "id": format!("o{at}"), "name": format!("Practice {at}"),
                "identifier": [{ "system": "urn:ods", "value": format!("O{at}") }] }),
            ));
            round.push(keep(json!({ "resourceType": "Practitioner", "id": format!("dr{at}"), "name": [{ "family": format!("Doctor{at}") }],
                "identifier": [{ "system": "urn:gmc", "value": format!("G{at}") }] })));
        }
        round.push(keep(json!({ "resourceType": "Location", "id": "l0", "name": "Room" })));
        for at in 0..self.patients {
            round.push(keep(self.patient(at)));
            let mut related = json!({ "resourceType": "RelatedPerson", "id": format!("rp{at}"), "patient": { "reference": format!("Patient/p{at}") },
                "identifier": [{ "system": "urn:nhs", "value": format!("R{at}") }] });
            self.label(&mut related);
            round.push(keep(related));
        }
        round.push(keep(
            json!({ "resourceType": "Schedule", "id": "s0", "actor": [{ "reference": "Practitioner/dr0" }] }),
        ));
        round.push(keep(json!({ "resourceType": "Schedule", "id": "s1", "actor": [{ "reference": "Practitioner/dr0" }, { "reference": "Patient/p1" }] })));
        round.push(keep(
            json!({ "resourceType": "Slot", "id": "t0", "schedule": { "reference": "Schedule/s0" }, "status": "free",
            "start": "2027-05-01T09:00:00Z", "end": "2027-05-01T09:10:00Z" }),
        ));
        for name in RECORDS {
            for _ in 0..self.patients * 2 {
                let count = *self.counts.get(name).unwrap_or(&0);
                let resource = self.record(name, &format!("{}{count}", short(name)));
                self.counts.insert(name, count + 1);
                round.push(keep(resource));
            }
        }
        for at in 0..self.patients * 2 {
            let resource = self.provenance(&format!("prov{at}"));
            round.push(keep(resource));
        }
        for at in 0..self.patients * 2 {
            let patient = at % self.patients;
            round.push(keep(consents::random(self.dice, &format!("c{at}"), patient, self.patients)));
        }
        round
    }

    /// New versions of some, and deletions of some that nothing rests on.
    fn changes(&mut self, base: &Round) -> Round {
        let mut round = Round::new();
        for (key, _) in base {
            let (name, id) = key.split_once('/').expect("a type and an id");
            let Some(name) = RECORDS.iter().find(|known| **known == name) else { continue };
            if self.dice.once_in(8) && !matches!(*name, "Encounter" | "DocumentReference") {
                round.push((key.clone(), None));
            } else if self.dice.once_in(4) {
                let resource = self.record(name, id);
                round.push(keep(resource));
            }
        }
        round
    }

    fn patient(&mut self, at: usize) -> Value {
        let mut patient = json!({ "resourceType": "Patient", "id": format!("p{at}"), "birthDate": format!("19{}0-01-01", 4 + at),
            "name": [{ "family": format!("Family{at}") }], "identifier": [{ "system": "urn:nhs", "value": format!("N{at}") }],
            "managingOrganization": { "reference": "Organization/o0" } });
        if at > 0 && self.dice.once_in(4) {
            patient["link"] = json!([{ "type": "seealso", "other": { "reference": "Patient/p0" } }]);
        }
        self.label(&mut patient);
        patient
    }
}

fn keep(resource: Value) -> (String, Option<Value>) {
    let text = |name: &str| resource[name].as_str().expect("a text").to_owned();
    (format!("{}/{}", text("resourceType"), text("id")), Some(resource))
}
