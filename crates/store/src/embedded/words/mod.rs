//! Words of documents' texts: which documents have a word.
//!
//! Each document's words stand in one [`record`], which is all that a commit writes.
mod record;

pub(super) use self::record::Words;

use heed::{PutFlags, RwTxn};

use super::tables::Tables;
use crate::{Row, StoreError};

/// Writes a document's words in place of those of the version before. `words` is sorted and without repetition.
pub(super) fn replace(
    txn: &mut RwTxn<'_>,
    tables: &Tables,
    number: u64,
    words: &[Row],
    flags: PutFlags,
) -> Result<(), StoreError> {
    let at = number.to_be_bytes();
    if words.is_empty() {
        tables.words.delete(txn, &at)?;
    } else {
        tables.words.put_with_flags(txn, flags, &at, &record::encode(words))?;
    }
    Ok(())
}
