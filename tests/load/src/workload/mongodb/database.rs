//! The database as its driver alone reaches it.

use std::future::Future;
use std::time::{Duration, Instant};

use mongodb::bson::{Document, RawDocumentBuf, doc};
use mongodb::options::{Acknowledgment, ReadConcern, SessionOptions, TransactionOptions, WriteConcern};
use mongodb::{Client, ClientSession, Collection};
use tokio::runtime::Runtime;

use super::Failure;
use crate::process::cpu_of_process;
use crate::workload::search::measure::median;

/// How many threads the driver has, as in the server.
const THREADS: usize = 2;

/// How many bytes the profile of what is done keeps.
const PROFILE_BYTES: i64 = 64 << 20;

pub(super) struct Database {
    runtime: Runtime,
    client: Client,
    database: mongodb::Database,
    /// The id of the server's process, which is one of this machine.
    process: u32,
}

/// What is counted in a store.
#[derive(Clone, Copy)]
pub(super) struct Counters {
    /// Transactions so far.
    pub(super) commits: i64,
    /// The number that the next new document gets.
    pub(super) number: i64,
}

impl Database {
    pub(super) fn reach(url: &str) -> Result<Database, Failure> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(THREADS).enable_all().build()?;
        let client = runtime.block_on(Client::with_uri_str(url))?;
        let database = client.default_database().ok_or("the URL names no database")?;
        let status =
            runtime.block_on(async { client.database("admin").run_command(doc! { "serverStatus": 1 }).await })?;
        let process = u32::try_from(status.get_i64("pid")?)?;
        Ok(Database { runtime, client, database, process })
    }

    /// CPU time that the server has used so far.
    pub(super) fn cpu(&self) -> Duration {
        cpu_of_process(self.process)
    }

    pub(super) fn wait<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    pub(super) fn collection(&self, name: &str) -> Collection<RawDocumentBuf> {
        self.database.collection(name)
    }

    pub(super) fn command(&self, command: Document) -> Result<Document, Failure> {
        Ok(self.wait(async { self.database.run_command(command).await })?)
    }

    /// A session whose transactions are as durable as those of a store.
    pub(super) fn session(&self) -> Result<ClientSession, Failure> {
        let majority = WriteConcern::builder().w(Acknowledgment::Majority).journal(true).build();
        let options =
            TransactionOptions::builder().read_concern(ReadConcern::snapshot()).write_concern(majority).build();
        let options = SessionOptions::builder().default_transaction_options(options).build();
        Ok(self.wait(async { self.client.start_session().with_options(options).await })?)
    }

    /// Documents of a collection in an order, at most so many.
    pub(super) fn find(
        &self,
        collection: &str,
        filter: Document,
        sort: Document,
        limit: i64,
    ) -> Result<Vec<RawDocumentBuf>, Failure> {
        let collection = self.collection(collection);
        self.wait(async {
            let mut cursor = collection.find(filter).sort(sort).limit(limit).await?;
            let mut documents = Vec::new();
            while cursor.advance().await? {
                documents.push(cursor.current().to_owned());
            }
            Ok(documents)
        })
    }

    /// How long it takes to read `count` documents of a store by their keys, in the median: no page of as many takes less.
    pub(super) fn time_of_reading(&self, count: usize, time: Duration) -> Result<Duration, Failure> {
        let documents = self.find("documents", doc! { "_id": { "$gte": "Observation/" } }, doc! { "_id": 1 }, 1_000)?;
        let keys: Vec<_> = documents.iter().map(|document| document.get_str("_id")).collect::<Result<_, _>>()?;
        let begun = Instant::now();
        let mut times = Vec::new();
        for keys in keys.chunks_exact(count).cycle().take_while(|_| begun.elapsed() < time) {
            let asked = Instant::now();
            let found = self.find("documents", doc! { "_id": { "$in": keys } }, doc! {}, 0)?;
            times.push(asked.elapsed());
            if found.len() != count {
                return Err(format!("{} documents instead of {count}", found.len()).into());
            }
        }
        median(times).ok_or_else(|| "the database holds too few documents".into())
    }

    pub(super) fn counters(&self) -> Result<Counters, Failure> {
        let state = self.find("state", doc! { "_id": "state" }, doc! {}, 1)?;
        let state = state.first().ok_or("the database holds no store")?;
        Ok(Counters { commits: state.get_i64("commits")?, number: state.get_i64("number")? })
    }

    /// How many documents are in a collection.
    pub(super) fn count(&self, collection: &str) -> Result<u64, Failure> {
        let collection = self.collection(collection);
        Ok(self.wait(async { collection.count_documents(doc! {}).await })?)
    }

    /// What the database does while `work` is done, operation by operation.
    pub(super) fn profiled(&self, work: impl FnOnce() -> Result<(), Failure>) -> Result<Vec<RawDocumentBuf>, Failure> {
        self.command(doc! { "profile": 0 })?;
        self.wait(async { self.collection("system.profile").drop().await })?;
        self.command(doc! { "create": "system.profile", "capped": true, "size": PROFILE_BYTES })?;
        self.command(doc! { "profile": 2, "slowms": 0 })?;
        let done = work();
        self.command(doc! { "profile": 0 })?;
        done?;
        self.find("system.profile", doc! {}, doc! { "$natural": 1 }, 0)
    }
}
