//! What must be read for a group of batches before the first of them is looked at.

use rustc_hash::FxHashSet;

use crate::prepare::Prepared;
use crate::{Batch, Key, Logged, Precondition, Put, Version, Write};

/// What batches name.
#[derive(Default)]
pub(super) struct Needs<'b> {
    /// Documents that get a further version: the one before it moves, and so is needed with its body.
    whole: FxHashSet<&'b Key>,
    heads: FxHashSet<&'b Key>,
    /// Documents that are made: of each batch that names one.
    made: FxHashSet<&'b Key>,
    names: FxHashSet<&'b [u8]>,
}

impl<'b> Needs<'b> {
    pub(super) fn of(batches: &'b [Prepared]) -> Needs<'b> {
        let mut needs = Needs::default();
        for batch in batches.iter().map(|prepared| &prepared.batch) {
            let made: FxHashSet<_> = batch.writes.iter().filter_map(made).collect();
            batch.preconditions.iter().for_each(|precondition| needs.note_precondition(precondition, &made));
            needs.note_writes(batch, &made);
            needs.made.extend(made);
        }
        needs
    }

    fn note_precondition(&mut self, precondition: &'b Precondition, made: &FxHashSet<&Key>) {
        match precondition {
            Precondition::Version { key, .. } if made.contains(key) => {}
            Precondition::Version { key, .. } => drop(self.heads.insert(key)),
            Precondition::Value { name, .. } => drop(self.names.insert(name)),
            Precondition::Finds { .. } | Precondition::Alone { .. } => {}
        }
    }

    fn note_writes(&mut self, batch: &'b Batch, made: &FxHashSet<&Key>) {
        for write in &batch.writes {
            match write {
                Write::Put(Put { key, .. })
                | Write::Delete { key, .. }
                | Write::Replay(Logged { version: Version { key, .. }, .. })
                | Write::Reindex { key, .. }
                    if made.contains(key) => {}
                Write::Put(Put { key, .. })
                | Write::Delete { key, .. }
                | Write::Replay(Logged { version: Version { key, .. }, .. }) => drop(self.whole.insert(key)),
                Write::Reindex { key, .. } => drop(self.heads.insert(key)),
                Write::Claim { name, .. } => drop(self.names.insert(name)),
                Write::Set { .. } | Write::Release { .. } => {}
            }
        }
    }

    /// All documents.
    pub(super) fn documents(&self) -> impl Iterator<Item = &'b Key> {
        self.whole.iter().chain(&self.heads).chain(&self.made).copied()
    }

    /// The documents that are needed with their bodies.
    pub(super) fn whole(&self) -> Vec<&'b Key> {
        self.whole.iter().copied().collect()
    }

    /// The documents of which it is enough to know number and kind of their newest version.
    pub(super) fn heads(&self) -> Vec<&'b Key> {
        self.heads.difference(&self.whole).copied().collect()
    }

    /// Those that nobody names but who makes them: if one is there already, the database refuses it.
    pub(super) fn made(&self) -> Vec<&'b Key> {
        self.made.iter().filter(|key| !self.whole.contains(*key) && !self.heads.contains(*key)).copied().collect()
    }

    /// The claims and settings.
    pub(super) fn names(&self) -> Vec<&'b [u8]> {
        self.names.iter().copied().collect()
    }
}

/// The document whose first version this is.
pub(super) fn made(write: &Write) -> Option<&Key> {
    match write {
        Write::Put(Put { key, version: 1, .. })
        | Write::Replay(Logged { version: Version { key, version: 1, .. }, .. }) => Some(key),
        _ => None,
    }
}
