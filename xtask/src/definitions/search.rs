//! Search parameters and compartments.

use serde_json::Value;

use super::package::{Package, items, text, texts};
use super::{Failure, line};

/// Parameters on `Reference(Any)` list every resource type but Parameters; the table says `*`.
const TARGETS_OF_ANY: usize = 145;

/// One line for each search parameter, in the order of code and url, its components indented below it.
pub(crate) fn parameters(package: &Package) -> Result<String, Failure> {
    let mut parameters = package.resources("SearchParameter")?;
    parameters.retain(is_served);
    parameters.sort_by(|a, b| (text(a, "code"), text(a, "url")).cmp(&(text(b, "code"), text(b, "url"))));
    let mut table = String::new();
    for parameter in &parameters {
        let targets = texts(parameter, "target");
        let fields = [
            text(parameter, "code"),
            text(parameter, "type"),
            &texts(parameter, "base").join(" "),
            text(parameter, "url"),
            text(parameter, "expression"),
            &if targets.len() == TARGETS_OF_ANY { "*".to_owned() } else { targets.join(" ") },
            &description(text(parameter, "description")),
        ];
        line(&mut table, &fields)?;
        for component in items(parameter, "component") {
            line(&mut table, &["", text(component, "definition"), text(component, "expression")])?;
        }
    }
    Ok(table)
}

/// Leaves out the examples of SearchParameter itself, and the drafts that say not where they look: those on extensions that
/// name no base or no expression. The parameters of every resource (`_text`, `_content`, ..) have no expression by their nature.
fn is_served(parameter: &Value) -> bool {
    let states_expression = !text(parameter, "expression").is_empty() || text(parameter, "code").starts_with('_');
    !text(parameter, "id").starts_with("example") && !items(parameter, "base").is_empty() && states_expression
}

/// The first line. Parameters of several resource types have a line for each type, none of which holds for all: no description.
fn description(text: &str) -> String {
    let first = text.lines().next().unwrap_or_default().trim();
    if first.starts_with("Multiple Resources") { String::new() } else { first.replace('\t', " ") }
}

/// A line for each compartment; indented below it the resource types that may be inside and the parameters that put them there.
pub(crate) fn compartments(package: &Package) -> Result<String, Failure> {
    let mut table = String::new();
    for compartment in package.resources("CompartmentDefinition")? {
        if text(&compartment, "id") == "example" {
            continue;
        }
        line(&mut table, &[text(&compartment, "code")])?;
        for member in items(&compartment, "resource") {
            let parameters = texts(member, "param");
            if !parameters.is_empty() {
                line(&mut table, &["", text(member, "code"), &parameters.join(" ")])?;
            }
        }
    }
    Ok(table)
}
