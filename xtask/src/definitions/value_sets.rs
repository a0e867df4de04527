//! Value sets that required bindings name, with their codes.
//!
//! Those of R4 are composed of listed concepts and whole code systems; a filter, an exclusion, a nested value set or a system
//! whose content is not in the package leaves a set without codes, as does a set that the package lacks.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::package::{Package, items, text};
use super::{Failure, line};

/// One line for each system of each value set; a line of the url alone is a set that cannot be enumerated.
pub(crate) fn table(package: &Package, urls: &BTreeSet<String>) -> Result<String, Failure> {
    let value_sets = package.resources("ValueSet")?;
    let code_systems = package.resources("CodeSystem")?;
    let by_url = |resources: &'_ [Value], url: &str| resources.iter().find(|it| text(it, "url") == url).cloned();
    let mut table = String::new();
    for url in urls {
        let systems = by_url(&value_sets, url).and_then(|set| enumerate(&set, |system| by_url(&code_systems, system)));
        let Some(systems) = systems else {
            println!("not enumerated: {url}");
            line(&mut table, &[url])?;
            continue;
        };
        for (system, codes) in &systems {
            let mut fields = vec![url.as_str(), system];
            fields.extend(codes.iter().map(String::as_str));
            line(&mut table, &fields)?;
        }
    }
    Ok(table)
}

/// The codes of a value set by system, or `None` when the package does not suffice to list them.
fn enumerate(set: &Value, code_system: impl Fn(&str) -> Option<Value>) -> Option<BTreeMap<String, Vec<String>>> {
    let compose = &set["compose"];
    if !items(compose, "exclude").is_empty() {
        return None;
    }
    let mut systems: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for include in items(compose, "include") {
        if !items(include, "valueSet").is_empty() || !items(include, "filter").is_empty() {
            return None;
        }
        let system = text(include, "system");
        let codes = systems.entry(system.to_owned()).or_default();
        let listed = items(include, "concept");
        if listed.is_empty() {
            let definition = code_system(system).filter(|it| text(it, "content") == "complete")?;
            collect(items(&definition, "concept"), codes);
        } else {
            collect(listed, codes);
        }
    }
    if systems.is_empty() { None } else { Some(systems) }
}

/// Adds the codes of concepts and of the concepts beneath them, each once.
fn collect(concepts: &[Value], codes: &mut Vec<String>) {
    for concept in concepts {
        let code = text(concept, "code");
        if !codes.iter().any(|it| it == code) {
            codes.push(code.to_owned());
        }
        collect(items(concept, "concept"), codes);
    }
}
