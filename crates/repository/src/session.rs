//! The door: a [`Repository`] for the process, a [`Session`] for each request.

use std::sync::Arc;

use fhir::{Definitions, Outcome};
use search::Registry;
use store::{Clock, History, HistoryPage, Key, Store, Version};

use crate::{Access, Change, Changed, Refusal, Rule, SearchPage, SearchRequest};

/// What a repository is made of.
pub struct Setup {
    pub store: Arc<dyn Store>,
    pub definitions: &'static Definitions,
    pub registry: Arc<Registry>,
    pub rules: &'static [&'static dyn Rule],
    pub clock: Arc<dyn Clock>,
    /// Makes the id of a created resource.
    pub ids: Arc<dyn Fn() -> String + Send + Sync>,
    /// This server's own base URL, without a final `/`.
    pub base_url: String,
    pub references: References,
    pub validation: Validation,
}

/// Whether a literal reference to this server must lead to a resource when it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum References {
    #[default]
    Check,
    Accept,
}

/// Whether content is validated when it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Validation {
    #[default]
    On,
    Off,
}

/// The data of one server.
pub struct Repository {/* private */}

/// The repository as one caller may use it.
pub struct Session<'a> {
    #[allow(dead_code)]
    repository: &'a Repository,
}

impl Repository {
    /// A repository over a store.
    pub fn new(_setup: Setup) -> Repository {
        todo!()
    }

    /// A session with these rights.
    pub fn open(&self, _access: Access) -> Session<'_> {
        todo!()
    }

    /// The search parameters.
    pub fn registry(&self) -> &Registry {
        todo!()
    }

    /// The store, for statistics.
    pub fn store(&self) -> &dyn Store {
        todo!()
    }
}

impl Session<'_> {
    /// The current version. Unknown: [`fhir::IssueType::NotFound`]; deleted: [`fhir::IssueType::Deleted`].
    pub fn read(&self, _key: &Key) -> Result<Version, Outcome> {
        todo!()
    }

    /// One version; a version that is a deletion: [`fhir::IssueType::Deleted`].
    pub fn vread(&self, _key: &Key, _version: &str) -> Result<Version, Outcome> {
        todo!()
    }

    /// Versions of a resource, type, or everything. Unknown resource: [`fhir::IssueType::NotFound`].
    pub fn history(&self, _history: &History) -> Result<HistoryPage, Outcome> {
        todo!()
    }

    /// One page of a search.
    pub fn search(&self, _request: &SearchRequest<'_>) -> Result<SearchPage, Outcome> {
        todo!()
    }

    /// All changes or none, in the order that R4 gives a transaction; one result for each, in the order given. When it returns, it is on disk.
    pub fn transact(&self, _changes: Vec<Change>) -> Result<Vec<Changed>, Refusal> {
        todo!()
    }
}
