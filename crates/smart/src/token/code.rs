//! A token for an authorization code: <https://www.rfc-editor.org/rfc/rfc6749#section-4.1.3>, with <https://www.rfc-editor.org/rfc/rfc7636#section-4.5>.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{invalid_grant, refresh_until, scopes_of};
use crate::Client;
use crate::access_tokens::LIFETIME_MAX;
use crate::authorize::lasting;
use crate::codes::Code;
use crate::desk::Desk;
use crate::error::OAuthError;
use crate::exchange::{Reply, Request};
use crate::refresh_tokens::Family;
use crate::token_event::TokenEvent;

impl Desk<'_> {
    pub(super) fn redeem(
        &self,
        request: &Request,
        client: &Client,
        event: &mut TokenEvent,
    ) -> Result<Reply, OAuthError> {
        let (code, verifier) = (request.required("code")?, request.required("code_verifier")?);
        let redirect_uri = request.required("redirect_uri")?;
        let stored = self.codes().find(code)?.ok_or_else(invalid_grant)?;
        let code = stored.value.clone();
        if code.used {
            return Err(self.end_replayed(&code.grant, event)?);
        }
        let is_meant = code.client == client.id && code.redirect_uri == redirect_uri && self.now < code.valid_until;
        if !is_meant || !code.is_answered_by(verifier) {
            return Err(invalid_grant());
        }
        let grant = self.standing(&code.grant)?.ok_or_else(invalid_grant)?;
        event.about(&grant);
        let scopes = scopes_of(&grant, client)?;
        let until = refresh_until(&grant, client, &scopes, self.now);
        let mut edits = vec![stored.spend()];
        edits.extend(lasting(&grant, until.unwrap_or(0).max(self.now + LIFETIME_MAX)));
        let refresh = until.map(|until| {
            let random = &self.server.setup.random;
            let (token, edit) = Family::begin(random, &grant.id, &client.id, self.now, until);
            edits.push(edit);
            token
        });
        if !self.vault().edit(edits)? {
            return Err(self.end_replayed(&grant.id, event)?);
        }
        self.answer(&grant, &scopes, refresh, code.nonce.as_deref())
    }
}

impl Code {
    /// Method S256.
    fn is_answered_by(&self, verifier: &str) -> bool {
        let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let is_verifier = (43..=128).contains(&verifier.len()) && verifier.bytes().all(is_unreserved);
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
        is_verifier && verify_slices_are_equal(challenge.as_bytes(), self.code_challenge.as_bytes()).is_ok()
    }
}
