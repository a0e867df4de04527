//! What of an access holds at one moment.

use fhir::Outcome;
use search::Registry;
use store::{Filter, Key, Snapshot};

use super::{Access, Act, Permission};
use crate::fault;

/// Of which resources of a type a caller may learn that they are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    All,
    Only(Filter),
    /// Of none, nor that they are not: whether content may name one is decided by what may be written.
    Untold,
}

/// What a caller may see and do on one snapshot.
#[derive(Clone, Debug)]
pub(crate) struct Sight {
    access: Access,
}

impl Sight {
    pub(crate) fn new(access: Access) -> Sight {
        Sight { access }
    }

    /// Whether nothing is hidden, of whatever type.
    pub(crate) fn is_full(&self) -> bool {
        self.access.is_full()
    }

    /// What the resources of a type satisfy with which this may be done; `None` when it is all of them. For seeing, and for what is already
    /// there.
    pub(crate) fn filter(&self, act: Act, resource_type: &str) -> Option<Filter> {
        self.access.permission(act, resource_type).filter()
    }

    /// Whether a document is there now with which this may be done; where nothing of its type is hidden, also whether it could be.
    pub(crate) fn accepts(&self, act: Act, snapshot: &dyn Snapshot, key: &Key) -> Result<bool, Outcome> {
        match self.filter(act, key.collection()) {
            None => Ok(true),
            Some(filter) => accepts(snapshot, key, &filter),
        }
    }

    /// Of which resources of a type the caller may learn that they are there, as a reference would tell. What was granted does not matter: an
    /// app may name a practitioner without reading one.
    pub(crate) fn known(&self, registry: &Registry, resource_type: &str) -> Known {
        let Some(patient) = self.access.only_patient() else { return Known::All };
        match registry.about(patient, resource_type) {
            _ if resource_type == patient.collection() => Known::Untold,
            about if about == Filter::nothing() => Known::All,
            about => Known::Only(about),
        }
    }

    /// Whether no resource of the type is hidden from a search.
    pub(crate) fn sees_all(&self, resource_type: &str) -> bool {
        *self.access.permission(Act::Search, resource_type) == Permission::Whole
    }
}

/// Whether a document is there now and satisfies a filter.
pub(crate) fn accepts(snapshot: &dyn Snapshot, key: &Key, filter: &Filter) -> Result<bool, Outcome> {
    let examined = snapshot.examine(key, filter, &[]).map_err(fault::outcome)?;
    Ok(examined.is_some_and(|examined| examined.accepted))
}
