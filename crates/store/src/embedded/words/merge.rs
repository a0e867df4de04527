//! Bringing the postings up to date, for many documents at a time.

use std::ops::Bound;

use heed::RwTxn;
use roaring::RoaringBitmap;
use rustc_hash::FxHashMap;

use super::record::Words;
use super::{number, posting};
use crate::embedded::changes::differences;
use crate::embedded::layout::State;
use crate::embedded::tables::{Tables, View};
use crate::{Index, StoreError};

/// How many documents may wait for their merge: what a search for a word reads beside the postings.
pub(super) const FRESH_MAX: u64 = 2048;

/// How many bytes of their words may wait.
pub(super) const FRESH_BYTES: u64 = 2 << 20;

/// How many documents a group merges at least when it merges, and always when it has written so many: enough to share words, and few
/// enough that nobody waits long for them.
const SLICE: u64 = 256;

/// How many bytes of records are merged in one piece; a single document may take it beyond that.
pub(super) const MERGE_BYTES: usize = 4 << 20;

/// Merges once [`FRESH_MAX`] documents or [`FRESH_BYTES`] wait, or with a group that has written a [`SLICE`]: twice as many documents as
/// that, at least a [`SLICE`], and as many as it takes for less than [`FRESH_BYTES`] to wait. So what waits stays below both, and hardly
/// any waits after an import.
pub(in crate::embedded) fn keep_up(
    txn: &mut RwTxn<'_>,
    tables: &Tables,
    state: &mut State,
    written: u64,
) -> Result<(), StoreError> {
    let waiting = tables.fresh.len(txn)? + (state.next_number - state.unmerged);
    if written < SLICE && waiting < FRESH_MAX && state.waiting_bytes < FRESH_BYTES {
        return Ok(());
    }
    let mut left = (2 * written).max(SLICE);
    while left > 0 || state.waiting_bytes >= FRESH_BYTES {
        if tables.fresh.is_empty(txn)? && state.unmerged == state.next_number {
            state.waiting_bytes = 0;
            return Ok(());
        }
        let (documents, reached) = gather(View { txn, tables }, state, left.max(SLICE))?;
        left = left.saturating_sub(reached - state.unmerged);
        for document in documents.iter().filter(|document| document.number < state.unmerged) {
            tables.fresh.delete(txn, &document.number.to_be_bytes())?;
            left = left.saturating_sub(1);
        }
        apply(txn, tables, &documents)?;
        state.unmerged = reached;
        let bytes: usize = documents.iter().map(|document| document.after.len()).sum();
        state.waiting_bytes = state.waiting_bytes.saturating_sub(bytes as u64);
    }
    Ok(())
}

/// A document to be merged: its words as the postings have them, and as they are.
struct Waiting {
    number: u64,
    before: Vec<u8>,
    after: Vec<u8>,
}

/// At most `most` documents, those first that have changed, and the number that new documents are then merged up to.
fn gather(view: View<'_>, state: &State, most: u64) -> Result<(Vec<Waiting>, u64), StoreError> {
    let mut documents = Vec::new();
    let mut bytes = 0;
    for entry in view.tables.fresh.iter(view.txn)?.take(most as usize) {
        let (at, before) = entry?;
        let after = view.tables.words.get(view.txn, at)?.unwrap_or_default();
        bytes += before.len() + after.len();
        documents.push(Waiting { number: number(at)?, before: before.to_vec(), after: after.to_vec() });
        if bytes > MERGE_BYTES {
            return Ok((documents, state.unmerged));
        }
    }
    let end = state.next_number.min(state.unmerged + (most - documents.len() as u64));
    let (low, high) = (state.unmerged.to_be_bytes(), end.to_be_bytes());
    let new = (Bound::Included(low.as_slice()), Bound::Excluded(high.as_slice()));
    if state.unmerged < end {
        for entry in view.tables.words.range(view.txn, &new)? {
            let (at, after) = entry?;
            let number = number(at)?;
            bytes += after.len();
            documents.push(Waiting { number, before: Vec::new(), after: after.to_vec() });
            if bytes > MERGE_BYTES {
                return Ok((documents, number + 1));
            }
        }
    }
    Ok((documents, end))
}

/// Which documents get a word, and which lose it.
#[derive(Default)]
struct Change {
    get: Vec<u32>,
    lose: Vec<u32>,
}

/// Changes postings from the words before to those after.
fn apply(txn: &mut RwTxn<'_>, tables: &Tables, documents: &[Waiting]) -> Result<(), StoreError> {
    let mut changes = FxHashMap::<(Index, u32, &[u8]), Change>::default();
    for document in documents {
        let block = posting::block(document.number);
        let note = |index, word, gets| {
            let change = changes.entry((index, block, word)).or_default();
            if gets { &mut change.get } else { &mut change.lose }.push(document.number as u32);
        };
        differences(Words(&document.before).iter(), Words(&document.after).iter(), note);
    }
    let mut changes: Vec<_> = changes.into_iter().collect();
    changes.sort_unstable_by_key(|(key, _)| *key);
    let mut record = Vec::new();
    for ((index, block, word), change) in changes {
        let key = posting::key(index, block, word);
        let mut posting = match tables.postings.get(txn, &key)? {
            Some(record) => posting::decode(block, record)?,
            None => RoaringBitmap::new(),
        };
        posting.extend(change.get);
        for number in change.lose {
            posting.remove(number);
        }
        if posting.is_empty() {
            tables.postings.delete(txn, &key)?;
        } else {
            posting::encode(&posting, &mut record)?;
            tables.postings.put(txn, &key, &record)?;
        }
    }
    Ok(())
}
