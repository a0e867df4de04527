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
    /// What is counted, in the plural.
    noun: &'static str,
    count: AtomicU64,
    /// Of the units that the end is known in: bytes of an import, resources of an export.
    done: AtomicU64,
    total: u64,
    bar: Option<ProgressBar>,
    told: Mutex<Instant>,
}

impl Progress {
    /// Starts the clock of a command that counts resources.
    pub(crate) fn new(total: u64) -> Progress {
        Progress::of("resources", total)
    }

    /// The same, counting something else: a plural.
    pub(crate) fn of(noun: &'static str, total: u64) -> Progress {
        let bar = std::io::stderr().is_terminal().then(|| bar(total));
        let begun = Instant::now();
        let (count, done) = (AtomicU64::new(0), AtomicU64::new(0));
        Progress { begun, noun, count, done, total, bar, told: Mutex::new(begun) }
    }

    /// Notes that so much more is done of the total.
    pub(crate) fn advance(&self, done: u64) {
        self.done.fetch_add(done, Ordering::Relaxed);
        if let Some(bar) = &self.bar {
            bar.inc(done);
        }
    }

    /// Notes that so many more are done.
    pub(crate) fn count(&self, more: u64) {
        let count = self.count.fetch_add(more, Ordering::Relaxed) + more;
        match &self.bar {
            Some(bar) => bar.set_message(rate_of(self.noun, count, self.begun.elapsed())),
            None => self.tell(count),
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

    fn tell(&self, count: u64) {
        let Ok(mut told) = self.told.try_lock() else { return };
        if told.elapsed() >= LINE_EVERY {
            *told = Instant::now();
            let elapsed = self.begun.elapsed();
            let rate = rate_of(self.noun, count, elapsed);
            eprintln!("{}", line(rate, elapsed, self.done.load(Ordering::Relaxed), self.total));
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
    rate_of("resources", resources, elapsed)
}

pub(crate) fn rate_of(noun: &str, count: u64, elapsed: Duration) -> String {
    let rate = count as f64 / elapsed.as_secs_f64().max(0.001);
    format!("{count} {noun}, {rate:.0}/s")
}

fn line(rate: String, elapsed: Duration, done: u64, total: u64) -> String {
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
            let elapsed = Duration::from_secs(seconds);
            assert_eq!(line(rate(resources, elapsed), elapsed, done, total), expected);
        }
    }
}
