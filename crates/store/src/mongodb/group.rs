//! A group of batches in one transaction: what they need is read at once, each is checked as a whole and only then applied in memory, and
//! what came of it is written at once.

use mongodb::bson::{RawArrayBuf, RawDocumentBuf, rawdoc};
use rustc_hash::{FxHashMap, FxHashSet};

use super::homes::{Homes, Known};
use super::layout::{self, DOCUMENTS, Kept, STATE, STATE_ID, State, VALUES, VERSIONS};
use super::needs::{self, Needs};
use super::updates::{Updates, run};
use super::view::View;
use super::{find, read, text};
use crate::check::{Facts, check};
use crate::prepare::{Prepared, with_time};
use crate::stamp::{TIME_MAX, stamped};
use crate::{Batch, Committed, Find, Found, Index, Key, Logged, Millis, Put, Row, StoreError, Version, Write};

/// The writer's transaction. Nothing of it is visible or durable before it is committed.
pub(super) struct Group<'g> {
    view: &'g mut View,
    homes: &'g mut Homes,
    state: State,
    /// Since there were so many commits, all were made by this process.
    alone_since: i64,
    documents: FxHashMap<Key, Entry>,
    /// Those that are taken for not being there, and were not read.
    assumed: FxHashSet<Key>,
    values: Values,
    /// Versions that are not newest any more, and not written yet.
    versions: Vec<RawDocumentBuf>,
    /// What is to be added to the counters of a collection: documents and versions.
    counters: FxHashMap<String, (i64, i64)>,
}

/// A document that the group has to do with.
#[derive(Default)]
struct Entry {
    newest: Option<Kept>,
    /// Whether the database has a document for it.
    stored: bool,
    change: Change,
}

/// What the database does not have yet.
#[derive(Default)]
enum Change {
    #[default]
    Nothing,
    Whole(RawDocumentBuf),
    /// Rows and words only.
    Rows(RawArrayBuf, RawArrayBuf),
}

/// A claim or setting that the group has to do with.
pub(super) struct Value {
    pub(super) value: Option<Vec<u8>>,
    changed: bool,
}

/// By name.
pub(super) type Values = FxHashMap<Vec<u8>, Value>;

/// What is so once a group is committed.
pub(super) struct Finished {
    pub(super) state: State,
    /// The claims and settings that it has to do with.
    pub(super) values: Values,
}

