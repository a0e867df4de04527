//! Figures of several sizes in one table.

use std::time::Duration;

use serde_json::{Value, json};

use super::{DOWNLOAD, FAR_PAGE, MIX_P99};

/// How much more a page may cost at ten times the data.
const GROWTH_MAX: f64 = 1.3;

/// The search whose matches are counted fastest, and how many millions a second that must be.
const COUNT: &str = "count by code";
const COUNT_MIN: f64 = 3.0;

/// How many resources a second a download must give.
const DOWNLOAD_MIN: f64 = 50_000.0;

/// How many milliseconds one in a hundred searches of the mix may exceed.
const P99_MAX: f64 = 10.0;

/// Searches, each at all sizes.
pub(super) struct Table {
    sizes: Vec<u64>,
    lines: Vec<(&'static str, Vec<At>)>,
}

/// What one search costs at one size.
pub(in crate::workload) struct At {
    /// Of the median request.
    pub(in crate::workload) time: Duration,
    /// Of the server, for each request.
    pub(in crate::workload) cpu: Duration,
    /// Index rows touched.
    pub(in crate::workload) rows: Option<u64>,
    pub(in crate::workload) total: Option<u64>,
}

/// What is measured at one size alone.
pub(super) struct Figure {
    pub(super) name: String,
    pub(super) value: f64,
    pub(super) unit: &'static str,
}

impl Figure {
    pub(super) fn new(name: &str, value: f64, unit: &'static str) -> Figure {
        Figure { name: name.to_owned(), value, unit }
    }
}

impl At {
    /// Matches counted in a second.
    fn rate(&self) -> f64 {
        self.total.unwrap_or(0) as f64 / self.time.as_secs_f64().max(1e-9)
    }
}

fn ratio(at: &[At], of: impl Fn(&At) -> Duration) -> f64 {
    match (at.first(), at.last()) {
        (Some(small), Some(large)) => of(large).as_secs_f64() / of(small).as_secs_f64().max(1e-9),
        _ => 1.0,
    }
}

fn is_count(name: &str) -> bool {
    name.starts_with("count ")
}

impl Table {
    pub(super) fn new(sizes: Vec<u64>) -> Table {
        Table { sizes, lines: Vec::new() }
    }

    pub(super) fn add(&mut self, name: &'static str, at: Vec<At>) {
        self.lines.push((name, at));
    }

    /// The largest size's time over the smallest's.
    fn growth(at: &[At]) -> f64 {
        ratio(at, |at| at.time)
    }

    pub(super) fn print(&self) {
        print!("{:<26}", "search");
        for size in &self.sizes {
            print!(" | {:>9} us {:>9} {:>9} {:>9}", size, "cpu us", "rows", "matches");
        }
        println!(" | growth, of CPU");
        for (name, at) in &self.lines {
            print!("{name:<26}");
            for at in at {
                let number = |value: Option<u64>| value.map_or("-".to_owned(), |value| value.to_string());
                let (time, cpu) = (at.time.as_secs_f64() * 1e6, at.cpu.as_secs_f64() * 1e6);
                print!(" | {time:>12.1} {cpu:>9.1} {:>9} {:>9}", number(at.rows), number(at.total));
            }
            let (growth, of_cpu) = (Table::growth(at), ratio(at, |at| at.cpu));
            match is_count(name) {
                true => println!(
                    " | {growth:>5.2} {of_cpu:>5.2}  {:.2} M resources/s",
                    at.last().map_or(0.0, At::rate) / 1e6
                ),
                false => println!(" | {growth:>5.2} {of_cpu:>5.2} {}", if growth > GROWTH_MAX { " !" } else { "" }),
            }
        }
    }

    /// Prints what each size is measured by alone.
    pub(super) fn print_alone(&self, alone: &[&[Figure]]) {
        for (size, figures) in self.sizes.iter().zip(alone) {
            println!("{size} resources");
            for Figure { name, value, unit } in *figures {
                println!("  {name:<32} {value:>12.1} {unit}");
            }
        }
    }

    /// Prints the figures that are held to a limit, at the largest size.
    pub(super) fn print_verdict(&self, alone: &[&[Figure]]) {
        println!("held to the limits, at {} resources", self.sizes.last().copied().unwrap_or(0));
        let line = |name: &str, value: f64, limit: String, holds: bool| {
            println!("  {name:<32} {value:>12.2}  {limit:<20} {}", if holds { "holds" } else { "MISSED" });
        };
        let pages = || self.lines.iter().filter(|(name, _)| !is_count(name));
        let over: Vec<_> = pages().filter(|(_, at)| Table::growth(at) > GROWTH_MAX).map(|(name, _)| *name).collect();
        let worst = pages().map(|(_, at)| Table::growth(at)).fold(0.0, f64::max);
        line("growth of a page, the worst", worst, format!("at most {GROWTH_MAX}"), over.is_empty());
        if !over.is_empty() {
            println!("    over it: {} of {} searches: {}", over.len(), pages().count(), over.join(", "));
        }
        let count = self.lines.iter().find(|(name, _)| *name == COUNT).and_then(|(_, at)| at.last()).map(At::rate);
        let million = count.unwrap_or(0.0) / 1e6;
        line("count by code, M resources/s", million, format!("at least {COUNT_MIN}"), million >= COUNT_MIN);
        let figure = |wanted: &str| {
            let figures = alone.last().copied().unwrap_or_default();
            figures.iter().find(|figure| figure.name == wanted).map_or(f64::NAN, |figure| figure.value)
        };
        let rate = figure(DOWNLOAD);
        line("download, resources/s", rate, format!("at least {DOWNLOAD_MIN}"), rate >= DOWNLOAD_MIN);
        let p99 = figure(MIX_P99);
        line("search mix, p99 in ms", p99, format!("at most {P99_MAX}"), p99 <= P99_MAX);
        let far = figure(FAR_PAGE);
        line(FAR_PAGE, far, format!("at most {GROWTH_MAX}"), far <= GROWTH_MAX);
    }

    pub(super) fn json(&self, alone: &[&[Figure]]) -> Value {
        let at = |at: &At| json!({"us": at.time.as_secs_f64() * 1e6, "cpu_us": at.cpu.as_secs_f64() * 1e6, "rows": at.rows, "matches": at.total, "matches_per_second": at.rate()});
        let searches = self.lines.iter().map(|(name, all)| {
            json!({"name": name, "growth": Table::growth(all), "at": all.iter().map(at).collect::<Vec<_>>()})
        });
        let figures = |figures: &&[Figure]| {
            let figures =
                figures.iter().map(|Figure { name, value, unit }| json!({"name": name, "value": value, "unit": unit}));
            figures.collect::<Vec<_>>()
        };
        json!({"sizes": self.sizes, "searches": searches.collect::<Vec<_>>(), "figures": alone.iter().map(figures).collect::<Vec<_>>()})
    }
}
