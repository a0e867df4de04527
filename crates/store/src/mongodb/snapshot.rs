//! Reading: one snapshot session of the driver for as long as the snapshot lives. One that is presumed begins it when it is first asked for what is
//! not known.

use std::cell::{Cell, RefCell, RefMut};
use std::sync::Arc;

use super::connection::Connection;
use super::layout::State;
use super::view::View;
use super::{documents, find, history, read};
use crate::prepare::NAME_MAX;
use crate::{
    Cursor, Documents, Examined, Filter, Find, Found, Head, History, HistoryPage, Index, Key, LogPage, NamedValue,
    Precondition, Snapshot, StoreError, Version,
};

pub(super) struct MongoSnapshot<'c> {
    connection: &'c Arc<Connection>,
    /// Taken for as long as one call takes; none where nothing has been asked yet.
    view: RefCell<Option<View>>,
    state: State,
    /// Whether others have committed since what was presumed.
    is_past: Cell<bool>,
}

impl<'c> MongoSnapshot<'c> {
    pub(super) fn take(connection: &'c Arc<Connection>) -> Result<MongoSnapshot<'c>, StoreError> {
        let (session, state) = connection.looks().take(connection)?;
        let view = View::new(connection.clone(), session);
        Ok(MongoSnapshot { connection, view: RefCell::new(Some(view)), state, is_past: Cell::new(false) })
    }

    /// Of the last state that this process has heard of.
    pub(super) fn presume(connection: &'c Arc<Connection>) -> MongoSnapshot<'c> {
        MongoSnapshot { connection, view: RefCell::default(), state: connection.heard(), is_past: Cell::new(false) }
    }

    /// Looks whether what was presumed is so, before anything else is read.
    fn view(&self) -> Result<RefMut<'_, View>, StoreError> {
        let mut view = self.view.borrow_mut();
        if view.is_none() {
            let (session, state) = self.connection.looks().take(self.connection)?;
            if state != self.state {
                self.is_past.set(true);
                return Err(StoreError::Conflict(0));
            }
            *view = Some(View::new(self.connection.clone(), session));
        }
        RefMut::filter_map(view, Option::as_mut).map_err(|_| StoreError::Conflict(0))
    }
}

impl Snapshot for MongoSnapshot<'_> {
    fn commits(&self) -> u64 {
        self.state.commits as u64
    }

    fn holds(&self) -> Result<bool, StoreError> {
        match self.view() {
            Ok(_) => Ok(true),
            Err(_) if self.is_past.get() => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn premise(&self) -> Option<Precondition> {
        self.view.borrow().is_none().then_some(Precondition::Alone { since: self.state.commits as u64 })
    }

    fn read(&self, key: &Key) -> Result<Option<Version>, StoreError> {
        read::version(&mut *self.view()?, key)
    }

    fn head(&self, key: &Key) -> Result<Option<Head>, StoreError> {
        read::head(&mut *self.view()?, key)
    }

    fn read_version(&self, key: &Key, version: u64) -> Result<Option<Version>, StoreError> {
        read::numbered(&mut *self.view()?, key, version)
    }

    fn history(&self, query: &History) -> Result<HistoryPage, StoreError> {
        history::history(&mut *self.view()?, query)
    }

    fn log(&self, after: Option<&Cursor>, limit: usize) -> Result<LogPage, StoreError> {
        history::log(&mut *self.view()?, after, limit)
    }

    fn examine(&self, key: &Key, filter: &Filter, values: &[Index]) -> Result<Option<Examined>, StoreError> {
        find::examine(&mut *self.view()?, key, filter, values)
    }

    fn find(&self, find: &Find) -> Result<Found, StoreError> {
        let mut view = self.view()?;
        let known = view.known(self.state.homes)?;
        find::find(&mut view, &known, self.state.documents(), find)
    }

    fn documents(&self, collection: &str, after: Option<&Cursor>, limit: usize) -> Result<Documents, StoreError> {
        documents::documents(&mut *self.view()?, collection, after, limit)
    }

    fn value(&self, name: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        if name.is_empty() || name.len() > NAME_MAX {
            return Ok(None);
        }
        let known = self.connection.recent().value(self.state.commits, name);
        if let Some(value) = known {
            return Ok(value);
        }
        let mut view = self.view()?;
        let value = read::value(&mut view, name)?;
        view.recent().note(self.state.commits, name, value.as_deref());
        Ok(value)
    }

    fn values(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Vec<NamedValue>, StoreError> {
        read::values_from(&mut *self.view()?, prefix, after, limit)
    }
}