impl<'g> Group<'g> {
    /// Within the transaction that `view` has begun, and that sees `state`; all commits from `alone_since` on were made by this process. What is made is taken for not being there; `is_contended` says that the
    /// database has refused something, which may have been this: then it is read.
    pub(super) fn begin(
        view: &'g mut View,
        homes: &'g mut Homes,
        (state, alone_since): (State, i64),
        batches: &[Prepared],
        is_contended: bool,
    ) -> Result<Group<'g>, StoreError> {
        let mut group = Group {
            view,
            homes,
            state,
            alone_since,
            documents: FxHashMap::default(),
            assumed: FxHashSet::default(),
            values: FxHashMap::default(),
            versions: Vec::new(),
            counters: FxHashMap::default(),
        };
        group.read(&Needs::of(batches), is_contended)?;
        Ok(group)
    }

    fn read(&mut self, needs: &Needs, is_contended: bool) -> Result<(), StoreError> {
        self.documents.extend(needs.documents().map(|key| (key.clone(), Entry::default())));
        let mut heads = needs.heads();
        match is_contended {
            true => heads.extend(needs.made()),
            false => self.assumed.extend(needs.made().into_iter().cloned()),
        }
        self.read_documents(&needs.whole(), true)?;
        self.read_documents(&heads, false)?;
        self.homes.read(self.view, self.state.homes, needs.documents().map(Key::collection))?;
        self.read_values(needs.names())
    }

    fn read_documents(&mut self, keys: &[&Key], bodies: bool) -> Result<(), StoreError> {
        for found in read::newest(self.view, keys, bodies)? {
            let key = found.version.key.clone();
            self.documents.insert(key, Entry { newest: Some(found), stored: true, change: Change::Nothing });
        }
        Ok(())
    }

    /// Reads those that a batch makes and that were taken for not being there; whether one of them is.
    fn read_assumed(&mut self, batch: &Batch) -> Result<bool, StoreError> {
        let made: Vec<_> =
            batch.writes.iter().filter_map(needs::made).filter(|key| self.assumed.remove(*key)).collect();
        // What this group has made is refused by the database if it was there.
        let open: Vec<_> = made.into_iter().filter(|key| self.entry(key).is_ok_and(|it| it.newest.is_none())).collect();
        self.read_documents(&open, false)?;
        Ok(open.iter().any(|key| self.entry(key).is_ok_and(|it| it.newest.is_some())))
    }

    fn read_values(&mut self, names: Vec<&[u8]>) -> Result<(), StoreError> {
        let mut unknown = Vec::new();
        for name in names {
            let known = self.view.recent().value(self.state.commits, name);
            if known.is_none() {
                unknown.push(name);
            }
            self.values.insert(name.to_vec(), Value { value: known.flatten(), changed: false });
        }
        for (name, value) in read::values(self.view, &unknown)? {
            self.values.insert(name, Value { value: Some(value), changed: false });
        }
        Ok(())
    }

    /// Whether everything that a batch asks for holds after the batches applied so far.
    pub(super) fn check(&mut self, batch: &Batch) -> Result<(), StoreError> {
        match check(self, batch) {
            // What a refusal rests on is not written, and so nothing else would tell.
            Err(error) if error.is_refusal() => match self.read_assumed(batch)? {
                true => check(self, batch)?,
                false => return Err(error),
            },
            checked => checked?,
        }
        for write in &batch.writes {
            if let Write::Reindex { key, rows, words, .. } = write {
                let body = self.entry(key)?.newest.as_ref().map_or(0, |newest| newest.body_length);
                layout::check_size(key, body, rows, words)?;
            }
        }
        Ok(())
    }

    fn entry(&self, key: &Key) -> Result<&Entry, StoreError> {
        self.documents.get(key).ok_or_else(not_read)
    }

    /// Applies a batch that [`Group::check`] has let through. After an error the transaction must not be committed.
    pub(super) fn apply(&mut self, batch: &Batch, now: Millis) -> Result<Committed, StoreError> {
        let time = now.clamp(self.state.time, self.state.time.max(TIME_MAX));
        let mut versions = Vec::with_capacity(batch.writes.len());
        for write in &batch.writes {
            match write {
                Write::Put(put) => versions.push(self.put(put, time)?),
                Write::Delete { key, version, mark } => {
                    let deletion = Version { key: key.clone(), version: *version, time, body: None, mark: *mark };
                    versions.push(self.add(deletion, &[], &[])?);
                }
                Write::Replay(Logged { version, rows, words }) => {
                    versions.push(self.add(version.clone(), rows, words)?);
                }
                Write::Reindex { key, rows, words, time_index, .. } => self.reindex(key, rows, words, *time_index)?,
                Write::Claim { name, value } | Write::Set { name, value } => self.set(name, Some(value.clone())),
                Write::Release { name } => self.set(name, None),
            }
        }
        Ok(Committed { time, versions })
    }

    fn put(&mut self, put: &Put, time: Millis) -> Result<Version, StoreError> {
        let body = match put.stamp_at {
            Some(at) => stamped(put.body.clone(), at, time),
            None => put.body.clone(),
        };
        let version = Version { key: put.key.clone(), version: put.version, time, body: Some(body), mark: put.mark };
        let rows = with_time(put.rows.clone(), put.time_index, time);
        self.add(version, &rows, &put.words)
    }

    /// Makes this the newest version.
    fn add(&mut self, version: Version, rows: &[Row], words: &[Row]) -> Result<Version, StoreError> {
        if version.body.is_some() {
            self.homes.note(version.key.collection(), rows);
        }
        self.state.time = version.time;
        let sequence = self.state.next_sequence;
        self.state.next_sequence += 1;
        let entry = self.documents.get_mut(&version.key).ok_or_else(not_read)?;
        let (number, existed) = match &entry.newest {
            Some(before) => {
                self.versions.push(before.to_version()?);
                (before.number, !before.deleted)
            }
            None => (self.state.next_number, false),
        };
        self.state.next_number = self.state.next_number.max(number + 1);
        let counters = self.counters.entry(version.key.collection().to_owned()).or_default();
        let exists = version.body.is_some();
        counters.0 += i64::from(exists) - i64::from(existed);
        counters.1 += 1;
        let body_length = version.body.as_ref().map_or(0, |body| body.len());
        let newest = Kept { number, sequence, version: version.clone(), deleted: !exists, body_length };
        entry.change = Change::Whole(newest.to_document(rows, words)?);
        entry.newest = Some(newest);
        Ok(version)
    }

    fn reindex(&mut self, key: &Key, rows: &[Row], words: &[Row], time_index: Option<Index>) -> Result<(), StoreError> {
        let entry = self.documents.get_mut(key).ok_or_else(not_read)?;
        let newest = entry.newest.as_ref().ok_or_else(|| layout::damaged(DOCUMENTS))?;
        let rows = with_time(rows.to_vec(), time_index, newest.version.time);
        self.homes.note(key.collection(), &rows);
        entry.change = match entry.change {
            Change::Whole(_) => Change::Whole(newest.to_document(&rows, words)?),
            Change::Nothing | Change::Rows(..) => Change::Rows(layout::texts(&rows), layout::texts(words)),
        };
        Ok(())
    }

    fn set(&mut self, name: &[u8], value: Option<Vec<u8>>) {
        self.values.insert(name.to_vec(), Value { value, changed: true });
    }

    /// Writes all that was applied, and the state after it. The state in the database must be at so many commits, or the group rests on what
    /// is not so any more.
    pub(super) fn finish(mut self, commits: i64) -> Result<Finished, StoreError> {
        self.settle()?;
        self.state.homes = self.homes.finish(self.view)?;
        self.state.commits += 1;
        let mut updates = Updates::new(STATE);
        // Of two groups that began at the same state, this lets only one be committed.
        let q = rawdoc! { "_id": STATE_ID, "commits": commits };
        updates.push(self.view, rawdoc! { "q": q, "u": self.state.to_raw() })?;
        for (name, (documents, versions)) in self.counters.drain() {
            let id = format!("{}{name}", layout::COUNTERS);
            let u = rawdoc! { "$inc": { "documents": documents, "versions": versions } };
            updates.push(self.view, rawdoc! { "q": { "_id": id }, "u": u, "upsert": true })?;
        }
        updates.flush(self.view)?;
        Ok(Finished { state: self.state, values: self.values })
    }

    /// Writes what was applied, so that a search in this transaction sees it.
    fn settle(&mut self) -> Result<(), StoreError> {
        let mut made = Vec::new();
        let mut updates = Updates::new(DOCUMENTS);
        for (key, entry) in &mut self.documents {
            let statement = match std::mem::take(&mut entry.change) {
                Change::Nothing => continue,
                Change::Whole(document) if !entry.stored => {
                    entry.stored = true;
                    made.push(document);
                    continue;
                }
                Change::Whole(document) => rawdoc! { "q": { "_id": key.as_str() }, "u": document },
                Change::Rows(rows, words) => {
                    rawdoc! { "q": { "_id": key.as_str() }, "u": { "$set": { "r": rows, "w": words } } }
                }
            };
            updates.push(self.view, statement)?;
        }
        updates.flush(self.view)?;
        self.view.insert(DOCUMENTS, made)?;
        self.view.insert(VERSIONS, std::mem::take(&mut self.versions))?;
        self.settle_values()
    }

    fn settle_values(&mut self) -> Result<(), StoreError> {
        let mut updates = Updates::new(VALUES);
        let mut released = RawArrayBuf::new();
        for (name, value) in self.values.iter_mut().filter(|(_, value)| value.changed) {
            value.changed = false;
            let id = text::of_bytes(name);
            match &value.value {
                Some(value) => {
                    let u = layout::value(name, value);
                    updates.push(self.view, rawdoc! { "q": { "_id": id }, "u": u, "upsert": true })?;
                }
                None => released.push(id),
            }
        }
        updates.flush(self.view)?;
        if released.is_empty() {
            return Ok(());
        }
        let delete = rawdoc! { "q": { "_id": { "$in": released } }, "limit": 0 };
        run(self.view, rawdoc! { "delete": VALUES, "deletes": [delete] }).map(drop)
    }
}

impl Facts for Group<'_> {
    fn newest(&self, key: &Key) -> Result<(u64, bool), StoreError> {
        let newest = self.entry(key)?.newest.as_ref();
        Ok(newest.map_or((0, false), |newest| (newest.version.version, !newest.deleted)))
    }

    fn time(&self) -> Millis {
        self.state.time
    }

    fn value(&self, name: &[u8]) -> Result<Option<&[u8]>, StoreError> {
        Ok(self.values.get(name).ok_or_else(not_read)?.value.as_deref())
    }

    fn is_alone_since(&self, commits: u64) -> bool {
        commits >= self.alone_since as u64
    }

    fn find(&mut self, find: &Find) -> Result<Found, StoreError> {
        self.settle()?;
        find::find(self.view, &Known::default(), self.state.documents(), find)
    }
}

/// That something which the batches name was not among what was read for them.
fn not_read() -> StoreError {
    StoreError::Engine("a batch needs what was not read for it".to_owned())
}
