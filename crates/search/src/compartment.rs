//! Compartments as filters, <https://hl7.org/fhir/R4/compartmentdefinition.html>.

use std::ops::Bound;

use fhir::definitions::SearchKind;
use fhir::{IssueType, Outcome};
use store::{Filter, Index, Key, Match, Range, Test};

use crate::parameter::{Definition, identity, local_value};
use crate::registry::Registry;
use crate::row;
use crate::{Compartment, Criterion, Name, Named};

/// Whether resources of a type can be in the compartment.
pub(crate) fn has_type(registry: &Registry, compartment: &Compartment, resource_type: &str) -> bool {
    resource_type == compartment.code || !codes(registry, compartment.code, resource_type).is_empty()
}

/// The resources of a type that are in the compartment: those with a reference to it, and what it is named for.
pub(crate) fn criterion(
    registry: &Registry,
    compartment: &Compartment,
    resource_type: &'static str,
) -> Result<Criterion, Outcome> {
    if !has_type(registry, compartment, resource_type) {
        let text = format!("{resource_type} is not in the {} compartment", compartment.code);
        return Err(Outcome::new(IssueType::NotFound, text));
    }
    let indexes = registry.compartment_indexes(compartment.code, resource_type);
    let naming = match Key::new(compartment.code, &compartment.id) {
        Some(key) => naming(key, resource_type, indexes),
        None => {
            let value = local_value(compartment.code, &compartment.id);
            let equal = indexes.iter().map(|index| Filter::equal(*index, value.clone()));
            Criterion::Filter(row::any(equal.collect()))
        }
    };
    let itself = (resource_type == compartment.code)
        .then(|| Criterion::Filter(identity(row::parameter_index(resource_type, "_id"), &compartment.id)));
    Ok(Criterion::any([naming].into_iter().chain(itself).collect()))
}

/// The resources of a type with a reference to this one in one of the indexes.
pub(crate) fn naming(key: Key, resource_type: &'static str, indexes: Vec<Index>) -> Criterion {
    let equal = indexes.iter().map(|index| Filter::equal(*index, key.to_link()));
    let filter = row::any(equal.collect());
    Criterion::Named(Box::new(Named { name: Name::Key(key), resource_type, indexes, filter, is_unequal: false }))
}

/// The codes of the parameters that put a type into the compartment.
pub(crate) fn codes<'r>(registry: &'r Registry, compartment: &str, resource_type: &str) -> &'r [&'static str] {
    let definitions = registry.site().definitions;
    let definition = definitions.compartments().iter().find(|definition| definition.code == compartment);
    let members = definition.into_iter().flat_map(|definition| &definition.members);
    members.filter(|(name, _)| *name == resource_type).map(|(_, codes)| codes.as_slice()).next().unwrap_or_default()
}

/// The type of those whom records are about.
pub(crate) const PATIENT: &str = "Patient";

/// Parameters that name the patient a resource is about, also where R4's compartment leaves the type out, as it does with Task.
const SUBJECTS: [&str; 2] = ["patient", "subject"];

/// The indexes whose rows name the patients that resources of a type are about: those of the Patient compartment, `patient` and `subject`.
/// Nothing but its id says so of a Patient.
pub(crate) fn patient_indexes(registry: &Registry, resource_type: &str) -> Vec<Index> {
    if resource_type == PATIENT {
        return Vec::new();
    }
    let codes = codes(registry, PATIENT, resource_type).iter().filter(|code| **code != "{def}");
    let codes = codes.map(|code| row::parameter_index(resource_type, code));
    let mut indexes: Vec<_> = codes.chain(subjects(registry, resource_type)).collect();
    indexes.sort_unstable();
    indexes.dedup();
    indexes
}

/// The indexes of those of [`SUBJECTS`] that a type has.
fn subjects<'r>(registry: &'r Registry, resource_type: &str) -> impl Iterator<Item = Index> + use<'r> {
    let table = registry.table(resource_type);
    let parameters = SUBJECTS.iter().filter_map(move |code| table?.get(code));
    let names_patients = |of: &Definition| of.kind == SearchKind::Reference && of.targets.contains(&PATIENT);
    parameters.filter(move |parameter| names_patients(&parameter.definition)).map(|parameter| parameter.index)
}

/// The resources of a type that are about a patient.
pub(crate) fn about(registry: &Registry, patient: &Key, resource_type: &str) -> Filter {
    if resource_type == patient.collection() {
        return registry.identity(patient);
    }
    let indexes = registry.patient_indexes(resource_type).iter();
    row::any(indexes.map(|index| Filter::equal(*index, patient.to_link())).collect())
}

/// The resources of a type that are about any patient.
pub(crate) fn about_anybody(registry: &Registry, resource_type: &str) -> Filter {
    let named = registry.patient_indexes(resource_type).iter().map(|index| patients(*index, Range::full()));
    row::any(named.collect())
}

/// Those with a row that names a patient in this range.
fn patients(index: Index, range: Range) -> Filter {
    Filter::Match(Match { index, range, test: Some(Test::Contains { skip: 0, needle: b"\0Patient".to_vec() }) })
}

