//! Reading ranges of index rows, and what that costs.

use std::cell::{Cell, RefCell};
use std::ops::Bound;
use std::rc::Rc;
use std::time::Instant;

use heed::types::Bytes;
use heed::{Comparator, DefaultComparator, RoRange, RoRevRange};
use roaring::RoaringTreemap;
use rustc_hash::FxHashMap;

use super::gather::Gathering;
use super::guess::Guess;
use crate::embedded::layout::{Current, Packed, push_row_key, split_row};
use crate::embedded::tables::{RowOrder, View, damaged};
use crate::find::Direction;
use crate::{Find, Index, Limit, Match, Range, Step, StoreError, TooCostly, VALUE_MAX};

/// How many rows are touched between looks at the clock.
const CLOCK_ROWS: u64 = 1024;

/// How many of the documents that were looked at are remembered.
const PROBED_MAX: usize = 1024;

/// So many values are a long list.
const LIST: usize = 64;

/// Reads for one search and counts what it touches.
pub(super) struct Reader<'t> {
    pub(super) view: View<'t>,
    /// The sample that sets are made of; `None` for all documents. What is looked up of a document is the same in both.
    level: Option<u8>,
    /// Whether it sees nothing but what is committed.
    pub(super) is_committed: bool,
    touched: Cell<u64>,
    /// How many rows may be touched, and the limit that was set for the whole search.
    rows_max: u64,
    limit: u64,
    until: Option<Instant>,
    /// How many rows may be touched before the next look at the clock.
    next_look: Cell<u64>,
    /// What was done, where that is wanted.
    plan: Option<RefCell<Vec<Step>>>,
    /// Documents that were looked at, up to [`PROBED_MAX`]: those of the page are looked at again.
    probed: RefCell<FxHashMap<u64, Current<'t>>>,
    /// What samples said about ranges, so that each is looked at once.
    pub(super) ranges: Rc<RefCell<FxHashMap<Match, Guess>>>,
}

/// The rows of one index in a range of values, in either direction: each one's value and number.
pub(super) struct Rows<'r, 't> {
    reader: &'r Reader<'t>,
    index: Index,
    /// Keys begin with a level.
    is_sample: bool,
    entries: Entries<'t, RowOrder>,
}

/// Current documents in a range of numbers, in either direction.
pub(super) struct Documents<'r, 't> {
    reader: &'r Reader<'t>,
    entries: Entries<'t, DefaultComparator>,
}

enum Entries<'t, C> {
    Up(RoRange<'t, Bytes, Bytes, C>),
    Down(RoRevRange<'t, Bytes, Bytes, C>),
}

impl<'t, C: Comparator> Iterator for Entries<'t, C> {
    type Item = heed::Result<(&'t [u8], &'t [u8])>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Entries::Up(entries) => entries.next(),
            Entries::Down(entries) => entries.next(),
        }
    }
}

/// Which way rows are read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Way {
    Up,
    Down,
}

impl From<Direction> for Way {
    fn from(direction: Direction) -> Way {
        match direction {
            Direction::Forward => Way::Up,
            Direction::Backward => Way::Down,
        }
    }
}

impl<'t> Reader<'t> {
    pub(super) fn new(view: View<'t>, find: &Find) -> Reader<'t> {
        Reader {
            view,
            level: None,
            is_committed: false,
            touched: Cell::new(0),
            rows_max: find.rows_max,
            limit: find.rows_max,
            until: find.until,
            next_look: Cell::new(CLOCK_ROWS),
            plan: find.explain.then(RefCell::default),
            probed: RefCell::default(),
            ranges: Rc::default(),
        }
    }

    /// A reader of the documents in the sample of a level. [`Reader::spend`] takes what it has touched.
    pub(super) fn sample(&self, level: u8) -> Reader<'t> {
        self.part(Some(level), u64::MAX)
    }

