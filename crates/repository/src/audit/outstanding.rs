//! Which records have no AuditEvent yet: kept in memory, and read from the chain at the start.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};

use store::Key;

use super::Place;

/// The records without an AuditEvent, in order and by patient.
#[derive(Default)]
pub(super) struct Outstanding {
    /// By sequence: all blocks after the last that is done with.
    blocks: BTreeMap<u64, Rest>,
    /// By the hash of a patient's key: others with the same hash among them do no harm.
    patients: HashMap<u64, VecDeque<Place>>,
    hasher: RandomState,
    records: usize,
    /// The newest block that is known.
    last: u64,
}

struct Rest {
    count: u32,
    /// The first that is not made.
    next: u32,
}

impl Outstanding {
    /// The first block and the last one.
    pub(super) fn range(&self) -> Option<(u64, u64)> {
        Some((*self.blocks.first_key_value()?.0, *self.blocks.last_key_value()?.0))
    }

    /// The newest block that is known, also when it is made; 0 before the first.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// All blocks up to this one are made.
    pub(super) fn made(&mut self, block: u64) {
        self.last = self.last.max(block);
        if self.blocks.first_key_value().is_none_or(|(first, _)| *first > block) {
            return;
        }
        while let Some(first) = self.blocks.first_entry().filter(|first| *first.key() <= block) {
            let rest = first.remove();
            self.records = self.records.saturating_sub((rest.count - rest.next) as usize);
        }
        self.patients.retain(|_, places| {
            while places.front().is_some_and(|place| place.block <= block) {
                places.pop_front();
            }
            !places.is_empty()
        });
    }

    /// Takes a block; for each record the patients by whom it is found.
    pub(super) fn add(&mut self, block: u64, records: &[[Option<Key>; 2]]) {
        self.last = self.last.max(block);
        if records.is_empty() {
            return;
        }
        self.blocks.insert(block, Rest { count: records.len() as u32, next: 0 });
        self.records += records.len();
        for (position, patients) in records.iter().enumerate() {
            let place = Place { block, position: position as u32 };
            for patient in patients.iter().flatten() {
                self.patients.entry(self.hasher.hash_one(patient)).or_default().push_back(place);
            }
        }
    }

    /// How many records wait, those made before their turn counted.
    pub(super) fn len(&self) -> usize {
        self.records
    }

    /// The first records, at most so many, all of one block.
    pub(super) fn first(&self, most: usize) -> Vec<Place> {
        let Some((block, rest)) = self.blocks.first_key_value() else { return Vec::new() };
        let end = rest.count.min(rest.next.saturating_add(most as u32));
        (rest.next..end).map(|position| Place { block: *block, position }).collect()
    }

    /// Whether the first block is done with when these, its next records, are made.
    pub(super) fn completes(&self, made: &[Place]) -> bool {
        self.blocks.first_key_value().is_some_and(|(_, rest)| rest.next as usize + made.len() == rest.count as usize)
    }

    /// Goes on behind these, which [`Outstanding::first`] gave.
    pub(super) fn advance(&mut self, made: &[Place], patients: &[[Option<Key>; 2]]) {
        self.records = self.records.saturating_sub(made.len());
        if let Some(mut first) = self.blocks.first_entry() {
            let rest = first.get_mut();
            rest.next += made.len() as u32;
            if rest.next >= rest.count {
                first.remove();
            }
        }
        let Some(last) = made.last() else { return };
        for patient in patients.iter().flatten().flatten() {
            let hash = self.hasher.hash_one(patient);
            let Some(places) = self.patients.get_mut(&hash) else { continue };
            while places.front().is_some_and(|place| place <= last) {
                places.pop_front();
            }
            if places.is_empty() {
                self.patients.remove(&hash);
            }
        }
    }

    /// The first records of a patient, in order, at most so many.
    pub(super) fn of(&self, patient: &Key, most: usize) -> Vec<Place> {
        let places = self.patients.get(&self.hasher.hash_one(patient));
        places.into_iter().flatten().take(most).copied().collect()
    }

    /// These of a patient are made, before it is their block's turn.
    pub(super) fn settled(&mut self, patient: &Key, made: &[Place]) {
        let hash = self.hasher.hash_one(patient);
        if let Some(places) = self.patients.get_mut(&hash) {
            places.drain(..made.len().min(places.len()));
            if places.is_empty() {
                self.patients.remove(&hash);
            }
        }
    }
}
