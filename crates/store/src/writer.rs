//! The one thread that writes: it gathers waiting batches into groups that share one flush.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::prepare::Prepared;
use crate::{Committed, StoreError};

/// How many batches share one flush at most.
const GROUP_BATCHES_MAX: usize = 512;

/// How many batches wait in line; further callers wait to get into it.
const WAITING_MAX: usize = 1024;

/// How long a group that is smaller than the last one waits for its next batch: callers who were answered together come back one after
/// another. All in all it waits no longer than the last group took to write, so that waiting never costs more than it can save.
const GATHER: Duration = Duration::from_micros(300);

/// What becomes of one batch.
pub(crate) type Answer = Result<Committed, StoreError>;

/// What takes groups of batches.
pub(crate) trait Engine: Send + 'static {
    /// How many bytes share one flush at most; a single larger batch has one of its own.
    const GROUP_BYTES_MAX: usize;

    /// Commits a group and answers each of its batches, in order. A refused batch leaves nothing. An error fails all of the group and leaves
    /// nothing of any; it also replaces refusals, which may rest on what did not become true.
    fn write(&mut self, batches: Vec<Prepared>) -> Result<Vec<Answer>, StoreError>;
}

struct Job {
    prepared: Prepared,
    reply: SyncSender<Answer>,
}

/// The writer's handle. Dropping it lets the thread finish what waits and ends it.
pub(crate) struct Writer {
    line: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(crate) fn start(engine: impl Engine) -> Result<Writer, StoreError> {
        let (line, jobs) = sync_channel(WAITING_MAX);
        let thread = std::thread::Builder::new().name("store-writer".to_owned());
        let thread = thread.spawn(move || Queue { jobs, held: None, gathered: 1, wrote: Duration::ZERO, engine }.run());
        let thread = thread.map_err(|error| StoreError::Engine(format!("the writer cannot start: {error}")))?;
        Ok(Writer { line: Some(line), thread: Some(thread) })
    }

    /// Waits until the batch is durable or refused.
    pub(crate) fn commit(&self, prepared: Prepared) -> Answer {
        let stopped = || StoreError::Engine("the writer has stopped".to_owned());
        let (reply, answer) = sync_channel(1);
        let line = self.line.as_ref().ok_or_else(stopped)?;
        line.send(Job { prepared, reply }).map_err(|_| stopped())?;
        answer.recv().map_err(|_| stopped())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.line = None;
        if let Some(thread) = self.thread.take() {
            // A writer that panicked has already failed its callers.
            drop(thread.join());
        }
    }
}

struct Queue<E> {
    jobs: Receiver<Job>,
    /// A job that did not fit into the last group.
    held: Option<Job>,
    /// How many batches the last group had.
    gathered: usize,
    /// How long writing it took.
    wrote: Duration,
    engine: E,
}

impl<E: Engine> Queue<E> {
    fn run(mut self) {
        while let Some(jobs) = self.gather() {
            self.gathered = jobs.len();
            let begun = Instant::now();
            commit(&mut self.engine, jobs);
            self.wrote = begun.elapsed();
        }
    }

    /// The next group; `None` when the store has been dropped and nothing waits.
    fn gather(&mut self) -> Option<Vec<Job>> {
        let first = self.held.take().or_else(|| self.jobs.recv().ok())?;
        let mut bytes = first.prepared.bytes;
        let mut group = vec![first];
        let deadline = Instant::now() + self.wrote;
        while group.len() < GROUP_BATCHES_MAX && bytes < E::GROUP_BYTES_MAX {
            let job = match self.jobs.try_recv() {
                Ok(job) => job,
                Err(_) if group.len() >= self.gathered => break,
                Err(_) => {
                    match self.jobs.recv_timeout(deadline.saturating_duration_since(Instant::now()).min(GATHER)) {
                        Ok(job) => job,
                        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
                    }
                }
            };
            if bytes + job.prepared.bytes > E::GROUP_BYTES_MAX {
                self.held = Some(job);
                break;
            }
            bytes += job.prepared.bytes;
            group.push(job);
        }
        Some(group)
    }
}

/// Commits a group and answers its callers.
fn commit(engine: &mut impl Engine, jobs: Vec<Job>) {
    let (batches, replies): (Vec<_>, Vec<_>) = jobs.into_iter().map(|job| (job.prepared, job.reply)).unzip();
    let answers = engine.write(batches).unwrap_or_else(|error| replies.iter().map(|_| Err(error.clone())).collect());
    for (reply, answer) in replies.into_iter().zip(answers) {
        // A caller that has gone away does not need the answer.
        drop(reply.send(answer));
    }
}
