//! A group of batches in one engine transaction: each is checked as a whole and only then applied.

use std::collections::{HashMap, HashSet};

use heed::{PutFlags, RwTxn};
use rustc_hash::FxBuildHasher;

use super::changes::RowChanges;
use super::find;
use super::homes::Homes;
use super::layout::{self, Collection, Current, Document, State, Stored};
use super::tables::{Files, Tables, View, damaged};
use super::versions::{self, Newest};
use super::words;
use crate::check::{Facts, check};
use crate::prepare::{Prepared, with_time};
use crate::stamp::{TIME_MAX, stamped};
use crate::{Batch, Committed, Find, Found, Index, Key, Logged, Millis, Put, Row, StoreError, Version, Write};

/// The writer's transaction. Nothing of it is visible or durable before [`Group::commit`].
pub(super) struct Group<'e> {
    txn: RwTxn<'e>,
    tables: &'e Tables,
    state: State,
    /// The counters that have changed since they were last put into their table.
    collections: HashMap<String, Collection, FxBuildHasher>,
    /// Those whose documents have changed.
    changed: HashSet<String, FxBuildHasher>,
    rows: RowChanges,
    homes: &'e mut Homes,
    /// How many documents had their words written.
    indexed: u64,
}

impl<'e> Group<'e> {
    pub(super) fn begin(files: &'e Files, homes: &'e mut Homes) -> Result<Group<'e>, StoreError> {
        let txn = files.env.write_txn()?;
        let state = View { txn: &txn, tables: &files.tables }.state()?;
        let (collections, changed) = (HashMap::default(), HashSet::default());
        let rows = RowChanges::default();
        Ok(Group { txn, tables: &files.tables, state, collections, changed, rows, homes, indexed: 0 })
    }

    fn view(&self) -> View<'_> {
        View { txn: &self.txn, tables: self.tables }
    }

    /// Whether everything that a batch asks for holds after the batches applied so far. Writes nothing but what is noted.
    pub(super) fn check(&mut self, batch: &Batch) -> Result<(), StoreError> {
        check(self, batch)
    }

    fn newest(&self, key: &Key) -> Result<Option<Newest>, StoreError> {
        versions::newest(self.view(), key)
    }

    /// Writes a batch that [`Group::check`] has let through. After an error the group must not be committed.
    pub(super) fn apply(&mut self, prepared: Prepared, now: Millis) -> Result<Committed, StoreError> {
        let time = now.clamp(self.state.time, self.state.time.max(TIME_MAX));
        let mut versions = Vec::with_capacity(prepared.batch.writes.len());
        for write in prepared.batch.writes {
            match write {
                Write::Put(put) => versions.push(self.put(put, time)?),
                Write::Delete { key, version, mark } => {
                    versions.push(self.delete(Version { key, version, time, body: None, mark })?);
                }
                Write::Replay(Logged { version, .. }) if version.body.is_none() => versions.push(self.delete(version)?),
                Write::Replay(Logged { version, rows, words }) => versions.push(self.add(version, rows, &words)?),
                Write::Reindex { key, version, rows, words, time_index } => {
                    self.reindex(&key, version, rows, &words, time_index)?;
                }
                Write::Claim { name, value } | Write::Set { name, value } => {
                    self.tables.values.put(&mut self.txn, &name, &value)?;
                }
                Write::Release { name } => drop(self.tables.values.delete(&mut self.txn, &name)?),
            }
        }
        Ok(Committed { time, versions })
    }

    fn put(&mut self, put: Put, time: Millis) -> Result<Version, StoreError> {
        let Put { key, version, body, stamp_at, rows, words, time_index, mark } = put;
        let body = match stamp_at {
            Some(at) => stamped(body, at, time),
            None => body,
        };
        self.add(Version { key, version, time, body: Some(body), mark }, with_time(rows, time_index, time), &words)
    }

    /// Makes this, which is no deletion, the newest version.
    fn add(&mut self, version: Version, rows: Vec<Row>, words: &[Row]) -> Result<Version, StoreError> {
        let key = &version.key;
        let before = self.newest(key)?;
        let (number, flags) = match before {
            Some(newest) => (newest.number, PutFlags::empty()),
            None => (self.state.next_number, PutFlags::APPEND),
        };
        self.state.next_number = self.state.next_number.max(number + 1);
        let sequence = self.add_version(before, &version)?;
        let newest = Newest { number, version: version.version, sequence, deleted: false };
        self.index(key, newest, rows, words, flags)?;
        let exists = before.is_some_and(|newest| !newest.deleted);
        if !exists {
            let document = Document { number, deletion: None };
            self.tables.documents.put(&mut self.txn, key.as_str().as_bytes(), &document.encode())?;
            self.collection(key.collection())?.documents += 1;
        }
        Ok(version)
    }

    /// Makes these the rows and words of a document. The rows are sorted and without repetition, and so are the words.
    fn index(
        &mut self,
        key: &Key,
        newest: Newest,
        rows: Vec<Row>,
        words: &[Row],
        flags: PutFlags,
    ) -> Result<(), StoreError> {
        let Newest { number, version, sequence, .. } = newest;
        self.change(key.collection());
        let at = number.to_be_bytes();
        let current = Current::encode(version, sequence, key.as_str(), &rows);
        let before = self.tables.current.get(&self.txn, &at)?;
        // Indexing anew often changes nothing.
        if before != Some(current.as_slice()) {
            let before = before.map(|record| Current::decode(record).ok_or_else(|| damaged("current"))).transpose()?;
            self.rows.replace(number, before.map(|before| before.rows), &rows);
            self.tables.current.put_with_flags(&mut self.txn, flags, &at, &current)?;
        }
        self.replace_words(number, words, flags)?;
        self.homes.note(&mut self.txn, self.tables, key.collection(), &rows)?;
        self.homes.note(&mut self.txn, self.tables, key.collection(), words)
    }

    /// Notes that documents of this collection change.
    fn change(&mut self, collection: &str) {
        if !self.changed.contains(collection) {
            self.changed.insert(collection.to_owned());
        }
    }

    fn replace_words(&mut self, number: u64, words: &[Row], flags: PutFlags) -> Result<(), StoreError> {
        self.indexed += 1;
        words::replace(&mut self.txn, self.tables, &mut self.state, number, words, flags)
    }

    fn reindex(
        &mut self,
        key: &Key,
        version: u64,
        rows: Vec<Row>,
        words: &[Row],
        time_index: Option<Index>,
    ) -> Result<(), StoreError> {
        let newest =
            self.newest(key)?.filter(|newest| newest.version == version).ok_or_else(|| damaged("documents"))?;
        let time = self.view().version(newest.sequence)?.time;
        self.index(key, newest, with_time(rows, time_index, time), words, PutFlags::empty())
    }

    /// Makes this deletion the newest version.
    fn delete(&mut self, version: Version) -> Result<Version, StoreError> {
        let key = &version.key;
        let newest = self.newest(key)?.ok_or_else(|| damaged("documents"))?;
        let number = newest.number;
        self.change(key.collection());
        let view = View { txn: &self.txn, tables: self.tables };
        self.rows.replace(number, view.current(number)?.map(|current| current.rows), &[]);
        self.tables.current.delete(&mut self.txn, &number.to_be_bytes())?;
        self.replace_words(number, &[], PutFlags::empty())?;
        let collection = self.collection(version.key.collection())?;
        collection.documents = collection.documents.saturating_sub(1);
        let sequence = self.add_version(Some(newest), &version)?;
        let document = Document { number, deletion: Some(sequence) };
        self.tables.documents.put(&mut self.txn, version.key.as_str().as_bytes(), &document.encode())?;
        Ok(version)
    }

    /// Writes the version after `newest`, and says its sequence.
    fn add_version(&mut self, newest: Option<Newest>, version: &Version) -> Result<u64, StoreError> {
        let Version { key, version, time, mark, body } = version;
        let (version, time, mark) = (*version, *time, *mark);
        self.state.time = time;
        let collection = self.collection(key.collection())?;
        collection.versions += 1;
        let scope = collection.number;
        let sequence = self.state.next_sequence;
        self.state.next_sequence += 1;
        let earlier = versions::earlier(self.view(), newest)?;
        let stored = Stored { mark, time, version, earlier, key: key.as_str(), body: body.as_deref() }.encode();
        self.tables.versions.put_with_flags(&mut self.txn, PutFlags::APPEND, &sequence.to_be_bytes(), &stored)?;
        self.tables.log.put(&mut self.txn, &layout::log_key(scope, time, sequence), &[])?;
        Ok(sequence)
    }

    /// The counters of a collection; a new one gets the next number.
    fn collection(&mut self, name: &str) -> Result<&mut Collection, StoreError> {
        if !self.collections.contains_key(name) {
            let collection = match self.view().collection(name)? {
                Some(collection) => collection,
                None => {
                    let number = self.tables.collections.len(&self.txn)? as u32;
                    let collection = Collection { number, documents: 0, versions: 0 };
                    self.tables.collections.put(&mut self.txn, name.as_bytes(), &collection.encode())?;
                    collection
                }
            };
            self.collections.insert(name.to_owned(), collection);
        }
        Ok(self.collections.get_mut(name).expect("it was put there if it was missing"))
    }

    /// Puts what is noted into the tables, rows and counts together: a search in this transaction compares them.
    fn settle(&mut self) -> Result<(), StoreError> {
        self.rows.flush(&mut self.txn, self.tables)?;
        for (name, collection) in self.collections.drain() {
            self.tables.collections.put(&mut self.txn, name.as_bytes(), &collection.encode())?;
        }
        Ok(())
    }

    /// Makes everything applied durable and visible.
    pub(super) fn commit(mut self) -> Result<(), StoreError> {
        self.settle()?;
        words::keep_up(&mut self.txn, self.tables, &mut self.state, self.indexed)?;
        self.tables.meta.put(&mut self.txn, b"state", &self.state.encode())?;
        self.tables.latest.note(self.txn.id(), self.changed.iter().map(String::as_str));
        Ok(self.txn.commit()?)
    }
}

impl Facts for Group<'_> {
    fn newest(&self, key: &Key) -> Result<(u64, bool), StoreError> {
        Ok(Group::newest(self, key)?.map_or((0, false), |newest| (newest.version, !newest.deleted)))
    }

    fn time(&self) -> Millis {
        self.state.time
    }

    fn value(&self, name: &[u8]) -> Result<Option<&[u8]>, StoreError> {
        Ok(self.tables.values.get(&self.txn, name)?)
    }

    fn is_alone_since(&self, _: u64) -> bool {
        true
    }

    fn find(&mut self, find: &Find) -> Result<Found, StoreError> {
        self.settle()?;
        find::find(self.view(), false, find)
    }
}
