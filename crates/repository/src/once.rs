//! Requests that are done once, however often they are sent: what one wrote is kept under the name that the caller gave it, in the commit that
//! wrote it.
//!
//! Invariants:
//! - What was done and that it was done are one commit: after a crash both are there or neither. Of what was refused nothing is kept.
//! - A name is the requester's own: client, person and patient. Nobody learns by a name what another has done.
//! - A repetition is told only what the requester may still see.
//!
//! The store has them as `once/DAY/HASH`, so that the oldest come first and a later commit clears them. Nothing is ever written under a day
//! that is cleared, so clearing races with nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use fhir::outcome::quoted;
use fhir::{IssueType, Outcome};
use store::{Batch, Key, Millis, Precondition, Snapshot, Version, Write};

use crate::trail::{Seen, What};
use crate::{Act, ChangeKind, Changed, HTTP_ERROR_CODES, Session, fault};

/// How long a request is known again, in milliseconds: 24 hours.
pub const ONCE_DURATION: Millis = DAY;

const DAY: Millis = 24 * 60 * 60 * 1000;

/// Before the names in the store.
const PREFIX: &str = "once/";

/// How many old names one commit clears at most. It adds one, so they become fewer.
const CLEARED_MAX: usize = 8;

/// How a request is known again.
#[derive(Clone, Debug)]
pub struct Once {
    /// The header that names it, for refusals.
    pub header: &'static str,
    /// Its name, which the requester gives to no other request.
    pub name: String,
    /// Stands for all that is asked.
    pub digest: [u8; 32],
    /// What becomes of a repetition.
    pub repetition: Repetition,
}

/// What becomes of a request that was done before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repetition {
    /// It is told what was done; another request of the same name is refused.
    Told,
    /// It is refused.
    Refused,
}

/// A request that is done once, on its way.
#[derive(Debug)]
pub(crate) struct Ongoing {
    once: Once,
    /// Who asks: [`crate::Requester::line`].
    requester: String,
    /// The entry of a batch; empty for the request itself.
    entry: String,
    /// How many of its commits are done: an operation may make several, and after a crash between them the others are still to be made.
    commits: AtomicU32,
    /// Whether anything was told again.
    told: Arc<AtomicBool>,
}

/// What the store knows of a commit that is to be made once.
pub(crate) enum Found {
    /// It was made; this is what it did.
    Done(Vec<Changed>),
    /// It is to be made.
    Open(Place),
}

/// Where a commit is to be noted.
pub(crate) struct Place {
    /// Under the day before and under this day, and what is there.
    names: [(Vec<u8>, Option<Vec<u8>>); 2],
    head: String,
    cleared: Vec<Write>,
}

/// What a change did, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) kind: ChangeKind,
    pub(crate) version: Option<(Key, u64)>,
}

impl Session<'_> {
    /// The same session for a request that is done once.
    pub fn once(self, once: Once) -> Self {
        let requester = self.requester().map(crate::Requester::line).unwrap_or_default();
        let ongoing =
            Ongoing { once, requester, entry: String::new(), commits: AtomicU32::new(0), told: Arc::default() };
        Session { once: Some(Arc::new(ongoing)), ..self }
    }

    /// The same session for one entry of a batch, which is done once by itself.
    pub fn entry(&self, at: usize) -> Self {
        let ongoing = self.once.as_ref().map(|ongoing| {
            let Ongoing { once, requester, told, .. } = &**ongoing;
            let (once, requester, told) = (once.clone(), requester.clone(), told.clone());
            Arc::new(Ongoing { once, requester, entry: at.to_string(), commits: AtomicU32::new(0), told })
        });
        Session { once: ongoing, ..self.clone() }
    }

    /// Whether something was not done by this session but told again.
    pub fn has_repeated(&self) -> bool {
        self.once.as_ref().is_some_and(|ongoing| ongoing.told.load(Ordering::Relaxed))
    }
}

impl Ongoing {
    /// Looks whether the next commit of `changes` changes was made before.
    pub(crate) fn find(
        &self,
        session: &Session<'_>,
        snapshot: &dyn Snapshot,
        changes: usize,
    ) -> Result<Found, Outcome> {
        let now = session.setup().clock.now();
        let id = self.id();
        let mut names = Vec::new();
        for day in [day(now) - 1, day(now)] {
            let name = name(day, &id);
            let value = snapshot.value(&name).map_err(fault::outcome)?;
            if let Some(kept) = value.as_deref().map(read).transpose()?
                && now - kept.time < ONCE_DURATION
            {
                return self.again(session, snapshot, &kept, changes).map(Found::Done);
            }
            names.push((name, value));
        }
        let names = names.try_into().map_err(|_| fault::exception("two days have two names"))?;
        let head = format!("{} {now}\n", hex(&self.once.digest));
        Ok(Found::Open(Place { names, head, cleared: old(snapshot, now)? }))
    }

    /// Notes that a commit was made, or told again.
    pub(crate) fn advance(&self) {
        self.commits.fetch_add(1, Ordering::Relaxed);
    }

    fn id(&self) -> String {
        let commit = self.commits.load(Ordering::Relaxed).to_string();
        let mut hasher = blake3::Hasher::new();
        for part in [&self.requester, self.once.header, &self.once.name, &self.entry, &commit] {
            hasher.update(&(part.len() as u64).to_be_bytes());
            hasher.update(part.as_bytes());
        }
        hex(hasher.finalize().as_bytes())
    }

