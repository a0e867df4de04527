//! The authorization server at work on one repository, at one moment.

use fhir::Outcome;
use repository::{Access, Millis, Repository, Vault};

use crate::Grant;
use crate::authorize::Granted;
use crate::clients::Clients;
use crate::codes::Codes;
use crate::grants::Grants;
use crate::people::People;
use crate::server::AuthorizationServer;

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

    pub fn clients(&self) -> Clients<'a> {
        Clients::new(self.vault(), &self.server.setup.random)
    }

    pub fn grants(&self) -> Grants<'a> {
        Grants::new(self.vault(), &self.server.setup.random)
    }

    pub fn codes(&self) -> Codes<'a> {
        Codes::new(self.vault(), &self.server.setup.random)
    }

    /// The grant of this id, when it stands, and who made it has not been signed out of everything since.
    pub(crate) fn standing(&self, id: &str) -> Result<Option<Grant>, Outcome> {
        let Some(grant) = self.grants().find(id, self.now)? else { return Ok(None) };
        let account = match &grant.account {
            Some(name) => People::new(self.vault()).of_name(name)?,
            None => None,
        };
        Ok(account.is_none_or(|account| account.counts(grant.auth_time)).then_some(grant))
    }

    /// Ends a grant, with all of its codes and tokens, and the Consent that was written for it. What it was, when it still was.
    pub fn end(&self, grant: &str) -> Result<Option<Grant>, Outcome> {
        let ended = self.grants().end(grant)?;
        if let Some(grant) = &ended {
            let records = self.repository.open(Access::full());
            let granted = Granted::new(self.vault(), &self.server.setup.random);
            granted.settle(&records, &self.server.issuer, grant, self.now)?;
        }
        Ok(ended)
    }

    pub(crate) fn vault(&self) -> Vault<'a> {
        self.repository.vault()
    }

    /// Seconds since 1970.
    pub(crate) fn now_s(&self) -> i64 {
        self.now.div_euclid(1000)
    }
}
