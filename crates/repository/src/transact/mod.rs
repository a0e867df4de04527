//! Every write, <https://hl7.org/fhir/R4/http.html#trules>: what does not depend on the store once, then tries, each on a fresh snapshot,
//! until one commits as a whole.
//!
//! A try never decides on something that the commit does not check again: versions read, and what conditions matched, are its
//! preconditions. A lost race is another try, so racing callers see the same answers as callers one after another.

pub(crate) mod content;

mod draft;
mod identity;
mod matching;
mod plan;
pub(crate) mod references;
mod resolve;

use std::sync::{Arc, PoisonError};

use fhir::{IssueType, Outcome};
use store::{Batch, Key, Snapshot, StoreError, Version, Write};

use self::content::Content;
use self::plan::{Plan, Report};
use crate::change::CHANGES_MAX;
use crate::once::Found;
use crate::{Change, Changed, Note, Refusal, Session, fault};

/// How often a transaction is tried before the caller is told that others were always first.
const TRIES_MAX: usize = 100;

/// How often it is tried before it takes turns with others that lost as often.
const TRIES_FREE: usize = 3;

impl Session<'_> {
    /// All changes or none, in the order that R4 gives a transaction; one result for each, in the order given. When it returns, it is on disk.
    pub fn transact(&self, changes: Vec<Change>) -> Result<Vec<Changed>, Refusal> {
        self.transact_noting(changes, None)
    }

    /// Whether [`Session::transact`] would take these changes now. Nothing is written.
    pub fn rehearse(&self, changes: Vec<Change>) -> Result<(), Refusal> {
        check_count(&changes)?;
        let session = self.renewed();
        let drafts = draft::all(&session, changes)?;
        let snapshot = self.snapshot()?;
        Plan::make(&session, &*snapshot, &drafts, &mut Kept::of(&drafts))?;
        Ok(())
    }

    /// [`Session::transact`], with a note in the same commit: it is there exactly when the changes are.
    pub fn transact_noting(&self, changes: Vec<Change>, note: Option<Note>) -> Result<Vec<Changed>, Refusal> {
        self.transact_with(changes, note.map(Note::write).as_slice())
    }

    /// [`Session::transact`], with more writes in the same commit.
    pub(crate) fn transact_with(&self, changes: Vec<Change>, more: &[Write]) -> Result<Vec<Changed>, Refusal> {
        check_count(&changes)?;
        let mut session = self.renewed();
        let mut drafts = draft::all(&session, changes)?;
        let mut kept = Kept::of(&drafts);
        let mut turn = None;
        for attempt in 0..TRIES_MAX {
            if attempt == TRIES_FREE {
                turn = Some(self.repository.turn.lock().unwrap_or_else(PoisonError::into_inner));
            }
            // Who only makes what is new need ask nothing before the commit, which tells if others have committed meanwhile.
            let snapshot = match attempt {
                0 => self.setup().store.presumed().map_err(fault::outcome)?,
                _ => self.snapshot()?,
            };
            let tried = self.try_on(&session, &*snapshot, &drafts, &mut kept, more);
            let Attempt { mut batch, report, accounted, sets } = match tried {
                Ok(Tried::Planned(attempt)) => attempt,
                _ if !snapshot.holds().map_err(fault::outcome)? => continue,
                Ok(Tried::Unchanged(changed)) => return Ok(session.masked(changed)?),
                Ok(Tried::Repeated(changed)) => {
                    self.advance();
                    return Ok(session.masked(changed)?);
                }
                Err(refusal) => return Err(refusal),
            };
            batch.preconditions.extend(snapshot.premise());
            drop(snapshot);
            match self.setup().store.commit(batch) {
                Ok(committed) => {
                    self.tell_rules(&committed.versions);
                    self.advance();
                    if accounted {
                        self.repository.ledger().wake();
                    }
                    if sets {
                        self.repository.renew()?;
                        self.repository.work.wake();
                    }
                    return Ok(self.renewed().masked(report.changed(&committed.versions))?);
                }
                Err(StoreError::Conflict(_) | StoreError::Claimed(_)) => {}
                Err(error) => return Err(fault::outcome(error).into()),
            }
            let generation = session.live.generation;
            if self.repository.renew()?.generation != generation {
                // Conditions and rows were made with search parameters that are not those of now.
                session = self.renewed();
                drafts.iter_mut().try_for_each(|draft| draft.compile(&session))?;
                kept.contents.fill(None);
            }
        }
        drop(turn);
        Err(fault::outcome(StoreError::Conflict(0)).into())
    }

    /// What is to be committed by what a snapshot shows.
    fn try_on(
        &self,
        session: &Session<'_>,
        snapshot: &dyn Snapshot,
        drafts: &[draft::Draft],
        kept: &mut Kept,
        more: &[Write],
    ) -> Result<Tried, Refusal> {
        let place = match self.once.as_ref().map(|once| once.find(session, snapshot, drafts.len())).transpose()? {
            Some(Found::Done(changed)) => return Ok(Tried::Repeated(changed)),
            Some(Found::Open(place)) => Some(place),
            None => None,
        };
        let plan = Plan::make(session, snapshot, drafts, kept)?;
        let (mut batch, report) = plan.batch()?;
        batch.writes.extend_from_slice(more);
        let accounts = if batch.writes.is_empty() { Vec::new() } else { plan.accounts()? };
        let accounted = !accounts.is_empty();
        batch.writes.extend(accounts);
        if let Some(place) = place {
            place.note(&mut batch, report.kept());
        }
        Ok(match batch.writes.is_empty() {
            true => Tried::Unchanged(report.changed(&[])),
            false => Tried::Planned(Attempt { batch, report, accounted, sets: plan.sets() }),
        })
    }

    fn tell_rules(&self, committed: &[Version]) {
        for version in committed {
            let rules = self.setup().rules.iter();
            let its = rules.filter(|rule| rule.resource_types().contains(&version.key.collection()));
            its.for_each(|rule| rule.committed(version));
        }
    }

    /// The next commit of a request that is done once is another one.
    fn advance(&self) {
        if let Some(once) = &self.once {
            once.advance();
        }
    }
}

fn check_count(changes: &[Change]) -> Result<(), Outcome> {
    if changes.len() <= CHANGES_MAX {
        return Ok(());
    }
    let text = format!("the transaction has {} changes, at most {CHANGES_MAX} are taken", changes.len());
    Err(Outcome::new(IssueType::TooCostly, text))
}

/// What comes of one try on a snapshot.
enum Tried {
    /// It was done before.
    Repeated(Vec<Changed>),
    /// It changes nothing.
    Unchanged(Vec<Changed>),
    Planned(Attempt),
}

/// What is to be committed, and what follows.
struct Attempt {
    batch: Batch,
    report: Report,
    /// Whether it accounts for what it does.
    accounted: bool,
    /// Whether it sets what is searched by.
    sets: bool,
}

/// What one try leaves for the next.
struct Kept {
    /// The keys made for new resources.
    fresh: Vec<Option<Key>>,
    contents: Vec<Option<Arc<Content>>>,
}

impl Kept {
    fn of(drafts: &[draft::Draft]) -> Kept {
        Kept { fresh: vec![None; drafts.len()], contents: vec![None; drafts.len()] }
    }
}

#[cfg(test)]
mod tests;
