//! What happens at the authorization server, as the audit keeps it.

use repository::audit::{Account, Act, Datum, Ending, Subject};
use repository::{Key, Repository, Requester};

use crate::clients::Clients;
use crate::event::{PersonAct, PersonEvent, PersonEvents};
use crate::secret::system_random;
use crate::token_event::{TokenAct, TokenEvent, TokenEvents};

/// Tells the audit.
pub struct Audited;

impl TokenEvents for Audited {
    fn tell(&self, repository: &Repository, event: TokenEvent) {
        let act = match (event.what, event.refused) {
            (TokenAct::Introspect | TokenAct::RevokeNothing, None) => return,
            (TokenAct::Register, _) => Act::Configure,
            // A grant ends but once: what somebody can show again is bounded by what was granted.
            (TokenAct::Revoke, None) | (TokenAct::EndReplayed, _) => Act::Revoke,
            (_, None) => Act::Authorize,
            (_, Some(_)) => Act::Authenticate,
        };
        let client = event.client.unwrap_or_default();
        let requester = Requester {
            client_name: name_of(repository, &client),
            client,
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
        keep(repository, account);
    }
}

impl PersonEvents for Audited {
    fn tell(&self, repository: &Repository, event: PersonEvent) {
        let (act, ending, note) = told(&event.what);
        let user = event.fhir_user.as_deref().and_then(Key::parse);
        let (client, patient, consents) = match &event.what {
            PersonAct::Granted { client, patient, consents, .. } => {
                (client.as_str(), patient.as_deref(), &consents[..])
            }
            PersonAct::Withdrawn { client, patient, .. } => (client.as_str(), patient.as_deref(), &[][..]),
            PersonAct::DecisionEnded { consent } => ("", None, std::slice::from_ref(consent)),
            PersonAct::Refused { client } | PersonAct::RequestRefused { client, .. } => {
                (client.as_str(), None, &[][..])
            }
            _ => ("", None, &[][..]),
        };
        let own = user.clone().filter(|user| user.collection() == "Patient");
        let patient = patient.and_then(|id| Key::new("Patient", id)).or(own);
        let consents = consents.iter().filter_map(|consent| Key::parse(consent));
        let data: Vec<Datum> = consents.map(|key| Datum { key, version: 0 }).collect();
        let subject = Subject { patient: patient.clone(), data };
        let client_name = name_of(repository, client);
        let requester = Requester { client: client.to_owned(), client_name, patient, user, ..Requester::default() };
        let account = Account {
            act,
            ending,
            requester: &requester,
            peer: Some(event.peer),
            request: "",
            operation: "",
            note,
            query: "",
            subjects: if subject.data.is_empty() { &[] } else { std::slice::from_ref(&subject) },
        };
        keep(repository, account);
    }
}

/// The name that people know a client by; empty for one that is not known.
fn name_of(repository: &Repository, client: &str) -> String {
    let found = Clients::new(repository.vault(), &system_random()).find(client);
    found.ok().flatten().map_or(String::new(), |client| client.name)
}

/// What somebody did, how it ended, and what that alone does not tell.
fn told(act: &PersonAct) -> (Act, Ending, &'static str) {
    match act {
        PersonAct::SignedIn { .. } => (Act::SignIn, Ending::Success, ""),
        PersonAct::SignInFailed => (Act::SignIn, Ending::Refused, ""),
        PersonAct::LockedOut => (Act::SignIn, Ending::Refused, "too many attempts"),
        PersonAct::SignedOut => (Act::SignOut, Ending::Success, ""),
        PersonAct::Granted { .. } => (Act::Authorize, Ending::Success, ""),
        PersonAct::Refused { .. } => (Act::Authorize, Ending::Refused, "access_denied"),
        PersonAct::RequestRefused { error, .. } => (Act::Authenticate, Ending::Refused, error),
        PersonAct::Withdrawn { .. } | PersonAct::DecisionEnded { .. } => (Act::Revoke, Ending::Success, ""),
    }
}

fn keep(repository: &Repository, account: Account<'_>) {
    if account.ending == Ending::Refused && matches!(account.act, Act::Authenticate | Act::SignIn | Act::Configure) {
        return repository.ledger().append_stranger(&account);
    }
    if let Err(outcome) = repository.ledger().append(&[account]).wait() {
        tracing::error!(%outcome, "the audit could not keep what happened at the authorization server");
    }
}
