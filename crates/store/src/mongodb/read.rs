//! Reading what is known by its key or name.

use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Document, RawDocument, doc};
use mongodb::options::FindOptions;

use super::layout::{self, DOCUMENTS, Kept, VALUES, VERSIONS};
use super::text;
use super::view::View;
use crate::document::PageRoom;
use crate::prepare::NAME_MAX;
use crate::{Head, Key, NamedValue, StoreError, Version};

/// How many keys one query names.
const KEYS_MAX: usize = 10_000;

/// The newest version of a document.
pub(super) fn version(view: &mut View, key: &Key) -> Result<Option<Version>, StoreError> {
    let found = view.find_one(DOCUMENTS, by_key(key), Some(doc! { "r": 0, "w": 0 }))?;
    found.map(|found| layout::version(&found)).transpose()
}

pub(super) fn head(view: &mut View, key: &Key) -> Result<Option<Head>, StoreError> {
    let found = view.find_one(DOCUMENTS, by_key(key), Some(heads_only()))?;
    let head = |newest: Kept| Head { version: newest.version.version, deleted: newest.deleted };
    found.map(|found| Kept::of_document(&found).map(head)).transpose()
}

/// One version of a document.
pub(super) fn numbered(view: &mut View, key: &Key, version: u64) -> Result<Option<Version>, StoreError> {
    let Some(found) = view.find_one(DOCUMENTS, by_key(key), Some(doc! { "r": 0, "w": 0 }))? else { return Ok(None) };
    let newest = Kept::of_document(&found)?;
    match newest.version.version {
        last if version == last => Ok(Some(newest.version)),
        last if (1..last).contains(&version) => {
            let id = version_id(newest.number, version);
            let found = view.find_one(VERSIONS, doc! { "_id": id }, None)?;
            found.map(|found| layout::version(&found)).ok_or_else(|| layout::damaged(VERSIONS))?.map(Some)
        }
        _ => Ok(None),
    }
}

/// The newest versions of documents, those that there are, in no order; without their bodies where these are not wanted.
pub(super) fn newest(view: &mut View, keys: &[&Key], bodies: bool) -> Result<Vec<Kept>, StoreError> {
    let projection = if bodies {
        doc! { "r": 0, "w": 0 }
    } else {
        heads_only()
    };
    let ids: Vec<&str> = keys.iter().map(|key| key.as_str()).collect();
    let mut found = Vec::new();
    by_id(view, DOCUMENTS, &ids, projection, |document| {
        found.push(Kept::of_document(document)?);
        Ok(())
    })?;
    Ok(found)
}

/// The value of a claim or setting.
pub(super) fn value(view: &mut View, name: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    let found = view.find_one(VALUES, doc! { "_id": text::of_bytes(name) }, None)?;
    Ok(found.map(|found| named(&found)).transpose()?.map(|(_, value)| value))
}

/// Claims and settings of these names, those that there are, in no order.
pub(super) fn values(view: &mut View, names: &[&[u8]]) -> Result<Vec<NamedValue>, StoreError> {
    let ids: Vec<String> = names.iter().map(|name| text::of_bytes(name)).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mut found = Vec::new();
    by_id(view, VALUES, &ids, Document::new(), |document| {
        found.push(named(document)?);
        Ok(())
    })?;
    Ok(found)
}

/// Claims and settings whose names begin with `prefix` and come after `after`, in order of name, as many as have room on one page.
pub(super) fn values_from(
    view: &mut View,
    prefix: &[u8],
    after: Option<&[u8]>,
    limit: usize,
) -> Result<Vec<NamedValue>, StoreError> {
    if limit == 0 || prefix.len() > NAME_MAX || after.is_some_and(|after| after.len() > NAME_MAX) {
        return Ok(Vec::new());
    }
    let low = match after {
        Some(after) if after > prefix => doc! { "$gt": text::of_bytes(after) },
        _ => doc! { "$gte": text::of_bytes(prefix) },
    };
    let options = FindOptions::builder().sort(doc! { "_id": 1 }).limit(limit as i64).build();
    let mut cursor = view.find(VALUES, doc! { "_id": low }, options)?;
    let mut values = Vec::new();
    let mut room = PageRoom::default();
    while let Some(document) = view.next(&mut cursor)? {
        let (name, value) = named(document)?;
        if !name.starts_with(prefix) || !room.takes_length(name.len() + value.len()) {
            break;
        }
        values.push((name, value));
    }
    Ok(values)
}

/// `_id` of an earlier version.
pub(super) fn version_id(number: i64, version: u64) -> Binary {
    Binary { subtype: BinarySubtype::Generic, bytes: layout::version_id(number, version).to_vec() }
}

fn by_key(key: &Key) -> Document {
    doc! { "_id": key.as_str() }
}

/// All that says which version it is and what kind.
fn heads_only() -> Document {
    doc! { "r": 0, "w": 0, "b": 0 }
}

fn by_id(
    view: &mut View,
    collection: &str,
    ids: &[&str],
    projection: Document,
    mut take: impl FnMut(&RawDocument) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    for ids in ids.chunks(KEYS_MAX) {
        let options = FindOptions::builder().projection(projection.clone()).build();
        let filter = match ids {
            [id] => doc! { "_id": *id },
            ids => doc! { "_id": { "$in": ids.to_vec() } },
        };
        let mut cursor = view.find(collection, filter, options)?;
        while let Some(document) = view.next(&mut cursor)? {
            take(document)?;
        }
    }
    Ok(())
}

fn named(document: &RawDocument) -> Result<NamedValue, StoreError> {
    let name = document.get_str("_id").ok().and_then(text::to_bytes);
    let value = document.get_binary("v").ok().map(|value| value.bytes.to_vec());
    name.zip(value).ok_or_else(|| layout::damaged(VALUES))
}
