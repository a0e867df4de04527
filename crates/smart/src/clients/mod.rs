//! Where clients are kept, and what one must be like to be registered.

mod authenticate;
mod dynamic;
mod metadata;

use fhir::Outcome;
use repository::{Millis, Vault};

use crate::client::{Client, ClientAuth};
use crate::epoch;
use crate::record::{Stored, add, parse};
use crate::secret::{Random, new_name, secret};

pub(crate) use authenticate::{ALGORITHMS, kept_secret};
pub(crate) use dynamic::Pace;
pub use dynamic::Registration;
pub(crate) use metadata::GRANT_TYPES;
pub use metadata::{InvalidClient, REDIRECT_URIS_MAX};

/// Clients that one look at them shows.
const LIST_MAX: usize = 1_000;

/// The clients in the vault.
#[derive(Clone, Copy)]
pub struct Clients<'a> {
    vault: Vault<'a>,
    random: &'a Random,
}

/// A client to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewClient {
    pub name: String,
    pub auth: NewAuth,
    pub redirect_uris: Vec<String>,
    pub launch_uri: Option<String>,
    /// Empty for those that the redirect URIs and scopes ask for.
    pub grant_types: Vec<String>,
    pub scope: String,
    pub organization: Option<String>,
    pub identifiers: Vec<String>,
    pub purposes: Vec<String>,
    pub custodian: bool,
    pub self_registered: bool,
    pub client_uri: Option<String>,
    pub logo_uri: Option<String>,
    pub tos_uri: Option<String>,
    pub policy_uri: Option<String>,
}

/// How a client to be will show that it is the one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum NewAuth {
    #[default]
    Public,
    /// By a secret that is made for it.
    Secret,
    /// A JWK Set, a JSON text.
    Jwks(String),
    JwksUri(String),
}

/// A client that was registered, and its secret, which nobody can read again.
#[derive(Clone, PartialEq, Eq)]
pub struct Registered {
    pub client: Client,
    pub secret: Option<String>,
}

/// Why a client was not registered or changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientError {
    Invalid(InvalidClient),
    Store(Outcome),
}

impl From<Outcome> for ClientError {
    fn from(outcome: Outcome) -> ClientError {
        ClientError::Store(outcome)
    }
}

impl From<InvalidClient> for ClientError {
    fn from(error: InvalidClient) -> ClientError {
        ClientError::Invalid(error)
    }
}

impl std::fmt::Display for ClientError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ClientError::Invalid(error) => error.fmt(f),
            ClientError::Store(outcome) => outcome.fmt(f),
        }
    }
}

impl std::error::Error for ClientError {}

impl<'a> Clients<'a> {
    pub fn new(vault: Vault<'a>, random: &'a Random) -> Clients<'a> {
        Clients { vault, random }
    }

    /// Registers a client under a new id.
    pub fn register(&self, new: NewClient, now: Millis) -> Result<Registered, ClientError> {
        let new = new.checked()?;
        let (auth, secret) = match new.auth {
            NewAuth::Public => (ClientAuth::Public, None),
            NewAuth::Secret => {
                let secret = secret(self.random);
                (ClientAuth::Secret(kept_secret(&secret)), Some(secret))
            }
            NewAuth::Jwks(keys) => (ClientAuth::Jwks(keys), None),
            NewAuth::JwksUri(url) => (ClientAuth::JwksUri(url), None),
        };
        let client = Client {
            id: new_name(self.random),
            name: new.name,
            auth,
            redirect_uris: new.redirect_uris,
            launch_uri: new.launch_uri,
            grant_types: new.grant_types,
            scope: new.scope,
            organization: new.organization,
            identifiers: new.identifiers,
            purposes: new.purposes,
            custodian: new.custodian,
            self_registered: new.self_registered,
            client_uri: new.client_uri,
            logo_uri: new.logo_uri,
            tos_uri: new.tos_uri,
            policy_uri: new.policy_uri,
            created: now,
            disabled: false,
        };
        self.vault.edit(vec![add(name(&client.id), &client)])?;
        Ok(Registered { client, secret })
    }

    /// The client of this id, disabled or not.
    pub fn find(&self, id: &str) -> Result<Option<Client>, Outcome> {
        Ok(self.stored(id)?.map(|stored| stored.value))
    }

    /// The clients after this id, in order of id, at most 1,000.
    pub fn list(&self, after: Option<&str>) -> Result<Vec<Client>, Outcome> {
        let values = self.vault.list("client/", after.map(name).as_deref(), LIST_MAX)?;
        values.iter().map(|(name, value)| parse(name, value)).collect()
    }

    /// Disables a client: it gets no tokens, and those that it has count no longer. False when there is none of this id.
    pub fn disable(&self, id: &str) -> Result<bool, Outcome> {
        self.change(id, |client| client.disabled = true)
    }

    /// Makes a new secret for a client that has one; the former counts no longer. `None` when there is no such client.
    pub fn replace_secret(&self, id: &str) -> Result<Option<String>, Outcome> {
        match self.find(id)?.map(|client| client.auth) {
            Some(ClientAuth::Secret(_)) => {}
            _ => return Ok(None),
        }
        let secret = secret(self.random);
        let kept = kept_secret(&secret);
        Ok(self.change(id, |client| client.auth = ClientAuth::Secret(kept.clone()))?.then_some(secret))
    }

    fn stored(&self, id: &str) -> Result<Option<Stored<Client>>, Outcome> {
        Stored::find(self.vault, name(id))
    }

    fn change(&self, id: &str, change: impl Fn(&mut Client)) -> Result<bool, Outcome> {
        while let Some(stored) = self.stored(id)? {
            let mut client = stored.value.clone();
            change(&mut client);
            if self.vault.edit(vec![stored.replace(&client), epoch::next(self.random)])? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn name(id: &str) -> String {
    format!("client/{id}")
}
