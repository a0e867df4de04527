//! Reading: one snapshot session of the driver for as long as the snapshot lives.

use std::cell::RefCell;
use std::sync::Arc;

use super::connection::Connection;
use super::layout::State;
use super::view::View;
use super::{documents, find, history, read};
use crate::prepare::NAME_MAX;
use crate::{
    Cursor, Documents, Examined, Filter, Find, Found, Head, History, HistoryPage, Index, Key, LogPage, NamedValue,
    Snapshot, StoreError, Version,
};

pub(super) struct MongoSnapshot {
    /// Taken for as long as one call takes.
    view: RefCell<View>,
    state: State,
}

impl MongoSnapshot {
    pub(super) fn take(connection: &Arc<Connection>) -> Result<MongoSnapshot, StoreError> {
        let (session, state) = connection.looks().take(connection)?;
        Ok(MongoSnapshot { view: RefCell::new(View::new(connection.clone(), session)), state })
    }
}

impl Snapshot for MongoSnapshot {
    fn commits(&self) -> u64 {
        self.state.commits as u64
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
        let known = view.known(self.state.homes)?;
        find::find(view, &known, self.state.documents(), find)
    }

    fn documents(&self, collection: &str, after: Option<&Cursor>, limit: usize) -> Result<Documents, StoreError> {
        documents::documents(&mut self.view.borrow_mut(), collection, after, limit)
    }

    fn value(&self, name: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        if name.is_empty() || name.len() > NAME_MAX {
            return Ok(None);
        }
        let view = &mut self.view.borrow_mut();
        let known = view.recent().value(self.state.commits, name);
        if let Some(value) = known {
            return Ok(value);
        }
        let value = read::value(view, name)?;
        view.recent().note(self.state.commits, name, value.as_deref());
        Ok(value)
    }

    fn values(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Vec<NamedValue>, StoreError> {
        read::values_from(&mut self.view.borrow_mut(), prefix, after, limit)
    }
}
