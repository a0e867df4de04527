//! The ledger: takes accounts, chains them in blocks, and has AuditEvents made of them.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use fhir::{IssueType, Outcome};
use store::{Batch as Commit, Clock, Key, Millis, Precondition, Snapshot, Store, StoreError, Write};

use super::block::{BLOCKS, Block, HEAD, Head};
use super::make::MADE;
use super::outstanding::Outstanding;
use super::ticket::{Batch, Ticket};
use super::{Account, record};
use crate::fault;
use crate::parameters::Live;
use crate::session::Setup;

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

/// How often a block is tried when another process of this program chains beside it.
const TRIES_MAX: usize = 8;

/// How many records may wait for their AuditEvents before blocks wait for them. 24 bytes of memory each.
const OUTSTANDING_MAX: usize = 1_000_000;

/// How often the head is told in the log.
const HEAD_TOLD: Millis = 3_600_000;

/// Keeps account of who saw and did what.
pub struct Ledger {
    core: Arc<Core>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// What the threads share.
pub(super) struct Core {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    ids: Arc<dyn Fn() -> String + Send + Sync>,
    pub(super) live: Arc<ArcSwap<Live>>,
    /// The base URL.
    server: String,
    queue: Mutex<Queue>,
    /// Something stands in the queue.
    arrived: Condvar,
    pub(super) todo: Mutex<Outstanding>,
    /// There is more to make, or it is to stop.
    pub(super) due: Condvar,
    /// Held by who makes AuditEvents.
    pub(super) making: Mutex<()>,
    pub(super) closed: AtomicBool,
    /// How many accounts have come: how busy the server is.
    pub(super) arrivals: AtomicU64,
    pub(super) protects_all: AtomicBool,
    head_told: AtomicI64,
}

/// What waits to be chained.
#[derive(Default)]
struct Queue {
    batch: Arc<Batch>,
    accounts: Vec<Vec<u8>>,
    bytes: usize,
    /// Since when writes may have left accounts.
    pending: Option<Instant>,
    /// Somebody waits although there may be nothing to chain.
    flush: bool,
}

/// How large the last block was, and how long it took.
#[derive(Default)]
struct Pace {
    accounts: usize,
    took: Duration,
}

impl Ledger {
    pub(crate) fn new(setup: &Setup, live: Arc<ArcSwap<Live>>) -> Ledger {
        let core = Core {
            store: setup.store.clone(),
            clock: setup.clock.clone(),
            ids: setup.ids.clone(),
            live,
            server: setup.base_url.clone(),
            queue: Mutex::default(),
            arrived: Condvar::new(),
            todo: Mutex::default(),
            due: Condvar::new(),
            making: Mutex::default(),
            closed: AtomicBool::new(false),
            arrivals: AtomicU64::new(0),
            protects_all: AtomicBool::new(false),
            head_told: AtomicI64::new(Millis::MIN),
        };
        Ledger { core: Arc::new(core), threads: Mutex::default() }
    }

    /// Begins to chain and to make what an earlier process left; otherwise that begins with the first account.
    pub fn start(&self) -> Result<(), Outcome> {
        let mut running = lock(&self.threads);
        if running.is_empty() {
            self.start_chain(&mut running)?;
            let core = self.core.clone();
            running.push(spawn("audit-maker", move || core.make_until_closed())?);
        }
        Ok(())
    }

    fn start_chain(&self, running: &mut Vec<JoinHandle<()>>) -> Result<(), Outcome> {
        self.core.load()?;
        lock(&self.core.queue).pending = Some(Instant::now());
        let core = self.core.clone();
        running.push(spawn("audit-chain", move || core.run())?);
        Ok(())
    }

    /// Begins without a thread that makes AuditEvents: they are made when they are asked for.
    #[cfg(test)]
    pub(super) fn start_without_maker(&self) {
        self.start_chain(&mut lock(&self.threads)).expect("started");
    }

