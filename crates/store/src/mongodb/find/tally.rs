//! By what documents are counted: some by what is known of their collection, some by keys of the index alone.

use mongodb::bson::doc;

use super::lane::{Lane, Way};
use super::reader::{Among, IndexStretch, Population};
use crate::mongodb::homes::Known;
use crate::mongodb::text;
use crate::{Filter, Match};

/// By what the documents are counted that a filter wants.
#[derive(Clone, Debug)]
pub(super) enum Tally {
    /// They are all of these.
    Known(Population),
    /// They were found already, so many.
    Found(u64),
    /// By keys, one for each of them and no others: of a row, or of what begins so.
    Keys(Among),
    /// By keys as well, of other ranges.
    Range(IndexStretch),
    /// They are all of these but for some, which are counted by keys.
    AllBut(Population, Among),
    /// By looking at them.
    Documents,
}

impl Tally {
    /// Of those that satisfy all parts. Leaves out the parts that others imply.
    pub(super) fn of(known: &Known, parts: &mut Vec<&Filter>) -> Tally {
        if let Some(population) = leave_out_implied(known, parts) {
            return Tally::Known(population);
        }
        let keys = match parts.as_slice() {
            [part] => keys_of(known, part).map(|(keys, is_narrow)| match keys {
                Among::Stretch(stretch) if !is_narrow => Tally::Range(stretch),
                keys => Tally::Keys(keys),
            }),
            _ => None,
        };
        keys.or_else(|| all_but(known, parts)).unwrap_or(Tally::Documents)
    }

    /// Whether these are all documents with one of some rows.
    pub(super) fn is_of_rows(&self) -> bool {
        matches!(self, Tally::Keys(Among::Where(_)))
    }
}

/// Documents that have a row of a filter and no others, where keys tell them; whether it is a row or what begins so.
fn keys_of(known: &Known, filter: &Filter) -> Option<(Among, bool)> {
    if let Some(row) = single_row(known, filter) {
        return Some((doc! { "r": row }.into(), true));
    }
    match filter {
        Filter::Match(Match { index, range, test: None }) => {
            let lane = Lane { index: *index, range: range.clone(), number: None };
            lane.stretch(Way::Up).map(|stretch| (Among::Stretch(stretch), range.is_prefix()))
        }
        Filter::Any(filters) => only(known, filters).and_then(|only| keys_of(known, only)),
        _ => None,
    }
}

/// Where all parts but one are rows that all documents of a collection have, or there are none, and that one is what must not be.
fn all_but(known: &Known, parts: &[&Filter]) -> Option<Tally> {
    let mut rest = parts.to_vec();
    let at = rest.iter().position(|part| matches!(part, Filter::Not(_)))?;
    let Filter::Not(others) = rest.remove(at) else { return None };
    let (keys, _) = keys_of(known, others)?;
    match leave_out_implied(known, &mut rest)? {
        Population::Collection(name) if home(known, others) != Some(&name) => None,
        population => Some(Tally::AllBut(population, keys)),
    }
}

/// The text of the only row that can satisfy a filter.
pub(super) fn single_row(known: &Known, filter: &Filter) -> Option<String> {
    let (index, value) = match filter {
        Filter::Any(filters) => return single_row(known, only(known, filters)?),
        Filter::Match(wanted) => (wanted.index, wanted.range.one_value().filter(|value| wanted.accepts(value))?),
        Filter::OneOf { index, values } if values.len() == 1 => (*index, values[0].as_slice()),
        _ => return None,
    };
    Some(text::of_row(index, value))
}

/// The only alternative that there can be documents for.
fn only<'f>(known: &Known, filters: &'f [Filter]) -> Option<&'f Filter> {
    let mut filters = filters.iter().filter(|filter| !is_nothing(known, filter));
    filters.next().filter(|_| filters.next().is_none())
}

/// Leaves out the rows that all documents of a collection have where another part is satisfied by such documents only. Says so where the
/// parts are satisfied by all of a collection, or by everything.
fn leave_out_implied(known: &Known, parts: &mut Vec<&Filter>) -> Option<Population> {
    let is_always = |part: &Filter, collection: &str| match part {
        Filter::Match(wanted) => wanted
            .range
            .one_value()
            .is_some_and(|value| wanted.accepts(value) && known.is_always(collection, wanted.index, value)),
        _ => false,
    };
    if parts.is_empty() {
        return Some(Population::Everything);
    }
    let homes: Vec<_> = parts.iter().map(|part| home(known, part)).collect();
    let leading = parts.iter().zip(&homes).find(|(part, home)| home.is_some_and(|home| !is_always(part, home)));
    if let Some((_, Some(home))) = leading {
        parts.retain(|part| !is_always(part, home));
        return None;
    }
    // Each part is a row that all documents of a collection have.
    let home = common(homes.into_iter())?.to_owned();
    parts.truncate(1);
    Some(Population::Collection(home))
}

/// The only collection whose documents can satisfy a filter, as far as is easily seen.
fn home<'k>(known: &'k Known, filter: &Filter) -> Option<&'k str> {
    match filter {
        Filter::Match(Match { index, .. }) | Filter::OneOf { index, .. } => known.home(*index),
        Filter::Any(filters) => {
            let filters = filters.iter().filter(|filter| !is_nothing(known, filter));
            common(filters.map(|filter| home(known, filter)))
        }
        Filter::All(filters) => filters.iter().find_map(|filter| home(known, filter)),
        Filter::LinksTo { links, .. } => common(links.iter().map(|index| known.home(*index))),
        Filter::Not(_) | Filter::Word { .. } | Filter::LinkedFrom { .. } => None,
    }
}

/// Whether no document can satisfy a filter, as far as is easily seen: none has rows in the indexes that it needs.
pub(super) fn is_nothing(known: &Known, filter: &Filter) -> bool {
    match filter {
        Filter::Match(Match { index, .. }) | Filter::OneOf { index, .. } => !known.may_have(*index),
        Filter::Any(filters) => filters.iter().all(|filter| is_nothing(known, filter)),
        Filter::All(filters) => filters.iter().any(|filter| is_nothing(known, filter)),
        _ => false,
    }
}

/// The home that all have.
fn common<'k>(mut homes: impl Iterator<Item = Option<&'k str>>) -> Option<&'k str> {
    let first = homes.next()??;
    homes.all(|home| home == Some(first)).then_some(first)
}
