//! What is told of reads is kept: written to the journal and flushed, many readers at a time, on one thread.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use fhir::{IssueType, Outcome};
use store::{Journal, Mark};

use super::ledger::{Core, lock};
use super::ticket::{Batch, Ticket};

/// How many bytes of accounts wait for the next flush; who comes then is refused.
const WAITING_MAX: usize = 16 << 20;

/// How many accounts one frame of the journal holds at most.
const FRAME_MAX: usize = 512;

/// And how many bytes of them, unless it is a single one: the journal has room for some such frames.
const FRAME_BYTES: usize = 1 << 20;

/// How long accounts that are fewer than the last time wait for the next one: readers who were answered together come back one after
/// another. They wait no longer than the last flush took.
const GATHER: Duration = Duration::from_micros(300);

/// What waits to be kept.
#[derive(Default)]
pub(super) struct Queue {
    batch: Arc<Batch>,
    accounts: Vec<Vec<u8>>,
    bytes: usize,
    /// How many accounts the thread waits for: it is not woken for fewer.
    wanted: usize,
    /// Nobody keeps any more.
    ended: bool,
}

impl Drop for Queue {
    /// Who still waits, waits for a thread that has panicked.
    fn drop(&mut self) {
        self.batch.end(Err(unkept()));
    }
}

impl Queue {
    /// Turns down whoever waits, and whoever comes from now on.
    pub(super) fn end(&mut self) {
        *self = Queue::default();
        self.ended = true;
    }
}

struct End<'a>(&'a Core);

impl Drop for End<'_> {
    fn drop(&mut self) {
        lock(&self.0.queue).end();
        lock(&self.0.waiting).kept_all = true;
        self.0.chain_due.notify_all();
    }
}

/// How many accounts the last flush had, and how long it took.
#[derive(Default)]
struct Pace {
    accounts: usize,
    took: Duration,
}

impl Core {
    pub(super) fn enqueue(&self, accounts: Vec<Vec<u8>>) -> Ticket {
        self.arrivals.fetch_add(accounts.len() as u64, Ordering::Relaxed);
        let (ticket, is_enough) = {
            let mut queue = lock(&self.queue);
            if queue.bytes >= WAITING_MAX || queue.ended {
                return Ticket::refused(unkept());
            }
            queue.bytes += accounts.iter().map(Vec::len).sum::<usize>();
            queue.accounts.extend(accounts);
            (Ticket::of(&queue.batch), queue.accounts.len() >= queue.wanted)
        };
        if is_enough {
            self.arrived.notify_one();
        }
        ticket
    }

    /// Keeps until the ledger is closed and nothing waits.
    pub(super) fn keep(&self, mut journal: Journal) {
        let _end = End(self);
        let mut pace = Pace::default();
        while let Some(mut work) = self.gather(&pace) {
            let accounts = std::mem::take(&mut work.accounts);
            pace.accounts = accounts.len();
            let begun = Instant::now();
            let end = self.append(&mut journal, accounts);
            pace.took = begun.elapsed();
            work.batch.end(end);
        }
    }

    /// What is to be kept next; `None` at the end.
    fn gather(&self, pace: &Pace) -> Option<Queue> {
        let mut queue = lock(&self.queue);
        let idle = |queue: &mut Queue| queue.accounts.is_empty() && !self.is_closed();
        queue = self.arrived.wait_while(queue, idle).unwrap_or_else(PoisonError::into_inner);
        let until = Instant::now() + pace.took.min(GATHER);
        queue.wanted = pace.accounts;
        while queue.accounts.len() < pace.accounts && !self.is_closed() {
            let wait = until.saturating_duration_since(Instant::now());
            if wait.is_zero() {
                break;
            }
            queue = self.arrived.wait_timeout(queue, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
        let work = std::mem::take(&mut *queue);
        (!work.accounts.is_empty()).then_some(work)
    }

    fn append(&self, journal: &mut Journal, accounts: Vec<Vec<u8>>) -> Result<(), Outcome> {
        let mut accounts = accounts.into_iter().peekable();
        while let Some(first) = accounts.next() {
            let mut bytes = first.len();
            let mut frame = vec![first];
            while frame.len() < FRAME_MAX
                && let Some(next) = accounts.next_if(|next| bytes + next.len() <= FRAME_BYTES)
            {
                bytes += next.len();
                frame.push(next);
            }
            let mark = self.append_frame(journal, &frame)?;
            lock(&self.waiting).add(mark, frame);
            self.chain_due.notify_one();
        }
        Ok(())
    }

    /// Writes a frame, behind the others, or at the start where all of them are chained. Waits for that where there is no room.
    fn append_frame(&self, journal: &mut Journal, frame: &[Vec<u8>]) -> Result<Mark, Outcome> {
        let mut waiting = lock(&self.waiting);
        loop {
            if waiting.fails || waiting.ended {
                return Err(unkept());
            }
            let is_empty = waiting.is_chained();
            if is_empty {
                journal.restart();
            }
            drop(waiting);
            let kept = journal.append(frame).map_err(|error| {
                tracing::error!(%error, "the audit cannot be kept");
                unkept()
            })?;
            if let Some(mark) = kept {
                return Ok(mark);
            }
            if is_empty {
                tracing::error!("an account is too large for the journal of the audit");
                return Err(unkept());
            }
            waiting = lock(&self.waiting);
            if waiting.is_chained() {
                continue;
            }
            waiting.wanted = true;
            self.chain_due.notify_one();
            let waits = |waiting: &mut super::chain::Waiting| !(waiting.is_chained() || waiting.fails || waiting.ended);
            waiting = self.room.wait_while(waiting, waits).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// What a caller is told whose account is not on disk.
pub(super) fn unkept() -> Outcome {
    Outcome::new(IssueType::Transient, "the server cannot keep its audit now, and discloses nothing without it")
}
