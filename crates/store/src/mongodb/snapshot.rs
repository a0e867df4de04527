//! Reading: one snapshot session of the driver for as long as the snapshot lives.

use std::cell::RefCell;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use mongodb::bson::doc;

use super::connection::Connection;
use super::layout::{self, STATE, STATE_ID, State};
use super::view::View;
use super::{documents, find, history, read};
use crate::prepare::NAME_MAX;
use crate::{
    Cursor, Documents, Examined, Filter, Find, Found, Head, History, HistoryPage, Index, Key, LogPage, NamedValue,
    Snapshot, StoreError, Version,
};

/// How often a snapshot is taken anew that is older than what this process knows, and how long it waits before: after an election, a
/// server that does not know of it yet may answer.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(100);

pub(super) struct MongoSnapshot {
    /// Taken for as long as one call takes.
    view: RefCell<View>,
    commits: i64,
    /// How often the homes had changed.
    homes: i64,
}

impl MongoSnapshot {
    pub(super) fn take(connection: &Arc<Connection>) -> Result<MongoSnapshot, StoreError> {
        for _ in 0..TRIES {
            let mut view = View::new(connection.clone(), connection.snapshot_session()?);
            // The first read: all others see the database as this one does.
            let found = view.find_one(STATE, doc! { "_id": STATE_ID }, None)?;
            let state = State::of_document(&found.ok_or_else(|| layout::damaged(STATE))?)?;
            if connection.is_recent(&state) {
                return Ok(MongoSnapshot { view: RefCell::new(view), commits: state.commits, homes: state.homes });
            }
            thread::sleep(PAUSE);
        }
        Err(StoreError::Unreachable("the database does not have all that it has committed".to_owned()))
    }
}

impl Snapshot for MongoSnapshot {
    fn commits(&self) -> u64 {
        self.commits as u64
    }

    fn read(&self, key: &Key) -> Result<Option<Version>, StoreError> {
        read::version(&mut self.view.borrow_mut(), key)
    }

    fn head(&self, key: &Key) -> Result<Option<Head>, StoreError> {
        read::head(&mut self.view.borrow_mut(), key)
    }

    fn read_version(&self, key: &Key, version: u64) -> Result<Option<Version>, StoreError> {
        read::numbered(&mut self.view.borrow_mut(), key, version)
    }

    fn history(&self, query: &History) -> Result<HistoryPage, StoreError> {
        history::history(&mut self.view.borrow_mut(), query)
    }

    fn log(&self, after: Option<&Cursor>, limit: usize) -> Result<LogPage, StoreError> {
        history::log(&mut self.view.borrow_mut(), after, limit)
    }

    fn examine(&self, key: &Key, filter: &Filter, values: &[Index]) -> Result<Option<Examined>, StoreError> {
        find::examine(&mut self.view.borrow_mut(), key, filter, values)
    }

    fn find(&self, find: &Find) -> Result<Found, StoreError> {
        let view = &mut self.view.borrow_mut();
        let known = view.known(self.homes)?;
        find::find(view, &known, find)
    }

    fn documents(&self, collection: &str, after: Option<&Cursor>, limit: usize) -> Result<Documents, StoreError> {
        documents::documents(&mut self.view.borrow_mut(), collection, after, limit)
    }

    fn value(&self, name: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        if name.is_empty() || name.len() > NAME_MAX {
            return Ok(None);
        }
        read::value(&mut self.view.borrow_mut(), name)
    }

    fn values(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Vec<NamedValue>, StoreError> {
        read::values_from(&mut self.view.borrow_mut(), prefix, after, limit)
    }
}
