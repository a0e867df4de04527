//! A server of one test, and requests to it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use server::{Clock, Config, Millis, Server};
use tempfile::TempDir;
use tokio::sync::oneshot;
use ureq::Agent;
use ureq::http::Request;

use crate::Reply;

/// When every test begins: 2027-03-01T08:00:00Z, a week before the surgery's slots.
const START: Millis = 1_803_888_000_000;

/// What the clock gains with each request.
const TICK: Millis = 1000;

/// A running server.
pub struct Flint {
    origin: String,
    agent: Agent,
    clock: Arc<TestClock>,
    directory: Arc<TempDir>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Flint {
    /// A server with an empty store.
    pub fn start() -> Flint {
        Flint::start_with(|_| {})
    }

    /// A server with an empty store and some settings of its own.
    pub fn start_with(set: impl FnOnce(&mut Config)) -> Flint {
        Flint::open(Arc::new(TempDir::new().expect("a directory")), set)
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
        let directory = self.directory.clone();
        self.close();
        Flint::open(directory, set)
    }

    fn open(directory: Arc<TempDir>, set: impl FnOnce(&mut Config)) -> Flint {
        let clock = Arc::new(TestClock(AtomicI64::new(START)));
        let next = AtomicU64::new(1);
        let mut config = Config {
            data: directory.path().to_owned(),
            listen: ([127, 0, 0, 1], 0).into(),
            clock: clock.clone(),
            ids: Arc::new(move || format!("id-{}", next.fetch_add(1, Ordering::Relaxed))),
            ..Config::default()
        };
        set(&mut config);
        let (stop, stopped) = oneshot::channel();
        let (started, address) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
            runtime.expect("a runtime").block_on(async move {
                let server = Server::bind(config).await.expect("a free port and an empty directory");
                started.send(server.address()).expect("the test waits");
                server.run(async { drop(stopped.await) }).await;
            });
        });
        let address = address.recv().expect("the server starts");
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .max_redirects(0)
            .allow_non_standard_methods(true)
            .build()
            .into();
        Flint { origin: format!("http://{address}"), agent, clock, directory, stop: Some(stop), thread: Some(thread) }
    }

    /// The base URL, without a final `/`.
    pub fn base_url(&self) -> String {
        format!("{}/fhir", self.origin)
    }

    /// A request that is being made: `GET /Patient/ann`, relative to the base URL, or absolute.
    pub fn call(&self, line: &str) -> Call<'_> {
        let (method, url) = line.split_once(' ').expect("a method and a URL");
        let url = match url.strip_prefix("http://") {
            Some(_) => url.to_owned(),
            None => self.base_url() + url,
        };
        Call { flint: self, method: method.to_owned(), url, headers: Vec::new(), body: Vec::new() }
    }

    /// The answer to a request without a body.
    pub fn get(&self, url: &str) -> Reply {
        self.call(&format!("GET {url}")).send()
    }

    /// The answer to a request with a resource.
    pub fn send(&self, line: &str, resource: Value) -> Reply {
        self.call(line).json(&resource).send()
    }

    /// The server's time.
    pub fn now(&self) -> Millis {
        self.clock.now()
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

/// A request that is being made.
pub struct Call<'a> {
    flint: &'a Flint,
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Call<'_> {
    /// Adds a header field.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a resource.
    pub fn json(self, resource: &Value) -> Self {
        self.body("application/fhir+json", resource.to_string())
    }

    /// With any body.
    pub fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("Content-Type", content_type)
    }

    /// Makes the request.
    pub fn send(self) -> Reply {
        self.flint.advance(Duration::from_millis(TICK as u64));
        let mut request = Request::builder().method(self.method.as_str()).uri(&self.url);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let line = format!("{} {}", self.method, self.url);
        let agent = &self.flint.agent;
        let sent = match self.method.as_str() {
            "POST" | "PUT" | "PATCH" => agent.run(request.body(self.body).expect("a good request")),
            _ => agent.run(request.body(()).expect("a good request")),
        };
        match sent {
            Ok(response) => Reply::read(line, response),
            Err(error) => panic!("{line}: {error}"),
        }
    }
}

/// A clock that the test moves.
struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Millis {
        self.0.load(Ordering::Relaxed)
    }
}
