//! A filter made ready: what the database checks, and what is left to check here.

use mongodb::bson::{Document, doc};

use super::condition::{Condition, single_rows};
use super::joins::Join;
use super::reader::{BATCH, Met, Query, Reader};
use super::tally::{Tally, is_nothing, single_row};
use super::tree::Tree;
use crate::{Filter, Index, Limit, Match, StoreError, TooCostly};

/// How many documents are found before a filter whose condition names them, at most.
const NUMBERS_MAX: usize = 100_000;

/// How many bytes a condition may have: the database takes 16 MB with all that is around it, and a join puts two together.
const QUERY_MAX: usize = 6 << 20;

/// So many documents are not few any more.
const SMALL: u64 = 64;

/// How deep filters may nest: the database takes conditions of 100 levels, in documents of 200, two for each.
const DEPTH_MAX: u32 = 80;

/// How much all those parts may weigh together that the database checks and finds nothing by: of many alternatives it takes too long.
const WEIGHT_MAX: usize = 12;

/// How much a part may weigh by which the database finds.
const LEADING_MAX: usize = 64;

/// So few candidates are looked at one by one rather than that the far side of a join is found first.
const NEAR_MAX: usize = 100;

/// How many rows are named by which to find what satisfies a part that is checked here.
const TEXTS_MAX: usize = 10_000;

/// Which documents satisfy a filter: all those that satisfy the query and pass each check.
pub(super) struct Sieve<'f> {
    pub(super) query: Document,
    /// What is checked here, document by document.
    pub(super) checks: Vec<Tree<'f>>,
    /// By what they are counted.
    pub(super) tally: Tally,
    /// Rows that each of them has, as texts: those that are easily seen.
    rows: Vec<String>,
    /// Whether the query finds by more than what the checks need of a row.
    pub(super) leads: bool,
    /// Whether many conditions are checked of each document that is found.
    pub(super) is_wide: bool,
    /// What it is about first.
    pub(super) index: Option<Index>,
}

