//! Which collection an index belongs to, and whether its documents have one row each: so that a search can tell that one condition
//! already implies another, and that rows are as good as documents.
//!
//! What is noted only ever widens: once documents of two collections have had rows in an index, its home is [`MIXED`] for good, and
//! once a document has had two rows in it, [`Home::repeats`] stays. That is safe: a home only says what no document does.

use heed::{RoTxn, RwTxn};
use rustc_hash::FxHashMap;

use super::tables::{Tables, damaged};
use crate::{Index, Row, StoreError};

/// The home of indexes that documents of several collections have had rows in.
pub(super) const MIXED: &[u8] = b"";

/// What is known of an index.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Home<'a> {
    /// The only one whose documents have ever had rows in it, or [`MIXED`].
    pub(super) collection: &'a [u8],
    /// Whether a document has ever had more than one.
    pub(super) repeats: bool,
}

impl<'a> Home<'a> {
    pub(super) fn encode(&self) -> Vec<u8> {
        [&[u8::from(self.repeats)], self.collection].concat()
    }

    fn decode(record: &'a [u8]) -> Option<Home<'a>> {
        let (repeats, collection) = record.split_first()?;
        Some(Home { collection, repeats: *repeats != 0 })
    }

    /// Whether this says already that documents of `collection` have rows, several if `repeats`.
    pub(super) fn covers(&self, collection: &[u8], repeats: bool) -> bool {
        (self.collection == collection || self.collection == MIXED) && self.repeats >= repeats
    }
}

/// What the writer remembers of the table of homes. Must be cleared when what it wrote there is not committed.
#[derive(Default)]
pub(super) struct Homes(FxHashMap<Index, Box<[u8]>>);

impl Homes {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Notes that a document of `collection` has these rows, which are sorted.
    pub(super) fn note(
        &mut self,
        txn: &mut RwTxn<'_>,
        tables: &Tables,
        collection: &str,
        rows: &[Row],
    ) -> Result<(), StoreError> {
        let collection = collection.as_bytes();
        for same_index in rows.chunk_by(|a, b| a.index == b.index) {
            let index = same_index[0].index;
            let repeats = same_index.len() > 1;
            let remembered = self.0.get(&index).and_then(|record| Home::decode(record));
            if remembered.is_some_and(|home| home.covers(collection, repeats)) {
                continue;
            }
            let home = match read(txn, tables, index)? {
                Some(home) if home.collection != collection => {
                    Home { collection: MIXED, repeats: home.repeats || repeats }
                }
                known => Home { collection, repeats: repeats || known.is_some_and(|home| home.repeats) },
            };
            let record = home.encode();
            tables.homes.put(txn, &index.0.to_be_bytes(), &record)?;
            self.0.insert(index, record.into());
        }
        Ok(())
    }
}

/// What is known of an index; `None` when no document ever had a row in it.
pub(super) fn read<'t>(txn: &'t RoTxn<'_>, tables: &Tables, index: Index) -> Result<Option<Home<'t>>, StoreError> {
    let record = tables.homes.get(txn, &index.0.to_be_bytes())?;
    record.map(|record| Home::decode(record).ok_or_else(|| damaged("homes"))).transpose()
}
