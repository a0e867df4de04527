//! The token endpoint: <https://www.rfc-editor.org/rfc/rfc6749#section-3.2>,
//! <https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#obtain-access-token>.

mod code;
mod refresh;
mod response;
mod system;

use repository::Millis;

pub(crate) use response::launch_context;

use crate::desk::Desk;
use crate::error::{ErrorCode, OAuthError};
use crate::exchange::{Reply, Request};
use crate::scope::{Scopes, Word};
use crate::token_event::{TokenAct, TokenEvent};
use crate::{Client, Grant};

/// How long a refresh token counts that nobody uses, in milliseconds: 180 days.
const OFFLINE_AGE_MAX: Millis = 180 * 24 * 60 * 60 * 1000;
/// How long after the person signed in an app may still be online, in milliseconds.
const SESSION_AGE_MAX: Millis = 12 * 60 * 60 * 1000;

impl Desk<'_> {
    pub(crate) fn token(&self, request: &Request, event: &mut TokenEvent) -> Result<Reply, OAuthError> {
        let grant_type = request.required("grant_type")?;
        let answer = match grant_type {
            "authorization_code" => {
                event.what = TokenAct::Redeem;
                Desk::redeem
            }
            "refresh_token" => {
                event.what = TokenAct::Refresh;
                Desk::refresh
            }
            "client_credentials" => {
                event.what = TokenAct::ClientCredentials;
                Desk::client_credentials
            }
            _ => {
                let text = "the grant type must be `authorization_code`, `refresh_token` or `client_credentials`";
                return Err(OAuthError::new(ErrorCode::UnsupportedGrantType, text));
            }
        };
        let client = match event.what {
            TokenAct::Refresh => self.authenticate_for_refresh(request, event)?,
            _ => self.authenticate(request, event)?,
        };
        if !client.may_use(grant_type) {
            return Err(OAuthError::new(ErrorCode::UnauthorizedClient, "the client may not use this grant type"));
        }
        answer(self, request, &client, event)
    }

    /// Ends a grant whose code or refresh token somebody shows again.
    fn end_replayed(&self, grant: &str, event: &mut TokenEvent) -> Result<OAuthError, OAuthError> {
        if let Some(grant) = self.end(grant)? {
            event.what = TokenAct::EndReplayed;
            event.about(&grant);
        }
        Ok(invalid_grant())
    }
}

impl Client {
    fn may_use(&self, grant_type: &str) -> bool {
        self.grant_types.iter().any(|name| name == grant_type)
    }
}

/// What of a grant its client may have now.
pub(crate) fn scopes_of(grant: &Grant, client: &Client) -> Result<Scopes, OAuthError> {
    Ok(Scopes::parse(&grant.scope)?.within(&Scopes::parse(&client.scope)?))
}

/// Until when a refresh token that is made now counts; `None` when none is to be made.
fn refresh_until(grant: &Grant, client: &Client, scopes: &Scopes, now: Millis) -> Option<Millis> {
    let until = match () {
        () if !client.may_use("refresh_token") => return None,
        () if scopes.has(Word::OfflineAccess) => now + OFFLINE_AGE_MAX,
        () if scopes.has(Word::OnlineAccess) => grant.auth_time + SESSION_AGE_MAX,
        () => return None,
    };
    let until = grant.expires.map_or(until, |ends| ends.min(until));
    (now < until).then_some(until)
}

/// The same for every reason: who guesses learns nothing.
fn invalid_grant() -> OAuthError {
    OAuthError::new(
        ErrorCode::InvalidGrant,
        "the code or refresh token is not valid, is expired or was used, or is of another client or request",
    )
}
