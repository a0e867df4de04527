//! What is in the database: the one place that knows the names of fields.
//!
//! Collection `state`:
//!
//! | `_id` | fields |
//! | --- | --- |
//! | `state` | [`State`]: `format`, `commits`, `number`, `sequence`, `time`, `homes` |
//! | `collection/` and its name | `documents`: how many there are that are not deleted; `versions`: how many there ever were |
//! | `home/` and its name | see [`homes`](super::homes) |
//! | `session/` and a process's place | `id`: that of the [`session`](super::session) in which it writes |
//!
//! Collection `documents`, the newest version of each key: `_id` is the key, and
//!
//! | field | what it is |
//! | --- | --- |
//! | `n` | creation number: the order of creation; kept through deletion and return |
//! | `c` | the collection in the key |
//! | `v` | number of the version |
//! | `t` | its time in milliseconds |
//! | `s` | its place in the order of all versions: times never fall along it |
//! | `m` | its mark |
//! | `d` | true for a deletion, which has none of the following; missing otherwise |
//! | `r` | its rows, as [`text`](super::text) |
//! | `w` | its words, likewise |
//! | `z` | the length of its body |
//! | `b` | its body |
//!
//! Collection `versions`, all that are not newest: `_id` is the creation number and the version, 8 bytes each, and the fields are those
//! above without `r` and `w`, and `k`, the key. A version moves here when the next one comes, so that a create writes one document.
//!
//! Collection `values`: `_id` is the name of a claim or setting as text, `v` its value.

use bytes::Bytes;
use mongodb::IndexModel;
use mongodb::bson::raw::cstr;
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Document, RawArrayBuf, RawBinaryRef, RawBsonRef, RawDocument, RawDocumentBuf, doc, rawdoc};
use mongodb::options::IndexOptions;

use super::text;
use crate::find::{SAMPLE_SHARES, sample_member, share};
use crate::{Index, Key, Millis, Row, StoreError, Version};

/// The version of the format that this program reads and writes. Another one is refused.
pub(super) const FORMAT: i64 = 1;

pub(super) const STATE: &str = "state";
pub(super) const DOCUMENTS: &str = "documents";
pub(super) const VERSIONS: &str = "versions";
pub(super) const VALUES: &str = "values";

/// The `_id` of the [`State`].
pub(super) const STATE_ID: &str = "state";

/// What the `_id` of a collection's counters begins with.
pub(super) const COUNTERS: &str = "collection/";

/// What follows the `_id` of the counters of every collection.
pub(super) const COUNTERS_END: &str = "collection0";

/// What the `_id` of a note of a session begins with.
pub(super) const SESSIONS: &str = "session/";

/// How many bytes a document may have with all that is kept of it: what MongoDB takes, less some for names and numbers.
pub(super) const DOCUMENT_MAX: usize = (16 << 20) - (16 << 10);

/// The index of rows in which values ascend.
pub(super) const ROWS_UP: &str = "r_1_n_1";

/// The index of rows in which values descend.
pub(super) const ROWS_DOWN: &str = "r_-1_n_1";

/// The index of the rows of those documents that are in the sample.
pub(super) const ROWS_SAMPLED: &str = "r_1_q_1";

/// How many documents there are for one in the sample.
pub(super) const SAMPLED: u64 = share(LEVEL);

const LEVEL: u8 = SAMPLE_SHARES.len() as u8 - 1;

/// The indexes of a collection of the database.
pub(super) fn indexes(collection: &str) -> Vec<IndexModel> {
    let keys = match collection {
        // The log: all versions, and those of one collection, newest first.
        VERSIONS => vec![doc! { "t": -1, "s": -1 }, doc! { "c": 1, "t": -1, "s": -1 }],
        DOCUMENTS => vec![
            doc! { "t": -1, "s": -1 },
            doc! { "c": 1, "t": -1, "s": -1 },
            doc! { "n": 1 },
            doc! { "r": 1, "n": 1 },
            doc! { "r": -1, "n": 1 },
            doc! { "r": 1, "q": 1 },
            doc! { "w": 1, "n": 1 },
        ],
        _ => vec![],
    };
    keys.into_iter().map(index).collect()
}

/// The index with these keys, by the name that the database would give it.
fn index(keys: Document) -> IndexModel {
    let name: Vec<_> = keys.iter().map(|(field, way)| format!("{field}_{way}")).collect();
    let name = name.join("_");
    let partial = match name.as_str() {
        // Only a search that names this index uses it, and the database's planner has one less to try for every other.
        ROWS_DOWN => Some(is_current()),
        ROWS_SAMPLED => Some(is_sampled()),
        _ => None,
    };
    let options = IndexOptions::builder().name(name).partial_filter_expression(partial).build();
    IndexModel::builder().keys(keys).options(options).build()
}

