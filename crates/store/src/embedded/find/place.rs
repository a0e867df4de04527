//! Gathering a stretch of the order of places, see [`Places`](crate::find::Places).

use super::node::{Node, part_within};
use super::scan::{Reader, RowBound, Way, row_bounds};
use crate::find::{Direction, Order, Position, Stretch, encode};
use crate::{Match, StoreError};

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
        let way = Way::from(stretch.direction);
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
