//! A server of one test, and requests to it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use server::{Auth, Clock, Config, Indexing, Millis, Server, State};
use tokio::sync::oneshot;

use crate::place::Place;
use crate::{Call, Client, Reply};

/// When every test begins: 2027-03-01T08:00:00Z, a week before the surgery's slots.
const START: Millis = 1_803_888_000_000;

/// What the clock gains with each request, unless a test wants something else.
const TICK: Millis = 1000;

/// A running server.
pub struct Flint {
    client: Client,
    clock: Arc<TestClock>,
    place: Arc<Place>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    indexing: Indexing,
    state: Weak<State>,
    /// What the clock gains with each request.
    tick: AtomicI64,
}

impl Flint {
    /// A server with an empty store.
    pub fn start() -> Flint {
        Flint::start_with(|_| {})
    }

    /// A server with an empty store and some settings of its own.
    pub fn start_with(set: impl FnOnce(&mut Config)) -> Flint {
        Flint::open(Arc::new(Place::new()), set)
    }

    /// A server with the surgery of examples/surgery.
    pub fn surgery() -> Flint {
        Flint::start_with(|config| config.load.push(example("seed-transaction.json")))
    }

    /// Stops the server and starts another over the same store.
    pub fn restart(self) -> Flint {
        self.restart_with(|_| {})
    }

    /// The same, with some settings of its own.
    pub fn restart_with(mut self, set: impl FnOnce(&mut Config)) -> Flint {
        let place = self.place.clone();
        self.close();
        Flint::open(place, set)
    }

    fn open(place: Arc<Place>, set: impl FnOnce(&mut Config)) -> Flint {
        let clock = Arc::new(TestClock(AtomicI64::new(START)));
        let next = AtomicU64::new(1);
        let mut config = Config {
            data: place.path().to_owned(),
            store: place.store(),
            listen: ([127, 0, 0, 1], 0).into(),
            auth: Auth::Off,
            clock: clock.clone(),
            ids: Arc::new(move || format!("id-{}", next.fetch_add(1, Ordering::Relaxed))),
            ..Config::default()
        };
        set(&mut config);
        let (stop, stopped) = oneshot::channel();
        let (started, bound) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
            runtime.expect("a runtime").block_on(async move {
                let server = Server::bind(config).await.expect("a free port and an empty directory");
                started
                    .send((server.address(), server.indexing(), Arc::downgrade(server.state())))
                    .expect("the test waits");
                server.run(async { drop(stopped.await) }).await;
            });
        });
        let (address, indexing, state) = bound.recv().expect("the server starts");
        let client = Client::new(&format!("http://{address}/fhir"));
        let tick = AtomicI64::new(TICK);
        Flint { client, clock, place, stop: Some(stop), thread: Some(thread), indexing, state, tick }
    }

    /// What the server's requests share, while it runs.
    pub(crate) fn state(&self) -> Weak<State> {
        self.state.clone()
    }

    /// The base URL, without a final `/`.
    pub fn base_url(&self) -> &str {
        self.client.base_url()
    }

    /// A request that is being made, as [`Client::call`] makes it; a second goes by, or what [`Flint::tick`] says.
    pub fn call(&self, line: &str) -> Call<'_> {
        self.clock.0.fetch_add(self.tick.load(Ordering::Relaxed), Ordering::Relaxed);
        self.client.call(line)
    }

    /// The answer to a request without a body.
    pub fn get(&self, url: &str) -> Reply {
        self.call(&format!("GET {url}")).send()
    }

    /// The answer to a request with a resource.
    pub fn send(&self, line: &str, resource: Value) -> Reply {
        self.call(line).json(&resource).send()
    }

    /// Indexes one batch of what search parameters need that came meanwhile; false when nothing is left.
    pub fn index_batch(&self) -> bool {
        self.indexing.batch().expect("a store that works")
    }

    /// Indexes all that is left.
    pub fn index(&self) {
        while self.index_batch() {}
    }

    /// The server's time.
    pub fn now(&self) -> Millis {
        self.clock.now()
    }

    /// Lets this time pass with each request from now on: for tests whose requests outlast a token.
    pub fn tick(&self, time: Duration) {
        self.tick.store(time.as_millis() as Millis, Ordering::Relaxed);
    }

    /// Lets time pass.
    pub fn advance(&self, time: Duration) {
        self.clock.0.fetch_add(time.as_millis() as Millis, Ordering::Relaxed);
    }

    fn close(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the server panicked");
        }
    }
}

impl Drop for Flint {
    fn drop(&mut self) {
        self.close();
    }
}

/// A file of examples/surgery/data.
pub fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/surgery/data").join(name)
}

/// A clock that the test moves.
struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Millis {
        self.0.load(Ordering::Relaxed)
    }
}
