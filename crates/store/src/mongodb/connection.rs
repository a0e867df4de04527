//! Reaching the database, and what must be so before it is used.

use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use mongodb::bson::{Document, RawDocumentBuf, Timestamp, doc};
use mongodb::error::{Error, ErrorKind, Result as DriverResult};
use mongodb::options::{
    Acknowledgment, ClientOptions, CollectionOptions, ReadConcern, ReadPreference, SelectionCriteria, SessionOptions,
    TransactionOptions, WriteConcern,
};
use mongodb::{Client, ClientSession, Collection, Database};
use tokio::task::JoinHandle;
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use super::crowds::Crowds;
use super::error::{Failed, code, of_driver};
use super::homes::Known;
use super::layout::{self, COUNTERS, DOCUMENTS, STATE, STATE_ID, State, VALUES, VERSIONS};
use super::look::Looks;
use super::recent::Recent;
use super::wait::Threads;
use crate::StoreError;

/// What a URL looks like, for people.
const URL_FORM: &str = "`mongodb://HOST/DATABASE?replicaSet=NAME`";

/// How long a database is waited for.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    /// It is asked again for so long when it is opened: it may be starting.
    pub(super) opening: Duration,
    /// One command may take so long, the connection included.
    pub(super) answer: Duration,
}

pub(super) const PATIENCE: Patience = Patience { opening: Duration::from_secs(30), answer: Duration::from_secs(60) };

/// The pause between two such questions, the first; each further one is twice as long, up to a second.
const PAUSE: Duration = Duration::from_millis(50);

/// How long one request waits for a server that can serve it, where the URL does not say: an election takes about as long.
const SELECTION: Duration = Duration::from_secs(15);

/// How long a look takes at a server that could not be used.
const GLANCE: Duration = Duration::from_secs(2);

/// How many connections there are at most, where the URL does not say: as many as the server has threads that use them, and the writer.
const CONNECTIONS: u32 = 80;

/// How long the server waits for its copies before it says that it does not know whether they have a commit.
const REPLICATION: Duration = Duration::from_secs(10);

/// The least protocol with snapshots outside transactions: MongoDB 5.0.
const WIRE_VERSION: i32 = 13;

/// The code of an answer to a request that what is there already be made.
const NAMESPACE_EXISTS: i32 = 48;

/// After so many groups without others in the way they are not expected.
const ALONE: u32 = 8;

pub(super) struct Connection {
    database: Database,
    client: Client,
    threads: Threads,
    patience: Patience,
    /// How long one request waits for a server that can serve it.
    selection: Duration,
    /// The last state that this process has heard of.
    heard: Mutex<State>,
    /// How many groups this process has committed one after the other without others in the way.
    alone: AtomicU32,
    /// What is known of homes, after so many changes of them.
    known: Mutex<(i64, Arc<Known>)>,
    recent: Mutex<Recent>,
    looks: Looks,
    crowds: Crowds,
}

/// What was asked, and will be answered or given up.
pub(super) struct Asked<T>(JoinHandle<Result<DriverResult<T>, Elapsed>>);

impl Connection {
    /// Reaches the database of a URL, within `patience`. `Unusable` says why it cannot be a store.
    pub(super) fn open(url: &str, patience: Patience) -> Result<Connection, StoreError> {
        let connection = Connection::reach(url, patience)?;
        connection.make_collections()?;
        Ok(connection)
    }

