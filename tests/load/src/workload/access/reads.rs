//! Reads of one patient's record by each who may, over several numbers of connections.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use store::Key;

use super::ROUNDS;
use super::site::{Asker, Site};
use crate::connection::get;
use crate::process::Process;
use crate::report::Measured;
use crate::workload::drive;

type Failure = Box<dyn std::error::Error>;

const CONNECTIONS: [usize; 3] = [1, 8, 64];

/// The threads of the audit: those that chain accounts and write them to disk, AuditEvents too, and the one that makes those of them later.
const DISK: [&str; 3] = ["audit-journal", "audit-chain", "store-writer"];
const MAKER: [&str; 1] = ["audit-maker"];

/// Reads by one, in one number of connections: the medians of all rounds.
pub(super) struct Reads {
    pub(super) name: &'static str,
    pub(super) connections: usize,
    /// Requests per second.
    pub(super) rate: f64,
    /// In microseconds, of the median request.
    pub(super) latency: f64,
    /// CPU time of the server for each, in microseconds, without that of the audit's threads.
    pub(super) cpu: f64,
    /// What accounts took meanwhile to be chained and written, and AuditEvents to be written.
    pub(super) disk: f64,
    /// What AuditEvents took meanwhile to be made, which may be of earlier reads.
    pub(super) maker: f64,
    /// The CPU time beside that of the first, and its rate, round by round.
    pub(super) of_cpu: f64,
    pub(super) of_rate: f64,
}

/// One round.
struct Round {
    rate: f64,
    latency: f64,
    cpu: f64,
    disk: f64,
    maker: f64,
}

/// Who reads where: the open server comes first, then those with few consents and with many.
const READERS: [(&str, usize, Asker); 5] = [
    ("authentication off", 0, Asker::Anybody),
    ("custodian, no consents asked", 1, Asker::Custodian),
    ("patient's app", 2, Asker::App),
    ("staff, consents of 1 %", 1, Asker::Staff),
    ("staff, consents of 10 %", 2, Asker::Staff),
];

pub(super) fn measure(
    open: &mut Site,
    guarded: &mut [Site],
    keys: &[Key],
    time: Duration,
) -> Result<Vec<Reads>, Failure> {
    let mut sites: Vec<&mut Site> = std::iter::once(open).chain(guarded).collect();
    let mut all = Vec::new();
    for connections in CONNECTIONS {
        let mut rounds: [Vec<Round>; READERS.len()] = Default::default();
        for _ in 0..ROUNDS {
            for ((_, site, asker), rounds) in READERS.iter().zip(&mut rounds) {
                rounds.push(round(sites[*site], *asker, keys, connections, time / ROUNDS)?);
            }
        }
        let first = &rounds[0];
        let reads = READERS.iter().zip(&rounds).map(|((name, ..), rounds)| Reads {
            name,
            connections,
            rate: middle(rounds.iter().map(|round| round.rate)),
            latency: middle(rounds.iter().map(|round| round.latency)),
            cpu: middle(rounds.iter().map(|round| round.cpu)),
            disk: middle(rounds.iter().map(|round| round.disk)),
            maker: middle(rounds.iter().map(|round| round.maker)),
            of_cpu: middle(rounds.iter().zip(first).map(|(round, first)| round.cpu / first.cpu)),
            of_rate: middle(rounds.iter().zip(first).map(|(round, first)| round.rate / first.rate)),
        });
        all.extend(reads);
    }
    Ok(all)
}

fn round(site: &mut Site, asker: Asker, keys: &[Key], connections: usize, time: Duration) -> Result<Round, Failure> {
    let requests = keys.iter().map(|key| site.request(asker, &get(&format!("/fhir/{key}"))));
    let requests = requests.collect::<Result<Vec<_>, _>>()?;
    let sent = AtomicUsize::new(0);
    let next = || requests[sent.fetch_add(1, Ordering::Relaxed) % requests.len()].clone();
    let process = &site.process;
    let before = Spent::by(process);
    let (elapsed, latencies) = drive(process.address, connections, time, 200, &next)?;
    let after = Spent::by(process);
    let count = latencies.len().max(1) as f64;
    let each = |before: Duration, after: Duration| after.saturating_sub(before).as_secs_f64() * 1e6 / count;
    let mut measured = Measured { elapsed, latencies, cpu: after.own.saturating_sub(before.own) };
    Ok(Round {
        rate: measured.rate(),
        latency: measured.percentile(50).as_secs_f64() * 1e6,
        cpu: each(before.own, after.own),
        disk: each(before.disk, after.disk),
        maker: each(before.maker, after.maker),
    })
}

/// CPU time that a server has used.
pub(super) struct Spent {
    /// Without that of the audit's threads.
    pub(super) own: Duration,
    disk: Duration,
    maker: Duration,
}

impl Spent {
    pub(super) fn by(process: &Process) -> Spent {
        let (disk, maker) = (process.cpu_of(&DISK), process.cpu_of(&MAKER));
        Spent { own: process.cpu().saturating_sub(disk + maker), disk, maker }
    }
}

/// The middle one of these.
pub(super) fn middle(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
