//! Gathering a stretch of the order by walking the index of the first sort key.

use std::ops::Bound;

use super::merge::Merged;
use super::node::{Node, part_within};
use super::number::numbers_of;
use super::page::Members;
use super::scan::{Reader, Way, row_bounds};
use crate::find::{Direction, Order, Position, Stretch, Top};
use crate::{Index, Match, Range, StoreError};

/// Rows of one value that a walk gathers before it asks the index for just those that it needs.
const GROUP_MAX: usize = 64;

impl Reader<'_> {
    /// By walking the index of the first sort key and looking which documents on the way are members. `None` when `budget` rows did
    /// not suffice.
    pub(super) fn by_index(
        &self,
        node: &Node<'_>,
        members: Members<'_>,
        order: &Order<'_>,
        stretch: Stretch<'_>,
        budget: u64,
    ) -> Result<Option<Vec<Position>>, StoreError> {
        let start = self.touched();
        let mut walk = Walk {
            reader: self,
            node,
            members,
            order,
            stretch,
            limit: self.touched().saturating_add(budget),
            found: Vec::new(),
        };
        if stretch.direction == Direction::Backward {
            walk.without_value()?;
        }
        if !walk.with_value()? {
            return Ok(None);
        }
        if stretch.direction == Direction::Forward {
            walk.without_value()?;
        }
        let found = walk.found;
        self.note("walk in order of", order.keys[0].indexes.first().copied(), start, found.len() as u64);
        Ok(Some(found))
    }

    /// What bounds the rows of the indexes that hits can have, where a document has just one.
    pub(super) fn span(&self, node: &Node<'_>, indexes: &[Index]) -> Result<Option<Match>, StoreError> {
        let [index] = indexes else { return Ok(None) };
        if !self.is_single(*index)? {
            return Ok(None);
        }
        let range = node.span_of_only_row(*index).and_then(|span| part_within(&Range::full(), span));
        Ok(range.map(|range| Match { index: *index, range, test: None }))
    }
}

struct Walk<'w, 't> {
    reader: &'w Reader<'t>,
    node: &'w Node<'w>,
    members: Members<'w>,
    order: &'w Order<'w>,
    stretch: Stretch<'w>,
    /// How many rows may have been touched when the walk gives up.
    limit: u64,
    found: Vec<Position>,
}

/// The functions that return a `bool` say whether the walk may go on: `false` when its budget is spent.
impl Walk<'_, '_> {
    fn is_full(&self) -> bool {
        self.found.len() >= self.stretch.wanted
    }

    fn is_spent(&self) -> bool {
        self.reader.touched() > self.limit
    }

    fn way(&self) -> Way {
        match self.order.keys[0].descending == (self.stretch.direction == Direction::Forward) {
            true => Way::Down,
            false => Way::Up,
        }
    }

