//! The chain grows: what was kept and what writes have left becomes blocks, one after another, on one thread.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use fhir::Outcome;
use store::{Batch as Commit, Frame, Journal, Key, Mark, Millis, Precondition, Snapshot, StoreError, Write};

use super::block::{BLOCKS, Block, HEAD, Head};
use super::keep::unkept;
use super::ledger::{Core, lock};
use super::make::MADE;
use super::record;
use super::ticket::{Batch, Ticket};
use crate::fault;

/// Before the names of accounts that a write left in its commit, until they are chained.
pub(super) const PENDING: &[u8] = b"audit/pending/";

/// The stored value with the mark of the last frame of the journal that is chained; where several processes have the store, the place of each
/// follows.
pub(crate) const JOURNALED: &[u8] = b"audit/journaled";

/// How many accounts of writes one block takes at most.
const PENDING_MAX: usize = 1024;

/// And how many bytes of them, unless it is a single one: with a whole journal a block must stay below the 16 MB that a value may have.
const PENDING_BYTES: usize = 8 << 20;

/// With so many accounts out of the journal a block takes no more frames.
const BLOCK_ACCOUNTS: usize = 4096;

/// How long what is durable waits for more before it is chained: each block costs a flush.
const CHAIN_WAIT: Duration = Duration::from_millis(200);

/// How long it waits when it could not be chained.
const CHAIN_AGAIN: Duration = Duration::from_secs(1);

/// With so many bytes it does not wait.
const WAITING_BYTES: usize = 1 << 20;

/// How often a block is tried while others chain in the same store: more would mean that it is no matter of luck.
const TRIES_MAX: usize = 100;

/// How many records may wait for their AuditEvents before blocks wait for them. 24 bytes of memory each.
const OUTSTANDING_MAX: usize = 1_000_000;

/// How often the head is told in the log.
const HEAD_TOLD: Millis = 3_600_000;

/// What is durable and waits to be chained.
#[derive(Default)]
pub(super) struct Waiting {
    /// Out of the journal, in order.
    frames: VecDeque<Frame>,
    bytes: usize,
    /// Frames were taken from here and are not chained yet.
    in_hand: bool,
    /// Since when something may wait.
    since: Option<Instant>,
    /// Somebody waits for it.
    pub(super) wanted: bool,
    batch: Arc<Batch>,
    /// The last block could not be chained.
    pub(super) fails: bool,
    /// No more frames come.
    pub(super) kept_all: bool,
    /// Nobody chains any more.
    pub(super) ended: bool,
}

impl Drop for Waiting {
    /// Who still waits, waits for a thread that has panicked.
    fn drop(&mut self) {
        self.batch.end(Err(unkept()));
    }
}

impl Waiting {
    /// What an earlier process left: the frames of its journal, and perhaps accounts of writes.
    pub(super) fn left(frames: Vec<Frame>) -> Waiting {
        let mut waiting = Waiting::default();
        waiting.bytes = frames.iter().flat_map(|frame| &frame.records).map(Vec::len).sum();
        (waiting.frames, waiting.since) = (frames.into(), Some(Instant::now()));
        waiting
    }

    /// Takes what the journal holds now.
    pub(super) fn add(&mut self, mark: Mark, records: Vec<Vec<u8>>) {
        self.bytes += records.iter().map(Vec::len).sum::<usize>();
        self.frames.push_back(Frame { mark, records });
        self.since.get_or_insert_with(Instant::now);
    }

    /// Whether the journal holds nothing but what is chained.
    pub(super) fn is_chained(&self) -> bool {
        self.frames.is_empty() && !self.in_hand
    }

    /// How many accounts there are.
    pub(super) fn accounts(&self) -> usize {
        self.frames.iter().map(|frame| frame.records.len()).sum()
    }
}

/// What is to be chained next, and who waits for it.
struct Work {
    frames: VecDeque<Frame>,
    batch: Arc<Batch>,
}

