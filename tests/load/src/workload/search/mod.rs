//! Searches at several sizes of the same data, side by side: what ten times the data costs.

pub(super) mod answer;
pub(super) mod measure;
pub(super) mod queries;
mod table;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fhir::Definitions;
use store::{Count, Embedded, Filter, Find, Store, SystemClock};
use tempfile::TempDir;

use crate::connection::Connection;
use crate::process::Process;
use crate::report::Measured;
use crate::scale::{Facts, Scale};
use measure::{Prepared, Walk, median, mix, prepare, repeat, walk};
use queries::{COUNTS, PAGES, Query, download, paged};
use table::{At, Figure, Table};

/// What to measure with.
pub(crate) struct Options {
    /// The server's binary.
    pub(crate) flint: PathBuf,
    /// Published records.
    pub(crate) bundles: PathBuf,
    /// How many resources, at least; smallest first.
    pub(crate) sizes: Vec<u64>,
    pub(crate) seed: u64,
    /// For the mix of searches; each search alone has a fifth of it.
    pub(crate) time: Duration,
    /// Where to write the figures as JSON.
    pub(crate) json: Option<PathBuf>,
    /// Where stores are kept for the next run.
    pub(crate) stores: Option<PathBuf>,
    /// What is in the names of the searches to measure; `None` for all, and what is measured besides.
    pub(crate) only: Option<String>,
}

/// How often the servers take turns.
const ROUNDS: u32 = 3;

/// Figures that are held to a limit.
const DOWNLOAD: &str = "download by code";
const FAR_PAGE: &str = "a far page / the first";
const MIX_P99: &str = "search mix, p99";

/// How many matches a page has, as most clients ask.
const PAGE: u64 = 20;

/// Which page is compared with the first.
const PAGE_FAR: usize = 1_000;

/// A server with data of one size.
struct Site {
    facts: Facts,
    process: Process,
    /// What only this size's data is measured by.
    figures: Vec<Figure>,
    _directory: Option<TempDir>,
}

/// Makes the data, loads it, asks, and prints.
pub(crate) fn run(options: &Options) -> Result<(), Box<dyn std::error::Error>> {
    let scale = Scale::read(&options.bundles)?;
    let mut sites = Vec::new();
    for size in &options.sizes {
        sites.push(Site::make(options, &scale, *size)?);
    }
    let mut table = Table::new(sites.iter().map(|site| site.facts.resources).collect());
    let time = options.time / 5;
    let mut mixed: Vec<Vec<Prepared>> = sites.iter().map(|_| Vec::new()).collect();
    let mut wrong = Vec::new();
    let is_asked = |query: &&Query| options.only.as_ref().is_none_or(|only| query.name.contains(only));
    for query in PAGES.iter().filter(is_asked) {
        match measure(&mut table, query, &sites, time, |search| search) {
            Ok(prepared) if query.mixed => mixed.iter_mut().zip(prepared).for_each(|(all, one)| all.push(one)),
            Ok(_) => {}
            Err(error) => wrong.push(format!("{}: {error}", query.name)),
        }
    }
    for query in COUNTS.iter().filter(is_asked) {
        let compared = measure(&mut table, query, &sites, time, |search| search.with("_summary", "count"));
        wrong.extend(compared.err().map(|error| format!("{}: {error}", query.name)));
    }
    table.print();
    for (site, mixed) in sites.iter_mut().zip(&mixed).filter(|_| options.only.is_none()) {
        wrong.extend(site.measure_alone(mixed, options.time).err().map(|error| error.to_string()));
    }
    let alone: Vec<_> = sites.iter().map(|site| site.figures.as_slice()).collect();
    table.print_alone(&alone);
    if options.only.is_none() {
        table.print_verdict(&alone);
    }
    if let Some(path) = &options.json {
        std::fs::write(path, table.json(&alone).to_string())?;
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(format!("wrong answers:\n{}", wrong.join("\n")).into()),
    }
}

/// Measures one search at all sizes.
fn measure(
    table: &mut Table,
    query: &Query,
    sites: &[Site],
    time: Duration,
    change: impl Fn(queries::Search) -> queries::Search,
) -> Result<Vec<Prepared>, Box<dyn std::error::Error>> {
    let sites: Vec<_> = sites.iter().map(|site| (&site.facts, &site.process)).collect();
    let (at, prepared) = compare(query, &sites, time, change)?;
    table.add(query.name, at);
    Ok(prepared)
}

