//! Searches as deployed clients spell them, read as R4: one place, before anything is compiled.
//!
//! Invariants:
//! - What a reading asks is R4, and reading it again asks the same: links show the reading, and lead to the same matches.
//! - What cannot be read stays as it is, for R4's rules to refuse.

use std::borrow::Cow;

use fhir::outcome::{SPINE_CODES, quoted};
use fhir::{IssueType, Outcome};
use store::Filter;

use crate::compile::split_modifier;
use crate::nhs_number::{NHS_NUMBER, is_nhs_number};
use crate::parameter::Indexed;
use crate::refusal::Refusal;
use crate::registry::Registry;

/// Which spellings of a query are understood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// Those of R4.
    #[default]
    R4,
    /// Also those of the NHS in England: GP Connect, Booking and Referral (BaRS), the proxy and prescription APIs.
    Nhs,
}

/// A parameter as R4 says it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reading<'a> {
    pub(crate) name: Cow<'a, str>,
    pub(crate) value: Cow<'a, str>,
    /// What answers the parameter as well: one of all these is enough.
    pub(crate) also: Vec<(String, String)>,
}

impl<'a> Reading<'a> {
    fn plain(name: &'a str, value: &'a str) -> Reading<'a> {
        Reading { name: name.into(), value: value.into(), also: Vec::new() }
    }
}

impl Dialect {
    /// Reads a parameter of a search for these types.
    pub(crate) fn read<'a>(self, registry: &Registry, types: &[&str], name: &'a str, value: &'a str) -> Reading<'a> {
        match (self, name, types) {
            (Dialect::R4, ..) => Reading::plain(name, value),
            (Dialect::Nhs, "_include:recurse", _) => Reading::plain("_include:iterate", value),
            (Dialect::Nhs, "_revinclude:recurse", _) => Reading::plain("_revinclude:iterate", value),
            (Dialect::Nhs, "start", ["Appointment"]) => Reading::plain("date", value),
            (Dialect::Nhs, _, [resource_type]) => read_reference(registry, resource_type, name, value),
            (Dialect::Nhs, ..) => Reading::plain(name, value),
        }
    }
}

impl Dialect {
    /// Refuses a value with an NHS number that is none: a search for it would find nobody, and look like an answer.
    pub(crate) fn check(self, reading: &Reading<'_>) -> Result<(), Refusal> {
        if self == Dialect::R4 || !reading.value.contains(NHS_NUMBER) {
            return Ok(());
        }
        let numbers = reading.value.split(',').filter_map(|token| token.strip_prefix(NHS_NUMBER)?.strip_prefix('|'));
        match numbers.into_iter().find(|number| !number.is_empty() && !is_nhs_number(number)) {
            None => Ok(()),
            Some(number) => {
                let text = format!(
                    "parameter `{}` has the NHS number {}, which has not ten digits of which the last is right",
                    reading.name,
                    quoted(number)
                );
                Err(Refusal::Bad(Outcome::new(IssueType::BadValue, text).coded(SPINE_CODES, "INVALID_NHS_NUMBER")))
            }
        }
    }
}

impl Registry {
    /// The patients whom an id means that is an NHS number, where clients may write numbers for ids.
    pub fn patients_numbered(&self, id: &str) -> Option<Filter> {
        let is_number = self.dialect() == Dialect::Nhs && is_nhs_number(id);
        is_number.then(|| self.coded("Patient", "identifier", Some(NHS_NUMBER), id)).flatten()
    }
}

/// References: their names in capitals, and identifiers where R4 has ids.
fn read_reference<'a>(registry: &Registry, resource_type: &str, name: &'a str, value: &'a str) -> Reading<'a> {
    let Some(table) = registry.table(resource_type) else { return Reading::plain(name, value) };
    let reference = |code: &str| table.get(code).filter(|parameter| parameter.is_reference());
    let small = small_letter(name);
    let name = match small.split(['.', ':']).next() {
        Some(code) if small != name && reference(code).is_some() => small,
        _ => Cow::Borrowed(name),
    };
    if name.ends_with(":HealthcareService") {
        let also = vec![(format!("{name}.identifier"), value.to_owned())];
        return Reading { name, value: value.into(), also };
    }
    let (code, modifier) = split_modifier(&name);
    match (reference(code), modifier) {
        (Some(parameter), None | Some("Patient")) if parameter.leads_to("Patient") => {
            let also = numbers(value).map(|numbers| by_number(parameter, &numbers)).unwrap_or_default();
            Reading { name, value: value.into(), also }
        }
        (Some(parameter), Some("identifier")) if parameter.leads_to("Patient") => {
            let value = with_system(value);
            let also = match value.contains(NHS_NUMBER) {
                true => vec![(format!("{code}.identifier"), value.to_string())],
                false => Vec::new(),
            };
            Reading { name, value, also }
        }
        _ => Reading { name, value: value.into(), also: Vec::new() },
    }
}

