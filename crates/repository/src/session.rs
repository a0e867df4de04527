//! The door: a [`Repository`] for the process, a [`Session`] for each request.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;

use fhir::json::Document;
use fhir::{Definitions, Instant, IssueType, Outcome, Severity};
use search::Registry;
use store::{Clock, History, HistoryPage, HistoryScope, Key, Snapshot, Store, Version};

use crate::audit::Ledger;
use crate::library::{Imported, Library};
use crate::parameters::{Live, Work};
use crate::{Access, Rule, TerminologyServer, fault};

/// What a repository is made of.
pub struct Setup {
    pub store: Arc<dyn Store>,
    pub definitions: &'static Definitions,
    /// The search parameters that are always there.
    pub registry: Registry,
    pub rules: &'static [&'static dyn Rule],
    pub clock: Arc<dyn Clock>,
    /// Makes the id of a created resource: [`new_id`] for a server.
    pub ids: Arc<dyn Fn() -> String + Send + Sync>,
    /// This server's own base URL, without a final `/`.
    pub base_url: String,
    pub references: References,
    pub validation: Validation,
    /// Who is asked about value sets and code systems that are not known here.
    pub terminology: Option<Arc<dyn TerminologyServer>>,
    /// How long one search may run, its joins and includes counted.
    pub search_time: Duration,
}

/// Whether a literal reference to this server must lead to a resource when it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum References {
    #[default]
    Check,
    Accept,
}

/// What content must be like to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validation {
    /// The mildest severity that refuses a write; `None` when nothing is validated.
    pub refuses: Option<Severity>,
    /// How bad it is that a resource names a profile which is not known here.
    pub unknown_profile: Severity,
}

impl Default for Validation {
    /// Errors refuse, and profiles that are not known are noted.
    fn default() -> Validation {
        Validation { refuses: Some(Severity::Error), unknown_profile: Severity::Warning }
    }
}

/// An id that no other resource has: a UUID, in order of creation, so that index rows of new resources are neighbors.
pub fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// The data of one server.
pub struct Repository {
    pub(crate) setup: Setup,
    /// The search parameters as they are now.
    pub(crate) live: Arc<ArcSwap<Live>>,
    /// The definitions that were looked up.
    pub(crate) library: Library,
    /// The code systems that were imported and asked for.
    pub(crate) imported: Imported,
    /// Held while they are read from the store.
    pub(crate) renewing: Mutex<()>,
    /// What is to be indexed.
    pub(crate) work: Work,
    /// Who saw and did what.
    pub(crate) ledger: Ledger,
    /// Held by a transaction that lost several races, so that such transactions take turns and each gets through.
    pub(crate) turn: Mutex<()>,
}

/// The repository as one caller may use it.
#[derive(Clone)]
pub struct Session<'a> {
    pub(crate) repository: &'a Repository,
    /// The search parameters of all that this session does.
    pub(crate) live: Arc<Live>,
    pub(crate) access: Access,
    pub(crate) importing: bool,
    pub(crate) references: References,
}

impl Repository {
    /// A repository over a store.
    pub fn new(setup: Setup) -> Result<Repository, Outcome> {
        let snapshot = setup.store.snapshot().map_err(fault::outcome)?;
        let live = Live::read(&setup, &*snapshot)?;
        drop(snapshot);
        let live = Arc::new(ArcSwap::from_pointee(live));
        Ok(Repository {
            ledger: Ledger::new(&setup, live.clone()),
            setup,
            live,
            library: Library::default(),
            imported: Imported::default(),
            renewing: Mutex::new(()),
            work: Work::default(),
            turn: Mutex::new(()),
        })
    }

    /// The search parameters as they are now.
    pub fn registry(&self) -> Arc<Registry> {
        self.live.load().registry.clone()
    }

    /// The audit.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// A session with these rights.
    pub fn open(&self, access: Access) -> Session<'_> {
        Session {
            repository: self,
            live: self.live.load_full(),
            access,
            importing: false,
            references: self.setup.references,
        }
    }

    /// The time now, for [`Registry::query`].
    pub fn now(&self) -> Instant {
        Instant::from_millis(self.setup.clock.now())
    }

    /// Who is asked about value sets and code systems that are not known here.
    pub fn terminology_server(&self) -> Option<&dyn TerminologyServer> {
        self.setup.terminology.as_deref()
    }

    /// The store, for statistics.
    pub fn store(&self) -> &dyn Store {
        &*self.setup.store
    }
}

