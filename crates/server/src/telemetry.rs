//! Logs and metrics. Neither holds a body, a token or the values of a query.

use std::error::Error;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::ValueEnum;
use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use serde::Deserialize;
use store::Statistics;
use tracing_subscriber::EnvFilter;

use crate::config::Settings;

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Sends the program's log to standard error.
pub(crate) fn log_to_stderr(settings: &Settings) -> Result<(), Box<dyn Error>> {
    let filter = settings.log.as_deref().unwrap_or("info");
    let filter = EnvFilter::try_new(filter).map_err(|error| format!("log: `{filter}` is no log filter: {error}"))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match settings.log_format.unwrap_or_default() {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    }
    .map_err(|error| error as Box<dyn Error>)
}

/// The header that carries a request's id in both directions.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A caller's request id is taken over up to this length.
const REQUEST_ID_MAX: usize = 64;

/// The caller's id for the request, or else a number of our own.
pub(crate) fn request_id(headers: &HeaderMap) -> HeaderValue {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    match given_request_id(headers) {
        Some(given) => given.clone(),
        None => HeaderValue::from(NEXT.fetch_add(1, Ordering::Relaxed)),
    }
}

/// The caller's id for the request, if it is short and plain.
pub(crate) fn given_request_id(headers: &HeaderMap) -> Option<&HeaderValue> {
    let acceptable = |value: &&HeaderValue| {
        (1..=REQUEST_ID_MAX).contains(&value.len())
            && value.as_bytes().iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._:".contains(byte))
    };
    headers.get(REQUEST_ID).filter(acceptable)
}

/// What `/metrics` shows.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    seconds: Family<InteractionLabel, Histogram>,
    pub(crate) in_progress: Gauge,
    resources: Family<TypeLabel, Gauge>,
    disk_bytes: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TypeLabel {
    resource_type: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    interaction: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InteractionLabel {
    interaction: &'static str,
}

/// From 50 microseconds to 26 seconds, each twice the one before.
fn latency() -> Histogram {
    Histogram::new(exponential_buckets(50e-6, 2.0, 20))
}

impl Metrics {
    pub(crate) fn new() -> Metrics {
        let mut registry = Registry::with_prefix("flint");
        let requests = Family::<RequestLabels, Counter>::default();
        let seconds = Family::new_with_constructor(latency as fn() -> Histogram);
        let in_progress = Gauge::default();
        registry.register("requests", "Requests answered", requests.clone());
        registry.register_with_unit("request", "Time to the answer's first byte", Unit::Seconds, seconds.clone());
        registry.register("requests_in_progress", "Requests not answered yet", in_progress.clone());
        let resources = Family::<TypeLabel, Gauge>::default();
        let disk_bytes = Gauge::default();
        registry.register("resources", "Current resources", resources.clone());
        registry.register_with_unit("store", "Size of the store on disk", Unit::Bytes, disk_bytes.clone());
        Metrics { registry, requests, seconds, in_progress, resources, disk_bytes }
    }

    /// Notes an answer.
    pub(crate) fn record(&self, interaction: &'static str, status: u16, elapsed: Duration) {
        self.requests.get_or_create(&RequestLabels { interaction, status }).inc();
        self.seconds.get_or_create(&InteractionLabel { interaction }).observe(elapsed.as_secs_f64());
    }

    /// Notes how much the store holds.
    pub(crate) fn observe(&self, statistics: &Statistics) {
        self.disk_bytes.set(statistics.disk_bytes as i64);
        for (name, count) in &statistics.documents {
            self.resources.get_or_create(&TypeLabel { resource_type: name.clone() }).set(*count as i64);
        }
    }

    /// The text that Prometheus reads.
    pub(crate) fn encode(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).expect("writing to a String cannot fail");
        text
    }
}
