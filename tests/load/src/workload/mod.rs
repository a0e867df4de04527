//! The workloads, each beside the limit it is measured against.

pub(crate) mod access;
pub(crate) mod booking;
pub(crate) mod create;
pub(crate) mod import;
pub(crate) mod mongodb;
pub(crate) mod read;
pub(crate) mod search;
pub(crate) mod start;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::connection::Connection;

/// The Patient that is read and created: of ordinary size, from the repository's own scenario.
const PATIENT: &str = include_str!("../patient.json");

/// Sends requests over `connections` connections for `duration`; an answer with another status than `expected` is an error.
fn drive(
    address: SocketAddr,
    connections: usize,
    duration: Duration,
    expected: u16,
    request: &(dyn Fn() -> Vec<u8> + Sync),
) -> Result<(Duration, Vec<Duration>), String> {
    let begun = Instant::now();
    let results: Vec<Result<Vec<Duration>, String>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..connections)
            .map(|_| {
                scope.spawn(move || {
                    let mut connection = Connection::open(address).map_err(|error| error.to_string())?;
                    let mut latencies = Vec::new();
                    while begun.elapsed() < duration {
                        let bytes = request();
                        let sent = Instant::now();
                        let (status, body) = connection.send(&bytes).map_err(|error| error.to_string())?;
                        if status != expected {
                            return Err(format!("{status} instead of {expected}: {}", String::from_utf8_lossy(body)));
                        }
                        latencies.push(sent.elapsed());
                    }
                    Ok(latencies)
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap_or_else(|_| Err("a client panicked".into()))).collect()
    });
    let mut all = Vec::new();
    for latencies in results {
        all.extend(latencies?);
    }
    Ok((begun.elapsed(), all))
}