impl Session<'_> {
    /// The search parameters of this session: those of the moment when it was opened.
    pub fn registry(&self) -> &Registry {
        &self.live.registry
    }

    /// The same session with the search parameters of now.
    pub fn renewed(&self) -> Self {
        Session { live: self.repository.live.load_full(), ..self.clone() }
    }

    /// The same session for loading records of what happened elsewhere: rules keep their books but refuse nothing
    /// ([`crate::Transaction::is_import`]).
    pub fn importing(self) -> Self {
        Session { importing: true, ..self }
    }

    /// The same session with another policy for references.
    pub fn with_references(self, references: References) -> Self {
        Session { references, ..self }
    }

    /// The time now.
    pub fn now(&self) -> Instant {
        self.repository.now()
    }

    /// Refuses whoever may not do everything: for what concerns the whole server.
    pub fn permit_everything(&self) -> Result<(), Outcome> {
        match self.access.is_full() {
            true => Ok(()),
            false => Err(Outcome::new(IssueType::Forbidden, "only who may do everything may do this")),
        }
    }

    /// Refuses whoever may not read resources of this type at all.
    pub fn permit_read(&self, resource_type: &str) -> Result<(), Outcome> {
        self.access.permit_read(resource_type)
    }

    /// The current version. Unknown: [`fhir::IssueType::NotFound`]; deleted: [`fhir::IssueType::Deleted`].
    pub fn read(&self, key: &Key) -> Result<Version, Outcome> {
        self.access.permit_read(key.collection())?;
        let version = self.snapshot()?.read(key).map_err(fault::outcome)?;
        self.shown(version.ok_or_else(|| unknown(key))?)
    }

    /// One version; a version that is a deletion: [`fhir::IssueType::Deleted`].
    pub fn vread(&self, key: &Key, version: &str) -> Result<Version, Outcome> {
        self.access.permit_read(key.collection())?;
        let not_found = || Outcome::new(IssueType::NotFound, format!("there is no version `{version}` of `{key}`"));
        let number = version_number(version).ok_or_else(not_found)?;
        let version = self.snapshot()?.read_version(key, number).map_err(fault::outcome)?;
        self.shown(version.ok_or_else(not_found)?)
    }

    /// Versions of a resource, type, or everything. Unknown resource: [`fhir::IssueType::NotFound`].
    ///
    /// Where the access hides some resources of a type, its versions are left out (a page may then be short), and nothing is counted.
    pub fn history(&self, history: &History) -> Result<HistoryPage, Outcome> {
        let snapshot = self.snapshot()?;
        match &history.scope {
            HistoryScope::All => {}
            HistoryScope::Collection(resource_type) => self.access.permit_read(resource_type)?,
            HistoryScope::Document(key) => {
                self.access.permit_read(key.collection())?;
                snapshot.head(key).map_err(fault::outcome)?.ok_or_else(|| unknown(key))?;
            }
        }
        let mut page = snapshot.history(history).map_err(fault::outcome)?;
        if self.hides(&history.scope) {
            page.total = None;
            let mut shown = Vec::with_capacity(page.versions.len());
            for version in page.versions {
                let permitted = self.access.permit_read(version.key.collection()).is_ok();
                if permitted && self.sees(&version)? {
                    shown.push(version);
                }
            }
            if let (HistoryScope::Document(key), []) = (&history.scope, shown.as_slice()) {
                return Err(unknown(key));
            }
            page.versions = shown;
        }
        Ok(page)
    }

    pub(crate) fn setup(&self) -> &Setup {
        &self.repository.setup
    }

    pub(crate) fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, Outcome> {
        self.setup().store.snapshot().map_err(fault::outcome)
    }

    /// Whether the access lets this version be seen. Deletions have no content to judge by: they are hidden where anything is.
    pub(crate) fn sees(&self, version: &Version) -> Result<bool, Outcome> {
        let Some(filter) = self.access.filter(version.key.collection()) else { return Ok(true) };
        let Some(body) = &version.body else { return Ok(false) };
        let rows = self.registry().rows(&parse_stored(&version.key, body)?)?;
        Ok(filter.accepts(&rows.together()))
    }

    /// A version for the caller, unless hidden or a deletion.
    fn shown(&self, version: Version) -> Result<Version, Outcome> {
        match (self.sees(&version)?, &version.body) {
            (false, _) => Err(unknown(&version.key)),
            (true, None) => Err(deleted(&version)),
            (true, Some(_)) => Ok(version),
        }
    }

    fn hides(&self, scope: &HistoryScope) -> bool {
        let hides = |name: &str| !self.access.sees_all(name);
        match scope {
            HistoryScope::All => self.setup().definitions.resource_types().iter().any(|name| hides(name)),
            HistoryScope::Collection(name) => hides(name),
            HistoryScope::Document(key) => hides(key.collection()),
        }
    }
}

/// The number that a version id stands for; `None` for text that this server never gave out.
pub(crate) fn version_number(text: &str) -> Option<u64> {
    let canonical = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    canonical.then(|| text.parse().ok()).flatten()
}

pub(crate) fn unknown(key: &Key) -> Outcome {
    Outcome::new(IssueType::NotFound, format!("there is no `{key}`"))
}

pub(crate) fn deleted(version: &Version) -> Outcome {
    Outcome::new(IssueType::Deleted, format!("`{}` was deleted as version `{}`", version.key, version.version))
}

/// A stored body as a document.
pub(crate) fn parse_stored(key: &Key, body: &[u8]) -> Result<Document, Outcome> {
    Document::parse(body).map_err(|error| fault::exception(&format!("the stored body of {key} is not JSON: {error}")))
}
