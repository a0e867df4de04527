//! The ledger: takes accounts, chains them in blocks, and has AuditEvents made of them.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use fhir::Outcome;
use store::{Clock, Key, Millis, Snapshot, Store, Write};

use super::Account;
use super::block::Head;
use super::chain::{PENDING, Waiting};
use super::keep::{Queue, unkept};
use super::outstanding::Outstanding;
use super::pace::{self, Pace};
use super::ticket::Ticket;
use crate::lease::Leases;
use crate::parameters::Live;
use crate::session::Setup;
use crate::{Requester, fault};

/// Keeps account of who saw and did what.
pub struct Ledger {
    core: Arc<Core>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Whether they run, for a quick look.
    started: AtomicBool,
    strangers: Pace,
}

/// What the threads share.
pub(super) struct Core {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) ids: Arc<dyn Fn() -> String + Send + Sync>,
    pub(super) live: Arc<ArcSwap<Live>>,
    pub(super) leases: Arc<Leases>,
    /// The base URL.
    pub(super) server: String,
    pub(super) queue: Mutex<Queue>,
    /// Something stands in the queue.
    pub(super) arrived: Condvar,
    pub(super) waiting: Mutex<Waiting>,
    /// Something is durable and not chained.
    pub(super) chain_due: Condvar,
    /// All that the journal holds is chained, or cannot be.
    pub(super) room: Condvar,
    pub(super) todo: Mutex<Outstanding>,
    /// There is more to make, or it is to stop.
    pub(super) due: Condvar,
    /// Held by who makes AuditEvents.
    pub(super) making: Mutex<()>,
    pub(super) closed: AtomicBool,
    /// How many accounts have come: how busy the server is.
    pub(super) arrivals: AtomicU64,
    pub(super) protects_all: AtomicBool,
    /// When the head was last told in the log.
    pub(super) head_told: AtomicI64,
}

impl Ledger {
    pub(crate) fn new(setup: &Setup, live: Arc<ArcSwap<Live>>, leases: Arc<Leases>) -> Ledger {
        let core = Core {
            store: setup.store.clone(),
            clock: setup.clock.clone(),
            ids: setup.ids.clone(),
            live,
            leases,
            server: setup.base_url.clone(),
            queue: Mutex::default(),
            arrived: Condvar::new(),
            waiting: Mutex::default(),
            chain_due: Condvar::new(),
            room: Condvar::new(),
            todo: Mutex::default(),
            due: Condvar::new(),
            making: Mutex::default(),
            closed: AtomicBool::new(false),
            arrivals: AtomicU64::new(0),
            protects_all: AtomicBool::new(false),
            head_told: AtomicI64::new(Millis::MIN),
        };
        Ledger {
            core: Arc::new(core),
            threads: Mutex::default(),
            started: AtomicBool::new(false),
            strangers: Pace::default(),
        }
    }

    /// Begins to chain and to make what an earlier process left; otherwise that begins with the first account.
    pub fn start(&self) -> Result<(), Outcome> {
        if self.started.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut running = lock(&self.threads);
        if running.is_empty() {
            self.start_chain(&mut running)?;
            let core = self.core.clone();
            running.push(spawn("audit-maker", move || core.make_until_closed())?);
        }
        self.started.store(true, Ordering::Release);
        Ok(())
    }

    fn start_chain(&self, running: &mut Vec<JoinHandle<()>>) -> Result<(), Outcome> {
        let journal = self.core.load()?;
        let core = self.core.clone();
        running.push(spawn("audit-journal", move || core.keep(journal))?);
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
    /// A ticket that cannot be kept ends with [`fhir::IssueType::Transient`]: then nothing may be disclosed.
    pub fn append(&self, accounts: &[Account<'_>]) -> Ticket {
        if let Err(outcome) = self.start() {
            tracing::error!(%outcome, "the audit cannot be kept");
            return Ticket::refused(unkept());
        }
        let time = self.core.clock.now();
        let mut encoded: Vec<_> = accounts.iter().map(|account| account.encode(time)).collect();
        if let Some(count) = self.strangers.missed(time) {
            let note = format!("{count} more requests were refused within a minute, of which nothing else is kept");
            encoded.push(pace::telling(&note, &Requester::default()).encode(time));
        }
        self.core.enqueue(encoded)
    }

    /// Takes an account of a refusal that anybody can bring about, as far as there is room for those of whom it names; after a minute in which
    /// there was none, another account tells how many are missing. Nobody waits for it.
    pub fn append_stranger(&self, account: &Account<'_>) {
        if self.strangers.admits(account, self.core.clock.now()) {
            drop(self.append(std::slice::from_ref(account)));
        }
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
        self.core.left();
    }

    /// Chains all that writes have left. Done when it returns.
    pub fn flush(&self) -> Result<(), Outcome> {
        self.start()?;
        self.core.flush().wait()
    }

    /// Makes the AuditEvents that are still to be made: those that `AuditEvent?patient=` finds for this patient, or all. What is searched or
    /// read after it is complete as of its call.
    pub fn settle(&self, patient: Option<&Key>) -> Result<(), Outcome> {
        self.flush()?;
        self.core.learn_of_others()?;
        match patient {
            Some(patient) => self.core.make_of(patient),
            None => self.core.make_all(),
        }
    }

    /// How many accounts are durable in the journal and not chained yet.
    pub(super) fn journaled(&self) -> Result<usize, Outcome> {
        if self.started.load(Ordering::Acquire) {
            return Ok(lock(&self.core.waiting).accounts());
        }
        let done = self.core.journaled(&*self.core.snapshot()?)?;
        let (_, frames) = self.core.store.journal(done).map_err(fault::outcome)?;
        Ok(frames.iter().map(|frame| frame.records.len()).sum())
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
        drop((lock(&self.core.queue), lock(&self.core.waiting), lock(&self.core.todo)));
        self.core.arrived.notify_all();
        self.core.chain_due.notify_all();
        self.core.due.notify_all();
        for thread in lock(&self.threads).drain(..) {
            // A thread that panicked is in the log.
            drop(thread.join());
        }
    }
}

impl Core {
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