/// Measures one search at servers that have these facts, turn and turn about.
pub(super) fn compare(
    query: &Query,
    sites: &[(&Facts, &Process)],
    time: Duration,
    change: impl Fn(queries::Search) -> queries::Search,
) -> Result<(Vec<At>, Vec<Prepared>), Box<dyn std::error::Error>> {
    let prepare = |(facts, process): &(&Facts, &Process), count| {
        let mut connection = Connection::open(process.address).map_err(|error| error.to_string())?;
        prepare(query, facts, &mut connection, count, &change)
    };
    // Pages of one length are compared: where the smallest has few matches, others are asked for no more.
    let matches = prepare(&sites[0], PAGE)?.total;
    let count = matches.map_or(PAGE, |matches| matches.clamp(1, PAGE));
    let prepared: Vec<_> = sites.iter().map(|site| prepare(site, count)).collect::<Result<_, _>>()?;
    let mut measured: Vec<Vec<Measured>> = sites.iter().map(|_| Vec::new()).collect();
    for _ in 0..ROUNDS {
        for (((_, process), prepared), measured) in sites.iter().zip(&prepared).zip(&mut measured) {
            measured.push(repeat(process, prepared, time / ROUNDS)?);
        }
    }
    let at = measured.into_iter().zip(&prepared).map(|(rounds, prepared)| At {
        // The least disturbed round: what others do on the machine only adds.
        time: rounds.iter().filter_map(|round| median(round.latencies.clone())).min().unwrap_or_default(),
        cpu: rounds.iter().map(|round| round.cpu).sum::<Duration>()
            / rounds.iter().map(|round| round.latencies.len() as u32).sum::<u32>().max(1),
        rows: prepared.rows,
        total: prepared.total,
    });
    Ok((at.collect(), prepared))
}

impl Site {
    /// A store of this size, measured while it is made, and a server over it.
    fn make(options: &Options, scale: &Scale, size: u64) -> Result<Site, Box<dyn std::error::Error>> {
        let directory = if options.stores.is_none() { Some(tempfile::tempdir()?) } else { None };
        let folder = options.stores.as_deref().or(directory.as_ref().map(TempDir::path)).ok_or("there is no folder")?;
        let data = folder.join(format!("{size}-{}", options.seed));
        let (facts, rate) = stored(&options.flint, scale, size, options.seed, &data)?;
        let mut figures: Vec<_> = rate.map(|rate| Figure::new("import", rate, "resources/s")).into_iter().collect();
        figures.extend(scan(&data)?);
        let process = Process::flint(&options.flint, &data)?;
        Ok(Site { facts, process, figures, _directory: directory })
    }

    /// What has no counterpart of another size: rates, and one page against another.
    fn measure_alone(&mut self, mixed: &[Prepared], time: Duration) -> Result<(), Box<dyn std::error::Error>> {
        let search = download(&self.facts);
        // Like every search, what is walked has been asked for once before it is measured; what that first time takes is told apart.
        let seconds = |walk: &Walk| walk.pages.iter().sum::<Duration>().as_secs_f64();
        let first = walk(&self.process, &search, usize::MAX)?;
        let whole = walk(&self.process, &search, usize::MAX)?;
        let mut add = |name: &str, value: f64, unit| self.figures.push(Figure::new(name, value, unit));
        add("download by code, the first time", first.resources as f64 / seconds(&first), "resources/s");
        let seconds = seconds(&whole);
        add(DOWNLOAD, whole.resources as f64 / seconds, "resources/s");
        add("download by code, bytes", whole.bytes as f64 / seconds / 1e6, "MB/s");
        add("download by code, CPU", whole.cpu.as_secs_f64() * 1e6 / whole.resources.max(1) as f64, "us/resource");
        walk(&self.process, &paged(&self.facts), PAGE_FAR)?;
        let pages = walk(&self.process, &paged(&self.facts), PAGE_FAR)?.pages;
        let several = (pages.len() / 2).clamp(1, 50);
        let first = median(pages[..several].to_vec()).unwrap_or_default();
        let last = median(pages[pages.len() - several..].to_vec()).unwrap_or_default();
        add("the first pages", first.as_secs_f64() * 1e6, "us/page");
        add(&format!("the pages up to {}", pages.len()), last.as_secs_f64() * 1e6, "us/page");
        add(FAR_PAGE, last.as_secs_f64() / first.as_secs_f64(), "times");
        let mut mixed = mix(&self.process, mixed, time)?;
        add("search mix, 8 connections", mixed.rate(), "searches/s");
        add("search mix, median", mixed.percentile(50).as_secs_f64() * 1e3, "ms");
        add(MIX_P99, mixed.percentile(99).as_secs_f64() * 1e3, "ms");
        add("search mix, CPU", mixed.cpu.as_secs_f64() * 1e6 / mixed.latencies.len().max(1) as f64, "us/search");
        add("memory of the server", self.process.memory() as f64 / 1e6, "MB");
        Ok(())
    }
}

