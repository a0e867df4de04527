//! Durable, versioned documents with byte-ordered index rows.
//!
//! Invariants:
//! - A store knows keys, bytes and ranges, never FHIR.
//! - A commit is all or nothing, on disk before it returns, and serializable: its preconditions held at the moment it took effect.
//! - A [`Snapshot`] never waits for a writer, never blocks one, and sees exactly the commits that had returned when it was taken.
//! - Every backend passes [`testing::contract`].

pub mod embedded;
pub mod testing;

mod filter;

pub use embedded::Embedded;
pub use filter::{Cursor, Filter, Find, Found, Hit, Index, Match, Page, Range, Row, SortKey, Test, VALUE_MAX};

use bytes::Bytes;
use std::fmt;

/// A place for versioned documents. Shared between threads; all calls block.
pub trait Store: Send + Sync + 'static {
    /// A consistent view of everything committed so far. Take it late, drop it early: it keeps old pages alive.
    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, StoreError>;

    /// Takes effect as a whole or not at all; returns when it is durable. Waiting commits share one flush.
    fn commit(&self, batch: Batch) -> Result<Committed, StoreError>;

    /// How many documents there are by collection, and how large the store is.
    fn statistics(&self) -> Result<Statistics, StoreError>;
}

/// A consistent, read-only view.
pub trait Snapshot {
    /// The newest version of a document, a deletion included; `None` when there never was one.
    fn read(&self, key: &Key) -> Result<Option<Version>, StoreError>;

    /// Number and kind of the newest version, without its body; `None` when there never was one.
    fn head(&self, key: &Key) -> Result<Option<Head>, StoreError>;

    /// One version of a document.
    fn read_version(&self, key: &Key, version: u64) -> Result<Option<Version>, StoreError>;

    /// Versions of a document, a collection or everything, newest first.
    fn history(&self, query: &History) -> Result<HistoryPage, StoreError>;

    /// The current documents that satisfy a filter, in order, one page.
    fn find(&self, find: &Find) -> Result<Found, StoreError>;

    /// The value of a claim or setting.
    fn value(&self, name: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;
}

/// What identifies a document: a collection and an id within it, written `collection/id`. At most [`Key::MAX`] bytes, neither part empty.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    text: Box<str>,
    slash: usize,
}

impl Key {
    /// The longest key in bytes.
    pub const MAX: usize = 192;

    /// A key from its parts; `None` when a part is empty, the collection contains `/`, or the whole is too long.
    pub fn new(collection: &str, id: &str) -> Option<Key> {
        let fits = collection.len() + 1 + id.len() <= Key::MAX;
        let valid = fits && !collection.is_empty() && !id.is_empty() && !collection.contains('/');
        valid.then(|| Key { text: format!("{collection}/{id}").into(), slash: collection.len() })
    }

    /// A key from `collection/id`.
    pub fn parse(text: &str) -> Option<Key> {
        let (collection, id) = text.split_once('/')?;
        Key::new(collection, id)
    }

    pub fn collection(&self) -> &str {
        &self.text[..self.slash]
    }

    pub fn id(&self) -> &str {
        &self.text[self.slash + 1..]
    }

    /// `collection/id`.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.text)
    }
}

/// Milliseconds since 1970-01-01T00:00:00Z.
pub type Millis = i64;

/// One version of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    pub key: Key,
    /// 1 for the first, then without gaps.
    pub version: u64,
    /// When it was committed; never less than that of any earlier commit.
    pub time: Millis,
    /// `None` for a deletion.
    pub body: Option<Bytes>,
    /// What the writer noted about how this version came to be; opaque here.
    pub mark: u8,
}

/// What [`Snapshot::head`] tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub version: u64,
    pub deleted: bool,
}

/// What to commit together.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    pub preconditions: Vec<Precondition>,
    pub writes: Vec<Write>,
}

/// What must be true at the moment the batch takes effect; otherwise nothing of it does.
#[derive(Clone, Debug)]
pub enum Precondition {
    /// The newest version of `key` is number `version`, be it a deletion or not; 0 when there never was one.
    Version { key: Key, version: u64 },
    /// `filter` is satisfied by exactly these documents (in any order).
    Finds { filter: Filter, keys: Vec<Key> },
}

