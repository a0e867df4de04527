//! Going through a collection, document by document.

use std::ops::Bound;

use mongodb::bson::doc;
use mongodb::options::FindOptions;

use super::layout::{self, DOCUMENTS};
use super::view::View;
use crate::document::{PageRoom, walk_bounds};
use crate::{Cursor, Documents, StoreError};

/// The cursor is the key of the last document shown.
pub(super) fn documents(
    view: &mut View,
    collection: &str,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Documents, StoreError> {
    let (low, end) = walk_bounds(collection, after, limit)?;
    let (operator, low) = match low {
        Bound::Excluded(low) => ("$gt", low),
        Bound::Included(low) => ("$gte", low),
        Bound::Unbounded => ("$gte", String::new()),
    };
    let filter = doc! { "_id": { operator: low, "$lt": end }, "d": null };
    let options = FindOptions::builder()
        .sort(doc! { "_id": 1 })
        .projection(doc! { "r": 0, "w": 0 })
        .limit(limit.saturating_add(1).try_into().unwrap_or(i64::MAX))
        .build();
    let mut cursor = view.find(DOCUMENTS, filter, options)?;
    let mut page = Documents { versions: Vec::new(), next: None };
    let mut room = PageRoom::default();
    while let Some(document) = view.next(&mut cursor)? {
        let version = layout::version(document)?;
        if page.versions.len() == limit || !room.takes(&version) {
            page.next = page.versions.last().map(|last| Cursor(last.key.as_str().as_bytes().to_vec()));
            break;
        }
        page.versions.push(version);
    }
    Ok(page)
}
