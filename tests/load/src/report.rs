//! What was measured, as lines of a table.

use std::time::Duration;

/// How many requests were answered in how long, with each one's latency.
pub(crate) struct Measured {
    pub(crate) elapsed: Duration,
    pub(crate) latencies: Vec<Duration>,
    /// CPU time of the server meanwhile.
    pub(crate) cpu: Duration,
}

impl Measured {
    /// Requests per second.
    pub(crate) fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// The latency that so many percent of the requests do not exceed.
    pub(crate) fn percentile(&mut self, percent: usize) -> Duration {
        self.latencies.sort_unstable();
        let count = self.latencies.len().max(1);
        self.latencies.get((count * percent / 100).min(count - 1)).copied().unwrap_or_default()
    }

    /// Prints one line: rate, CPU for each request, median and p99.
    pub(crate) fn print(&mut self, name: &str) {
        let count = self.latencies.len().max(1);
        let (median, p99) = (self.percentile(50), self.percentile(99));
        println!(
            "{name:<34} {:>9.0}/s  cpu {:>7.1} us  median {:>8.1} us  p99 {:>9.1} us",
            self.rate(),
            self.cpu.as_secs_f64() * 1e6 / count as f64,
            median.as_secs_f64() * 1e6,
            p99.as_secs_f64() * 1e6,
        );
    }
}

/// Prints a ratio and the limit it is held to.
pub(crate) fn ratio(name: &str, value: f64, target: f64) {
    println!("{name:<34} {:>9.0} %  (target: at least {:.0} %)", value * 100.0, target * 100.0);
}
