//! Whether records, postings and fresh documents agree.

use std::collections::BTreeMap;
use std::ops::Bound;

use roaring::RoaringBitmap;

use super::record::{Words, encode};
use super::{fresh_documents, number, posting};
use crate::embedded::homes;
use crate::embedded::layout::State;
use crate::embedded::tables::{View, damaged};
use crate::{Index, Key, Row, StoreError};

/// The first that does not agree; `None` when all does.
pub(in crate::embedded) fn verify(view: View<'_>, state: &State) -> Result<Option<String>, StoreError> {
    if state.unmerged > state.next_number {
        return Ok(Some("words are merged of documents that are still to come".to_owned()));
    }
    if let Some(damage) = records(view)? {
        return Ok(Some(damage));
    }
    let mut postings = 0;
    for block in 0..=posting::block(state.unmerged) {
        let expected = merged(view, state, block)?;
        for ((index, word), documents) in &expected {
            let record = view.tables.postings.get(view.txn, &posting::key(*index, block, word))?;
            if record.map(|record| posting::decode(block, record)).transpose()?.as_ref() != Some(documents) {
                let word = String::from_utf8_lossy(word);
                return Ok(Some(format!("the posting of word `{word}` in index `{}` is wrong", index.0)));
            }
        }
        postings += expected.len() as u64;
    }
    if view.tables.postings.len(view.txn)? != postings {
        return Ok(Some("there are postings without a document".to_owned()));
    }
    match view.tables.fresh.last(view.txn)? {
        Some((at, _)) if number(at)? >= state.unmerged => {
            Ok(Some("a document that was never merged has merged words".to_owned()))
        }
        _ => waiting(view, state),
    }
}

/// No more waits to be merged than is counted.
fn waiting(view: View<'_>, state: &State) -> Result<Option<String>, StoreError> {
    let mut bytes = 0;
    for document in fresh_documents(view, state)? {
        bytes += document?.1.0.len() as u64;
    }
    let counted = state.waiting_bytes;
    Ok((bytes > counted).then(|| format!("`{bytes}` bytes of words wait, and only `{counted}` are counted")))
}

/// Every record is as it should be, of a current document, and of indexes that are at home there.
fn records(view: View<'_>) -> Result<Option<String>, StoreError> {
    for entry in view.tables.words.iter(view.txn)? {
        let (at, record) = entry?;
        let Some(current) = view.current(number(at)?)? else {
            return Ok(Some("there are words without a document".to_owned()));
        };
        let words: Vec<Row> = Words(record).iter().map(|(index, word)| Row { index, value: word.to_vec() }).collect();
        if encode(&words) != record || !words.is_sorted_by(|a, b| a < b) {
            return Ok(Some(format!("the words of `{}` are not as they should be", current.key)));
        }
        let key = Key::parse(current.key).ok_or_else(|| damaged("current"))?;
        for same_index in words.chunk_by(|a, b| a.index == b.index) {
            let index = same_index[0].index;
            let home = homes::read(view.txn, view.tables, index)?;
            if !home.is_some_and(|home| home.covers(key.collection().as_bytes(), false)) {
                return Ok(Some(format!("index `{}` of words is not at home where `{key}` is", index.0)));
            }
        }
    }
    Ok(None)
}

/// The postings of a block as they should be.
fn merged(view: View<'_>, state: &State, block: u32) -> Result<BTreeMap<(Index, Vec<u8>), RoaringBitmap>, StoreError> {
    let mut postings = BTreeMap::<(Index, Vec<u8>), RoaringBitmap>::new();
    let mut add = |number: u64, record| {
        for (index, word) in Words(record).iter() {
            postings.entry((index, word.to_vec())).or_default().insert(number as u32);
        }
    };
    let first = posting::first_number(block);
    let end = state.unmerged.min(posting::end(block));
    let (first, end) = (first.to_be_bytes(), end.to_be_bytes());
    let range = (Bound::Included(first.as_slice()), Bound::Excluded(end.as_slice()));
    if first >= end {
        return Ok(postings);
    }
    for entry in view.tables.words.range(view.txn, &range)? {
        let (at, record) = entry?;
        if view.tables.fresh.get(view.txn, at)?.is_none() {
            add(number(at)?, record);
        }
    }
    for entry in view.tables.fresh.range(view.txn, &range)? {
        let (at, record) = entry?;
        add(number(at)?, record);
    }
    Ok(postings)
}
