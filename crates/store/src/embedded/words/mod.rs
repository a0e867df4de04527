//! Words of documents' texts: which documents have a word.
//!
//! Each document's words stand in one [`record`], which is all that a commit writes for them. The [`posting`]s, which say for a word which
//! documents have it, follow in bulk: [`merge`] brings them up to date for many documents at a time, so that a word which many of them
//! have is written once. Documents that wait for that are [`fresh`](fresh_documents): those whose numbers the postings do not reach yet,
//! and those that changed since, whose words as the postings have them are kept. A search takes the postings without fresh documents, and
//! looks into the records of those: it is exact, in step with every commit, and pays for at most [`merge::FRESH_MAX`] records.

mod merge;
mod posting;
mod record;
mod search;
mod verify;

#[cfg(test)]
mod tests;

pub(super) use self::merge::keep_up;
pub(super) use self::record::Words;
pub(super) use self::search::{fresh_documents, merged_documents};
pub(super) use self::verify::verify;

use heed::{PutFlags, RwTxn};

use super::layout::State;
use super::tables::Tables;
use crate::{Row, StoreError};

/// Writes a document's words in place of those of the version before. `words` is sorted and without repetition.
pub(super) fn replace(
    txn: &mut RwTxn<'_>,
    tables: &Tables,
    state: &mut State,
    number: u64,
    words: &[Row],
    flags: PutFlags,
) -> Result<(), StoreError> {
    let at = number.to_be_bytes();
    let words = record::encode(words);
    // A new document is none that the postings reach.
    if number < state.unmerged {
        let before = tables.words.get(txn, &at)?.unwrap_or_default();
        if before == words {
            return Ok(());
        }
        if tables.fresh.get(txn, &at)?.is_none() {
            let before = before.to_vec();
            tables.fresh.put(txn, &at, &before)?;
        }
    }
    state.waiting_bytes += words.len() as u64;
    if words.is_empty() {
        tables.words.delete(txn, &at)?;
    } else {
        tables.words.put_with_flags(txn, flags, &at, &words)?;
    }
    Ok(())
}

/// The number of a document from the key of a record.
fn number(key: &[u8]) -> Result<u64, StoreError> {
    key.try_into().map(u64::from_be_bytes).map_err(|_| super::tables::damaged("words"))
}
