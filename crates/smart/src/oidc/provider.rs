//! Identity providers as they are set up, and what they say of themselves,
//! <https://openid.net/specs/openid-connect-discovery-1_0.html>.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use repository::Millis;
use serde::Deserialize;

use super::Http;
use crate::jose::{KeySets, PrivateKey};
use crate::uri::is_secure;

/// How long what a provider says of itself is used without asking again, in milliseconds.
const CONFIGURATION_AGE_MAX: Millis = 60 * 60 * 1000;

/// An identity provider.
#[derive(Debug)]
pub struct Provider {
    /// Names it in addresses: letters, digits and `-`.
    pub id: String,
    /// As people know it.
    pub name: String,
    pub issuer: String,
    /// What this server is called there.
    pub client_id: String,
    /// With which this server shows there that it is the one; NHS login wants RS512.
    pub key: PrivateKey,
    /// Scopes to ask for, separated by spaces.
    pub scope: String,
    pub who: Who,
}

/// Who signs in at a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// Patients, matched by the NHS number. `vtr` are the vectors of trust that are good enough, such as `P9.Cp.Cd`: one must be there.
    Patients { vtr: Vec<String> },
    /// Staff, matched by the SDS user id, which is in this claim.
    Staff { claim: String },
}

/// Where a provider is asked for what.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Configuration {
    issuer: String,
    pub(super) authorization_endpoint: String,
    pub(super) token_endpoint: String,
    pub(super) userinfo_endpoint: String,
    pub(super) jwks_uri: String,
}

/// The providers of a server.
pub(crate) struct Providers {
    pub(super) all: Vec<Provider>,
    pub(super) http: Arc<dyn Http>,
    pub(super) keys: KeySets,
    configurations: Mutex<HashMap<String, (Millis, Arc<Configuration>)>>,
}

impl Providers {
    pub(crate) fn new(all: Vec<Provider>, http: Arc<dyn Http>) -> Providers {
        Providers { all, keys: KeySets::new(http.clone()), http, configurations: Mutex::default() }
    }

    pub(super) fn find(&self, id: &str) -> Option<&Provider> {
        self.all.iter().find(|provider| provider.id == id)
    }

    /// What a provider says of itself; `None` when it cannot be asked or says what cannot be used.
    pub(super) fn configuration(&self, provider: &Provider, now: Millis) -> Option<Arc<Configuration>> {
        let lock = || self.configurations.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((since, configuration)) = lock().get(&provider.id)
            && now < since + CONFIGURATION_AGE_MAX
        {
            return Some(configuration.clone());
        }
        let url = format!("{}/.well-known/openid-configuration", provider.issuer.trim_end_matches('/'));
        let configuration: Configuration = serde_json::from_slice(&self.http.get(&url).ok()?).ok()?;
        if configuration.issuer != provider.issuer || !configuration.is_secure() {
            tracing::warn!(provider = provider.id, "the configuration of an identity provider cannot be used");
            return None;
        }
        let configuration = Arc::new(configuration);
        lock().insert(provider.id.clone(), (now, configuration.clone()));
        Some(configuration)
    }
}

impl Configuration {
    fn is_secure(&self) -> bool {
        let Configuration { authorization_endpoint, token_endpoint, userinfo_endpoint, jwks_uri, .. } = self;
        [authorization_endpoint, token_endpoint, userinfo_endpoint, jwks_uri].into_iter().all(|url| is_secure(url))
    }
}