    /// The same, and makes nothing there.
    pub(super) fn reach(url: &str, patience: Patience) -> Result<Connection, StoreError> {
        let threads = Threads::start()?;
        let options = threads.wait(options(url))?;
        let name = options.default_database.clone().filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| unusable(format!("the URL names no database: {URL_FORM}")))?;
        let direct = direct(&options);
        let connection = Connection::of_options(threads, options, &name, patience)?;
        match connection.hello(patience.opening) {
            Ok(hello) => check_server(&hello)?,
            Err(error) => {
                // A server that is no member of the replica set is not asked anything; what it is tells why.
                let other = Connection::of_options(Threads::start()?, direct, &name, patience)?;
                return Err(other.hello(Duration::ZERO).and_then(|hello| check_server(&hello)).err().unwrap_or(error));
            }
        }
        Ok(connection)
    }

    fn of_options(
        threads: Threads,
        options: ClientOptions,
        name: &str,
        patience: Patience,
    ) -> Result<Connection, StoreError> {
        let selection = options.server_selection_timeout.unwrap_or(SELECTION);
        let client = threads.wait(async { Client::with_options(options) });
        let client =
            client.map_err(|error| unusable(format!("the URL of the database cannot be used: {}", error.kind)))?;
        Ok(Connection {
            database: client.database(name),
            client,
            threads,
            patience,
            selection,
            heard: Mutex::new(State::FIRST),
            alone: AtomicU32::new(0),
            known: Mutex::default(),
            recent: Mutex::default(),
            looks: Looks::default(),
            crowds: Crowds::default(),
        })
    }

    /// How long one request waits for a server that can serve it.
    pub(super) fn selection(&self) -> Duration {
        self.selection
    }

    pub(super) fn wait<F: Future>(&self, future: F) -> F::Output {
        self.threads.wait(future)
    }

    /// Waits for what the database answers, but not for ever.
    pub(super) fn answer<T>(&self, asked: impl Future<Output = DriverResult<T>>) -> Result<T, Failed> {
        let answer = self.wait(async { timeout(self.patience.answer, asked).await });
        answer.map_err(|_| Failed::Late(self.patience.answer))?.map_err(Failed::Driver)
    }

    /// The same, where nothing of the caller is needed for it.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        asked: impl Future<Output = DriverResult<T>> + Send + 'static,
    ) -> Result<T, Failed> {
        self.finish(self.begin(asked))
    }

    /// Asks while the caller does something else.
    pub(super) fn begin<T: Send + 'static>(
        &self,
        asked: impl Future<Output = DriverResult<T>> + Send + 'static,
    ) -> Asked<T> {
        let patience = self.patience.answer;
        Asked(self.threads.begin(async move { timeout(patience, asked).await }))
    }

    /// Waits for what was asked.
    pub(super) fn finish<T>(&self, asked: Asked<T>) -> Result<T, Failed> {
        let answer = self.threads.finish(asked.0);
        answer.map_err(|_| Failed::Late(self.patience.answer))?.map_err(Failed::Driver)
    }

    pub(super) fn database(&self) -> &Database {
        &self.database
    }

    pub(super) fn collection(&self, name: &str) -> Collection<RawDocumentBuf> {
        self.database.collection(name)
    }

    /// A session for the whole of a snapshot that sees the database at this moment.
    pub(super) fn snapshot_session(&self, time: Timestamp) -> Result<ClientSession, StoreError> {
        self.session(SessionOptions::builder().snapshot(true).snapshot_time(time).build())
    }

    /// A session whose reads all see the database as it is at the first of them, which is that of the state: what a majority of the servers has.
    pub(super) fn look(&self) -> Result<(ClientSession, State), StoreError> {
        let (client, state) = (self.client.clone(), self.collection(STATE));
        let (session, found) = self.ask(async move {
            let mut session = client.start_session().snapshot(true).await?;
            let found = state.find_one(doc! { "_id": STATE_ID }).session(&mut session).await?;
            Ok((session, found))
        })?;
        Ok((session, State::of_document(&found.ok_or_else(|| layout::damaged(STATE))?)?))
    }

    /// A session for transactions that are durable and serializable once they are committed.
    pub(super) fn writer_session(&self) -> Result<ClientSession, StoreError> {
        let options = TransactionOptions::builder()
            .read_concern(ReadConcern::snapshot())
            .write_concern(majority())
            .selection_criteria(primary())
            .build();
        self.session(SessionOptions::builder().default_transaction_options(options).build())
    }

    fn session(&self, options: SessionOptions) -> Result<ClientSession, StoreError> {
        Ok(self.answer(async { self.client.start_session().with_options(options).await })?)
    }

    /// Read outside sessions: what can no longer be undone.
    fn majority_state(&self) -> Collection<RawDocumentBuf> {
        let options = CollectionOptions::builder().read_concern(ReadConcern::majority()).build();
        self.database.collection_with_options(STATE, options)
    }

    /// The state as a majority of the servers has it.
    pub(super) fn state(&self) -> Result<State, StoreError> {
        self.find_state()?.ok_or_else(|| layout::damaged(STATE))
    }

    /// The state, if there is a store.
    pub(super) fn find_state(&self) -> Result<Option<State>, StoreError> {
        let found = self.answer(async { self.majority_state().find_one(doc! { "_id": STATE_ID }).await })?;
        found.map(|found| State::of_document(&found)).transpose()
    }

    /// The collections with how many documents they have, sorted by name; those without are left out.
    pub(super) fn collections(&self) -> Result<Vec<(String, u64)>, StoreError> {
        let found = self.answer(async {
            let filter = doc! { "_id": { "$gte": COUNTERS }, "documents": { "$gt": 0 } };
            let mut cursor = self.majority_state().find(filter).sort(doc! { "_id": 1 }).await?;
            let mut collections = Vec::new();
            while cursor.advance().await? {
                let counters = cursor.current();
                let name = counters.get_str("_id").ok().and_then(|id| id.strip_prefix(COUNTERS));
                let documents = counters.get_i64("documents").ok();
                collections.extend(name.zip(documents).map(|(name, count)| (name.to_owned(), count as u64)));
            }
            Ok(collections)
        });
        Ok(found?)
    }

    /// The last state that this process has heard of.
    pub(super) fn heard(&self) -> State {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of a state.
    pub(super) fn hear(&self, state: &State) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        if heard.commits < state.commits {
            *heard = *state;
        }
    }

    /// Takes note of a group of this process, and whether others were in its way.
    pub(super) fn note_group(&self, is_contended: bool) {
        match is_contended {
            true => self.alone.store(0, Ordering::Release),
            false => drop(self.alone.fetch_add(1, Ordering::AcqRel)),
        }
    }

    /// Whether others have not been in the way for so long that they will not be now, as far as can be told.
    pub(super) fn is_alone(&self) -> bool {
        self.alone.load(Ordering::Acquire) >= ALONE
    }

    /// Looks at the state, with which snapshots begin.
    pub(super) fn looks(&self) -> &Looks {
        &self.looks
    }

    /// The values that this process knows.
    pub(super) fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What this process knows of homes, if it is what there was after so many changes.
    pub(super) fn known(&self, changes: i64) -> Option<Arc<Known>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        (known.0 == changes).then(|| known.1.clone())
    }

    /// Takes note of what there is after so many changes, unless it knows of more.
    pub(super) fn remember(&self, changes: i64, homes: Arc<Known>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.0 < changes {
            *known = (changes, homes);
        }
    }

    /// How many documents searches had.
    pub(super) fn crowds(&self) -> &Crowds {
        &self.crowds
    }

    /// What a pipeline says of the server that is asked, within bounds.
    pub(super) fn server_facts(&self, pipeline: Vec<Document>) -> Result<Vec<Document>, StoreError> {
        let facts = self.answer(async {
            let mut cursor = self.client.database("admin").aggregate(pipeline).await?;
            let mut facts = Vec::new();
            while cursor.advance().await? {
                facts.push(cursor.deserialize_current()?);
            }
            Ok(facts)
        });
        Ok(facts?)
    }

    /// Runs a command outside sessions.
    pub(super) fn command(&self, command: Document) -> Result<Document, StoreError> {
        Ok(self.answer(async { self.database.run_command(command).await })?)
    }

    /// What the server says of itself; asked again for so long where it does not answer.
    fn hello(&self, patience: Duration) -> Result<Document, StoreError> {
        let until = Instant::now() + patience;
        let mut pause = PAUSE;
        loop {
            let asked = self.database.run_command(doc! { "hello": 1 });
            let error = match self.wait(async { asked.await }) {
                Ok(hello) => return Ok(hello),
                Err(error) => error,
            };
            if is_final(&error) || Instant::now() + pause > until {
                return Err(unusable(format!("the database cannot be reached: {}", error.kind)));
            }
            thread::sleep(pause);
            pause = (2 * pause).min(Duration::from_secs(1));
        }
    }

    fn make_collections(&self) -> Result<(), StoreError> {
        self.make_state()?;
        for name in [DOCUMENTS, VERSIONS, VALUES] {
            self.make_collection(name)?;
            let indexes = layout::indexes(name);
            if !indexes.is_empty() {
                let made = self.wait(async { self.collection(name).create_indexes(indexes).await });
                made.map_err(|error| of_driver(&error))?;
            }
        }
        Ok(())
    }

    /// What transactions write must be there before: making it would be in the way of others.
    fn make_collection(&self, name: &str) -> Result<(), StoreError> {
        match self.wait(async { self.database.create_collection(name).await }) {
            Err(error) if code(&error) != Some(NAMESPACE_EXISTS) => Err(of_driver(&error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Also checks that a state which is there is one of this format.
    fn make_state(&self) -> Result<(), StoreError> {
        if self.find_state()?.is_some() {
            return Ok(());
        }
        self.make_collection(STATE)?;
        match self.wait(async { self.collection(STATE).insert_one(State::FIRST.to_raw()).await }) {
            // Another process may have made it at the same moment.
            Err(error) => self.find_state()?.map(drop).ok_or_else(|| of_driver(&error)),
            Ok(_) => Ok(()),
        }
    }
}

async fn options(url: &str) -> Result<ClientOptions, StoreError> {
    if url.starts_with("mongodb+srv:") {
        return Err(unusable(format!(
            "`mongodb+srv:` needs a look-up that this program does not do: write {URL_FORM}"
        )));
    }
    // The driver's text may quote what stands where a password does.
    let parsed = ClientOptions::parse(url).await;
    let mut options = parsed.map_err(|_| unusable(format!("the URL of the database is not like {URL_FORM}")))?;
    options.app_name.get_or_insert_with(|| "flint".to_owned());
    options.max_pool_size.get_or_insert(CONNECTIONS);
    options.server_selection_timeout.get_or_insert(SELECTION);
    options.selection_criteria = Some(primary());
    // The driver would put this before what sessions say.
    options.read_concern = None;
    options.write_concern = Some(majority());
    Ok(options)
}

/// For a look at the first server alone, whatever it is.
fn direct(options: &ClientOptions) -> ClientOptions {
    let mut options = options.clone();
    options.hosts.truncate(1);
    options.direct_connection = Some(true);
    options.repl_set_name = None;
    options.server_selection_timeout = Some(GLANCE);
    options
}

/// Whether a server that says this of itself can keep a store.
fn check_server(hello: &Document) -> Result<(), StoreError> {
    if hello.get_str("msg").is_ok_and(|kind| kind == "isdbgrid") {
        return Err(unusable("the database is a sharded cluster; a replica set is needed".to_owned()));
    }
    if hello.get_str("setName").is_err() {
        return Err(unusable(
            "the database is a stand-alone server, which has no transactions: start `mongod` with `--replSet NAME`, and make a \
             replica set of it with `rs.initiate()`, be it of one server"
                .to_owned(),
        ));
    }
    if hello.get_i32("maxWireVersion").unwrap_or(0) < WIRE_VERSION {
        return Err(unusable("the database is older than MongoDB 5.0".to_owned()));
    }
    Ok(())
}

fn majority() -> WriteConcern {
    WriteConcern::builder().w(Acknowledgment::Majority).journal(true).w_timeout(REPLICATION).build()
}

fn primary() -> SelectionCriteria {
    SelectionCriteria::ReadPreference(ReadPreference::Primary)
}

/// Whether asking again is of no use.
fn is_final(error: &Error) -> bool {
    matches!(*error.kind, ErrorKind::Authentication { .. } | ErrorKind::InvalidTlsConfig { .. })
}

fn unusable(text: String) -> StoreError {
    StoreError::Unusable(text)
}
