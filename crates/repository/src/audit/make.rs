//! AuditEvents out of records: in the background, or at once for who asks for them.
//!
//! The events of a block are made in order, and how far that is stands in the store with them. Those of one patient may be made before
//! their turn, which then finds them there.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use fhir::Outcome;
use store::{Batch as Commit, Key, Precondition, Put, Snapshot, StoreError, Write};

use super::block::Block;
use super::ledger::{Core, lock};
use super::outstanding::Outstanding;
use super::{Place, Record, event, record};
use crate::parameters::Live;
use crate::{Method, fault};

/// The stored value with the last block whose AuditEvents are all made.
pub(super) const MADE: &[u8] = b"audit/made";

/// How many AuditEvents one commit writes: few enough that other writes hardly wait for it.
const BATCH: usize = 100;

/// How long a few records wait for more, so that events are made many at a time.
const WAIT: Duration = Duration::from_secs(1);

/// While requests come, the maker rests so many times as long as it works: who answers needs the processor.
const RESTS: u32 = 9;

/// With more records outstanding it does not rest. Until then a rush of requests costs memory, and who asks for AuditEvents has them made.
const BACKLOG: usize = 500_000;

/// How long it rests when the store could not do it.
const REST_FAILED: Duration = Duration::from_secs(30);

/// How often a commit is tried while search parameters change.
const TRIES_MAX: usize = 100;

/// How long it waits for another try.
const TRY_AGAIN: Duration = Duration::from_millis(2);

/// How often what other processes brought about is looked for, where there are others.
const LOOK: Duration = Duration::from_secs(1);

/// The job of making the events of all processes.
const JOB: &str = "audit";

impl Core {
    /// Makes what is outstanding until the ledger is closed: in small commits, and slowly while requests come.
    pub(super) fn make_until_closed(&self) {
        let mut rest = WAIT;
        loop {
            let arrivals = self.arrivals.load(Ordering::Relaxed);
            if !self.wait_for_work(rest) {
                return;
            }
            let begun = Instant::now();
            rest = match self.make_in_turn() {
                Err(outcome) => {
                    tracing::error!(%outcome, "the AuditEvents cannot be made");
                    REST_FAILED
                }
                Ok(false) => LOOK,
                Ok(true) => match lock(&self.todo).len() {
                    ..BATCH => WAIT,
                    ..BACKLOG if self.arrivals.load(Ordering::Relaxed) != arrivals => begun.elapsed() * RESTS,
                    _ => Duration::ZERO,
                },
            };
        }
    }

    /// Makes the next few events where that is this process's job; false where it is another's.
    fn make_in_turn(&self) -> Result<bool, Outcome> {
        self.learn_of_others()?;
        match self.leases.holds(JOB)? {
            true => self.make_some().map(|()| true),
            false => Ok(false),
        }
    }

    /// Waits for something to make, and then for `rest`; false when the ledger is closed.
    fn wait_for_work(&self, rest: Duration) -> bool {
        let todo = lock(&self.todo);
        let idle = |todo: &mut Outstanding| todo.len() == 0 && !self.is_closed();
        let todo = match self.store.place().is_empty() {
            true => self.due.wait_while(todo, idle).unwrap_or_else(PoisonError::into_inner),
            // What others leave wakes nobody here.
            false => self.due.wait_timeout_while(todo, LOOK, idle).unwrap_or_else(PoisonError::into_inner).0,
        };
        let rests = |_: &mut Outstanding| !self.is_closed();
        drop(self.due.wait_timeout_while(todo, rest, rests));
        !self.is_closed()
    }

    /// Makes the next few events, in order.
    pub(super) fn make_some(&self) -> Result<(), Outcome> {
        let _one_at_a_time = lock(&self.making);
        let (places, completes) = {
            let todo = lock(&self.todo);
            let places = todo.first(BATCH);
            let completes = todo.completes(&places);
            (places, completes)
        };
        let Some(first) = places.first() else { return Ok(()) };
        let done = completes.then(|| Write::Set { name: MADE.to_vec(), value: first.block.to_be_bytes().to_vec() });
        let patients = self.make(&places, done)?;
        lock(&self.todo).advance(&places, &patients);
        Ok(())
    }

    /// Makes all that is outstanding.
    pub(super) fn make_all(&self) -> Result<(), Outcome> {
        // What comes meanwhile is not waited for.
        let Some((_, last)) = lock(&self.todo).range() else { return Ok(()) };
        while lock(&self.todo).range().is_some_and(|(first, _)| first <= last) {
            self.make_some()?;
        }
        Ok(())
    }

