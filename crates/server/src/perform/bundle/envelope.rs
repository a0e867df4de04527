//! What surrounds the resources of a batch or transaction: nothing that was meant to have an effect is lost.

use fhir::definitions::Structure;
use fhir::json::{Kind, Node};
use fhir::{Definitions, IssueType, Outcome};

/// Refuses a Bundle with members that R4 does not have, or whose entries are no array. The entries themselves are not looked at.
pub(crate) fn check_bundle(bundle: Node<'_>, definitions: &Definitions) -> Result<(), Outcome> {
    check_names(bundle, definitions.structure("Bundle"), "Bundle")?;
    match bundle.get("entry") {
        Some(entry) if entry.kind() != Kind::Array => {
            Err(Outcome::new(IssueType::Structure, "the entries must be an array").at("Bundle.entry"))
        }
        _ => Ok(()),
    }
}

/// Refuses an entry, or a request of one, with members that R4 does not have or, where they steer, are no strings.
pub(super) fn check_entry(entry: Node<'_>, definitions: &Definitions) -> Result<(), Outcome> {
    check_names(entry, definitions.structure("Bundle.entry"), "Bundle.entry")?;
    check_string(entry, "fullUrl", "Bundle.entry")?;
    let Some(request) = entry.get("request") else { return Ok(()) };
    check_names(request, definitions.structure("Bundle.entry.request"), "Bundle.entry.request")?;
    STEERING.iter().try_for_each(|name| check_string(request, name, "Bundle.entry.request"))
}

const STEERING: [&str; 6] = ["method", "url", "ifNoneMatch", "ifModifiedSince", "ifMatch", "ifNoneExist"];

fn check_names(node: Node<'_>, structure: Option<&'static Structure>, place: &str) -> Result<(), Outcome> {
    if node.kind() != Kind::Object {
        return Err(Outcome::new(IssueType::Structure, "an object must stand here").at(place));
    }
    let is_known = |name: &str| {
        let element = name.strip_prefix('_').unwrap_or(name);
        name == "resourceType" || structure.is_none_or(|structure| structure.member(element).is_some())
    };
    match node.members().find(|(name, _)| !is_known(name)) {
        None => Ok(()),
        Some((name, _)) => {
            let text = format!("`{name}` is not an element of {place}");
            Err(Outcome::new(IssueType::Structure, text).at(format!("{place}.{name}")))
        }
    }
}

fn check_string(node: Node<'_>, name: &str, place: &str) -> Result<(), Outcome> {
    match node.get(name) {
        Some(value) if value.kind() != Kind::String => {
            Err(Outcome::new(IssueType::Structure, format!("{name} must be a string")).at(format!("{place}.{name}")))
        }
        _ => Ok(()),
    }
}
