//! What the audit is told of people: who signed in, who granted what. Never a secret, and never what was typed as a name, which may be a password.

use std::net::IpAddr;

use repository::Repository;

/// Something that the audit keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonEvent {
    pub what: PersonAct,
    /// The name of the account; `None` where nobody has the name that was given.
    pub account: Option<String>,
    /// Who that is: `Patient/p1`.
    pub fhir_user: Option<String>,
    pub peer: IpAddr,
}

/// What somebody did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PersonAct {
    SignedIn {
        /// The identity provider; `None` for a password.
        provider: Option<String>,
    },
    /// The name or password was wrong, or the account is disabled.
    SignInFailed,
    /// Too many attempts: even the right password is refused for a while.
    LockedOut,
    SignedOut,
    Granted {
        client: String,
        grant: String,
        /// The id of the patient whose record it is.
        patient: Option<String>,
        scope: String,
        consents: Vec<String>,
    },
    Refused {
        client: String,
    },
    /// What an app asked for was refused before anybody could answer.
    RequestRefused {
        /// Its id, or what it says to be, at most 200 bytes.
        client: String,
        /// The error of OAuth.
        error: &'static str,
    },
    Withdrawn {
        client: String,
        grant: String,
        patient: Option<String>,
    },
    /// A patient ended a consent of their own.
    DecisionEnded {
        consent: String,
    },
}

/// Takes what the audit keeps.
pub trait PersonEvents: Send + Sync {
    fn tell(&self, repository: &Repository, event: PersonEvent);
}
