//! The operators of `_filter` by the type of the parameter: most are a prefix or a modifier of it.

use std::ops::Bound;
use std::str::FromStr;

use fhir::definitions::SearchKind;
use store::{Filter, Index, Match};

use super::parse::Test;
use crate::compile::{Asked, criterion as parameter_criterion, parameter};
use crate::parameter::{Indexed, Kind, ending, fold};
use crate::query_string::escaped;
use crate::refusal::{Refusal, shortened};
use crate::registry::Registry;
use crate::row;
use crate::{Criterion, Named};

/// How a value compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Operator(&'static str);

const ALL: [&str; 18] =
    ["eq", "ne", "co", "sw", "ew", "gt", "lt", "ge", "le", "ap", "sa", "eb", "pr", "po", "ss", "sb", "in", "ni"];
const REFERENCE: &str = "re";

impl FromStr for Operator {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Operator, Refusal> {
        let known = ALL.into_iter().chain([REFERENCE]).find(|name| *name == text);
        known.map(Operator).ok_or_else(|| {
            let text = shortened(text);
            Refusal::bad(format!("operator `{text}` is unknown, known are {}, {REFERENCE}", ALL.join(", ")))
        })
    }
}

/// The longest text that is compared as a whole.
const TEXT_MAX: usize = 300;

/// The systems that have a short name here.
const SYSTEMS: [(&str, &str); 4] = [
    ("loinc", "http://loinc.org"),
    ("snomed", "http://snomed.info/sct"),
    ("rxnorm", "http://www.nlm.nih.gov/research/umls/rxnorm"),
    ("ucum", "http://unitsofmeasure.org"),
];

/// What a test asks of the parameter at the end of its path.
pub(super) fn criterion(
    registry: &Registry,
    resource_type: &'static str,
    asked: Asked<'_>,
    test: &Test<'_>,
) -> Result<Criterion, Refusal> {
    let knows = |code: &str| registry.table(resource_type).is_some_and(|table| table.get(code).is_some());
    let code = if asked.name == "id" && !knows("id") { "_id" } else { asked.name };
    let parameter = parameter(registry, resource_type, code)?;
    let allowed = allowed(parameter);
    let Operator(operator) = test.operator;
    if !allowed.contains(&operator) {
        return Err(Refusal::bad(format!(
            "operator `{operator}` is not for parameter `{code}`, which takes {}",
            allowed.join(", ")
        )));
    }
    let asks = |modifier: &str, value: &str| {
        let name = format!("{code}{modifier}");
        parameter_criterion(registry, resource_type, Asked { name: &name, value, ..asked })
    };
    let value = test.value.as_ref();
    if operator == "pr" {
        return match value {
            "true" => asks(":missing", "false"),
            "false" => asks(":missing", "true"),
            _ => Err(Refusal::bad_value("_filter", value, "`true` or `false` after `pr`")),
        };
    }
    match &parameter.kind {
        Kind::Simple(SearchKind::String) => text(parameter, operator, value, &asks),
        Kind::Simple(SearchKind::Token) => token(operator, value, &asks),
        Kind::Simple(SearchKind::Reference | SearchKind::Uri) => match operator {
            "ne" => unequal(asks("", &escaped(value, ""))?),
            _ => asks("", &escaped(value, "|")),
        },
        Kind::Composite(_) => asks("", &escaped(&with_system(value), "|$")),
        _ if operator == "po" => {
            let value = escaped(value, "");
            let (after, before) = (asks("", &format!("sa{value}"))?, asks("", &format!("eb{value}"))?);
            let there = asks(":missing", "false")?;
            Ok(Criterion::all(vec![there, not(after), not(before)]))
        }
        _ => asks("", &format!("{operator}{}", escaped(&with_unit(value), "|"))),
    }
}

/// The operators that fit a parameter.
fn allowed(parameter: &Indexed) -> Vec<&'static str> {
    let comparing = ["eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap", "pr"];
    match &parameter.kind {
        Kind::Simple(SearchKind::String) => vec!["eq", "ne", "co", "sw", "ew", "pr"],
        Kind::Simple(SearchKind::Token) => vec!["eq", "ne", "in", "ni", "ss", "sb", "pr"],
        Kind::Simple(SearchKind::Reference) => vec!["re", "eq", "ne", "pr"],
        Kind::Simple(SearchKind::Uri) => vec!["eq", "ne", "pr"],
        // Of several periods each would have to be asked both ends.
        Kind::Simple(SearchKind::Date) if parameter.shape.has_one_row => [&comparing[..], &["po"]].concat(),
        Kind::Simple(_) | Kind::LastUpdated => comparing.to_vec(),
        Kind::Composite(_) => vec!["eq", "pr"],
        _ => Vec::new(),
    }
}

