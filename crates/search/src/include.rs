//! `_include` and `_revinclude`, <https://hl7.org/fhir/R4/search.html#include>.

use store::Index;

use crate::compile::parameter;
use crate::parameter::Indexed;
use crate::refusal::Refusal;
use crate::registry::Registry;
use crate::{Include, Query, canonical};

/// How many includes one query may ask for.
pub(crate) const INCLUDES_MAX: usize = 50;

const FORM: &str = "`Type:reference`, `Type:reference:TargetType` or `Type:*`";

pub(crate) fn apply(
    registry: &Registry,
    query: &mut Query,
    reverse: bool,
    modifier: Option<&str>,
    value: &str,
) -> Result<(), Refusal> {
    let name = if reverse { "_revinclude" } else { "_include" };
    let iterate = match modifier {
        None => false,
        Some("iterate") => true,
        Some(_) => return Err(Refusal::unknown(format!("a modifier of `{name}` is unknown, allowed is :iterate"))),
    };
    // A lone `*` follows every reference of what is found, or to it.
    let sources = match value {
        "*" if reverse => {
            query.includes.push(every_reference(registry, iterate, &query.types));
            Vec::new()
        }
        "*" => query.types.iter().map(|name| format!("{name}:*")).collect(),
        _ => vec![value.to_owned()],
    };
    for source in sources {
        query.includes.push(include(registry, name, iterate, &source)?);
    }
    match query.includes.len() <= INCLUDES_MAX {
        true => Ok(()),
        false => Err(Refusal::too_costly(format!("a query may have {INCLUDES_MAX} includes"))),
    }
}

fn include(registry: &Registry, name: &str, iterate: bool, value: &str) -> Result<Include, Refusal> {
    let bad = || Refusal::bad_value(name, value, FORM);
    let type_named = |name| registry.site().definitions.resource_type(name);
    let (source_type, code, target_type) = match value.split(':').collect::<Vec<_>>().as_slice() {
        [source, code] => (*source, *code, None),
        [source, code, target] => (*source, *code, Some(type_named(target).ok_or_else(bad)?)),
        _ => return Err(bad()),
    };
    let source_type = type_named(source_type).ok_or_else(bad)?;
    let followed = match code {
        "*" => all_references(registry, source_type).collect(),
        code => {
            let parameter = parameter(registry, source_type, code)?;
            if !parameter.is_reference() || target_type.is_some_and(|target| !parameter.leads_to(target)) {
                return Err(Refusal::bad_value(name, value, "a reference, and a type that it leads to"));
            }
            vec![parameter]
        }
    };
    let references = followed.iter().map(|parameter| parameter.index).collect();
    let mut targets = registry.site().definitions.resource_types().to_vec();
    targets.retain(|target| followed.iter().any(|parameter| parameter.leads_to(target)));
    targets.retain(|target| target_type.is_none_or(|wanted| wanted == *target));
    let names = names(registry, &targets);
    Ok(Include {
        reverse: name == "_revinclude",
        iterate,
        source_type: Some(source_type),
        references,
        target_types: target_type.into_iter().collect(),
        names,
    })
}

/// `_revinclude=*`: every reference of every type to resources of these types.
fn every_reference(registry: &Registry, iterate: bool, types: &[&'static str]) -> Include {
    let all = registry.site().definitions.resource_types();
    // Each further step begins at other types.
    let targets = if iterate { all } else { types };
    let of_all = all.iter().flat_map(|source| all_references(registry, source));
    let leading = of_all.filter(|parameter| targets.iter().any(|target| parameter.leads_to(target)));
    let references = leading.map(|parameter| parameter.index).collect();
    Include {
        reverse: true,
        iterate,
        source_type: None,
        references,
        target_types: Vec::new(),
        names: names(registry, targets),
    }
}

/// What resources of some types refer to of some others.
pub(crate) fn between(registry: &Registry, sources: &[&'static str], targets: &[&'static str]) -> Include {
    let of_sources = sources.iter().flat_map(|source| all_references(registry, source));
    let leading = of_sources.filter(|parameter| targets.iter().any(|target| parameter.leads_to(target)));
    Include {
        reverse: false,
        iterate: false,
        source_type: None,
        references: leading.map(|parameter| parameter.index).collect(),
        target_types: targets.to_vec(),
        names: names(registry, targets),
    }
}

/// The types among these that have canonical URLs, with the index of those.
fn names(registry: &Registry, targets: &[&'static str]) -> Vec<(&'static str, Index)> {
    targets.iter().filter_map(|target| Some((*target, canonical::name(registry, target)?))).collect()
}

fn all_references<'r>(registry: &'r Registry, resource_type: &str) -> impl Iterator<Item = &'r Indexed> {
    registry.served(resource_type).filter(|parameter| parameter.is_reference())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Handling;
    use crate::row::parameter_index;
    use crate::testing::{check_refused, query};

    #[test]
    fn names_the_references_to_follow() {
        let query = query(
            "Observation",
            "_include=Observation:subject&_include:iterate=Patient:organization:Organization&_revinclude=Provenance:target&_include=Slot:*",
            Handling::Strict,
        );
        let include = |reverse, iterate, source_type, code: &str, target_type: Option<_>| Include {
            reverse,
            iterate,
            source_type: Some(source_type),
            references: vec![parameter_index(source_type, code)],
            target_types: target_type.into_iter().collect(),
            names: Vec::new(),
        };
        let mut includes = query.expect("valid").includes;
        // A Provenance may be about anything.
        assert!(includes[2].names.len() > 10);
        includes[2].names.clear();
        assert_eq!(
            includes,
            [
                include(false, false, "Observation", "subject", None),
                include(false, true, "Patient", "organization", Some("Organization")),
                include(true, false, "Provenance", "target", None),
                include(false, false, "Slot", "schedule", None),
            ]
        );
    }

    #[test]
    fn a_star_follows_all() {
        for text in ["_include=*", "_include=Observation:*"] {
            let includes = query("Observation", text, Handling::Strict).expect("valid").includes;
            assert_eq!(includes.len(), 1);
            assert!(includes[0].references.len() > 10 && includes[0].source_type == Some("Observation"));
        }
        let include = query("Patient", "_revinclude=*", Handling::Strict).expect("valid").includes.remove(0);
        assert!(include.reverse && include.source_type.is_none());
        for (source_type, code, is_followed) in
            [("Observation", "patient", true), ("Account", "subject", true), ("Observation", "encounter", false)]
        {
            let follows = include.references.contains(&parameter_index(source_type, code));
            assert_eq!(follows, is_followed, "{source_type}.{code}");
        }
    }

    #[test]
    fn refuses_what_leads_nowhere() {
        let many = vec!["_include=Observation:subject"; INCLUDES_MAX + 1].join("&");
        check_refused(
            "Observation",
            &[
                ("_include=", "parameter `_include` has the value ``, expected `Type:reference`"),
                ("_include=Observation", "expected `Type:reference`"),
                ("_include=Obs:subject", "expected `Type:reference`"),
                ("_include=Observation:subject:Patients", "expected `Type:reference`"),
                ("_include=Observation:subject:Patient:x", "expected `Type:reference`"),
                ("_include=Observation:nothing", "parameter `nothing` of Observation is unknown"),
                ("_include=Observation:code", "expected a reference, and a type that it leads to"),
                ("_include=Observation:subject:Slot", "expected a reference, and a type that it leads to"),
                ("_include:deep=Observation:subject", "a modifier of `_include` is unknown, allowed is :iterate"),
                (&many, "a query may have 50 includes"),
            ],
        );
        assert!(query("Observation", &many[29..], Handling::Strict).is_ok());
    }
}
