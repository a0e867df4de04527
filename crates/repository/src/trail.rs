//! What a session has shown, and whose records that was: what the audit tells of reads and searches.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use store::{HistoryScope, Index, Key, Row};

use search::Registry;

/// All that was shown in one request.
#[derive(Debug, Default)]
pub struct Trail(Mutex<Vec<Shown>>);

/// One thing that was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    pub what: What,
    /// Whose records that was. Of what nobody's record is in, nothing is noted.
    pub patients: BTreeSet<Key>,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The version of a resource that was current, or a former one.
    Read {
        key: Key,
        version: u64,
    },
    History(HistoryScope),
    /// The resource types, and the query as it was understood.
    Search {
        types: Vec<&'static str>,
        query: String,
    },
}

impl Trail {
    pub(crate) fn add(&self, what: What, patients: BTreeSet<Key>) {
        let mut shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shown.push(Shown { what, patients });
    }

    /// Takes what was shown so far.
    pub fn take(&self) -> Vec<Shown> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The indexes by which the patients are known whom resources of these types are about.
pub(crate) fn indexes(registry: &Registry, types: &[&str]) -> Vec<Index> {
    types.iter().flat_map(|resource_type| registry.patient_indexes(resource_type)).collect()
}

/// The patients whom a resource with these rows is about.
pub(crate) fn patients<'r>(key: &Key, rows: impl IntoIterator<Item = &'r Row>) -> BTreeSet<Key> {
    let named = rows.into_iter().filter_map(|row| Key::from_link(&row.value));
    let own = (key.collection() == "Patient").then(|| key.clone());
    named.filter(|named| named.collection() == "Patient").chain(own).collect()
}
