//! Gathering a stretch of the order by walking rows: those of the first sort key, or those of the ranges asked for.
//!
//! A document is met at that of its rows which comes first on the way, but may belong where another one is, later. Until the walk is there,
//! it is kept.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::ops::Bound;

use mongodb::bson::doc;

use super::condition::Condition;
use super::lane::{Lane, Passed, Stream, Way};
use super::page::numbers;
use super::reader::{Met, Query, Reader};
use super::sieve::{Sieve, each_of};
use crate::find::{Direction, Order, Position, Stretch};
use crate::mongodb::text;
use crate::{Index, StoreError};

/// Documents of one value that a walk keeps before it asks for just those that it needs; at least so many more than are wanted.
const GROUP_MAX: usize = 64;
const GROUP_LEAST: usize = 8;

/// How many documents a walk keeps before it gives up.
const KEPT_MAX: usize = 200_000;

pub(super) struct Walk<'w, 'o> {
    pub(super) order: &'w Order<'o>,
    pub(super) stretch: Stretch<'w>,
    pub(super) way: Way,
    /// Where to walk. With several, a document counts in the one where it is met first.
    pub(super) lanes: Vec<Lane>,
    /// Which of [`Order::places`] it is.
    pub(super) place: Option<usize>,
}

impl Walk<'_, '_> {
    /// The next positions, as many as are wanted if there are; `None` where too many would have to be kept.
    pub(super) fn run(
        mut self,
        reader: &mut Reader<'_>,
        sieve: &mut Sieve<'_>,
    ) -> Result<Option<Vec<Position>>, StoreError> {
        let mut found = Vec::new();
        if let Some((value, number)) = self.start() {
            if self.stretch.direction == Direction::Backward && self.order.keys.len() <= 1 {
                // Those of the same value are found by their numbers: on the way all of them would be met.
                self.large_group(reader, sieve, &value, &mut found)?;
                if found.len() >= self.stretch.wanted {
                    return Ok(Some(found));
                }
                self.start_at(Bound::Excluded(value), None);
            } else {
                let number = self.is_in_order().then_some(number);
                self.start_at(Bound::Included(value), number);
            }
        }
        loop {
            let group = match self.stretch(reader, sieve, &mut found)? {
                Pause::End => return Ok(Some(found)),
                Pause::Kept => return Ok(None),
                Pause::Large(value) => value,
            };
            self.large_group(reader, sieve, &group, &mut found)?;
            if found.len() >= self.stretch.wanted {
                return Ok(Some(found));
            }
            self.start_at(Bound::Excluded(group), None);
        }
    }

    /// Whether documents are met in just the order that is wanted.
    fn is_in_order(&self) -> bool {
        self.stretch.direction == Direction::Forward && self.order.keys.len() <= 1
    }

    /// The value and number at the gap, if it is on this walk.
    fn start(&self) -> Option<(Vec<u8>, u64)> {
        let gap = self.stretch.gap?;
        let value = self.value_of(&gap.position)?;
        Some((value.to_vec(), gap.number()))
    }

    fn start_at(&mut self, start: Bound<Vec<u8>>, number: Option<u64>) {
        for lane in &mut self.lanes {
            lane.start_at(self.way, start.clone(), number);
        }
    }

