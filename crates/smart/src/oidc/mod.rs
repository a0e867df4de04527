//! Signing in at an identity provider, such as NHS login, by OpenID Connect: <https://openid.net/specs/openid-connect-core-1_0.html>,
//! <https://nhsconnect.github.io/nhslogin/>.
//!
//! Invariants:
//! - What comes back counts once, within ten minutes, and only in the browser that was sent.
//! - Somebody is let in as exactly one resource, or as nobody's: which of none, several and the wrong one it was is not said.

mod http;
mod identity;
mod person;
mod provider;

use aws_lc_rs::digest;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use repository::{Millis, query_string};
use serde::{Deserialize, Serialize};

use self::identity::{Identity, Returned};
use self::person::Match;
use crate::event::PersonAct;
use crate::exchange::{Reply, repeated};
use crate::pages::{Link, Stop, Visit, first, redirect};
use crate::people::{Account, provided_name};
use crate::record::{Stored, set};
use crate::secret::{hashed, new_name, secret};
use crate::sign_in::next_of;

pub use http::Http;
pub(crate) use provider::Providers;
pub use provider::{Provider, Who};

/// How long somebody may take at the provider, in milliseconds.
const AWAY_MAX: Millis = 10 * 60_000;

const FAILED: &str = "You could not be signed in";

/// That a browser was sent to a provider. Kept in the vault, named `oidc/<hash of the state>`.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Sent {
    provider: String,
    nonce: String,
    /// PKCE's.
    verifier: String,
    /// Where to go on.
    next: String,
    /// The hash of what the browser is known by.
    browser: String,
    /// Since when the person must have signed in there; `None` when that may be long ago.
    since: Option<Millis>,
    expires: Millis,
}

