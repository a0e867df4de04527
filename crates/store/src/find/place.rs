//! The order of those rows by which documents are found: where any order will do, a page of what lies in a range is its first rows.
//!
//! A document's place is that of its first row in the first range that it satisfies. This is told by the filter as it was given and the
//! document's own rows, so that it stays the same from page to page whatever else is written meanwhile.

use super::{Rows, values};
use crate::{Filter, Match};

/// The ranges by which all documents that satisfy the filter are found: the alternatives of one condition, at most 256.
pub(crate) struct Places<'f> {
    pub(crate) ranges: Vec<&'f Match>,
    /// Whether all other conditions are single rows.
    pub(crate) say_all: bool,
}

impl<'f> Places<'f> {
    /// Of the first condition that is found by ranges.
    pub(crate) fn of(filter: &'f Filter) -> Option<Places<'f>> {
        let conditions = match filter {
            Filter::All(filters) => filters.as_slice(),
            filter => std::slice::from_ref(filter),
        };
        let is_row = |filter: &&Filter| matches!(filter, Filter::Match(row) if row.range.one_value().is_some());
        let ranges = |filter: &'f Filter| {
            let mut ranges = Vec::new();
            let are_all = add_places(filter, &mut ranges) && ranges.len() <= usize::from(u8::MAX);
            are_all.then_some(ranges).filter(|ranges| !ranges.is_empty())
        };
        let others: Vec<_> = conditions.iter().filter(|filter| !is_row(filter)).collect();
        let ranges = others.iter().find_map(|filter| ranges(filter))?;
        Some(Places { ranges, say_all: others.len() == 1 })
    }
}

/// Adds the ranges of all alternatives; of conditions that hold together one is enough to find by.
fn add_places<'f>(filter: &'f Filter, places: &mut Vec<&'f Match>) -> bool {
    match filter {
        Filter::Match(wanted) => {
            places.push(wanted);
            true
        }
        Filter::Any(filters) => filters.iter().all(|filter| add_places(filter, places)),
        Filter::All(filters) => {
            filters.iter().any(|filter| matches!(filter, Filter::Match(_)) && add_places(filter, places))
        }
        _ => false,
    }
}

/// The place of a document: the number of the range and the value of the row in it.
pub(crate) fn place_of<'r>(places: &[&Match], rows: &impl Rows<'r>) -> Option<Box<[u8]>> {
    places.iter().enumerate().find_map(|(at, wanted)| {
        let value = values(rows, wanted.index).find(|value| wanted.accepts(value))?;
        Some(encode(at, value))
    })
}

/// The place at this value of the range with this number.
pub(crate) fn encode(at: usize, value: &[u8]) -> Box<[u8]> {
    [&[at as u8], value].concat().into()
}
