//! Figures of several sizes in one table.

use std::time::Duration;

use serde_json::{Value, json};

/// How much more a page may cost at ten times the data.
const GROWTH_MAX: f64 = 1.3;

/// Searches, each at all sizes.
pub(super) struct Table {
    sizes: Vec<u64>,
    lines: Vec<(&'static str, Vec<At>)>,
}

/// What one search costs at one size.
pub(super) struct At {
    /// Of the median request.
    pub(super) time: Duration,
    /// Of the server, for each request.
    pub(super) cpu: Duration,
    /// Index rows touched.
    pub(super) rows: Option<u64>,
    pub(super) total: Option<u64>,
}

/// Figures of one size: name, value, unit.
pub(super) type Alone<'a> = &'a [(String, f64, &'static str)];

impl At {
    /// Matches counted in a second.
    fn rate(&self) -> f64 {
        self.total.unwrap_or(0) as f64 / self.time.as_secs_f64().max(1e-9)
    }
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
        match (at.first(), at.last()) {
            (Some(small), Some(large)) => large.time.as_secs_f64() / small.time.as_secs_f64().max(1e-9),
            _ => 1.0,
        }
    }

    pub(super) fn print(&self) {
        print!("{:<26}", "search");
        for size in &self.sizes {
            print!(" | {:>9} us {:>9} {:>9} {:>9}", size, "cpu us", "rows", "matches");
        }
        println!(" | growth (at most {GROWTH_MAX} for a page at ten times the data)");
        for (name, at) in &self.lines {
            print!("{name:<26}");
            for at in at {
                let number = |value: Option<u64>| value.map_or("-".to_owned(), |value| value.to_string());
                let (time, cpu) = (at.time.as_secs_f64() * 1e6, at.cpu.as_secs_f64() * 1e6);
                print!(" | {time:>12.1} {cpu:>9.1} {:>9} {:>9}", number(at.rows), number(at.total));
            }
            let growth = Table::growth(at);
            match name.starts_with("count ") {
                true => println!(" | {growth:>5.2}, {:.2} M resources/s", at.last().map_or(0.0, At::rate) / 1e6),
                false => println!(" | {growth:>5.2}{}", if growth > GROWTH_MAX { " !" } else { "" }),
            }
        }
    }

    /// Prints what each size is measured by alone.
    pub(super) fn print_alone(&self, alone: &[Alone<'_>]) {
        for (size, figures) in self.sizes.iter().zip(alone) {
            println!("{size} resources");
            for (name, value, unit) in *figures {
                println!("  {name:<32} {value:>12.1} {unit}");
            }
        }
    }

    pub(super) fn json(&self, alone: &[Alone<'_>]) -> Value {
        let at = |at: &At| json!({"us": at.time.as_secs_f64() * 1e6, "cpu_us": at.cpu.as_secs_f64() * 1e6, "rows": at.rows, "matches": at.total, "matches_per_second": at.rate()});
        let searches = self.lines.iter().map(|(name, all)| {
            json!({"name": name, "growth": Table::growth(all), "at": all.iter().map(at).collect::<Vec<_>>()})
        });
        let figures = |figures: &Alone<'_>| {
            let figures = figures.iter().map(|(name, value, unit)| json!({"name": name, "value": value, "unit": unit}));
            figures.collect::<Vec<_>>()
        };
        json!({"sizes": self.sizes, "searches": searches.collect::<Vec<_>>(), "figures": alone.iter().map(figures).collect::<Vec<_>>()})
    }
}
