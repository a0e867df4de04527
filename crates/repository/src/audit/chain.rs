//! The chain grows: what waits becomes a block, one after another, on one thread.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use fhir::{IssueType, Outcome};
use store::{Batch as Commit, Key, Millis, Precondition, Snapshot, StoreError, Write};

use super::block::{BLOCKS, Block, HEAD, Head};
use super::ledger::{Core, lock};
use super::make::MADE;
use super::outstanding::Outstanding;
use super::record;
use super::ticket::{Batch, Ticket};
use crate::fault;

/// Before the names of accounts that a write left in its commit, until they are chained.
pub(super) const PENDING: &[u8] = b"audit/pending/";

/// How many bytes of accounts wait for the next block; who comes then is refused.
const WAITING_MAX: usize = 16 << 20;

/// How many accounts of writes one block takes at most.
const PENDING_MAX: usize = 1024;

/// How long the accounts of writes wait for more of them: each block costs a flush.
const PENDING_WAIT: Duration = Duration::from_millis(200);

/// How long a block that is smaller than the last one waits for its next account: readers who were answered together come back one after
/// another. It waits no longer than the last block took.
const GATHER: Duration = Duration::from_micros(300);

/// How often a block is tried while somebody else chains in the same store.
const TRIES_MAX: usize = 8;

/// How many records may wait for their AuditEvents before blocks wait for them. 24 bytes of memory each.
const OUTSTANDING_MAX: usize = 1_000_000;

/// How often the head is told in the log.
const HEAD_TOLD: Millis = 3_600_000;

/// What waits to be chained.
#[derive(Default)]
pub(super) struct Queue {
    batch: Arc<Batch>,
    accounts: Vec<Vec<u8>>,
    bytes: usize,
    /// Since when writes may have left accounts.
    pub(super) pending: Option<Instant>,
    /// Somebody waits although there may be nothing to chain.
    flush: bool,
    /// Nobody chains any more.
    ended: bool,
}

impl Drop for Queue {
    /// Who still waits, waits for a thread that has panicked.
    fn drop(&mut self) {
        self.batch.end(Err(unkept()));
    }
}

/// Turns down whoever comes when the thread has ended.
struct End<'a>(&'a Core);

impl Drop for End<'_> {
    fn drop(&mut self) {
        let mut queue = lock(&self.0.queue);
        *queue = Queue::default();
        queue.ended = true;
    }
}

/// What writes have left to be chained.
struct Left {
    names: Vec<Vec<u8>>,
    accounts: Vec<Vec<u8>>,
    /// Whether there is no more than fits into a block.
    is_all: bool,
}

impl Left {
    fn read(snapshot: &dyn Snapshot) -> Result<Left, Outcome> {
        let (names, mut accounts): (Vec<_>, Vec<_>) =
            snapshot.values(PENDING, None, PENDING_MAX).map_err(fault::outcome)?.into_iter().unzip();
        accounts.retain(|account| is_whole(account));
        Ok(Left { is_all: names.len() < PENDING_MAX, names, accounts })
    }
}

/// How large the last block was, and how long it took.
#[derive(Default)]
struct Pace {
    accounts: usize,
    took: Duration,
}

impl Core {
    pub(super) fn enqueue(&self, accounts: Vec<Vec<u8>>) -> Ticket {
        self.arrivals.fetch_add(accounts.len() as u64, Ordering::Relaxed);
        let ticket = {
            let mut queue = lock(&self.queue);
            if queue.bytes >= WAITING_MAX || queue.ended {
                return Ticket::refused(unkept());
            }
            queue.bytes += accounts.iter().map(Vec::len).sum::<usize>();
            queue.accounts.extend(accounts);
            Ticket::of(&queue.batch)
        };
        self.arrived.notify_one();
        ticket
    }

    /// A ticket for all that writes have left so far.
    pub(super) fn flush(&self) -> Ticket {
        let ticket = {
            let mut queue = lock(&self.queue);
            if queue.ended {
                return Ticket::refused(unkept());
            }
            queue.flush = true;
            Ticket::of(&queue.batch)
        };
        self.arrived.notify_one();
        ticket
    }

    /// Chains until the ledger is closed and nothing waits.
    pub(super) fn run(&self) {
        let _end = End(self);
        let mut pace = Pace::default();
        while let Some(work) = self.gather(&pace) {
            let begun = Instant::now();
            let end = self.chain(&work.accounts);
            pace = Pace { accounts: work.accounts.len(), took: begun.elapsed() };
            match end {
                Ok(()) => work.batch.end(Ok(())),
                Err(outcome) => {
                    tracing::error!(%outcome, "the audit cannot be kept");
                    work.batch.end(Err(unkept()));
                }
            }
            self.keep_up();
        }
    }

