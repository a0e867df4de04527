//! The listening socket: connections, their limits, and a stop that lets requests end.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;

use axum::extract::ConnectInfo;
use axum::{Extension, Router};
use fhir::Outcome;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use store::StoreError;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;

use crate::local::is_in_the_clear;
use crate::sweeper::Sweeper;
use crate::{Config, State, app, backend, import};

/// Header fields of one request.
const HEADERS_MAX: usize = 100;

/// Bytes of one request's head.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// Requests in progress on one HTTP/2 connection.
const STREAMS_MAX: u32 = 200;

/// Why a server did not start.
#[derive(Debug)]
pub enum StartError {
    /// The address cannot be listened on.
    Listen(SocketAddr, std::io::Error),
    /// The store cannot be opened: where it is, and why.
    Store(String, StoreError),
    /// What was to be loaded first is not all in.
    Load(String),
    /// The system refused something else.
    System(std::io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Listen(address, error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                write!(f, "{address} is in use by another program; stop it or choose another with --listen")
            }
            StartError::Listen(address, error) => write!(f, "cannot listen on {address}: {error}"),
            StartError::Store(place, error) => write!(f, "cannot open the store in {place}: {error}"),
            StartError::Load(reason) => write!(f, "cannot load everything that was to be served: {reason}"),
            StartError::System(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StartError {}

/// A server that listens; connections wait until it runs.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    state: Arc<State>,
}

/// Serves until SIGTERM or SIGINT, then lets requests in progress end.
pub async fn serve(config: Config) -> Result<(), StartError> {
    // Until it serves, a signal ends the program at once, for an import goes on where it was.
    let server = Server::bind(config).await?;
    let mut terminate = signal(SignalKind::terminate()).map_err(StartError::System)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(StartError::System)?;
    println!("flint serves {}", server.base_url());
    match server.state.authority().is_on() {
        true => {
            tell_how_to_get_in(&server.state);
            tell_what_is_open(server.base_url());
        }
        false => {
            tracing::warn!("authentication is off: every program on this machine may read and change every record")
        }
    }
    server
        .run(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        })
        .await;
    Ok(())
}

/// Nobody gets in where nobody was let in.
fn tell_how_to_get_in(state: &State) {
    let is_empty = state.repository.vault().list("client/", None, 1).is_ok_and(|clients| clients.is_empty());
    if is_empty {
        tracing::warn!(
            "no app is registered, so nobody can use this server: `flint app add` and `flint user add` let them in"
        );
    }
}

/// Apps send people and tokens to the base URL, whatever stands in front of this server.
fn tell_what_is_open(base_url: &str) {
    if is_in_the_clear(base_url) {
        tracing::warn!(
            "apps are told that this server is at `{base_url}`, where passwords and tokens travel in the clear: `--base-url` names its `https` URL"
        );
    }
}

impl Server {
    /// Takes the address, then opens the store and loads what is to be loaded.
    pub async fn bind(config: Config) -> Result<Server, StartError> {
        let wanted = config.listen;
        let listener = TcpListener::bind(wanted).await.map_err(|error| StartError::Listen(wanted, error))?;
        let address = listener.local_addr().map_err(|error| StartError::Listen(wanted, error))?;
        let base_url = config.base_url.clone().unwrap_or_else(|| format!("http://{address}/fhir"));
        let (place, load) = (backend::place(&config), config.load.clone());
        let state = State::open(config, base_url).map_err(|error| StartError::Store(place, error))?;
        if !load.is_empty() {
            import::load(&state, load).map_err(StartError::Load)?;
        }
        Ok(Server { listener, address, state: Arc::new(state) })
    }

    /// Its work on what search parameters need that come while it serves.
    pub fn indexing(&self) -> Indexing {
        Indexing(Arc::downgrade(&self.state))
    }

    /// What its requests share.
    pub fn state(&self) -> &Arc<State> {
        &self.state
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base URL of its FHIR API, without a final `/`.
    pub fn base_url(&self) -> &str {
        &self.state.base_url
    }

    /// Answers requests until `stop`, then lets those in progress end, and closes the store.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let limits = self.state.limits.clone();
        let connections = Arc::new(Semaphore::new(limits.connections));
        let builder = Arc::new(builder(&limits));
        let graceful = GracefulShutdown::new();
        let indexer = Indexer::start(self.state.clone());
        let sweeper = Sweeper::start(self.state.clone());
        if self.state.authority().is_on()
            && let Err(outcome) = self.state.repository.ledger().start()
        {
            tracing::error!(%outcome, "the audit does not go on where it ended");
        }
        let app = app(self.state);
        let mut stop = std::pin::pin!(stop);
        loop {
            let permit = tokio::select! {
                permit = connections.clone().acquire_owned() => permit,
                () = &mut stop => break,
            };
            let stream = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = &mut stop => break,
            };
            match stream {
                Ok((stream, peer)) => {
                    let app = app.clone().layer(Extension(ConnectInfo(peer)));
                    connect(stream, app, builder.clone(), &graceful, permit);
                }
                // Out of file descriptors, or the peer is gone already: the next accept may do better.
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                }
            }
        }
        drop(self.listener);
        tracing::info!("stopping: no new connections");
        if tokio::time::timeout(limits.drain_timeout, graceful.shutdown()).await.is_err() {
            tracing::warn!("stopped with requests still in progress");
        }
        drop(indexer);
        drop(sweeper);
    }
}

/// The thread that indexes beside the requests, until this is dropped.
struct Indexer {
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

impl Indexer {
    fn start(state: Arc<State>) -> Option<Indexer> {
        if !state.indexes {
            return None;
        }
        let of_thread = state.clone();
        let run = move || of_thread.repository.index_until_stopped();
        let thread = std::thread::Builder::new().name("indexer".to_owned()).spawn(run);
        let thread = thread.inspect_err(|error| tracing::error!(%error, "nothing is indexed in the background")).ok();
        Some(Indexer { state, thread })
    }
}

impl Drop for Indexer {
    fn drop(&mut self) {
        self.state.repository.stop_indexing();
        // A panic of it is in the log.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// What there is to index, for who wants to see it done: tests, and servers without a thread for it.
#[derive(Clone)]
pub struct Indexing(Weak<State>);

impl Indexing {
    /// Indexes one bounded batch; false when nothing is left, or the server has ended.
    pub fn batch(&self) -> Result<bool, Outcome> {
        self.0.upgrade().map_or(Ok(false), |state| state.repository.index_batch())
    }
}

fn builder(limits: &crate::Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.receive_timeout)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(HEAD_BYTES_MAX as u32)
        .max_concurrent_streams(STREAMS_MAX);
    builder
}

/// Serves one connection in a task of its own, which holds `permit` until it ends.
fn connect<P: Send + 'static>(
    stream: TcpStream,
    app: Router,
    builder: Arc<Builder<TokioExecutor>>,
    graceful: &GracefulShutdown,
    permit: P,
) {
    // Answers are written whole; waiting to fill a packet only delays them.
    let _ = stream.set_nodelay(true);
    let watcher = graceful.watcher();
    tokio::spawn(async move {
        let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(app));
        // A peer that breaks off is no fault of ours.
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%error, "a connection broke off");
        }
        drop(permit);
    });
}
