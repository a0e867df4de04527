//! Requests whose token does not count: the audit is told.

use fhir::{IssueType, Outcome};
use repository::audit::{Account, Act, Ending};
use repository::{Origin, Requester};

use crate::State;

/// Tells the audit of a request that was refused for want of a token that counts, whoever made it.
pub(crate) fn tell(state: &State, outcome: &Outcome, origin: &Origin) {
    if outcome.worst().is_none_or(|issue| issue.code != IssueType::Login) {
        return;
    }
    state.repository.ledger().append_stranger(&Account {
        act: Act::Authenticate,
        ending: Ending::Refused,
        requester: &Requester::default(),
        peer: origin.peer,
        request: &origin.request,
        operation: "",
        note: "the access token does not count",
        query: "",
        subjects: &[],
    });
}
