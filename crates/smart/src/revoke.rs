//! Giving a token back: <https://www.rfc-editor.org/rfc/rfc7009>.
//!
//! With a refresh token ends the grant, and so all of its tokens. An access token ends alone.

use repository::Edit;
use serde_json::json;

use crate::access_tokens::{Refused, revoked_name};
use crate::client::Client;
use crate::desk::Desk;
use crate::epoch;
use crate::error::OAuthError;
use crate::exchange::{Reply, Request};
use crate::refresh_tokens::{Family, Shown};
use crate::token_event::{TokenAct, TokenEvent};

impl Desk<'_> {
    /// Done is also answered where there is nothing to do: the client wants the token to count no longer, and it does not.
    pub(crate) fn revoke(&self, request: &Request, event: &mut TokenEvent) -> Result<Reply, OAuthError> {
        let client = self.authenticate(request, event)?;
        let token = request.required("token")?;
        let is_done = match Family::find(self.vault(), token)?.map(Shown::family) {
            Some(family) => self.revoke_refresh(&family, &client, event)?,
            None => self.revoke_access(token, &client, event)?,
        };
        if !is_done {
            event.what = TokenAct::RevokeNothing;
        }
        Ok(Reply { status: 200, ..Reply::default() }.with("Cache-Control", "no-store"))
    }

    /// Whoever gives back a token that was used before may as well have the whole grant ended.
    fn revoke_refresh(&self, family: &Family, client: &Client, event: &mut TokenEvent) -> Result<bool, OAuthError> {
        let ended = if family.client == client.id { self.end(&family.grant)? } else { None };
        if let Some(grant) = &ended {
            event.about(grant);
        }
        Ok(ended.is_some())
    }

    fn revoke_access(&self, token: &str, client: &Client, event: &mut TokenEvent) -> Result<bool, OAuthError> {
        let verified = match self.verify(token) {
            Ok(verified) if verified.issuer == self.server.issuer && verified.client.id == client.id => verified,
            Ok(_) | Err(Refused::InvalidToken) => return Ok(false),
            Err(Refused::Fault(outcome)) => return Err(outcome.into()),
        };
        event.about(&verified.grant);
        let record = json!({ "expires": verified.expires }).to_string();
        let edits = vec![Edit::set(revoked_name(&verified.id), record), epoch::next(&self.server.setup.random)];
        self.vault().edit(edits)?;
        Ok(true)
    }
}