    /// What was done, as far as the requester may see it now.
    fn again(
        &self,
        session: &Session<'_>,
        snapshot: &dyn Snapshot,
        kept: &Kept,
        changes: usize,
    ) -> Result<Vec<Changed>, Outcome> {
        let Once { header, name, digest, repetition } = &self.once;
        let name = quoted(name);
        if *repetition == Repetition::Refused {
            let text = format!(
                "the request with the {header} {name} was processed already; another one needs an id of its own"
            );
            return Err(Outcome::new(IssueType::Duplicate, text).coded(HTTP_ERROR_CODES, "REC_CONFLICT"));
        }
        if kept.digest != hex(digest) {
            let text =
                format!("the {header} {name} was given with another request before; this one needs a key of its own");
            return Err(Outcome::new(IssueType::BusinessRule, text));
        }
        if kept.lines.len() != changes {
            let text = format!(
                "the request with the {header} {name} was processed already, and what it did cannot be told again"
            );
            return Err(Outcome::new(IssueType::Duplicate, text).coded(HTTP_ERROR_CODES, "REC_CONFLICT"));
        }
        let sight = session.sight(snapshot)?;
        let mut changed = Vec::new();
        for Line { kind, version } in &kept.lines {
            let version = match version {
                None => None,
                Some((key, number)) => {
                    let version = snapshot.read_version(key, *number).map_err(fault::outcome)?;
                    let version = version.ok_or_else(|| fault::exception("a version that was written is not there"))?;
                    if !session.shows(snapshot, &sight, act(*kind), &version)? {
                        let text = format!("the caller has no right to `{key}` any more");
                        return Err(Outcome::new(IssueType::Forbidden, text));
                    }
                    Some(version)
                }
            };
            changed.push(Changed { kind: *kind, version, issues: Vec::new() });
        }
        account(session, changed.iter().filter_map(|changed| changed.version.as_ref()))?;
        self.told.store(true, Ordering::Relaxed);
        Ok(changed)
    }
}

impl Place {
    /// Adds to a commit that it was made, and that it was not made before.
    pub(crate) fn note(self, batch: &mut Batch, lines: impl Iterator<Item = Line>) {
        let [_, (today, _)] = &self.names;
        let value = lines.fold(self.head, |text, line| text + &line.text());
        batch.writes.push(Write::Set { name: today.clone(), value: value.into_bytes() });
        batch.writes.extend(self.cleared);
        batch.preconditions.extend(self.names.into_iter().map(|(name, value)| Precondition::Value { name, value }));
    }
}

/// What is told again is shown.
fn account<'v>(session: &Session<'_>, versions: impl Iterator<Item = &'v Version>) -> Result<(), Outcome> {
    if session.accounts() {
        let seen = versions.map(|version| Ok(Seen::of(version, session.patients_of(version)?)));
        session.note(What::Vread, seen.collect::<Result<_, Outcome>>()?);
    }
    Ok(())
}

/// By which right the requester knows of what was done.
fn act(kind: ChangeKind) -> Act {
    match kind {
        ChangeKind::Created => Act::Create,
        ChangeKind::Updated | ChangeKind::Unchanged => Act::Update,
        ChangeKind::Existing => Act::Read,
        ChangeKind::Deleted | ChangeKind::NothingToDelete => Act::Delete,
    }
}

/// The oldest names that nobody can ask for any more.
fn old(snapshot: &dyn Snapshot, now: Millis) -> Result<Vec<Write>, Outcome> {
    let first = name(day(now) - 1, "");
    let oldest = snapshot.values(PREFIX.as_bytes(), None, CLEARED_MAX).map_err(fault::outcome)?;
    let old = oldest.into_iter().map(|(name, _)| name).filter(|name| *name < first);
    Ok(old.map(|name| Write::Release { name }).collect())
}

fn day(time: Millis) -> Millis {
    time.div_euclid(DAY)
}

fn name(day: Millis, id: &str) -> Vec<u8> {
    format!("{PREFIX}{day:08}/{id}").into_bytes()
}

fn hex(digest: &[u8; 32]) -> String {
    blake3::Hash::from_bytes(*digest).to_hex().to_string()
}

/// What is kept of a commit.
#[derive(Debug, PartialEq, Eq)]
struct Kept {
    digest: String,
    time: Millis,
    lines: Vec<Line>,
}

const KINDS: [(ChangeKind, &str); 6] = [
    (ChangeKind::Created, "created"),
    (ChangeKind::Updated, "updated"),
    (ChangeKind::Unchanged, "unchanged"),
    (ChangeKind::Existing, "existing"),
    (ChangeKind::Deleted, "deleted"),
    (ChangeKind::NothingToDelete, "nothing"),
];

impl Line {
    fn text(&self) -> String {
        let kind = KINDS.iter().find(|(kind, _)| *kind == self.kind).map_or("", |(_, text)| text);
        match &self.version {
            Some((key, version)) => format!("{kind} {key} {version}\n"),
            None => format!("{kind}\n"),
        }
    }

    fn parse(text: &str) -> Option<Line> {
        let mut fields = text.split(' ');
        let word = fields.next()?;
        let (kind, _) = KINDS.iter().find(|(_, text)| *text == word)?;
        let version = match (fields.next(), fields.next()) {
            (Some(key), Some(version)) => Some((Key::parse(key)?, version.parse().ok()?)),
            _ => None,
        };
        Some(Line { kind: *kind, version })
    }
}

fn read(value: &[u8]) -> Result<Kept, Outcome> {
    let parse = || {
        let (head, rest) = std::str::from_utf8(value).ok()?.split_once('\n')?;
        let (digest, time) = head.split_once(' ')?;
        let lines = rest.lines().map(Line::parse).collect::<Option<_>>()?;
        Some(Kept { digest: digest.to_owned(), time: time.parse().ok()?, lines })
    };
    parse().ok_or_else(|| fault::exception("what is kept of a request is damaged"))
}

#[cfg(test)]
mod tests;