    /// Makes the events of one patient, whenever their turn is.
    pub(super) fn make_of(&self, patient: &Key) -> Result<(), Outcome> {
        loop {
            let _one_at_a_time = lock(&self.making);
            let places = lock(&self.todo).of(patient, BATCH);
            if places.is_empty() {
                return Ok(());
            }
            self.make(&places, None)?;
            lock(&self.todo).settled(patient, &places);
        }
    }

    /// Makes the events of these records, which are in order, but for those that are there; gives the patients by whom each is found.
    fn make(&self, places: &[Place], done: Option<Write>) -> Result<Vec<[Option<Key>; 2]>, Outcome> {
        let mut records = Records::default();
        let (mut wanted, mut patients) = (Vec::with_capacity(places.len()), Vec::with_capacity(places.len()));
        let snapshot = self.snapshot()?;
        for place in places {
            if records.block.sequence != place.block {
                records = Records::read(&*snapshot, place.block)?;
            }
            let Some((record, hash)) = records.get(place.position) else { continue };
            patients.push(record.found_by());
            wanted.push((event::key(*place), event::text(*place, &record, &records.block.server, &hash)));
        }
        drop(snapshot);
        self.put(wanted, done)?;
        Ok(patients)
    }

    /// Writes those events that are not there, with rows of the search parameters of now.
    fn put(&self, mut events: Vec<(Key, String)>, done: Option<Write>) -> Result<(), Outcome> {
        for _ in 0..TRIES_MAX {
            let live = self.live.load_full();
            let snapshot = self.snapshot()?;
            let mut missing = Vec::with_capacity(events.len());
            for (key, text) in events {
                if snapshot.head(&key).map_err(fault::outcome)?.is_none() {
                    missing.push((key, text));
                }
            }
            drop(snapshot);
            events = missing;
            let puts = events.iter().map(|(key, text)| put(&live, key, text));
            let mut writes = puts.collect::<Result<Vec<_>, _>>()?;
            writes.extend(done.clone());
            if writes.is_empty() {
                return Ok(());
            }
            let absent = events.iter().map(|(key, _)| Precondition::Version { key: key.clone(), version: 0 });
            let preconditions = std::iter::once(live.precondition()).chain(absent).collect();
            match self.store.commit(Commit { preconditions, writes }) {
                Ok(_) => return Ok(()),
                // The search parameters are other ones, and will be read, or another process made an event.
                Err(StoreError::Conflict(_)) => std::thread::sleep(TRY_AGAIN),
                Err(error) => return Err(fault::outcome(error)),
            }
        }
        Err(fault::outcome(StoreError::Conflict(0)))
    }
}

fn put(live: &Live, key: &Key, text: &str) -> Result<Write, Outcome> {
    let content = event::content(text, |document| live.registry.rows(document))?;
    let (body, stamp_at) = content.body(key, 1);
    let time_index = Some(live.registry.time_index(key.collection()));
    let (rows, words, mark) = (content.rows.rows, content.rows.words, Method::Post.mark());
    Ok(Write::Put(Put { key: key.clone(), version: 1, body, stamp_at: Some(stamp_at), rows, words, time_index, mark }))
}

/// The records of a block, read one by one.
#[derive(Default)]
pub(super) struct Records {
    pub(super) block: Block,
    /// Where the records of each account begin, and at last where they end.
    starts: Vec<u32>,
    /// The account that was read last, and its records.
    read: Option<(usize, Vec<Record>)>,
}

impl Records {
    /// Of a block that is damaged there are none.
    fn read(snapshot: &dyn Snapshot, sequence: u64) -> Result<Records, Outcome> {
        let block = Block::read(snapshot, sequence)?;
        if block.is_none() {
            tracing::error!(sequence, "a block of the audit is damaged");
        }
        Ok(Records::of(block.unwrap_or(Block { sequence, ..Block::default() })))
    }

    pub(super) fn of(block: Block) -> Records {
        let mut starts = vec![0];
        for account in &block.accounts {
            let last = starts.last().copied().unwrap_or_default();
            starts.push(record::count(account).unwrap_or_default().saturating_add(last));
        }
        Records { block, starts, read: None }
    }

    pub(super) fn len(&self) -> u32 {
        self.starts.last().copied().unwrap_or_default()
    }

    /// A record and its hash; `None` when there is none, or its account is damaged.
    pub(super) fn get(&mut self, position: u32) -> Option<(Record, [u8; 32])> {
        let at = self.starts.partition_point(|start| *start <= position).checked_sub(1)?;
        let account = self.block.accounts.get(at)?;
        if self.read.as_ref().is_none_or(|(read, _)| *read != at) {
            self.read = Some((at, record::decode(account)?));
        }
        let (_, records) = self.read.as_ref()?;
        let record = records.get((position - self.starts[at]) as usize)?.clone();
        Some((record, event::hash(Place { block: self.block.sequence, position }, account)))
    }
}
