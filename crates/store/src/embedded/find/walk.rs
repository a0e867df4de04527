//! Gathering one page in order: by number, by walking the index of the first sort key, or by sorting all candidates.

use std::ops::Bound;

use roaring::RoaringTreemap;

use super::node::Node;
use super::order::{Direction, Gap, Order, Position, Top};
use super::scan::{Reader, Way};
use crate::{Index, Match, Range, StoreError};

/// Rows of one value that a walk gathers before it asks the index for just those that it needs.
const GROUP_MAX: usize = 64;

/// Which documents may be hits.
pub(super) enum Members<'n, 'f> {
    /// These.
    Set(RoaringTreemap),
    /// Those that pass when they are met.
    Node(&'n Node<'f>),
}

/// What part of the order is wanted: `wanted` positions beyond `gap` in a direction, in the order in which they are met.
#[derive(Clone, Copy)]
pub(super) struct Stretch<'s> {
    pub(super) gap: Option<&'s Gap>,
    pub(super) direction: Direction,
    pub(super) wanted: usize,
}

impl Stretch<'_> {
    fn way(&self) -> Way {
        match self.direction {
            Direction::Forward => Way::Up,
            Direction::Backward => Way::Down,
        }
    }

    /// The numbers beyond the gap, where only numbers decide.
    fn numbers(&self) -> (u64, u64) {
        match (self.gap.map(Gap::number), self.direction) {
            (None, _) => (0, u64::MAX),
            (Some(number), Direction::Forward) => (number, u64::MAX),
            (Some(number), Direction::Backward) => (0, number),
        }
    }
}

impl<'t> Reader<'t> {
    /// In order of number. `None` when `budget` rows did not suffice, which can happen to a [`Members::Node`] only.
    pub(super) fn by_number(
        &self,
        members: &Members<'_, '_>,
        stretch: Stretch<'_>,
        budget: u64,
    ) -> Result<Option<Vec<u64>>, StoreError> {
        let (from, to) = stretch.numbers();
        let node = match members {
            Members::Set(set) => return Ok(Some(numbers_of(set, from, to, stretch))),
            Members::Node(node) => node,
        };
        let limit = self.touched().saturating_add(budget);
        let mut found = Vec::new();
        if let Some((index, value)) = self.driver(node)? {
            let alone = matches!(node, Node::Equal(..));
            for row in self.equal(index, value, from, to, stretch.way())? {
                let (_, number) = row?;
                if alone || node.accepts(self.probe(number)?) {
                    found.push(number);
                }
                if found.len() == stretch.wanted {
                    break;
                }
                if self.touched() > limit {
                    return Ok(None);
                }
            }
            return Ok(Some(found));
        }
        for document in self.documents(from, to, stretch.way())? {
            let (number, current) = document?;
            if node.accepts(current.rows) {
                found.push(number);
            }
            if found.len() == stretch.wanted {
                break;
            }
            if self.touched() > limit {
                return Ok(None);
            }
        }
        Ok(Some(found))
    }

    /// The rarest single value that every hit must have.
    fn driver<'f>(&self, node: &Node<'f>) -> Result<Option<(Index, &'f [u8])>, StoreError> {
        let nodes = match node {
            Node::All(nodes) => nodes.as_slice(),
            node => std::slice::from_ref(node),
        };
        let mut best = None;
        for node in nodes {
            if let Node::Equal(index, value) = node {
                let count = self.view.kept_count(*index, value)?.unwrap_or(0);
                if best.is_none_or(|(least, _)| count < least) {
                    best = Some((count, (*index, *value)));
                }
            }
        }
        Ok(best.map(|(_, driver)| driver))
    }

    /// By reading every candidate's rows.
    pub(super) fn by_sorting(
        &self,
        set: &RoaringTreemap,
        order: &Order<'_>,
        stretch: Stretch<'_>,
    ) -> Result<Vec<Position>, StoreError> {
        let mut top = Top::new(order, stretch.direction, stretch.wanted);
        for number in set {
            let position = order.position(number, self.probe(number)?);
            if order.is_beyond(stretch.gap, stretch.direction, &position) {
                top.push(position);
            }
        }
        Ok(top.into_sorted())
    }

    /// By walking the index of the first sort key and looking which documents on the way are members. `None` when `budget` rows did
    /// not suffice.
    pub(super) fn by_index(
        &self,
        members: &Members<'_, '_>,
        order: &Order<'_>,
        stretch: Stretch<'_>,
        budget: u64,
    ) -> Result<Option<Vec<Position>>, StoreError> {
        let mut walk = Walk {
            reader: self,
            members,
            order,
            stretch,
            limit: self.touched().saturating_add(budget),
            found: Vec::new(),
        };
        let complete = match stretch.direction {
            Direction::Forward => walk.with_value()? && walk.without_value()?,
            Direction::Backward => walk.without_value()? && walk.with_value()?,
        };
        Ok(complete.then_some(walk.found))
    }
}

