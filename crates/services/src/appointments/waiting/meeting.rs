//! Who comes to the list and what is given back at the same moment.
//!
//! Neither finds the other in the store, and nothing that both write would tell. So there are two values for each whom, and each kind of service
//! that, somebody waits for. Who comes looks at the one and changes the other; what is given back does so the other way round. Whichever of
//! the two is committed second is made anew, and finds the first. Those who come do not wait for each other, nor do those who give back.

use std::hash::{DefaultHasher, Hash, Hasher};

use fhir::Outcome;
use repository::Transaction;

/// How many values there are of each: those that share one are made anew for each other in vain, and no more.
const NAMES_MAX: u64 = 4096;

/// Notes that somebody waits for these from now on.
pub(super) fn comes<'a>(transaction: &mut Transaction<'_>, whom: impl Iterator<Item = &'a str>) -> Result<(), Outcome> {
    meet(transaction, whom, ["come", "given"])
}

/// Notes that a slot of these is free from now on.
pub(super) fn is_given<'a>(
    transaction: &mut Transaction<'_>,
    whom: impl Iterator<Item = &'a str>,
) -> Result<(), Outcome> {
    meet(transaction, whom, ["given", "come"])
}

fn meet<'a>(
    transaction: &mut Transaction<'_>,
    whom: impl Iterator<Item = &'a str>,
    [own, other]: [&str; 2],
) -> Result<(), Outcome> {
    for one in whom {
        let mut hasher = DefaultHasher::new();
        one.hash(&mut hasher);
        let number = hasher.finish() % NAMES_MAX;
        transaction.claimed(format!("offer/{other}/{number}").as_bytes())?;
        transaction.stir(format!("offer/{own}/{number}").into_bytes());
    }
    Ok(())
}