/// What a store of this size holds, which is made where it is not there; resources imported in a second, where that was so.
pub(super) fn stored(
    flint: &Path,
    scale: &Scale,
    size: u64,
    seed: u64,
    data: &Path,
) -> Result<(Facts, Option<f64>), Box<dyn std::error::Error>> {
    if data.is_dir() {
        return Ok((scale.write(size, seed, &mut std::io::sink())?, None));
    }
    let (facts, rate) = load(flint, scale, size, seed, data)?;
    Ok((facts, Some(rate)))
}

/// Imports a file into a store that no server has open.
pub(super) fn import(flint: &Path, data: &Path, file: &Path) -> Result<(), Box<dyn std::error::Error>> {
    import_with(flint, data, file, &[])
}

/// The same with further arguments.
pub(super) fn import_with(
    flint: &Path,
    data: &Path,
    file: &Path,
    arguments: &[&str],
) -> Result<(), Box<dyn std::error::Error>> {
    let mut command = Command::new(flint);
    command.arg("import").arg("--data").arg(data).arg(file).args(arguments);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let status = command.status()?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("flint import: {status}").into()),
    }
}

/// Makes data and imports it: what was made, and resources in a second. The store gets its name when it is complete.
fn load(
    flint: &Path,
    scale: &Scale,
    size: u64,
    seed: u64,
    data: &Path,
) -> Result<(Facts, f64), Box<dyn std::error::Error>> {
    let (file, part) = (data.with_extension("ndjson.gz"), data.with_extension("part"));
    std::fs::create_dir_all(&part)?;
    let facts = scale.write_file(size, seed, &file)?;
    let begun = Instant::now();
    import(flint, &part, &file)?;
    let seconds = begun.elapsed().as_secs_f64();
    println!("imported {} resources in {seconds:.1} s", facts.resources);
    std::fs::remove_file(&file)?;
    std::fs::rename(&part, data)?;
    let rate = facts.resources as f64 / seconds;
    Ok((facts, rate))
}

/// The limit of every search: the store alone, counting all observations over one index and reading a thousand of them.
fn scan(data: &Path) -> Result<Vec<Figure>, Box<dyn std::error::Error>> {
    let store = Embedded::open(data, Arc::new(SystemClock))?;
    let registry = search::Registry::new(Definitions::r4(), "http://localhost/fhir");
    let filter = Filter::present(registry.time_index("Observation"));
    let snapshot = store.snapshot()?;
    let begun = Instant::now();
    let counted = snapshot.find(&Find { total: Count::Exact, ..Find::new(filter.clone(), 0) })?;
    let counting = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    let read = snapshot.find(&Find { bodies: true, ..Find::new(filter, 1_000) })?;
    let reading = begun.elapsed().as_secs_f64();
    let statistics = store.statistics()?;
    let documents: u64 = statistics.documents.iter().map(|(_, count)| count).sum();
    Ok(vec![
        Figure::new("limit: scan of an index", counted.rows as f64 / counting, "rows/s"),
        Figure::new("limit: bodies read", read.hits.len() as f64 / reading, "resources/s"),
        Figure::new("disk", statistics.disk_bytes as f64 / documents.max(1) as f64, "bytes/resource"),
    ])
}