/// The counters that every commit advances.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct State {
    /// How many groups were committed, by whomever.
    pub(super) commits: i64,
    pub(super) next_number: i64,
    pub(super) next_sequence: i64,
    pub(super) time: Millis,
    /// How often the [`homes`](super::homes) have changed.
    pub(super) homes: i64,
}

impl State {
    pub(super) const FIRST: State = State { commits: 0, next_number: 1, next_sequence: 1, time: 0, homes: 0 };

    /// How many documents there ever were.
    pub(super) fn documents(self) -> u64 {
        u64::try_from(self.next_number - 1).unwrap_or_default()
    }

    pub(super) fn to_raw(self) -> RawDocumentBuf {
        let State { commits, next_number, next_sequence, time, homes } = self;
        rawdoc! {
            "_id": STATE_ID, "format": FORMAT, "commits": commits, "number": next_number, "sequence": next_sequence, "time": time,
            "homes": homes,
        }
    }

    pub(super) fn of_document(document: &RawDocument) -> Result<State, StoreError> {
        let field = |name| document.get_i64(name).map_err(|_| damaged(STATE));
        match document.get("format") {
            Ok(Some(RawBsonRef::Int64(FORMAT))) => Ok(State {
                commits: field("commits")?,
                next_number: field("number")?,
                next_sequence: field("sequence")?,
                time: field("time")?,
                homes: field("homes")?,
            }),
            Ok(Some(RawBsonRef::Int64(found))) => Err(StoreError::Unusable(format!(
                "the store in the database has format `{found}`, this program reads format `{FORMAT}`: export with the program that \
                 wrote it, and import into an empty database"
            ))),
            _ => Err(damaged(STATE)),
        }
    }
}

/// A version as it is kept.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) number: i64,
    pub(super) sequence: i64,
    /// Its body is missing where it was not asked for.
    pub(super) version: Version,
    pub(super) deleted: bool,
    pub(super) body_length: usize,
}

impl Kept {
    /// From a document of `documents`, whole or without `b`, `r` and `w`, or from one of `versions`.
    pub(super) fn of_document(document: &RawDocument) -> Result<Kept, StoreError> {
        let field = |name| document.get_i64(name).map_err(|_| damaged(DOCUMENTS));
        Ok(Kept {
            number: field("n")?,
            sequence: field("s")?,
            version: version(document)?,
            deleted: is_deleted(document),
            body_length: document.get_i32("z").map_or(0, |length| length as usize),
        })
    }

    /// What `documents` has of it.
    pub(super) fn to_document(&self, rows: &[Row], words: &[Row]) -> Result<RawDocumentBuf, StoreError> {
        let mut document = RawDocumentBuf::new();
        document.append(cstr!("_id"), self.version.key.as_str());
        self.append_to(&mut document, |document| {
            let number = self.number as u64;
            if sample_member(LEVEL, number / SAMPLED) == number {
                document.append(cstr!("q"), true);
            }
            document.append(cstr!("r"), texts(rows));
            document.append(cstr!("w"), texts(words));
        })?;
        Ok(document)
    }

    /// What `versions` has of it when it is not the newest any more.
    pub(super) fn to_version(&self) -> Result<RawDocumentBuf, StoreError> {
        let mut document = RawDocumentBuf::new();
        document.append(cstr!("_id"), binary(&version_id(self.number, self.version.version)));
        document.append(cstr!("k"), self.version.key.as_str());
        self.append_to(&mut document, |_| {})?;
        Ok(document)
    }

    fn append_to(
        &self,
        document: &mut RawDocumentBuf,
        append_rows: impl FnOnce(&mut RawDocumentBuf),
    ) -> Result<(), StoreError> {
        let Version { key, version, time, body, mark } = &self.version;
        document.append(cstr!("n"), self.number);
        document.append(cstr!("c"), key.collection());
        document.append(cstr!("v"), *version as i64);
        document.append(cstr!("t"), *time);
        document.append(cstr!("s"), self.sequence);
        document.append(cstr!("m"), i32::from(*mark));
        match body {
            None if self.deleted => document.append(cstr!("d"), true),
            None => return Err(StoreError::Engine(format!("the body of `{key}` was not read"))),
            Some(body) => {
                append_rows(document);
                document.append(cstr!("z"), body.len() as i32);
                document.append(cstr!("b"), binary(body));
            }
        }
        Ok(())
    }
}

/// Rows or words as they are kept.
pub(super) fn texts(rows: &[Row]) -> RawArrayBuf {
    let mut texts = RawArrayBuf::new();
    for row in rows {
        texts.push(text::of_row(row.index, &row.value));
    }
    texts
}