impl Visit<'_> {
    /// The providers to choose from, to go on to `next`.
    pub(crate) fn provider_links(&self, next: &str) -> Vec<Link> {
        let link = |provider: &Provider| Link {
            href: format!("/auth/oidc/{}?{}", provider.id, query_string([("next", next)])),
            text: provider.name.clone(),
        };
        self.pages.providers.all.iter().map(link).collect()
    }

    /// `GET /auth/oidc/<provider>`: sends the browser to the provider.
    pub(crate) fn oidc_start(&self, id: &str) -> Result<Reply, Stop> {
        let text = "There is no such way to sign in.";
        let unknown = Stop::Page { status: 404, title: "This page cannot be opened", text };
        let provider = self.pages.providers.find(id).ok_or(unknown)?;
        if self.pages.attempts.begin_of_peer(self.request.peer, self.now).is_err() {
            self.tell(PersonAct::LockedOut, None);
            let text = "There were too many attempts to sign in. Try again in ten minutes.";
            return Err(Stop::Page { status: 429, title: FAILED, text });
        }
        let configuration = self.pages.providers.configuration(provider, self.now);
        let configuration = configuration.ok_or_else(|| self.failed_at(provider, "/auth/sign-in"))?;
        let random = &self.pages.setup.random;
        let state = secret(random);
        let next = next_of(first(&self.request.query, "next")).to_owned();
        let sent = Sent {
            provider: provider.id.clone(),
            nonce: secret(random),
            verifier: secret(random),
            since: self.wants_login(&next).then_some(self.now),
            next,
            browser: hashed(&self.cookie.csrf()),
            expires: self.now + AWAY_MAX,
        };
        self.vault().edit(vec![set(name(&state), &sent)])?;
        let location = self.location(provider, &configuration.authorization_endpoint, &state, &sent);
        Ok(self.with_cookie(redirect(location)))
    }

    fn location(&self, provider: &Provider, endpoint: &str, state: &str, sent: &Sent) -> String {
        let redirect_uri = self.oidc_redirect_uri();
        let challenge = digest::digest(&digest::SHA256, sent.verifier.as_bytes());
        let challenge = BASE64_URL_SAFE_NO_PAD.encode(challenge);
        let vtr = match &provider.who {
            Who::Patients { vtr } => serde_json::Value::from(vtr.clone()).to_string(),
            Who::Staff { .. } => String::new(),
        };
        // Whoever is asked with a `max_age` must say when the person signed in.
        let (prompt, max_age) = if sent.since.is_some() { ("login", "0") } else { ("", "") };
        let parameters = [
            ("response_type", "code"),
            ("client_id", provider.client_id.as_str()),
            ("redirect_uri", redirect_uri.as_str()),
            ("scope", provider.scope.as_str()),
            ("state", state),
            ("nonce", sent.nonce.as_str()),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
            ("vtr", vtr.as_str()),
            ("prompt", prompt),
            ("max_age", max_age),
        ];
        let query = query_string(parameters.into_iter().filter(|(_, value)| !value.is_empty()));
        let separator = if endpoint.contains('?') { '&' } else { '?' };
        format!("{endpoint}{separator}{query}")
    }

    fn oidc_redirect_uri(&self) -> String {
        format!("{}/oidc/callback", self.pages.issuer())
    }

    /// `GET /auth/oidc/callback`: the browser comes back.
    pub(crate) fn oidc_callback(&self) -> Result<Reply, Stop> {
        let query = &self.request.query;
        let text =
            "Your sign-in took too long, or it was begun in another browser. Nothing was changed. Please start again.";
        let stale = || {
            self.tell(PersonAct::SignInFailed, None);
            Stop::Page { status: 400, title: FAILED, text }
        };
        // <https://www.rfc-editor.org/rfc/rfc6749.html#section-3.1>: of two values nobody knows which one was meant.
        if repeated(query).is_some() {
            return Err(stale());
        }
        let stored = Stored::<Sent>::find(self.vault(), name(first(query, "state")))?.ok_or_else(stale)?;
        let sent = stored.value.clone();
        let is_own = sent.browser == hashed(&self.cookie.csrf()) && self.now < sent.expires;
        if !is_own || !self.vault().edit(vec![stored.take()])? {
            return Err(stale());
        }
        let provider = self.pages.providers.find(&sent.provider).ok_or_else(stale)?;
        match self.identify(provider, &sent) {
            Ok(identity) => self.let_in(provider, &identity, &sent.next),
            Err(doubt) => {
                tracing::warn!(provider = provider.id, doubt, "an identity provider vouches for nobody");
                self.tell(PersonAct::SignInFailed, None);
                Err(self.failed_at(provider, &sent.next))
            }
        }
    }

    fn identify(&self, provider: &Provider, sent: &Sent) -> Result<Identity, identity::Doubt> {
        let query = &self.request.query;
        let issuer = first(query, "iss");
        if !issuer.is_empty() && issuer != provider.issuer {
            return Err("another issuer answered");
        }
        let code = first(query, "code");
        if code.is_empty() || !first(query, "error").is_empty() {
            return Err("the person did not sign in there");
        }
        let providers = &self.pages.providers;
        let configuration = providers.configuration(provider, self.now).ok_or("its configuration cannot be had")?;
        let redirect_uri = self.oidc_redirect_uri();
        let returned = Returned {
            code,
            redirect_uri: &redirect_uri,
            verifier: &sent.verifier,
            nonce: &sent.nonce,
            since: sent.since,
        };
        providers.identify(provider, &configuration, &returned, &self.pages.setup.random, self.now)
    }

    fn let_in(&self, provider: &Provider, identity: &Identity, next: &str) -> Result<Reply, Stop> {
        let held = self.people().of_provider(&provider.id, &identity.subject)?;
        let is_disabled = held.as_ref().is_some_and(|account| account.disabled);
        let fhir_user = match person::find(&self.records(), provider, identity)? {
            Match::One(user) if !is_disabled => Some(user),
            Match::NotNeeded if !is_disabled => None,
            _ => {
                self.tell(PersonAct::SignInFailed, held.as_ref());
                let text = "We know who you are, but we cannot match you with a record here. Please ask your GP surgery or, if you work here, your administrator.";
                return Err(Stop::Page { status: 403, title: FAILED, text });
            }
        };
        let held = held.unwrap_or_else(|| self.new_account(provider, identity));
        let account = Account { fhir_user, vot: identity.vot.clone(), ..held };
        self.people().remember(&account)?;
        self.begin_session(&account, Some(&provider.id), next)
    }

    fn new_account(&self, provider: &Provider, identity: &Identity) -> Account {
        Account {
            name: provided_name(&provider.id, &identity.subject),
            subject: new_name(&self.pages.setup.random),
            password: None,
            provider: Some(provider.id.clone()),
            fhir_user: None,
            vot: None,
            created: self.now,
            disabled: false,
            since: 0,
        }
    }

    /// The page that says so, with the way to try again.
    fn failed_at(&self, provider: &Provider, next: &str) -> Stop {
        let text = format!("{} did not tell us who you are. Nothing was changed.", provider.name);
        let link = Link { href: next.to_owned(), text: "Try again".to_owned() };
        Stop::Reply(self.message(502, FAILED, &text, Some(link)))
    }
}

fn name(state: &str) -> String {
    format!("oidc/{}", hashed(state))
}
