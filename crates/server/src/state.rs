//! What all requests share.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use fhir::{Definitions, Outcome};
use repository::{References, Repository, Setup, TerminologyServer};
use services::Services;
use smart::jose::Https;
use smart::oidc::Provider;
use smart::{Audited, Authority, AuthorizationServer, AuthorizationSetup, Issuer, Pages, PagesSetup, Registration};
use store::StoreError;
use tokio::sync::Semaphore;

use crate::backend;
use crate::body::Budget;
use crate::capability::Statement;
use crate::config::{Auth, Config, Directory, Limits};
use crate::copy;
use crate::page::Signer;
use crate::progress::Progress;
use crate::remote::Remote;
use crate::telemetry::Metrics;

/// The server behind the doors.
pub struct State {
    pub(crate) repository: Repository,
    pub(crate) definitions: &'static Definitions,
    pub(crate) authority: Authority,
    /// Whether the directory is open to who shows no token; never where nobody needs to.
    pub(crate) directory: Directory,
    /// Who is believed when it says for whom it asks.
    pub(crate) proxies: Vec<IpAddr>,
    /// Without a final `/`.
    pub(crate) base_url: String,
    pub(crate) references: References,
    pub(crate) services: Arc<Services>,
    /// Whether a thread indexes while it serves.
    pub(crate) indexes: bool,
    pub(crate) limits: Limits,
    pub(crate) pages: Signer,
    /// Made when it is first asked for after the search parameters changed: the start does not wait for it.
    pub(crate) statement: ArcSwapOption<Statement>,
    /// The TerminologyCapabilities, after so many changes of code systems.
    pub(crate) terminology: ArcSwapOption<(u64, Bytes)>,
    pub(crate) metrics: Metrics,
    /// Requests that are not answered yet.
    pub(crate) requests: AtomicUsize,
    pub(crate) bodies: Budget,
    /// Whether asking the store waits for another machine, which no thread does that serves others.
    pub(crate) is_remote: bool,
    /// The turn of who looks whether a store elsewhere is there.
    pub(crate) glance: Arc<Semaphore>,
    /// Turns on the threads for searches and writes.
    pub(crate) turns: Arc<Semaphore>,
}

impl State {
    /// Opens the data of a server whose base URL is `base_url`.
    pub fn open(config: Config, base_url: String) -> Result<State, StoreError> {
        let definitions = Definitions::r4();
        let store = backend::open(&config)?;
        copy::refuse_unfinished(&*store)?;
        let is_remote = store.is_remote();
        let pages = Signer::open(store.as_ref())?;
        let authority = match config.auth {
            Auth::Off => Authority::Off,
            Auth::On => Authority::On(Box::new(authorization_server(
                &base_url,
                config.registration,
                config.issuers,
                config.providers,
            ))),
        };
        let terminology = config.terminology_server.map(|url| {
            Arc::new(Remote::new(url, config.limits.terminology_timeout, config.clock.clone()))
                as Arc<dyn TerminologyServer>
        });
        let services = Arc::new(Services::new(config.services));
        let repository = Repository::new(Setup {
            store,
            definitions,
            registry: search::Registry::new(definitions, &base_url).with_dialect(config.dialect),
            rules: services.rules(),
            clock: config.clock,
            ids: config.ids,
            base_url: base_url.clone(),
            references: config.references,
            validation: config.validation,
            consent: config.consent,
            earlier_versions: config.earlier_versions,
            terminology,
            search_time: config.limits.search_timeout,
        })
        .map_err(unusable)?;
        tell_indexing(|tell| repository.index_outdated(tell)).map_err(unusable)?;
        if authority.is_on() {
            repository.ledger().protect_all();
        }
        Ok(State {
            repository,
            definitions,
            directory: if authority.is_on() { config.directory } else { Directory::Closed },
            authority,
            proxies: config.proxies,
            base_url,
            references: config.references,
            pages,
            statement: ArcSwapOption::empty(),
            terminology: ArcSwapOption::empty(),
            metrics: Metrics::new(),
            requests: AtomicUsize::new(0),
            bodies: Budget::default(),
            is_remote,
            glance: Arc::new(Semaphore::new(1)),
            turns: Arc::new(Semaphore::new(config.limits.threads)),
            services,
            indexes: config.indexes,
            limits: config.limits,
        })
    }
}

impl State {
    /// The data, for those who work on it beside the requests.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Who decides the rights of requests.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Indexes what an import of search parameters has left.
    pub(crate) fn index_rest(&self) -> Result<(), Outcome> {
        tell_indexing(|tell| self.repository.index_all(tell))
    }
}

/// The authorization server at the origin of this base URL.
fn authorization_server(
    base_url: &str,
    registration: Registration,
    issuers: Vec<Issuer>,
    providers: Vec<Provider>,
) -> AuthorizationServer {
    let (random, elsewhere) = (smart::system_random(), Arc::new(Https::default()));
    let pages = PagesSetup { base_url: base_url.to_owned(), random: random.clone(), events: Arc::new(Audited) };
    let setup = AuthorizationSetup {
        base_url: base_url.to_owned(),
        registration,
        issuers,
        random,
        fetch: elsewhere.clone(),
        events: Arc::new(Audited),
    };
    AuthorizationServer::new(setup).with_pages(Pages::new(pages, providers, elsewhere))
}

/// Tells on the terminal how far an indexing is that nothing is served beside.
fn tell_indexing(index: impl FnOnce(&mut dyn FnMut(u64, u64)) -> Result<(), Outcome>) -> Result<(), Outcome> {
    let mut progress: Option<(Progress, u64)> = None;
    let indexed = index(&mut |done, total| {
        let (progress, before) = progress.get_or_insert_with(|| {
            eprintln!("indexing {total} resources");
            (Progress::new(total), 0)
        });
        let more = done.saturating_sub(*before);
        progress.advance(more);
        progress.count(more);
        *before = done;
    });
    if let Some((progress, _)) = &progress {
        progress.finish();
    }
    indexed
}

fn unusable(outcome: Outcome) -> StoreError {
    StoreError::Unusable(outcome.to_string())
}
