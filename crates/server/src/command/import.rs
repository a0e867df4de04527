//! `flint import`.

use std::error::Error;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;
use repository::References;

use super::Data;
use crate::config::ReferencePolicy;
use crate::import;

/// What `flint import` takes.
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Import {
    /// Files and folders: Bundles or single resources (.json), resources one a line (.ndjson), also gzipped (.gz)
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    data: Data,
    /// Whether a reference to a resource that is not there is refused [default: check in transactions and batches, accept elsewhere]
    #[arg(long, env = "FLINT_REFERENCES")]
    references: Option<ReferencePolicy>,
    /// Threads that prepare and commit [default: four for each processor]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

const AFTER_HELP: &str = "\
A transaction Bundle is taken as a whole, of everything else what is refused is left out and listed. Resources with an id keep it. \
Files named like Synthea's hospitalInformation and practitionerInformation go first, and what refers to resources that come later is tried again \
after them. The same content is not imported twice: a second run, also after a crash, goes on where the first ended. Of \
resources with the same type and id in several places, any may become the current version.";

impl Import {
    /// Imports, and lists what was refused.
    pub(super) fn run(self) -> Result<(), Box<dyn Error>> {
        let settings = self.data.settings()?;
        let references = self.references.or(settings.references).map(References::from);
        let state = Data::open(settings)?;
        let import = import::Import {
            paths: self.paths,
            references,
            threads: self.threads.map_or_else(import::threads_default, usize::from),
        };
        let report = import.run(&state)?;
        println!("{report}");
        eprint!("{}", report.refusals());
        match report.refused() {
            0 => Ok(()),
            count => Err(format!("{count} refused; the rest was imported").into()),
        }
    }
}
