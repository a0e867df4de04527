//! Searching: filters as queries of the database.
//!
//! A [`condition`] is what the database can check of a filter, tests as [`pattern`]s among it; a [`sieve`] adds what is left to check
//! here, as a [`tree`]. [`joins`] follow the rows that name documents. [`page`] gathers one page: in order of creation, by a [`walk`] of rows along
//! several [`lane`]s, or by putting all hits in order; [`hits`] reads what is shown of it, where the walk has not done so already, and [`count`]
//! tells how many there are, by what is their [`tally`], in another session while the page is read where that is likely to be needed. A
//! [`reader`] counts what that costs.
//!
//! Nothing but a search that has a time limit makes the database refuse a command: a search is also done within a commit, where a
//! refused command ends the transaction.

mod condition;
mod count;
mod hits;
mod joins;
mod lane;
mod page;
mod pattern;
mod reader;
mod sieve;
mod tally;
mod tree;
mod walk;

use mongodb::bson::{RawDocument, doc};

use self::page::Search;
use self::reader::{Met, Reader};
use self::sieve::Sieve;
use self::tree::Tree;
use super::homes::Known;
use super::layout::{self, DOCUMENTS};
use super::view::View;
use crate::find::{Direction, Gap, Order, Places, by_rows, entry};
use crate::{Count, Counted, Examined, Filter, Find, Found, Index, Key, Match, StoreError};

/// The current documents that satisfy a filter, in order, one page.
/// What is known of homes, and how many documents there ever were, is that of the moment which the view sees.
pub(super) fn find(view: &mut View, known: &Known, documents: u64, find: &Find) -> Result<Found, StoreError> {
    let mut reader = Reader::new(view, known, find);
    let ranges = ranges(find);
    let (gap, direction, by_place) = enter(find, !ranges.is_empty())?;
    let mut found = Found::default();
    let Some(sieve) = Sieve::new(&mut reader, &find.filter)? else {
        found.total = (find.total != Count::None).then_some(Counted::exactly(0));
        found.rows = reader.touched();
        return Ok(found);
    };
    reader.index = sieve.index;
    if reader.is_late() && sieve.is_small(&mut reader)? {
        reader.take_time();
    }
    // A page that follows another keeps the order which that one had.
    let by_place = by_place && (gap.is_some() || !sieve.tally.is_of_rows());
    let places = if by_place { ranges.iter().collect() } else { Vec::new() };
    let order = Order { keys: &find.sort, places };
    let filter = &find.filter;
    let mut search = Search {
        reader,
        sieve,
        filter,
        order,
        documents,
        are_few: None,
        candidates: None,
        counting: Default::default(),
    };
    search.begin_counting(find)?;
    if find.limit > 0 {
        search.page(find, (gap, direction), &mut found)?;
    }
    found.total = search.total(find, &found)?;
    found.rows = search.reader.touched();
    found.plan = search.reader.into_plan();
    Ok(found)
}

/// The newest version of a document, and what its rows say.
pub(super) fn examine(
    view: &mut View,
    key: &Key,
    filter: &Filter,
    values: &[Index],
) -> Result<Option<Examined>, StoreError> {
    let Some(document) = view.find_one(DOCUMENTS, doc! { "_id": key.as_str() }, Some(doc! { "w": 0 }))? else {
        return Ok(None);
    };
    let version = layout::version(&document)?;
    if version.body.is_none() {
        return Ok(Some(Examined { version, accepted: false, rows: Vec::new() }));
    }
    let mut rows = layout::rows(&document, None)?;
    let pairs: Vec<_> = rows.iter().map(|row| (row.index, row.value.as_slice())).collect();
    let accepted = match by_rows(filter, &pairs) {
        Some(accepted) => accepted,
        None => satisfies(view, filter, &document)?,
    };
    rows.retain(|row| values.contains(&row.index));
    Ok(Some(Examined { version, accepted, rows }))
}

/// Whether a current document satisfies a filter that rests on more than its rows.
fn satisfies(view: &mut View, filter: &Filter, document: &RawDocument) -> Result<bool, StoreError> {
    let known = Known::default();
    let mut reader = Reader::new(view, &known, &Find::new(Filter::nothing(), 0));
    let met = Met::of_document(document)?;
    if let Some(mut tree) = Tree::new(&known, filter) {
        return Ok(tree.accepts(&mut reader, &[&met])? == [true]);
    }
    let mut is_found = false;
    if let Some(mut sieve) = Sieve::new(&mut reader, filter)? {
        let is_it = doc! { "_id": met.key.as_str() };
        let query = reader::Query::new(doc! { "$and": [is_it, sieve.query.clone()] }, Met::projection());
        sieve::each_of(&mut reader, &mut sieve, query, |_, _| {
            is_found = true;
            Ok(false)
        })?;
    }
    Ok(is_found)
}

/// Where the page begins and which way it goes, and whether its order is that of places. A page that follows another keeps the order
/// which that one had.
fn enter(find: &Find, by_place: bool) -> Result<(Option<Gap>, Direction, bool), StoreError> {
    let (Some(cursor), direction) = entry(&find.page) else { return Ok((None, Direction::Forward, by_place)) };
    let gap = Gap::from_cursor(cursor, find.sort.len(), by_place)?;
    let by_place = by_place && gap.position.values.len() > find.sort.len();
    Ok((Some(gap), direction, by_place))
}

/// How many ranges are read one after the other.
const RANGES_MAX: usize = 16;

/// The ranges by which documents are found where any order will do, and nothing else says much: without their tests, as the database
/// shows a document once in a range, whether or not that row passes.
fn ranges(find: &Find) -> Vec<Match> {
    if !find.any_order || !find.sort.is_empty() {
        return Vec::new();
    }
    let places = Places::of(&find.filter).filter(|places| places.say_all && say_little(&find.filter));
    let ranges = places.map(|places| places.ranges).unwrap_or_default();
    if ranges.len() > RANGES_MAX || ranges.iter().all(|wanted| wanted.range.one_value().is_some()) {
        return Vec::new();
    }
    ranges.into_iter().map(|wanted| Match { test: None, ..wanted.clone() }).collect()
}

/// Whether the single rows that a filter asks for are without a value, as those are that say which kind a document is.
fn say_little(filter: &Filter) -> bool {
    match filter {
        Filter::All(filters) => filters.iter().all(say_little),
        Filter::Match(wanted) => wanted.range.one_value().is_none_or(<[u8]>::is_empty),
        _ => true,
    }
}
