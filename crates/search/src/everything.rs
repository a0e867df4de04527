//! Records as searches, <https://hl7.org/fhir/R4/patient-operation-everything.html>.

use fhir::Instant;
use store::Key;

use crate::compartment::{PATIENT, naming};
use crate::registry::Registry;
use crate::rules::Span;
use crate::{Criterion, Query, Total, include, row};

/// What of whose record is asked for.
#[derive(Clone, Debug)]
pub struct Everything {
    /// Whose; `None` for everybody's.
    pub patient: Option<Key>,
    /// The types that match, of [`Registry::record_types`].
    pub matches: Vec<&'static str>,
    /// The types of which those come with the matches to which these refer.
    pub included: Vec<&'static str>,
    /// When the data are from, where they have a date: [`Registry::touching`].
    pub span: Option<Span>,
    /// Only matches whose current version was committed then or later.
    pub since: Option<Instant>,
}

impl Registry {
    /// The types that can be part of a patient's record: those of R4's Patient compartment, and those that this leaves out although they name a
    /// patient as `patient` or `subject`, as Task does.
    pub fn record_types(&self) -> impl Iterator<Item = &'static str> {
        let types = self.resource_types().iter().copied();
        types.filter(|name| *name == PATIENT || !self.patient_indexes(name).is_empty())
    }

    /// The search that finds a record: the Patient first, then what is about the patient, each once over all pages, and on each page what its
    /// matches refer to.
    pub fn everything(&self, asked: Everything) -> Query {
        let matching = |name: &'static str, which: Criterion| {
            let mut criteria = vec![Criterion::Filter(row::of_type(name)), which];
            criteria.extend(asked.span.and_then(|span| self.touching(name, span)).map(Criterion::Filter));
            let since = asked.since.map(|since| self.committed(name, (since, Instant(i64::MAX))));
            criteria.extend(since.map(Criterion::Filter));
            Criterion::all(criteria)
        };
        let patient = asked.patient.as_ref();
        let each = asked.matches.iter().map(|name| matching(name, self.of_record(patient, name)));
        let criterion = Criterion::any(each.collect());
        let first = patient.filter(|_| asked.matches.contains(&PATIENT));
        let first = first.map(|patient| matching(PATIENT, Criterion::Filter(self.identity(patient))));
        let includes = match asked.included.is_empty() {
            true => Vec::new(),
            false => vec![include::between(self, &asked.matches, &asked.included)],
        };
        // One record is soon counted.
        let total = if patient.is_some() { Total::Accurate } else { Total::Estimate };
        Query { criterion, first, includes, total, ..Query::new(asked.matches) }
    }

    /// The resources of a type that are part of a patient's record, but for the Patient, or of anybody's.
    fn of_record(&self, patient: Option<&Key>, resource_type: &'static str) -> Criterion {
        let patients = || Criterion::Filter(row::of_type(PATIENT));
        match (patient, resource_type) {
            (Some(patient), PATIENT) => Criterion::all(vec![
                naming(patient.clone(), PATIENT, self.compartment_indexes(PATIENT, PATIENT)),
                Criterion::Filter(self.identity(patient).not()),
            ]),
            (Some(patient), _) => naming(patient.clone(), resource_type, self.patient_indexes(resource_type).to_vec()),
            (None, PATIENT) => patients(),
            (None, _) => Criterion::Chain {
                references: self.patient_indexes(resource_type).to_vec(),
                names: Vec::new(),
                target_types: vec![PATIENT],
                target: Box::new(patients()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{registry, rows};

    const ANN: &str = r#"{"resourceType":"Patient","id":"ann"}"#;

    #[test]
    fn a_record_is_what_is_about_the_patient() {
        let ann = Key::parse("Patient/ann");
        let matches: Vec<_> = registry().record_types().collect();
        for name in ["Patient", "Observation", "Task", "AuditEvent", "Device"] {
            assert!(matches.contains(&name), "{name}");
        }
        for name in ["Practitioner", "Slot", "Binary", "Medication"] {
            assert!(!matches.contains(&name), "{name}");
        }
        let included = vec!["Practitioner", "Questionnaire"];
        let query = registry().everything(Everything { patient: ann, matches, included, span: None, since: None });
        assert_eq!(query.first.clone().and_then(Criterion::of_rows).map(|first| first.accepts(&rows(ANN))), Some(true));
        let [include] = &query.includes[..] else { panic!("{:?}", query.includes) };
        assert!(include.leads_to("Practitioner") && !include.leads_to("Location"));
        assert_eq!(include.names.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["Questionnaire"]);
        let filter = query.criterion.of_rows().expect("no join");
        for (resource, expected) in [
            (ANN, false),
            (
                r#"{"resourceType":"Patient","id":"ann","link":[{"other":{"reference":"Patient/ann"},"type":"refer"}]}"#,
                false,
            ),
            (
                r#"{"resourceType":"Patient","id":"bob","link":[{"other":{"reference":"Patient/ann"},"type":"refer"}]}"#,
                true,
            ),
            (r#"{"resourceType":"Patient","id":"bob"}"#, false),
            (r#"{"resourceType":"Observation","id":"1","subject":{"reference":"Patient/ann"}}"#, true),
            (r#"{"resourceType":"Observation","id":"1","subject":{"reference":"Patient/bob"}}"#, false),
            (r#"{"resourceType":"Task","id":"1","for":{"reference":"Patient/ann"}}"#, true),
            (r#"{"resourceType":"Practitioner","id":"ann"}"#, false),
        ] {
            assert_eq!(filter.accepts(&rows(resource)), expected, "{resource}");
        }
    }
}
