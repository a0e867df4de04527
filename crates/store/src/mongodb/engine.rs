//! The writer's side of the database: groups of batches become transactions, which are tried again where that is of use.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use mongodb::bson::{RawDocumentBuf, doc, rawdoc};

use super::connection::Connection;
use super::group::{Finished, Group};
use super::homes::Homes;
use super::layout::{self, STATE, STATE_ID, State};
use super::session::{self, Watch};
use super::updates;
use super::view::{Again, View};
use crate::prepare::Prepared;
use crate::writer::{Answer, Engine};
use crate::{Clock, StoreError};

/// For how long a group is tried again that others are in the way of. More than a minute: so long the server keeps a transaction whose process was killed, and what
/// that has written cannot be written by others meanwhile.
const PATIENCE: Duration = Duration::from_secs(75);

/// After how long others are in the way longer than usual: perhaps they are gone.
const HINDERED: Duration = Duration::from_secs(1);

/// The first pause before a group is tried again, and the longest: each is up to twice as long as the one before, by chance, so that
/// processes which are in each other's way do not stay in step.
const PAUSE: Duration = Duration::from_millis(1);
const PAUSE_MAX: Duration = Duration::from_millis(100);

pub(super) struct MongoEngine {
    connection: Arc<Connection>,
    place: String,
    view: View,
    /// Whether the server may still be busy with what was asked in the session.
    is_stuck: bool,
    clock: Arc<dyn Clock>,
    /// The state after the last group. Missing when that was tried more than once: others write, too.
    state: Option<State>,
    /// Since there were so many commits, all were made by this process.
    alone_since: i64,
    homes: Homes,
    watch: Watch,
}

impl MongoEngine {
    /// Its session is noted under the place of this process.
    pub(super) fn new(
        connection: Arc<Connection>,
        place: &str,
        clock: Arc<dyn Clock>,
    ) -> Result<MongoEngine, StoreError> {
        let view = View::new(connection.clone(), session::open(&connection, place)?);
        let (place, homes, watch) = (place.to_owned(), Homes::default(), Watch::default());
        Ok(MongoEngine { connection, place, view, is_stuck: false, clock, state: None, alone_since: 0, homes, watch })
    }

    /// Once. `is_contended` says that others write at the same time: then the state is written first, which keeps them off.
    fn attempt(&mut self, batches: &[Prepared], is_contended: bool, until: Instant) -> Result<Vec<Answer>, StoreError> {
        if self.is_stuck {
            let session = session::open(&self.connection, &self.place)?;
            self.view = View::new(self.connection.clone(), session);
            self.is_stuck = false;
        }
        self.view.begin()?;
        let (answers, finished) = self.write_group(batches, is_contended).inspect_err(|_| self.view.abort())?;
        match finished {
            Some(Finished { state, values }) => {
                self.commit(until)?;
                self.state = Some(state);
                let values = values.iter().map(|(name, value)| (name.as_slice(), value.value.as_deref()));
                self.connection.recent().advance(state.commits, values);
                // Before anybody is answered: whoever knows of the commit has snapshots with it.
                self.connection.hear(&state);
                self.connection.note_group(is_contended);
            }
            None => self.confirm(is_contended, until)?,
        }
        Ok(answers)
    }

    /// What becomes of each batch, and what is so when that is committed; none when all were refused.
    fn write_group(
        &mut self,
        batches: &[Prepared],
        is_contended: bool,
    ) -> Result<(Vec<Answer>, Option<Finished>), StoreError> {
        let (state, commits) = match self.state {
            _ if is_contended => self.take_state()?,
            Some(state) => (state, state.commits),
            None => self.read_state()?,
        };
        if is_contended || self.state.is_none() {
            self.alone_since = state.commits;
        }
        let since = (state, self.alone_since);
        let mut group = Group::begin(&mut self.view, &mut self.homes, since, batches, is_contended)?;
        let mut answers = Vec::with_capacity(batches.len());
        for Prepared { batch, .. } in batches {
            let answer = match group.check(batch) {
                Ok(()) => Ok(group.apply(batch, self.clock.now())?),
                Err(error) if error.is_refusal() => Err(error),
                Err(error) => return Err(error),
            };
            answers.push(answer);
        }
        let finished = match answers.iter().any(Result::is_ok) {
            true => Some(group.finish(commits)?),
            false => None,
        };
        Ok((answers, finished))
    }

