//! The search parameters as they are now, read from the store.

use std::sync::{Arc, PoisonError};

use fhir::definitions::SearchKind;
use fhir::{IssueType, Outcome};
use search::{Added, Addition, Progress, Query, Registry};
use store::{Key, Millis, Precondition, Snapshot};

use super::GENERATION;
use super::catalogue::{Entry, Generation, Job, read_entries, read_jobs};
use crate::session::{Setup, parse_stored};
use crate::{Repository, Session, fault};

/// The registry of one generation.
pub(crate) struct Live {
    pub(crate) registry: Arc<Registry>,
    pub(crate) generation: Generation,
    /// How far each type is that is being indexed.
    progress: Vec<(Job, &'static str, Arc<Progress>)>,
}

impl Live {
    /// What a snapshot holds.
    pub(crate) fn read(setup: &Setup, snapshot: &dyn Snapshot) -> Result<Live, Outcome> {
        let generation = Generation::read(snapshot)?;
        let (entries, jobs) = (read_entries(snapshot)?, read_jobs(snapshot)?);
        let name = |job: &Job| setup.definitions.resource_type(&job.resource_type);
        let progress: Vec<_> = jobs
            .iter()
            .filter_map(|job| Some((job.clone(), name(job)?, Arc::new(Progress::new(job.done, job.total)))))
            .collect();
        let mut additions = Vec::with_capacity(entries.len());
        for entry in &entries {
            let Some(addition) = addition(setup, snapshot, &entries, entry)? else { continue };
            let waits = progress.iter().filter(|(job, ..)| job.waiting.contains(&entry.id));
            let pending = waits.map(|(_, resource_type, progress)| (*resource_type, progress.clone())).collect();
            additions.push(Added { addition: Arc::new(addition), pending });
        }
        Ok(Live { registry: Arc::new(setup.registry.with_additions(additions)), generation, progress })
    }

    /// What a commit of rows made with this registry rests on.
    pub(crate) fn precondition(&self) -> Precondition {
        Precondition::Value { name: GENERATION.to_vec(), value: self.generation.value() }
    }

    /// Tells who waits for a job how far it is.
    pub(super) fn tell(&self, job: &Job) {
        let is_this = |of: &Job| of.resource_type == job.resource_type && of.containers == job.containers;
        if let Some((.., progress)) = self.progress.iter().find(|(of, ..)| is_this(of)) {
            progress.set_done(job.done);
        }
    }
}

/// The definition of an entry; `None` when this program cannot index by it any more, which an earlier one could.
fn addition(
    setup: &Setup,
    snapshot: &dyn Snapshot,
    entries: &[Entry],
    entry: &Entry,
) -> Result<Option<Addition>, Outcome> {
    let key = Key::new("SearchParameter", &entry.id).ok_or_else(|| fault::exception("an id in use is none"))?;
    let version = snapshot.read(&key).map_err(fault::outcome)?;
    let Some(body) = version.and_then(|version| version.body) else { return Ok(None) };
    match Addition::read(setup.definitions, &parse_stored(&key, &body)?, |url| kind_of(entries, url)) {
        Ok(addition) => Ok(addition),
        Err(refused) => {
            tracing::warn!(%key, %refused, "a search parameter is not served");
            Ok(None)
        }
    }
}

/// The kind of a parameter in use.
pub(super) fn kind_of(entries: &[Entry], url: &str) -> Option<SearchKind> {
    entries.iter().find(|entry| entry.url == url).map(|entry| entry.kind)
}

impl Session<'_> {
    /// Refuses a query that was compiled with parameters which have changed since: in this snapshot their rows may be half gone.
    pub(crate) fn check_parameters(&self, query: &Query, snapshot: &dyn Snapshot) -> Result<(), Outcome> {
        if Generation::read(snapshot)? == self.live.generation || !self.live.registry.rests_on_additions(&query.applied)
        {
            return Ok(());
        }
        let text = "the search parameters changed while the search began; send it again";
        Err(Outcome::new(IssueType::Transient, text))
    }
}

impl Repository {
    /// Takes the search parameters from the store where they have changed there.
    pub(crate) fn renew(&self) -> Result<Arc<Live>, Outcome> {
        let _one_at_a_time = self.renewing.lock().unwrap_or_else(PoisonError::into_inner);
        let live = self.live.load_full();
        let snapshot = self.setup.store.snapshot().map_err(fault::outcome)?;
        if Generation::read(&*snapshot)? == live.generation {
            return Ok(live);
        }
        let live = Arc::new(Live::read(&self.setup, &*snapshot)?);
        self.live.store(live.clone());
        Ok(live)
    }

    /// Takes over what other processes changed in the store: search parameters, packages, and what is to be indexed by them.
    pub fn catch_up(&self) -> Result<(), Outcome> {
        let before = self.live.load().generation;
        if self.renew()?.generation != before {
            self.work.wake();
        }
        Ok(())
    }

    /// Which generation of search parameters is served, and when it began; 0 for those that are always there.
    pub fn generation(&self) -> (u64, Millis) {
        let generation = self.live.load().generation;
        (generation.number, generation.changed)
    }
}
