//! Reading, and what a commit writes, within one session of the driver: a snapshot's, or the writer's with what it has written so far.

use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use mongodb::bson::{Document, RawDocument, RawDocumentBuf};
use mongodb::error::{Error, TRANSIENT_TRANSACTION_ERROR, UNKNOWN_TRANSACTION_COMMIT_RESULT};
use mongodb::options::{AggregateOptions, FindOptions};
use mongodb::{ClientSession, Collection, SessionCursor};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::connection::{Asked, Connection};
use super::crowds::Crowds;
use super::error::{Failed, code, is_in_the_way};
use super::homes::Known;
use super::recent::Recent;
use crate::StoreError;

/// What a query gives, piece by piece.
pub(super) type Cursor = SessionCursor<RawDocumentBuf>;

/// A number that is asked for beside all else.
pub(super) type Aside = Asked<u64>;

/// What gives a number.
pub(super) enum Tally {
    /// The `count` that comes out of a pipeline; 0 where nothing does.
    Pipeline(Vec<Document>, Box<AggregateOptions>),
    /// As many documents as are found.
    Found(Box<FindOptions>),
}

/// Not found by an index of names but by its code: what was to be made is there already.
const DUPLICATE_KEY: i32 = 11000;

/// How long the server is waited for to forget a transaction.
const ABORTING: Duration = Duration::from_secs(1);

pub(super) struct View {
    connection: Arc<Connection>,
    session: Arc<Mutex<ClientSession>>,
    /// Whether the same may work when it is tried again from the beginning, after the last error.
    pub(super) again: Again,
}

/// Whether something that failed may work when it is tried again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    Never,
    /// When another transaction has ended.
    Contended,
    /// When there is a server that can do it.
    Away,
}

impl View {
    pub(super) fn new(connection: Arc<Connection>, session: ClientSession) -> View {
        View { connection, session: Arc::new(Mutex::new(session)), again: Again::Never }
    }

    /// What is known of homes after so many changes of them, which this view sees.
    pub(super) fn known(&mut self, changes: i64) -> Result<Arc<Known>, StoreError> {
        if let Some(known) = self.connection.known(changes) {
            return Ok(known);
        }
        let known = Arc::new(Known::read(self)?);
        self.connection.remember(changes, known.clone());
        Ok(known)
    }

