//! The figures, each beside its limit.

use serde_json::{Value, json};

use super::PERCENTS;
use super::alone::Alone;
use super::hidden::Beside;
use super::reads::Reads;
use super::searches::{Costs, Searched};

/// How much of a read the check of a token, its scopes and consents may cost.
const CHECK_MAX: f64 = 0.1;

/// The least rate of reads with the audit, beside that without authentication.
const AUDITED_MIN: f64 = 0.5;

/// How much more a search with a consent filter may cost.
const SEARCH_MAX: f64 = 1.5;

/// All that was measured.
pub(super) struct Report {
    pub(super) resources: u64,
    pub(super) patients: usize,
    pub(super) alone: Alone,
    pub(super) reads: Vec<Reads>,
    pub(super) searches: Vec<Searched>,
}

/// Prints how long answers about what is hidden take, beside those about what is not there.
pub(super) fn print_hidden(all: &[Beside]) {
    println!(
        "{:<22} answers  median us, hidden    absent  difference  quarters apart  hidden longer (0.5 is even)",
        "by staff"
    );
    for Beside { name, count, medians: [hidden, absent], spread, longer } in all {
        let difference = hidden - absent;
        println!("{name:<22} {count:>7} {hidden:>18.1} {absent:>9.1} {difference:>11.1} {spread:>15.1} {longer:>14.3}");
    }
}

impl Report {
    /// Prints what reads cost, which is known first.
    pub(super) fn print_reads(&self) {
        println!(
            "{} resources of {} patients; CPU time of the server in us, for each request",
            self.resources, self.patients
        );
        self.print_over_http();
        self.print_alone();
    }

    fn print_over_http(&self) {
        println!(
            "\n{:<30} connections    rate/s  median us    CPU  audit's disk  its events  CPU, rate beside the first",
            "reads"
        );
        for reads in &self.reads {
            let Reads { name, connections, rate, latency, cpu, disk, maker, of_cpu, of_rate } = reads;
            println!(
                "{name:<30} {connections:>11} {rate:>9.0} {latency:>10.1} {cpu:>6.1} {disk:>13.1} {maker:>11.1} {of_cpu:>11.2} {of_rate:>8.2}"
            );
        }
    }

    fn print_alone(&self) {
        println!("\n{:<30} token alone  with the read     more  of a read over HTTP", "without HTTP and audit");
        println!("{:<30} {:>11} {:>14.2}", "everybody", "-", self.alone.plain);
        for (name, check, read) in &self.alone.askers {
            let more = read - self.alone.plain;
            println!("{name:<30} {check:>11.2} {read:>14.2} {more:>8.2} {:>17.1} %", more / self.read() * 100.0);
        }
    }

    pub(super) fn print_verdict(&self) {
        println!("\nheld to the limits");
        for (name, value, limit, holds) in self.verdict() {
            println!("  {name:<42} {value:>8.2}  {limit:<14} {}", if holds { "holds" } else { "MISSED" });
        }
    }

    fn verdict(&self) -> [(&'static str, f64, String, bool); 3] {
        let check =
            self.alone.askers.iter().map(|(_, _, read)| (read - self.alone.plain) / self.read()).fold(0.0, f64::max);
        // Of the rate that can be reached: who reads alone waits for a flush each time, and no server can help it.
        let most = self.reads.iter().map(|reads| reads.connections).max();
        let audited = self.reads.iter().filter(|reads| Some(reads.connections) == most);
        let audited = audited.map(|reads| reads.of_rate).fold(f64::INFINITY, f64::min);
        let search =
            self.searches.iter().flat_map(|searched| &searched.at).map(|costs| costs.ratio).fold(0.0, f64::max);
        [
            ("token, scopes and consents / a read, worst", check, format!("at most {CHECK_MAX}"), check <= CHECK_MAX),
            (
                "rate of audited reads / of open ones at 64",
                audited,
                format!("at least {AUDITED_MIN}"),
                audited >= AUDITED_MIN,
            ),
            ("search with consents / without, worst", search, format!("at most {SEARCH_MAX}"), search <= SEARCH_MAX),
        ]
    }

    /// CPU time of a read over HTTP by everybody, over 8 connections.
    fn read(&self) -> f64 {
        self.reads.iter().find(|reads| reads.connections == 8).map_or(f64::NAN, |reads| reads.cpu)
    }

    pub(super) fn json(&self) -> Value {
        let reads = self.reads.iter().map(|reads| {
            json!({"name": reads.name, "connections": reads.connections, "rate": reads.rate, "us": reads.latency,
                "cpu_us": reads.cpu, "disk_us": reads.disk, "events_us": reads.maker, "of_cpu": reads.of_cpu, "of_rate": reads.of_rate})
        });
        let askers = self
            .alone
            .askers
            .iter()
            .map(|(name, check, read)| json!({"name": name, "token_us": check, "read_us": read}));
        let searches = self.searches.iter().map(|searched| {
            let at = searched.at.iter().zip(PERCENTS).map(|(costs, percent)| {
                json!({"percent": percent, "custodian_us": costs.custodian, "staff_us": costs.staff, "ratio": costs.ratio})
            });
            json!({"name": searched.name, "at": at.collect::<Vec<_>>()})
        });
        let limits = self
            .verdict()
            .into_iter()
            .map(|(name, value, limit, holds)| json!({"name": name, "value": value, "limit": limit, "holds": holds}));
        json!({
            "resources": self.resources, "patients": self.patients, "reads": reads.collect::<Vec<_>>(),
            "alone": {"plain_us": self.alone.plain, "askers": askers.collect::<Vec<_>>()},
            "searches": searches.collect::<Vec<_>>(), "limits": limits.collect::<Vec<_>>(),
        })
    }
}

pub(super) fn print_searches(searches: &[Searched]) {
    print!("\n{:<22}", "searches");
    PERCENTS.iter().for_each(|percent| print!(" | custodian  staff, {percent:>2} %  ratio"));
    println!();
    for Searched { name, at } in searches {
        print!("{name:<22}");
        at.iter()
            .for_each(|Costs { custodian, staff, ratio }| print!(" | {custodian:>9.1} {staff:>12.1} {ratio:>6.2}"));
        println!();
    }
}
