//! Filters on the concepts of a code system, <https://hl7.org/fhir/R4/valueset-filter-operator.html>.

use regex::{Regex, RegexBuilder};
use rustc_hash::FxHashSet;

use super::Positions;
use crate::outcome::quoted;
use crate::terminology::{CodeSystem, Concept, Filter, Operator, unknown_code};
use crate::{IssueType, Outcome};

/// The size of a compiled regular expression in bytes.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// The concepts that satisfy a filter of the value set `name`.
pub(super) fn fitting(known: &CodeSystem, filter: &Filter, name: &str) -> Result<Positions, Outcome> {
    let Filter { property, operator, value } = filter;
    let refuse = |what: &str| {
        let text = format!("the value set `{name}` has a filter on {} {what}", quoted(property));
        Err(Outcome::new(IssueType::NotSupported, text))
    };
    let Some(operator) = operator else { return refuse("with an operator that R4 does not have") };
    let is_code = matches!(property.as_str(), "concept" | "code");
    let each = |fits: &dyn Fn(Concept<'_>) -> bool| {
        of(known, known.concepts().filter(|concept| fits(*concept)).map(Concept::position))
    };
    let named = || known.position(value).ok_or_else(|| unknown_code(known.url(), value));
    let below = |at: u32, itself: bool| of(known, known.descendants(at).into_iter().chain(itself.then_some(at)));
    Ok(match operator {
        Operator::IsA | Operator::DescendentOf | Operator::IsNotA | Operator::Generalizes if !is_code => {
            return refuse("that asks for a hierarchy, which only `concept` has");
        }
        Operator::IsA => below(named()?, true),
        Operator::DescendentOf => below(named()?, false),
        Operator::Generalizes => {
            let at = named()?;
            of(known, known.ancestors(at).into_iter().chain([at]))
        }
        Operator::IsNotA => {
            let below = below(named()?, true);
            of(known, (0..known.count()).filter(|at| !below.has(*at)))
        }
        Operator::Equal if is_code => of(known, known.position(value).into_iter()),
        // The hierarchy itself, as the terminologies with one offer it.
        Operator::Equal if property == "ancestor" => below(named()?, false),
        Operator::Equal => each(&|concept| values(concept, property).any(|found| found == value)),
        Operator::In | Operator::NotIn => {
            let list: FxHashSet<_> = value.split(',').map(str::trim).collect();
            let is_in = *operator == Operator::In;
            each(&|concept| values(concept, property).any(|found| list.contains(found)) == is_in)
        }
        Operator::Exists if !matches!(value.as_str(), "true" | "false") => {
            return refuse("that asks whether it exists by neither `true` nor `false`");
        }
        Operator::Exists => each(&|concept| values(concept, property).next().is_some() == (value == "true")),
        Operator::Regex => match whole(value) {
            Some(regex) => each(&|concept| values(concept, property).any(|found| regex.is_match(found))),
            None => return refuse("whose regular expression cannot be used"),
        },
    })
}

fn of(known: &CodeSystem, found: impl Iterator<Item = u32>) -> Positions {
    let mut positions = Positions::empty(known.count());
    found.for_each(|at| positions.add(at));
    positions
}

/// The values that a concept has for a property of a filter.
fn values<'a>(concept: Concept<'a>, property: &'a str) -> impl Iterator<Item = &'a str> {
    let own = match property {
        "concept" | "code" => Some(concept.code()),
        "display" => concept.display(),
        "definition" => concept.definition(),
        _ => None,
    };
    let parents = (property == "parent").then(|| concept.parents()).into_iter().flatten();
    let children = (property == "child").then(|| concept.children()).into_iter().flatten();
    let named = concept.properties().filter(move |(name, _)| *name == property);
    own.into_iter().chain(parents.chain(children).map(Concept::code)).chain(named.map(|(_, value)| value.text()))
}

/// A regular expression that takes the whole text.
fn whole(pattern: &str) -> Option<Regex> {
    let pattern = format!("^(?:{pattern})$");
    RegexBuilder::new(&pattern).size_limit(REGEX_BYTES_MAX).dfa_size_limit(REGEX_BYTES_MAX).build().ok()
}
