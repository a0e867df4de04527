//! Which documents have a word, from the postings and from the records that they do not cover.

use std::ops::Bound;

use roaring::{RoaringBitmap, RoaringTreemap};

use super::record::Words;
use super::{number, posting};
use crate::embedded::layout::State;
use crate::embedded::tables::View;
use crate::{Index, StoreError};

/// The documents that have all these words, at least one, according to the postings. `touch` is called for each posting.
pub(in crate::embedded) fn merged_documents(
    view: View<'_>,
    state: &State,
    index: Index,
    words: &[&[u8]],
    touch: impl Fn() -> Result<(), StoreError>,
) -> Result<RoaringTreemap, StoreError> {
    let mut set = RoaringTreemap::new();
    for block in 0..=posting::block(state.unmerged) {
        let mut common: Option<RoaringBitmap> = None;
        for word in words {
            touch()?;
            let Some(record) = view.tables.postings.get(view.txn, &posting::key(index, block, word))? else {
                common = None;
                break;
            };
            let posting = posting::decode(block, record)?;
            let left = match common {
                Some(common) => common & posting,
                None => posting,
            };
            let is_empty = left.is_empty();
            common = Some(left);
            if is_empty {
                break;
            }
        }
        if let Some(common) = common {
            let upper = (posting::first_number(block) >> 32) as u32;
            set |= RoaringTreemap::from_bitmaps([(upper, common)]);
        }
    }
    Ok(set)
}

/// Documents that the postings are not right about, each with its words as they are now.
pub(in crate::embedded) fn fresh_documents<'t>(
    view: View<'t>,
    state: &State,
) -> Result<impl Iterator<Item = Result<(u64, Words<'t>), StoreError>>, StoreError> {
    let View { txn, tables } = view;
    let changed = tables.fresh.iter(txn)?.map(move |entry| {
        let (at, _) = entry?;
        Ok((number(at)?, Words(tables.words.get(txn, at)?.unwrap_or_default())))
    });
    let unmerged = state.unmerged.to_be_bytes();
    let new = tables.words.range(txn, &(Bound::Included(unmerged.as_slice()), Bound::Unbounded))?;
    let new = new.map(|entry| {
        let (at, record) = entry?;
        Ok((number(at)?, Words(record)))
    });
    Ok(changed.chain(new))
}
