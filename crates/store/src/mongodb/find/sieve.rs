//! A filter made ready: what the database checks, and what is left to check here.

use mongodb::bson::{Document, doc};

use super::condition::{Condition, single_rows};
use super::joins::{Join, Joined};
use super::reader::{BATCH, Met, Population, Query, Reader};
use crate::find::by_rows;
use crate::mongodb::homes::Known;
use crate::mongodb::text;
use crate::{Filter, Index, Limit, Match, StoreError, TooCostly};

/// How many documents are found before a filter whose condition names them, at most.
const NUMBERS_MAX: usize = 100_000;

/// How many bytes a condition may have: the database takes 16 MB with all that is around it, and a join puts two together.
const QUERY_MAX: usize = 6 << 20;

/// So many documents are not few any more.
const SMALL: u64 = 64;

/// How deep filters may nest: the database takes conditions of 100 levels, in documents of 200, two for each.
const DEPTH_MAX: u32 = 80;

/// Which documents satisfy a filter: all those that satisfy the query and pass each check.
pub(super) struct Sieve<'f> {
    pub(super) query: Document,
    pub(super) checks: Vec<Check<'f>>,
    /// Whether these are all of some whose number is known.
    pub(super) population: Option<Population>,
    /// Rows that each of them has, as texts: those that are easily seen.
    rows: Vec<String>,
    /// Whether these are all documents with a row, which are counted without looking at one.
    pub(super) is_one_row: bool,
    /// What it is about first.
    pub(super) index: Option<Index>,
}

/// What is checked here, document by document.
pub(super) struct Check<'f> {
    kind: Kind<'f>,
    /// Whether it must not hold.
    negated: bool,
}

enum Kind<'f> {
    /// What the document's rows tell.
    Rows(&'f Filter),
    Join(Box<Join<'f>>),
}

impl<'f> Sieve<'f> {
    /// `None` where no document can satisfy the filter.
    pub(super) fn new(reader: &mut Reader<'_>, filter: &'f Filter) -> Result<Option<Sieve<'f>>, StoreError> {
        let mut parts = Vec::new();
        add_parts(filter, &mut parts);
        let population = leave_out_implied(reader.known, &mut parts);
        let rows: Vec<_> = parts.iter().filter_map(|part| single_row(part)).collect();
        let is_one_row = parts.len() == 1 && rows.len() == 1;
        let index = parts.iter().find_map(|part| index(part));
        let mut conditions = Vec::new();
        let mut checks = Vec::new();
        for part in parts {
            let (inner, negated) = match part {
                Filter::Not(inner) => (&**inner, true),
                part => (part, false),
            };
            let (condition, kind) = ready(reader, inner)?;
            match &kind {
                None if negated => conditions.push(condition.not()),
                // More documents fail the check than fail what the database can tell of it.
                Some(_) if negated => {}
                _ => conditions.push(condition),
            }
            checks.extend(kind.map(|kind| Check { kind, negated }));
        }
        let condition = Condition::all(conditions);
        if condition.bytes() > QUERY_MAX {
            return Err(too_large(reader));
        }
        Ok(condition.into_query().map(|query| Sieve { query, checks, population, rows, is_one_row, index }))
    }

    /// Whether so few documents have one of the rows that looking at them takes no time, however late it is.
    pub(super) fn is_small(&self, reader: &mut Reader<'_>) -> Result<bool, StoreError> {
        for row in &self.rows {
            if reader.count_always(doc! { "r": row }, SMALL)? < SMALL {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Leaves those that pass each check.
    pub(super) fn sift(&mut self, reader: &mut Reader<'_>, met: &mut Vec<Met>) -> Result<(), StoreError> {
        for Check { kind, negated } in &mut self.checks {
            match kind {
                Kind::Rows(filter) => {
                    met.retain(|met| by_rows(filter, &met.pairs().collect::<Vec<_>>()).unwrap_or(false) != *negated);
                }
                Kind::Join(join) => join.sift(reader, *negated, met)?,
            }
        }
        Ok(())
    }
}

/// That a filter asks for more than one query can say.
fn too_large(reader: &Reader<'_>) -> StoreError {
    StoreError::TooCostly(TooCostly { index: reader.index, limit: Limit::Rows(NUMBERS_MAX as u64) })
}

/// The text of the only row that can satisfy a filter.
fn single_row(filter: &Filter) -> Option<String> {
    let (index, value) = match filter {
        Filter::Match(wanted) => (wanted.index, wanted.range.one_value().filter(|value| wanted.accepts(value))?),
        Filter::OneOf { index, values } if values.len() == 1 => (*index, values[0].as_slice()),
        _ => return None,
    };
    Some(text::of_row(index, value))
}

/// The index that a filter is about, the first if it is about several.
fn index(filter: &Filter) -> Option<Index> {
    match filter {
        Filter::All(filters) | Filter::Any(filters) => filters.iter().find_map(index),
        Filter::Not(filter) => index(filter),
        Filter::Match(Match { index, .. }) | Filter::OneOf { index, .. } | Filter::Word { index, .. } => Some(*index),
        Filter::LinksTo { links, .. } | Filter::LinkedFrom { links, .. } => links.first().copied(),
    }
}

/// The parts that all must hold.
fn add_parts<'f>(filter: &'f Filter, parts: &mut Vec<&'f Filter>) {
    match filter {
        Filter::All(filters) => filters.iter().for_each(|filter| add_parts(filter, parts)),
        filter => parts.push(filter),
    }
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
    match (parts.as_slice(), homes.as_slice()) {
        ([_], [Some(home)]) => Some(Population::Collection((*home).to_owned())),
        _ => None,
    }
}

/// The only collection whose documents can satisfy a filter, as far as is easily seen.
fn home<'k>(known: &'k Known, filter: &Filter) -> Option<&'k str> {
    match filter {
        Filter::Match(Match { index, .. }) | Filter::OneOf { index, .. } => known.home(*index),
        Filter::Any(filters) => common(filters.iter().map(|filter| home(known, filter))),
        Filter::All(filters) => filters.iter().find_map(|filter| home(known, filter)),
        Filter::LinksTo { links, .. } => common(links.iter().map(|index| known.home(*index))),
        Filter::Not(_) | Filter::Word { .. } | Filter::LinkedFrom { .. } => None,
    }
}

