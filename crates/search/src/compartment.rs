//! Compartments as filters, <https://hl7.org/fhir/R4/compartmentdefinition.html>.

use fhir::{IssueType, Outcome};
use store::Filter;

use crate::Compartment;
use crate::parameter::{identity, local_value};
use crate::registry::Registry;
use crate::row;

/// Whether resources of a type can be in the compartment.
pub(crate) fn has_type(registry: &Registry, compartment: &Compartment, resource_type: &str) -> bool {
    resource_type == compartment.code || !parameters(registry, compartment, resource_type).is_empty()
}

/// The resources of a type that are in the compartment: those with a reference to it, and what it is named for.
pub(crate) fn filter(registry: &Registry, compartment: &Compartment, resource_type: &str) -> Result<Filter, Outcome> {
    if !has_type(registry, compartment, resource_type) {
        let text = format!("{resource_type} is not in the {} compartment", compartment.code);
        return Err(Outcome::new(IssueType::NotFound, text));
    }
    let value = local_value(compartment.code, &compartment.id);
    let codes = parameters(registry, compartment, resource_type).iter().filter(|code| **code != "{def}");
    let mut filters: Vec<_> =
        codes.map(|code| Filter::equal(row::parameter_index(resource_type, code), value.clone())).collect();
    if resource_type == compartment.code {
        filters.push(identity(row::parameter_index(resource_type, "_id"), &compartment.id));
    }
    Ok(row::any(filters))
}

/// The codes of the parameters that put a type into the compartment.
fn parameters<'r>(registry: &'r Registry, compartment: &Compartment, resource_type: &str) -> &'r [&'static str] {
    let definitions = registry.site().definitions;
    let definition = definitions.compartments().iter().find(|definition| definition.code == compartment.code);
    let members = definition.into_iter().flat_map(|definition| &definition.members);
    members.filter(|(name, _)| *name == resource_type).map(|(_, codes)| codes.as_slice()).next().unwrap_or_default()
}
