//! Data of a patient as filters on the rows of one resource type.

use std::sync::Arc;

use fhir::Instant;
use search::{Registry, Span, dates};
use store::{Filter, Index};

use super::data::Data;
use super::provision::{Code, Datum, Listed, Meaning, Moments, What};
use super::tables::{ACT_CODE, AUTHORS, CODES, CONFIDENTIALITY, NORMAL, RELATING, RESTRICTED, SENSITIVE};

/// The resources of a type that an expression means.
pub(super) fn filter(registry: &Registry, resource_type: &str, data: &Data) -> Filter {
    match data {
        Data::Everything => Filter::everything(),
        Data::Nothing => Filter::nothing(),
        Data::Normal => normal(registry, resource_type),
        Data::Surely(what) => Judge { registry, resource_type, is_cautious: false }.what(what),
        Data::Perhaps(what) => Judge { registry, resource_type, is_cautious: true }.what(what),
        Data::All(parts) => all(parts.iter().map(|data| filter(registry, resource_type, data))),
        Data::Any(parts) => any(parts.iter().map(|data| filter(registry, resource_type, data))),
        Data::Not(data) => not(filter(registry, resource_type, data)),
    }
}

/// All of these, with what is trivial folded away.
pub(super) fn all(filters: impl IntoIterator<Item = Filter>) -> Filter {
    let nothing = Filter::nothing();
    let mut parts = Vec::new();
    for filter in filters {
        match filter {
            filter if filter == nothing => return nothing,
            Filter::All(more) => parts.extend(more),
            filter => parts.push(filter),
        }
    }
    match parts.len() {
        1 => parts.remove(0),
        _ => Filter::All(parts),
    }
}

/// Any of these, with what is trivial folded away.
pub(super) fn any(filters: impl IntoIterator<Item = Filter>) -> Filter {
    let everything = Filter::everything();
    let mut parts = Vec::new();
    for filter in filters {
        match filter {
            filter if filter == everything => return everything,
            Filter::Any(more) => parts.extend(more),
            filter => parts.push(filter),
        }
    }
    match parts.len() {
        1 => parts.remove(0),
        _ => Filter::Any(parts),
    }
}

pub(super) fn not(filter: Filter) -> Filter {
    match filter {
        Filter::Not(filter) => *filter,
        filter if filter == Filter::everything() => Filter::nothing(),
        filter if filter == Filter::nothing() => Filter::everything(),
        filter => filter.not(),
    }
}

/// Resources with one of these values in one of the indexes.
pub(super) fn one_of(indexes: &[Index], values: &Arc<[Vec<u8>]>) -> Filter {
    match values.is_empty() {
        true => Filter::nothing(),
        false => any(indexes.iter().map(|index| Filter::OneOf { index: *index, values: values.clone() })),
    }
}

fn normal(registry: &Registry, resource_type: &str) -> Filter {
    let restricted = RESTRICTED.iter().map(|code| labeled(registry, resource_type, Some(CONFIDENTIALITY), code));
    let sensitive = SENSITIVE.iter().map(|code| labeled(registry, resource_type, Some(ACT_CODE), code));
    not(any(restricted.chain(sensitive)))
}

/// Resources with this label, also where it is written without its system.
fn labeled(registry: &Registry, resource_type: &str, system: Option<&str>, code: &str) -> Filter {
    let systems = [system, Some("")].into_iter().take(if system.is_some() { 2 } else { 1 });
    any(systems.filter_map(|system| registry.coded(resource_type, "_security", system, code)))
}

/// Judges resources of one type.
struct Judge<'a> {
    registry: &'a Registry,
    resource_type: &'a str,
    /// Takes what is not known for a fit.
    is_cautious: bool,
}

impl Judge<'_> {
    fn what(&self, what: &What) -> Filter {
        all([
            self.each(&what.classes, |class| self.class(class)),
            self.each(&what.codes, |code| self.code(code)),
            self.each(&what.labels, |label| self.label(label)),
            what.period.map_or_else(Filter::everything, |period| self.period(period)),
            self.each(&what.data, |datum| self.datum(datum)),
        ])
    }

    /// Any of the alternatives of an element.
    fn each<T>(&self, listed: &Option<Listed<T>>, filter: impl Fn(&T) -> Filter) -> Filter {
        match listed {
            None => Filter::everything(),
            Some(listed) if listed.has_others && self.is_cautious => Filter::everything(),
            Some(listed) => any(listed.known.iter().map(filter)),
        }
    }

    fn class(&self, class: &str) -> Filter {
        match class == self.resource_type {
            true => Filter::everything(),
            false => Filter::nothing(),
        }
    }

    fn code(&self, Code { system, code }: &Code) -> Filter {
        let named = CODES.iter().find(|(name, _)| *name == self.resource_type);
        let parameter = named.map_or("code", |(_, parameter)| parameter);
        let filter = self.registry.coded(self.resource_type, parameter, system.as_deref(), code);
        filter.unwrap_or_else(Filter::nothing)
    }

    /// `N` is also the label of what has none; a permit for it is none for what is restricted or sensitive besides.
    fn label(&self, Code { system, code }: &Code) -> Filter {
        let labeled = labeled(self.registry, self.resource_type, system.as_deref(), code);
        let is_normal = code == NORMAL && system.as_deref().is_none_or(|system| system == CONFIDENTIALITY);
        match (is_normal, self.is_cautious) {
            (false, _) => labeled,
            (true, false) => normal(self.registry, self.resource_type),
            (true, true) => any([labeled, normal(self.registry, self.resource_type)]),
        }
    }

    /// A permit is about what lies within its period, a deny about what touches it and what has no date.
    fn period(&self, period: Option<Moments>) -> Filter {
        let Some((start, end)) = period else { return self.unknown() };
        let span: Span = (Instant(start), Instant(end));
        let (registry, resource_type) = (self.registry, self.resource_type);
        let Some(touching) = registry.touching(resource_type, span) else {
            return registry.committed(resource_type, span);
        };
        match self.is_cautious {
            false => {
                any(dates(resource_type).iter().filter_map(|date| registry.dated_within(resource_type, date, span)))
            }
            true => touching,
        }
    }

    fn unknown(&self) -> Filter {
        match self.is_cautious {
            true => Filter::everything(),
            false => Filter::nothing(),
        }
    }

    fn datum(&self, Datum { meaning, key }: &Datum) -> Filter {
        let itself = || match key.collection() == self.resource_type {
            true => Filter::equal(self.registry.id_index(self.resource_type), Registry::id_value(key.id())),
            false => Filter::nothing(),
        };
        let naming = |indexes: Vec<Index>| any(indexes.into_iter().map(|index| Filter::equal(index, key.to_link())));
        match meaning {
            Meaning::Instance => itself(),
            Meaning::Related => any([itself(), naming(self.registry.references(self.resource_type, &RELATING))]),
            Meaning::Dependents => any([itself(), naming(self.registry.all_references(self.resource_type))]),
            Meaning::AuthoredBy => naming(self.registry.references(self.resource_type, &AUTHORS)),
        }
    }
}