/// The resources of a type that are about another patient as well, or whose subject is not this one.
pub(crate) fn about_another(registry: &Registry, patient: &Key, resource_type: &str) -> Filter {
    if resource_type == patient.collection() {
        return registry.identity(patient).not();
    }
    let link = patient.to_link();
    // Beside it stand references to its versions: the link, 0 and the version.
    let after = [link.as_slice(), &[1]].concat();
    let mut filters = Vec::new();
    for index in registry.patient_indexes(resource_type).iter().copied() {
        filters.push(patients(index, Range { low: Bound::Unbounded, high: Bound::Excluded(link.clone()) }));
        filters.push(patients(index, Range { low: Bound::Included(after.clone()), high: Bound::Unbounded }));
    }
    let subject = subjects(registry, resource_type).next();
    filters.extend(subject.map(|subject| Filter::equal(subject, link).not()));
    row::any(filters)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{registry, rows};
    use crate::{Handling, Scope};

    fn accepts(
        resource_type: Option<&'static str>,
        compartment: (&'static str, &str),
        resource: &str,
    ) -> Result<bool, String> {
        let compartment = Compartment { code: compartment.0, id: compartment.1.to_owned() };
        let scope = Scope { resource_type, compartment: Some(compartment) };
        let query = registry()
            .query(&scope, &[], Handling::Strict, crate::testing::NOW)
            .map_err(|outcome| outcome.to_string())?;
        let filter = query.criterion.of_rows().expect("no join");
        Ok(filter.accepts(&rows(resource)))
    }

    #[test]
    fn holds_what_refers_to_it_and_itself() {
        let observation = r#"{"resourceType":"Observation","id":"o","status":"final","code":{"text":"x"},"performer":[{"reference":"Patient/ann"}]}"#;
        let patient = r#"{"resourceType":"Patient","id":"ann"}"#;
        let linked =
            r#"{"resourceType":"Patient","id":"bob","link":[{"type":"seealso","other":{"reference":"Patient/ann"}}]}"#;
        let encounter = r#"{"resourceType":"Encounter","id":"e","status":"planned","class":{"code":"AMB"}}"#;
        let cases = [
            (Some("Observation"), ("Patient", "ann"), observation, true),
            (Some("Observation"), ("Patient", "bob"), observation, false),
            (Some("Observation"), ("Practitioner", "ann"), observation, false),
            (None, ("Patient", "ann"), observation, true),
            (None, ("Patient", "ann"), patient, true),
            (None, ("Patient", "bob"), patient, false),
            (Some("Patient"), ("Patient", "ann"), linked, true),
            (Some("Encounter"), ("Encounter", "e"), encounter, true),
            (Some("Encounter"), ("Encounter", "f"), encounter, false),
            (None, ("Encounter", "e"), patient, false),
        ];
        for (resource_type, compartment, resource, expected) in cases {
            assert_eq!(accepts(resource_type, compartment, resource), Ok(expected), "{compartment:?} {resource}");
        }
        let refused = accepts(Some("Slot"), ("Patient", "ann"), patient).expect_err("refused");
        assert!(refused.contains("Slot is not in the Patient compartment"), "{refused}");
    }

    #[test]
    fn knows_whom_resources_are_about() {
        let ann = Key::parse("Patient/ann").expect("a key");
        // A resource, whether it is about Ann, and whether it is about somebody else.
        let cases = [
            (r#"{"resourceType":"Patient","id":"ann"}"#, true, false),
            (
                r#"{"resourceType":"Patient","id":"bob","link":[{"type":"seealso","other":{"reference":"Patient/ann"}}]}"#,
                false,
                true,
            ),
            (r#"{"resourceType":"Observation","id":"1","subject":{"reference":"Patient/ann"}}"#, true, false),
            (
                r#"{"resourceType":"Observation","id":"1","subject":{"reference":"https://flint.example/fhir/Patient/ann"}}"#,
                true,
                false,
            ),
            (
                r#"{"resourceType":"Observation","id":"1","subject":{"reference":"Patient/ann"},"performer":[{"reference":"Practitioner/x"}]}"#,
                true,
                false,
            ),
            (
                r#"{"resourceType":"Observation","id":"1","subject":{"reference":"Patient/bob"},"performer":[{"reference":"Patient/ann"}]}"#,
                true,
                true,
            ),
            (
                r#"{"resourceType":"Observation","id":"1","subject":{"identifier":{"value":"1"}},"performer":[{"reference":"Patient/ann"}]}"#,
                true,
                true,
            ),
            (
                r#"{"resourceType":"Observation","id":"1","subject":{"reference":"Patient/ann"},"performer":[{"reference":"Patient/bob"}]}"#,
                true,
                true,
            ),
            (r#"{"resourceType":"Observation","id":"1","subject":{"reference":"Patient/anna"}}"#, false, true),
            (r#"{"resourceType":"Observation","id":"1","subject":{"reference":"Location/ann"}}"#, false, true),
            (
                r#"{"resourceType":"Task","id":"1","for":{"reference":"Patient/ann"},"requester":{"reference":"Patient/ann"}}"#,
                true,
                false,
            ),
            (r#"{"resourceType":"Task","id":"1","requester":{"reference":"Patient/ann"}}"#, false, true),
            (r#"{"resourceType":"Slot","id":"1"}"#, false, false),
        ];
        for (resource, about, another) in cases {
            let resource_type = resource.split('"').nth(3).expect("a type");
            let rows = rows(resource);
            assert_eq!(super::about(registry(), &ann, resource_type).accepts(&rows), about, "{resource}");
            assert_eq!(about_another(registry(), &ann, resource_type).accepts(&rows), another, "{resource}");
        }
    }
}
