//! Clients that register themselves: <https://www.rfc-editor.org/rfc/rfc7591>.
//!
//! Whoever registers so is nobody that this server knows: it gets no `system/` scopes, speaks for no organization, and is asked for nothing inside the
//! server's own network.

use std::sync::{Mutex, PoisonError};

use repository::Millis;
use serde::Deserialize;
use serde_json::{Value, json};

use super::metadata::{AUTHORIZATION_CODE, CLIENT_CREDENTIALS, REFRESH_TOKEN};
use super::{ClientError, InvalidClient, NewAuth, NewClient, Registered};
use crate::client::{Client, ClientAuth};
use crate::desk::Desk;
use crate::error::{ErrorCode, OAuthError};
use crate::exchange::{Reply, Request};
use crate::scope::{Level, Scopes, Word};
use crate::token_event::TokenEvent;
use crate::uri::Uri;

/// Bytes of a registration.
const BODY_MAX: usize = 100_000;
/// Registrations in one hour, of everybody together.
const REGISTRATIONS_MAX: u32 = 100;
/// What a client may ask for that registers without scopes: people still decide.
const SCOPE_DEFAULT: &str =
    "launch launch/patient launch/encounter openid fhirUser profile offline_access online_access patient/*.rs";
const HOUR: Millis = 60 * 60 * 1000;

/// Whether clients may register themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Registration {
    Open,
    #[default]
    Closed,
}

/// How many clients registered in the hour that began at a time.
#[derive(Default)]
pub(crate) struct Pace(Mutex<(Millis, u32)>);

impl Pace {
    fn admit(&self, now: Millis) -> Result<(), OAuthError> {
        let mut pace = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now >= pace.0 + HOUR {
            *pace = (now, 0);
        }
        if pace.1 == REGISTRATIONS_MAX {
            return Err(OAuthError::new(
                ErrorCode::TemporarilyUnavailable,
                "too many clients have registered in this hour",
            ));
        }
        pace.1 += 1;
        Ok(())
    }
}

/// What a client says of itself. Anything else is left aside, as RFC 7591 demands.
#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    redirect_uris: Vec<String>,
    token_endpoint_auth_method: Option<String>,
    grant_types: Option<Vec<String>>,
    response_types: Option<Vec<String>>,
    client_name: Option<String>,
    client_uri: Option<String>,
    logo_uri: Option<String>,
    tos_uri: Option<String>,
    policy_uri: Option<String>,
    initiate_login_uri: Option<String>,
    scope: Option<String>,
    jwks: Option<Value>,
    jwks_uri: Option<String>,
}

impl Desk<'_> {
    pub(crate) fn register(&self, request: &Request, event: &mut TokenEvent) -> Result<Reply, OAuthError> {
        if self.server.setup.registration == Registration::Closed {
            let text = "clients are registered by who runs this server: `flint app add`";
            return Err(OAuthError::new(ErrorCode::AccessDenied, text));
        }
        let body = request.json.filter(|body| body.len() <= BODY_MAX);
        let body = body.ok_or_else(|| invalid("the body is not JSON of a bearable length"))?;
        let metadata: Metadata = serde_json::from_slice(body).map_err(|error| invalid(error.to_string()))?;
        let new = metadata.client()?;
        self.server.registrations.admit(self.now)?;
        let registered = self.clients().register(new, self.now)?;
        event.client = Some(registered.client.id.clone());
        Ok(Reply::json(201, &told(&registered)))
    }
}

impl Metadata {
    fn client(self) -> Result<NewClient, OAuthError> {
        if self.response_types.is_some_and(|types| types.iter().any(|name| name != "code")) {
            return Err(invalid("response types other than `code` are not supported"));
        }
        let mut scopes = Scopes::parse(self.scope.as_deref().unwrap_or(SCOPE_DEFAULT))
            .map_err(|error| invalid(error.to_string()))?;
        scopes.data.retain(|scope| scope.level != Level::System);
        let grant_types = self.grant_types.unwrap_or_else(|| usual_grant_types(&scopes));
        if grant_types.iter().any(|name| name == CLIENT_CREDENTIALS) {
            return Err(invalid("`client_credentials` is not for clients that register themselves"));
        }
        let auth = auth(self.token_endpoint_auth_method.as_deref(), self.jwks, self.jwks_uri)?;
        let name =
            self.client_name.or_else(|| self.redirect_uris.first().cloned().map(|uri| uri.chars().take(200).collect()));
        Ok(NewClient {
            name: name.unwrap_or_default(),
            auth,
            redirect_uris: self.redirect_uris,
            launch_uri: self.initiate_login_uri,
            grant_types,
            scope: scopes.to_string(),
            client_uri: self.client_uri,
            logo_uri: self.logo_uri,
            tos_uri: self.tos_uri,
            policy_uri: self.policy_uri,
            self_registered: true,
            ..NewClient::default()
        })
    }
}

