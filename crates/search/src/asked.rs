//! Whose records a search asks about, whatever it finds.

use std::collections::BTreeSet;

use store::{Filter, Key};

use crate::compartment::PATIENT;
use crate::{Criterion, Name, Query, Registry};

impl Registry {
    /// The patients whom a query names: by a reference, as `patient=p1` does, by the compartment, or by `_id`; also in a chain. Not those whom
    /// what is found must not name, as in `_filter=patient ne p1`.
    pub fn patients_asked(&self, query: &Query) -> BTreeSet<Key> {
        let mut patients = BTreeSet::new();
        self.add_asked(&query.criterion, &mut patients);
        patients
    }

    fn add_asked(&self, criterion: &Criterion, patients: &mut BTreeSet<Key>) {
        match criterion {
            Criterion::All(parts) | Criterion::Any(parts) => {
                parts.iter().for_each(|part| self.add_asked(part, patients));
            }
            Criterion::Named(named) => match &named.name {
                Name::Key(key) if key.collection() == PATIENT && !named.is_unequal => {
                    patients.insert(key.clone());
                }
                Name::Id { id, types } if types.contains(&PATIENT) && !named.is_unequal => {
                    patients.extend(Key::new(PATIENT, id));
                }
                _ => {}
            },
            Criterion::Filter(filter) => self.add_identified(filter, patients),
            Criterion::Chain { target, .. } => self.add_asked(target, patients),
            Criterion::Has { source, .. } => self.add_asked(source, patients),
            Criterion::Not(_) | Criterion::Terms(_) => {}
        }
    }

    fn add_identified(&self, filter: &Filter, patients: &mut BTreeSet<Key>) {
        match filter {
            Filter::All(parts) | Filter::Any(parts) => {
                parts.iter().for_each(|part| self.add_identified(part, patients));
            }
            Filter::Match(wanted) if wanted.index == self.id_index(PATIENT) => {
                patients.extend(wanted.range.one_value().and_then(of_id_value));
            }
            Filter::OneOf { index, values } if *index == self.id_index(PATIENT) => {
                patients.extend(values.iter().filter_map(|value| of_id_value(value)));
            }
            _ => {}
        }
    }
}

/// The patient with the id of a row, which ends where its first part does.
fn of_id_value(value: &[u8]) -> Option<Key> {
    let id = value.split(|byte| *byte == 0).next()?;
    Key::new(PATIENT, std::str::from_utf8(id).ok()?)
}

#[cfg(test)]
mod tests {
    use fhir::Definitions;

    use crate::testing::{NOW, registry};
    use crate::{Compartment, Handling, Scope};

    fn asked(scope: &Scope, text: &str) -> String {
        let parameters = crate::parse_query_string(text).expect("a query");
        let query = registry().query(scope, &parameters, Handling::Strict, NOW).expect(text);
        registry().patients_asked(&query).iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn knows_whose_record_is_asked_about() {
        for (resource_type, text, expected) in [
            ("Condition", "code=x", ""),
            ("Condition", "patient=p1&code=x", "Patient/p1"),
            ("Condition", "patient=Patient/p1,p2", "Patient/p1 Patient/p2"),
            ("Condition", "subject:Patient=p1", "Patient/p1"),
            ("Observation", "subject=p1", "Patient/p1"),
            ("Observation", "patient=https://flint.example/fhir/Patient/p1", "Patient/p1"),
            ("Condition", "_filter=patient ne Patient/p1", ""),
            ("Condition", "asserter=Practitioner/dr1", ""),
            ("Condition", "patient._id=p1", "Patient/p1"),
            ("Patient", "_id=p1&_has:Condition:patient:code=x", "Patient/p1"),
            ("Patient", "_id=p1,p2,p3", "Patient/p1 Patient/p2 Patient/p3"),
            ("Patient", "_has:Condition:patient:subject=Patient/p1", "Patient/p1"),
            ("Encounter", "_id=p1", ""),
        ] {
            let scope = Scope { resource_type: Definitions::r4().resource_type(resource_type), compartment: None };
            assert_eq!(asked(&scope, text), expected, "{resource_type}?{text}");
        }
        let compartment = Some(Compartment { code: "Patient", id: "p1".to_owned() });
        let scope = Scope { resource_type: Definitions::r4().resource_type("Condition"), compartment };
        assert_eq!(asked(&scope, "code=x"), "Patient/p1");
    }
}
