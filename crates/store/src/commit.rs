//! What to write, and under which conditions.

use bytes::Bytes;

use crate::{Filter, Index, Key, Logged, Millis, Row, Version};

/// What to commit together.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Checked in order before anything is written.
    pub preconditions: Vec<Precondition>,
    /// Take effect in order.
    pub writes: Vec<Write>,
}

/// What must be true at the moment the batch takes effect; otherwise nothing of it does.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the variants' texts name their fields")]
pub enum Precondition {
    /// The newest version of `key` is number `version`, be it a deletion or not; 0 when there never was one.
    Version { key: Key, version: u64 },
    /// `filter` is satisfied by exactly these documents (in any order).
    Finds { filter: Filter, keys: Vec<Key> },
    /// The claim or setting `name` has exactly this value; `None` when it is not there.
    Value { name: Vec<u8>, value: Option<Vec<u8>> },
    /// No other process has committed since there were so many [`Store::commits`](crate::Store::commits).
    Alone { since: u64 },
}

/// One change.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the variants' texts name their fields")]
pub enum Write {
    /// A new version of a document. Its index rows replace those of the version before. `version` must be one more than the newest.
    Put(Put),
    /// A deletion, which is a version too and removes the index rows.
    Delete { key: Key, version: u64, mark: u8 },
    /// Replaces the rows and words of a document's current version, which stays as it is: no new version, no history, no change of time.
    /// When the current version is not number `version` any more, nothing of the batch takes effect, as if that were a precondition:
    /// [`StoreError::Conflict`] with the number of preconditions plus the position of this write. `rows`, `words` and `time_index` as in
    /// [`Put`]; the time is that of the version.
    Reindex { key: Key, version: u64, rows: Vec<Row>, words: Vec<Row>, time_index: Option<Index> },
    /// Takes a name that nobody else holds: fails with [`StoreError::Claimed`] when it is there already, also when an earlier write of this batch took it.
    Claim { name: Vec<u8>, value: Vec<u8> },
    /// Gives a claim back. Absent names are fine.
    Release { name: Vec<u8> },
    /// Sets a value whether or not it is there.
    Set { name: Vec<u8>, value: Vec<u8> },
    /// A version that another store has committed, put or deletion, which becomes the newest as it is, with its time: that is not before
    /// the time of any version here. A batch with such has no other new versions.
    Replay(Logged),
}

/// A new version of a document.
#[derive(Clone, Debug)]
pub struct Put {
    /// Which document.
    pub key: Key,
    /// One more than the newest version; 1 when there is none.
    pub version: u64,
    /// The document itself.
    pub body: Bytes,
    /// Where in `body` the store writes the commit's time as `2026-03-01T09:00:00.000Z` (24 bytes), over what stands there. So the
    /// time in the text, the time of the version and the order of commits always agree.
    pub stamp_at: Option<usize>,
    /// In any order.
    pub rows: Vec<Row>,
    /// Each a word of the document's text under an index that has no rows, in any order: for [`Filter::Word`]. At most
    /// [`WORD_MAX`](crate::WORD_MAX) bytes each.
    pub words: Vec<Row>,
    /// The index under which the store itself keeps a row with the commit's time (8 bytes: [`time_value`]).
    pub time_index: Option<Index>,
    /// Kept with the version.
    pub mark: u8,
}

/// A commit time as an index value: big-endian, order-preserving. Microseconds, as searches for dates compare them.
pub fn time_value(time: Millis) -> [u8; 8] {
    ((time * 1000) as u64 ^ (1 << 63)).to_be_bytes()
}

/// What a commit did.
#[derive(Clone, Debug)]
pub struct Committed {
    /// The time of every version in it, but for those that were replayed.
    pub time: Millis,
    /// One for each [`Write::Put`], [`Write::Delete`] and [`Write::Replay`], in order.
    pub versions: Vec<Version>,
}
