//! Reading: one engine transaction for as long as the snapshot lives.

use std::ops::Bound;

use heed::{RoTxn, WithoutTls};

use super::tables::{Files, Tables, View, damaged};
use super::versions::{self, newest, newest_with_rows};
use super::{documents, find, history};
use crate::document::PageRoom;
use crate::prepare::NAME_MAX;
use crate::{
    Cursor, Documents, Examined, Filter, Find, Found, Head, History, HistoryPage, Index, Key, LogPage, NamedValue, Row,
    Snapshot, StoreError, Version,
};

pub(super) struct EmbeddedSnapshot<'e> {
    txn: RoTxn<'e, WithoutTls>,
    tables: &'e Tables,
}

impl<'e> EmbeddedSnapshot<'e> {
    pub(super) fn take(files: &'e Files) -> Result<EmbeddedSnapshot<'e>, StoreError> {
        Ok(EmbeddedSnapshot { txn: files.env.read_txn()?, tables: &files.tables })
    }

    fn view(&self) -> View<'_> {
        View { txn: &self.txn, tables: self.tables }
    }
}

impl Snapshot for EmbeddedSnapshot<'_> {
    fn commits(&self) -> u64 {
        self.txn.id() as u64
    }

    fn commits_of(&self, collection: &str) -> u64 {
        self.view().commit_of(collection.as_bytes()) as u64
    }

    fn read(&self, key: &Key) -> Result<Option<Version>, StoreError> {
        let newest = newest(self.view(), key)?;
        newest.map(|newest| versions::read(self.view(), newest.sequence)).transpose()
    }

    fn head(&self, key: &Key) -> Result<Option<Head>, StoreError> {
        Ok(newest(self.view(), key)?.map(|newest| newest.head()))
    }

    fn read_version(&self, key: &Key, version: u64) -> Result<Option<Version>, StoreError> {
        match newest(self.view(), key)? {
            Some(newest) if (1..=newest.version).contains(&version) => {
                versions::numbered(self.view(), newest.sequence, version)?
                    .to_version()
                    .map(Some)
                    .ok_or_else(|| damaged("versions"))
            }
            _ => Ok(None),
        }
    }

    fn history(&self, query: &History) -> Result<HistoryPage, StoreError> {
        history::history(self.view(), query)
    }

    fn log(&self, after: Option<&Cursor>, limit: usize) -> Result<LogPage, StoreError> {
        history::log(self.view(), after, limit)
    }

    fn examine(&self, key: &Key, filter: &Filter, values: &[Index]) -> Result<Option<Examined>, StoreError> {
        let view = self.view();
        let Some((newest, rows)) = newest_with_rows(view, key)? else { return Ok(None) };
        let version = versions::read(view, newest.sequence)?;
        let accepted = rows.map_or(Ok(false), |rows| find::accepts(view, newest.number, rows, filter))?;
        let asked = rows.into_iter().flatten().filter(|(index, _)| values.contains(index));
        let rows = asked.map(|(index, value)| Row { index, value: value.to_vec() }).collect();
        Ok(Some(Examined { version, accepted, rows }))
    }

    fn judge(&self, key: &Key, filter: &Filter) -> Result<Option<(Head, bool)>, StoreError> {
        let Some((newest, rows)) = newest_with_rows(self.view(), key)? else { return Ok(None) };
        let accepted = rows.map_or(Ok(false), |rows| find::accepts(self.view(), newest.number, rows, filter))?;
        Ok(Some((newest.head(), accepted)))
    }

    fn find(&self, find: &Find) -> Result<Found, StoreError> {
        find::find(self.view(), true, find)
    }

    fn documents(&self, collection: &str, after: Option<&Cursor>, limit: usize) -> Result<Documents, StoreError> {
        documents::documents(self.view(), collection, after, limit)
    }

    fn value(&self, name: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        if name.is_empty() || name.len() > NAME_MAX {
            return Ok(None);
        }
        Ok(self.tables.values.get(&self.txn, name)?.map(<[u8]>::to_vec))
    }

    fn values(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Vec<NamedValue>, StoreError> {
        let low = match after {
            Some(after) if after > prefix => Bound::Excluded(after),
            _ if prefix.is_empty() => Bound::Unbounded,
            _ => Bound::Included(prefix),
        };
        if prefix.len() > NAME_MAX || after.is_some_and(|after| after.len() > NAME_MAX) {
            return Ok(Vec::new());
        }
        let entries = self.tables.values.range(&self.txn, &(low, Bound::Unbounded))?;
        let mut values = Vec::new();
        let mut room = PageRoom::default();
        for entry in entries.take(limit) {
            let (name, value) = entry?;
            if !name.starts_with(prefix) || !room.takes_length(name.len() + value.len()) {
                break;
            }
            values.push((name.to_vec(), value.to_vec()));
        }
        Ok(values)
    }
}