/// The home that all have.
fn common<'k>(mut homes: impl Iterator<Item = Option<&'k str>>) -> Option<&'k str> {
    let first = homes.next()??;
    homes.all(|home| home == Some(first)).then_some(first)
}

/// What the database can check of a filter, and the rest.
fn ready<'f>(reader: &mut Reader<'_>, filter: &'f Filter) -> Result<(Condition, Option<Kind<'f>>), StoreError> {
    if let Filter::Match(wanted) = filter {
        let (condition, is_whole) = Condition::matching(wanted);
        return Ok((condition, (!is_whole).then_some(Kind::Rows(filter))));
    }
    Ok(match Joined::new(reader, filter)? {
        Some(Joined::Condition(condition)) => (condition, None),
        Some(Joined::Join(join)) => (Condition::Everything, Some(Kind::Join(join))),
        None => (condition_of(reader, filter, DEPTH_MAX)?, None),
    })
}

/// A filter wholly as a condition. What can only be checked here is found first, and named by its numbers.
fn condition_of(reader: &mut Reader<'_>, filter: &Filter, depth: u32) -> Result<Condition, StoreError> {
    let Some(deeper) = depth.checked_sub(1) else {
        return Err(too_large(reader));
    };
    Ok(match filter {
        Filter::All(filters) => {
            let parts = filters.iter().map(|filter| condition_of(reader, filter, deeper));
            Condition::all(parts.collect::<Result<Vec<_>, _>>()?)
        }
        Filter::Any(filters) => {
            let (texts, others) = single_rows(filters);
            let mut parts = vec![Condition::having_one_of(texts)];
            for filter in others {
                parts.push(condition_of(reader, filter, deeper)?);
            }
            Condition::any(parts)
        }
        Filter::Not(filter) => condition_of(reader, filter, deeper)?.not(),
        Filter::OneOf { .. } => Condition::having_one_of(single_rows(std::slice::from_ref(filter)).0),
        Filter::Word { index, word } => Condition::having_word(*index, word),
        Filter::Match(_) | Filter::LinksTo { .. } | Filter::LinkedFrom { .. } => match ready(reader, filter)? {
            (condition, None) => condition,
            (condition, Some(kind)) => {
                let Some(query) = condition.into_query() else { return Ok(Condition::Nothing) };
                let checks = vec![Check { kind, negated: false }];
                let index = index(filter);
                let sieve = Sieve { query, checks, population: None, rows: Vec::new(), is_one_row: false, index };
                numbers(reader, sieve)?
            }
        },
    })
}

/// The documents that pass, each by its number.
fn numbers(reader: &mut Reader<'_>, mut sieve: Sieve<'_>) -> Result<Condition, StoreError> {
    let mut numbers = Vec::new();
    each(reader, &mut sieve, |reader, met| {
        numbers.push(met.number as i64);
        match numbers.len() > NUMBERS_MAX {
            true => Err(too_large(reader)),
            false => Ok(true),
        }
    })?;
    Ok(Condition::having_number(numbers))
}

/// Shows all documents that pass, in no order, until `show` says that it is enough.
pub(super) fn each<'v>(
    reader: &mut Reader<'v>,
    sieve: &mut Sieve<'_>,
    show: impl FnMut(&mut Reader<'v>, Met) -> Result<bool, StoreError>,
) -> Result<(), StoreError> {
    let query = Query::new(sieve.query.clone(), Met::projection());
    each_of(reader, sieve, query, show)
}

/// Shows those that a query finds, which says all that the sieve's own does, and that pass the checks.
pub(super) fn each_of<'v>(
    reader: &mut Reader<'v>,
    sieve: &mut Sieve<'_>,
    query: Query,
    mut show: impl FnMut(&mut Reader<'v>, Met) -> Result<bool, StoreError>,
) -> Result<(), StoreError> {
    let batch = if sieve.checks.is_empty() { 1 } else { query.limit.unwrap_or(BATCH).min(BATCH) };
    let mut cursor = reader.find(query)?;
    loop {
        let mut met = Vec::new();
        while met.len() < batch
            && let Some(document) = reader.next(&mut cursor)?
        {
            met.push(Met::of_document(document)?);
        }
        if met.is_empty() {
            return Ok(());
        }
        sieve.sift(reader, &mut met)?;
        for met in met {
            if !show(reader, met)? {
                return Ok(());
            }
        }
    }
}
