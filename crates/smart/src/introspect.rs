//! What a token says: <https://www.rfc-editor.org/rfc/rfc7662>, <https://hl7.org/fhir/smart-app-launch/STU2.2/token-introspection.html>.

use serde_json::{Value, json};

use crate::access_tokens::{Refused, Verified};
use crate::client::{Client, ClientAuth};
use crate::desk::Desk;
use crate::error::{ErrorCode, OAuthError};
use crate::exchange::{Reply, Request, without_nulls};
use crate::refresh_tokens::{Family, Shown};
use crate::token::{launch_context, scopes_of};
use crate::token_event::TokenEvent;

impl Desk<'_> {
    /// A client learns of its own tokens; the record keeper's own systems of all.
    pub(crate) fn introspect(&self, request: &Request, event: &mut TokenEvent) -> Result<Reply, OAuthError> {
        let client = self.authenticate(request, event)?;
        if client.auth == ClientAuth::Public {
            return Err(OAuthError::new(
                ErrorCode::InvalidClient,
                "only a client that shows who it is may ask about tokens",
            ));
        }
        let token = request.required("token")?;
        let told = match self.tell_of_access(token, &client, event)? {
            Some(told) => Some(told),
            None => self.tell_of_refresh(token, &client, event)?,
        };
        Ok(Reply::json(200, &told.unwrap_or_else(|| json!({ "active": false }))))
    }

    fn tell_of_access(
        &self,
        token: &str,
        client: &Client,
        event: &mut TokenEvent,
    ) -> Result<Option<Value>, OAuthError> {
        let verified = match self.verify(token) {
            Ok(verified) if client.may_know_of(&verified.client.id) => verified,
            Ok(_) | Err(Refused::InvalidToken) => return Ok(None),
            Err(Refused::Fault(outcome)) => return Err(outcome.into()),
        };
        let Verified { grant, scopes, .. } = &*verified;
        event.about(grant);
        let mut told = launch_context(grant);
        let own = json!({
            "active": true,
            "scope": scopes.to_string(),
            "client_id": verified.client.id,
            "token_type": "Bearer",
            "exp": verified.expires / 1000,
            "iat": verified.issued / 1000,
            "iss": verified.issuer,
            "aud": self.server.setup.base_url,
            "sub": grant.subject,
            "jti": verified.id,
            "fhirUser": grant.fhir_user.as_deref().map(|user| self.url_of(user)),
            "act": self.actor(grant),
        });
        if let Value::Object(own) = own {
            told.extend(own);
        }
        Ok(Some(without_nulls(Value::Object(told))))
    }

    fn tell_of_refresh(
        &self,
        token: &str,
        client: &Client,
        event: &mut TokenEvent,
    ) -> Result<Option<Value>, OAuthError> {
        let Some(Shown::Current(stored)) = Family::find(self.vault(), token)? else { return Ok(None) };
        let family = &stored.value;
        if self.now >= family.expires || !client.may_know_of(&family.client) {
            return Ok(None);
        }
        let Some(grant) = self.standing(&family.grant)? else { return Ok(None) };
        let Some(owner) = self.clients().find(&family.client)?.filter(|owner| !owner.disabled) else { return Ok(None) };
        event.about(&grant);
        Ok(Some(json!({
            "active": true,
            "scope": scopes_of(&grant, &owner)?.to_string(),
            "client_id": family.client,
            "exp": family.expires / 1000,
            "iat": family.issued / 1000,
            "iss": self.server.issuer,
            "sub": grant.subject,
        })))
    }
}

impl Client {
    fn may_know_of(&self, other: &str) -> bool {
        self.custodian || self.id == other
    }
}
