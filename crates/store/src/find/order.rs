//! The order of hits, and cursors as positions between them.

use std::cmp::Ordering;

use super::place::place_of;
use super::{Rows, values};
use crate::fields::Fields;
use crate::{Cursor, Match, SortKey, StoreError, VALUE_MAX};

/// By the sort keys or by the place in ranges, then by number.
pub(crate) struct Order<'f> {
    pub(crate) keys: &'f [SortKey],
    /// Where there are no keys and any order will do: see [`super::place`].
    pub(crate) places: Vec<&'f Match>,
}

/// What decides a document's place: for each key its value, if it has one, or else its place in the ranges if that counts, and its
/// number.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Position {
    pub(crate) values: Vec<Option<Box<[u8]>>>,
    pub(crate) number: u64,
}

/// A place between two neighbors: just before or just after a position, whether or not a document is still there.
#[derive(Clone, Debug)]
pub(crate) struct Gap {
    pub(crate) position: Position,
    pub(crate) side: Side,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Side {
    Before,
    After,
}

/// Which way a page is gathered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Direction {
    Forward,
    Backward,
}

impl Direction {
    pub(crate) fn reverse(self) -> Direction {
        match self {
            Direction::Forward => Direction::Backward,
            Direction::Backward => Direction::Forward,
        }
    }
}

impl Order<'_> {
    pub(crate) fn position<'r>(&self, number: u64, rows: impl Rows<'r>) -> Position {
        if !self.places.is_empty() {
            return Position { values: vec![place_of(&self.places, &rows)], number };
        }
        let value = |key: &SortKey| match key.indexes.as_slice() {
            [index] if key.descending => values(&rows, *index).last(),
            [index] => values(&rows, *index).next(),
            // All types together have an index each: rows are gone through once, not once for each of those.
            indexes => {
                let values = rows.clone().filter(|(index, _)| indexes.contains(index)).map(|(_, value)| value);
                if key.descending { values.max() } else { values.min() }
            }
        };
        Position { values: self.keys.iter().map(|key| value(key).map(Box::from)).collect(), number }
    }

    pub(crate) fn compare(&self, a: &Position, b: &Position) -> Ordering {
        for (at, values) in a.values.iter().zip(&b.values).enumerate() {
            let descends = self.keys.get(at).is_some_and(|key| key.descending);
            let ordering = match values {
                (None, None) => Ordering::Equal,
                (None, Some(_)) => Ordering::Greater,
                (Some(_), None) => Ordering::Less,
                (Some(a), Some(b)) if descends => b.cmp(a),
                (Some(a), Some(b)) => a.cmp(b),
            };
            if ordering != Ordering::Equal {
                return ordering;
            }
        }
        a.number.cmp(&b.number)
    }

    pub(crate) fn compare_towards(&self, direction: Direction, a: &Position, b: &Position) -> Ordering {
        match direction {
            Direction::Forward => self.compare(a, b),
            Direction::Backward => self.compare(b, a),
        }
    }

    /// Whether a position lies beyond the gap when one goes in this direction.
    pub(crate) fn is_beyond(&self, gap: Option<&Gap>, direction: Direction, position: &Position) -> bool {
        let Some(gap) = gap else { return true };
        let after = match self.compare(position, &gap.position) {
            Ordering::Less => false,
            Ordering::Equal => gap.side == Side::Before,
            Ordering::Greater => true,
        };
        after == (direction == Direction::Forward)
    }
}

impl Gap {
    /// The lowest number after the gap, where only numbers decide.
    pub(crate) fn number(&self) -> u64 {
        match self.side {
            Side::Before => self.position.number,
            Side::After => self.position.number.saturating_add(1),
        }
    }

    /// The side, the number, and for each key whether there is a value, its length in two bytes and the value.
    pub(crate) fn to_cursor(&self) -> Cursor {
        let mut bytes = vec![match self.side {
            Side::Before => 0,
            Side::After => 1,
        }];
        bytes.extend(self.position.number.to_be_bytes());
        for value in &self.position.values {
            bytes.push(u8::from(value.is_some()));
            if let Some(value) = value {
                bytes.extend((value.len() as u16).to_be_bytes());
                bytes.extend(value);
            }
        }
        Cursor(bytes)
    }

    /// Of a search with so many keys, or by places.
    pub(crate) fn from_cursor(cursor: &Cursor, keys: usize, by_place: bool) -> Result<Gap, StoreError> {
        Gap::decode(&cursor.0, keys)
            .or_else(|| Gap::decode(&cursor.0, 1).filter(|_| by_place))
            .ok_or_else(|| StoreError::Misuse("the cursor is not one of a search with this sort".to_owned()))
    }

    fn decode(bytes: &[u8], keys: usize) -> Option<Gap> {
        let mut fields = Fields(bytes);
        let side = match fields.u8()? {
            0 => Side::Before,
            1 => Side::After,
            _ => return None,
        };
        let number = fields.u64()?;
        let mut values = Vec::new();
        for _ in 0..keys {
            values.push(match fields.u8()? {
                0 => None,
                _ => {
                    let length = usize::from(fields.u16()?);
                    Some(Box::from(fields.take(length).filter(|value| value.len() <= 1 + VALUE_MAX)?))
                }
            });
        }
        fields.0.is_empty().then_some(Gap { position: Position { values, number }, side })
    }
}

/// The first positions of many, in memory for about twice as many as are wanted.
pub(crate) struct Top<'o> {
    order: &'o Order<'o>,
    direction: Direction,
    wanted: usize,
    positions: Vec<Position>,
}

impl<'o> Top<'o> {
    pub(crate) fn new(order: &'o Order<'o>, direction: Direction, wanted: usize) -> Top<'o> {
        Top { order, direction, wanted, positions: Vec::new() }
    }

    pub(crate) fn push(&mut self, position: Position) {
        self.positions.push(position);
        if self.positions.len() >= self.wanted.saturating_mul(2).max(64) {
            self.prune();
        }
    }

    pub(crate) fn into_sorted(mut self) -> Vec<Position> {
        self.prune();
        self.positions
    }

    fn prune(&mut self) {
        self.positions.sort_unstable_by(|a, b| self.order.compare_towards(self.direction, a, b));
        self.positions.truncate(self.wanted);
    }
}