/// Turns down whoever comes when the thread has ended, and then whoever waits for what it did last.
struct End<'a> {
    core: &'a Core,
    batch: Arc<Batch>,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        lock(&self.core.queue).end();
        let mut waiting = lock(&self.core.waiting);
        *waiting = Waiting::default();
        waiting.ended = true;
        drop(waiting);
        self.core.room.notify_all();
        self.batch.end(Err(unkept()));
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
        let values = snapshot.values(PENDING, None, PENDING_MAX).map_err(fault::outcome)?;
        let is_last = values.len() < PENDING_MAX;
        let mut left = Left { names: Vec::new(), accounts: Vec::new(), is_all: is_last };
        let mut bytes = 0;
        for (name, account) in values {
            bytes += account.len();
            if bytes > PENDING_BYTES && !left.names.is_empty() {
                left.is_all = false;
                break;
            }
            left.names.push(name);
            left.accounts.extend(is_whole(&account).then_some(account));
        }
        Ok(left)
    }
}

impl Core {
    /// A ticket for all that is durable so far.
    pub(super) fn flush(&self) -> Ticket {
        let ticket = {
            let mut waiting = lock(&self.waiting);
            if waiting.ended {
                return Ticket::refused(unkept());
            }
            waiting.wanted = true;
            Ticket::of(&waiting.batch)
        };
        self.chain_due.notify_one();
        ticket
    }

    /// Says that a write has left accounts.
    pub(super) fn left(&self) {
        lock(&self.waiting).since.get_or_insert_with(Instant::now);
        self.chain_due.notify_one();
    }

    /// Chains until the ledger is closed and nothing waits.
    pub(super) fn run(&self) {
        let mut ending = End { core: self, batch: Arc::default() };
        while let Some(mut work) = self.due() {
            ending.batch = work.batch.clone();
            let end = self.chain(&mut work.frames);
            let fails = end.is_err();
            {
                let mut waiting = lock(&self.waiting);
                work.frames.append(&mut waiting.frames);
                waiting.frames = std::mem::take(&mut work.frames);
                waiting.bytes = waiting.frames.iter().flat_map(|frame| &frame.records).map(Vec::len).sum();
                (waiting.in_hand, waiting.fails) = (false, fails);
                if !waiting.frames.is_empty() || fails {
                    waiting.since.get_or_insert_with(Instant::now);
                }
            }
            self.room.notify_all();
            work.batch.end(end.map_err(|outcome| {
                tracing::error!(%outcome, "the audit cannot be chained");
                unkept()
            }));
            if fails && self.is_closed() {
                return;
            }
            self.keep_up();
        }
    }

