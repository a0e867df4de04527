//! What access costs: tokens, scopes, consents and the audit, each beside the same without.
//!
//! The same data is served three times: to everybody, and to those who show a token, with consents of one and of ten in a hundred patients.

mod alone;
mod consents;
mod hidden;
mod reads;
mod searches;
mod site;
mod table;
mod tokens;

use std::path::PathBuf;
use std::time::Duration;

use store::Key;

use crate::scale::{Facts, Scale};
use crate::workload::search::stored;
use site::{Site, SiteSetup};
use table::Report;

type Failure = Box<dyn std::error::Error>;

/// What to measure with.
pub(crate) struct Options {
    /// The server's binary.
    pub(crate) flint: PathBuf,
    /// Published records.
    pub(crate) bundles: PathBuf,
    /// How many resources, at least.
    pub(crate) resources: u64,
    pub(crate) seed: u64,
    /// For each line of the tables.
    pub(crate) time: Duration,
    /// Where to write the figures as JSON.
    pub(crate) json: Option<PathBuf>,
    /// Measures only what is hidden beside what is not there, so many answers of each.
    pub(crate) hidden: Option<usize>,
    /// Where the store is kept for the next run.
    pub(crate) stores: Option<PathBuf>,
    /// Measures only the searches with this in their names.
    pub(crate) only: Option<String>,
}

/// How often those who are compared take turns.
const ROUNDS: u32 = 5;

/// Of how many patients in a hundred there are consents.
const PERCENTS: [usize; 2] = [1, 10];

/// Observations of one patient that are read.
const READ: usize = 32;

/// Makes the data, asks, and prints.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let folder = tempfile::tempdir_in(options.stores.as_deref().unwrap_or(&std::env::temp_dir()))?;
    let scale = Scale::read(&options.bundles)?;
    let kept = options.stores.as_deref().unwrap_or(folder.path());
    let data = kept.join(format!("{}-{}", options.resources, options.seed));
    let (facts, _) = stored(&options.flint, &scale, options.resources, options.seed, &data)?;
    let (reader, keys) = record(&facts)?;
    let patient = facts.patients[reader].id();
    let setup = SiteSetup { flint: &options.flint, data: &data, folder: folder.path(), facts: &facts, reader };
    if let Some(count) = options.hidden {
        table::print_hidden(&hidden::measure(&mut Site::guarded(&setup, PERCENTS[0])?, count)?);
        return Ok(());
    }
    if let Some(only) = &options.only {
        let mut guarded = guarded(&setup, &keys)?;
        table::print_searches(&searches::measure(&mut guarded, &facts, options.time, only)?);
        return Ok(());
    }
    // Measured in a store of its own, whose audit nothing is written to afterwards.
    let copy = setup.copy(PERCENTS[1], "alone")?;
    let alone = alone::measure(&copy.data, &patient, &keys)?;
    let mut open = Site::open(&setup)?;
    let mut guarded = guarded(&setup, &keys)?;
    let reads = reads::measure(&mut open, &mut guarded, &keys, options.time)?;
    let (resources, patients) = (facts.resources, facts.patients.len());
    let mut report = Report { resources, patients, alone, reads, searches: Vec::new() };
    report.print_reads();
    report.searches = searches::measure(&mut guarded, &facts, options.time, "")?;
    table::print_searches(&report.searches);
    report.print_verdict();
    if let Some(path) = &options.json {
        std::fs::write(path, report.json().to_string())?;
    }
    Ok(())
}

/// Those with consents.
fn guarded(setup: &SiteSetup<'_>, keys: &[Key]) -> Result<Vec<Site>, Failure> {
    let mut guarded = PERCENTS.iter().map(|percent| Site::guarded(setup, *percent)).collect::<Result<Vec<_>, _>>()?;
    for site in &mut guarded {
        site.check(keys)?;
    }
    Ok(guarded)
}

/// A patient, by its place, and what of the record is read: the first with enough observations.
fn record(facts: &Facts) -> Result<(usize, Vec<Key>), Failure> {
    let mut counts = vec![0; facts.patients.len()];
    facts.observations.iter().for_each(|observation| counts[observation.patient] += 1);
    let reader = counts.iter().position(|count| *count >= READ).ok_or("no patient has enough observations")?;
    let own = facts.observations.iter().filter(|observation| observation.patient == reader).take(READ);
    let observations = own.map(|observation| Key::new("Observation", &observation.id()));
    let patient = Key::new("Patient", &facts.patients[reader].id());
    let keys: Option<Vec<_>> = observations.chain([patient]).collect();
    Ok((reader, keys.ok_or("an id is too long")?))
}
