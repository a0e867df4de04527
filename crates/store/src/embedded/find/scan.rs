//! Reading ranges of index rows, and what that costs.

use std::cell::Cell;
use std::ops::Bound;
use std::time::Instant;

use heed::types::Bytes;
use heed::{Comparator, DefaultComparator, RoRange, RoRevRange};
use roaring::RoaringTreemap;

use crate::embedded::layout::{Current, Packed, row_key, split_row};
use crate::embedded::tables::{RowOrder, View, damaged};
use crate::{Find, Index, Limit, Match, Range, StoreError, TooCostly, VALUE_MAX};

/// How many rows are touched between looks at the clock.
const CLOCK_ROWS: u64 = 1024;

/// Reads for one search and counts what it touches.
pub(super) struct Reader<'t> {
    pub(super) view: View<'t>,
    touched: Cell<u64>,
    rows_max: u64,
    until: Option<Instant>,
}

/// The rows of one index in a range of values, in either direction: each one's value and number.
pub(super) struct Rows<'r, 't> {
    reader: &'r Reader<'t>,
    index: Index,
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

impl<'t> Reader<'t> {
    pub(super) fn new(view: View<'t>, find: &Find) -> Reader<'t> {
        Reader { view, touched: Cell::new(0), rows_max: find.rows_max, until: find.until }
    }

    pub(super) fn touched(&self) -> u64 {
        self.touched.get()
    }

    /// Counts a row of an index, or a document.
    pub(super) fn touch(&self, index: Option<Index>) -> Result<(), StoreError> {
        let touched = self.touched.get() + 1;
        if touched > self.rows_max {
            return Err(StoreError::TooCostly(TooCostly { index, limit: Limit::Rows(self.rows_max) }));
        }
        self.touched.set(touched);
        if touched.is_multiple_of(CLOCK_ROWS) && self.until.is_some_and(|until| Instant::now() >= until) {
            return Err(StoreError::TooCostly(TooCostly { index, limit: Limit::Time }));
        }
        Ok(())
    }

    /// Rows between two bounds on (value, number).
    pub(super) fn rows<'r>(
        &'r self,
        index: Index,
        low: Bound<(&[u8], u64)>,
        high: Bound<(&[u8], u64)>,
        way: Way,
    ) -> Result<Rows<'r, 't>, StoreError> {
        let key = |(value, number)| row_key(index, value, number);
        let low = match low.map(key) {
            Bound::Unbounded => Bound::Included(row_key(index, &[], 0)),
            bound => bound,
        };
        let high = match high.map(key) {
            Bound::Unbounded => match index.0.checked_add(1) {
                Some(next) => Bound::Excluded(row_key(Index(next), &[], 0)),
                None => Bound::Unbounded,
            },
            bound => bound,
        };
        let range = (low.as_ref().map(Vec::as_slice), high.as_ref().map(Vec::as_slice));
        let View { txn, tables } = self.view;
        let entries = match way {
            Way::Up => Entries::Up(tables.rows.range(txn, &range)?),
            Way::Down => Entries::Down(tables.rows.rev_range(txn, &range)?),
        };
        Ok(Rows { reader: self, index, entries })
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

    /// The documents with a row that fits; `None` when that takes more than `budget` rows.
    pub(super) fn matching(&self, wanted: &Match, budget: u64) -> Result<Option<RoaringTreemap>, StoreError> {
        let (low, high) = row_bounds(&wanted.range);
        let mut set = RoaringTreemap::new();
        let mut read = 0;
        for row in self.rows(wanted.index, low, high, Way::Up)? {
            let (value, number) = row?;
            read += 1;
            if read > budget {
                return Ok(None);
            }
            if wanted.test.as_ref().is_none_or(|test| test.accepts(value)) {
                set.insert(number);
            }
        }
        Ok(Some(set))
    }

    /// The documents with exactly this row; `None` when they are more than `budget`.
    pub(super) fn having(&self, index: Index, value: &[u8], budget: u64) -> Result<Option<RoaringTreemap>, StoreError> {
        if self.view.kept_count(index, value)?.is_some_and(|count| count > budget) {
            return Ok(None);
        }
        let mut set = RoaringTreemap::new();
        let mut read = 0;
        for row in self.equal(index, value, 0, u64::MAX, Way::Up)? {
            read += 1;
            if read > budget {
                return Ok(None);
            }
            set.insert(row?.1);
        }
        Ok(Some(set))
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
        Ok(self.view.current(number)?.ok_or_else(|| damaged("current"))?.rows)
    }
}

impl<'t> Iterator for Rows<'_, 't> {
    type Item = Result<(&'t [u8], u64), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = |(key, _)| {
            self.reader.touch(Some(self.index))?;
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
type RowBound<'v> = Bound<(&'v [u8], u64)>;

/// Bounds on rows from bounds on values. No row's value is longer than [`VALUE_MAX`], so a longer bound is the same as its first bytes:
/// all values up to those are below it, and all others above.
fn row_bounds(range: &Range) -> (RowBound<'_>, RowBound<'_>) {
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