    /// Documents with a row in the index, one group of equal values after the other.
    fn with_value(&mut self) -> Result<bool, StoreError> {
        let indexes = &self.order.keys[0].indexes;
        let way = self.way();
        // No row has the lowest or the highest number, so these stand before and after all rows of a value.
        let (before, after) = match way {
            Way::Up => (0, u64::MAX),
            Way::Down => (u64::MAX, 0),
        };
        let mut start = match self.stretch.gap.map(|gap| &gap.position.values[0]) {
            None => None,
            Some(Some(value)) => Some((value.to_vec(), before)),
            // The gap is among those without a value, which lie behind all others.
            Some(None) if self.stretch.direction == Direction::Forward => return Ok(true),
            Some(None) => None,
        };
        let span = self.reader.span(self.node, indexes)?;
        while !self.is_full() {
            let mut span = span.as_ref();
            if let Some((value, _)) = &start {
                span = span.filter(|span| span.range.contains(value));
            }
            let (mut low, mut high) = span.map_or((Bound::Unbounded, Bound::Unbounded), |span| row_bounds(&span.range));
            if let Some((value, number)) = &start {
                *(if way == Way::Up { &mut low } else { &mut high }) = Bound::Included((value.as_slice(), *number));
            }
            let rows = indexes.iter().map(|index| self.reader.rows(*index, low, high, way));
            let rows = Merged::new(rows.collect::<Result<_, _>>()?, way)?;
            match self.groups(rows)? {
                Pause::Large(value) => {
                    if !self.large_group(&value)? {
                        return Ok(false);
                    }
                    start = Some((value, after));
                }
                Pause::End => return Ok(true),
                Pause::Spent => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Takes group after group until a large one comes.
    fn groups(&mut self, rows: Merged<'_, '_>) -> Result<Pause, StoreError> {
        let mut value: &[u8] = &[];
        let mut group: Vec<u64> = Vec::new();
        for row in rows {
            let (next, number) = row?;
            if !group.is_empty() && next != value {
                self.group(value, &mut group)?;
                if self.is_full() {
                    return Ok(Pause::End);
                }
            }
            if self.is_spent() {
                return Ok(Pause::Spent);
            }
            value = next;
            group.push(number);
            if group.len() > GROUP_MAX {
                return Ok(Pause::Large(value.to_vec()));
            }
        }
        self.group(value, &mut group)?;
        Ok(Pause::End)
    }

    /// Takes the members of a small group and empties it.
    fn group(&mut self, value: &[u8], group: &mut Vec<u64>) -> Result<(), StoreError> {
        let mut top = Top::new(self.order, self.stretch.direction, self.stretch.wanted - self.found.len());
        for number in group.drain(..) {
            if let Some(position) = self.candidate(value, number)? {
                top.push(position);
            }
        }
        self.found.extend(top.into_sorted());
        Ok(())
    }

    /// Takes the members of a large group: where number decides next, only as many as are needed.
    fn large_group(&mut self, value: &[u8]) -> Result<bool, StoreError> {
        let alone = self.order.keys.len() == 1;
        let (from, to) = match self.stretch.gap {
            Some(gap) if alone && gap.position.values[0].as_deref() == Some(value) => self.stretch.numbers(),
            _ => (0, u64::MAX),
        };
        let mut top = Top::new(self.order, self.stretch.direction, self.stretch.wanted - self.found.len());
        let way = Way::from(self.stretch.direction);
        let indexes = &self.order.keys[0].indexes;
        let rows = indexes.iter().map(|index| self.reader.equal(*index, value, from, to, way));
        for row in Merged::new(rows.collect::<Result<_, _>>()?, way)? {
            if self.is_spent() {
                return Ok(false);
            }
            let Some(position) = self.candidate(value, row?.1)? else { continue };
            if alone {
                self.found.push(position);
                if self.is_full() {
                    return Ok(true);
                }
            } else {
                top.push(position);
            }
        }
        self.found.extend(top.into_sorted());
        Ok(true)
    }

    /// The position of a document met at a row with `value`, if it is a member, counts at this row, and lies beyond the gap.
    fn candidate(&self, value: &[u8], number: u64) -> Result<Option<Position>, StoreError> {
        if matches!(self.members, Members::Set(set) if !set.contains(number)) {
            return Ok(None);
        }
        let rows = self.reader.probe(number)?;
        if matches!(self.members, Members::Node) && !self.reader.accepts(self.node, number, rows)? {
            return Ok(None);
        }
        let position = self.order.position(number, rows);
        let counts = position.values[0].as_deref() == Some(value)
            && self.order.is_beyond(self.stretch.gap, self.stretch.direction, &position);
        Ok(counts.then_some(position))
    }

    /// Documents without a row in the index: last in either order.
    fn without_value(&mut self) -> Result<(), StoreError> {
        let indexes = &self.order.keys[0].indexes;
        let gap = self.stretch.gap.filter(|gap| gap.position.values[0].is_none());
        let before_gap = gap.is_none() && self.stretch.gap.is_some() && self.stretch.direction == Direction::Backward;
        if self.is_full() || before_gap || self.node.requires(indexes) {
            return Ok(());
        }
        let present = indexes.iter().map(|index| Match { index: *index, range: Range::full(), test: None });
        let present: Vec<_> = present.collect();
        let present = Node::any(present.iter().map(Node::Match));
        let set = match self.members {
            Members::Set(set) => {
                let mut set = set.clone();
                self.reader.remove(&mut set, &present)?;
                set
            }
            Members::Node => self.reader.whole_set(&Node::all([self.node.clone(), present.not()].into_iter()))?,
        };
        let stretch = Stretch { gap, wanted: self.stretch.wanted - self.found.len(), ..self.stretch };
        if self.order.keys.len() > 1 {
            self.found.extend(self.reader.by_sorting(&set, self.order, stretch)?);
            return Ok(());
        }
        let numbers = numbers_of(&set, stretch).into_iter();
        self.found.extend(numbers.map(|number| Position { values: vec![None], number }));
        Ok(())
    }
}

/// Why a run over groups stopped.
enum Pause {
    /// At a group of many rows with this value, of which none was taken.
    Large(Vec<u8>),
    /// No rows are left, or enough was found.
    End,
    Spent,
}
