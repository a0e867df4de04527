//! Writes through the server beside the driver alone, which inserts the same documents again.
//!
//! The driver alone has what no server could do without: the documents as the server has written them, ready made, under new keys into a
//! database with the same indexes; one session that inserts so many in one transaction as the server had in one of its own on average,
//! commits it as durably, and begins the next at once. It neither reads before it writes nor keeps counters.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use mongodb::bson::{Bson, Document, RawDocumentBuf, doc};
use store::testing::ReplicaSet;
use store::{MongoDb, SystemClock};

use super::database::Database;
use super::table::Written;
use super::{Failure, Options};
use crate::connection::post;
use crate::process::Process;
use crate::workload::{PATIENT, drive};

/// How often the two take turns.
const ROUNDS: u32 = 3;

/// Documents that the driver inserts again and again, at most.
const DOCUMENTS_MAX: i64 = 4_000;

/// How long a server is asked before it is measured.
const WARMING: Duration = Duration::from_millis(500);

/// A kind of request, and over how many connections it is sent.
struct Kind {
    name: &'static str,
    connections: usize,
    requests: Vec<Vec<u8>>,
    /// The status of a success.
    status: u16,
}

/// A server over a database of its own, and another database with the same indexes for the driver alone.
struct Bench {
    process: Process,
    database: Database,
    twin: Database,
    /// How many documents the driver has made.
    made: i64,
}

pub(super) fn measure(options: &Options, set: &ReplicaSet) -> Result<Vec<Written>, Failure> {
    let creates = || vec![post("/fhir/Patient", PATIENT)];
    let bundles = bundles(&options.bundles)?;
    let kinds = [
        Kind { name: "creates", connections: 1, requests: creates(), status: 201 },
        Kind { name: "creates", connections: 8, requests: creates(), status: 201 },
        Kind { name: "creates", connections: 32, requests: creates(), status: 201 },
        Kind { name: "transaction bundles", connections: 1, requests: bundles.clone(), status: 200 },
        Kind { name: "transaction bundles", connections: 8, requests: bundles, status: 200 },
    ];
    let folder = tempfile::tempdir()?;
    let mut written = Vec::new();
    for kind in kinds.iter().filter(|kind| options.is_asked(kind.name)) {
        let name = format!("writes-{}", written.len());
        let mut bench = Bench::make(options, set, &name, &folder.path().join(&name))?;
        bench.serve(kind, WARMING)?;
        let mut best = Written::default();
        for _ in 0..ROUNDS {
            best = best.or(bench.round(kind, options.time / ROUNDS)?);
        }
        written.push(best);
    }
    Ok(written)
}

/// The bundles that are transactions, as requests.
fn bundles(folder: &Path) -> Result<Vec<Vec<u8>>, Failure> {
    let mut requests = Vec::new();
    let mut paths: Vec<_> =
        std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    paths.sort();
    for path in paths {
        let bytes = std::fs::read(&path)?;
        let mut text = String::new();
        match path.extension().is_some_and(|extension| extension == "gz") {
            true => GzDecoder::new(bytes.as_slice()).read_to_string(&mut text)?,
            false => bytes.as_slice().read_to_string(&mut text)?,
        };
        requests.push(post("/fhir", &text));
    }
    Ok(requests)
}

impl Bench {
    fn make(options: &Options, set: &ReplicaSet, name: &str, folder: &Path) -> Result<Bench, Failure> {
        let (url, twin) = (set.database(name), set.database(&format!("{name}-alone")));
        // Makes its indexes as every store has them.
        drop(MongoDb::open(&twin, &folder.join("alone"), Arc::new(SystemClock))?);
        let process = Process::over(&options.flint, &url, &folder.join("server"))?;
        Ok(Bench { process, database: Database::reach(&url)?, twin: Database::reach(&twin)?, made: 0 })
    }