/// RFC 7591 leaves only the code, but who asks for access that lasts wants refresh tokens.
fn usual_grant_types(scopes: &Scopes) -> Vec<String> {
    let lasts = scopes.has(Word::OfflineAccess) || scopes.has(Word::OnlineAccess);
    let refresh = lasts.then_some(REFRESH_TOKEN);
    std::iter::once(AUTHORIZATION_CODE).chain(refresh).map(str::to_owned).collect()
}

fn auth(method: Option<&str>, jwks: Option<Value>, jwks_uri: Option<String>) -> Result<NewAuth, OAuthError> {
    match (method.unwrap_or("client_secret_basic"), jwks, jwks_uri) {
        (_, Some(_), Some(_)) => Err(invalid("`jwks` and `jwks_uri` exclude each other")),
        ("none", ..) => Ok(NewAuth::Public),
        ("client_secret_basic" | "client_secret_post", ..) => Ok(NewAuth::Secret),
        ("private_key_jwt", Some(jwks), None) => Ok(NewAuth::Jwks(jwks.to_string())),
        ("private_key_jwt", None, Some(url)) => match Uri::parse(&url) {
            Some(uri) if uri.scheme == "https" && !uri.is_numeric_or_local() => Ok(NewAuth::JwksUri(url)),
            _ => Err(invalid("`jwks_uri` must be `https` and name a public host")),
        },
        ("private_key_jwt", None, None) => Err(invalid("`private_key_jwt` needs `jwks` or `jwks_uri`")),
        _ => Err(invalid("`token_endpoint_auth_method` is not supported")),
    }
}

/// What the client is told: all that was registered.
fn told(registered: &Registered) -> Value {
    let Registered { client, secret } = registered;
    let told = json!({
        "client_id": client.id,
        "client_id_issued_at": client.created / 1000,
        "client_secret": secret,
        "client_secret_expires_at": secret.as_ref().map(|_| 0),
        "client_name": client.name,
        "redirect_uris": client.redirect_uris,
        "grant_types": client.grant_types,
        "response_types": ["code"],
        "token_endpoint_auth_method": method(client),
        "scope": client.scope,
        "client_uri": client.client_uri,
        "logo_uri": client.logo_uri,
        "tos_uri": client.tos_uri,
        "policy_uri": client.policy_uri,
        "initiate_login_uri": client.launch_uri,
        "jwks": match &client.auth {
            ClientAuth::Jwks(keys) => serde_json::from_str(keys).unwrap_or(Value::Null),
            _ => Value::Null,
        },
        "jwks_uri": match &client.auth {
            ClientAuth::JwksUri(url) => Some(url),
            _ => None,
        },
    });
    crate::exchange::without_nulls(told)
}

fn method(client: &Client) -> &'static str {
    match client.auth {
        ClientAuth::Public => "none",
        ClientAuth::Secret(_) => "client_secret_basic",
        ClientAuth::Jwks(_) | ClientAuth::JwksUri(_) => "private_key_jwt",
    }
}

impl From<ClientError> for OAuthError {
    fn from(error: ClientError) -> OAuthError {
        match error {
            ClientError::Invalid(error @ InvalidClient::RedirectUri(_)) => {
                OAuthError::new(ErrorCode::InvalidRedirectUri, error.to_string())
            }
            ClientError::Invalid(error) => invalid(error.to_string()),
            ClientError::Store(outcome) => outcome.into(),
        }
    }
}

fn invalid(text: impl Into<String>) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidClientMetadata, text)
}
