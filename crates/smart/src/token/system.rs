//! A token for a system: <https://hl7.org/fhir/smart-app-launch/STU2.2/backend-services.html>.

use serde_json::json;

use crate::client::{Client, ClientAuth};
use crate::desk::Desk;
use crate::error::{ErrorCode, OAuthError};
use crate::exchange::{Reply, Request};
use crate::scope::{Level, Scopes};
use crate::token_event::TokenEvent;

impl Desk<'_> {
    pub(super) fn client_credentials(
        &self,
        request: &Request,
        client: &Client,
        _event: &mut TokenEvent,
    ) -> Result<Reply, OAuthError> {
        if !matches!(client.auth, ClientAuth::Jwks(_) | ClientAuth::JwksUri(_)) {
            let text = "`client_credentials` is for clients that sign assertions";
            return Err(OAuthError::new(ErrorCode::UnauthorizedClient, text));
        }
        let asked = Scopes::parse(request.field("scope").unwrap_or_default())?;
        if !asked.words.is_empty() || asked.data.iter().any(|scope| scope.level != Level::System) {
            return Err(invalid_scope("a system can have `system/` scopes only"));
        }
        let scopes = asked.within(&Scopes::parse(&client.scope)?);
        if scopes.is_empty() {
            return Err(invalid_scope("none of the scopes can be granted"));
        }
        let issued = self.issue_to_system(client, &scopes)?;
        Ok(Reply::json(
            200,
            &json!({
                "access_token": issued.token,
                "token_type": "Bearer",
                "expires_in": issued.seconds,
                "scope": scopes.to_string(),
            }),
        ))
    }
}

fn invalid_scope(text: &str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidScope, text)
}