fn numbers_of(set: &RoaringTreemap, from: u64, to: u64, stretch: Stretch<'_>) -> Vec<u64> {
    let mut numbers = set.iter();
    match stretch.direction {
        Direction::Forward => {
            numbers.advance_to(from);
            numbers.take_while(|number| *number < to).take(stretch.wanted).collect()
        }
        Direction::Backward => match to.checked_sub(1) {
            Some(last) => {
                numbers.advance_back_to(last);
                numbers.rev().take_while(|number| *number >= from).take(stretch.wanted).collect()
            }
            None => Vec::new(),
        },
    }
}

struct Walk<'w, 't> {
    reader: &'w Reader<'t>,
    members: &'w Members<'w, 'w>,
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
        let index = self.order.keys[0].index;
        let way = self.way();
        let mut start = match self.stretch.gap.map(|gap| &gap.position.values[0]) {
            None => Bound::Unbounded,
            Some(Some(value)) => Bound::Included(value.to_vec()),
            // The gap is among those without a value, which lie behind all others.
            Some(None) if self.stretch.direction == Direction::Forward => return Ok(true),
            Some(None) => Bound::Unbounded,
        };
        while !self.is_full() {
            let (low, high) = match way {
                Way::Up => (start.as_ref().map(|value| (value.as_slice(), 0)), Bound::Unbounded),
                Way::Down => (Bound::Unbounded, start.as_ref().map(|value| (value.as_slice(), u64::MAX))),
            };
            // Past a group: no row has the number 0 or the highest.
            let (low, high) = match (&start, way) {
                (Bound::Excluded(value), Way::Up) => (Bound::Excluded((value.as_slice(), u64::MAX)), high),
                (Bound::Excluded(value), Way::Down) => (low, Bound::Excluded((value.as_slice(), 0))),
                _ => (low, high),
            };
            match self.groups(index, low, high, way)? {
                Pause::Large(value) => {
                    if !self.large_group(index, &value)? {
                        return Ok(false);
                    }
                    start = Bound::Excluded(value);
                }
                Pause::End => return Ok(true),
                Pause::Spent => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Takes group after group until a large one comes.
    fn groups(
        &mut self,
        index: Index,
        low: Bound<(&[u8], u64)>,
        high: Bound<(&[u8], u64)>,
        way: Way,
    ) -> Result<Pause, StoreError> {
        let mut value: &[u8] = &[];
        let mut group: Vec<u64> = Vec::new();
        for row in self.reader.rows(index, low, high, way)? {
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
    fn large_group(&mut self, index: Index, value: &[u8]) -> Result<bool, StoreError> {
        let alone = self.order.keys.len() == 1;
        let (from, to) = match self.stretch.gap {
            Some(gap) if alone && gap.position.values[0].as_deref() == Some(value) => self.stretch.numbers(),
            _ => (0, u64::MAX),
        };
        let mut top = Top::new(self.order, self.stretch.direction, self.stretch.wanted - self.found.len());
        for row in self.reader.equal(index, value, from, to, self.stretch.way())? {
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
        if matches!(self.members, Members::Node(node) if !node.accepts(rows)) {
            return Ok(None);
        }
        let position = self.order.position(number, rows);
        let counts = position.values[0].as_deref() == Some(value)
            && self.order.is_beyond(self.stretch.gap, self.stretch.direction, &position);
        Ok(counts.then_some(position))
    }

    /// Documents without a row in the index: last in either order.
    fn without_value(&mut self) -> Result<bool, StoreError> {
        if self.is_full() {
            return Ok(true);
        }
        let gap = self.stretch.gap.filter(|gap| gap.position.values[0].is_none());
        if gap.is_none() && self.stretch.gap.is_some() && self.stretch.direction == Direction::Backward {
            return Ok(true);
        }
        let present = Match { index: self.order.keys[0].index, range: Range::full(), test: None };
        let present = Node::Match(&present);
        let set = match self.members {
            Members::Set(set) => {
                let mut set = set.clone();
                self.reader.remove(&mut set, &present)?;
                set
            }
            Members::Node(node) => self.reader.whole_set(&Node::all([(*node).clone(), present.not()].into_iter()))?,
        };
        let stretch = Stretch { gap, wanted: self.stretch.wanted - self.found.len(), ..self.stretch };
        if self.order.keys.len() > 1 {
            self.found.extend(self.reader.by_sorting(&set, self.order, stretch)?);
            return Ok(true);
        }
        let (from, to) = stretch.numbers();
        let positions = numbers_of(&set, from, to, stretch).into_iter();
        self.found.extend(positions.map(|number| Position { values: vec![None], number }));
        Ok(true)
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
