//! Versions, newest first: of one document from one to the one before, of a collection from the log, of all from the versions as they lie;
//! and all of them, oldest first.

use std::ops::Bound;

use super::layout::{self, Collection};
use super::tables::{View, damaged};
use super::versions::{self, newest};
use super::words::Words;
use crate::document::PageRoom;
use crate::fields::Fields;
use crate::{
    Cursor, History, HistoryPage, HistoryScope, Index, Key, LogPage, Logged, Millis, Row, StoreError, Version,
};

pub(super) fn history(view: View<'_>, query: &History) -> Result<HistoryPage, StoreError> {
    match &query.scope {
        HistoryScope::Document(key) => of_document(view, query, key),
        HistoryScope::Collection(name) => match view.collection(name)? {
            Some(collection) => of_collection(view, query, collection),
            None => Ok(empty(query)),
        },
        HistoryScope::All => of_all(view, query),
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
    let Some(newest) = newest(view, key)? else { return Ok(empty(query)) };
    // Times never fall from one version to the next, so the bounds cut out one run of versions.
    let number_before = |limit| -> Result<u64, StoreError> {
        Ok(versions::committed_before(view, newest.sequence, limit)?.map_or(0, |at| at.version))
    };
    let oldest = query.since.map_or(Ok(0), number_before)? + 1;
    let last = query.before.map_or(Ok(newest.version), number_before)?;
    let start = match &query.after {
        Some(cursor) => last.min(Fields(&cursor.0).u64().ok_or_else(foreign_cursor)?.saturating_sub(1)),
        None => last,
    };
    let mut page = HistoryPage { versions: Vec::new(), next: None, total: None };
    page.total = query.total.then_some((last + 1).saturating_sub(oldest));
    if start < oldest {
        return Ok(page);
    }
    let mut room = PageRoom::default();
    let mut at = versions::numbered(view, newest.sequence, start)?;
    loop {
        let version = at.to_version().ok_or_else(|| damaged("versions"))?;
        if page.versions.len() == query.limit || !room.takes(&version) {
            page.next = page.versions.last().map(|shown: &Version| Cursor(shown.version.to_be_bytes().to_vec()));
            return Ok(page);
        }
        page.versions.push(version);
        if at.version <= oldest {
            return Ok(page);
        }
        at = versions::before(view, &at, at.earlier.previous)?;
    }
}

/// The cursor is the time and sequence of the last entry shown.
fn of_collection(view: View<'_>, query: &History, collection: Collection) -> Result<HistoryPage, StoreError> {
    let scope = collection.number;
    let low = layout::log_key(scope, query.since.unwrap_or(Millis::MIN), 0);
    let end = match query.before {
        Some(before) => layout::log_key(scope, before, 0),
        None => layout::log_key(scope, Millis::MAX, u64::MAX),
    };
    let total = match query.total {
        false => None,
        true if bounded(query) => Some(count(view, &low, &end)?),
        true => Some(collection.versions),
    };
    let start = match &query.after {
        Some(cursor) => end.min(log_position(scope, cursor)?),
        None => end,
    };
    if low >= start {
        return Ok(HistoryPage { versions: Vec::new(), next: None, total });
    }
    let range = (Bound::Included(low.as_slice()), Bound::Excluded(start.as_slice()));
    let entries = view.tables.log.rev_range(view.txn, &range)?.map(|entry| {
        let (at, _) = entry?;
        let (_, _, sequence) = layout::split_log(at).ok_or_else(|| damaged("log"))?;
        Ok((&at[4..], versions::read(view, sequence)?))
    });
    page(query, total, entries)
}

/// The versions of the whole store are its log. The cursor is the sequence of the last one shown.
fn of_all(view: View<'_>, query: &History) -> Result<HistoryPage, StoreError> {
    let next = view.state()?.next_sequence;
    let low = query.since.map_or(Ok(1), |since| first_at_or_after(view, next, since))?;
    let end = query.before.map_or(Ok(next), |before| first_at_or_after(view, next, before))?;
    let total = query.total.then_some(end.saturating_sub(low));
    let start = match &query.after {
        Some(cursor) => end.min(sequence_of(cursor)?),
        None => end,
    };
    let entries = (low..start).rev().map(|sequence| Ok((sequence.to_be_bytes(), versions::read(view, sequence)?)));
    page(query, total, entries)
}

fn sequence_of(cursor: &Cursor) -> Result<u64, StoreError> {
    Fields(&cursor.0).u64().filter(|_| cursor.0.len() == 8).ok_or_else(foreign_cursor)
}

/// The first of the sequences before `next` committed at `limit` or later; `next` when there is none.
fn first_at_or_after(view: View<'_>, next: u64, limit: Millis) -> Result<u64, StoreError> {
    let (mut low, mut high) = (1, next);
    while low < high {
        let middle = low + (high - low) / 2;
        if view.version(middle)?.time < limit {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

/// The first of these versions, each with what its cursor says.
fn page<C: AsRef<[u8]>>(
    query: &History,
    total: Option<u64>,
    entries: impl Iterator<Item = Result<(C, Version), StoreError>>,
) -> Result<HistoryPage, StoreError> {
    let mut page = HistoryPage { versions: Vec::new(), next: None, total };
    let mut last = None;
    let mut room = PageRoom::default();
    for entry in entries {
        let (at, version) = entry?;
        if page.versions.len() == query.limit || !room.takes(&version) {
            page.next = last.map(|at: C| Cursor(at.as_ref().to_vec()));
            break;
        }
        page.versions.push(version);
        last = Some(at);
    }
    Ok(page)
}

/// The cursor is that of [`of_all`].
pub(super) fn log(view: View<'_>, after: Option<&Cursor>, limit: usize) -> Result<LogPage, StoreError> {
    let start = after.map_or(Ok(1), |cursor| Ok::<_, StoreError>(sequence_of(cursor)?.saturating_add(1)))?;
    let mut page = LogPage { logged: Vec::new(), last: None };
    let mut room = PageRoom::default();
    for sequence in (start..view.state()?.next_sequence).take(limit) {
        let logged = logged(view, sequence)?;
        if !room.takes_logged(&logged) {
            break;
        }
        page.logged.push(logged);
        page.last = Some(Cursor(sequence.to_be_bytes().to_vec()));
    }
    Ok(page)
}

/// A version, with its rows and words if it is the newest.
fn logged(view: View<'_>, sequence: u64) -> Result<Logged, StoreError> {
    let version = versions::read(view, sequence)?;
    let found = versions::newest_with_rows(view, &version.key)?.filter(|(newest, _)| newest.sequence == sequence);
    let Some((newest, Some(rows))) = found else { return Ok(Logged { version, rows: Vec::new(), words: Vec::new() }) };
    let words = view.tables.words.get(view.txn, &newest.number.to_be_bytes())?.unwrap_or_default();
    Ok(Logged { version, rows: rows.map(row).collect(), words: Words(words).iter().map(row).collect() })
}

fn row((index, value): (Index, &[u8])) -> Row {
    Row { index, value: value.to_vec() }
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
