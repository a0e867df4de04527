//! Making the rows of resources anew, beside everything else that goes on.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use fhir::Outcome;
use store::{Batch, Cursor, Find, Key, Page, Precondition, Snapshot, StoreError, Version, Write};

use super::catalogue::{Job, read_jobs, text, write_jobs};
use super::{GENERATION, JOBS, Live, ROWS_FORMAT};
use crate::session::parse_stored;
use crate::{Repository, fault};

/// How many resources one commit indexes: few enough that others hardly wait for it.
const BATCH: usize = 200;

/// How many index rows one commit makes anew: a batch ends with the resource that comes to more.
const BATCH_ROWS: usize = 50_000;

/// How long the indexing rests when the store could not do it.
const REST: Duration = Duration::from_secs(30);

/// How often it looks whether another process has left something, where there are others.
const LOOK: Duration = Duration::from_secs(2);

/// The job of indexing for all processes.
const JOB: &str = "index";

/// Wakes what indexes, and those who wait for its end.
#[derive(Default)]
pub(crate) struct Work {
    state: Mutex<State>,
    changed: Condvar,
    stop: AtomicBool,
}

#[derive(Default)]
struct State {
    /// Something may be there to do.
    due: bool,
}

impl Work {
    pub(crate) fn wake(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).due = true;
        self.changed.notify_all();
    }

    /// Waits until something may be there to do, or it is to stop; no longer than `most`, where that is said.
    fn wait(&self, most: Option<Duration>) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let rests = |state: &mut State| !state.due && !self.stops();
        let mut state = match most {
            None => self.changed.wait_while(state, rests).unwrap_or_else(PoisonError::into_inner),
            Some(most) => {
                let waited = self.changed.wait_timeout_while(state, most, rests);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        state.due = false;
    }

    fn stops(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// What one commit makes anew.
#[derive(Default)]
struct Fill {
    writes: Vec<Write>,
    resources: usize,
    rows: usize,
}

impl Fill {
    fn has_room(&self) -> bool {
        self.resources < BATCH && self.rows < BATCH_ROWS
    }

    fn add(&mut self, write: Option<Write>) {
        self.resources += 1;
        if let Some(Write::Reindex { rows, words, .. }) = &write {
            self.rows += rows.len() + words.len();
        }
        self.writes.extend(write);
    }
}

impl Repository {
    /// Indexes what is to be indexed, whenever there is something, until [`Repository::stop_indexing`]: for a thread of its own.
    pub fn index_until_stopped(&self) {
        let mut rest = None;
        loop {
            while !self.work.stops() {
                match self.index_in_turn() {
                    Ok(true) => rest = None,
                    Ok(false) => break,
                    Err(outcome) => {
                        tracing::error!(%outcome, "the indexing rests");
                        rest = Some(REST);
                        break;
                    }
                }
            }
            if self.work.stops() {
                return;
            }
            self.work.wait(rest.take().or_else(|| self.is_shared().then_some(LOOK)));
        }
    }

    /// Indexes one batch where that is this process's job; false when nothing is left, or it is another's.
    fn index_in_turn(&self) -> Result<bool, Outcome> {
        Ok(self.has_job(JOB)? && self.index_batch()?)
    }

    /// Ends [`Repository::index_until_stopped`] after the batch it is at; what is left is done after the next start.
    pub fn stop_indexing(&self) {
        self.work.stop.store(true, Ordering::Relaxed);
        self.work.wake();
    }

    /// Indexes one bounded batch; false when nothing is left.
    pub fn index_batch(&self) -> Result<bool, Outcome> {
        let live = self.renew()?;
        let snapshot = self.setup.store.snapshot().map_err(fault::outcome)?;
        let jobs = read_jobs(&*snapshot)?;
        match jobs.is_empty() {
            true => Ok(false),
            false => self.index(&live, &*snapshot, jobs).map(|()| true),
        }
    }

    /// Goes on with the first jobs, as far as there is room in one commit.
    fn index(&self, live: &Live, snapshot: &dyn Snapshot, jobs: Vec<Job>) -> Result<(), Outcome> {
        let mut batch = Fill::default();
        let mut ended = Vec::new();
        let mut left = VecDeque::from(jobs);
        while let Some(job) = left.front_mut().filter(|_| batch.has_room()) {
            self.index_some(live, snapshot, job, &mut batch)?;
            if job.after.is_some() {
                break;
            }
            ended.extend(left.pop_front());
        }
        let mut writes = batch.writes;
        writes.push(Write::Set { name: JOBS.to_vec(), value: write_jobs(left.make_contiguous()) });
        // Another generation makes all prepare anew what they write: not while one waits who lost several races to others.
        let mut turn = None;
        if !ended.is_empty() {
            // The parameters that waited for these are served from now on.
            let generation = live.generation.next(self.setup.clock.now());
            writes.push(Write::Set { name: GENERATION.to_vec(), value: generation.value().unwrap_or_default() });
            turn = Some(self.turn.lock().unwrap_or_else(PoisonError::into_inner));
        }
        if !self.commit_index(live, writes)? {
            return Ok(());
        }
        drop(turn);
        if ended.is_empty() {
            left.front().into_iter().for_each(|job| live.tell(job));
        } else {
            self.renew()?;
        }
        for Job { resource_type, done, .. } in ended.iter().filter(|job| job.done > 0) {
            tracing::info!(resource_type, resources = done, "all resources are indexed");
        }
        Ok(())
    }

    /// Adds the next resources of a job to a batch, and notes how far it is then.
    fn index_some(&self, live: &Live, snapshot: &dyn Snapshot, job: &mut Job, batch: &mut Fill) -> Result<(), Outcome> {
        let (mut versions, mut next) = page(live, snapshot, job, BATCH - batch.resources)?;
        for at in 0..versions.len() {
            batch.add(self.reindexed(live, &versions[at]));
            if !batch.has_room() && at + 1 < versions.len() {
                (versions, next) = page(live, snapshot, job, at + 1)?;
                break;
            }
        }
        job.done += versions.len() as u64;
        job.after = next;
        Ok(())
    }

    /// The rows of a version; none when it cannot have any, which leaves what it has.
    fn reindexed(&self, live: &Live, version: &Version) -> Option<Write> {
        let key: &Key = &version.key;
        let rows = parse_stored(key, version.body.as_ref()?).and_then(|document| live.registry.rows(&document));
        match rows {
            Ok(rows) => {
                let time_index = Some(live.registry.time_index(key.collection()));
                let (rows, words) = (rows.rows, rows.words);
                Some(Write::Reindex { key: key.clone(), version: version.version, rows, words, time_index })
            }
            Err(refused) => {
                tracing::error!(%key, %refused, "a resource is not indexed");
                None
            }
        }
    }

    /// Commits a batch. A resource that has a newer version got its rows with that: it is left out. False when the search parameters
    /// have changed meanwhile.
    fn commit_index(&self, live: &Live, mut writes: Vec<Write>) -> Result<bool, Outcome> {
        loop {
            let preconditions: Vec<Precondition> = vec![live.precondition()];
            match self.setup.store.commit(Batch { preconditions, writes: writes.clone() }) {
                Ok(_) => return Ok(true),
                Err(StoreError::Conflict(0)) => return Ok(false),
                Err(StoreError::Conflict(at)) if at - 1 < writes.len() => drop(writes.remove(at - 1)),
                Err(error) => return Err(fault::outcome(error)),
            }
        }
    }

    /// Indexes all that is left. `tell` is told after each batch how many of how many resources are done.
    pub fn index_all(&self, mut tell: impl FnMut(u64, u64)) -> Result<(), Outcome> {
        let total = self.left()?;
        while self.index_batch()? {
            tell(total.saturating_sub(self.left()?), total);
        }
        Ok(())
    }

    /// Indexes everything anew when the rows in the store have another form than this program gives them: before anything is served.
    /// `tell` as for [`Repository::index_all`].
    pub fn index_outdated(&self, tell: impl FnMut(u64, u64)) -> Result<(), Outcome> {
        let format = search::ROWS_FORMAT.to_string();
        let statistics = self.setup.store.statistics().map_err(fault::outcome)?;
        let snapshot = self.setup.store.snapshot().map_err(fault::outcome)?;
        let stored = text(&*snapshot, ROWS_FORMAT)?.unwrap_or_default();
        if stored == format {
            return Ok(());
        }
        let set = |value: &str| Write::Set { name: ROWS_FORMAT.to_vec(), value: value.as_bytes().to_vec() };
        let types = statistics.documents.iter().filter(|(_, count)| *count > 0);
        let begun = format!("0 to {format}");
        if stored != begun {
            let mut jobs = read_jobs(&*snapshot)?;
            // The rows of all go with the form: also of what was indexed already, and where another engine's cursor stands.
            for job in &mut jobs {
                (job.done, job.after) = (0, None);
            }
            for (name, count) in types {
                let at = jobs.iter().position(|job| job.resource_type == *name && !job.containers);
                let waiting = at.map(|at| jobs.remove(at).waiting).unwrap_or_default();
                let (resource_type, containers) = (name.clone(), false);
                jobs.push(Job { resource_type, containers, done: 0, total: *count, after: None, waiting });
            }
            let jobs = Write::Set { name: JOBS.to_vec(), value: write_jobs(&jobs) };
            let batch = Batch { preconditions: Vec::new(), writes: vec![jobs, set(&begun)] };
            self.setup.store.commit(batch).map_err(fault::outcome)?;
        }
        drop(snapshot);
        self.index_all(tell)?;
        let batch = Batch { preconditions: Vec::new(), writes: vec![set(&format)] };
        self.setup.store.commit(batch).map_err(fault::outcome)?;
        Ok(())
    }

    /// How many resources are still to be indexed.
    fn left(&self) -> Result<u64, Outcome> {
        let snapshot = self.setup.store.snapshot().map_err(fault::outcome)?;
        Ok(read_jobs(&*snapshot)?.iter().map(|job| job.total.saturating_sub(job.done)).sum())
    }
}

/// The next resources of a job.
fn page(
    live: &Live,
    snapshot: &dyn Snapshot,
    job: &Job,
    limit: usize,
) -> Result<(Vec<Version>, Option<Cursor>), Outcome> {
    if !job.containers {
        let page = snapshot.documents(&job.resource_type, job.after.as_ref(), limit).map_err(fault::outcome)?;
        return Ok((page.versions, page.next));
    }
    let filter = live.registry.containers(&job.resource_type);
    let page = job.after.clone().map_or(Page::First, Page::After);
    let found = snapshot.find(&Find { page, bodies: true, ..Find::new(filter, limit) }).map_err(fault::outcome)?;
    Ok((found.hits.into_iter().filter_map(|hit| hit.version).collect(), found.next))
}
