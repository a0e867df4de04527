//! The writer's side of the database: groups of batches become transactions, which are tried again where that is of use.

use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use mongodb::bson::{RawDocumentBuf, doc, rawdoc};

use super::connection::Connection;
use super::group::Group;
use super::homes::Homes;
use super::layout::{self, STATE, STATE_ID, State};
use super::view::View;
use super::{session, updates};
use crate::prepare::Prepared;
use crate::writer::{Answer, Engine};
use crate::{Clock, StoreError};

/// For how long a group is tried again. More than a minute: so long the server keeps a transaction whose process was killed, and what
/// that has written cannot be written by others meanwhile.
const PATIENCE: Duration = Duration::from_secs(75);

/// The same where the database does not answer: about as long as an election takes. Others wait in line.
const PATIENCE_AWAY: Duration = Duration::from_secs(20);

/// The first pause before a group is tried again, and the longest: each is up to twice as long as the one before, by chance, so that
/// processes which are in each other's way do not stay in step.
const PAUSE: Duration = Duration::from_millis(1);
const PAUSE_MAX: Duration = Duration::from_millis(100);

pub(super) struct MongoEngine {
    connection: Arc<Connection>,
    directory: PathBuf,
    view: View,
    /// Whether the server may still be busy with what was asked in the session.
    is_stuck: bool,
    clock: Arc<dyn Clock>,
    /// The state after the last group. Missing when that was tried more than once: others write, too.
    state: Option<State>,
    homes: Homes,
}

impl MongoEngine {
    /// Its session is noted in the directory, which this process has taken.
    pub(super) fn new(
        connection: Arc<Connection>,
        directory: &Path,
        clock: Arc<dyn Clock>,
    ) -> Result<MongoEngine, StoreError> {
        let view = View::new(connection.clone(), session::open(&connection, directory)?);
        let directory = directory.to_owned();
        let homes = Homes::default();
        Ok(MongoEngine { connection, directory, view, is_stuck: false, clock, state: None, homes })
    }

    /// Once. `is_contended` says that others write at the same time: then the state is written first, which keeps them off.
    fn attempt(&mut self, batches: &[Prepared], is_contended: bool, until: Instant) -> Result<Vec<Answer>, StoreError> {
        if self.is_stuck {
            let session = session::open(&self.connection, &self.directory)?;
            self.view = View::new(self.connection.clone(), session);
            self.is_stuck = false;
        }
        self.view.begin()?;
        let (answers, state) = self.write_group(batches, is_contended).inspect_err(|_| self.view.abort())?;
        match state {
            Some(state) => self.commit(state, until)?,
            None => self.view.abort(),
        }
        Ok(answers)
    }

    /// What becomes of each batch, and the state when that is committed; none when all were refused.
    fn write_group(
        &mut self,
        batches: &[Prepared],
        is_contended: bool,
    ) -> Result<(Vec<Answer>, Option<State>), StoreError> {
        let (state, commits) = match self.state {
            _ if is_contended => self.take_state()?,
            Some(state) => (state, state.commits),
            None => self.read_state()?,
        };
        let mut group = Group::begin(&mut self.view, &mut self.homes, state, batches)?;
        let mut answers = Vec::with_capacity(batches.len());
        for Prepared { batch, .. } in batches {
            let answer = match group.check(batch) {
                Ok(()) => Ok(group.apply(batch, self.clock.now())?),
                Err(error) if error.is_refusal() => Err(error),
                Err(error) => return Err(error),
            };
            answers.push(answer);
        }
        let state = match answers.iter().any(Result::is_ok) {
            true => Some(group.finish(commits)?),
            false => None,
        };
        Ok((answers, state))
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

    fn commit(&mut self, state: State, until: Instant) -> Result<(), StoreError> {
        let mut pause = PAUSE;
        while self.view.commit()?.is_none() {
            if Instant::now() > until {
                return Err(StoreError::Unreachable(
                    "the database does not say whether it has the last commit, which may be there or not".to_owned(),
                ));
            }
            pause = rest(pause);
        }
        self.state = Some(state);
        // Before anybody is answered: whoever knows of the commit has snapshots with it.
        self.connection.is_recent(&state);
        Ok(())
    }
}

impl Engine for MongoEngine {
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
                Err(error) if self.view.may_retry && begun.elapsed() < patience(&error) => {
                    is_contended = true;
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

/// For how long a group is tried again that ended so.
fn patience(error: &StoreError) -> Duration {
    match error {
        StoreError::Unreachable(_) => PATIENCE_AWAY,
        _ => PATIENCE,
    }
}

/// Sleeps for about so long, and says for how long the next time.
fn rest(pause: Duration) -> Duration {
    let chance = RandomState::new().hash_one(pause) % 1024;
    thread::sleep(pause + pause * chance as u32 / 1024);
    (2 * pause).min(PAUSE_MAX)
}