    /// What is to be chained next; `None` at the end.
    fn gather(&self, pace: &Pace) -> Option<Queue> {
        let mut queue = lock(&self.queue);
        while !self.is_ready(&queue) {
            let wait = queue.pending.map_or(Duration::MAX, |since| PENDING_WAIT.saturating_sub(since.elapsed()));
            queue = match wait {
                Duration::MAX => self.arrived.wait(queue).unwrap_or_else(PoisonError::into_inner),
                wait => self.arrived.wait_timeout(queue, wait).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
        let until = Instant::now() + pace.took.min(GATHER);
        while queue.accounts.len() < pace.accounts && !queue.flush && !self.is_closed() {
            let wait = until.saturating_duration_since(Instant::now());
            if wait.is_zero() {
                break;
            }
            queue = self.arrived.wait_timeout(queue, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
        let work = std::mem::take(&mut *queue);
        let ends = self.is_closed() && work.accounts.is_empty() && work.pending.is_none() && !work.flush;
        (!ends).then_some(work)
    }

    fn is_ready(&self, queue: &Queue) -> bool {
        let pending = queue.pending.is_some_and(|since| since.elapsed() >= PENDING_WAIT);
        !queue.accounts.is_empty() || queue.flush || pending || self.is_closed()
    }

    /// Chains these accounts, behind those that writes have left.
    fn chain(&self, accounts: &[Vec<u8>]) -> Result<(), Outcome> {
        let mut lost = 0;
        while lost < TRIES_MAX {
            let snapshot = self.snapshot()?;
            let (head, kept) = Head::read(&*snapshot)?;
            let left = Left::read(&*snapshot)?;
            drop(snapshot);
            let waiting = if left.is_all { accounts } else { &[] };
            let block = Block {
                sequence: head.sequence + 1,
                time: self.clock.now(),
                previous: head.hash,
                server: self.server.clone(),
                accounts: left.accounts.into_iter().chain(waiting.iter().cloned()).collect(),
            };
            match self.add(&block, kept, left.names) {
                Ok(()) if left.is_all => return Ok(()),
                Ok(()) => lost = 0,
                Err(StoreError::Conflict(_)) => lost += 1,
                Err(error) => return Err(fault::outcome(error)),
            }
        }
        Err(fault::outcome(StoreError::Conflict(0)))
    }

    /// Commits a block, unless it is empty, behind the head that is kept; what writes have left under these names is done with.
    fn add(&self, block: &Block, kept: Option<Vec<u8>>, left: Vec<Vec<u8>>) -> Result<(), StoreError> {
        let mut writes: Vec<_> = left.into_iter().map(|name| Write::Release { name }).collect();
        let bytes = block.encode();
        let head = Head { sequence: block.sequence, hash: Block::hash(&bytes) };
        if !block.accounts.is_empty() {
            writes.push(Write::Set { name: Block::name(block.sequence), value: bytes });
            writes.push(Write::Set { name: HEAD.to_vec(), value: head.value() });
        }
        if writes.is_empty() {
            return Ok(());
        }
        let preconditions = vec![Precondition::Value { name: HEAD.to_vec(), value: kept }];
        self.store.commit(Commit { preconditions, writes })?;
        if !block.accounts.is_empty() {
            self.note(block, head);
        }
        Ok(())
    }

    /// Has the AuditEvents of a new block made, and tells the head now and then.
    fn note(&self, block: &Block, head: Head) {
        lock(&self.todo).add(block.sequence, &patients_of(block));
        self.due.notify_all();
        let told = self.head_told.load(Ordering::Relaxed);
        if block.time.saturating_sub(told) >= HEAD_TOLD {
            self.head_told.store(block.time, Ordering::Relaxed);
            tracing::info!(%head, "the head of the audit");
        }
    }

    /// Makes AuditEvents where too many are outstanding.
    fn keep_up(&self) {
        while lock(&self.todo).len() > OUTSTANDING_MAX && !self.is_closed() {
            if let Err(outcome) = self.make_some() {
                return tracing::error!(%outcome, "the AuditEvents cannot be made");
            }
        }
    }

    /// Reads which records have no AuditEvent yet.
    pub(super) fn load(&self) -> Result<(), Outcome> {
        let snapshot = self.snapshot()?;
        let made = snapshot.value(MADE).map_err(fault::outcome)?;
        let mut after = made.map_or(BLOCKS.to_vec(), |made| [BLOCKS, &made].concat());
        let mut todo = Outstanding::default();
        loop {
            const PAGE: usize = 64;
            let blocks = snapshot.values(BLOCKS, Some(&after), PAGE).map_err(fault::outcome)?;
            let Some((last, _)) = blocks.last() else { break };
            after.clone_from(last);
            for (name, bytes) in &blocks {
                match Block::decode(bytes) {
                    Some(block) => todo.add(block.sequence, &patients_of(&block)),
                    None => tracing::error!(name = %name.escape_ascii(), "a block of the audit is damaged"),
                }
            }
        }
        *lock(&self.todo) = todo;
        Ok(())
    }
}

/// What a caller is told whose account is not on disk.
pub(super) fn unkept() -> Outcome {
    Outcome::new(IssueType::Transient, "the server cannot keep its audit now, and discloses nothing without it")
}

/// The patients by whom each record of a block is found.
fn patients_of(block: &Block) -> Vec<[Option<Key>; 2]> {
    block.accounts.iter().flat_map(|account| record::patients(account).unwrap_or_default()).collect()
}

/// Whether this is an account; anything else was put there by somebody else.
fn is_whole(account: &[u8]) -> bool {
    let whole = record::decode(account).is_some();
    if !whole {
        tracing::error!("the account of a write is damaged");
    }
    whole
}
