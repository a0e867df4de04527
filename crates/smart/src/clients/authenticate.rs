//! How a client shows that it is the one: <https://www.rfc-editor.org/rfc/rfc6749#section-2.3>, and with a signed assertion
//! <https://hl7.org/fhir/smart-app-launch/STU2.2/client-confidential-asymmetric.html>.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fhir::Outcome;
use serde_json::json;

use crate::client::{Client, ClientAuth};
use crate::desk::Desk;
use crate::error::{ErrorCode, OAuthError};
use crate::exchange::Request;
use crate::jose::{self, Algorithm, Claims, Expected, Invalid, KeySet, Place, SKEW_S, Unverified};
use crate::record::add;
use crate::refresh_tokens::{self, Family};
use crate::secret::hashed;
use crate::token_event::TokenEvent;

/// How far ahead an assertion may expire, in seconds, besides what clocks may differ.
const ASSERTION_AGE_MAX_S: i64 = 300;
/// Bytes of a client's id.
const ID_MAX: usize = 200;
/// Bytes of an assertion's `jti`.
const JTI_MAX: usize = 200;

/// RFC 7523, paragraph 2.2.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What clients sign assertions with.
pub(crate) const ALGORITHMS: [Algorithm; 4] = [Algorithm::Rs384, Algorithm::Es384, Algorithm::Rs256, Algorithm::Es256];

/// What a request shows of its client.
struct Shown<'a> {
    id: String,
    proof: Proof<'a>,
}

enum Proof<'a> {
    None,
    Secret(String),
    Assertion(&'a str),
}

