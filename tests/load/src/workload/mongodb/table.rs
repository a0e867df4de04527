//! The figures, each beside its limit.

use std::time::Duration;

use serde_json::{Value, json};

use super::scans::Done;

/// How much of the driver's rate the server must reach at least.
const WRITES_MIN: f64 = 0.6;

/// How many times the embedded store's time a search page may take.
const PAGE_MAX: f64 = 3.0;

/// Writes through the server and by the driver alone, in the same transactions.
#[derive(Default)]
pub(super) struct Written {
    pub(super) name: &'static str,
    pub(super) connections: usize,
    /// Requests in a second.
    pub(super) requests: f64,
    /// Documents in one transaction, on average.
    pub(super) group: f64,
    /// What else was left in the database for each document: earlier versions, claims, settings.
    pub(super) others: f64,
    /// CPU time for each document: of the server, of the database meanwhile, and of that for the driver alone.
    pub(super) cpus: [Duration; 3],
    /// Documents in a second through the server.
    pub(super) server: f64,
    /// The same by the driver alone.
    pub(super) driver: f64,
}

/// One search at both stores.
pub(super) struct Searched {
    pub(super) name: &'static str,
    /// Whether its matches are only counted.
    pub(super) is_count: bool,
    /// Of the median request: embedded, MongoDB.
    pub(super) times: [Duration; 2],
    /// CPU time for each request: of the server over each, and of the database.
    pub(super) cpus: [Duration; 3],
    /// What the database did.
    pub(super) done: Done,
}

/// All that was measured.
#[derive(Default)]
pub(super) struct Report {
    pub(super) resources: u64,
    pub(super) writes: Vec<Written>,
    pub(super) searches: Vec<Searched>,
    /// How long the driver alone takes to read so many documents by their keys.
    pub(super) reads: Vec<(usize, Duration)>,
}

impl Written {
    /// The best rates of both, what others do on the machine only takes away. The rest is that of the server's best round.
    pub(super) fn or(self, other: Written) -> Written {
        let driver = self.driver.max(other.driver);
        let best = if other.server > self.server { other } else { self };
        Written { driver, ..best }
    }

    fn ratio(&self) -> f64 {
        self.server / self.driver
    }
}

impl Searched {
    fn ratio(&self) -> f64 {
        self.times[1].as_secs_f64() / self.times[0].as_secs_f64().max(1e-9)
    }
}

fn micros<const N: usize>(times: &[Duration; N]) -> [f64; N] {
    times.map(|time| time.as_secs_f64() * 1e6)
}

impl Report {
    pub(super) fn print_writes(&self) {
        println!(
            "{:<20} connections  requests/s  documents/s  in a transaction  others  driver alone  ratio  | CPU us: server, database; database alone",
            "writes"
        );
        for written in &self.writes {
            let Written { name, connections, requests, group, others, cpus, server, driver } = written;
            let [cpu, of_database, of_alone] = micros(cpus);
            println!(
                "{name:<20} {connections:>11} {requests:>11.0} {server:>12.0} {group:>17.1} {others:>7.2} {driver:>13.0} {:>6.2}{} | {cpu:>15.1} {of_database:>9.1} {of_alone:>15.1}",
                written.ratio(),
                if written.ratio() < WRITES_MIN { "!" } else { " " }
            );
        }
        println!(
            "the driver alone inserts the same documents, ready made, so many in one transaction, and nothing besides"
        );
    }

    pub(super) fn print_searches(&self) {
        println!("\nsearches of {} resources", self.resources);
        println!(
            "{:<26} embedded us  MongoDB us  ratio  | CPU us: embedded, server, database | commands  documents  index keys, for each request",
            "search"
        );
        for searched in &self.searches {
            let Searched { name, is_count, times, cpus, done } = searched;
            let ([embedded, mongodb], [alone, server, database]) = (micros(times), micros(cpus));
            println!(
                "{name:<26} {embedded:>11.1} {mongodb:>11.1} {:>6.2}{} | {alone:>16.1} {server:>7.1} {database:>9.1} | {:>8.1} {:>10.1} {:>11.1}",
                searched.ratio(),
                if searched.ratio() > PAGE_MAX && !is_count { "!" } else { " " },
                done.commands,
                done.documents,
                done.keys,
            );
        }
    }

    pub(super) fn print_reads(&self) {
        for (count, time) in &self.reads {
            println!("the driver alone reads {count} by key in {:.1} us", time.as_secs_f64() * 1e6);
        }
    }

    pub(super) fn print_verdict(&self) {
        println!("\nheld to the limits");
        for (name, value, limit, holds) in self.verdict() {
            println!("  {name:<42} {value:>8.2}  {limit:<14} {}", if holds { "holds" } else { "MISSED" });
        }
        let pages = || self.searches.iter().filter(|searched| !searched.is_count);
        let over: Vec<_> = pages().filter(|page| page.ratio() > PAGE_MAX).map(|page| page.name).collect();
        if !over.is_empty() {
            println!("    over it: {} of {} searches: {}", over.len(), pages().count(), over.join(", "));
        }
        for Searched { name, done, .. } in &self.searches {
            done.scans.iter().for_each(|scan| println!("    goes through all, {name}: {scan}"));
        }
    }

    fn verdict(&self) -> [(&'static str, f64, String, bool); 3] {
        let writes = self.writes.iter().map(Written::ratio).fold(f64::INFINITY, f64::min);
        let pages = self.searches.iter().filter(|searched| !searched.is_count);
        let page = pages.map(Searched::ratio).fold(0.0, f64::max);
        let scans = self.searches.iter().filter(|searched| !searched.done.scans.is_empty()).count();
        [
            ("writes / the driver alone, worst", writes, format!("at least {WRITES_MIN}"), writes >= WRITES_MIN),
            ("a search page / the embedded store's, worst", page, format!("at most {PAGE_MAX}"), page <= PAGE_MAX),
            ("searches that go through a collection", scans as f64, "none".to_owned(), scans == 0),
        ]
    }

    pub(super) fn json(&self) -> Value {
        let writes = self.writes.iter().map(|written| {
            json!({"name": written.name, "connections": written.connections, "requests": written.requests, "group": written.group,
                "others": written.others, "cpu_us": micros(&written.cpus), "server": written.server, "driver": written.driver,
                "ratio": written.ratio()})
        });
        let searches = self.searches.iter().map(|searched| {
            let [embedded, mongodb] = micros(&searched.times);
            let done = &searched.done;
            json!({"name": searched.name, "embedded_us": embedded, "mongodb_us": mongodb, "ratio": searched.ratio(), "cpu_us": micros(&searched.cpus),
                "commands": done.commands, "documents": done.documents, "keys": done.keys, "scans": done.scans})
        });
        let limits = self
            .verdict()
            .into_iter()
            .map(|(name, value, limit, holds)| json!({"name": name, "value": value, "limit": limit, "holds": holds}));
        let reads =
            self.reads.iter().map(|(count, time)| json!({"documents": count, "driver_us": time.as_secs_f64() * 1e6}));
        json!({
            "resources": self.resources, "reads": reads.collect::<Vec<_>>(), "writes": writes.collect::<Vec<_>>(), "searches": searches.collect::<Vec<_>>(),
            "limits": limits.collect::<Vec<_>>(),
        })
    }
}
