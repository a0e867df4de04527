//! What is searched for, with the number of matches that the data's facts give.

use std::fmt::Write;

use crate::connection::{get, post_form};
use crate::scale::{Encounter, Facts, Observation, Patient, Random};

/// One search, in as many variants as wanted.
pub(in crate::workload) struct Query {
    pub(in crate::workload) name: &'static str,
    /// Whether it is part of the search mix.
    pub(super) mixed: bool,
    make: fn(&Facts, &mut Random) -> Search,
}

/// A search with its values.
pub(crate) struct Search {
    pub(crate) resource_type: &'static str,
    /// Not yet percent-encoded.
    pub(crate) parameters: Vec<(&'static str, String)>,
    /// How many resources match, where the facts tell.
    pub(crate) total: Option<u64>,
}

impl Search {
    pub(crate) fn new(resource_type: &'static str, parameters: &[(&'static str, &str)], total: usize) -> Search {
        let parameters = parameters.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Search { resource_type, parameters, total: Some(total as u64) }
    }

    fn unchecked(self) -> Search {
        Search { total: None, ..self }
    }

    /// The same with another parameter.
    pub(crate) fn with(&self, name: &'static str, value: &str) -> Search {
        let mut parameters = self.parameters.clone();
        parameters.push((name, value.to_owned()));
        Search { resource_type: self.resource_type, parameters, total: self.total }
    }

    /// The HTTP request; by POST where the URL would be too long.
    pub(crate) fn request(&self) -> Vec<u8> {
        const URL_MAX: usize = 8_000;
        let pairs = self.parameters.iter().map(|(name, value)| (*name, value.as_str()));
        let query = search::query_string(pairs);
        match query.len() {
            0..=URL_MAX => get(&format!("/fhir/{}?{query}", self.resource_type)),
            _ => post_form(&format!("/fhir/{}/_search", self.resource_type), &query),
        }
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("{}?", self.resource_type);
        for (name, value) in &self.parameters {
            let value: String = value.chars().take(80).collect();
            let _ = write!(text, "{name}={value}&");
        }
        text.pop();
        text
    }
}

const fn page(name: &'static str, make: fn(&Facts, &mut Random) -> Search) -> Query {
    Query { name, mixed: false, make }
}

const fn mixed(name: &'static str, make: fn(&Facts, &mut Random) -> Search) -> Query {
    Query { name, mixed: true, make }
}

impl Query {
    /// A variant, with so many matches on a page.
    pub(in crate::workload) fn make(&self, facts: &Facts, random: &mut Random, count: u64) -> Search {
        (self.make)(facts, random).with("_count", &count.to_string())
    }
}

pub(crate) const LOINC: &str = "http://loinc.org";
pub(crate) const HEIGHT: &str = "8302-2";
const WEIGHT: &str = "29463-7";
pub(crate) const DAY: i64 = 86_400_000;

