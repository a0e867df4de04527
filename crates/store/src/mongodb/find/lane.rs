//! A stretch of the rows of one index, in their order.
//!
//! There are two indexes of rows: in one values ascend, in the other they descend, and numbers ascend in both. The database shows a
//! document once in a stretch: at that of its rows which comes first.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::ops::Bound;

use mongodb::bson::{Bson, doc};

use super::condition::after;
use super::hits::Carried;
use super::reader::{BATCH, IndexStretch, Met, Query, Reader};
use super::sieve::Sieve;
use crate::find::Position;
use crate::mongodb::layout::{ROWS_DOWN, ROWS_UP, is_current};
use crate::mongodb::text;
use crate::mongodb::view::Cursor;
use crate::{Index, Range, StoreError};

/// How many documents are checked at once.
const CHECKED: usize = 64;

/// How many times as many documents the next piece of a lane has.
const PIECES: usize = 2;

/// Which way values go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Way {
    Up,
    Down,
}

impl Way {
    /// How values follow each other on this way.
    pub(super) fn compare(self, a: &[u8], b: &[u8]) -> Ordering {
        match self {
            Way::Up => a.cmp(b),
            Way::Down => b.cmp(a),
        }
    }
}

/// Which rows.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    pub(super) index: Index,
    pub(super) range: Range,
    /// The lowest number at the value where it starts.
    pub(super) number: Option<u64>,
}

impl Lane {
    /// That one of a document's values which comes first.
    pub(super) fn first<'m>(&self, met: &'m Met, way: Way) -> Option<&'m [u8]> {
        let start = match (way, &self.range) {
            (Way::Up, Range { low: Bound::Included(start), .. }) => Some(start.as_slice()),
            (Way::Down, Range { high: Bound::Included(start), .. }) => Some(start.as_slice()),
            _ => None,
        };
        let is_before = |value: &[u8]| Some(value) == start && self.number.is_some_and(|number| met.number < number);
        let mut rows = met.rows.iter().filter(|row| row.index == self.index).map(|row| row.value.as_slice());
        let is_in = |value: &&[u8]| self.range.contains(value) && !is_before(value);
        match way {
            Way::Up => rows.find(is_in),
            Way::Down => rows.rev().find(is_in),
        }
    }

    /// Leaves what comes after a value, or after a number at that value.
    pub(super) fn start_at(&mut self, way: Way, start: Bound<Vec<u8>>, number: Option<u64>) {
        self.number = number;
        match way {
            Way::Up => self.range.low = start,
            Way::Down => self.range.high = start,
        }
    }

    /// `None` where it is empty.
    pub(super) fn stretch(&self, way: Way) -> Option<IndexStretch> {
        let at = |value: &Vec<u8>, number| (text::of_row(self.index, value), number);
        let start = self.number.map_or(Place::Before, Place::At);
        let (start_of, end_of) = match way {
            Way::Up => (&self.range.low, &self.range.high),
            Way::Down => (&self.range.high, &self.range.low),
        };
        let (before, behind) = match way {
            Way::Up => ((text::of_index(self.index), Place::Before), (after(self.index), Place::Before)),
            Way::Down => ((after(self.index), Place::Before), (text::of_index(self.index), Place::Behind)),
        };
        let from = match start_of {
            Bound::Included(value) => at(value, start),
            Bound::Excluded(value) => at(value, Place::Behind),
            Bound::Unbounded => before,
        };
        let to = match end_of {
            Bound::Included(value) => at(value, Place::Behind),
            Bound::Excluded(value) => at(value, Place::Before),
            Bound::Unbounded => behind,
        };
        let order = way.compare(from.0.as_bytes(), to.0.as_bytes()).then(from.1.cmp(&to.1));
        let index = if way == Way::Up { ROWS_UP } else { ROWS_DOWN };
        let end = |(text, place): (String, Place)| doc! { "r": text, "n": Bson::from(place) };
        order.is_lt().then(|| IndexStretch { index, from: end(from), to: end(to) })
    }
}

/// A place among the rows of one value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Before,
    At(u64),
    Behind,
}

impl From<Place> for Bson {
    fn from(place: Place) -> Bson {
        match place {
            Place::Before => Bson::MinKey,
            Place::At(number) => Bson::Int64(i64::try_from(number).unwrap_or(i64::MAX)),
            Place::Behind => Bson::MaxKey,
        }
    }
}

/// A document on the way: the value at which it was met, and where it belongs.
pub(super) type Passed = (Box<[u8]>, Position);

/// A lane that is being walked, piece by piece where nothing is checked here: a query that ends by itself leaves nothing to be closed.
pub(super) struct Stream {
    lane: Lane,
    way: Way,
    cursor: Option<Cursor>,
    waiting: VecDeque<Passed>,
    /// The piece that is read: the lane, or what is left of it.
    rest: Lane,
    /// Where that is: value and number, which never go back.
    last: Option<(Box<[u8]>, u64)>,
    /// How many documents the piece has at most; `None` where it is all that is left.
    piece: Option<usize>,
    /// How many of them were read.
    read: usize,
    /// Whether what is shown of hits is read with them.
    carries: bool,
}