/// `Schedule.actor` as `schedule.actor`.
fn small_letter(name: &str) -> Cow<'_, str> {
    match name.chars().next() {
        Some(first) if first.is_ascii_uppercase() => format!("{}{}", first.to_ascii_lowercase(), &name[1..]).into(),
        _ => name.into(),
    }
}

/// References that carry one of these identifiers, or lead to a patient who does.
fn by_number(parameter: &Indexed, numbers: &str) -> Vec<(String, String)> {
    let code = &*parameter.definition.code;
    vec![(format!("{code}:identifier"), numbers.to_owned()), (format!("{code}:Patient.identifier"), numbers.to_owned())]
}

/// The NHS numbers among references, as identifiers: `9434765919` and `Patient/9434765919`.
fn numbers(value: &str) -> Option<String> {
    let numbers = value.split(',').map(|value| value.strip_prefix("Patient/").unwrap_or(value));
    let numbers: Vec<_> = numbers.filter(|id| is_nhs_number(id)).map(|id| format!("{NHS_NUMBER}|{id}")).collect();
    (!numbers.is_empty()).then(|| numbers.join(","))
}

/// Identifiers, those that are bare NHS numbers with their system.
fn with_system(value: &str) -> Cow<'_, str> {
    if !value.split(',').any(is_nhs_number) {
        return value.into();
    }
    let completed = value.split(',').map(|token| match is_nhs_number(token) {
        true => format!("{NHS_NUMBER}|{token}").into(),
        false => Cow::Borrowed(token),
    });
    completed.collect::<Vec<_>>().join(",").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::registry;

    #[test]
    fn knows_nhs_numbers() {
        let cases = [
            ("9434765919", true),
            ("9000000009", true),
            ("4010232137", true),
            ("9434765918", false),
            // The check digit would be 10.
            ("1000000010", false),
            ("943476591", false),
            ("94347659190", false),
            ("943 476 59", false),
            ("943476591x", false),
            ("", false),
        ];
        for (text, expected) in cases {
            assert_eq!(is_nhs_number(text), expected, "{text}");
        }
    }

    #[test]
    fn reads_as_r4() {
        let number = "https://fhir.nhs.uk/Id/nhs-number|9434765919";
        let by_number = [("patient:identifier", number), ("patient:Patient.identifier", number)];
        /// Type searched, parameter as sent, as read, and what else answers it.
        type Case<'a> = (&'a str, (&'a str, &'a str), (&'a str, &'a str), &'a [(&'a str, &'a str)]);
        let cases: [Case<'_>; 14] = [
            ("Slot", ("_include:recurse", "Schedule:actor"), ("_include:iterate", "Schedule:actor"), &[]),
            ("Slot", ("_revinclude:recurse", "x"), ("_revinclude:iterate", "x"), &[]),
            ("Appointment", ("start", "ge2027"), ("date", "ge2027"), &[]),
            ("Slot", ("start", "ge2027"), ("start", "ge2027"), &[]),
            ("Slot", ("Schedule.active", "true"), ("schedule.active", "true"), &[]),
            ("Slot", ("Nothing.active", "true"), ("Nothing.active", "true"), &[]),
            ("Slot", ("Status", "free"), ("Status", "free"), &[]),
            (
                "Slot",
                ("Schedule.actor:HealthcareService", "s1"),
                ("schedule.actor:HealthcareService", "s1"),
                &[("schedule.actor:HealthcareService.identifier", "s1")],
            ),
            ("Task", ("patient", "9434765919"), ("patient", "9434765919"), &by_number),
            ("Task", ("patient", "ann,Patient/9434765919"), ("patient", "ann,Patient/9434765919"), &by_number),
            ("Task", ("patient", "9434765918"), ("patient", "9434765918"), &[]),
            ("Task", ("owner:Organization", "9434765919"), ("owner:Organization", "9434765919"), &[]),
            (
                "Task",
                ("patient:identifier", "9434765919"),
                ("patient:identifier", number),
                &[("patient.identifier", number)],
            ),
            ("Patient", ("identifier", "9434765919"), ("identifier", "9434765919"), &[]),
        ];
        for (resource_type, (name, value), (read_name, read_value), also) in cases {
            let read = |name, value| Dialect::Nhs.read(registry(), &[resource_type], name, value);
            let reading = read(name, value);
            assert_eq!((&*reading.name, &*reading.value), (read_name, read_value), "{name}={value}");
            let found: Vec<_> = reading.also.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            assert_eq!(found, also, "{name}={value}");
            assert_eq!(read(&reading.name, &reading.value), reading, "{name}={value} read again");
            let plain = Dialect::R4.read(registry(), &[resource_type], name, value);
            assert_eq!(plain, Reading::plain(name, value));
        }
    }
}
