//! How far each search parameter is.

use fhir::Outcome;
use store::{Key, Snapshot};

use super::catalogue::{Entry, read_entries, read_jobs};
use crate::access::Sight;
use crate::{Act, Session};

/// A search parameter beside those that are always there, on one type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterState {
    /// The id of its SearchParameter resource.
    pub id: String,
    pub url: String,
    pub code: String,
    /// The resource type.
    pub base: String,
    /// Whether it can be searched by: all resources of the type have their rows.
    pub is_active: bool,
    /// How many of how many resources are done, while it is indexed and when the caller may see all of them.
    pub progress: Option<(u64, u64)>,
}

impl Session<'_> {
    /// Every search parameter that a resource states, on each of its types, in the order they came.
    pub fn search_parameters(&self) -> Result<Vec<ParameterState>, Outcome> {
        self.access.permit(Act::Read, "SearchParameter")?;
        let snapshot = self.snapshot()?;
        let sight = self.sight(&*snapshot)?;
        let jobs = read_jobs(&*snapshot)?;
        let mut states = Vec::new();
        for entry in read_entries(&*snapshot)? {
            if !self.sees_definition(&*snapshot, &sight, &entry)? {
                continue;
            }
            for base in &entry.base {
                let job = jobs.iter().find(|job| job.resource_type == *base && job.waiting.contains(&entry.id));
                let progress = job.filter(|_| sight.sees_all(base));
                states.push(ParameterState {
                    id: entry.id.clone(),
                    url: entry.url.clone(),
                    code: entry.code.clone(),
                    base: base.clone(),
                    is_active: job.is_none(),
                    progress: progress.map(|job| (job.done, job.total.max(job.done))),
                });
            }
        }
        Ok(states)
    }

    fn sees_definition(&self, snapshot: &dyn Snapshot, sight: &Sight, entry: &Entry) -> Result<bool, Outcome> {
        match Key::new("SearchParameter", &entry.id) {
            Some(key) => sight.accepts(Act::Read, snapshot, &key),
            None => Ok(false),
        }
    }
}
