//! The embedded backend: one LMDB environment in a directory, one writer thread with group commit.
//!
//! - [`layout`] is the on-disk format, [`tables`] opens it.
//! - A commit is checked for misuse ([`prepare`]), waits in line ([`writer`](crate::writer)), and is applied with others ([`engine`]) in
//!   one transaction ([`group`]), whose index rows are written in key order ([`changes`]); [`homes`] notes which collection each index
//!   belongs to, and [`latest`] which commit changed a collection last.
//! - [`words`] finds documents by the words of their text.
//! - [`backup`](mod@backup) copies a store that another process has open.
//! - A [`snapshot`] is an engine read transaction; [`history`], [`find`] and [`documents`] read from it.

mod backup;
mod changes;
mod documents;
mod engine;
mod find;
mod group;
mod history;
mod homes;
mod latest;
mod layout;
mod snapshot;
mod tables;
mod verify;
mod versions;
mod words;

use std::path::Path;
use std::sync::Arc;

pub use self::backup::{backup, backup_length, restore};
use self::engine::EmbeddedEngine;
use self::snapshot::EmbeddedSnapshot;
use self::tables::{Files, MAP_BYTES, View};
use crate::prepare::prepare;
use crate::writer::Writer;
use crate::{Batch, Clock, Committed, Frame, Journal, Mark, Snapshot, Statistics, Store, StoreError, journal};

/// A store in a directory of this machine. Dropping it finishes the commits that wait and closes the files.
pub struct Embedded {
    /// Nobody who only reads has one.
    writer: Option<Writer>,
    files: Arc<Files>,
}

impl Embedded {
    /// Opens the store in `directory`, or makes one there. Only one process may have it open.
    pub fn open(directory: &Path, clock: Arc<dyn Clock>) -> Result<Embedded, StoreError> {
        Embedded::open_sized(directory, clock, MAP_BYTES)
    }

    fn open_sized(directory: &Path, clock: Arc<dyn Clock>, map_bytes: usize) -> Result<Embedded, StoreError> {
        let files = Arc::new(Files::open(directory, map_bytes)?);
        let writer = Writer::start(EmbeddedEngine::new(files.clone(), clock))?;
        Ok(Embedded { writer: Some(writer), files })
    }

    /// Opens the store that is in `directory` to be read beside the process that has it open, if one does: commits are refused. Its commits
    /// are seen by every later snapshot.
    pub fn open_beside(directory: &Path) -> Result<Embedded, StoreError> {
        Ok(Embedded { writer: None, files: Arc::new(Files::open_beside(directory)?) })
    }

    /// Reads everything and checks that all parts of the store agree; `Unusable` names the first that does not. For tests and repair.
    pub fn verify(&self) -> Result<(), StoreError> {
        let txn = self.files.env.read_txn()?;
        verify::verify(View { txn: &txn, tables: &self.files.tables })
    }
}

impl Store for Embedded {
    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, StoreError> {
        Ok(Box::new(EmbeddedSnapshot::take(&self.files)?))
    }

    fn commit(&self, batch: Batch) -> Result<Committed, StoreError> {
        match &self.writer {
            Some(writer) => writer.commit(prepare(batch)?),
            None => Err(StoreError::Misuse("the store is open to be read only".to_owned())),
        }
    }

    fn commits(&self) -> u64 {
        self.files.commits()
    }

    fn journal(&self, done: Mark) -> Result<(Journal, Vec<Frame>), StoreError> {
        Journal::open(&self.files.directory.join(journal::FILE), done)
    }

    fn statistics(&self) -> Result<Statistics, StoreError> {
        let txn = self.files.env.read_txn()?;
        let collections = View { txn: &txn, tables: &self.files.tables }.collections()?;
        let documents = collections.into_iter().filter(|(_, collection)| collection.documents > 0);
        Ok(Statistics {
            documents: documents.map(|(name, collection)| (name, collection.documents)).collect(),
            disk_bytes: self.files.env.real_disk_size()?,
        })
    }
}

#[cfg(test)]
mod tests;
