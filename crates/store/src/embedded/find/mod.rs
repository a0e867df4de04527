//! Searching: a planner over index rows.
//!
//! A [`node`] is the filter made ready, [`values`] replaces narrow ranges by what they hold, and [`simplify`] leaves out what goes
//! without saying. A [`guess`] says how large its parts are, [`set`] turns it into the set of its documents, and [`count`] tells how
//! many they are. [`page`] decides how to gather one page in order: by [`number`], by a [`walk`] of a sort key's indexes, which
//! [`merge`] makes one, or, where any order will do, by [`place`] in the ranges asked for. Lists of single values [`meet`] without being
//! read, and [`lists`] that were read are kept. [`scan`] reads rows, counts the cost and takes down the plan. One document alone is judged by its rows.
//!
//! A guess can be wrong. So the way that is expected to be cheaper is tried with the cost of the other as its budget: a search costs at
//! most a small multiple of the better one.

mod count;
mod gather;
mod guess;
mod join;
mod lists;
mod meet;
mod merge;
mod node;
mod number;
mod page;
mod place;
mod scan;
mod set;
mod simplify;
mod values;
mod walk;
mod word;

pub(super) use lists::Lists;

use super::layout::Packed;
use super::tables::View;
use crate::find::{Order, by_rows};
use crate::{Filter, Find, Found, StoreError};

/// `is_committed` says that the view is that of a snapshot, and not of a commit in the making.
pub(super) fn find(view: View<'_>, is_committed: bool, find: &Find) -> Result<Found, StoreError> {
    let mut reader = scan::Reader::new(view, find);
    reader.is_committed = is_committed;
    let words = word::WordReader::new(&reader);
    let node = node::Node::new(&find.filter, &|index, wanted| words.documents(index, wanted))?;
    let node = values::with_values(&reader, node)?;
    let (node, implied) = simplify::without_implied(view, node)?;
    page::Search::new(reader, &node, implied, Order { keys: &find.sort, places: Vec::new() }).run(find)
}

/// About as many rows as most documents have: a list of them seldom grows beyond.
const ROWS: usize = 64;

/// Whether the current document with this number and these rows satisfies a filter.
pub(super) fn accepts(view: View<'_>, number: u64, rows: Packed<'_>, filter: &Filter) -> Result<bool, StoreError> {
    let mut list = Vec::with_capacity(ROWS);
    list.extend(rows);
    if let Some(accepted) = by_rows(filter, &list) {
        return Ok(accepted);
    }
    let reader = scan::Reader::new(view, &Find::new(Filter::nothing(), 0));
    let words = word::WordReader::new(&reader);
    let node = node::Node::new(filter, &|index, wanted| words.documents(index, wanted))?;
    reader.accepts(&node, number, rows)
}