/// Searches for one page, each measured alone. The mixed ones are those of the public search mix.
pub(in crate::workload) const PAGES: &[Query] = &[
    page("identifier", |facts, random| {
        Search::new("Patient", &[("identifier", &random.pick(&facts.patients).token())], 1)
    }),
    page("code + patient", |facts, random| {
        let wanted = random.pick(&facts.observations);
        let fits = |other: &Observation| other.patient == wanted.patient && other.code == wanted.code;
        let patient = format!("Patient/{}", facts.patients[wanted.patient].id());
        let code = format!("{LOINC}|{}", facts.codes[wanted.code]);
        observations(facts, &[("code", &code), ("patient", &patient)], fits)
    }),
    mixed("name", |facts, random| {
        let name = random.pick(&facts.patients).family();
        patients(facts, &[("name", name)], |patient| patient.names().any(|part| begins(part, name)))
    }),
    mixed("name:contains", |facts, random| {
        let name = &random.pick(&facts.patients).family()[1..];
        let contains = |part: &str| part.to_lowercase().contains(&name.to_lowercase());
        patients(facts, &[("name:contains", name)], |patient| patient.names().any(contains))
    }),
    page("family prefix", |facts, random| {
        let name: String = random.pick(&facts.patients).family().chars().take(3).collect();
        let fits = |family: &String| begins(family, &name);
        patients(facts, &[("family", &name)], |patient| patient.families.iter().any(fits))
    }),
    mixed("address", |facts, random| {
        let part = random.pick(&random.clone().pick(&facts.patients).address).clone();
        let value = part.replace(',', r"\,");
        patients(facts, &[("address", &value)], |patient| patient.address.iter().any(|other| begins(other, &part)))
    }),
    mixed("birthdate eq", |facts, random| birth(facts, random, "")),
    mixed("birthdate ge", |facts, random| birth(facts, random, "ge")),
    mixed("birthdate lt", |facts, random| birth(facts, random, "lt")),
    mixed("Observation date eq", |facts, random| observed(facts, random, "")),
    mixed("Observation date ne", |facts, random| observed(facts, random, "ne")),
    mixed("Observation date gt", |facts, random| observed(facts, random, "gt")),
    mixed("Observation date lt", |facts, random| observed(facts, random, "lt")),
    mixed("Observation date ge", |facts, random| observed(facts, random, "ge")),
    mixed("Observation date le", |facts, random| observed(facts, random, "le")),
    mixed("Observation date sa", |facts, random| observed(facts, random, "sa")),
    mixed("Observation date eb", |facts, random| observed(facts, random, "eb")),
    mixed("Observation date ap", |facts, random| observed(facts, random, "ap").unchecked()),
    mixed("Encounter date eq", |facts, random| met(facts, random, "")),
    mixed("Encounter date ne", |facts, random| met(facts, random, "ne")),
    mixed("Encounter date gt", |facts, random| met(facts, random, "gt")),
    mixed("Encounter date lt", |facts, random| met(facts, random, "lt")),
    mixed("Encounter date ge", |facts, random| met(facts, random, "ge")),
    mixed("Encounter date le", |facts, random| met(facts, random, "le")),
    mixed("Encounter date sa", |facts, random| met(facts, random, "sa")),
    mixed("Encounter date eb", |facts, random| met(facts, random, "eb")),
    mixed("Encounter date ap", |facts, random| met(facts, random, "ap").unchecked()),
    mixed("Observation category", |facts, _| {
        observations(facts, &[("category", "vital-signs")], |observation| observation.is_vital)
    }),
    mixed("Observation reference", |facts, random| {
        let patient = random.pick(&facts.observations).patient;
        let reference = format!("Patient/{}", facts.patients[patient].id());
        observations(facts, &[("subject", &reference)], |other| other.patient == patient)
    }),
    mixed("Observation quantity", |facts, random| {
        let (value, quantity) = weight(random);
        observations(facts, &[("value-quantity", &quantity)], |other| above(other, value, "kg"))
    }),
    mixed("Observation composite", |facts, random| {
        let (value, _) = weight(random);
        let composite = format!("{LOINC}|{WEIGHT}$gt{value}");
        let fits = |other: &Observation| facts.codes[other.code] == WEIGHT && above(other, value, "kg");
        observations(facts, &[("code-value-quantity", &composite)], fits)
    }),
    page("code + date", |facts, random| {
        let (low, high) = (month(random), month(random));
        let (low, high) = (low.min(high), low.max(high));
        let fits = |other: &Observation| is_code(facts, other, HEIGHT) && (low..high).contains(&other.effective);
        let code = format!("{LOINC}|{HEIGHT}");
        let (low, high) = (format!("ge{}", date(low)), format!("lt{}", date(high)));
        observations(facts, &[("code", &code), ("date", &low), ("date", &high)], fits)
    }),
    page("date only", |facts, random| {
        let low = month(random);
        let high = low + 365 * DAY;
        let fits = |other: &Observation| (low..high).contains(&other.effective);
        observations(facts, &[("date", &format!("ge{}", date(low))), ("date", &format!("lt{}", date(high)))], fits)
    }),
    page("code + value-quantity", |facts, random| {
        let (value, quantity) = weight(random);
        let fits = |other: &Observation| is_code(facts, other, WEIGHT) && above(other, value, "kg");
        observations(facts, &[("code", &format!("{LOINC}|{WEIGHT}")), ("value-quantity", &quantity)], fits)
    }),
    page("negation alone", |facts, _| {
        let fits = |other: &Observation| !is_code(facts, other, HEIGHT);
        observations(facts, &[("code:not", &format!("{LOINC}|{HEIGHT}"))], fits)
    }),
    page("gender:not", |facts, _| patients(facts, &[("gender:not", "male")], |patient| !patient.is_male)),
    page(":missing=true", |facts, _| {
        observations(facts, &[("value-quantity:missing", "true")], |other| other.quantity.is_none())
    }),
    page("death-date:missing=true", |facts, _| {
        patients(facts, &[("death-date:missing", "true")], |patient| !patient.is_dead)
    }),
    page("1,000 ids", |facts, random| {
        let mut ids: Vec<_> = (0..1_000).map(|_| random.pick(&facts.observations).id()).collect();
        ids.sort();
        ids.dedup();
        Search::new("Observation", &[("_id", &ids.join(","))], ids.len())
    }),
    page("code, newest first", |facts, random| {
        let code = random.pick(&facts.observations).code;
        let token = format!("{LOINC}|{}", facts.codes[code]);
        observations(facts, &[("code", &token), ("_sort", "-date")], |other| other.code == code)
    }),
    page("category, newest first", |facts, _| {
        observations(facts, &[("category", "vital-signs"), ("_sort", "-date")], |other| other.is_vital)
    }),
    page("chain", |facts, random| {
        let token = random.pick(&facts.patients).token();
        let code = random.pick(&facts.observations).code;
        let patient = facts.patients.iter().position(|patient| patient.token() == token);
        let fits = |other: &Observation| Some(other.patient) == patient && other.code == code;
        let code = format!("{LOINC}|{}", facts.codes[code]);
        observations(facts, &[("patient.identifier", &token), ("code", &code)], fits)
    }),
    page("chain by name", |facts, random| {
        let name = random.pick(&facts.patients).family();
        let fits = |other: &Observation| facts.patients[other.patient].names().any(|part| begins(part, name));
        observations(facts, &[("subject:Patient.name", name)], fits)
    }),
    page("_has", |facts, random| {
        let patient = random.pick(&facts.patients);
        let wanted = random.pick(&facts.observations).code;
        let code = format!("{LOINC}|{}", facts.codes[wanted]);
        let of_family = |other: &Patient| other.names().any(|part| begins(part, patient.family()));
        let mut holders: Vec<_> =
            facts.observations.iter().filter(|other| other.code == wanted).map(|other| other.patient).collect();
        holders.dedup();
        let total = holders.iter().filter(|at| of_family(&facts.patients[**at])).count();
        Search::new("Patient", &[("_has:Observation:patient:code", &code), ("name", patient.family())], total)
    }),
    page("_include", |facts, random| {
        let code = random.pick(&facts.observations).code;
        let token = format!("{LOINC}|{}", facts.codes[code]);
        let parameters = [("code", token.as_str()), ("_include", "Observation:subject")];
        observations(facts, &parameters, |other| other.code == code)
    }),
    page("_revinclude", |facts, random| {
        let token = random.pick(&facts.patients).token();
        Search::new("Patient", &[("identifier", &token), ("_revinclude", "Condition:subject")], 1)
    }),
];

