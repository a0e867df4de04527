//! Committing what belongs together, a chunk of lines or the entries of a Bundle: as much as possible at one time, and around what is
//! refused.

use std::collections::{HashSet, VecDeque};

use fhir::{IssueType, Outcome};
use repository::{Change, ChangeKind, Changed, Key, Session, Target};

use super::journal::Name;

/// Items that share a note.
pub(super) struct Part<'a> {
    pub(super) name: Name,
    /// The number of each item, sorted.
    pub(super) numbers: Vec<u64>,
    /// How many items may share a commit.
    pub(super) together_max: usize,
    /// The change that the item at this position asks for; `None` when it asks for none.
    pub(super) change: &'a dyn Fn(usize) -> Result<Option<Change>, Outcome>,
}

/// What became of a part.
#[derive(Debug, Default)]
pub(super) struct Settled {
    pub(super) tally: Tally,
    /// The number of each refused item, and why.
    pub(super) refused: Vec<(u64, Outcome)>,
}

/// How many resources were brought in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// New versions.
    pub(super) written: u64,
    /// Equal to what was there.
    pub(super) unchanged: u64,
}

impl Tally {
    pub(super) fn of(changed: &[Changed]) -> Tally {
        let is_written = |changed: &&Changed| {
            matches!(changed.kind, ChangeKind::Created | ChangeKind::Updated | ChangeKind::Deleted)
        };
        let written = changed.iter().filter(is_written).count() as u64;
        Tally { written, unchanged: changed.len() as u64 - written }
    }

    pub(super) fn add(&mut self, other: Tally) {
        self.written += other.written;
        self.unchanged += other.unchanged;
    }
}

/// Whether the store or the server failed, so that nothing else will succeed either.
pub(super) fn is_fatal(outcome: &Outcome) -> bool {
    outcome.worst().is_some_and(|issue| matches!(issue.code, IssueType::Exception | IssueType::Transient))
}

impl Part<'_> {
    /// Brings in all items that are left; what cannot be brought in together with others is tried alone. An error is fatal.
    pub(super) fn settle(&self, session: &Session<'_>) -> Result<Settled, Outcome> {
        let mut settled = Settled::default();
        let mut open: VecDeque<usize> = match self.name.read(session)? {
            None => (0..self.numbers.len()).collect(),
            Some(left) => left.iter().filter_map(|number| self.numbers.binary_search(number).ok()).collect(),
        };
        let mut alone = VecDeque::new();
        let mut together_max = self.together_max;
        loop {
            if open.is_empty() {
                (open, together_max) = (std::mem::take(&mut alone), 1);
            }
            let wave = self.wave(&mut open, together_max, &mut settled);
            if wave.items.is_empty() && open.is_empty() && alone.is_empty() {
                break;
            }
            let refused = settled.refused.iter().map(|(number, _)| *number);
            let left = open.iter().chain(&alone).map(|&at| self.numbers[at]).chain(refused);
            match session.transact_noting(wave.changes, Some(self.name.left(left))) {
                Ok(changed) => {
                    settled.tally.add(Tally::of(&changed));
                    together_max = (together_max * 2).min(self.together_max);
                }
                Err(refusal) if is_fatal(&refusal.outcome) => return Err(refusal.outcome),
                Err(refusal) if wave.items.len() == 1 => {
                    settled.refused.push((self.numbers[wave.items[0]], refusal.outcome));
                }
                Err(refusal) => {
                    let blamed = refusal.change.map(|change| wave.writers[change]);
                    alone.extend(blamed);
                    wave.items.iter().rev().filter(|at| Some(**at) != blamed).for_each(|&at| open.push_front(at));
                    // Each try names one culprit: smaller waves keep the cost of many in bounds.
                    together_max = (wave.items.len() / 2).max(1);
                }
            }
        }
        settled.refused.sort_by_key(|(number, _)| *number);
        Ok(settled)
    }

    /// Takes the next items that can share a commit: no two about one resource.
    fn wave(&self, open: &mut VecDeque<usize>, together_max: usize, settled: &mut Settled) -> Wave {
        let mut wave = Wave::default();
        let mut keys: HashSet<Key> = HashSet::new();
        let mut again = Vec::new();
        while wave.items.len() < together_max
            && let Some(at) = open.pop_front()
        {
            match (self.change)(at) {
                Err(outcome) => settled.refused.push((self.numbers[at], outcome)),
                Ok(None) => wave.items.push(at),
                Ok(Some(change)) => match target(&change) {
                    Some(key) if keys.contains(key) => again.push(at),
                    key => {
                        keys.extend(key.cloned());
                        wave.items.push(at);
                        wave.changes.push(change);
                        wave.writers.push(at);
                    }
                },
            }
        }
        again.into_iter().rev().for_each(|at| open.push_front(at));
        wave
    }
}

/// Items that share a commit.
#[derive(Default)]
struct Wave {
    items: Vec<usize>,
    changes: Vec<Change>,
    /// The item of each change.
    writers: Vec<usize>,
}

fn target(change: &Change) -> Option<&Key> {
    match change {
        Change::Update { target: Target::Key(key), .. }
        | Change::Patch { target: Target::Key(key), .. }
        | Change::Delete { target: Target::Key(key), .. } => Some(key),
        _ => None,
    }
}
