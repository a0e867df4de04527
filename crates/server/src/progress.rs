//! How far a long command is: a bar on a terminal, otherwise a line every few seconds.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// The progress of one command, told to standard error. Shared between threads.
pub(crate) struct Progress {
    begun: Instant,
    resources: AtomicU64,
    /// Of the units that the end is known in: bytes of an import, resources of an export.
    done: AtomicU64,
    total: u64,
    bar: Option<ProgressBar>,
    told: Mutex<Instant>,
}

impl Progress {
    /// Starts the clock.
    pub(crate) fn new(total: u64) -> Progress {
        let bar = std::io::stderr().is_terminal().then(|| bar(total));
        let begun = Instant::now();
        Progress { begun, resources: AtomicU64::new(0), done: AtomicU64::new(0), total, bar, told: Mutex::new(begun) }
    }

    /// Notes that so much more is done of the total.
    pub(crate) fn advance(&self, done: u64) {
        self.done.fetch_add(done, Ordering::Relaxed);
        if let Some(bar) = &self.bar {
            bar.inc(done);
        }
    }

    /// Notes that so many more resources are done.
    pub(crate) fn count(&self, resources: u64) {
        let resources = self.resources.fetch_add(resources, Ordering::Relaxed) + resources;
        match &self.bar {
            Some(bar) => bar.set_message(rate(resources, self.begun.elapsed())),
            None => self.tell(resources),
        }
    }

    /// The time since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn tell(&self, resources: u64) {
        let Ok(mut told) = self.told.try_lock() else { return };
        if told.elapsed() >= LINE_EVERY {
            *told = Instant::now();
            let elapsed = self.begun.elapsed();
            let line = line(resources, elapsed, self.done.load(Ordering::Relaxed), self.total);
            eprintln!("{line}");
        }
    }
}

fn bar(total: u64) -> ProgressBar {
    const TEMPLATE: &str = "{wide_bar} {percent:>3} %  {msg}  {eta} left";
    let style = ProgressStyle::with_template(TEMPLATE).expect("the template is well-formed");
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(4));
    bar.with_style(style)
}

/// `36064 resources, 4100/s`.
pub(crate) fn rate(resources: u64, elapsed: Duration) -> String {
    let rate = resources as f64 / elapsed.as_secs_f64().max(0.001);
    format!("{resources} resources, {rate:.0}/s")
}

fn line(resources: u64, elapsed: Duration, done: u64, total: u64) -> String {
    let rate = rate(resources, elapsed);
    let share = done.min(total) as f64 / total.max(1) as f64;
    if share == 0.0 {
        return rate;
    }
    let left = elapsed.as_secs_f64() * (1.0 - share) / share;
    format!("{rate}, {:.0} % done, about {left:.0} s left", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_rate_and_time_left() {
        let cases = [
            ((0, 0, 0, 0), "0 resources, 0/s"),
            ((500, 10, 25, 100), "500 resources, 50/s, 25 % done, about 30 s left"),
            ((500, 10, 100, 100), "500 resources, 50/s, 100 % done, about 0 s left"),
            ((500, 10, 101, 100), "500 resources, 50/s, 100 % done, about 0 s left"),
        ];
        for ((resources, seconds, done, total), expected) in cases {
            assert_eq!(line(resources, Duration::from_secs(seconds), done, total), expected);
        }
    }
}
