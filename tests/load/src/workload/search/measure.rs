//! Searches against one server.

use std::time::{Duration, Instant};

use super::answer::{Answer, entries_in, next_link};
use super::queries::{Query, Search};
use crate::connection::{Connection, get};
use crate::process::Process;
use crate::report::Measured;
use crate::scale::{Facts, Random};
use crate::workload::drive;

/// In how many variants each search is made.
const VARIANTS: usize = 16;

/// Searches of a kind, ready to be sent.
pub(in crate::workload) struct Prepared {
    requests: Vec<Vec<u8>>,
    /// How long each answer is, where it is known to stay the same.
    lengths: Vec<Option<usize>>,
    /// Rows touched for the median variant, where the server tells.
    pub(super) rows: Option<u64>,
    /// Matches of the median variant.
    pub(super) total: Option<u64>,
}

impl Prepared {
    /// A request for each variant.
    pub(in crate::workload) fn requests(&self) -> &[Vec<u8>] {
        &self.requests
    }
}

/// The middle one of these.
pub(in crate::workload) fn median<T: Copy + Ord>(mut values: Vec<T>) -> Option<T> {
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}

/// Makes the variants of a search for pages of `count` matches and checks the answer to each.
pub(super) fn prepare(
    query: &Query,
    facts: &Facts,
    connection: &mut Connection,
    count: u64,
    change: impl Fn(Search) -> Search,
) -> Result<Prepared, String> {
    let mut random = Random::new(query.name.len() as u64);
    let mut prepared = Prepared { requests: Vec::new(), lengths: Vec::new(), rows: None, total: None };
    let (mut rows, mut totals) = (Vec::new(), Vec::new());
    for _ in 0..VARIANTS {
        let search = change(query.make(facts, &mut random, count));
        let explained = ask(connection, &search.with("_explain", "true"))?;
        rows.extend(explained.rows);
        totals.extend(explained.total);
        let request = search.request();
        let (status, body) = connection.send(&request).map_err(|error| format!("{}: {error}", search.text()))?;
        Answer::read(&search, status, body)?;
        prepared.lengths.push(search.total.is_some().then_some(body.len()));
        prepared.requests.push(request);
    }
    prepared.rows = median(rows);
    prepared.total = median(totals);
    Ok(prepared)
}

fn ask(connection: &mut Connection, search: &Search) -> Result<Answer, String> {
    let (status, body) = connection.send(&search.request()).map_err(|error| format!("{}: {error}", search.text()))?;
    Answer::read(search, status, body)
}

/// Sends the variants in turn, on one connection, for some time and at least once each.
pub(in crate::workload) fn repeat(process: &Process, prepared: &Prepared, time: Duration) -> Result<Measured, String> {
    let mut connection = Connection::open(process.address).map_err(|error| error.to_string())?;
    let mut latencies = Vec::new();
    let before = process.cpu();
    let begun = Instant::now();
    for (request, length) in prepared.requests.iter().zip(&prepared.lengths).cycle() {
        if begun.elapsed() >= time && latencies.len() >= prepared.requests.len() {
            break;
        }
        let sent = Instant::now();
        let (status, body) = connection.send(request).map_err(|error| error.to_string())?;
        latencies.push(sent.elapsed());
        if status != 200 || length.is_some_and(|length| length != body.len()) {
            return Err(format!("an answer changed: {}", String::from_utf8_lossy(request)));
        }
    }
    Ok(Measured { elapsed: begun.elapsed(), latencies, cpu: process.cpu() - before })
}

/// Sends all these at random over 8 connections.
pub(super) fn mix(process: &Process, prepared: &[Prepared], time: Duration) -> Result<Measured, String> {
    const CONNECTIONS: usize = 8;
    let requests: Vec<&Vec<u8>> = prepared.iter().flat_map(|one| &one.requests).collect();
    let counter = std::sync::atomic::AtomicU64::new(0);
    let pick = || {
        let number = counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        (*Random::new(number).pick(&requests)).clone()
    };
    let before = process.cpu();
    let (elapsed, latencies) = drive(process.address, CONNECTIONS, time, 200, &pick)?;
    Ok(Measured { elapsed, latencies, cpu: process.cpu() - before })
}

/// What following the links of a search came to.
pub(super) struct Walk {
    pub(super) resources: usize,
    /// How long each page took.
    pub(super) pages: Vec<Duration>,
    pub(super) cpu: Duration,
    pub(super) bytes: usize,
}

/// Follows the links of a search to its end, or for as many pages; an error unless it gives as many resources as it should.
pub(super) fn walk(process: &Process, search: &Search, pages_max: usize) -> Result<Walk, String> {
    let mut connection = Connection::open(process.address).map_err(|error| error.to_string())?;
    let mut walk = Walk { resources: 0, pages: Vec::new(), cpu: Duration::ZERO, bytes: 0 };
    let before = process.cpu();
    let mut request = Some(search.request());
    while let Some(bytes) = request.take().filter(|_| walk.pages.len() < pages_max) {
        let sent = Instant::now();
        let (status, body) = connection.send(&bytes).map_err(|error| error.to_string())?;
        walk.pages.push(sent.elapsed());
        if status != 200 {
            return Err(format!("{}: {status}: {}", search.text(), String::from_utf8_lossy(body)));
        }
        walk.resources += entries_in(body);
        walk.bytes += body.len();
        request = next_link(body).map(|path| get(&path));
    }
    walk.cpu = process.cpu() - before;
    match search.total {
        Some(total) if walk.pages.len() < pages_max && walk.resources as u64 != total => {
            Err(format!("{}: {} resources on all pages, not {total}", search.text(), walk.resources))
        }
        _ => Ok(walk),
    }
}
