//! Loading files: Bundles, single resources and NDJSON, by the same changes as `POST /`.
//!
//! - [`source`] finds the files, [`lines`] cuts NDJSON into chunks, [`file`] takes JSON files apart.
//! - [`part`] commits a chunk or a Bundle and notes in the same commit what of it is left ([`journal`]): so an import that ended at any
//!   moment goes on where it was, and makes nothing twice.
//! - [`run`] shares all this among threads, in passes: what waits for other resources is tried again after them.
//!
//! Memory is bounded: each thread holds one JSON file or one chunk.

mod file;
mod journal;
mod lines;
mod part;
mod report;
mod run;
mod source;

use std::path::PathBuf;

use repository::References;

use crate::State;
use crate::progress::Progress;

/// What to import, and how.
pub(crate) struct Import {
    pub(crate) paths: Vec<PathBuf>,
    /// Whether references must lead somewhere. Where it is not said they need not, but in a transaction or batch the server's own
    /// policy holds, for these come in an order.
    pub(crate) references: Option<References>,
    /// How many threads prepare and commit.
    pub(crate) threads: usize,
}

impl Import {
    /// Imports everything. What is refused is in the report; an error says that the rest was given up.
    pub(crate) fn run(&self, state: &State) -> Result<report::Report, String> {
        let sources = source::find(&self.paths)?;
        let progress = Progress::new(sources.iter().map(|source| source.bytes).sum());
        let report = run::Run::new(state, self, &sources, &progress).run();
        progress.finish();
        let report = report?;
        state.index_rest().map_err(|outcome| outcome.to_string())?;
        Ok(report)
    }
}

/// Imports all of `paths`; an error also when something was refused.
pub(crate) fn load(state: &State, paths: Vec<PathBuf>) -> Result<(), String> {
    let report = Import { paths, references: None, threads: threads_default() }.run(state)?;
    match report.refused() {
        0 => tracing::info!("{report}"),
        count => return Err(format!("{count} refused:\n{}", report.refusals())),
    }
    Ok(())
}

/// A good number of threads: while some wait for a commit, others prepare, and the more that wait together, the fewer times the same pages
/// of the store are written.
pub(crate) fn threads_default() -> usize {
    4 * std::thread::available_parallelism().map_or(1, usize::from)
}