/// Searches whose matches are only counted, and how fast that goes.
pub(in crate::workload) const COUNTS: &[Query] = &[
    page("count by code", |facts, _| {
        let token = format!("{LOINC}|{HEIGHT}");
        observations(facts, &[("code", &token)], |other| is_code(facts, other, HEIGHT))
    }),
    page("count by category", |facts, _| {
        observations(facts, &[("category", "vital-signs")], |observation| observation.is_vital)
    }),
    page("count by code + date", |facts, _| {
        let low = 14_610 * DAY;
        let fits = |other: &Observation| is_code(facts, other, HEIGHT) && other.effective >= low;
        observations(facts, &[("code", &format!("{LOINC}|{HEIGHT}")), ("date", &format!("ge{}", date(low)))], fits)
    }),
    page("count by date", |facts, _| {
        let low = 14_610 * DAY;
        observations(facts, &[("date", &format!("ge{}", date(low)))], |other| other.effective >= low)
    }),
    page("count by code + quantity", |facts, _| {
        let fits = |other: &Observation| is_code(facts, other, WEIGHT) && above(other, 60, "kg");
        let quantity = "gt60|http://unitsofmeasure.org|kg";
        observations(facts, &[("code", &format!("{LOINC}|{WEIGHT}")), ("value-quantity", quantity)], fits)
    }),
    page("count by birthdate lt", |facts, _| {
        patients(facts, &[("birthdate", "lt1980")], |patient| patient.birth < 3_652 * DAY)
    }),
];

