//! How far each search parameter is.

use fhir::Outcome;

use super::catalogue::{read_entries, read_jobs};
use crate::Session;

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
    /// How many of how many resources are done.
    pub done: u64,
    pub total: u64,
}

impl Session<'_> {
    /// Every search parameter that a resource states, on each of its types, in the order they came.
    pub fn search_parameters(&self) -> Result<Vec<ParameterState>, Outcome> {
        self.access.permit_read("SearchParameter")?;
        let snapshot = self.snapshot()?;
        let jobs = read_jobs(&*snapshot)?;
        let mut states = Vec::new();
        for entry in read_entries(&*snapshot)? {
            for base in &entry.base {
                let job = jobs.iter().find(|job| job.resource_type == *base && job.waiting.contains(&entry.id));
                let (done, total) = job.map_or((0, 0), |job| (job.done, job.total.max(job.done)));
                states.push(ParameterState {
                    id: entry.id.clone(),
                    url: entry.url.clone(),
                    code: entry.code.clone(),
                    base: base.clone(),
                    is_active: job.is_none(),
                    done,
                    total,
                });
            }
        }
        Ok(states)
    }
}
