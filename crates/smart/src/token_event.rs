//! What the audit is told of tokens and clients. Never a secret.

use std::net::IpAddr;

use repository::Repository;

use crate::error::ErrorCode;

/// Something that happened at an endpoint for apps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenEvent {
    pub what: TokenAct,
    pub peer: IpAddr,
    /// The id of the client; where it could not show that it is the one, what it says to be, at most 200 bytes. `None` when it does not say.
    pub client: Option<String>,
    /// The name of the account that granted; `None` for a system.
    pub account: Option<String>,
    pub grant: Option<String>,
    /// The id of the patient in context.
    pub patient: Option<String>,
    /// Why it was refused; `None` when it was done.
    pub refused: Option<ErrorCode>,
}

/// What was asked for, or done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenAct {
    /// A token for a code.
    Redeem,
    /// A token for a refresh token.
    Refresh,
    /// A token for a system.
    ClientCredentials,
    /// A token for something that is no grant here.
    OtherGrant,
    Introspect,
    Revoke,
    /// A token was given back that did not count.
    RevokeNothing,
    Register,
    /// An app to be opened for a patient.
    Launch,
    /// A grant ended because somebody showed its code or a refresh token of it again.
    EndReplayed,
}

/// Takes what the audit keeps.
pub trait TokenEvents: Send + Sync {
    fn tell(&self, repository: &Repository, event: TokenEvent);
}

impl TokenEvent {
    pub(crate) fn new(what: TokenAct, peer: IpAddr) -> TokenEvent {
        TokenEvent { what, peer, client: None, account: None, grant: None, patient: None, refused: None }
    }

    pub(crate) fn about(&mut self, grant: &crate::Grant) {
        self.account = grant.account.clone();
        self.grant = Some(grant.id.clone()).filter(|id| !id.is_empty());
        self.patient = grant.patient.clone();
    }
}
