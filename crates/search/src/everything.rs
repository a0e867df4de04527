//! Records as searches, <https://hl7.org/fhir/R4/patient-operation-everything.html>.

use fhir::Instant;
use store::Key;

use crate::compartment::{PATIENT, naming};
use crate::registry::Registry;
use crate::rules::Span;
use crate::{Criterion, Query, Total, include, row};

const GROUP: &str = "Group";

/// What of whose record is asked for.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "`whose` says it")]
pub struct Everything {
    pub whose: Whose,
    /// The types that match, of [`Registry::record_types`].
    pub matches: Vec<&'static str>,
    /// The types of which those come with the matches to which these refer.
    pub included: Vec<&'static str>,
    /// When the data are from, where they have a date: [`Registry::touching`].
    pub span: Option<Span>,
    /// Only matches whose current version was committed then or later.
    pub since: Option<Instant>,
}

/// Whose records.
#[derive(Clone, Debug)]
pub enum Whose {
    /// The one of this patient, who comes first.
    One(Key),
    /// Those of the Patients that satisfy this, in no particular order.
    Those(Criterion),
}

impl Registry {
    /// The Patients that are members of a Group, whether or not they still are.
    pub fn members(&self, group: &Key) -> Criterion {
        Criterion::Has {
            references: self.indexes(GROUP, "member").to_vec(),
            names: Vec::new(),
            target_type: PATIENT,
            source_type: GROUP,
            source: Box::new(Criterion::Filter(self.identity(group))),
        }
    }

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
        let each = asked.matches.iter().map(|name| matching(name, self.of_record(&asked.whose, name)));
        let criterion = Criterion::any(each.collect());
        let (first, total) = match &asked.whose {
            // One record is soon counted.
            Whose::One(patient) => (Some(self.identity(patient)), Total::Accurate),
            Whose::Those(_) => (None, Total::Estimate),
        };
        let first = first.filter(|_| asked.matches.contains(&PATIENT));
        let first = first.map(|patient| matching(PATIENT, Criterion::Filter(patient)));
        let includes = match asked.included.is_empty() {
            true => Vec::new(),
            false => vec![include::between(self, &asked.matches, &asked.included)],
        };
        Query { criterion, first, includes, total, ..Query::new(asked.matches) }
    }

    /// The resources of a type that are part of these records, but for the one Patient.
    fn of_record(&self, whose: &Whose, resource_type: &'static str) -> Criterion {
        match (whose, resource_type) {
            (Whose::One(patient), PATIENT) => Criterion::all(vec![
                naming(patient.clone(), PATIENT, self.compartment_indexes(PATIENT, PATIENT)),
                Criterion::Filter(self.identity(patient).not()),
            ]),
            (Whose::One(patient), _) => {
                naming(patient.clone(), resource_type, self.patient_indexes(resource_type).to_vec())
            }
            (Whose::Those(patients), PATIENT) => patients.clone(),
            (Whose::Those(patients), _) => Criterion::Chain {
                references: self.patient_indexes(resource_type).to_vec(),
                names: Vec::new(),
                target_types: vec![PATIENT],
                target: Box::new(Criterion::all(vec![Criterion::Filter(row::of_type(PATIENT)), patients.clone()])),
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
        let ann = Key::parse("Patient/ann").expect("a key");
        let matches: Vec<_> = registry().record_types().collect();
        for name in ["Patient", "Observation", "Task", "AuditEvent", "Device"] {
            assert!(matches.contains(&name), "{name}");
        }
        for name in ["Practitioner", "Slot", "Binary", "Medication"] {
            assert!(!matches.contains(&name), "{name}");
        }
        let included = vec!["Practitioner", "Questionnaire"];
        let query =
            registry().everything(Everything { whose: Whose::One(ann), matches, included, span: None, since: None });
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
