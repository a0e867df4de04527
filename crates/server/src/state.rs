//! What all requests share.

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock};

use fhir::Definitions;
use repository::{References, Repository, Setup, Validation};
use smart::Authority;
use store::{Embedded, Store, StoreError};
use tokio::sync::Semaphore;

use crate::body::Budget;
use crate::capability::Statement;
use crate::config::{Auth, Config, Limits};
use crate::page::Signer;
use crate::telemetry::Metrics;

/// The server behind the doors.
pub struct State {
    pub(crate) repository: Repository,
    pub(crate) definitions: &'static Definitions,
    pub(crate) authority: Authority,
    /// Without a final `/`.
    pub(crate) base_url: String,
    pub(crate) references: References,
    pub(crate) limits: Limits,
    pub(crate) pages: Signer,
    /// Made when it is first asked for: the start does not wait for it.
    pub(crate) statement: OnceLock<Statement>,
    pub(crate) metrics: Metrics,
    /// Requests that are not answered yet.
    pub(crate) requests: AtomicUsize,
    pub(crate) bodies: Budget,
    /// Turns on the threads for searches and writes.
    pub(crate) turns: Arc<Semaphore>,
}

impl State {
    /// Opens the data of a server whose base URL is `base_url`.
    pub fn open(config: Config, base_url: String) -> Result<State, StoreError> {
        let definitions = Definitions::r4();
        let store = Arc::new(Embedded::open(&config.data, config.clock.clone())?);
        let pages = Signer::open(store.as_ref() as &dyn Store)?;
        let authority = match config.auth {
            Auth::Off => Authority::Off,
        };
        let repository = Repository::new(Setup {
            store,
            definitions,
            registry: search::Registry::new(definitions, &base_url).with_dialect(config.dialect),
            rules: services::RULES,
            clock: config.clock,
            ids: config.ids,
            base_url: base_url.clone(),
            references: config.references,
            validation: Validation::On,
            search_time: config.limits.search_timeout,
        });
        Ok(State {
            repository,
            definitions,
            authority,
            base_url,
            references: config.references,
            pages,
            statement: OnceLock::new(),
            metrics: Metrics::new(),
            requests: AtomicUsize::new(0),
            bodies: Budget::default(),
            turns: Arc::new(Semaphore::new(config.limits.threads)),
            limits: config.limits,
        })
    }
}
