//! Durable, versioned documents with byte-ordered index rows.
//!
//! Invariants:
//! - A store knows keys, bytes and ranges, never FHIR.
//! - A commit is all or nothing, on disk before it returns, and serializable: its preconditions held at the moment it took effect.
//! - A [`Snapshot`] never waits for a writer, never blocks one, and sees exactly the commits that had returned when it was taken.
//! - Every backend passes [`testing::contract`].

pub mod embedded;
#[cfg(feature = "mongodb")]
pub mod mongodb;
pub mod testing;

mod check;
mod clock;
mod commit;
mod directory;
mod document;
mod error;
mod fields;
mod filter;
mod find;
mod globe;
mod history;
mod journal;
mod prepare;
mod stamp;
mod writer;

#[cfg(feature = "mongodb")]
pub use self::mongodb::MongoDb;
pub use clock::{Clock, SystemClock};
pub use commit::{Batch, Committed, Precondition, Put, Write, time_value};
pub use document::{Documents, Examined, Head, Key, Millis, Version};
pub use embedded::{Embedded, backup, backup_length, restore};
pub use error::{Limit, StoreError, TooCostly};
pub use filter::{
    Count, Counted, Cursor, Filter, Find, Found, Hit, Index, Match, PAGE_BYTES_MAX, Page, Range, Row, SortKey, Step,
    Test, VALUE_MAX, WORD_MAX,
};
pub use globe::{Place, RADIUS};
pub use history::{History, HistoryPage, HistoryScope, LogPage, Logged};
pub use journal::{Frame, Journal, Mark};

/// A place for versioned documents. Shared between threads; all calls block.
pub trait Store: Send + Sync + 'static {
    /// A consistent view of everything committed so far. Take it late, drop it early: it keeps old pages alive.
    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, StoreError>;

    /// A snapshot that is presumed to see what this process knows of, so that nothing need be asked of a database that others write to, too. What was
    /// concluded from it counts only if it [`Snapshot::holds`], or in a commit with its [`Snapshot::premise`].
    fn presumed(&self) -> Result<Box<dyn Snapshot + '_>, StoreError> {
        self.snapshot()
    }

    /// Takes effect as a whole or not at all; returns when it is durable. Waiting commits share one flush.
    fn commit(&self, batch: Batch) -> Result<Committed, StoreError>;

    /// A number that is another after every commit that returned, whoever made it: while it is the same, so is all that was read under it.
    fn commits(&self) -> u64;

    /// What tells this process's place from those of all others that have the same store, as long as its local files are kept: a name without
    /// spaces. Empty where nobody else can have it.
    fn place(&self) -> &str {
        ""
    }

    /// Whether reading waits for another machine: not a matter of microseconds, and nothing for a thread that has others to serve.
    fn is_remote(&self) -> bool {
        false
    }

    /// The journal of this process, for what must be durable sooner than a commit is: opened once, with what was left in it after `done`.
    fn journal(&self, done: Mark) -> Result<(Journal, Vec<Frame>), StoreError>;

    /// How many documents there are by collection, and how large the store is.
    fn statistics(&self) -> Result<Statistics, StoreError>;
}

/// A consistent, read-only view.
pub trait Snapshot: Send {
    /// [`Store::commits`] of what it sees: snapshots with the same number see the same.
    fn commits(&self) -> u64;

    /// The same of the documents of one collection alone: snapshots with the same number see the same of them. May grow without a change.
    fn commits_of(&self, _collection: &str) -> u64 {
        self.commits()
    }

    /// Whether it sees everything that was committed before it was taken. Where it does not, all that it said since is to be forgotten, errors too:
    /// take another one.
    fn holds(&self) -> Result<bool, StoreError> {
        Ok(true)
    }

    /// What must be so that it holds; `None` where that is known already.
    fn premise(&self) -> Option<Precondition> {
        None
    }

    /// The newest version of a document, a deletion included; `None` when there never was one.
    fn read(&self, key: &Key) -> Result<Option<Version>, StoreError>;

    /// Number and kind of the newest version, without its body; `None` when there never was one.
    fn head(&self, key: &Key) -> Result<Option<Head>, StoreError>;

    /// One version of a document.
    fn read_version(&self, key: &Key, version: u64) -> Result<Option<Version>, StoreError>;

    /// Versions of a document, a collection or everything, newest first.
    fn history(&self, query: &History) -> Result<HistoryPage, StoreError>;

    /// All versions in the order in which they were committed: those behind the one whose position is `after`, which an earlier page of this store
    /// or of a copy of its files gave, or from the first on. At most `limit`, fewer where one more would bring bodies, rows and words over
    /// [`PAGE_BYTES_MAX`]. What is committed later comes behind all that is there.
    fn log(&self, after: Option<&Cursor>, limit: usize) -> Result<LogPage, StoreError>;

    /// The newest version of a document, and what its rows say; `None` when there never was one. Costs hardly more than
    /// [`Snapshot::read`] where the filter has neither words nor links.
    fn examine(&self, key: &Key, filter: &Filter, values: &[Index]) -> Result<Option<Examined>, StoreError>;

    /// What the rows of a document say, without its body: its head, and whether it is there and satisfies the filter; `None` when there never was
    /// one.
    fn judge(&self, key: &Key, filter: &Filter) -> Result<Option<(Head, bool)>, StoreError> {
        let examined = self.examine(key, filter, &[])?;
        Ok(examined.map(|examined| {
            let Version { version, body, .. } = examined.version;
            (Head { version, deleted: body.is_none() }, examined.accepted)
        }))
    }

    /// The current documents that satisfy a filter, in order, one page.
    fn find(&self, find: &Find) -> Result<Found, StoreError>;

    /// The current documents of a collection in order of id, deletions left out: how all of it is gone through. At most `limit`, which is
    /// not 0, fewer where one more would bring their bodies over [`PAGE_BYTES_MAX`]; the cost is that of the page and of the deletions it passes.
    fn documents(&self, collection: &str, after: Option<&Cursor>, limit: usize) -> Result<Documents, StoreError>;

    /// The value of a claim or setting.
    fn value(&self, name: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Claims and settings whose names begin with `prefix` and come after `after`, in order of name: names and values. At most `limit`, fewer
    /// where one more would bring them over [`PAGE_BYTES_MAX`]: only where there are none does nothing follow.
    fn values(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Vec<NamedValue>, StoreError>;
}

/// A claim or setting: its name and its value.
pub type NamedValue = (Vec<u8>, Vec<u8>);

/// How much there is.
#[derive(Clone, Debug, Default)]
pub struct Statistics {
    /// Current (not deleted) documents by collection, sorted by name.
    pub documents: Vec<(String, u64)>,
    /// Bytes on disk.
    pub disk_bytes: u64,
}
