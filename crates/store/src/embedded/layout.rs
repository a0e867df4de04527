//! The on-disk format: how keys and records are written.
//!
//! Integers are big-endian, so that LMDB's byte order is numeric order. Times have their sign bit flipped for the same reason.
//!
//! | table | key | record |
//! | --- | --- | --- |
//! | `meta` | `format` | [`FORMAT`], 4 bytes |
//! | `meta` | `state` | [`State`]: next document number 8, next sequence 8, time of the last commit 8, first unmerged number 8, waiting bytes 8 |
//! | `collections` | name | [`Collection`]: number 4, current documents 8, versions 8 |
//! | `documents` | key text | [`Document`]: number 8, and for one that is deleted the sequence of its deletion 8 |
//! | `versions` | sequence 8 | [`Stored`]: codec 1, deleted 1, mark 1, time 8, version 8, sequences of two earlier versions 16, key length 1, key, body |
//! | `current` | number 8 | [`Current`]: version 8, sequence 8, key length 1, key, then each row: index 4, value length 2, value |
//! | `rows` | index 4, value, number 8 | nothing; ordered by index, value, number: see [`compare_rows`] |
//! | `samples` | level 1, then as in `rows` | nothing; the rows of the documents in a sample: see [`samples_of`] |
//! | `words` | number 8 | the document's words: see [`words`](super::words); none for a document without |
//! | `postings` | index 4, block 4, word | which documents of the block have the word |
//! | `fresh` | number 8 | the record of `words` that the postings are of, for a document whose words have changed since |
//! | `homes` | index 4 | [`Home`](super::homes::Home): whether a document had several rows 1, name of the one collection or [`MIXED`](super::homes::MIXED) |
//! | `counts` | index 4, value | how many rows have this value, 8 bytes; kept for frequent values only |
//! | `log` | collection number 4, time 8, sequence 8 | nothing |
//! | `values` | name | value of a claim or setting |
//!
//! A document keeps its number through deletion and return, so numbers are the order of creation. `current` has only documents that are
//! not deleted, and repeats their rows for probing and for the removal of rows.
//!
//! Every version gets the next sequence, so `versions` is the log of the whole store and only ever grows at its end. An update writes
//! nothing into `documents`: a page that a commit need not touch is one that it need not write.

use std::cmp::Ordering;

use bytes::Bytes;

use crate::fields::Fields;
use crate::{Index, Key, Millis, Row, Version};

/// The version of the format that this program reads and writes. Another one is refused.
pub(super) const FORMAT: u32 = 4;

/// Bodies stand as they are. Other numbers are kept for compression.
const CODEC_PLAIN: u8 = 0;

/// The counters that every commit advances.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct State {
    pub(super) next_number: u64,
    pub(super) next_sequence: u64,
    pub(super) time: Millis,
    /// The words of documents from this number on are not in the postings.
    pub(super) unmerged: u64,
    /// About how many bytes of words are not in the postings; at least as many as there are.
    pub(super) waiting_bytes: u64,
}

impl State {
    pub(super) const FIRST: State = State { next_number: 1, next_sequence: 1, time: 0, unmerged: 1, waiting_bytes: 0 };

    pub(super) fn encode(&self) -> Vec<u8> {
        let numbers = [self.next_number, self.next_sequence].map(u64::to_be_bytes);
        let words = [self.unmerged, self.waiting_bytes].map(u64::to_be_bytes);
        [numbers[0], numbers[1], ordered(self.time), words[0], words[1]].concat()
    }

    pub(super) fn decode(record: &[u8]) -> Option<State> {
        let mut fields = Fields(record);
        Some(State {
            next_number: fields.u64()?,
            next_sequence: fields.u64()?,
            time: fields.time()?,
            unmerged: fields.u64()?,
            waiting_bytes: fields.u64()?,
        })
    }
}

/// What is counted for each collection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Collection {
    pub(super) number: u32,
    pub(super) documents: u64,
    pub(super) versions: u64,
}

impl Collection {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut record = self.number.to_be_bytes().to_vec();
        record.extend(self.documents.to_be_bytes());
        record.extend(self.versions.to_be_bytes());
        record
    }

    pub(super) fn decode(record: &[u8]) -> Option<Collection> {
        let mut fields = Fields(record);
        Some(Collection { number: fields.u32()?, documents: fields.u64()?, versions: fields.u64()? })
    }
}

/// What a key stands for. Which version is the newest is told by `current`, or by the deletion.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Document {
    pub(super) number: u64,
    /// The sequence of its deletion, while it is deleted.
    pub(super) deletion: Option<u64>,
}

impl Document {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut record = self.number.to_be_bytes().to_vec();
        record.extend(self.deletion.iter().flat_map(|sequence| sequence.to_be_bytes()));
        record
    }

    pub(super) fn decode(record: &[u8]) -> Option<Document> {
        let mut fields = Fields(record);
        let number = fields.u64()?;
        let deletion = if fields.0.is_empty() { None } else { Some(fields.u64()?) };
        Some(Document { number, deletion })
    }
}

/// A version as it lies on disk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Stored<'a> {
    pub(super) mark: u8,
    pub(super) time: Millis,
    pub(super) version: u64,
    pub(super) earlier: Earlier,
    pub(super) key: &'a str,
    /// `None` for a deletion.
    pub(super) body: Option<&'a [u8]>,
}

impl<'a> Stored<'a> {
    pub(super) fn encode(&self) -> Vec<u8> {
        let body = self.body.unwrap_or_default();
        let mut record = Vec::with_capacity(36 + self.key.len() + body.len());
        record.extend([CODEC_PLAIN, u8::from(self.body.is_none()), self.mark]);
        record.extend(ordered(self.time));
        for number in [self.version, self.earlier.previous, self.earlier.leap] {
            record.extend(number.to_be_bytes());
        }
        push_key(&mut record, self.key);
        record.extend(body);
        record
    }