    /// What is to be chained next; `None` at the end.
    fn due(&self) -> Option<Work> {
        let mut waiting = lock(&self.waiting);
        loop {
            let wait = if waiting.fails { CHAIN_AGAIN } else { CHAIN_WAIT };
            let rest = waiting.since.map(|since| wait.saturating_sub(since.elapsed()));
            let closes = self.is_closed() && waiting.kept_all;
            if waiting.wanted
                || closes
                || rest == Some(Duration::ZERO)
                || waiting.bytes >= WAITING_BYTES && !waiting.fails
            {
                break;
            }
            waiting = match rest {
                None => self.chain_due.wait(waiting).unwrap_or_else(PoisonError::into_inner),
                Some(rest) => self.chain_due.wait_timeout(waiting, rest).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
        if waiting.since.is_none() && !waiting.wanted {
            return None;
        }
        (waiting.wanted, waiting.since, waiting.in_hand, waiting.bytes) = (false, None, true, 0);
        Some(Work { frames: std::mem::take(&mut waiting.frames), batch: std::mem::take(&mut waiting.batch) })
    }

    /// Chains these frames, behind what writes have left, and takes away those that are chained.
    fn chain(&self, frames: &mut VecDeque<Frame>) -> Result<(), Outcome> {
        let mut lost = 0;
        while lost < TRIES_MAX {
            let snapshot = self.snapshot()?;
            let (head, kept) = Head::read(&*snapshot)?;
            let left = Left::read(&*snapshot)?;
            drop(snapshot);
            let mut accounts = left.accounts;
            let mut taken = 0;
            while left.is_all && accounts.len() < BLOCK_ACCOUNTS && taken < frames.len() {
                accounts.extend_from_slice(&frames[taken].records);
                taken += 1;
            }
            let block = Block {
                sequence: head.sequence + 1,
                time: self.clock.now(),
                previous: head.hash,
                server: self.server.clone(),
                accounts,
            };
            let mark = taken.checked_sub(1).map(|last| frames[last].mark);
            match self.add(&block, kept, left.names, mark) {
                Ok(()) => {
                    lost = 0;
                    frames.drain(..taken);
                    if left.is_all && frames.is_empty() {
                        return Ok(());
                    }
                }
                Err(StoreError::Conflict(_)) => lost += 1,
                Err(error) => return Err(fault::outcome(error)),
            }
        }
        Err(fault::outcome(StoreError::Conflict(0)))
    }

    /// Commits a block, unless it is empty, behind the head that is kept; what writes have left under these names, and the journal up to this
    /// mark, is done with.
    fn add(
        &self,
        block: &Block,
        kept: Option<Vec<u8>>,
        left: Vec<Vec<u8>>,
        mark: Option<Mark>,
    ) -> Result<(), StoreError> {
        let mut writes: Vec<_> = left.into_iter().map(|name| Write::Release { name }).collect();
        writes.extend(mark.map(|mark| Write::Set { name: self.mark_name(), value: mark.to_bytes().to_vec() }));
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
        let mut todo = lock(&self.todo);
        // Where others chain, too, it may not be the next that is known: it is learned with theirs.
        if todo.last() + 1 == block.sequence {
            todo.add(block.sequence, &patients_of(block));
        }
        drop(todo);
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

    /// The last frame of this process's journal that is chained.
    pub(super) fn journaled(&self, snapshot: &dyn Snapshot) -> Result<Mark, Outcome> {
        let mark = snapshot.value(&self.mark_name()).map_err(fault::outcome)?;
        match mark.as_deref().map(Mark::of) {
            None => Ok(Mark::default()),
            Some(Some(mark)) => Ok(mark),
            Some(None) => Err(fault::exception("the mark of the audit's journal is damaged")),
        }
    }

    fn mark_name(&self) -> Vec<u8> {
        match self.store.place() {
            "" => JOURNALED.to_vec(),
            place => [JOURNALED, b"/", place.as_bytes()].concat(),
        }
    }

    /// Reads which records have no AuditEvent yet, and what of the journal is not chained. Gives the journal.
    pub(super) fn load(&self) -> Result<Journal, Outcome> {
        let snapshot = self.snapshot()?;
        let (journal, frames) = self.store.journal(self.journaled(&*snapshot)?).map_err(fault::outcome)?;
        self.learn(&*snapshot)?;
        *lock(&self.waiting) = Waiting::left(frames);
        Ok(journal)
    }

    /// Learns of the blocks that other processes have chained, and of the events that they have made.
    pub(super) fn learn_of_others(&self) -> Result<(), Outcome> {
        match self.store.place().is_empty() {
            true => Ok(()),
            false => self.learn(&*self.snapshot()?),
        }
    }

    /// Takes over what the store says of blocks and events, behind what is known.
    fn learn(&self, snapshot: &dyn Snapshot) -> Result<(), Outcome> {
        const PAGE: usize = 64;
        let mut todo = lock(&self.todo);
        if let Some(made) = snapshot.value(MADE).map_err(fault::outcome)?.and_then(|made| made.try_into().ok()) {
            todo.made(u64::from_be_bytes(made));
        }
        loop {
            let after = Block::name(todo.last());
            let blocks = snapshot.values(BLOCKS, Some(&after), PAGE).map_err(fault::outcome)?;
            if blocks.is_empty() {
                return Ok(());
            }
            for (name, bytes) in &blocks {
                match Block::decode(bytes) {
                    Some(block) => todo.add(block.sequence, &patients_of(&block)),
                    None => {
                        tracing::error!(name = %name.escape_ascii(), "a block of the audit is damaged");
                        let sequence = name.last_chunk().map(|sequence| u64::from_be_bytes(*sequence));
                        let next = todo.last() + 1;
                        todo.add(sequence.unwrap_or(next), &[]);
                    }
                }
            }
        }
    }
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
