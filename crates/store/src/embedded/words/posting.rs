//! Which documents of one block have a word: the key and record of a posting.
//!
//! A block is 65,536 numbers. The key is the index 4, the block 4, and the word, so that what a merge writes lies together: most of it is
//! about the newest documents. The record is a roaring bitmap of the numbers' lower halves in its portable form, or for a single document
//! just the two bytes that tell it from others of its block: most postings are of words that hardly anybody else has.

use roaring::RoaringBitmap;

use crate::embedded::tables::damaged;
use crate::{Index, StoreError};

/// How many numbers of documents are in a block, as a power of two.
const BLOCK_BITS: u32 = 16;

/// The block that a document is in.
pub(super) fn block(number: u64) -> u32 {
    (number >> BLOCK_BITS) as u32
}

/// The first number of a block.
pub(super) fn first_number(block: u32) -> u64 {
    u64::from(block) << BLOCK_BITS
}

/// One more than the last number of a block.
pub(super) fn end(block: u32) -> u64 {
    first_number(block) + (1 << BLOCK_BITS)
}

/// The key of a posting.
pub(super) fn key(index: Index, block: u32, word: &[u8]) -> Vec<u8> {
    [&index.0.to_be_bytes(), &block.to_be_bytes(), word].concat()
}

/// The record for these documents, of which there is at least one.
pub(super) fn encode(documents: &RoaringBitmap, into: &mut Vec<u8>) -> Result<(), StoreError> {
    into.clear();
    match (documents.len(), documents.min()) {
        (1, Some(only)) => into.extend((only as u16).to_be_bytes()),
        _ => {
            documents.serialize_into(into).map_err(|error| StoreError::Engine(format!("a posting failed: {error}")))?
        }
    }
    Ok(())
}

/// The lower halves of the numbers of a posting's documents.
pub(super) fn decode(block: u32, record: &[u8]) -> Result<RoaringBitmap, StoreError> {
    match record.try_into() {
        Ok(only) => {
            let number = first_number(block) | u64::from(u16::from_be_bytes(only));
            Ok(RoaringBitmap::from_iter([number as u32]))
        }
        Err(_) => RoaringBitmap::deserialize_from(record).map_err(|_| damaged("postings")),
    }
}
