//! Requests whose token does not count: the audit is told, as far as there is room for those who try on.

use std::sync::{Mutex, PoisonError};

use fhir::{IssueType, Outcome};
use repository::audit::{Account, Act, Ending};
use repository::{Millis, Origin, Requester};

use crate::State;

/// How many of them the audit is told of in a minute.
const TOLD_MAX: u32 = 60;

const MINUTE: Millis = 60_000;

/// How many were told of in the minute that began at a time.
#[derive(Debug, Default)]
pub(crate) struct Intruders(Mutex<(Millis, u32)>);

impl Intruders {
    /// Tells the audit of a request that was refused, whoever made it.
    pub(crate) fn tell(&self, state: &State, outcome: &Outcome, origin: &Origin) {
        let is_login = outcome.worst().is_some_and(|issue| issue.code == IssueType::Login);
        if !is_login || !self.admits(state.repository.now().as_millis()) {
            return;
        }
        let account = Account {
            act: Act::Authenticate,
            ending: Ending::Refused,
            requester: &Requester::default(),
            peer: origin.peer,
            request: &origin.request,
            operation: "",
            note: "the access token does not count",
            query: "",
            subjects: &[],
        };
        drop(state.repository.ledger().append(&[account]));
    }

    fn admits(&self, now: Millis) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now >= told.0 + MINUTE {
            *told = (now, 0);
        }
        told.1 += 1;
        told.1 <= TOLD_MAX
    }
}
