//! Resources that others name by a canonical URL, <https://hl7.org/fhir/R4/references.html#canonical>.
//!
//! `url` names every version of a resource that this server holds, and `url|1.0` the one with that business version: chains, `_has` and
//! includes follow the same rule. The index of names of a type holds, for each resource, the very values that rows of references to it
//! have, so that to follow a canonical is to look for an equal value.

use fhir::fhirpath::ElementNode;
use store::Index;

use crate::parameter::{Site, push_reference};
use crate::registry::Registry;
use crate::row::{Rows, name_index};

/// Adds the names of a resource.
pub(crate) fn rows(site: Site<'_>, resource: ElementNode<'_>, rows: &mut Rows) {
    if !has_names(site, resource.structure.name) {
        return;
    }
    let Some(node) = resource.value else { return };
    let text = |name| node.get(name).and_then(|value| value.as_str());
    let Some(url) = text("url") else { return };
    let index = name_index(resource.structure.name);
    push_reference(site, &url, index, rows);
    if let Some(version) = text("version") {
        push_reference(site, &format!("{url}|{version}"), index, rows);
    }
}

/// The index of the names that resources of a type have; `None` when they have none.
pub(crate) fn name(registry: &Registry, resource_type: &str) -> Option<Index> {
    has_names(registry.site(), resource_type).then(|| name_index(resource_type))
}

/// The indexes of the names of those of these types that have any.
pub(crate) fn names(registry: &Registry, resource_types: impl IntoIterator<Item = &'static str>) -> Vec<Index> {
    resource_types.into_iter().filter_map(|resource_type| name(registry, resource_type)).collect()
}

/// Whether a type is one of those known by a canonical URL: `url`, `version` and `status` tell them. (The `url` of a Device is the
/// address at which it is reached.)
fn has_names(site: Site<'_>, resource_type: &str) -> bool {
    let Some(structure) = site.definitions.structure(resource_type) else { return false };
    let has = |name, code| {
        let element = structure.element(name).filter(|element| element.max == Some(1));
        element.is_some_and(|element| element.types.iter().any(|found| found.code == code))
    };
    has("url", "uri") && has("version", "string") && has("status", "code")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::parameter_index;
    use crate::testing::{registry, rows};

    #[test]
    fn names_are_what_references_hold() {
        let questionnaire = |url: &str, version: &str| {
            format!(r#"{{"resourceType":"Questionnaire","id":"q","status":"draft","url":"{url}"{version}}}"#)
        };
        let response = |canonical: &str| {
            format!(
                r#"{{"resourceType":"QuestionnaireResponse","id":"r","status":"completed","questionnaire":"{canonical}"}}"#
            )
        };
        let cases = [
            ("http://a.example/q", "", "http://a.example/q", true),
            ("http://a.example/q", "", "http://a.example/q|1", false),
            ("http://a.example/q", r#","version":"1.0-A""#, "http://a.example/q|1.0-A", true),
            ("http://a.example/q", r#","version":"1.0-A""#, "http://a.example/q|1.0-a", false),
            ("http://a.example/q", r#","version":"1.0-A""#, "http://a.example/q", true),
            (
                "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0",
                "",
                "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0",
                true,
            ),
            ("https://flint.example/fhir/Questionnaire/q9", "", "https://flint.example/fhir/Questionnaire/q9", true),
            ("http://a.example/q", "", "http://a.example/Q", false),
        ];
        for (url, version, canonical, expected) in cases {
            let values = |rows: Vec<store::Row>, index: Index| {
                rows.into_iter().filter(|row| row.index == index).map(|row| row.value).collect::<Vec<_>>()
            };
            let names = values(rows(&questionnaire(url, version)), name_index("Questionnaire"));
            let held = values(rows(&response(canonical)), parameter_index("QuestionnaireResponse", "questionnaire"));
            assert_eq!(held.len(), 1);
            assert_eq!(names.contains(&held[0]), expected, "{url} {version} {canonical}");
        }
    }

    #[test]
    fn only_some_types_have_names() {
        let types = ["Patient", "Questionnaire", "Subscription", "ValueSet", "Device", "DeviceDefinition"];
        assert_eq!(names(registry(), types), ["Questionnaire", "ValueSet"].map(name_index));
    }
}
