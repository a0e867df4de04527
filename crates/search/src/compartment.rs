//! Compartments as filters, <https://hl7.org/fhir/R4/compartmentdefinition.html>.

use fhir::{IssueType, Outcome};
use store::Filter;

use crate::Compartment;
use crate::parameter::{identity, local_value};
use crate::registry::Registry;
use crate::row;

/// Whether resources of a type can be in the compartment.
pub(crate) fn has_type(registry: &Registry, compartment: &Compartment, resource_type: &str) -> bool {
    resource_type == compartment.code || !codes(registry, compartment.code, resource_type).is_empty()
}

/// The resources of a type that are in the compartment: those with a reference to it, and what it is named for.
pub(crate) fn filter(registry: &Registry, compartment: &Compartment, resource_type: &str) -> Result<Filter, Outcome> {
    if !has_type(registry, compartment, resource_type) {
        let text = format!("{resource_type} is not in the {} compartment", compartment.code);
        return Err(Outcome::new(IssueType::NotFound, text));
    }
    let value = local_value(compartment.code, &compartment.id);
    let codes = codes(registry, compartment.code, resource_type).iter().filter(|code| **code != "{def}");
    let mut filters: Vec<_> =
        codes.map(|code| Filter::equal(row::parameter_index(resource_type, code), value.clone())).collect();
    if resource_type == compartment.code {
        filters.push(identity(row::parameter_index(resource_type, "_id"), &compartment.id));
    }
    Ok(row::any(filters))
}

/// The codes of the parameters that put a type into the compartment.
pub(crate) fn codes<'r>(registry: &'r Registry, compartment: &str, resource_type: &str) -> &'r [&'static str] {
    let definitions = registry.site().definitions;
    let definition = definitions.compartments().iter().find(|definition| definition.code == compartment);
    let members = definition.into_iter().flat_map(|definition| &definition.members);
    members.filter(|(name, _)| *name == resource_type).map(|(_, codes)| codes.as_slice()).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{registry, rows};
    use crate::{Criterion, Handling, Scope};

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
        let Criterion::Filter(filter) = query.criterion else { panic!("a join") };
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
}
