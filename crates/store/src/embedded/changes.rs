//! Index rows on their way to the table: gathered over a group of batches, then written in key order.

use std::ops::Bound;

use heed::RwTxn;

use super::layout::{self, Packed, push_row_key, split_row};
use super::tables::{Tables, View, damaged};
use crate::fields::Fields;
use crate::find::samples_of;
use crate::{Index, Row, StoreError};

/// Values with at least about this many rows have their number of rows kept, so that counting them does not read them.
pub(super) const FREQUENT: u64 = 512;

/// Calls `note` for each entry that is in only one of two lists: with `true` when that is the second. Both are sorted and without
/// repetition.
pub(super) fn differences<'a>(
    before: impl Iterator<Item = (Index, &'a [u8])>,
    after: impl Iterator<Item = (Index, &'a [u8])>,
    mut note: impl FnMut(Index, &'a [u8], bool),
) {
    let (mut before, mut after) = (before.peekable(), after.peekable());
    loop {
        let (entry, is_new) = match (before.peek(), after.peek()) {
            (None, None) => return,
            (Some(old), Some(new)) if old == new => {
                before.next();
                after.next();
                continue;
            }
            (Some(old), new) if new.is_none_or(|new| old < new) => (before.next(), false),
            _ => (after.next(), true),
        };
        if let Some((index, value)) = entry {
            note(index, value, is_new);
        }
    }
}

/// Rows to put and to remove.
#[derive(Default)]
pub(super) struct RowChanges {
    keys: Vec<u8>,
    changes: Vec<Change>,
}

#[derive(Clone, Copy)]
struct Change {
    /// The first bytes of index and value as a number, which mostly decide the order without a look at the key.
    head: u64,
    start: usize,
    length: usize,
    put: bool,
}

impl RowChanges {
    /// Notes what leads from the rows of the version before to those of the next. Both are sorted and without repetition.
    pub(super) fn replace(&mut self, number: u64, before: Option<Packed<'_>>, after: &[Row]) {
        let after = after.iter().map(|row| (row.index, row.value.as_slice()));
        differences(before.into_iter().flatten(), after, |index, value, put| self.push(index, value, number, put));
    }

    fn push(&mut self, index: Index, value: &[u8], number: u64, put: bool) {
        let start = self.keys.len();
        push_row_key(&mut self.keys, index, value, number);
        let mut first = [0; 4];
        let known = value.len().min(first.len());
        first[..known].copy_from_slice(&value[..known]);
        let head = u64::from(index.0) << 32 | u64::from(u32::from_be_bytes(first));
        self.changes.push(Change { head, start, length: self.keys.len() - start, put });
    }

    /// Writes everything noted so far.
    pub(super) fn flush(&mut self, txn: &mut RwTxn<'_>, tables: &Tables) -> Result<(), StoreError> {
        let keys = &self.keys;
        let key = |change: &Change| &keys[change.start..change.start + change.length];
        // Stable: the changes of one row stay in the order in which they came.
        self.changes.sort_by(|a, b| a.head.cmp(&b.head).then_with(|| layout::compare_rows(key(a), key(b))));
        let mut tally = Tally::default();
        for same_row in self.changes.chunk_by(|a, b| key(a) == key(b)) {
            // Puts and removals of one row alternate, so an even number of them cancels out.
            let Some(last) = same_row.last().filter(|_| same_row.len() % 2 == 1) else { continue };
            let key = key(last);
            if last.put {
                tables.rows.put(txn, key, &[])?;
            } else {
                tables.rows.delete(txn, key)?;
            }
            sample(txn, tables, key, last.put)?;
            tally.add(txn, tables, key, last.put)?;
        }
        tally.close(txn, tables)?;
        self.keys.clear();
        self.changes.clear();
        Ok(())
    }
}

/// Repeats the change of a row in the samples that have its document.
fn sample(txn: &mut RwTxn<'_>, tables: &Tables, key: &[u8], put: bool) -> Result<(), StoreError> {
    let number = split_row(key).ok_or_else(|| damaged("rows"))?.2;
    for level in samples_of(number) {
        let key = [&[level], key].concat();
        if put {
            tables.samples.put(txn, &key, &[])?;
        } else {
            tables.samples.delete(txn, &key)?;
        }
    }
    Ok(())
}

/// Keeps `counts` in step: sums up the changes of one value after the other.
#[derive(Default)]
struct Tally {
    /// The front of the row key: index and value.
    value: Vec<u8>,
    put: u64,
    removed: u64,
    noticed: bool,
}

impl Tally {
    fn add(&mut self, txn: &mut RwTxn<'_>, tables: &Tables, key: &[u8], put: bool) -> Result<(), StoreError> {
        let (front, number) = key.split_at(key.len() - 8);
        if self.value != front {
            self.close(txn, tables)?;
            self.value.extend(front);
        }
        if put {
            self.put += 1;
            self.noticed |= is_noticed(number);
        } else {
            self.removed += 1;
        }
        Ok(())
    }

    fn close(&mut self, txn: &mut RwTxn<'_>, tables: &Tables) -> Result<(), StoreError> {
        let tally = std::mem::take(self);
        if tally.put == tally.removed && !tally.noticed {
            return Ok(());
        }
        let kept = tables.counts.get(txn, &tally.value)?.and_then(|record| Fields(record).u64());
        let count = match kept {
            Some(count) => count.saturating_add(tally.put).saturating_sub(tally.removed),
            None if tally.noticed || tally.put >= FREQUENT => count_rows(View { txn, tables }, &tally.value)?,
            None => return Ok(()),
        };
        if count >= FREQUENT {
            tables.counts.put(txn, &tally.value, &count.to_be_bytes())?;
        } else if kept.is_some() {
            tables.counts.delete(txn, &tally.value)?;
        }
        Ok(())
    }
}

/// Whether this row's coming makes the writer look how frequent its value is: one in [`FREQUENT`] does, spread evenly, so a value
/// cannot long stay unnoticed, and on average one row is read for one that is written.
fn is_noticed(number: &[u8]) -> bool {
    let number = number.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32 & (FREQUENT - 1) == 0
}

/// How many rows have this index and value.
pub(super) fn count_rows(view: View<'_>, front: &[u8]) -> Result<u64, StoreError> {
    let low = [front, &[0; 8]].concat();
    let high = [front, &[u8::MAX; 8]].concat();
    let mut count = 0;
    let range = (Bound::Included(low.as_slice()), Bound::Included(high.as_slice()));
    for row in view.tables.rows.range(view.txn, &range)? {
        row?;
        count += 1;
    }
    Ok(count)
}