/// Refuses a document that would be larger than the database takes: a body of so many bytes with these rows and words.
pub(super) fn check_size(key: &Key, body: usize, rows: &[Row], words: &[Row]) -> Result<(), StoreError> {
    // Of each: a type, a position of up to 9 digits, a length, and the ends of both.
    let size = |row: &Row| 16 + text::INDEX_DIGITS + text::length(&row.value);
    let bytes = rows.iter().chain(words).map(size).sum::<usize>() + body;
    if bytes > DOCUMENT_MAX {
        return Err(StoreError::TooLarge(format!(
            "`{key}` would have {bytes} bytes with what it is found by; this store holds at most {DOCUMENT_MAX} of a document"
        )));
    }
    Ok(())
}

/// Refuses a value that would be larger than the database takes.
pub(super) fn check_value_size(name: &[u8], value: &[u8]) -> Result<(), StoreError> {
    if value.len() > DOCUMENT_MAX {
        return Err(StoreError::TooLarge(format!(
            "the value of `{}` would have {} bytes; this store holds at most {DOCUMENT_MAX} of one",
            String::from_utf8_lossy(name),
            value.len()
        )));
    }
    Ok(())
}

/// The rows of a document of `documents`, sorted; those of these indexes only, where some are named.
pub(super) fn rows(document: &RawDocument, indexes: Option<&[Index]>) -> Result<Vec<Row>, StoreError> {
    read_rows(document, "r", indexes)
}

/// The words of a document of `documents`, sorted.
pub(super) fn words(document: &RawDocument) -> Result<Vec<Row>, StoreError> {
    read_rows(document, "w", None)
}

fn read_rows(document: &RawDocument, field: &str, indexes: Option<&[Index]>) -> Result<Vec<Row>, StoreError> {
    let Some(value) = document.get(field).map_err(|_| damaged(DOCUMENTS))? else { return Ok(Vec::new()) };
    let mut rows = Vec::new();
    for value in value.as_array().ok_or_else(|| damaged(DOCUMENTS))? {
        let row = value.ok().and_then(|value| text::to_row(value.as_str()?)).ok_or_else(|| damaged(DOCUMENTS))?;
        if indexes.is_none_or(|indexes| indexes.contains(&row.index)) {
            rows.push(row);
        }
    }
    rows.sort_unstable();
    Ok(rows)
}

/// The version in a document of `documents` or of `versions`; without its body where that was not asked for.
pub(super) fn version(document: &RawDocument) -> Result<Version, StoreError> {
    read_version(document).ok_or_else(|| damaged(VERSIONS))
}

fn read_version(document: &RawDocument) -> Option<Version> {
    let key = document.get_str("k").or_else(|_| document.get_str("_id")).ok()?;
    let body = document.get("b").ok()?.map(|body| body.as_binary().map(|body| Bytes::copy_from_slice(body.bytes)));
    Some(Version {
        key: Key::parse(key)?,
        version: document.get_i64("v").ok()? as u64,
        time: document.get_i64("t").ok()?,
        // There, but of another type: damaged.
        body: body.map_or(Some(None), |body| body.map(Some))?,
        mark: u8::try_from(document.get_i32("m").ok()?).ok()?,
    })
}

/// Whether a document of `documents` or of `versions` is a deletion.
pub(super) fn is_deleted(document: &RawDocument) -> bool {
    document.get_bool("d").unwrap_or(false)
}

/// What `values` has of a claim or setting.
pub(super) fn value(name: &[u8], value: &[u8]) -> RawDocumentBuf {
    let mut document = RawDocumentBuf::new();
    document.append(cstr!("_id"), text::of_bytes(name));
    document.append(cstr!("v"), binary(value));
    document
}

/// The condition for documents that are not deleted, as a partial index takes it.
pub(super) fn is_current() -> Document {
    doc! { "z": { "$gte": 0 } }
}

/// The condition for documents that are in the sample and not deleted.
pub(super) fn is_sampled() -> Document {
    doc! { "q": true }
}

/// The `_id` of a version in `versions`. Of one length, and so ordered by number and version.
pub(super) fn version_id(number: i64, version: u64) -> [u8; 16] {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    id[8..].copy_from_slice(&version.to_be_bytes());
    id
}

fn binary(bytes: &[u8]) -> RawBinaryRef<'_> {
    RawBinaryRef { subtype: BinarySubtype::Generic, bytes }
}

/// That something in the database cannot be read as what it should be.
pub(super) fn damaged(collection: &str) -> StoreError {
    StoreError::Engine(format!("something in collection `{collection}` of the database is damaged"))
}
