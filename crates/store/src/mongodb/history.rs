//! Versions, newest first, and the log, oldest first: those that are newest of their document from `documents`, the others from `versions`.

use mongodb::bson::{Document, doc};
use mongodb::options::FindOptions;

use super::layout::{self, COUNTERS, DOCUMENTS, Kept, STATE, VERSIONS};
use super::read::version_id;
use super::view::{self, View};
use crate::document::PageRoom;
use crate::{Cursor, History, HistoryPage, HistoryScope, Key, LogPage, Logged, Millis, StoreError, Version};

pub(super) fn history(view: &mut View, query: &History) -> Result<HistoryPage, StoreError> {
    match &query.scope {
        HistoryScope::Document(key) => of_document(view, query, key),
        HistoryScope::Collection(name) => of_log(view, query, Some(name)),
        HistoryScope::All => of_log(view, query, None),
    }
}

fn is_bounded(query: &History) -> bool {
    query.since.is_some() || query.before.is_some()
}

/// The condition for what was committed within the bounds, and not after `last`.
fn within(query: &History, last: Option<Millis>) -> Document {
    let mut bounds = Document::new();
    bounds.extend(query.since.map(|since| ("$gte".to_owned(), since.into())));
    bounds.extend(query.before.map(|before| ("$lt".to_owned(), before.into())));
    bounds.extend(last.map(|last| ("$lte".to_owned(), last.into())));
    if bounds.is_empty() {
        Document::new()
    } else {
        doc! { "t": bounds }
    }
}

/// The cursor is the number of the last version shown.
fn of_document(view: &mut View, query: &History, key: &Key) -> Result<HistoryPage, StoreError> {
    let mut page = HistoryPage { versions: Vec::new(), next: None, total: query.total.then_some(0) };
    let Some(found) = view.find_one(DOCUMENTS, doc! { "_id": key.as_str() }, Some(doc! { "r": 0, "w": 0 }))? else {
        return Ok(page);
    };
    let newest = Kept::of_document(&found)?;
    let (number, last) = (newest.number, newest.version.version);
    let after = query.after.as_ref().map(|Cursor(at)| fixed(at).map(u64::from_be_bytes)).transpose()?;
    let is_within =
        |time: Millis| query.since.is_none_or(|since| since <= time) && query.before.is_none_or(|before| time < before);
    let newest = Some(newest.version).filter(|newest| is_within(newest.time));
    let before = |end: u64| {
        let mut filter = within(query, None);
        filter.insert("_id", doc! { "$gte": version_id(number, 0), "$lt": version_id(number, end) });
        filter
    };
    if query.total {
        page.total = Some(match is_bounded(query) {
            true => count(view, VERSIONS, before(last))? + u64::from(newest.is_some()),
            false => last,
        });
    }
    if query.limit == 0 {
        return Ok(page);
    }
    let newest = newest.filter(|newest| after.is_none_or(|after| newest.version < after));
    let options = FindOptions::builder().sort(doc! { "_id": -1 }).limit(one_more(query.limit)).build();
    let mut earlier = view.find(VERSIONS, before(after.map_or(last, |after| after.min(last))), options)?;
    let mut filling = Filling::new(query.limit);
    let mut next = newest;
    loop {
        let version = match next.take() {
            Some(newest) => newest,
            None => match view.next(&mut earlier)? {
                Some(document) => Kept::of_document(document)?.version,
                None => return Ok(HistoryPage { versions: filling.versions, ..page }),
            },
        };
        let at = version.version.to_be_bytes();
        if let Err(next) = filling.take(version, at.to_vec()) {
            return Ok(HistoryPage { versions: filling.versions, next, ..page });
        }
    }
}

/// The cursor is the time and sequence of the last version shown.
fn of_log(view: &mut View, query: &History, collection: Option<&str>) -> Result<HistoryPage, StoreError> {
    let after = query.after.as_ref().map(|Cursor(at)| position(at)).transpose()?;
    let scoped = |mut filter: Document| {
        filter.extend(collection.map(|collection| ("c".to_owned(), collection.into())));
        filter
    };
    let mut page = HistoryPage { versions: Vec::new(), next: None, total: None };
    if query.total {
        page.total = Some(match is_bounded(query) {
            true => {
                let mut counted = |from| count(view, from, scoped(within(query, None)));
                counted(DOCUMENTS)? + counted(VERSIONS)?
            }
            false => versions_ever(view, collection)?,
        });
    }
    if query.limit == 0 {
        return Ok(page);
    }
    let mut filter = scoped(within(query, after.map(|(time, _)| time)));
    filter.extend(after.map(|(_, sequence)| ("s".to_owned(), doc! { "$lt": sequence }.into())));
    let options = FindOptions::builder()
        .sort(doc! { "t": -1, "s": -1 })
        .projection(doc! { "r": 0, "w": 0 })
        .limit(one_more(query.limit))
        .build();
    let mut newest = Source::open(view, DOCUMENTS, filter.clone(), options.clone())?;
    let mut earlier = Source::open(view, VERSIONS, filter, options)?;
    let mut filling = Filling::new(query.limit);
    loop {
        let source = if newest.sequence() > earlier.sequence() { &mut newest } else { &mut earlier };
        let Some(kept) = source.take(view)? else {
            return Ok(HistoryPage { versions: filling.versions, ..page });
        };
        let Logged { version, .. } = kept.logged;
        let at = [version.time.to_be_bytes(), kept.sequence.to_be_bytes()].concat();
        if let Err(next) = filling.take(version, at) {
            return Ok(HistoryPage { versions: filling.versions, next, ..page });
        }
    }
}