/// What is downloaded as a whole.
pub(super) fn download(facts: &Facts) -> Search {
    let search = observations(facts, &[("code", &format!("{LOINC}|{HEIGHT}"))], |other| is_code(facts, other, HEIGHT));
    search.with("_count", "1000")
}

/// What is paged through.
pub(super) fn paged(facts: &Facts) -> Search {
    observations(facts, &[("status", "final"), ("_count", "20")], |_| true)
}

fn observations(facts: &Facts, parameters: &[(&'static str, &str)], fits: impl Fn(&Observation) -> bool) -> Search {
    Search::new("Observation", parameters, facts.observations.iter().filter(|other| fits(other)).count())
}

fn patients(facts: &Facts, parameters: &[(&'static str, &str)], fits: impl Fn(&Patient) -> bool) -> Search {
    Search::new("Patient", parameters, facts.patients.iter().filter(|other| fits(other)).count())
}

/// Whether a string parameter's value finds a text.
pub(crate) fn begins(text: &str, value: &str) -> bool {
    text.to_lowercase().starts_with(&value.to_lowercase())
}

pub(crate) fn is_code(facts: &Facts, observation: &Observation, code: &str) -> bool {
    facts.codes[observation.code] == code
}

fn above(observation: &Observation, value: i32, unit: &str) -> bool {
    observation.quantity.as_ref().is_some_and(|(found, code)| code == unit && *found > f64::from(value))
}

fn weight(random: &mut Random) -> (i32, String) {
    let value = 40 + random.below(60) as i32;
    (value, format!("gt{value}|http://unitsofmeasure.org|kg"))
}

/// The first day of a month between 2005 and 2020, near enough.
pub(crate) fn month(random: &mut Random) -> i64 {
    (12_784 + 30 * random.below(182) as i64) * DAY
}

pub(crate) fn date(millis: i64) -> String {
    fhir::Instant::from_millis(millis).to_rfc3339()[..10].to_owned()
}

fn birth(facts: &Facts, random: &mut Random, prefix: &str) -> Search {
    let day = random.pick(&facts.patients).birth;
    let fits = |patient: &Patient| is_related(prefix, (patient.birth, patient.birth + DAY), (day, day + DAY));
    patients(facts, &[("birthdate", &format!("{prefix}{}", date(day)))], fits)
}

fn observed(facts: &Facts, random: &mut Random, prefix: &str) -> Search {
    let day = random.pick(&facts.observations).effective / DAY * DAY;
    let fits = |other: &Observation| is_related(prefix, (other.effective, other.effective + 1_000), (day, day + DAY));
    observations(facts, &[("date", &format!("{prefix}{}", date(day)))], fits)
}

fn met(facts: &Facts, random: &mut Random, prefix: &str) -> Search {
    let day = random.pick(&facts.encounters).start / DAY * DAY;
    let fits = |other: &&Encounter| is_related(prefix, (other.start, other.end), (day, day + DAY));
    let total = facts.encounters.iter().filter(fits).count();
    Search::new("Encounter", &[("date", &format!("{prefix}{}", date(day)))], total)
}

/// What a prefix says about the range of a value and that of the resource's, <https://hl7.org/fhir/R4/search.html#prefix>.
pub(crate) fn is_related(prefix: &str, (start, end): (i64, i64), (low, high): (i64, i64)) -> bool {
    let is_within = low <= start && end <= high;
    match prefix {
        "ne" => !is_within,
        "gt" => end > high,
        "lt" => start < low,
        "ge" => end > high || is_within,
        "le" => start < low || is_within,
        "sa" => start >= high,
        "eb" => end <= low,
        _ => is_within,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relates_ranges() {
        // The value covers 10 to 20.
        let cases = [
            ((10, 20), "eq ge le"),
            ((12, 15), "eq ge le"),
            ((5, 15), "ne lt le"),
            ((15, 25), "ne gt ge"),
            ((5, 25), "ne gt lt ge le"),
            ((0, 10), "ne lt le eb"),
            ((20, 30), "ne gt ge sa"),
        ];
        for (range, expected) in cases {
            let prefixes = ["eq", "ne", "gt", "lt", "ge", "le", "sa", "eb"];
            let found = prefixes.into_iter().filter(|prefix| is_related(prefix, range, (10, 20)));
            assert_eq!(found.collect::<Vec<_>>().join(" "), expected, "{range:?}");
        }
    }
}