/// How a secret is kept: its SHA-256 in hexadecimal.
pub(crate) fn kept_secret(secret: &str) -> String {
    digest(&SHA256, secret.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Desk<'_> {
    /// The client that a request comes from, as it has shown; a public one has only said so.
    pub(crate) fn authenticate(&self, request: &Request, event: &mut TokenEvent) -> Result<Client, OAuthError> {
        let shown = Shown::of(request)?;
        event.client = Some(shown.id.clone());
        let known = match self.prove(&shown) {
            Ok(client) => client,
            Err(Refused::Fault(outcome)) => return Err(outcome.into()),
            Err(Refused::Busy) => {
                let text = "the keys of clients are slow to fetch: try again in a minute";
                return Err(OAuthError::new(ErrorCode::TemporarilyUnavailable, text));
            }
            Err(Refused::Unproven) => None,
        };
        known.ok_or_else(refused)
    }

    /// The same for a request with a refresh token. A public client need not say who it is, as
    /// <https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#refresh-access-token> has it: the token says that.
    pub(crate) fn authenticate_for_refresh(
        &self,
        request: &Request,
        event: &mut TokenEvent,
    ) -> Result<Client, OAuthError> {
        if Shown::is_any(request) {
            return self.authenticate(request, event);
        }
        let family = Family::find(self.vault(), request.required("refresh_token")?)?.map(refresh_tokens::Shown::family);
        let client = family.map(|family| self.clients().find(&family.client)).transpose()?.flatten();
        let client = client.filter(|client| client.auth == ClientAuth::Public && !client.disabled);
        event.client = client.as_ref().map(|client| client.id.clone());
        client.ok_or_else(refused)
    }

    fn prove(&self, shown: &Shown) -> Result<Option<Client>, Refused> {
        let client = self.clients().find(&shown.id)?.filter(|client| !client.disabled);
        let Some(client) = client else { return Ok(None) };
        let proven = match (&client.auth, &shown.proof) {
            (ClientAuth::Public, Proof::None) => true,
            (ClientAuth::Secret(kept), Proof::Secret(secret)) => {
                verify_slices_are_equal(kept.as_bytes(), kept_secret(secret).as_bytes()).is_ok()
            }
            (ClientAuth::Jwks(keys), Proof::Assertion(assertion)) => {
                let keys = KeySet::parse(keys.as_bytes()).map_err(|_| Refused::Unproven)?;
                self.accept(&client, self.judge(&client, assertion, &keys)?)?
            }
            (ClientAuth::JwksUri(url), Proof::Assertion(assertion)) => {
                let judge = |keys: &KeySet| self.judge(&client, assertion, keys);
                let place = if client.self_registered { Place::OfStranger(url) } else { Place::JwksUri(url) };
                self.accept(&client, self.server.key_sets.verify(place, self.now, judge)?)?
            }
            _ => false,
        };
        Ok(proven.then_some(client))
    }

    fn judge(&self, client: &Client, assertion: &str, keys: &KeySet) -> Result<Claims, Invalid> {
        let endpoint = self.server.url("token");
        let expected = Expected {
            algorithms: &ALGORITHMS,
            issuer: &client.id,
            audiences: &[&endpoint, &self.server.issuer],
            kind: None,
            now: self.now_s(),
        };
        jose::verify(assertion, keys, &expected)
    }

    /// Whether the client may use this assertion: one that is valid counts once.
    fn accept(&self, client: &Client, claims: Claims) -> Result<bool, Outcome> {
        let jti = claims.text("jti").filter(|jti| !jti.is_empty() && jti.len() <= JTI_MAX);
        let is_short = claims.expires <= self.now_s() + ASSERTION_AGE_MAX_S + SKEW_S;
        match jti {
            Some(jti) if is_short && claims.text("sub") == Some(&client.id) => {
                let name = format!("jti/{}", hashed(&format!("{}\n{jti}", client.id)));
                let expires = claims.expires.saturating_mul(1000);
                self.vault().edit(vec![add(name, &json!({ "expires": expires }))])
            }
            _ => Ok(false),
        }
    }
}

impl<'a> Shown<'a> {
    fn is_any(request: &Request) -> bool {
        let fields = ["client_id", "client_secret", "client_assertion"];
        request.authorization.is_some() || fields.into_iter().any(|name| request.field(name).is_some())
    }

    fn of(request: &'a Request) -> Result<Shown<'a>, OAuthError> {
        let id = request.field("client_id");
        let (secret, assertion) = (request.field("client_secret"), request.field("client_assertion"));
        let shown = match (request.authorization, secret, assertion) {
            (Some(header), None, None) => Shown::basic(header)?,
            (None, Some(secret), None) => Shown::plain(id, Proof::Secret(secret.to_owned()))?,
            (None, None, Some(assertion)) => Shown::assertion(request, assertion)?,
            (None, None, None) => Shown::plain(id, Proof::None)?,
            _ => return Err(OAuthError::new(ErrorCode::InvalidRequest, "the client is shown in more than one way")),
        };
        match id {
            Some(id) if id != shown.id => {
                Err(OAuthError::new(ErrorCode::InvalidRequest, "`client_id` is not that of the client which is shown"))
            }
            _ if shown.id.len() > ID_MAX => Err(refused()),
            _ => Ok(shown),
        }
    }

    fn plain(id: Option<&str>, proof: Proof<'a>) -> Result<Shown<'a>, OAuthError> {
        let id = id.ok_or_else(refused)?.to_owned();
        Ok(Shown { id, proof })
    }

    /// Both parts are encoded as in a form.
    fn basic(header: &str) -> Result<Shown<'a>, OAuthError> {
        let read = || {
            let (scheme, credentials) = header.split_once(' ')?;
            let credentials =
                STANDARD.decode(credentials.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
            let credentials = String::from_utf8(credentials).ok()?;
            let (id, secret) = credentials.split_once(':')?;
            Some((form_decoded(id)?, form_decoded(secret)?))
        };
        let (id, secret) = read().ok_or_else(refused)?;
        Ok(Shown { id, proof: Proof::Secret(secret) })
    }

    fn assertion(request: &Request, assertion: &'a str) -> Result<Shown<'a>, OAuthError> {
        if request.required("client_assertion_type")? != ASSERTION_TYPE {
            return Err(OAuthError::new(ErrorCode::InvalidRequest, "`client_assertion_type` is not known"));
        }
        let id = jose::issuer_of(assertion).ok_or_else(refused)?;
        Ok(Shown { id, proof: Proof::Assertion(assertion) })
    }
}

/// Why a client is not the one.
enum Refused {
    Unproven,
    /// Too many wait for keys of clients.
    Busy,
    Fault(Outcome),
}

impl From<Outcome> for Refused {
    fn from(outcome: Outcome) -> Refused {
        Refused::Fault(outcome)
    }
}

impl From<Invalid> for Refused {
    fn from(_: Invalid) -> Refused {
        Refused::Unproven
    }
}

impl From<Unverified> for Refused {
    fn from(unverified: Unverified) -> Refused {
        match unverified {
            Unverified::Invalid(invalid) => invalid.into(),
            Unverified::Busy => Refused::Busy,
        }
    }
}

/// The same for every reason: who guesses learns nothing.
fn refused() -> OAuthError {
    OAuthError::new(ErrorCode::InvalidClient, "the client is not known, or has not shown that it is the one")
}

fn form_decoded(text: &str) -> Option<String> {
    crate::uri::percent_decoded(&text.replace('+', " "))
}
