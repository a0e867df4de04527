//! Documents and their versions.

use bytes::Bytes;
use std::fmt;
use std::ops::Bound;

use crate::{Cursor, Logged, PAGE_BYTES_MAX, Row, StoreError};

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
        valid.then(|| Key { text: [collection, "/", id].concat().into(), slash: collection.len() })
    }

    /// A key from `collection/id`.
    pub fn parse(text: &str) -> Option<Key> {
        let (collection, id) = text.split_once('/')?;
        Key::new(collection, id)
    }

    /// The part before the `/`.
    pub fn collection(&self) -> &str {
        &self.text[..self.slash]
    }

    /// The part after it.
    pub fn id(&self) -> &str {
        &self.text[self.slash + 1..]
    }

    /// How a row names this document: `id 0 collection`.
    pub fn to_link(&self) -> Vec<u8> {
        [self.id().as_bytes(), &[0], self.collection().as_bytes()].concat()
    }

    /// The document that a row names; `None` when it names none.
    pub fn from_link(value: &[u8]) -> Option<Key> {
        let (id, collection) = std::str::from_utf8(value).ok()?.split_once('\0')?;
        Key::new(collection, id)
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
    /// Whose version it is.
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

/// What [`Snapshot::examine`](crate::Snapshot::examine) tells.
#[derive(Clone, Debug)]
pub struct Examined {
    /// The newest version, a deletion included.
    pub version: Version,
    /// Whether the document is there and satisfies the filter.
    pub accepted: bool,
    /// Its rows in the indexes asked for, sorted.
    pub rows: Vec<Row>,
}

/// What [`Snapshot::head`] tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The number of the newest version.
    pub version: u64,
    /// Whether it is a deletion.
    pub deleted: bool,
}

/// A page of current documents: see [`Snapshot::documents`](crate::Snapshot::documents).
#[derive(Clone, Debug)]
pub struct Documents {
    /// Each with its body.
    pub versions: Vec<Version>,
    /// There when more follow, and valid in any later snapshot.
    pub next: Option<Cursor>,
}

/// Where a walk through a collection begins, and before what it ends. `after` is the key of the last document shown.
pub(crate) fn walk_bounds(
    collection: &str,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<(Bound<String>, String), StoreError> {
    if limit == 0 {
        return Err(StoreError::Misuse("pages of `0` documents come to no end".to_owned()));
    }
    // `0` is the byte after `/`.
    let (first, end) = (format!("{collection}/"), format!("{collection}0"));
    let Some(Cursor(after)) = after else { return Ok((Bound::Included(first), end)) };
    match std::str::from_utf8(after) {
        Ok(key) if key.starts_with(&first) && key.len() <= Key::MAX => Ok((Bound::Excluded(key.to_owned()), end)),
        _ => Err(StoreError::Misuse("the cursor is not one of this collection".to_owned())),
    }
}

/// How much more fits on a page.
#[derive(Default)]
pub(crate) struct PageRoom {
    bytes: usize,
    versions: usize,
}

impl PageRoom {
    /// Takes the room that a version needs, unless the page is to end before it. The first one always fits.
    pub(crate) fn takes(&mut self, version: &Version) -> bool {
        self.takes_length(version.body.as_ref().map_or(0, |body| body.len()))
    }

    /// The same for a version with its rows and words.
    pub(crate) fn takes_logged(&mut self, logged: &Logged) -> bool {
        let rows = logged.rows.iter().chain(&logged.words).map(|row| size_of::<Row>() + row.value.len());
        let body = logged.version.body.as_ref().map_or(0, |body| body.len());
        self.takes_length(rows.sum::<usize>() + body)
    }

    /// The same for a body of this length.
    pub(crate) fn takes_length(&mut self, length: usize) -> bool {
        self.bytes = self.bytes.saturating_add(length);
        self.versions += 1;
        self.versions == 1 || self.bytes <= PAGE_BYTES_MAX
    }
}