    /// The value of the row where a position is; `None` where that is not on this walk.
    fn value_of<'p>(&self, position: &'p Position) -> Option<&'p [u8]> {
        let value = position.values.first()?.as_deref()?;
        match self.place {
            None => Some(value),
            Some(place) => value.split_first().filter(|(at, _)| usize::from(**at) == place).map(|(_, value)| value),
        }
    }

    /// Where a document belongs that was met in a lane, if it counts there and belongs into the stretch.
    fn passed(&self, lane: &Lane, met: &Met) -> Option<Passed> {
        let mut first: Option<(Index, &[u8])> = None;
        for other in &self.lanes {
            if let Some(value) = other.first(met, self.way)
                && first.is_none_or(|(_, first)| self.way.compare(value, first).is_lt())
            {
                first = Some((other.index, value));
            }
        }
        let (_, value) = first.filter(|(index, _)| *index == lane.index)?;
        let position = self.position(met)?;
        Some((value.into(), position))
    }

    fn position(&self, met: &Met) -> Option<Position> {
        let position = self.order.position(met.number, met.pairs());
        self.value_of(&position)?;
        self.order.is_beyond(self.stretch.gap, self.stretch.direction, &position).then_some(position)
    }

    /// Walks from the start of the lanes on, until there is enough or a large group of one value.
    fn stretch(
        &self,
        reader: &mut Reader<'_>,
        sieve: &mut Sieve<'_>,
        found: &mut Vec<Position>,
    ) -> Result<Pause, StoreError> {
        let wanted = self.stretch.wanted;
        let place = |lane: &Lane, met: &Met| self.passed(lane, met);
        // Of several lanes most of what is read may not be needed.
        let carries = reader.carries() && self.is_in_order() && self.lanes.len() == 1;
        let mut streams = Vec::with_capacity(self.lanes.len());
        for lane in &self.lanes {
            let mut stream = Stream::open(reader, sieve, lane, self.way, (wanted - found.len(), carries))?;
            stream.fill(reader, sieve, &place)?;
            streams.push(stream);
        }
        let mut kept = BinaryHeap::new();
        let mut group = (Box::from([].as_slice()), 0);
        while let Some(stream) = self.next(&mut streams) {
            let Some((value, position)) = stream.take() else { break };
            stream.fill(reader, sieve, &place)?;
            if self.is_in_order() {
                found.push(position);
                if found.len() >= wanted {
                    return Ok(Pause::End);
                }
                continue;
            }
            self.release(&mut kept, Some(&value), found);
            if found.len() >= wanted {
                return Ok(Pause::End);
            }
            kept.push(Kept { order: self.order, direction: self.stretch.direction, position });
            group = if group.0 == value { (value, group.1 + 1) } else { (value, 1) };
            if group.1 > GROUP_MAX.min(GROUP_LEAST + wanted) && self.order.keys.len() <= 1 {
                return Ok(Pause::Large(group.0.into()));
            }
            if kept.len() > KEPT_MAX {
                return Ok(Pause::Kept);
            }
        }
        self.release(&mut kept, None, found);
        Ok(Pause::End)
    }

    /// The stream whose document comes next.
    fn next<'s>(&self, streams: &'s mut [Stream]) -> Option<&'s mut Stream> {
        let compare = |a: &Stream, b: &Stream| match (a.peek(), b.peek()) {
            (Some(a), Some(b)) => self.way.compare(&a.0, &b.0).then(a.1.number.cmp(&b.1.number)),
            (a, b) => a.is_none().cmp(&b.is_none()),
        };
        let next = streams.iter_mut().min_by(|a, b| compare(a, b))?;
        next.peek().is_some().then_some(next)
    }

    /// Takes those kept that belong before a value, or all, until there is enough.
    fn release(&self, kept: &mut BinaryHeap<Kept<'_, '_>>, before: Option<&[u8]>, found: &mut Vec<Position>) {
        while found.len() < self.stretch.wanted
            && let Some(next) = kept.peek()
            && before.is_none_or(|before| {
                self.value_of(&next.position).is_none_or(|value| self.way.compare(value, before).is_lt())
            })
        {
            found.extend(kept.pop().map(|kept| kept.position));
        }
    }

    /// Takes those that belong at one value, in order of their numbers, as many as are needed.
    fn large_group(
        &self,
        reader: &mut Reader<'_>,
        sieve: &mut Sieve<'_>,
        value: &[u8],
        found: &mut Vec<Position>,
    ) -> Result<(), StoreError> {
        let texts = self.lanes.iter().map(|lane| text::of_row(lane.index, value)).collect();
        let Some(rows) = Condition::having_one_of(texts).into_query() else { return Ok(()) };
        let mut parts = vec![rows, sieve.query.clone()];
        if let Some(gap) = self.stretch.gap
            && self.value_of(&gap.position) == Some(value)
        {
            parts.push(numbers(&self.stretch));
        }
        let query = Query::new(doc! { "$and": parts }, Met::projection());
        let backward = self.stretch.direction == Direction::Backward;
        let batch = self.stretch.wanted.saturating_add(1);
        each_of(reader, sieve, Query { by_number: Some(backward), batch, ..query }, |_, met| {
            let position = self.position(&met);
            found.extend(position.filter(|position| self.value_of(position) == Some(value)));
            Ok(found.len() < self.stretch.wanted)
        })
    }
}

/// Why a walk stopped.
enum Pause {
    /// There is enough, or nothing is left.
    End,
    /// Many have this value. None of those was taken.
    Large(Vec<u8>),
    /// Too many would have to be kept.
    Kept,
}

/// The first position in order is the greatest.
struct Kept<'w, 'o> {
    order: &'w Order<'o>,
    direction: Direction,
    position: Position,
}

impl Ord for Kept<'_, '_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order.compare_towards(self.direction, &other.position, &self.position)
    }
}

impl PartialOrd for Kept<'_, '_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Kept<'_, '_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Kept<'_, '_> {}