    /// Sends requests for some time; how long it took and how many were answered.
    fn serve(&self, kind: &Kind, time: Duration) -> Result<(Duration, usize), Failure> {
        let next = AtomicUsize::new(0);
        let request = || kind.requests[next.fetch_add(1, Ordering::Relaxed) % kind.requests.len()].clone();
        let (elapsed, latencies) = drive(self.process.address, kind.connections, time, kind.status, &request)?;
        Ok((elapsed, latencies.len()))
    }

    /// The server, and then the driver with what that has written.
    fn round(&mut self, kind: &Kind, time: Duration) -> Result<Written, Failure> {
        let (before, others) = (self.database.counters()?, self.others()?);
        let cpus = || [self.process.cpu(), self.database.cpu()];
        let [cpu, of_database] = cpus();
        let (elapsed, requests) = self.serve(kind, time)?;
        let [cpu, of_database] = [cpus()[0] - cpu, cpus()[1] - of_database];
        let after = self.database.counters()?;
        let documents = after.number - before.number;
        let transactions = (after.commits - before.commits).max(1);
        // The server commits other things, too, now and then.
        let group = (documents as f64 / transactions as f64).max(1.0);
        let others = self.others()?.saturating_sub(others);
        let (alone, of_alone) = self.insert(before.number, group, time)?;
        let each = documents.max(1) as u32;
        Ok(Written {
            name: kind.name,
            connections: kind.connections,
            requests: requests as f64 / elapsed.as_secs_f64(),
            group,
            others: others as f64 / documents.max(1) as f64,
            cpus: [cpu / each, of_database / each, of_alone],
            server: documents as f64 / elapsed.as_secs_f64(),
            driver: alone,
        })
    }

    /// How many documents are in the server's database beside those that were made last.
    fn others(&self) -> Result<u64, Failure> {
        Ok(self.database.count("versions")? + self.database.count("values")?)
    }

    /// Inserts documents like those from a number on, about `group` in one transaction, for some time; how many in a second, and the
    /// database's CPU time for each. To make them ready takes
    /// no part in it.
    fn insert(&mut self, from: i64, group: f64, time: Duration) -> Result<(f64, Duration), Failure> {
        let models = self.database.find("documents", doc! { "n": { "$gte": from } }, doc! { "n": 1 }, DOCUMENTS_MAX)?;
        let models: Vec<_> = models.iter().map(Document::try_from).collect::<Result<_, _>>()?;
        let documents = self.twin.collection("documents");
        let mut session = self.twin.session()?;
        let mut models = models.iter().cycle();
        let (mut inserted, mut elapsed) = (0, Duration::ZERO);
        let mut transactions = 0;
        let cpu = self.twin.cpu();
        while elapsed < time {
            transactions += 1;
            // Whole documents only: sometimes one more, so that it comes to the average.
            let count = (group * f64::from(transactions)).round() as usize - inserted;
            let made = models.by_ref().take(count).map(|model| self.again(model));
            let made = made.collect::<Result<Vec<_>, _>>()?;
            let begun = Instant::now();
            self.twin.wait(async {
                session.start_transaction().await?;
                documents.insert_many(&made).session(&mut session).await?;
                session.commit_transaction().await
            })?;
            elapsed += begun.elapsed();
            inserted += count;
        }
        let cpu = (self.twin.cpu() - cpu) / inserted as u32;
        Ok((inserted as f64 / elapsed.as_secs_f64(), cpu))
    }

    /// A document like this one, which comes after all others.
    fn again(&mut self, model: &Document) -> Result<RawDocumentBuf, Failure> {
        self.made += 1;
        let mut document = model.clone();
        let collection = model.get_str("c")?;
        // As long as the ids that the server gives, and in order like those.
        document.insert("_id", format!("{collection}/{:036}", self.made));
        document.insert("n", Bson::Int64(self.made));
        document.insert("s", Bson::Int64(self.made));
        Ok(RawDocumentBuf::try_from(&document)?)
    }
}