    /// A reader of this or another population that may touch so many of the rows that are left, and tells nothing of its plan.
    fn part(&self, level: Option<u8>, rows: u64) -> Reader<'t> {
        Reader {
            view: self.view,
            is_committed: self.is_committed,
            level,
            touched: Cell::new(0),
            rows_max: rows.min(self.rows_max - self.touched()),
            limit: self.limit,
            until: self.until,
            next_look: Cell::new(CLOCK_ROWS),
            plan: None,
            probed: RefCell::default(),
            ranges: self.ranges.clone(),
        }
    }

    /// Counts what another reader has touched.
    pub(super) fn spend(&self, other: Reader<'t>) -> Result<(), StoreError> {
        self.touched.set(self.touched() + other.touched());
        self.look_at_clock(None)
    }

    /// What `read` finds in a population; `None` when so many rows, or those that are left, do not suffice.
    pub(super) fn attempt<T>(
        &self,
        level: Option<u8>,
        rows: u64,
        read: impl FnOnce(&Reader<'t>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let part = self.part(level, rows);
        let found = read(&part);
        self.spend(part)?;
        match found {
            Ok(found) => Ok(Some(found)),
            Err(StoreError::TooCostly(TooCostly { limit: Limit::Rows(_), .. })) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn level(&self) -> Option<u8> {
        self.level
    }

    /// Tells what was done since `start` rows had been touched.
    pub(super) fn note(&self, verb: &'static str, index: Option<Index>, start: u64, left: impl Into<Option<u64>>) {
        if let Some(plan) = &self.plan {
            plan.borrow_mut().push(Step { verb, index, rows: self.touched() - start, left: left.into() });
        }
    }

    pub(super) fn into_plan(self) -> Vec<Step> {
        self.plan.map_or(Vec::new(), RefCell::into_inner)
    }

    pub(super) fn touched(&self) -> u64 {
        self.touched.get()
    }

    /// Counts a row of an index, or a document.
    pub(super) fn touch(&self, index: Option<Index>) -> Result<(), StoreError> {
        let touched = self.touched.get() + 1;
        if touched > self.rows_max {
            return Err(StoreError::TooCostly(TooCostly { index, limit: Limit::Rows(self.limit) }));
        }
        self.touched.set(touched);
        self.look_at_clock(index)
    }

    /// Refuses to go on with this index when the time is over, at every so many rows.
    fn look_at_clock(&self, index: Option<Index>) -> Result<(), StoreError> {
        if self.touched() < self.next_look.get() {
            return Ok(());
        }
        self.next_look.set(self.touched() + CLOCK_ROWS);
        match self.until {
            Some(until) if Instant::now() >= until => {
                Err(StoreError::TooCostly(TooCostly { index, limit: Limit::Time }))
            }
            _ => Ok(()),
        }
    }

    /// Rows between two bounds on (value, number).
    pub(super) fn rows<'r>(
        &'r self,
        index: Index,
        low: RowBound<'_>,
        high: RowBound<'_>,
        way: Way,
    ) -> Result<Rows<'r, 't>, StoreError> {
        self.entries(None, index, low, high, way)
    }

    /// Rows of this population that lie in the range, whether or not they pass the test.
    pub(super) fn range<'r>(&'r self, wanted: &Match) -> Result<Rows<'r, 't>, StoreError> {
        let (low, high) = row_bounds(&wanted.range);
        self.entries(self.level, wanted.index, low, high, Way::Up)
    }

    fn entries<'r>(
        &'r self,
        level: Option<u8>,
        index: Index,
        low: RowBound<'_>,
        high: RowBound<'_>,
        way: Way,
    ) -> Result<Rows<'r, 't>, StoreError> {
        let key = |index, value: &[u8], number| {
            let mut key = Vec::with_capacity(13 + value.len());
            key.extend(level);
            push_row_key(&mut key, index, value, number);
            key
        };
        let low = match low.map(|(value, number)| key(index, value, number)) {
            Bound::Unbounded => Bound::Included(key(index, &[], 0)),
            bound => bound,
        };
        let high = match (high.map(|(value, number)| key(index, value, number)), index.0.checked_add(1), level) {
            (Bound::Unbounded, Some(next), _) => Bound::Excluded(key(Index(next), &[], 0)),
            (Bound::Unbounded, None, Some(level)) => Bound::Excluded(vec![level + 1]),
            (bound, _, _) => bound,
        };
        let range = (low.as_ref().map(Vec::as_slice), high.as_ref().map(Vec::as_slice));
        let View { txn, tables } = self.view;
        let table = if level.is_some() { tables.samples } else { tables.rows };
        let entries = match way {
            Way::Up => Entries::Up(table.range(txn, &range)?),
            Way::Down => Entries::Down(table.rev_range(txn, &range)?),
        };
        Ok(Rows { reader: self, index, is_sample: level.is_some(), entries })
    }

    /// The rows of one value whose numbers lie in `from..to`.
    pub(super) fn equal<'r>(
        &'r self,
        index: Index,
        value: &[u8],
        from: u64,
        to: u64,
        way: Way,
    ) -> Result<Rows<'r, 't>, StoreError> {
        self.rows(index, Bound::Included((value, from)), Bound::Excluded((value, to.max(from))), way)
    }

    /// The rows of one value that documents of this population have whose numbers lie in `from..to`.
    pub(super) fn having_between<'r>(
        &'r self,
        (index, value): (Index, &[u8]),
        from: u64,
        to: u64,
        way: Way,
    ) -> Result<Rows<'r, 't>, StoreError> {
        let (low, high) = (Bound::Included((value, from)), Bound::Excluded((value, to.max(from))));
        self.entries(self.level, index, low, high, way)
    }

    /// The documents with a row that fits; `None` when that takes more than `budget` rows.
    pub(super) fn matching(&self, wanted: &Match, budget: u64) -> Result<Option<RoaringTreemap>, StoreError> {
        let mut gathering = Gathering::default();
        let mut read = 0;
        for row in self.range(wanted)? {
            let (value, number) = row?;
            read += 1;
            if read > budget {
                return Ok(None);
            }
            if wanted.test.as_ref().is_none_or(|test| test.accepts(value)) {
                gathering.push(number);
            }
        }
        Ok(Some(gathering.into_set()))
    }

    /// How many rows fit.
    pub(super) fn count_matching(&self, wanted: &Match) -> Result<u64, StoreError> {
        let mut count = 0;
        for row in self.range(wanted)? {
            let (value, _) = row?;
            count += u64::from(wanted.test.as_ref().is_none_or(|test| test.accepts(value)));
        }
        Ok(count)
    }

    /// The documents with a row of one of these values; `None` when they have more rows than `budget`.
    pub(super) fn having(
        &self,
        index: Index,
        values: &[&[u8]],
        budget: u64,
    ) -> Result<Option<RoaringTreemap>, StoreError> {
        let mut gathering = Gathering::default();
        let mut left = budget;
        for value in values {
            // What is known to be too much is not begun; in a long list that is looked for as it comes.
            if self.level.is_none()
                && budget < u64::MAX
                && values.len() < LIST
                && self.view.kept_count(index, value)?.is_some_and(|count| count > left)
            {
                return Ok(None);
            }
            for row in self.having_between((index, value), 0, u64::MAX, Way::Up)? {
                let (_, number) = row?;
                let Some(rest) = left.checked_sub(1) else { return Ok(None) };
                left = rest;
                gathering.push(number);
            }
        }
        Ok(Some(gathering.into_set()))
    }

    /// How many documents have exactly this row.
    pub(super) fn count(&self, index: Index, value: &[u8]) -> Result<u64, StoreError> {
        if let Some(count) = self.view.kept_count(index, value)? {
            return Ok(count);
        }
        let mut count = 0;
        for row in self.equal(index, value, 0, u64::MAX, Way::Up)? {
            row?;
            count += 1;
        }
        Ok(count)
    }

    /// Current documents whose numbers lie in `from..to`.
    pub(super) fn documents<'r>(&'r self, from: u64, to: u64, way: Way) -> Result<Documents<'r, 't>, StoreError> {
        let (from, to) = (from.to_be_bytes(), to.max(from).to_be_bytes());
        let range = (Bound::Included(from.as_slice()), Bound::Excluded(to.as_slice()));
        let View { txn, tables } = self.view;
        let entries = match way {
            Way::Up => Entries::Up(tables.current.range(txn, &range)?),
            Way::Down => Entries::Down(tables.current.rev_range(txn, &range)?),
        };
        Ok(Documents { reader: self, entries })
    }

    /// Counts a look at a document.
    pub(super) fn touch_document(&self) -> Result<(), StoreError> {
        self.touch(None)
    }

    /// One current document's rows.
    pub(super) fn probe(&self, number: u64) -> Result<Packed<'t>, StoreError> {
        self.touch_document()?;
        let current = self.view.current(number)?.ok_or_else(|| damaged("current"))?;
        let mut probed = self.probed.borrow_mut();
        if probed.len() < PROBED_MAX {
            probed.insert(number, current);
        }
        Ok(current.rows)
    }

    /// One current document, for the page.
    pub(super) fn current(&self, number: u64) -> Result<Current<'t>, StoreError> {
        match self.probed.borrow().get(&number) {
            Some(current) => Ok(*current),
            None => self.view.current(number)?.ok_or_else(|| damaged("current")),
        }
    }
}