    /// The values that this process knows.
    pub(super) fn recent(&self) -> MutexGuard<'_, Recent> {
        self.connection.recent()
    }

    /// The documents of a collection that satisfy a condition.
    pub(super) fn find(
        &mut self,
        collection: &str,
        filter: Document,
        options: FindOptions,
    ) -> Result<Cursor, StoreError> {
        let (collection, session) = (self.connection.collection(collection), self.session.clone());
        let result = self.connection.ask(async move {
            let find = collection.find(filter).with_options(options);
            find.session(&mut *session.lock().await).await
        });
        result.map_err(|failed| self.failed(failed))
    }

    /// The first of them.
    pub(super) fn find_one(
        &mut self,
        collection: &str,
        filter: Document,
        projection: Option<Document>,
    ) -> Result<Option<RawDocumentBuf>, StoreError> {
        let options = FindOptions::builder().limit(-1).projection(projection).build();
        let mut cursor = self.find(collection, filter, options)?;
        Ok(self.next(&mut cursor)?.map(ToOwned::to_owned))
    }

    /// What comes out of a pipeline.
    pub(super) fn aggregate(
        &mut self,
        collection: &str,
        pipeline: Vec<Document>,
        options: AggregateOptions,
    ) -> Result<Cursor, StoreError> {
        let (collection, session) = (self.connection.collection(collection), self.session.clone());
        let result = self.connection.ask(async move {
            let aggregate = collection.aggregate(pipeline).with_options(options).with_type::<RawDocumentBuf>();
            aggregate.session(&mut *session.lock().await).await
        });
        result.map_err(|failed| self.failed(failed))
    }

    /// A number.
    pub(super) fn number(&mut self, collection: &str, tally: Tally) -> Result<u64, StoreError> {
        let (collection, session) = (self.connection.collection(collection), self.session.clone());
        let result = self.connection.ask(async move { number(collection, &mut *session.lock().await, tally).await });
        result.map_err(|failed| self.failed(failed))
    }

    /// Asks for a number in another session that sees the same, while something else is done here. `None` in a transaction, which no other session
    /// sees into.
    pub(super) fn aside(&self, collection: &str, tally: Tally) -> Result<Option<Aside>, StoreError> {
        let Some(time) = self.session.try_lock().ok().and_then(|session| session.snapshot_time()) else {
            return Ok(None);
        };
        let mut session = self.connection.snapshot_session(time)?;
        let collection = self.connection.collection(collection);
        Ok(Some(self.connection.begin(async move { number(collection, &mut session, tally).await })))
    }

    /// What was asked aside.
    pub(super) fn finish(&mut self, aside: Aside) -> Result<u64, StoreError> {
        self.connection.finish(aside).map_err(|failed| self.failed(failed))
    }

    /// How many documents searches had.
    pub(super) fn crowds(&self) -> &Crowds {
        self.connection.crowds()
    }

    /// The next piece of what a query gives; `None` at its end.
    pub(super) fn next<'p>(&mut self, cursor: &'p mut Cursor) -> Result<Option<&'p RawDocument>, StoreError> {
        // Seldom asks the server: most of what it gives is there already.
        let result = self.connection.answer(async { cursor.advance(&mut *self.session.lock().await).await });
        match result.map_err(|failed| self.failed(failed))? {
            true => Ok(Some(cursor.current())),
            false => Ok(None),
        }
    }

    /// Runs a command of the database; what it answers.
    pub(super) fn command(&mut self, command: RawDocumentBuf) -> Result<Document, StoreError> {
        let (database, session) = (self.connection.database().clone(), self.session.clone());
        let result = self
            .connection
            .ask(async move { database.run_raw_command(command).session(&mut *session.lock().await).await });
        result.map_err(|failed| self.failed(failed))
    }

    pub(super) fn insert(&mut self, collection: &str, documents: Vec<RawDocumentBuf>) -> Result<(), StoreError> {
        if documents.is_empty() {
            return Ok(());
        }
        let (collection, session) = (self.connection.collection(collection), self.session.clone());
        let result = self
            .connection
            .ask(async move { collection.insert_many(documents).session(&mut *session.lock().await).await });
        result.map(drop).map_err(|failed| self.failed(failed))
    }

    /// Begins a transaction. Until it ends, all that is done here is part of it.
    pub(super) fn begin(&mut self) -> Result<(), StoreError> {
        self.again = Again::Never;
        let result = self.connection.answer(async { self.session.lock().await.start_transaction().await });
        result.map_err(|failed| self.failed(failed))
    }

    /// Makes what was written since [`View::begin`] durable and visible. `None` when it is not known whether it is: ask again.
    pub(super) fn commit(&mut self) -> Result<Option<()>, StoreError> {
        let session = self.session.clone();
        match self.connection.ask(async move { session.lock().await.commit_transaction().await }) {
            Ok(()) => Ok(Some(())),
            Err(Failed::Driver(error)) if error.contains_label(UNKNOWN_TRANSACTION_COMMIT_RESULT) => Ok(None),
            Err(Failed::Late(_)) => Ok(None),
            Err(failed) => Err(self.failed(failed)),
        }
    }

    /// Forgets what was written since [`View::begin`].
    pub(super) fn abort(&mut self) {
        // The server forgets it anyway, sooner or later, and has often done so already. One that is away is not waited for.
        let abort = async { self.session.lock().await.abort_transaction().await };
        drop(self.connection.wait(async { timeout(ABORTING, abort).await }));
    }

    fn failed(&mut self, failed: Failed) -> StoreError {
        self.again = match &failed {
            Failed::Driver(error) if is_in_the_way(error) || is_duplicate(error) => Again::Contended,
            Failed::Driver(error) if error.contains_label(TRANSIENT_TRANSACTION_ERROR) => Again::Away,
            Failed::Driver(_) | Failed::Late(_) => Again::Never,
        };
        failed.into()
    }
}

async fn number(
    collection: Collection<RawDocumentBuf>,
    session: &mut ClientSession,
    tally: Tally,
) -> Result<u64, Error> {
    match tally {
        Tally::Pipeline(pipeline, options) => {
            let aggregate = collection.aggregate(pipeline).with_options(*options).with_type::<RawDocumentBuf>();
            let mut cursor = aggregate.session(&mut *session).await?;
            if !cursor.advance(session).await? {
                return Ok(0);
            }
            let count = cursor.current().get("count")?;
            let count = count.and_then(|count| count.as_i64().or(count.as_i32().map(i64::from)));
            count.and_then(|count| u64::try_from(count).ok()).ok_or_else(|| Error::custom("no count was given"))
        }
        Tally::Found(options) => {
            let mut cursor = collection.find(Document::new()).with_options(*options).session(&mut *session).await?;
            let mut count = 0;
            while cursor.advance(session).await? {
                count += 1;
            }
            Ok(count)
        }
    }
}

/// Within a transaction this is the sign of another one that was quicker.
fn is_duplicate(error: &Error) -> bool {
    code(error) == Some(DUPLICATE_KEY)
}
