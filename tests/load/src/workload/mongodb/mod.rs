//! A store in MongoDB beside the embedded one and beside the driver alone, all in one run: what writes and search pages cost, and whether
//! any search goes through a collection.

mod database;
mod scans;
mod table;
mod writes;

use std::path::{Path, PathBuf};
use std::time::Duration;

use store::testing::ReplicaSet;

use crate::process::Process;
use crate::scale::{Facts, Scale};
use crate::workload::search::compare;
use crate::workload::search::measure::repeat;
use crate::workload::search::queries::{COUNTS, PAGES, Query, Search};
use crate::workload::search::{import, import_with};
use database::Database;
use table::{Report, Searched};

type Failure = Box<dyn std::error::Error>;

/// What to measure with.
pub(crate) struct Options {
    /// The server's binary.
    pub(crate) flint: PathBuf,
    /// The database's.
    pub(crate) mongod: PathBuf,
    /// Published records.
    pub(crate) bundles: PathBuf,
    /// How many resources are searched, at least.
    pub(crate) resources: u64,
    pub(crate) seed: u64,
    /// For each line of writes; each search has a fifth of it.
    pub(crate) time: Duration,
    /// Where to write the figures as JSON.
    pub(crate) json: Option<PathBuf>,
    /// What is in the names of the searches or writes to measure; `None` for all.
    pub(crate) only: Option<String>,
}

/// How many documents the driver alone reads at once.
const READS: [usize; 2] = [1, 20];

/// In how many gigabytes the database keeps what it uses: all of it.
const CACHE: f64 = 2.0;

/// The same data in both stores, and a server over each.
struct Sites {
    facts: Facts,
    embedded: Process,
    mongodb: Process,
    database: Database,
}

/// Starts a database, writes, makes the data, asks, and prints.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let set = ReplicaSet::of(&options.mongod, CACHE, 1);
    let scale = Scale::read(&options.bundles)?;
    let mut report = Report { writes: writes::measure(options, &set)?, ..Report::default() };
    report.print_writes();
    let folder = tempfile::tempdir()?;
    let sites = Sites::make(options, &set, &scale, folder.path())?;
    report.resources = sites.facts.resources;
    let mut wrong = Vec::new();
    for query in PAGES.iter().chain(COUNTS).filter(|query| options.is_asked(query.name)) {
        match sites.measure(query, options.time / 5) {
            Ok(searched) => report.searches.push(searched),
            Err(error) => wrong.push(format!("{}: {error}", query.name)),
        }
    }
    for count in READS {
        report.reads.push((count, sites.database.time_of_reading(count, options.time)?));
    }
    report.print_searches();
    report.print_reads();
    report.print_verdict();
    if let Some(path) = &options.json {
        std::fs::write(path, report.json().to_string())?;
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(format!("wrong answers:\n{}", wrong.join("\n")).into()),
    }
}

impl Options {
    fn is_asked(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| name.contains(only))
    }
}

impl Sites {
    fn make(options: &Options, set: &ReplicaSet, scale: &Scale, folder: &Path) -> Result<Sites, Failure> {
        let (file, url) = (folder.join("data.ndjson.gz"), set.database("searches"));
        let (embedded, beside) = (folder.join("embedded"), folder.join("beside"));
        let facts = scale.write_file(options.resources, options.seed, &file)?;
        import(&options.flint, &embedded, &file)?;
        import_with(&options.flint, &beside, &file, &["--store", &url])?;
        Ok(Sites {
            facts,
            embedded: Process::flint(&options.flint, &embedded)?,
            mongodb: Process::over(&options.flint, &url, &beside)?,
            database: Database::reach(&url)?,
        })
    }

    /// One search at both, and what the database does for it.
    fn measure(&self, query: &Query, time: Duration) -> Result<Searched, Failure> {
        let is_count = COUNTS.iter().any(|count| count.name == query.name);
        let change = |search: Search| if is_count { search.with("_summary", "count") } else { search };
        let sites = [(&self.facts, &self.embedded), (&self.facts, &self.mongodb)];
        let (at, prepared) = compare(query, &sites, time, change)?;
        let [embedded, mongodb] = at.as_slice() else { return Err("a server was not measured".into()) };
        let cpu = self.database.cpu();
        let again = repeat(&self.mongodb, &prepared[1], time / 2)?;
        let cpu = (self.database.cpu() - cpu) / again.latencies.len().max(1) as u32;
        let done = scans::watch(&self.database, &self.mongodb, prepared[1].requests())?;
        Ok(Searched {
            name: query.name,
            is_count,
            times: [embedded.time, mongodb.time],
            cpus: [embedded.cpu, mongodb.cpu, cpu],
            done,
        })
    }
}