impl<'f> Sieve<'f> {
    /// `None` where no document can satisfy the filter.
    pub(super) fn new(reader: &mut Reader<'_>, filter: &'f Filter) -> Result<Option<Sieve<'f>>, StoreError> {
        let mut parts = Vec::new();
        add_parts(filter, &mut parts);
        let tally = Tally::of(reader.known, &mut parts);
        let index = parts.iter().find_map(|part| index(part));
        let rows: Vec<_> = parts.iter().filter_map(|part| single_row(reader.known, part)).collect();
        let mut conditions = Vec::new();
        let mut checks = Vec::new();
        let mut leads = false;
        let mut weight = 0;
        let mut is_wide = false;
        let (joins, parts): (Vec<_>, Vec<_>) = parts.into_iter().partition(|part| is_join(part));
        for part in parts {
            let (condition, check) = ready(reader, part, &mut weight)?;
            leads |= check.is_none() && !matches!(tally, Tally::Known(_)) && leads_by_rows(part);
            is_wide |= Tree::new(reader.known, part).is_some_and(|tree| tree.weight() > WEIGHT_MAX);
            conditions.push(condition);
            checks.extend(check);
        }
        if !joins.is_empty()
            && leads
            && let Some(near) = near(reader, &conditions)?
        {
            checks.extend(joins.into_iter().filter_map(|part| Tree::new(reader.known, part)));
            return Sieve::of_near(reader, near, checks, (rows, index));
        }
        for part in joins {
            let (condition, check) = ready(reader, part, &mut weight)?;
            leads |= check.is_none() && leads_by_rows(part);
            conditions.push(condition);
            checks.extend(check);
        }
        checks.sort_by_key(Tree::has_join);
        is_wide |= !checks.is_empty();
        let condition = Condition::all(conditions);
        if condition.bytes() > QUERY_MAX {
            return Err(too_large(reader));
        }
        Ok(condition.into_query().map(|query| Sieve { query, checks, tally, rows, leads, is_wide, index }))
    }

    /// Those of a few documents that pass these checks.
    fn of_near(
        reader: &mut Reader<'_>,
        mut near: Vec<Met>,
        mut checks: Vec<Tree<'f>>,
        (rows, index): (Vec<String>, Option<Index>),
    ) -> Result<Option<Sieve<'f>>, StoreError> {
        checks.sort_by_key(Tree::has_join);
        checks.iter_mut().try_for_each(|check| check.sift(reader, &mut near))?;
        let numbers = near.iter().map(|met| met.number as i64).collect();
        Ok(Condition::having_number(numbers).into_query().map(|query| Sieve {
            query,
            checks: Vec::new(),
            tally: Tally::Found(near.len() as u64),
            rows,
            leads: true,
            is_wide: false,
            index,
        }))
    }

    /// Whether so few documents have one of the rows that looking at them takes no time, however late it is.
    pub(super) fn is_small(&self, reader: &mut Reader<'_>) -> Result<bool, StoreError> {
        for row in &self.rows {
            if reader.always(|reader| reader.count(doc! { "r": row }, SMALL))? < SMALL {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Leaves those that pass each check.
    pub(super) fn sift(&mut self, reader: &mut Reader<'_>, met: &mut Vec<Met>) -> Result<(), StoreError> {
        self.checks.iter_mut().try_for_each(|check| check.sift(reader, met))
    }
}

/// The documents that satisfy these conditions, where they are so few that each can be looked at.
fn near(reader: &mut Reader<'_>, conditions: &[Condition]) -> Result<Option<Vec<Met>>, StoreError> {
    let mut near = Vec::new();
    let Some(query) = Condition::all(conditions.iter().cloned()).into_query() else { return Ok(Some(near)) };
    let mut cursor = reader.find(Query { limit: Some(NEAR_MAX + 1), ..Query::new(query, Met::projection()) })?;
    while let Some(document) = reader.next(&mut cursor)? {
        near.push(Met::of_document(document)?);
    }
    Ok((near.len() <= NEAR_MAX).then_some(near))
}

/// Whether a filter is about what documents are joined to, or not joined to.
fn is_join(filter: &Filter) -> bool {
    match filter {
        Filter::LinksTo { .. } | Filter::LinkedFrom { .. } => true,
        Filter::Not(filter) => is_join(filter),
        _ => false,
    }
}

/// That a filter asks for more than one query can say.
fn too_large(reader: &Reader<'_>) -> StoreError {
    StoreError::TooCostly(TooCostly { index: reader.index, limit: Limit::Rows(NUMBERS_MAX as u64) })
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

/// Whether documents that satisfy a filter are found by their rows or words, or by those of the far side of a join.
fn leads_by_rows(filter: &Filter) -> bool {
    match filter {
        Filter::All(filters) => filters.iter().any(leads_by_rows),
        Filter::Any(filters) => filters.iter().all(leads_by_rows),
        Filter::Not(_) => false,
        Filter::Match(_) | Filter::OneOf { .. } | Filter::Word { .. } => true,
        Filter::LinksTo { .. } | Filter::LinkedFrom { .. } => true,
    }
}

/// What the database checks of a part of a filter, and the whole of it where that must be checked here. `weight` is that of all parts so far
/// that the database checks and finds nothing by.
fn ready<'f>(
    reader: &mut Reader<'_>,
    part: &'f Filter,
    weight: &mut usize,
) -> Result<(Condition, Option<Tree<'f>>), StoreError> {
    // What rests on words is not checked here.
    let Some(tree) = Tree::new(reader.known, part) else { return Ok((condition_of(reader, part, DEPTH_MAX)?, None)) };
    let tree = match tree {
        Tree::Everything => return Ok((Condition::Everything, None)),
        Tree::Nothing => return Ok((Condition::Nothing, None)),
        Tree::Join(join) => return ready_join(reader, join, false),
        Tree::Not(tree) => match *tree {
            Tree::Join(join) => return ready_join(reader, join, true),
            tree => tree.not(),
        },
        Tree::Row(filter @ Filter::Match(wanted)) => {
            let (condition, is_whole) = Condition::matching(wanted);
            return Ok((condition, (!is_whole).then_some(Tree::Row(filter))));
        }
        tree => tree,
    };
    let is_checked_there = match leads_by_rows(part) {
        true => tree.is_of_rows() || tree.weight() <= LEADING_MAX,
        false => tree.is_of_queries() && *weight + tree.weight() <= WEIGHT_MAX,
    };
    if is_checked_there {
        *weight += if leads_by_rows(part) { 0 } else { tree.weight() };
        return Ok((condition_of(reader, part, DEPTH_MAX)?, None));
    }
    let texts = tree.texts().filter(|texts| texts.len() <= TEXTS_MAX);
    Ok((texts.map_or(Condition::Everything, Condition::having_one_of), Some(tree)))
}

/// The same of a join, or of what is not joined.
fn ready_join<'f>(
    reader: &mut Reader<'_>,
    mut join: Box<Join<'f>>,
    negated: bool,
) -> Result<(Condition, Option<Tree<'f>>), StoreError> {
    Ok(match (join.condition(reader)?, negated) {
        (Some(condition), false) => (condition, None),
        (Some(condition), true) => (condition.not(), None),
        (None, false) => (Condition::Everything, Some(Tree::Join(join))),
        (None, true) => (Condition::Everything, Some(Tree::Join(join).not())),
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
            let known = reader.known;
            let (texts, others) = single_rows(filters.iter().filter(|filter| !is_nothing(known, filter)));
            let mut parts = vec![Condition::having_one_of(texts)];
            for filter in others {
                parts.push(condition_of(reader, filter, deeper)?);
            }
            Condition::any(parts)
        }
        Filter::Not(filter) => condition_of(reader, filter, deeper)?.not(),
        Filter::OneOf { index, .. } | Filter::Match(Match { index, .. }) if !reader.known.may_have(*index) => {
            Condition::Nothing
        }
        Filter::OneOf { .. } => Condition::having_one_of(single_rows(std::slice::from_ref(filter)).0),
        Filter::Word { index, word } => Condition::having_word(*index, word),
        Filter::Match(wanted) => match Condition::matching(wanted) {
            (condition, true) => condition,
            (condition, false) => numbers(reader, condition, filter)?,
        },
        Filter::LinksTo { links, names, to } => joined(reader, Join::new(links, names, to, true), filter)?,
        Filter::LinkedFrom { links, names, from } => joined(reader, Join::new(links, names, from, false), filter)?,
    })
}

/// Those that are joined to a far side, as a condition.
fn joined<'f>(reader: &mut Reader<'_>, mut join: Join<'f>, filter: &'f Filter) -> Result<Condition, StoreError> {
    match join.condition(reader)? {
        Some(condition) => Ok(condition),
        None => numbers(reader, Condition::Everything, filter),
    }
}

/// The documents that satisfy a filter, each by its number. The database finds them and more by a condition.
fn numbers(reader: &mut Reader<'_>, condition: Condition, filter: &Filter) -> Result<Condition, StoreError> {
    let Some(query) = condition.into_query() else { return Ok(Condition::Nothing) };
    let checks = Vec::from_iter(Tree::new(reader.known, filter));
    let index = index(filter);
    let mut sieve =
        Sieve { query, checks, tally: Tally::Documents, rows: Vec::new(), leads: true, is_wide: true, index };
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
