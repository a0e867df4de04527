//! A token for a refresh token: <https://www.rfc-editor.org/rfc/rfc6749#section-6>.

use super::{invalid_grant, refresh_until, scopes_of};
use crate::Client;
use crate::access_tokens::LIFETIME_MAX;
use crate::authorize::lasting;
use crate::desk::Desk;
use crate::error::{ErrorCode, OAuthError};
use crate::exchange::{Reply, Request};
use crate::refresh_tokens::{Family, Shown};
use crate::scope::Scopes;
use crate::token_event::TokenEvent;

impl Desk<'_> {
    pub(super) fn refresh(
        &self,
        request: &Request,
        client: &Client,
        event: &mut TokenEvent,
    ) -> Result<Reply, OAuthError> {
        let token = request.required("refresh_token")?;
        let stored = match Family::find(self.vault(), token)?.ok_or_else(invalid_grant)? {
            Shown::Current(stored) => stored,
            Shown::Former(family) => return Err(self.end_replayed(&family.grant, event)?),
        };
        if stored.value.client != client.id || self.now >= stored.value.expires {
            return Err(invalid_grant());
        }
        let grant = self.standing(&stored.value.grant)?.ok_or_else(invalid_grant)?;
        event.about(&grant);
        let granted = scopes_of(&grant, client)?;
        let scopes = match request.field("scope") {
            Some(narrower) => narrowed(&granted, narrower)?,
            None => granted.clone(),
        };
        let until = refresh_until(&grant, client, &granted, self.now).ok_or_else(invalid_grant)?;
        let (next, edit) = stored.follow(&self.server.setup.random, token, self.now, until);
        let lasting = lasting(&grant, until.max(self.now + LIFETIME_MAX));
        if !self.vault().edit(std::iter::once(edit).chain(lasting).collect())? {
            return Err(self.end_replayed(&grant.id, event)?);
        }
        self.answer(&grant, &scopes, Some(next), None)
    }
}

/// What is asked for, when all of it was granted.
fn narrowed(granted: &Scopes, asked: &str) -> Result<Scopes, OAuthError> {
    let asked = Scopes::parse(asked)?;
    match asked.unknown.is_empty() && !asked.is_empty() && granted.cover(&asked) {
        true => Ok(asked),
        false => Err(OAuthError::new(ErrorCode::InvalidScope, "more is asked for than was granted")),
    }
}
