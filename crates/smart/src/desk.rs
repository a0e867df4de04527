//! The authorization server at work on one repository, at one moment.

use std::sync::atomic::Ordering;

use fhir::Outcome;
use repository::{Edit, Millis, Repository, Vault};
use serde::Deserialize;

use crate::codes::Codes;
use crate::grants::Grants;
use crate::server::AuthorizationServer;
use crate::signing;

/// How often the vault is cleared of what has run out, in milliseconds.
const SWEEP_EVERY: Millis = 10 * 60 * 1000;
/// Values of a kind that are looked at in one go.
const SWEEP_MAX: usize = 1_000;
/// What runs out, by the beginning of its name.
const SWEPT: [&str; 7] = ["code/", "jti/", "launch/", "oidc/", "refresh/", "revoked/", "session/"];

/// The authorization server at work on one repository, at one moment.
#[derive(Clone, Copy)]
pub struct Desk<'a> {
    pub(crate) server: &'a AuthorizationServer,
    pub(crate) repository: &'a Repository,
    pub(crate) now: Millis,
}

impl<'a> Desk<'a> {
    pub(crate) fn new(server: &'a AuthorizationServer, repository: &'a Repository) -> Desk<'a> {
        Desk { server, repository, now: repository.now().as_millis() }
    }

    pub fn grants(&self) -> Grants<'a> {
        Grants::new(self.vault(), &self.server.setup.random)
    }

    pub fn codes(&self) -> Codes<'a> {
        Codes::new(self.vault(), &self.server.setup.random)
    }

    /// Makes keys that sign from now on. What the former ones signed counts until it expires.
    pub fn rotate_keys(&self) -> Result<(), Outcome> {
        signing::rotate(self.vault(), &self.server.setup.random, self.now)
    }

    pub(crate) fn vault(&self) -> Vault<'a> {
        self.repository.vault()
    }

    /// Seconds since 1970.
    pub(crate) fn now_s(&self) -> i64 {
        self.now.div_euclid(1000)
    }

    /// Clears the vault of what has run out, now and then.
    pub(crate) fn sweep(&self) {
        let swept = self.server.swept.load(Ordering::Relaxed);
        let is_due = self.now >= swept + SWEEP_EVERY;
        let mine = |turn: Result<i64, i64>| turn.is_ok();
        if !is_due || !mine(self.server.swept.compare_exchange(swept, self.now, Ordering::Relaxed, Ordering::Relaxed)) {
            return;
        }
        for prefix in SWEPT {
            if let Err(outcome) = self.sweep_all(prefix) {
                tracing::warn!(%outcome, prefix, "what has run out cannot be cleared");
            }
        }
    }

    fn sweep_all(&self, prefix: &str) -> Result<(), Outcome> {
        #[derive(Deserialize)]
        struct Passing {
            expires: Millis,
        }
        let is_over = |value: &[u8]| serde_json::from_slice(value).is_ok_and(|Passing { expires }| expires <= self.now);
        let mut after: Option<String> = None;
        loop {
            let values = self.vault().list(prefix, after.as_deref(), SWEEP_MAX)?;
            let Some((last, _)) = values.last() else { return Ok(()) };
            after = Some(last.clone());
            let over = values.into_iter().filter(|(_, value)| is_over(value));
            let edits: Vec<Edit> = over.map(|(name, value)| Edit::take(name, value)).collect();
            // One that somebody changes meanwhile keeps its page until the next time.
            if !edits.is_empty() {
                self.vault().edit(edits)?;
            }
        }
    }
}