impl Stream {
    /// `wanted` documents may be enough. `carries` says that nearly all of them will be shown.
    pub(super) fn open(
        reader: &mut Reader<'_>,
        sieve: &Sieve<'_>,
        lane: &Lane,
        way: Way,
        (wanted, carries): (usize, bool),
    ) -> Result<Stream, StoreError> {
        let is_whole = sieve.checks.is_empty();
        // One more shows which comes next.
        let wanted = wanted.saturating_add(1);
        let mut stream = Stream {
            lane: lane.clone(),
            way,
            cursor: None,
            waiting: VecDeque::new(),
            rest: lane.clone(),
            last: None,
            piece: is_whole.then_some(wanted.min(BATCH)),
            read: 0,
            carries: carries && is_whole,
        };
        stream.cursor = stream.query(reader, sieve, wanted)?;
        Ok(stream)
    }

    /// What is in the piece; `None` where that is empty.
    fn query(&self, reader: &mut Reader<'_>, sieve: &Sieve<'_>, batch: usize) -> Result<Option<Cursor>, StoreError> {
        reader.index = Some(self.lane.index);
        let Some(stretch) = self.rest.stretch(self.way) else { return Ok(None) };
        let projection = match self.carries {
            true => Carried::projection(),
            false => Met::projection(),
        };
        let filter = doc! { "$and": [is_current(), sieve.query.clone()] };
        let query = Query { stretch: Some(stretch), limit: self.piece, batch, ..Query::new(filter, projection) };
        reader.find(query).map(Some)
    }

    /// Begins the next piece, if there is one.
    fn go_on(&mut self, reader: &mut Reader<'_>, sieve: &Sieve<'_>) -> Result<(), StoreError> {
        self.cursor = None;
        let (Some(piece), Some((value, number))) = (self.piece, &self.last) else { return Ok(()) };
        if self.read < piece {
            return Ok(());
        }
        self.rest.start_at(self.way, Bound::Included(value.to_vec()), Some(number + 1));
        let next = piece.saturating_mul(PIECES).min(BATCH);
        (self.piece, self.read) = (Some(next), 0);
        self.cursor = self.query(reader, sieve, next)?;
        Ok(())
    }

    pub(super) fn peek(&self) -> Option<&Passed> {
        self.waiting.front()
    }

    pub(super) fn take(&mut self) -> Option<Passed> {
        self.waiting.pop_front()
    }

    /// Sees to it that the next document which passes the sieve and has a place is there to [`Stream::peek`] at, unless there is none.
    pub(super) fn fill(
        &mut self,
        reader: &mut Reader<'_>,
        sieve: &mut Sieve<'_>,
        place: &dyn Fn(&Lane, &Met) -> Option<Passed>,
    ) -> Result<(), StoreError> {
        let batch = if sieve.checks.is_empty() { 1 } else { CHECKED };
        while self.waiting.is_empty()
            && let Some(cursor) = &mut self.cursor
        {
            reader.index = Some(self.lane.index);
            let mut all = Vec::new();
            let mut is_over = false;
            while all.len() < batch {
                let Some(document) = reader.next(cursor)? else {
                    is_over = true;
                    break;
                };
                self.read += 1;
                let met = Met::of_document(document)?;
                let (value, number) = follow(&self.rest, self.way, self.last.take(), &met)?;
                // What an earlier piece has shown comes again at a further row.
                let is_new = self.lane.first(&met, self.way) == Some(&value);
                self.last = Some((value, number));
                if !is_new {
                    continue;
                }
                if self.carries {
                    reader.carry(document)?;
                }
                all.push(met);
            }
            if is_over {
                self.go_on(reader, sieve)?;
            }
            all.retain(|met| place(&self.lane, met).is_some());
            sieve.sift(reader, &mut all)?;
            self.waiting.extend(all.iter().filter_map(|met| place(&self.lane, met)));
        }
        Ok(())
    }
}

/// Makes sure that the database shows documents in the order of the index, which it does not promise where it is told which index to walk.
fn follow(lane: &Lane, way: Way, last: Option<(Box<[u8]>, u64)>, met: &Met) -> Result<(Box<[u8]>, u64), StoreError> {
    let out_of_order = || StoreError::Engine("the database walks an index out of order".to_owned());
    let value = lane.first(met, way).ok_or_else(out_of_order)?;
    match last {
        Some((before, number)) if way.compare(&before, value).then(number.cmp(&met.number)).is_ge() => {
            Err(out_of_order())
        }
        _ => Ok((value.into(), met.number)),
    }
}