    /// The state, and at how many commits it is in the database.
    fn read_state(&mut self) -> Result<(State, i64), StoreError> {
        let found = self.view.find_one(STATE, doc! { "_id": STATE_ID }, None)?;
        let state = State::of_document(&found.ok_or_else(|| layout::damaged(STATE))?)?;
        Ok((state, state.commits))
    }

    /// The same, with one commit more in the database: until this transaction ends, no other one can change it.
    fn take_state(&mut self) -> Result<(State, i64), StoreError> {
        let (query, update) = (rawdoc! { "_id": STATE_ID }, rawdoc! { "$inc": { "commits": 1_i64 } });
        let command = rawdoc! { "findAndModify": STATE, "query": query, "update": update };
        let answer = updates::run(&mut self.view, command)?;
        let before = answer.get_document("value").ok().and_then(|before| RawDocumentBuf::try_from(before).ok());
        let state = State::of_document(&before.ok_or_else(|| layout::damaged(STATE))?)?;
        Ok((state, state.commits + 1))
    }

    /// For how long a group is tried again that ended as the last one did. Others wait in line.
    fn patience(&self) -> Duration {
        match self.view.again {
            Again::Never => Duration::ZERO,
            Again::Contended => PATIENCE,
            Again::Away => self.connection.selection(),
        }
    }

    /// Waits until a majority has all that refusals rest on: whoever is refused and reads again must not read what there was before.
    fn confirm(&mut self, is_contended: bool, until: Instant) -> Result<(), StoreError> {
        if is_contended {
            // The state was written already.
            self.view.abort();
            self.view.begin()?;
            self.read_state()?;
        } else if let Some(known) = self.state
            && self.read_state().inspect_err(|_| self.view.abort())?.0 != known
        {
            // They rest on what this process remembers, and others have written since.
            self.view.abort();
            self.view.again = Again::Contended;
            return Err(StoreError::Engine("others have written since the last group".to_owned()));
        }
        self.commit(until)
    }

    fn commit(&mut self, until: Instant) -> Result<(), StoreError> {
        let mut pause = PAUSE;
        while self.view.commit()?.is_none() {
            if Instant::now() > until {
                return Err(StoreError::Unreachable(
                    "the database does not say whether it has the last commit, which may be there or not".to_owned(),
                ));
            }
            pause = rest(pause);
        }
        Ok(())
    }
}

impl Engine for MongoEngine {
    /// The database keeps a transaction in its cache until it is committed, several times as large with all keys, and refuses one that takes too
    /// much of that: it may have no more than 256 MB.
    const GROUP_BYTES_MAX: usize = 4 << 20;

    fn write(&mut self, batches: Vec<Prepared>) -> Result<Vec<Answer>, StoreError> {
        let begun = Instant::now();
        let mut pause = PAUSE;
        let mut is_contended = false;
        loop {
            let result = self.attempt(&batches, is_contended, begun + PATIENCE);
            if result.is_err() {
                self.homes.clear();
            }
            match result {
                Ok(answers) => {
                    self.state = self.state.filter(|_| !is_contended);
                    return Ok(answers);
                }
                Err(_) if begun.elapsed() < self.patience() => {
                    is_contended = true;
                    self.connection.note_group(is_contended);
                    if self.view.again == Again::Contended && begun.elapsed() > HINDERED {
                        self.watch.look(&self.connection);
                    }
                    pause = rest(pause);
                }
                Err(error) => {
                    self.state = None;
                    self.is_stuck = matches!(error, StoreError::Unreachable(_));
                    return Err(error);
                }
            }
        }
    }
}

/// Sleeps for about so long, and says for how long the next time.
fn rest(pause: Duration) -> Duration {
    let chance = RandomState::new().hash_one(pause) % 1024;
    thread::sleep(pause + pause * chance as u32 / 1024);
    (2 * pause).min(PAUSE_MAX)
}
