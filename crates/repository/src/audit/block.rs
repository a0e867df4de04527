//! The chain: blocks of accounts, each with the hash of the one before it.

use std::fmt;

use fhir::Outcome;
use store::{Millis, Snapshot};

use super::code::{Decoder, Encoder};
use crate::fault;

/// Before the sequence of a block: the names of the chain in the store.
pub(super) const BLOCKS: &[u8] = b"audit/block/";

/// The stored value with the [`Head`].
pub(super) const HEAD: &[u8] = b"audit/head";

/// How blocks and AuditEvents are written. Another number where either changes: old blocks are made into events as they were.
const FORMAT: u8 = 1;

/// What is committed at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Block {
    /// 1 for the first, then without gaps.
    pub(super) sequence: u64,
    pub(super) time: Millis,
    /// That of the block before; zeros for the first.
    pub(super) previous: [u8; 32],
    /// The base URL of the server that kept it.
    pub(super) server: String,
    /// As [`super::Account`] encodes them.
    pub(super) accounts: Vec<Vec<u8>>,
}

/// The newest block: noted elsewhere, it shows that the chain was cut since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The number of blocks.
    pub sequence: u64,
    /// That of the last.
    pub hash: [u8; 32],
}

/// Where a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    pub block: u64,
    /// Counted over all accounts of the block, from 0.
    pub position: u32,
}

impl Block {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::default();
        encoder.byte(FORMAT);
        encoder.number(self.sequence);
        encoder.time(self.time);
        encoder.raw(&self.previous);
        encoder.text(&self.server);
        encoder.number(self.accounts.len() as u64);
        self.accounts.iter().for_each(|account| encoder.bytes(account));
        encoder.finish()
    }

    /// `None` when it is damaged.
    pub(super) fn decode(bytes: &[u8]) -> Option<Block> {
        let mut decoder = Decoder(bytes);
        if decoder.byte()? != FORMAT {
            return None;
        }
        let (sequence, time) = (decoder.number()?, decoder.time()?);
        let previous = decoder.raw(32)?.try_into().ok()?;
        let server = decoder.text()?.to_owned();
        let count = decoder.count()?;
        let accounts = (0..count).map(|_| decoder.bytes().map(<[u8]>::to_vec)).collect::<Option<_>>()?;
        decoder.0.is_empty().then_some(Block { sequence, time, previous, server, accounts })
    }

    /// What the next block holds of one that is kept as these bytes.
    pub(super) fn hash(bytes: &[u8]) -> [u8; 32] {
        *blake3::hash(bytes).as_bytes()
    }

    /// Its name in the store.
    pub(super) fn name(sequence: u64) -> Vec<u8> {
        [BLOCKS, &sequence.to_be_bytes()].concat()
    }

    /// The block of this number; `None` when it is not there or damaged.
    pub(super) fn read(snapshot: &dyn Snapshot, sequence: u64) -> Result<Option<Block>, Outcome> {
        let bytes = snapshot.value(&Block::name(sequence)).map_err(fault::outcome)?;
        Ok(bytes.and_then(|bytes| Block::decode(&bytes)))
    }
}

impl Head {
    pub(super) fn value(self) -> Vec<u8> {
        [&self.sequence.to_be_bytes()[..], &self.hash].concat()
    }

    fn of(value: &[u8]) -> Option<Head> {
        let (sequence, hash) = value.split_first_chunk()?;
        Some(Head { sequence: u64::from_be_bytes(*sequence), hash: hash.try_into().ok()? })
    }

    /// The head as it is kept, and its stored value.
    pub(super) fn read(snapshot: &dyn Snapshot) -> Result<(Head, Option<Vec<u8>>), Outcome> {
        let value = snapshot.value(HEAD).map_err(fault::outcome)?;
        let head = match &value {
            None => Head::default(),
            Some(value) => Head::of(value).ok_or_else(|| fault::exception("the head of the audit is damaged"))?,
        };
        Ok((head, value))
    }

    /// A head as [`Head`] is printed.
    pub fn parse(text: &str) -> Option<Head> {
        let (sequence, hash) = text.trim().split_once('-')?;
        Some(Head { sequence: sequence.parse().ok()?, hash: *blake3::Hash::from_hex(hash).ok()?.as_bytes() })
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.sequence, blake3::Hash::from_bytes(self.hash).to_hex())
    }
}

impl Place {
    /// The id of its AuditEvent: in order of the chain.
    pub fn id(self) -> String {
        format!("audit-{:012}-{:05}", self.block, self.position)
    }

    /// The place whose AuditEvent has this id; `None` for the ids of others.
    pub fn of_id(id: &str) -> Option<Place> {
        let (block, position) = id.strip_prefix("audit-")?.split_once('-')?;
        let place = Place { block: block.parse().ok()?, position: position.parse().ok()? };
        (place.id() == id).then_some(place)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "record {} of block {}", self.position, self.block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_wrote() {
        let accounts = vec![b"one".to_vec(), Vec::new()];
        let block = Block { sequence: 7, time: 1, previous: [9; 32], server: "http://x/fhir".to_owned(), accounts };
        let bytes = block.encode();
        assert_eq!(Block::decode(&bytes), Some(block));
        for end in 0..bytes.len() {
            assert_eq!(Block::decode(&bytes[..end]), None, "{end}");
        }
        let head = Head { sequence: 7, hash: Block::hash(&bytes) };
        assert_eq!(Head::of(&head.value()), Some(head));
        assert_eq!(Head::parse(&head.to_string()), Some(head));
        for wrong in ["", "7", "7-", "x-00", "7-00"] {
            assert_eq!(Head::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn ids_name_places() {
        let place = Place { block: 1_234_567_890_123, position: 123_456 };
        for place in [place, Place { block: 1, position: 0 }] {
            assert_eq!(Place::of_id(&place.id()), Some(place));
        }
        for other in ["audit-1-0", "audit-000000000001-+0001", "x", "audit-", "Audit-000000000001-00000"] {
            assert_eq!(Place::of_id(other), None, "{other}");
        }
    }
}
