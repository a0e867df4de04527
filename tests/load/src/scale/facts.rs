//! What was made, as far as answers are checked by it.

use fhir::DateTime;
use serde_json::Value;

use super::template::{Change, Template, format_id, parse_id};

/// Everything that was made.
#[derive(Default)]
pub(crate) struct Facts {
    pub(crate) resources: u64,
    pub(crate) patients: Vec<Patient>,
    pub(crate) observations: Vec<Observation>,
    pub(crate) encounters: Vec<Encounter>,
    /// The codes of observations.
    pub(crate) codes: Vec<String>,
}

#[derive(Clone, Default)]
pub(crate) struct Patient {
    id: u128,
    number: u128,
    pub(crate) is_male: bool,
    /// Given names, prefixes and suffixes.
    given: Vec<String>,
    /// The own one comes last.
    pub(crate) families: Vec<String>,
    /// The parts of addresses.
    pub(crate) address: Vec<String>,
    /// The start of the day of birth, in milliseconds since 1970.
    pub(crate) birth: i64,
    pub(crate) is_dead: bool,
}

#[derive(Clone)]
pub(crate) struct Observation {
    id: u128,
    /// Its place in [`Facts::patients`].
    pub(crate) patient: usize,
    /// Its place in [`Facts::codes`].
    pub(crate) code: usize,
    pub(crate) is_vital: bool,
    pub(crate) effective: i64,
    /// Value and UCUM code.
    pub(crate) quantity: Option<(f64, String)>,
}

#[derive(Clone)]
pub(crate) struct Encounter {
    pub(crate) start: i64,
    /// When its last second has passed.
    pub(crate) end: i64,
}

/// What a published resource says.
pub(super) enum Fact {
    Patient(Patient),
    Observation(Observation),
    Encounter(Encounter),
    Other,
}

const PATIENT_NUMBERS: &str = "https://github.com/synthetichealth/synthea";

impl Fact {
    /// The facts of a resource with its published ids; its code's place is found in `codes`, or added there.
    pub(super) fn of(resource: &Value, codes: &mut Vec<String>) -> Fact {
        let id = id_in(&resource["id"]);
        match resource["resourceType"].as_str() {
            Some("Patient") => Fact::Patient(patient(resource, id)),
            Some("Observation") => {
                let code = text_in(&resource["code"]["coding"][0]["code"]);
                let place = codes.iter().position(|known| *known == code).unwrap_or_else(|| {
                    codes.push(code);
                    codes.len() - 1
                });
                let quantity = &resource["valueQuantity"];
                let quantity = quantity["value"].as_f64().map(|value| (value, text_in(&quantity["code"])));
                let (effective, _) = range_in(&resource["effectiveDateTime"]);
                let is_vital = resource["category"][0]["coding"][0]["code"] == "vital-signs";
                Fact::Observation(Observation { id, patient: 0, code: place, is_vital, effective, quantity })
            }
            Some("Encounter") => {
                let (start, _) = range_in(&resource["period"]["start"]);
                let (_, end) = range_in(&resource["period"]["end"]);
                Fact::Encounter(Encounter { start, end })
            }
            _ => Fact::Other,
        }
    }
}

fn patient(resource: &Value, id: u128) -> Patient {
    let texts = |value: &Value| value.as_array().into_iter().flatten().map(text_in).collect::<Vec<_>>();
    let mut given = Vec::new();
    let mut families = Vec::new();
    for name in resource["name"].as_array().into_iter().flatten().rev() {
        given.extend([texts(&name["given"]), texts(&name["prefix"]), texts(&name["suffix"])].concat());
        families.push(text_in(&name["family"]));
    }
    let mut address = Vec::new();
    for given in resource["address"].as_array().into_iter().flatten() {
        address.extend(texts(&given["line"]));
        address.extend(["city", "state", "postalCode", "country"].map(|name| text_in(&given[name])));
    }
    let numbers = resource["identifier"].as_array().into_iter().flatten();
    let mut number =
        numbers.filter(|identifier| identifier["system"] == PATIENT_NUMBERS).map(|number| id_in(&number["value"]));
    Patient {
        id,
        number: number.next().unwrap_or_default(),
        is_male: resource["gender"] == "male",
        given,
        families,
        address,
        birth: range_in(&resource["birthDate"]).0,
        is_dead: resource.get("deceasedDateTime").is_some(),
    }
}

fn text_in(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn id_in(value: &Value) -> u128 {
    value.as_str().and_then(parse_id).unwrap_or_default()
}

/// The milliseconds that a date or dateTime covers, the end not included.
fn range_in(value: &Value) -> (i64, i64) {
    let range = value.as_str().and_then(DateTime::parse).map(|moment| moment.range());
    range.map_or((0, 0), |(start, end)| (start.as_millis(), end.as_millis()))
}

impl Facts {
    /// Adds a copy. A record's patient comes before what belongs to it.
    pub(super) fn add(&mut self, template: &Template, change: &Change) {
        self.resources += 1;
        let patient = self.patients.len().saturating_sub(1);
        match &template.fact {
            Fact::Patient(published) => {
                let mut copy = published.clone();
                copy.id = change.id(published.id);
                copy.number = change.id(published.number);
                copy.birth = change.millis(published.birth);
                if let Some(family) = copy.families.last_mut() {
                    family.clone_from(&change.family);
                }
                self.patients.push(copy);
            }
            Fact::Observation(published) => {
                let (id, effective) = (change.id(published.id), change.millis(published.effective));
                self.observations.push(Observation { id, patient, effective, ..published.clone() });
            }
            Fact::Encounter(published) => {
                let (start, end) = (change.millis(published.start), change.millis(published.end));
                self.encounters.push(Encounter { start, end });
            }
            Fact::Other => {}
        }
    }
}

impl Patient {
    pub(crate) fn id(&self) -> String {
        format_id(self.id)
    }

    /// What `identifier` finds.
    pub(crate) fn token(&self) -> String {
        format!("{PATIENT_NUMBERS}|{}", format_id(self.number))
    }

    pub(crate) fn family(&self) -> &str {
        self.families.last().map_or("", String::as_str)
    }

    /// All parts of names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.given.iter().chain(&self.families).map(String::as_str)
    }
}

impl Observation {
    pub(crate) fn id(&self) -> String {
        format_id(self.id)
    }
}
