//! Which collection an index belongs to, so that a search can tell that one condition already implies another.
//!
//! A home stays: once documents of two collections have had rows in an index, it is [`MIXED`] for good. That is safe: a home only ever
//! says that no document of another collection has a row in the index.

use heed::{RoTxn, RwTxn};
use rustc_hash::FxHashMap;

use super::tables::Tables;
use crate::{Index, Row, StoreError};

/// The home of indexes that documents of several collections have had rows in.
pub(super) const MIXED: &[u8] = b"";

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
            if self.0.get(&index).is_some_and(|home| **home == *collection || **home == *MIXED) {
                continue;
            }
            let home = match read(txn, tables, index)? {
                Some(home) if home != collection => MIXED,
                _ => collection,
            };
            tables.homes.put(txn, &index.0.to_be_bytes(), home)?;
            self.0.insert(index, home.into());
        }
        Ok(())
    }
}

/// The home of an index; `None` when no document ever had a row in it.
pub(super) fn read<'t>(txn: &'t RoTxn<'_>, tables: &Tables, index: Index) -> Result<Option<&'t [u8]>, StoreError> {
    Ok(tables.homes.get(txn, &index.0.to_be_bytes())?)
}