type Asks<'a> = dyn Fn(&str, &str) -> Result<Criterion, Refusal> + 'a;

/// Without regard to case and accents, as in any search for text. The end of a text too long for a row is not seen.
fn text(parameter: &Indexed, operator: &str, value: &str, asks: &Asks<'_>) -> Result<Criterion, Refusal> {
    let plain = escaped(value, "");
    let folded = fold(value);
    if folded.is_empty() || folded.len() > TEXT_MAX {
        return asks(":exact", &plain);
    }
    // Rows have a zero byte after the folded text.
    let whole = [folded.as_bytes(), &[0]].concat();
    let each = |filter: &dyn Fn(Index) -> Filter| {
        Criterion::Filter(row::any(parameter.places().iter().map(|index| filter(*index)).collect()))
    };
    match operator {
        "co" => asks(":contains", &plain),
        "sw" => asks("", &plain),
        "ew" => Ok(each(&|index| ending(index, &folded))),
        "ne" => unequal(each(&|index| Filter::prefix(index, whole.clone()))),
        _ => Ok(each(&|index| Filter::prefix(index, whole.clone()))),
    }
}

fn token(operator: &str, value: &str, asks: &Asks<'_>) -> Result<Criterion, Refusal> {
    let value = escaped(&with_system(value), "|");
    match operator {
        "ne" => unequal(asks("", &value)?),
        "in" => asks(":in", &value),
        "ni" => asks(":not-in", &value),
        // The value subsumes a concept: that one is below it.
        "ss" => asks(":below", &value),
        "sb" => asks(":above", &value),
        _ => asks("", &value),
    }
}

/// `loinc|1234-5` with its whole system.
fn with_system(value: &str) -> String {
    let named = value.split_once('|').and_then(|(name, rest)| {
        let (_, system) = SYSTEMS.iter().find(|(short, _)| *short == name)?;
        Some(format!("{system}|{rest}"))
    });
    named.unwrap_or_else(|| value.to_owned())
}

/// `150|ucum|mm[Hg]` with its whole system.
fn with_unit(value: &str) -> String {
    match value.split_once('|') {
        Some((number, unit)) => format!("{number}|{}", with_system(unit)),
        None => value.to_owned(),
    }
}

fn not(criterion: Criterion) -> Criterion {
    match criterion {
        Criterion::Filter(filter) => Criterion::Filter(filter.not()),
        join => Criterion::Not(Box::new(join)),
    }
}

/// Resources with a value besides those that the criterion asks for: the gaps between its ranges.
fn unequal(criterion: Criterion) -> Result<Criterion, Refusal> {
    let cannot = || Refusal::bad("operator `ne` of `_filter` needs a single value".to_owned());
    match criterion {
        Criterion::Filter(filter) => Ok(Criterion::Filter(beside(&filter).ok_or_else(cannot)?)),
        Criterion::Named(named) => {
            let filter = beside(&named.filter).ok_or_else(cannot)?;
            Ok(Criterion::Named(Box::new(Named { filter, is_unequal: true, ..*named })))
        }
        _ => Err(cannot()),
    }
}

/// The gaps between the ranges of a filter; `None` when it has no ranges alone.
pub(crate) fn beside(filter: &Filter) -> Option<Filter> {
    let mut ranges = Vec::new();
    gather(filter, &mut ranges)?;
    let start = |wanted: &&Match| match &wanted.range.low {
        Bound::Included(low) | Bound::Excluded(low) => low.clone(),
        Bound::Unbounded => Vec::new(),
    };
    ranges.sort_by_key(|wanted| (wanted.index, start(wanted)));
    let mut gaps = Vec::new();
    for ranges in ranges.chunk_by(|one, other| one.index == other.index) {
        let index = ranges[0].index;
        let mut low = Bound::Unbounded;
        for wanted in ranges {
            gaps.push(Filter::range(index, low, turned(wanted.range.low.clone())));
            low = turned(wanted.range.high.clone());
        }
        gaps.push(Filter::range(index, low, Bound::Unbounded));
    }
    Some(Filter::Any(gaps))
}

fn gather<'f>(filter: &'f Filter, ranges: &mut Vec<&'f Match>) -> Option<()> {
    match filter {
        Filter::Any(filters) => filters.iter().try_for_each(|filter| gather(filter, ranges)),
        Filter::Match(wanted) if wanted.test.is_none() => {
            ranges.push(wanted);
            Some(())
        }
        _ => None,
    }
}

/// The bound on the other side of the same point.
fn turned(bound: Bound<Vec<u8>>) -> Bound<Vec<u8>> {
    match bound {
        Bound::Included(value) => Bound::Excluded(value),
        Bound::Excluded(value) => Bound::Included(value),
        Bound::Unbounded => Bound::Unbounded,
    }
}
