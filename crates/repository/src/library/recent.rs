//! What was looked up lately, within a bound.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Values by name. Two halves take turns: when the younger one is full it becomes the older, whose values are dropped unless they were asked
/// for since. So what is in use stays, at the cost of one look-up.
pub(super) struct Recent<V> {
    /// The weight of each half, in bytes.
    most: usize,
    /// By names that callers choose: hashed so that they cannot choose ones which meet.
    halves: Mutex<Halves<V>>,
}

struct Halves<V> {
    young: HashMap<Box<str>, Kept<V>>,
    old: HashMap<Box<str>, Kept<V>>,
    /// Of the younger half.
    weight: usize,
}

#[derive(Clone)]
struct Kept<V> {
    value: V,
    weight: usize,
}

/// What an entry takes beside its name and value: the tables' own places.
const ENTRY_BYTES: usize = 64;

impl<V: Clone> Recent<V> {
    /// Holds values of `most` bytes together, give or take the one that came last.
    pub(super) fn new(most: usize) -> Recent<V> {
        let halves = Halves { young: HashMap::default(), old: HashMap::default(), weight: 0 };
        Recent { most: most / 2, halves: Mutex::new(halves) }
    }

    pub(super) fn get(&self, name: &str) -> Option<V> {
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = halves.young.get(name) {
            return Some(kept.value.clone());
        }
        let (name, kept) = halves.old.remove_entry(name)?;
        let value = kept.value.clone();
        halves.put(name, kept, self.most);
        Some(value)
    }

    /// Holds a value of `weight` bytes.
    pub(super) fn put(&self, name: &str, value: V, weight: usize) {
        let weight = weight + name.len() + ENTRY_BYTES;
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        halves.put(name.into(), Kept { value, weight }, self.most);
    }
}

impl<V> Halves<V> {
    fn put(&mut self, name: Box<str>, kept: Kept<V>, most: usize) {
        if self.weight + kept.weight > most {
            self.old = std::mem::take(&mut self.young);
            self.weight = 0;
        }
        self.weight += kept.weight;
        if let Some(before) = self.young.insert(name, kept) {
            self.weight -= before.weight;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_is_asked_for_within_its_bound() {
        let recent = Recent::new(20 * (ENTRY_BYTES + 4));
        recent.put("used", 0, 0);
        for round in 1..1000 {
            recent.put(&format!("{:04}", round), round, 0);
            assert_eq!(recent.get("used"), Some(0), "{round}");
            let halves = recent.halves.lock().expect("whole");
            assert!(halves.young.len() + halves.old.len() <= 20, "{round}");
            assert_eq!(halves.weight, halves.young.values().map(|kept| kept.weight).sum::<usize>());
        }
        assert_eq!((recent.get("0999"), recent.get("0001")), (Some(999), None));
        recent.put("large", 7, 1 << 20);
        assert_eq!(recent.get("large"), Some(7), "what came last is there");
        recent.put("large", 8, 1 << 20);
        assert_eq!(recent.get("large"), Some(8));
    }
}
