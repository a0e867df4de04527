//! Whose records a search asks about, whatever it finds.

use std::collections::BTreeSet;
use std::ops::Bound;

use store::{Filter, Key};

use crate::compartment::PATIENT;
use crate::{Criterion, Name, Query, Registry};

/// The patients whom a query names, also in a chain; not those whom what is found must not name, as in `_filter=patient ne p1`.
#[derive(Debug, Default)]
pub struct Asked {
    /// By a reference, as `patient=p1` does, by the compartment, or by `_id`.
    pub patients: BTreeSet<Key>,
    /// By `identifier`: what each of them satisfies.
    pub identified: Vec<Filter>,
}

impl Registry {
    /// See [`Asked`].
    pub fn patients_asked(&self, query: &Query) -> Asked {
        let mut asked = Asked::default();
        self.add_asked(&query.criterion, &mut asked);
        asked
    }

    fn add_asked(&self, criterion: &Criterion, asked: &mut Asked) {
        match criterion {
            Criterion::All(parts) | Criterion::Any(parts) => {
                parts.iter().for_each(|part| self.add_asked(part, asked));
            }
            Criterion::Named(named) => match &named.name {
                Name::Key(key) if key.collection() == PATIENT && !named.is_unequal => {
                    asked.patients.insert(key.clone());
                }
                Name::Id { id, types } if types.contains(&PATIENT) && !named.is_unequal => {
                    asked.patients.extend(Key::new(PATIENT, id));
                }
                _ => {}
            },
            Criterion::Filter(filter) => self.add_identified(filter, asked),
            Criterion::Chain { target, .. } => self.add_asked(target, asked),
            Criterion::Has { source, .. } => self.add_asked(source, asked),
            Criterion::Not(_) | Criterion::Terms(_) => {}
        }
    }

    fn add_identified(&self, filter: &Filter, asked: &mut Asked) {
        match filter {
            Filter::All(parts) | Filter::Any(parts) => {
                parts.iter().for_each(|part| self.add_identified(part, asked));
            }
            Filter::Match(wanted) if wanted.index == self.id_index(PATIENT) => {
                asked.patients.extend(wanted.range.one_value().and_then(of_id_value));
            }
            Filter::OneOf { index, values } if *index == self.id_index(PATIENT) => {
                asked.patients.extend(values.iter().filter_map(|value| of_id_value(value)));
            }
            // A value, with its system or whatever that is; not all that have one.
            Filter::Match(wanted)
                if self.indexes(PATIENT, "identifier").contains(&wanted.index)
                    && wanted.range.low != Bound::Unbounded =>
            {
                asked.identified.push(filter.clone());
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
        let asked = registry().patients_asked(&query);
        let identified = asked.identified.iter().map(|_| "identified".to_owned());
        asked.patients.iter().map(ToString::to_string).chain(identified).collect::<Vec<_>>().join(" ")
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
            ("Patient", "identifier=urn:x|1&_has:Condition:patient:code=x", "identified"),
            ("Condition", "patient.identifier=urn:x|1,2", "identified identified"),
            ("Condition", "identifier=urn:x|1", ""),
            ("Patient", "identifier:not=urn:x|1", ""),
            ("Patient", "identifier:missing=false", ""),
            ("Patient", "identifier=urn:x|", ""),
            ("Patient", "identifier=1", "identified"),
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
