//! Going through a collection, document by document.

use std::ops::Bound;

use super::layout::Document;
use super::snapshot::{PageRoom, read_version};
use super::tables::{View, damaged};
use crate::{Cursor, Documents, Key, StoreError};

/// The cursor is the key of the last document shown.
pub(super) fn documents(
    view: View<'_>,
    collection: &str,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Documents, StoreError> {
    if limit == 0 {
        return Err(StoreError::Misuse("pages of `0` documents come to no end".to_owned()));
    }
    // `0` is the byte after `/`.
    let (first, end) = (format!("{collection}/"), format!("{collection}0"));
    let low = match after {
        Some(Cursor(key)) if key.starts_with(first.as_bytes()) && key.len() <= Key::MAX => {
            Bound::Excluded(key.as_slice())
        }
        Some(_) => return Err(StoreError::Misuse("the cursor is not one of this collection".to_owned())),
        None => Bound::Included(first.as_bytes()),
    };
    let mut page = Documents { versions: Vec::new(), next: None };
    let mut room = PageRoom::default();
    let mut last = None;
    for entry in view.tables.documents.range(view.txn, &(low, Bound::Excluded(end.as_bytes())))? {
        let (key, record) = entry?;
        let document = Document::decode(record).ok_or_else(|| damaged("documents"))?;
        if document.deleted {
            continue;
        }
        if page.versions.len() == limit {
            page.next = last;
            break;
        }
        let version = read_version(view, document.number, document.version)?;
        if !room.takes(&version) {
            page.next = last;
            break;
        }
        page.versions.push(version);
        last = Some(Cursor(key.to_vec()));
    }
    Ok(page)
}