impl<'t> Iterator for Rows<'_, 't> {
    type Item = Result<(&'t [u8], u64), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = |(key, _): (&'t [u8], _)| {
            self.reader.touch(Some(self.index))?;
            let key = if self.is_sample { key.get(1..).unwrap_or_default() } else { key };
            let (_, value, number) = split_row(key).ok_or_else(|| damaged("rows"))?;
            Ok((value, number))
        };
        self.entries.next().map(|entry| entry.map_err(StoreError::from).and_then(row))
    }
}

impl<'t> Iterator for Documents<'_, 't> {
    type Item = Result<(u64, Current<'t>), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let document = |(key, record): (&'t [u8], &'t [u8])| {
            self.reader.touch(None)?;
            let number = key.try_into().map(u64::from_be_bytes).map_err(|_| damaged("current"))?;
            Ok((number, Current::decode(record).ok_or_else(|| damaged("current"))?))
        };
        self.entries.next().map(|entry| entry.map_err(StoreError::from).and_then(document))
    }
}

/// A bound on a row: a value and a number.
pub(super) type RowBound<'v> = Bound<(&'v [u8], u64)>;

/// Bounds on rows from bounds on values. No row's value is longer than [`VALUE_MAX`], so a longer bound is the same as its first bytes:
/// all values up to those are below it, and all others above.
pub(super) fn row_bounds(range: &Range) -> (RowBound<'_>, RowBound<'_>) {
    let low = match &range.low {
        Bound::Unbounded => Bound::Unbounded,
        Bound::Included(low) | Bound::Excluded(low) if low.len() > VALUE_MAX => {
            Bound::Excluded((&low[..VALUE_MAX], u64::MAX))
        }
        Bound::Included(low) => Bound::Included((low.as_slice(), 0)),
        Bound::Excluded(low) => Bound::Excluded((low.as_slice(), u64::MAX)),
    };
    let high = match &range.high {
        Bound::Unbounded => Bound::Unbounded,
        Bound::Included(high) | Bound::Excluded(high) if high.len() > VALUE_MAX => {
            Bound::Included((&high[..VALUE_MAX], u64::MAX))
        }
        Bound::Included(high) => Bound::Included((high.as_slice(), u64::MAX)),
        Bound::Excluded(high) => Bound::Excluded((high.as_slice(), 0)),
    };
    (low, high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestClock;
    use crate::{Embedded, Filter};

    #[test]
    fn looks_at_the_clock_whoever_reads() {
        let directory = tempfile::tempdir().unwrap();
        let store = Embedded::open(directory.path(), TestClock::new(0)).unwrap();
        let txn = store.files.env.read_txn().unwrap();
        let view = View { txn: &txn, tables: &store.files.tables };
        let in_parts = |until| {
            let reader = Reader::new(view, &Find { until, ..Find::new(Filter::everything(), 1) });
            (0..CLOCK_ROWS).try_for_each(|_| reader.attempt(None, 3, |part| part.touch(None)).map(drop))
        };
        let refusal = TooCostly { index: None, limit: Limit::Time };
        assert_eq!(in_parts(Some(Instant::now())), Err(StoreError::TooCostly(refusal)));
        assert_eq!(in_parts(None), Ok(()));
    }
}
