//! Conditions on other resources: chains and reverse chains, <https://hl7.org/fhir/R4/search.html#chaining>.

use store::Filter;

use crate::compile::{criterion, parameter};
use crate::parameter::Indexed;
use crate::refusal::{Refusal, shortened};
use crate::registry::Registry;
use crate::{Criterion, row};

/// How many joins one parameter may take.
pub(crate) const DEPTH_MAX: usize = 5;

/// `subject.name`, `subject:Patient.name`: resources with a reference to one that satisfies the rest. Without a type, every type
/// that the reference may lead to and that knows the rest counts.
pub(crate) fn chain(
    registry: &Registry,
    resource_type: &'static str,
    reference: &str,
    rest: &str,
    value: &str,
    depth: usize,
) -> Result<Criterion, Refusal> {
    check_depth(depth)?;
    let (code, target) = reference.split_once(':').map_or((reference, None), |(code, target)| (code, Some(target)));
    let parameter = reference_parameter(registry, resource_type, code)?;
    let definitions = registry.site().definitions;
    let targets = match target {
        Some(target) => {
            let target = definitions.resource_type(target).filter(|target| parameter.leads_to(target));
            vec![target.ok_or_else(|| Refusal::modifier(parameter, reference))?]
        }
        None => definitions.resource_types().iter().copied().filter(|target| parameter.leads_to(target)).collect(),
    };
    let mut alternatives = Vec::new();
    let mut refusals = Vec::new();
    for target in &targets {
        match criterion(registry, target, rest, value, depth + 1) {
            Ok(criterion) => alternatives.push(of_type(target, criterion)),
            Err(refusal) => refusals.push(refusal),
        }
    }
    if alternatives.is_empty() {
        let worst = refusals.iter().position(|refusal| matches!(refusal, Refusal::Bad(_)));
        return Err(match (worst, refusals.len()) {
            (Some(at), _) => refusals.swap_remove(at),
            (None, 1) => refusals.remove(0),
            (None, _) => Refusal::unknown(format!(
                "no target of `{code}` has the parameter `{}`, targets are {}",
                shortened(rest),
                targets.join(", ")
            )),
        });
    }
    Ok(Criterion::Chain { references: vec![parameter.index], target: Box::new(Criterion::any(alternatives)) })
}

/// `_has:Observation:patient:code`, without the `_has:`: resources that one of that type refers to, which satisfies the rest.
pub(crate) fn has(
    registry: &Registry,
    resource_type: &'static str,
    path: &str,
    value: &str,
    depth: usize,
) -> Result<Criterion, Refusal> {
    check_depth(depth)?;
    let mut parts = path.splitn(3, ':');
    let (Some(source), Some(code), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(Refusal::bad(format!(
            "parameter `_has:{}` must be `_has:Type:reference:parameter`",
            shortened(path)
        )));
    };
    let Some(source) = registry.site().definitions.resource_type(source) else {
        return Err(Refusal::unknown(format!("`{}` in `_has` is no resource type", shortened(source))));
    };
    let parameter = reference_parameter(registry, source, code)?;
    if !parameter.leads_to(resource_type) {
        return Err(Refusal::unknown(format!(
            "parameter `{code}` of {source} does not lead to {resource_type}, but to {}",
            parameter.definition.targets.join(", ")
        )));
    }
    let criterion = criterion(registry, source, rest, value, depth + 1)?;
    Ok(Criterion::Has {
        references: vec![parameter.index],
        target_type: resource_type,
        source: Box::new(of_type(source, criterion)),
    })
}

fn check_depth(depth: usize) -> Result<(), Refusal> {
    match depth < DEPTH_MAX {
        true => Ok(()),
        false => Err(Refusal::too_costly(format!("a parameter may chain {DEPTH_MAX} times"))),
    }
}

fn reference_parameter<'r>(registry: &'r Registry, resource_type: &str, code: &str) -> Result<&'r Indexed, Refusal> {
    let parameter = parameter(registry, resource_type, code)?;
    match parameter.is_reference() {
        true => Ok(parameter),
        false => Err(Refusal::unknown(format!("parameter `{code}` of {resource_type} is no reference to follow"))),
    }
}

fn of_type(resource_type: &str, criterion: Criterion) -> Criterion {
    Criterion::all(vec![Criterion::Filter(Filter::present(row::type_index(resource_type))), criterion])
}
