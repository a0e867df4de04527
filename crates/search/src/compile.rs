//! From a query string to a [`Query`], <https://hl7.org/fhir/R4/search.html>.

use fhir::{Issue, IssueType, Outcome, Severity};

use crate::parameter::Indexed;
use crate::refusal::{Refusal, shortened};
use crate::registry::Registry;
use crate::row;
use crate::{Criterion, Handling, Query, Scope, chain, compartment, include, result, sort};

/// How many parameters one query may have.
const PARAMETERS_MAX: usize = 200;

pub(crate) fn compile(
    registry: &Registry,
    scope: &Scope,
    parameters: &[(String, String)],
    handling: Handling,
) -> Result<Query, Outcome> {
    if parameters.len() > PARAMETERS_MAX {
        return Err(Outcome::new(IssueType::TooCostly, format!("a query may have {PARAMETERS_MAX} parameters")));
    }
    let types = types(registry, scope, parameters)?;
    let mut conditions = Vec::with_capacity(types.len());
    for resource_type in &types {
        let mut filter = store::Filter::present(row::type_index(resource_type));
        if let Some(compartment) = &scope.compartment {
            filter = filter.and(compartment::filter(registry, compartment, resource_type)?);
        }
        conditions.push(vec![Criterion::Filter(filter)]);
    }
    let mut query = Query::new(types);
    for (name, value) in parameters {
        let effect = match result_parameter(registry, &mut query, scope, name, value) {
            Some(effect) => effect,
            None => add_condition(registry, &query.types, &mut conditions, name, value),
        };
        match effect {
            Ok(Effect::Applied) => query.applied.push((name.clone(), value.clone())),
            Ok(Effect::Elsewhere) => {}
            Err(Refusal::Ignored(warning)) => query.warnings.push(warning),
            Err(Refusal::Unknown(outcome)) if handling == Handling::Lenient => {
                query
                    .warnings
                    .extend(outcome.issues.into_iter().map(|issue| Issue { severity: Severity::Warning, ..issue }));
            }
            Err(Refusal::Unknown(outcome) | Refusal::Bad(outcome)) => return Err(outcome),
        }
    }
    query.criterion = Criterion::any(conditions.into_iter().map(Criterion::all).collect());
    Ok(query)
}

/// What became of a parameter that was understood.
pub(crate) enum Effect {
    Applied,
    /// It concerns the form of the answer, which is not decided here.
    Elsewhere,
}

/// The types to search.
fn types(registry: &Registry, scope: &Scope, parameters: &[(String, String)]) -> Result<Vec<&'static str>, Outcome> {
    if let Some(resource_type) = scope.resource_type {
        return Ok(vec![resource_type]);
    }
    let definitions = registry.site().definitions;
    let mut wanted = Vec::new();
    for (_, value) in parameters.iter().filter(|(name, _)| name == "_type") {
        for name in value.split(',') {
            let unknown =
                || format!("parameter `_type` has the value `{}`, expected names of resource types", shortened(name));
            let name = definitions.resource_type(name).ok_or_else(|| Outcome::new(IssueType::BadRequest, unknown()))?;
            if !wanted.contains(&name) {
                wanted.push(name);
            }
        }
    }
    let in_scope = |name: &&str| match &scope.compartment {
        Some(compartment) => compartment::has_type(registry, compartment, name),
        None => true,
    };
    if wanted.is_empty() {
        wanted = definitions.resource_types().to_vec();
        wanted.retain(|name| in_scope(name));
    }
    Ok(wanted)
}

/// Applies a parameter that is not about which resources match; `None` for one that is.
fn result_parameter(
    registry: &Registry,
    query: &mut Query,
    scope: &Scope,
    name: &str,
    value: &str,
) -> Option<Result<Effect, Refusal>> {
    let (base, modifier) = name.split_once(':').map_or((name, None), |(base, modifier)| (base, Some(modifier)));
    let applied = match base {
        "_include" | "_revinclude" => include::apply(registry, query, base == "_revinclude", modifier, value),
        _ if modifier.is_some() => return None,
        "_format" | "_pretty" => return Some(Ok(Effect::Elsewhere)),
        "_type" => match scope.resource_type {
            Some(resource_type) if value != resource_type => {
                Err(Refusal::bad_value("_type", value, "the type in the URL"))
            }
            _ => Ok(()),
        },
        "_sort" => sort::apply(registry, query, value),
        _ => result::apply(query, name, value)?,
    };
    Some(applied.map(|()| Effect::Applied))
}

fn add_condition(
    registry: &Registry,
    types: &[&'static str],
    conditions: &mut [Vec<Criterion>],
    name: &str,
    value: &str,
) -> Result<Effect, Refusal> {
    for (resource_type, conditions) in types.iter().zip(conditions) {
        let criterion = criterion(registry, resource_type, name, value, 0).map_err(|refusal| match refusal {
            Refusal::Unknown(outcome)
                if types.len() > 1 && outcome.issues.iter().all(|issue| issue.code == IssueType::BadRequest) =>
            {
                Refusal::unknown(format!("parameter `{}` is not common to all types searched", shortened(name)))
            }
            refusal => refusal,
        })?;
        conditions.push(criterion);
    }
    Ok(Effect::Applied)
}

/// The condition that `name=value` sets to resources of a type. `depth` counts the joins around it.
pub(crate) fn criterion(
    registry: &Registry,
    resource_type: &'static str,
    name: &str,
    value: &str,
    depth: usize,
) -> Result<Criterion, Refusal> {
    if let Some(rest) = name.strip_prefix("_has:") {
        return chain::has(registry, resource_type, rest, value, depth);
    }
    if let Some((reference, rest)) = name.split_once('.') {
        return chain::chain(registry, resource_type, reference, rest, value, depth);
    }
    let (code, modifier) = name.split_once(':').map_or((name, None), |(code, modifier)| (code, Some(modifier)));
    let parameter = parameter(registry, resource_type, code)?;
    Ok(Criterion::Filter(parameter.filter(registry.site(), modifier, value)?))
}

/// A parameter of a type by its code.
pub(crate) fn parameter<'r>(registry: &'r Registry, resource_type: &str, code: &str) -> Result<&'r Indexed, Refusal> {
    let parameters = registry.table(resource_type);
    match parameters.and_then(|table| table.get(code)) {
        Some(parameter) => Ok(parameter),
        None if code.starts_with('_') => Err(Refusal::Ignored(Issue::warning(
            IssueType::NotSupported,
            format!("parameter `{}` is unknown and was left out", shortened(code)),
        ))),
        None => Err(Refusal::parameter(resource_type, code, parameters.map_or(&[], |table| &table.parameters))),
    }
}