/// The cursor is that of [`of_log`].
pub(super) fn log(view: &mut View, after: Option<&Cursor>, limit: usize) -> Result<LogPage, StoreError> {
    let mut page = LogPage { logged: Vec::new(), last: None };
    if limit == 0 {
        return Ok(page);
    }
    let filter = match after {
        Some(Cursor(at)) => {
            let (time, sequence) = position(at)?;
            doc! { "t": { "$gte": time }, "s": { "$gt": sequence } }
        }
        None => Document::new(),
    };
    let options = FindOptions::builder().sort(doc! { "t": 1, "s": 1 }).limit(one_more(limit)).build();
    let mut newest = Source::open(view, DOCUMENTS, filter.clone(), options.clone())?;
    let mut earlier = Source::open(view, VERSIONS, filter, options)?;
    let mut room = PageRoom::default();
    while page.logged.len() < limit {
        // Whichever has none left stands behind.
        let place = |source: &Source| source.sequence().unwrap_or(i64::MAX);
        let source = if place(&earlier) < place(&newest) { &mut earlier } else { &mut newest };
        let Some(Entry { sequence, logged }) = source.take(view)? else { break };
        if !room.takes_logged(&logged) {
            break;
        }
        let at = [logged.version.time.to_be_bytes(), sequence.to_be_bytes()].concat();
        page.logged.push(logged);
        page.last = Some(Cursor(at));
    }
    Ok(page)
}

/// A version, and its place in the order of all.
struct Entry {
    sequence: i64,
    logged: Logged,
}

/// The versions of one collection of the database, in the order of the log or against it.
struct Source {
    cursor: view::Cursor,
    next: Option<Entry>,
}

impl Source {
    fn open(view: &mut View, from: &str, filter: Document, options: FindOptions) -> Result<Source, StoreError> {
        let mut source = Source { cursor: view.find(from, filter, options)?, next: None };
        source.take(view)?;
        Ok(source)
    }

    /// The next one; looks for the one after it.
    fn take(&mut self, view: &mut View) -> Result<Option<Entry>, StoreError> {
        let next = view.next(&mut self.cursor)?.map(|document| {
            let Kept { sequence, version, .. } = Kept::of_document(document)?;
            let (rows, words) = (layout::rows(document, None)?, layout::words(document)?);
            Ok::<_, StoreError>(Entry { sequence, logged: Logged { version, rows, words } })
        });
        Ok(std::mem::replace(&mut self.next, next.transpose()?))
    }

    fn sequence(&self) -> Option<i64> {
        self.next.as_ref().map(|next| next.sequence)
    }
}

/// A page that becomes full.
struct Filling {
    versions: Vec<Version>,
    limit: usize,
    room: PageRoom,
    last: Option<Cursor>,
}

impl Filling {
    fn new(limit: usize) -> Filling {
        Filling { versions: Vec::new(), limit, room: PageRoom::default(), last: None }
    }

    /// Takes a version that stands at this position; otherwise says where the next page begins.
    fn take(&mut self, version: Version, at: Vec<u8>) -> Result<(), Option<Cursor>> {
        if self.versions.len() == self.limit || !self.room.takes(&version) {
            return Err(self.last.take());
        }
        self.versions.push(version);
        self.last = Some(Cursor(at));
        Ok(())
    }
}

fn one_more(limit: usize) -> i64 {
    limit.saturating_add(1).try_into().unwrap_or(i64::MAX)
}

fn count(view: &mut View, from: &str, filter: Document) -> Result<u64, StoreError> {
    let pipeline = vec![doc! { "$match": filter }, doc! { "$count": "count" }];
    let mut cursor = view.aggregate(from, pipeline, Default::default())?;
    // Nothing comes where there is nothing to count. The number is of either size.
    let counted = view
        .next(&mut cursor)?
        .and_then(|counted| counted.get_i32("count").map(i64::from).or_else(|_| counted.get_i64("count")).ok());
    Ok(counted.unwrap_or(0) as u64)
}

/// How many versions there are in a collection, or in all.
fn versions_ever(view: &mut View, collection: Option<&str>) -> Result<u64, StoreError> {
    let filter = match collection {
        Some(collection) => doc! { "_id": format!("{COUNTERS}{collection}") },
        None => doc! { "_id": { "$gte": COUNTERS } , "versions": { "$gt": 0 } },
    };
    let mut cursor = view.find(STATE, filter, FindOptions::default())?;
    let mut versions = 0;
    while let Some(counters) = view.next(&mut cursor)? {
        versions += counters.get_i64("versions").unwrap_or(0) as u64;
    }
    Ok(versions)
}

fn position(at: &[u8]) -> Result<(Millis, i64), StoreError> {
    let at: [u8; 16] = fixed(at)?;
    let (time, sequence) = at.split_at(8);
    Ok((Millis::from_be_bytes(fixed(time)?), i64::from_be_bytes(fixed(sequence)?)))
}

fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N], StoreError> {
    bytes.try_into().map_err(|_| StoreError::Misuse("the cursor is not one of this history".to_owned()))
}
