//! What consents hide from one requester, and the filters that say so, each made once.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use fhir::{Instant, Outcome};
use search::Registry;
use store::Filter;

use super::Act;
use crate::consent::{Elevation, Policies, Restrictions};

/// What consents hide from a requester for whom these emergencies are declared. The same for many requests: what is made for one is there
/// for the next.
pub(crate) struct Consented {
    restrictions: Restrictions,
    elevations: Vec<Elevation>,
    /// [`store::Snapshot::commits`] of a snapshot that has these emergencies.
    checked: AtomicU64,
    registry: Arc<Registry>,
    filters: RwLock<HashMap<Asked<'static>, Option<Arc<Filter>>>>,
    told: RwLock<Told>,
}

/// Of which names it was found whether the requester may know of what they name, and the number of commits of what that was found in.
type Told = HashMap<Box<str>, (u64, bool)>;

/// Of how many names that is kept.
const NAMES_MAX: usize = 10_000;

/// What a filter is about: doing this with resources of a type, or no more than what consents say of them.
type Asked<'a> = (Option<Act>, &'a str);

impl Consented {
    pub(super) fn new(
        restrictions: Restrictions,
        elevations: Vec<Elevation>,
        commits: u64,
        registry: Arc<Registry>,
    ) -> Consented {
        let checked = AtomicU64::new(commits);
        Consented { restrictions, elevations, checked, registry, filters: RwLock::default(), told: RwLock::default() }
    }

    /// Whether it is what these policies hide now, whichever emergencies are declared.
    pub(super) fn holds(&self, policies: &Policies, now: Instant, registry: &Arc<Registry>) -> bool {
        self.restrictions.hold(policies, now) && Arc::ptr_eq(&self.registry, registry)
    }

    /// Whether the emergencies are known to be those of a snapshot with so many commits.
    pub(super) fn has_those_of(&self, commits: u64, now: Instant) -> bool {
        self.checked.load(Ordering::Acquire) == commits && self.elevations.iter().all(|elevation| now < elevation.until)
    }

    /// Whether these are the emergencies, which a snapshot with so many commits has.
    pub(super) fn has(&self, elevations: &[Elevation], commits: u64) -> bool {
        let same = self.elevations == elevations;
        if same {
            self.checked.store(commits, Ordering::Release);
        }
        same
    }

    pub(super) fn restrictions(&self) -> &Restrictions {
        &self.restrictions
    }

    /// A filter, which `make` makes when nobody has asked before.
    pub(super) fn filter(
        &self,
        (act, resource_type): Asked<'_>,
        make: impl FnOnce() -> Option<Filter>,
    ) -> Option<Arc<Filter>> {
        let known = self.filters.read().unwrap_or_else(PoisonError::into_inner).get(&(act, resource_type)).cloned();
        known.unwrap_or_else(|| self.keep((act, resource_type), make().map(Arc::new)))
    }

    /// Whether the requester may know of what is named, which `find` finds out when nobody has asked since so many commits.
    pub(super) fn tells(
        &self,
        commits: u64,
        name: &str,
        find: impl FnOnce() -> Result<bool, Outcome>,
    ) -> Result<bool, Outcome> {
        {
            let told = self.told.read().unwrap_or_else(PoisonError::into_inner);
            if let Some((_, known)) = told.get(name).filter(|(since, _)| *since == commits) {
                return Ok(*known);
            }
        }
        let found = find()?;
        let mut told = self.told.write().unwrap_or_else(PoisonError::into_inner);
        if told.get(name).is_none_or(|(since, _)| *since < commits) {
            if told.len() >= NAMES_MAX {
                told.clear();
            }
            told.insert(name.into(), (commits, found));
        }
        Ok(found)
    }

    fn keep(&self, (act, resource_type): Asked<'_>, made: Option<Arc<Filter>>) -> Option<Arc<Filter>> {
        // A type that there is not has no place to keep.
        if let Some(name) = self.registry.resource_types().iter().find(|name| **name == resource_type) {
            self.filters.write().unwrap_or_else(PoisonError::into_inner).insert((act, name), made.clone());
        }
        made
    }
}

impl fmt::Debug for Consented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consented").field("restrictions", &self.restrictions).finish_non_exhaustive()
    }
}