/// One change.
#[derive(Clone, Debug)]
pub enum Write {
    /// A new version of a document. Its index rows replace those of the version before. `version` must be one more than the newest.
    Put(Put),
    /// A deletion, which is a version too and removes the index rows.
    Delete { key: Key, version: u64, mark: u8 },
    /// Takes a name that nobody else holds: fails with [`StoreError::Claimed`] when it is there already, also when an earlier write of this batch took it.
    Claim { name: Vec<u8>, value: Vec<u8> },
    /// Gives a claim back. Absent names are fine.
    Release { name: Vec<u8> },
    /// Sets a value whether or not it is there.
    Set { name: Vec<u8>, value: Vec<u8> },
}

/// A new version of a document.
#[derive(Clone, Debug)]
pub struct Put {
    pub key: Key,
    pub version: u64,
    pub body: Bytes,
    /// Where in `body` the store writes the commit's time as `2026-03-01T09:00:00.000Z` (24 bytes), over what stands there. So the
    /// time in the text, the time of the version and the order of commits always agree.
    pub stamp_at: Option<usize>,
    pub rows: Vec<Row>,
    /// The index under which the store itself keeps a row with the commit's time (8 bytes: [`time_value`]).
    pub time_index: Option<Index>,
    pub mark: u8,
}

/// A commit time as an index value: big-endian, order-preserving. Microseconds, as searches for dates compare them.
pub fn time_value(time: Millis) -> [u8; 8] {
    ((time * 1000) as u64 ^ (1 << 63)).to_be_bytes()
}

/// What a commit did.
#[derive(Clone, Debug)]
pub struct Committed {
    /// The time of every version in it.
    pub time: Millis,
    /// One for each [`Write::Put`] and [`Write::Delete`], in order.
    pub versions: Vec<Version>,
}

/// Which versions to list.
#[derive(Clone, Debug)]
pub struct History {
    pub scope: HistoryScope,
    /// Only versions committed at this time or later.
    pub since: Option<Millis>,
    /// Only versions committed before this time.
    pub before: Option<Millis>,
    /// Only versions that come after the one this position names: from [`HistoryPage::next`].
    pub after: Option<Cursor>,
    pub limit: usize,
    /// Whether to count all.
    pub total: bool,
}

/// How much of the store a [`History`] covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HistoryScope {
    All,
    Collection(String),
    Document(Key),
}

/// A page of versions, newest first.
#[derive(Clone, Debug)]
pub struct HistoryPage {
    pub versions: Vec<Version>,
    pub next: Option<Cursor>,
    pub total: Option<u64>,
}

/// How much there is.
#[derive(Clone, Debug, Default)]
pub struct Statistics {
    /// Current (not deleted) documents by collection, sorted by name.
    pub documents: Vec<(String, u64)>,
    /// Bytes on disk.
    pub disk_bytes: u64,
}

/// Why a store could not do it.
#[derive(Debug)]
pub enum StoreError {
    /// A precondition did not hold (its position): somebody else was first. Read again and retry.
    Conflict(usize),
    /// A claimed name is taken.
    Claimed(Vec<u8>),
    /// A query would cost more than a stated limit; the text names the part.
    TooCostly(String),
    /// The caller broke the contract of this interface; a bug above.
    Misuse(String),
    /// The disk is full or the store's address space is used up. Nothing was written; free space and try again.
    Full,
    /// What is on disk cannot be opened: written by another version, damaged, or in use by another process. The text says what to do.
    Unusable(String),
    /// The engine failed. For the log.
    Engine(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Conflict(at) => write!(f, "precondition {at} does not hold"),
            StoreError::Claimed(name) => write!(f, "the name `{}` is taken", String::from_utf8_lossy(name)),
            StoreError::TooCostly(text) => write!(f, "too costly: {text}"),
            StoreError::Misuse(text) => write!(f, "misuse of the store: {text}"),
            StoreError::Full => f.write_str("the store is full"),
            StoreError::Unusable(text) | StoreError::Engine(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for StoreError {}

/// Gives the time. Passed in, so that tests repeat exactly.
pub trait Clock: Send + Sync + 'static {
    fn now(&self) -> Millis;
}

/// The time of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Millis {
        let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since_epoch.map_or(0, |elapsed| elapsed.as_millis() as Millis)
    }
}
