//! Clearing the vault of what has run out: a little now and then, so that no request waits for it.

use std::sync::{Mutex, TryLockError};

use fhir::Outcome;
use repository::{Edit, Millis, Vault};
use serde::Deserialize;

/// How often, in milliseconds.
const EVERY: Millis = 60 * 1000;
/// Values that are looked at in one step.
const STEP_MAX: usize = 1_000;
/// Steps of one time for each kind.
const STEPS_MAX: usize = 50;
/// Names are hashes, so a step shows how much is over everywhere. Where it is less than one in so many, the rest waits.
const WORTH: usize = 10;

/// What runs out, by the beginning of its name. Grants that have no end stay.
const KINDS: [&str; 8] = ["code/", "grant/", "jti/", "launch/", "oidc/", "refresh/", "revoked/", "session/"];

/// How far it has come.
#[derive(Default)]
pub(crate) struct Sweep(Mutex<Progress>);

#[derive(Default)]
struct Progress {
    last: Millis,
    /// The last name of each kind that was looked at; `None` at the beginning.
    after: [Option<String>; KINDS.len()],
}

impl Sweep {
    /// Goes on, when it is time and nobody else does.
    pub(crate) fn run(&self, vault: Vault<'_>, now: Millis) {
        let mut progress = match self.0.try_lock() {
            Ok(progress) => progress,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        if now < progress.last + EVERY {
            return;
        }
        progress.last = now;
        for (kind, after) in KINDS.into_iter().zip(&mut progress.after) {
            if let Err(outcome) = clear(vault, kind, after, now) {
                tracing::warn!(%outcome, kind, "what has run out cannot be cleared");
            }
        }
    }
}

fn clear(vault: Vault<'_>, kind: &str, after: &mut Option<String>, now: Millis) -> Result<(), Outcome> {
    #[derive(Deserialize)]
    struct Passing {
        expires: Millis,
    }
    let is_over = |value: &[u8]| serde_json::from_slice(value).is_ok_and(|Passing { expires }| expires <= now);
    for _ in 0..STEPS_MAX {
        let values = vault.list(kind, after.as_deref(), STEP_MAX)?;
        let looked_at = values.len();
        *after = values.last().filter(|_| looked_at == STEP_MAX).map(|(name, _)| name.clone());
        let over = values.into_iter().filter(|(_, value)| is_over(value));
        let edits: Vec<Edit> = over.map(|(name, value)| Edit::take(name, value)).collect();
        let cleared = edits.len();
        // One that somebody changes meanwhile keeps its step until the next time.
        if cleared > 0 {
            vault.edit(edits)?;
        }
        if after.is_none() || cleared * WORTH < looked_at {
            return Ok(());
        }
    }
    Ok(())
}
