//! The order of those rows by which documents are found: where any order will do, a page of what lies in a range is its first rows.
//!
//! A document's place is that of its first row in the first range that it satisfies. This is told by the filter as it was given and the
//! document's own rows, so that it stays the same from page to page whatever else is written meanwhile.

use super::node::{Node, part_within};
use super::order::{Direction, Order, Position};
use super::page::Stretch;
use super::scan::{Reader, RowBound, Way, row_bounds};
use crate::embedded::layout::Packed;
use crate::{Filter, Match, StoreError};

/// The ranges by which all documents that satisfy the filter are found: the alternatives of one condition, at most 256.
pub(super) struct Places<'f> {
    pub(super) ranges: Vec<&'f Match>,
    /// Whether all other conditions are single rows.
    pub(super) say_all: bool,
}

impl<'f> Places<'f> {
    /// Of the first condition that is found by ranges.
    pub(super) fn of(filter: &'f Filter) -> Option<Places<'f>> {
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

/// Whether ranges say all: the node is one, or each alternative is led by one or by a row.
pub(super) fn is_found_by_ranges(node: &Node<'_>) -> bool {
    let leads = |node: &Node<'_>| matches!(node, Node::Match(_) | Node::Equal(..) | Node::OneOf(..));
    match node {
        Node::Match(_) => true,
        Node::Any(nodes) => {
            nodes.iter().any(|node| matches!(node, Node::Match(_)))
                && nodes.iter().all(|node| node.conjunction().iter().all(leads))
        }
        _ => false,
    }
}

/// The place of a document: the number of the range and the value of the row in it.
pub(super) fn place_of(places: &[&Match], rows: Packed<'_>) -> Option<Box<[u8]>> {
    places.iter().enumerate().find_map(|(at, wanted)| {
        let value = rows.values(wanted.index).find(|value| wanted.accepts(value))?;
        Some(encode(at, value))
    })
}

fn encode(at: usize, value: &[u8]) -> Box<[u8]> {
    [&[at as u8], value].concat().into()
}

impl Reader<'_> {
    /// About how many rows of the ranges can be those of hits.
    pub(super) fn guess_places(&self, node: &Node<'_>, places: &[&Match]) -> Result<u64, StoreError> {
        let mut sum: u64 = 0;
        for wanted in places {
            if let Some(part) = self.part_with_hits(node, wanted)? {
                sum = sum.saturating_add(self.guess(&Node::Match(&part))?.rows);
            }
        }
        Ok(sum)
    }

    /// The part of a range that can have rows of hits, if there is one: what other conditions say about the only row of a document.
    fn part_with_hits(&self, node: &Node<'_>, wanted: &Match) -> Result<Option<Match>, StoreError> {
        if !self.is_single(wanted.index)? {
            return Ok(Some(wanted.clone()));
        }
        let range = match node.span_of_only_row(wanted.index) {
            Some(span) => part_within(&wanted.range, span),
            None => Some(wanted.range.clone()),
        };
        Ok(range.map(|range| Match { range, ..wanted.clone() }))
    }

    /// By reading the rows of one range after the other.
    pub(super) fn by_place(
        &self,
        node: &Node<'_>,
        order: &Order<'_>,
        stretch: Stretch<'_>,
    ) -> Result<Vec<Position>, StoreError> {
        let start = self.touched();
        let mut found = Vec::new();
        let way = stretch.way();
        let gap = stretch.gap.and_then(|gap| {
            let (at, value) = gap.position.values.first()?.as_deref()?.split_first()?;
            Some((usize::from(*at), value, gap.position.number))
        });
        let is_ahead = |at: usize| match (gap, way) {
            (None, _) => true,
            (Some((from, ..)), Way::Up) => at >= from,
            (Some((from, ..)), Way::Down) => at <= from,
        };
        let mut places: Vec<_> = order.places.iter().enumerate().filter(|(at, _)| is_ahead(*at)).collect();
        if stretch.direction == Direction::Backward {
            places.reverse();
        }
        for (at, wanted) in places {
            let Some(part) = self.part_with_hits(node, wanted)? else { continue };
            let (mut low, mut high) = row_bounds(&part.range);
            if let Some((_, value, number)) = gap.filter(|(from, ..)| *from == at) {
                let bound = RowBound::Included((value, number));
                *(if way == Way::Up { &mut low } else { &mut high }) = bound;
            }
            for row in self.rows(wanted.index, low, high, way)? {
                let (value, number) = row?;
                if !wanted.accepts(value) {
                    continue;
                }
                let rows = self.probe(number)?;
                let position = order.position(number, rows);
                let counts = position.values[0].as_deref() == Some(&*encode(at, value))
                    && order.is_beyond(stretch.gap, stretch.direction, &position)
                    && self.accepts(node, number, rows)?;
                if counts {
                    found.push(position);
                }
                if found.len() == stretch.wanted {
                    self.note("read a range of", Some(wanted.index), start, found.len() as u64);
                    return Ok(found);
                }
            }
        }
        self.note("read ranges", None, start, found.len() as u64);
        Ok(found)
    }
}
