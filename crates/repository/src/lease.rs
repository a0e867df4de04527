//! Jobs that one process does for all that serve one store, and that another takes over when that one ends.
//!
//! A lease is a stored value that names who has the job and until when. It spares work: what a job commits holds whoever does it, also where
//! two believe for a moment that they have it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use fhir::Outcome;
use store::{Batch, Clock, Millis, Precondition, Store, StoreError, Write};

use crate::fault;

/// Before the name of a job.
pub(crate) const LEASES: &str = "lease/";

/// For how long a job is taken: another process has it no later than this, and a look, after its last one ended.
const TERM: Millis = 10_000;

/// With less than this left it is taken again. Clocks of machines may differ by as much before two have a job at a time.
const RENEWED: Millis = 5_000;

/// The leases of this process.
pub(crate) struct Leases {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    /// Until when this process has which.
    held: Mutex<HashMap<&'static str, Millis>>,
}

impl Leases {
    pub(crate) fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Leases {
        Leases { store, clock, held: Mutex::default() }
    }

    /// Whether the job is this process's, who asks again before each piece of it. Where the store is nobody else's every job is.
    pub(crate) fn holds(&self, job: &'static str) -> Result<bool, Outcome> {
        let place = self.store.place();
        if place.is_empty() {
            return Ok(true);
        }
        let now = self.clock.now();
        let held = |job| self.held.lock().unwrap_or_else(PoisonError::into_inner).get(job).copied();
        if held(job).is_some_and(|until| until > now + RENEWED) {
            return Ok(true);
        }
        let name = [LEASES, job].concat().into_bytes();
        let value = self.store.snapshot().and_then(|snapshot| snapshot.value(&name)).map_err(fault::outcome)?;
        if value.as_deref().and_then(parse).is_some_and(|(other, until)| other != place && until > now) {
            return Ok(false);
        }
        let until = now + TERM;
        let batch = Batch {
            preconditions: vec![Precondition::Value { name: name.clone(), value }],
            writes: vec![Write::Set { name, value: format!("{place} {until}").into_bytes() }],
        };
        match self.store.commit(batch) {
            Ok(_) => {
                self.held.lock().unwrap_or_else(PoisonError::into_inner).insert(job, until);
                Ok(true)
            }
            Err(StoreError::Conflict(_)) => Ok(false),
            Err(error) => Err(fault::outcome(error)),
        }
    }
}

/// Who has it, and until when; `None` of what no process wrote.
pub(crate) fn parse(value: &[u8]) -> Option<(&str, Millis)> {
    let (place, until) = std::str::from_utf8(value).ok()?.split_once(' ')?;
    Some((place, until.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use crate::testing::House;

    #[test]
    fn one_process_has_a_job_and_another_takes_it_over() {
        let first = House::shared();
        let second = first.beside("b");
        let has = |house: &House, job| house.repository.leases.holds(job).expect("a store");
        assert!(has(&first, "x") && !has(&second, "x"));
        assert!(has(&second, "y") && !has(&first, "y"));
        // Who asks keeps it.
        for _ in 0..4 {
            first.advance(6_000);
            assert!(has(&first, "x") && !has(&second, "x"));
        }
        first.advance(9_000);
        assert!(!has(&second, "x"));
        first.advance(2_000);
        assert!(has(&second, "x") && !has(&first, "x"));
    }

    #[test]
    fn whose_store_it_is_has_every_job() {
        let house = House::new();
        assert!(house.repository.leases.holds("x").expect("a store"));
        assert_eq!(house.repository.store().snapshot().expect("a store").values(b"lease/", None, 9), Ok(vec![]));
    }
}