    /// Takes accounts of what is about to be disclosed, or of what was refused: all of them are durable when the ticket ends well.
    ///
    /// A ticket that cannot be kept ends with [`IssueType::Transient`]: then nothing may be disclosed.
    pub fn append(&self, accounts: &[Account<'_>]) -> Ticket {
        if let Err(outcome) = self.start() {
            return Ticket::refused(outcome);
        }
        let time = self.core.clock.now();
        let encoded: Vec<_> = accounts.iter().map(|account| account.encode(time)).collect();
        self.core.enqueue(encoded)
    }

    /// The accounts of a write, for the commit that writes it. After that commit [`Ledger::wake`] has them chained; a process that ends
    /// before leaves that to the next.
    pub fn writes(&self, accounts: &[Account<'_>]) -> Vec<Write> {
        let time = self.core.clock.now();
        let write = |account: &Account<'_>| {
            let id = (self.core.ids)();
            let name = [PENDING, &time.to_be_bytes(), id.as_bytes()].concat();
            Write::Set { name, value: account.encode(time) }
        };
        accounts.iter().map(write).collect()
    }

    /// Says that a commit with [`Ledger::writes`] is done.
    pub fn wake(&self) {
        if let Err(outcome) = self.start() {
            return tracing::error!(%outcome, "accounts of writes wait to be chained");
        }
        self.core.arrivals.fetch_add(1, Ordering::Relaxed);
        lock(&self.core.queue).pending.get_or_insert_with(Instant::now);
        self.core.arrived.notify_one();
    }

    /// Chains all that writes have left. Done when it returns.
    pub fn flush(&self) -> Result<(), Outcome> {
        self.start()?;
        let ticket = {
            let mut queue = lock(&self.core.queue);
            queue.flush = true;
            Ticket::of(&queue.batch)
        };
        self.core.arrived.notify_one();
        ticket.wait()
    }

    /// Makes the AuditEvents that are still to be made: those that `AuditEvent?patient=` finds for this patient, or all. What is searched or
    /// read after it is complete as of its call.
    pub fn settle(&self, patient: Option<&Key>) -> Result<(), Outcome> {
        self.flush()?;
        match patient {
            Some(patient) => self.core.make_of(patient),
            None => self.core.make_all(),
        }
    }

    /// The newest block.
    pub fn head(&self) -> Result<Head, Outcome> {
        Ok(Head::read(&*self.core.snapshot()?)?.0)
    }

    /// From now on no AuditEvent, of whichever origin, is updated or deleted by callers: where they are authenticated.
    pub fn protect_all(&self) {
        self.core.protects_all.store(true, Ordering::Relaxed);
    }

    pub(super) fn protects_all(&self) -> bool {
        self.core.protects_all.load(Ordering::Relaxed)
    }

    /// How many records have no AuditEvent yet, about.
    pub fn outstanding(&self) -> usize {
        lock(&self.core.todo).len()
    }
}

impl Drop for Ledger {
    /// Chains what waits. AuditEvents that are not made are left to the next start.
    fn drop(&mut self) {
        self.core.closed.store(true, Ordering::Relaxed);
        // Between a look at the flag and the wait behind it there is a lock.
        drop((lock(&self.core.queue), lock(&self.core.todo)));
        self.core.arrived.notify_all();
        self.core.due.notify_all();
        for thread in lock(&self.threads).drain(..) {
            // A thread that panicked is in the log.
            drop(thread.join());
        }
    }
}

impl Core {
    fn enqueue(&self, accounts: Vec<Vec<u8>>) -> Ticket {
        self.arrivals.fetch_add(accounts.len() as u64, Ordering::Relaxed);
        let ticket = {
            let mut queue = lock(&self.queue);
            if queue.bytes >= WAITING_MAX {
                let text = "too many requests wait for their audit; send the request again later";
                return Ticket::refused(Outcome::new(IssueType::Transient, text));
            }
            queue.bytes += accounts.iter().map(Vec::len).sum::<usize>();
            queue.accounts.extend(accounts);
            Ticket::of(&queue.batch)
        };
        self.arrived.notify_one();
        ticket
    }

    /// Chains until the ledger is closed and nothing waits.
    fn run(&self) {
        let mut pace = Pace::default();
        while let Some(work) = self.gather(&pace) {
            let begun = Instant::now();
            pace.accounts = work.accounts.len();
            let end = self.chain(work.accounts);
            pace.took = begun.elapsed();
            if let Err(outcome) = &end {
                tracing::error!(%outcome, "the audit cannot be kept");
            }
            work.batch.end(end.map_err(|_| unkept()));
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
    fn chain(&self, accounts: Vec<Vec<u8>>) -> Result<(), Outcome> {
        let mut accounts = Some(accounts);
        loop {
            let left = self.chain_block(&mut accounts)?;
            if !left {
                return Ok(());
            }
        }
    }

    /// Chains one block: true when writes have left more than fits into it. Takes the accounts when they are in it.
    fn chain_block(&self, accounts: &mut Option<Vec<Vec<u8>>>) -> Result<bool, Outcome> {
        for _ in 0..TRIES_MAX {
            let snapshot = self.snapshot()?;
            let (head, kept) = Head::read(&*snapshot)?;
            let pending = snapshot.values(PENDING, None, PENDING_MAX).map_err(fault::outcome)?;
            drop(snapshot);
            let more = pending.len() == PENDING_MAX;
            let mut writes: Vec<_> = pending.iter().map(|(name, _)| Write::Release { name: name.clone() }).collect();
            let whole = pending.into_iter().map(|(_, account)| account).filter(|account| is_whole(account));
            let waiting = if more { &[][..] } else { accounts.as_deref().unwrap_or_default() };
            let block = Block {
                sequence: head.sequence + 1,
                time: self.clock.now(),
                previous: head.hash,
                server: self.server.clone(),
                accounts: whole.chain(waiting.iter().cloned()).collect(),
            };
            if block.accounts.is_empty() && writes.is_empty() {
                return Ok(false);
            }
            let mut next = head;
            if !block.accounts.is_empty() {
                let bytes = block.encode();
                next = Head { sequence: block.sequence, hash: Block::hash(&bytes) };
                writes.push(Write::Set { name: Block::name(block.sequence), value: bytes });
                writes.push(Write::Set { name: HEAD.to_vec(), value: next.value() });
            }
            let preconditions = vec![Precondition::Value { name: HEAD.to_vec(), value: kept }];
            match self.store.commit(Commit { preconditions, writes }) {
                Ok(_) => {
                    if !more {
                        *accounts = None;
                    }
                    self.note(&block, next);
                    return Ok(more);
                }
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(fault::outcome(error)),
            }
        }
        Err(fault::outcome(StoreError::Conflict(0)))
    }

    /// Has the AuditEvents of a new block made, and tells the head now and then.
    fn note(&self, block: &Block, head: Head) {
        if head.sequence != block.sequence {
            return;
        }
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
    fn load(&self) -> Result<(), Outcome> {
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

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    pub(super) fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, Outcome> {
        self.store.snapshot().map_err(fault::outcome)
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Outcome> {
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run);
    thread.map_err(|error| fault::exception(&format!("the thread `{name}` cannot start: {error}")))
}

/// What a caller is told whose account is not on disk.
fn unkept() -> Outcome {
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
