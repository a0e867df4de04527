//! What must be read for a group of batches before the first of them is looked at.

use rustc_hash::FxHashSet;

use crate::prepare::Prepared;
use crate::{Key, Logged, Precondition, Write};

/// What batches name.
#[derive(Default)]
pub(super) struct Needs<'b> {
    /// Documents that get a further version: the one before it moves, and so is needed with its body.
    whole: FxHashSet<&'b Key>,
    heads: FxHashSet<&'b Key>,
    names: FxHashSet<&'b [u8]>,
}

impl<'b> Needs<'b> {
    pub(super) fn of(batches: &'b [Prepared]) -> Needs<'b> {
        let mut needs = Needs::default();
        for batch in batches.iter().map(|prepared| &prepared.batch) {
            batch.preconditions.iter().for_each(|precondition| needs.note_precondition(precondition));
            batch.writes.iter().for_each(|write| needs.note_write(write));
        }
        needs
    }

    fn note_precondition(&mut self, precondition: &'b Precondition) {
        match precondition {
            Precondition::Version { key, .. } => drop(self.heads.insert(key)),
            Precondition::Value { name, .. } => drop(self.names.insert(name)),
            Precondition::Finds { .. } => {}
        }
    }

    fn note_write(&mut self, write: &'b Write) {
        match write {
            Write::Put(put) if put.version > 1 => drop(self.whole.insert(&put.key)),
            Write::Put(put) => drop(self.heads.insert(&put.key)),
            Write::Delete { key, .. } => drop(self.whole.insert(key)),
            Write::Replay(Logged { version, .. }) if version.version > 1 => drop(self.whole.insert(&version.key)),
            Write::Replay(Logged { version, .. }) => drop(self.heads.insert(&version.key)),
            Write::Reindex { key, .. } => drop(self.heads.insert(key)),
            Write::Claim { name, .. } => drop(self.names.insert(name)),
            Write::Set { .. } | Write::Release { .. } => {}
        }
    }

    /// The documents that are needed with their bodies.
    pub(super) fn whole(&self) -> Vec<&'b Key> {
        self.whole.iter().copied().collect()
    }

    /// The documents of which it is enough to know number and kind of their newest version.
    pub(super) fn heads(&self) -> Vec<&'b Key> {
        self.heads.difference(&self.whole).copied().collect()
    }

    /// The collections of all documents.
    pub(super) fn collections(&self) -> impl Iterator<Item = &'b str> {
        self.whole.iter().chain(&self.heads).map(|key| key.collection())
    }

    /// The claims and settings.
    pub(super) fn names(&self) -> Vec<&'b [u8]> {
        self.names.iter().copied().collect()
    }
}
