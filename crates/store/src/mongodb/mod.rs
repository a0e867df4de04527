//! The MongoDB backend: one database of a replica set is one store, which any number of processes share.
//!
//! - [`layout`] is what is in the database, [`text`] how bytes stand there. [`connection`] reaches it and makes what is missing.
//! - A commit is checked for misuse ([`prepare`](crate::prepare)), waits in line ([`writer`](crate::writer)), and is applied with others in
//!   one transaction ([`engine`]): what all of them [need](needs) is read at once, and what comes of them is written with few commands
//!   ([`group`], [`updates`]). All transactions of all processes change the one state, so that of two at the same time one is tried again.
//! - A [`snapshot`] begins with a [`look`] at the state, unless this process presumes what that is, and is a snapshot session of the driver; [`read`], [`history`], [`documents`] and [`find`] read from its [`view`].
//! - What a killed process leaves in the database is ended by its successor, or by whom it hinders: [`session`].
//! - The driver is asynchronous, and this interface is not: [`wait`].

mod connection;
mod crowds;
mod documents;
mod engine;
mod error;
mod find;
mod group;
mod history;
mod homes;
mod layout;
mod look;
mod needs;
mod read;
mod recent;
mod session;
mod snapshot;
mod text;
mod updates;
mod view;
mod wait;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mongodb::bson::doc;

use self::connection::{Connection, PATIENCE, Patience};
use self::engine::MongoEngine;
use self::snapshot::MongoSnapshot;
use crate::prepare::prepare;
use crate::writer::Writer;
use crate::{
    Batch, Clock, Committed, Frame, Journal, Logged, Mark, Snapshot, Statistics, Store, StoreError, Write, directory,
    journal,
};

/// A store in a database of a MongoDB replica set, and a directory of this machine for its journal. Dropping it finishes the commits that wait.
pub struct MongoDb {
    /// Nobody who only reads has it.
    local: Option<Local>,
    connection: Arc<Connection>,
    /// How often the number of commits could not be read.
    unread: AtomicU64,
}

/// What a process has of its own that writes.
struct Local {
    writer: Writer,
    directory: PathBuf,
    place: String,
    _lock: File,
}

impl MongoDb {
    /// Opens the store in the database of a URL like `mongodb://HOST/DATABASE?replicaSet=NAME`, or makes one there. Only one process may use
    /// the directory; any number may use the database.
    pub fn open(url: &str, directory: &Path, clock: Arc<dyn Clock>) -> Result<MongoDb, StoreError> {
        MongoDb::open_patiently(url, directory, clock, PATIENCE)
    }

    /// Opens the store that is in the database of a URL to be read beside the processes that have it open, if any do: commits are refused.
    pub fn open_beside(url: &str) -> Result<MongoDb, StoreError> {
        let connection = Connection::reach(url, PATIENCE)?;
        match connection.find_state()? {
            Some(_) => Ok(MongoDb { local: None, connection: Arc::new(connection), unread: AtomicU64::new(0) }),
            None => Err(StoreError::Unusable("there is no store in the database".to_owned())),
        }
    }

    /// Whether there is a store in the database of a URL.
    pub fn exists(url: &str) -> Result<bool, StoreError> {
        Ok(Connection::reach(url, PATIENCE)?.find_state()?.is_some())
    }

    fn open_patiently(
        url: &str,
        directory: &Path,
        clock: Arc<dyn Clock>,
        patience: Patience,
    ) -> Result<MongoDb, StoreError> {
        let lock = directory::take(directory)?;
        let place = directory::place(directory)?;
        let connection = Arc::new(Connection::open(url, patience)?);
        let writer = Writer::start(MongoEngine::new(connection.clone(), &place, clock)?)?;
        let local = Local { writer, directory: directory.to_owned(), place, _lock: lock };
        Ok(MongoDb { local: Some(local), connection, unread: AtomicU64::new(0) })
    }

    fn local(&self) -> Result<&Local, StoreError> {
        self.local.as_ref().ok_or_else(|| StoreError::Misuse("the store is open to be read only".to_owned()))
    }
}

impl Store for MongoDb {
    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, StoreError> {
        Ok(Box::new(MongoSnapshot::take(&self.connection)?))
    }

    /// Taken like any other where nothing was heard of before, or others commit, too.
    fn presumed(&self) -> Result<Box<dyn Snapshot + '_>, StoreError> {
        match self.connection.is_alone() {
            true => Ok(Box::new(MongoSnapshot::presume(&self.connection))),
            false => self.snapshot(),
        }
    }

    fn commit(&self, batch: Batch) -> Result<Committed, StoreError> {
        let prepared = prepare(batch)?;
        check_sizes(&prepared.batch)?;
        self.local()?.writer.commit(prepared)
    }

    /// Asked of the database. Where that does not answer, a number that it never was, nor ever will be.
    fn commits(&self) -> u64 {
        match self.connection.state() {
            Ok(state) => state.commits as u64,
            Err(_) => u64::MAX - self.unread.fetch_add(1, Ordering::Relaxed),
        }
    }

    fn place(&self) -> &str {
        self.local.as_ref().map_or("", |local| &local.place)
    }

    fn is_remote(&self) -> bool {
        true
    }

    fn journal(&self, done: Mark) -> Result<(Journal, Vec<Frame>), StoreError> {
        Journal::open(&self.local()?.directory.join(journal::FILE), done)
    }

    fn statistics(&self) -> Result<Statistics, StoreError> {
        let size = self.connection.command(doc! { "dbStats": 1 })?;
        // Of whatever type the server counts in.
        let bytes = size.get_f64("totalSize").or_else(|_| size.get_i64("totalSize").map(|bytes| bytes as f64));
        Ok(Statistics { documents: self.connection.collections()?, disk_bytes: bytes.unwrap_or(0.0) as u64 })
    }
}

/// Refuses what the database would not take, before it is anybody's turn.
fn check_sizes(batch: &Batch) -> Result<(), StoreError> {
    for write in &batch.writes {
        match write {
            Write::Put(put) => layout::check_size(&put.key, put.body.len(), &put.rows, &put.words)?,
            Write::Replay(Logged { version, rows, words }) => {
                let body = version.body.as_ref().map_or(0, |body| body.len());
                layout::check_size(&version.key, body, rows, words)?;
            }
            Write::Reindex { key, rows, words, .. } => layout::check_size(key, 0, rows, words)?,
            Write::Claim { name, value } | Write::Set { name, value } => layout::check_value_size(name, value)?,
            Write::Delete { .. } | Write::Release { .. } => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
