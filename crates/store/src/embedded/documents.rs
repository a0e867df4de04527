//! Going through a collection, document by document.

use std::ops::Bound;

use super::layout::Document;
use super::tables::{View, damaged};
use super::versions;
use crate::document::{PageRoom, walk_bounds};
use crate::{Cursor, Documents, StoreError};

/// The cursor is the key of the last document shown.
pub(super) fn documents(
    view: View<'_>,
    collection: &str,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Documents, StoreError> {
    let (low, end) = walk_bounds(collection, after, limit)?;
    let low = low.as_ref().map(String::as_bytes);
    let mut page = Documents { versions: Vec::new(), next: None };
    let mut room = PageRoom::default();
    let mut last = None;
    for entry in view.tables.documents.range(view.txn, &(low, Bound::Excluded(end.as_bytes())))? {
        let (key, record) = entry?;
        let document = Document::decode(record).ok_or_else(|| damaged("documents"))?;
        if document.deletion.is_some() {
            continue;
        }
        if page.versions.len() == limit {
            page.next = last;
            break;
        }
        let current = view.current(document.number)?.ok_or_else(|| damaged("current"))?;
        let version = versions::read(view, current.sequence)?;
        if !room.takes(&version) {
            page.next = last;
            break;
        }
        page.versions.push(version);
        last = Some(Cursor(key.to_vec()));
    }
    Ok(page)
}
