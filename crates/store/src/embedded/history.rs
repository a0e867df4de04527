//! Versions, newest first: of one document from its versions, of more from the log.

use std::ops::Bound;

use super::layout::{self, ALL_COLLECTIONS};
use super::snapshot::read_version;
use super::tables::{View, damaged};
use crate::document::PageRoom;
use crate::fields::Fields;
use crate::{Cursor, History, HistoryPage, HistoryScope, Key, Millis, StoreError};

pub(super) fn history(view: View<'_>, query: &History) -> Result<HistoryPage, StoreError> {
    match &query.scope {
        HistoryScope::Document(key) => of_document(view, query, key),
        HistoryScope::Collection(name) => match view.collection(name)? {
            Some(collection) => of_log(view, query, collection.number, collection.versions),
            None => Ok(empty(query)),
        },
        HistoryScope::All => {
            let versions = view.collections()?.iter().map(|(_, collection)| collection.versions).sum();
            of_log(view, query, ALL_COLLECTIONS, versions)
        }
    }
}

fn empty(query: &History) -> HistoryPage {
    HistoryPage { versions: Vec::new(), next: None, total: query.total.then_some(0) }
}

fn bounded(query: &History) -> bool {
    query.since.is_some() || query.before.is_some()
}

/// The cursor is the number of the last version shown.
fn of_document(view: View<'_>, query: &History, key: &Key) -> Result<HistoryPage, StoreError> {
    let Some(document) = view.document(key.as_str())? else { return Ok(empty(query)) };
    let number = document.number;
    let time = |version| view.version(number, version)?.map(|stored| stored.time).ok_or_else(|| damaged("versions"));
    // Times never fall from one version to the next, so the bounds cut out one run of versions.
    let low = match query.since {
        Some(since) => first_at_or_after(document.version, since, time)?,
        None => 1,
    };
    let end = match query.before {
        Some(before) => first_at_or_after(document.version, before, time)?,
        None => document.version + 1,
    };
    let start = match &query.after {
        Some(cursor) => end.min(Fields(&cursor.0).u64().ok_or_else(foreign_cursor)?),
        None => end,
    };
    let mut last = start.saturating_sub(query.limit as u64).max(low);
    let mut room = PageRoom::default();
    let mut versions = Vec::new();
    for at in (last..start).rev() {
        let version = read_version(view, number, at)?;
        if !room.takes(&version) {
            last = at + 1;
            break;
        }
        versions.push(version);
    }
    let more = last > low && !versions.is_empty();
    Ok(HistoryPage {
        versions,
        next: more.then(|| Cursor(last.to_be_bytes().to_vec())),
        total: query.total.then_some(end.saturating_sub(low)),
    })
}

/// The first of the versions 1 to `newest` committed at `limit` or later; one more than `newest` when there is none.
fn first_at_or_after(
    newest: u64,
    limit: Millis,
    time: impl Fn(u64) -> Result<Millis, StoreError>,
) -> Result<u64, StoreError> {
    let (mut low, mut high) = (1, newest + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        if time(middle)? < limit {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

/// The cursor is the time and sequence of the last entry shown.
fn of_log(view: View<'_>, query: &History, scope: u32, versions_ever: u64) -> Result<HistoryPage, StoreError> {
    let low = layout::log_key(scope, query.since.unwrap_or(Millis::MIN), 0);
    let end = match query.before {
        Some(before) => layout::log_key(scope, before, 0),
        None => layout::log_key(scope, Millis::MAX, u64::MAX),
    };
    let total = match query.total {
        false => None,
        true if bounded(query) => Some(count(view, &low, &end)?),
        true => Some(versions_ever),
    };
    let start = match &query.after {
        Some(cursor) => end.min(log_position(scope, cursor)?),
        None => end,
    };
    let mut page = HistoryPage { versions: Vec::new(), next: None, total };
    if low >= start {
        return Ok(page);
    }
    let mut last = None;
    let mut room = PageRoom::default();
    let range = (Bound::Included(low.as_slice()), Bound::Excluded(start.as_slice()));
    for entry in view.tables.log.rev_range(view.txn, &range)? {
        let (at, record) = entry?;
        if page.versions.len() == query.limit {
            page.next = last;
            break;
        }
        let (number, version) = layout::split_version(record).ok_or_else(|| damaged("log"))?;
        let version = read_version(view, number, version)?;
        if !room.takes(&version) {
            page.next = last;
            break;
        }
        page.versions.push(version);
        last = Some(Cursor(at[4..].to_vec()));
    }
    Ok(page)
}

fn log_position(scope: u32, cursor: &Cursor) -> Result<[u8; 20], StoreError> {
    let at: [u8; 16] = cursor.0.as_slice().try_into().map_err(|_| foreign_cursor())?;
    let mut key = [0; 20];
    key[..4].copy_from_slice(&scope.to_be_bytes());
    key[4..].copy_from_slice(&at);
    Ok(key)
}

fn count(view: View<'_>, low: &[u8], end: &[u8]) -> Result<u64, StoreError> {
    let mut count = 0;
    if low < end {
        for entry in view.tables.log.range(view.txn, &(Bound::Included(low), Bound::Excluded(end)))? {
            entry?;
            count += 1;
        }
    }
    Ok(count)
}

fn foreign_cursor() -> StoreError {
    StoreError::Misuse("the cursor is not one of this history".to_owned())
}
