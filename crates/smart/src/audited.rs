//! What happens at the authorization server, as the audit keeps it.

use repository::audit::{Account, Act, Ending};
use repository::{Key, Repository, Requester};

use crate::token_event::{TokenAct, TokenEvent, TokenEvents};

/// Tells the audit.
pub struct Audited;

impl TokenEvents for Audited {
    fn tell(&self, repository: &Repository, event: TokenEvent) {
        let act = match (event.what, event.refused) {
            (TokenAct::Introspect, None) => return,
            (TokenAct::Register, _) => Act::Configure,
            (TokenAct::Revoke | TokenAct::EndReplayed, _) => Act::Revoke,
            (_, None) => Act::Authorize,
            (_, Some(_)) => Act::Authenticate,
        };
        let requester = Requester {
            client: event.client.unwrap_or_default(),
            patient: event.patient.and_then(|id| Key::new("Patient", &id)),
            ..Requester::default()
        };
        let note = event.refused.map_or(String::new(), |code| code.as_str().to_owned());
        let account = Account {
            act,
            ending: if event.refused.is_some() { Ending::Refused } else { Ending::Success },
            requester: &requester,
            peer: Some(event.peer),
            request: "",
            operation: "",
            note: &note,
            query: "",
            subjects: &[],
        };
        if let Err(outcome) = repository.ledger().append(&[account]).wait() {
            tracing::error!(%outcome, "the audit could not keep what happened at the authorization server");
        }
    }
}