    /// `None` for a damaged record or a codec of a later program.
    pub(super) fn decode(record: &'a [u8]) -> Option<Stored<'a>> {
        let mut fields = Fields(record);
        if fields.u8()? != CODEC_PLAIN {
            return None;
        }
        let deleted = fields.u8()? != 0;
        let mark = fields.u8()?;
        let time = fields.time()?;
        let version = fields.u64()?;
        let earlier = Earlier { previous: fields.u64()?, leap: fields.u64()? };
        let key = fields.key()?;
        Some(Stored { mark, time, version, earlier, key, body: (!deleted).then_some(fields.0) })
    }

    pub(super) fn to_version(self) -> Option<Version> {
        Some(Version {
            key: Key::parse(self.key)?,
            version: self.version,
            time: self.time,
            body: self.body.map(Bytes::copy_from_slice),
            mark: self.mark,
        })
    }
}

/// The sequences of two earlier versions of the same document, 0 where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Earlier {
    /// That of the version before.
    pub(super) previous: u64,
    /// That of the version whose number is this one's without its lowest bit: see [`versions`](super::versions).
    pub(super) leap: u64,
}

/// A document that is not deleted, with its rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Current<'a> {
    pub(super) version: u64,
    /// That of its newest version.
    pub(super) sequence: u64,
    pub(super) key: &'a str,
    pub(super) rows: Packed<'a>,
}

impl<'a> Current<'a> {
    /// `rows` must be sorted and without repetition.
    pub(super) fn encode(version: u64, sequence: u64, key: &str, rows: &[Row]) -> Vec<u8> {
        let size: usize = rows.iter().map(|row| 6 + row.value.len()).sum();
        let mut record = Vec::with_capacity(17 + key.len() + size);
        record.extend(version.to_be_bytes());
        record.extend(sequence.to_be_bytes());
        push_key(&mut record, key);
        for row in rows {
            record.extend(row.index.0.to_be_bytes());
            record.extend((row.value.len() as u16).to_be_bytes());
            record.extend(&row.value);
        }
        record
    }

    pub(super) fn decode(record: &'a [u8]) -> Option<Current<'a>> {
        let mut fields = Fields(record);
        let (version, sequence) = (fields.u64()?, fields.u64()?);
        Some(Current { version, sequence, key: fields.key()?, rows: Packed(fields.0) })
    }
}

/// The rows of one document, in order of index and value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packed<'a>(&'a [u8]);

impl<'a> Packed<'a> {
    /// Whether the rows can be read to their end.
    pub(super) fn is_whole(mut self) -> bool {
        self.by_ref().for_each(drop);
        self.0.is_empty()
    }

    /// The values in one index, smallest first.
    pub(super) fn values(self, index: Index) -> impl Iterator<Item = &'a [u8]> {
        self.skip_while(move |(at, _)| *at < index).take_while(move |(at, _)| *at == index).map(|(_, value)| value)
    }
}

/// A damaged tail ends the iteration; `verify` finds it.
impl<'a> Iterator for Packed<'a> {
    type Item = (Index, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let mut fields = Fields(self.0);
        let index = Index(fields.u32()?);
        let length = fields.u16()?;
        let value = fields.take(usize::from(length))?;
        self.0 = fields.0;
        Some((index, value))
    }
}

/// The key of a row.
pub(super) fn row_key(index: Index, value: &[u8], number: u64) -> Vec<u8> {
    let mut key = Vec::with_capacity(12 + value.len());
    push_row_key(&mut key, index, value, number);
    key
}

/// Appends the key of a row.
pub(super) fn push_row_key(to: &mut Vec<u8>, index: Index, value: &[u8], number: u64) {
    to.extend(index.0.to_be_bytes());
    to.extend(value);
    to.extend(number.to_be_bytes());
}

/// The index, value and document number of a row's key.
pub(super) fn split_row(key: &[u8]) -> Option<(Index, &[u8], u64)> {
    let (front, number) = key.split_last_chunk()?;
    let (index, value) = front.split_first_chunk()?;
    Some((Index(u32::from_be_bytes(*index)), value, u64::from_be_bytes(*number)))
}

/// The order of row keys: by index and value first and by number only within one value, so that no bytes of a number are ever
/// compared with bytes of a value, and no escape is needed in values.
pub(super) fn compare_rows(a: &[u8], b: &[u8]) -> Ordering {
    let (a_front, a_number) = a.split_at(a.len().saturating_sub(8));
    let (b_front, b_number) = b.split_at(b.len().saturating_sub(8));
    a_front.cmp(b_front).then_with(|| a_number.cmp(b_number))
}

/// The key of a log entry.
pub(super) fn log_key(scope: u32, time: Millis, sequence: u64) -> [u8; 20] {
    let mut key = [0; 20];
    key[..4].copy_from_slice(&scope.to_be_bytes());
    key[4..12].copy_from_slice(&ordered(time));
    key[12..].copy_from_slice(&sequence.to_be_bytes());
    key
}

/// The scope, time and sequence of a log entry's key.
pub(super) fn split_log(key: &[u8]) -> Option<(u32, Millis, u64)> {
    let mut fields = Fields(key);
    Some((fields.u32()?, fields.time()?, fields.u64()?))
}

fn ordered(time: Millis) -> [u8; 8] {
    (time as u64 ^ (1 << 63)).to_be_bytes()
}

fn push_key(to: &mut Vec<u8>, key: &str) {
    const { assert!(Key::MAX <= u8::MAX as usize) };
    to.push(key.len() as u8);
    to.extend(key.as_bytes());
}
