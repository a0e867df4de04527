//! Whether an access token counts: <https://www.rfc-editor.org/rfc/rfc6750>.

use std::fmt;
use std::sync::Arc;

use fhir::Outcome;
use serde_json::Value;

use super::verified::Stamp;
use super::{OwnClaims, Verified, revoked_name};
use crate::desk::Desk;
use crate::epoch;
use crate::jose::{self, Algorithm, Expected, Invalid, Type};
use crate::scope::{Level, Scopes};
use crate::{Client, Grant};

/// Why a request with a token is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The token does not count. Why is not said.
    InvalidToken,
    /// The server could not find out.
    Fault(Outcome),
}

impl Refused {
    /// The value of `WWW-Authenticate` for a request whose token does not count.
    pub const CHALLENGE: &'static str =
        r#"Bearer error="invalid_token", error_description="the access token is expired, revoked or malformed""#;
    /// The same for a request without a token.
    pub const CHALLENGE_WITHOUT_TOKEN: &'static str = "Bearer";
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::InvalidToken => f.write_str("the access token is expired, revoked or malformed"),
            Refused::Fault(outcome) => outcome.fmt(f),
        }
    }
}

impl std::error::Error for Refused {}

impl From<Outcome> for Refused {
    fn from(outcome: Outcome) -> Refused {
        Refused::Fault(outcome)
    }
}

impl From<Invalid> for Refused {
    fn from(_: Invalid) -> Refused {
        Refused::InvalidToken
    }
}

impl Desk<'_> {
    /// What a bearer token grants now. One that was seen before costs a comparison, and one look into the vault if there was a commit since.
    pub fn verify(&self, token: &str) -> Result<Arc<Verified>, Refused> {
        let cache = &self.server.verified;
        // Read before anything that a revocation changes: what is found then is at least as young.
        let commits = self.vault().commits();
        if let Some(verified) = cache.find_unchanged(token, commits, self.now) {
            return Ok(verified);
        }
        let epoch = epoch::current(self.vault())?;
        if let Some(verified) = cache.find(token, &epoch, commits, self.now) {
            return Ok(verified);
        }
        let verified = match self.examine(token) {
            Ok(verified) => Arc::new(verified),
            Err(refused) => {
                cache.forget(token);
                return Err(refused);
            }
        };
        cache.keep(token, verified.clone(), epoch, commits, self.now);
        Ok(verified)
    }

    /// Whether [`Desk::verify`] may wait for keys of another issuer: no token that was seen before makes it wait, and none of this server.
    pub(crate) fn may_wait(&self, token: &str) -> bool {
        if self.server.setup.issuers.is_empty() {
            return false;
        }
        let known = self.server.verified.find_unchanged(token, self.vault().commits(), self.now);
        known.is_none() && jose::issuer_of(token).is_some_and(|issuer| issuer != self.server.issuer)
    }

    fn examine(&self, token: &str) -> Result<Verified, Refused> {
        let issuer = jose::issuer_of(token).ok_or(Refused::InvalidToken)?;
        if issuer == self.server.issuer {
            return self.examine_own(token);
        }
        let issuer = self.server.setup.issuers.iter().find(|known| known.issuer == issuer);
        self.examine_external(token, issuer.ok_or(Refused::InvalidToken)?)
    }

    fn examine_own(&self, token: &str) -> Result<Verified, Refused> {
        let ring = self.server.signing.ring(self.vault(), &self.server.setup.random, self.now)?;
        let expected = Expected {
            algorithms: &[Algorithm::Es256],
            issuer: &self.server.issuer,
            audiences: &[&self.server.setup.base_url],
            kind: Some(Type::AccessToken),
            now: self.now_s(),
        };
        let claims = jose::verify(token, &ring.published(self.now), &expected)?;
        let claims = serde_json::from_value(Value::Object(claims.all)).map_err(|_| Refused::InvalidToken)?;
        self.stand(claims)
    }

    /// Whether what the token rests on still stands.
    fn stand(&self, claims: OwnClaims) -> Result<Verified, Refused> {
        let client = self.clients().find(&claims.client_id)?.filter(|client| !client.disabled);
        let client = client.ok_or(Refused::InvalidToken)?;
        let is_revoked = self.vault().get(&revoked_name(&claims.jti))?.is_some();
        let grant = match &claims.grant {
            Some(id) => self.standing(id)?,
            None => Some(system_grant(&client, &claims)),
        };
        let grant = grant.filter(|grant| !is_revoked && grant.client == client.id).ok_or(Refused::InvalidToken)?;
        let granted = Scopes::parse(&claims.scope).map_err(|_| Refused::InvalidToken)?;
        let scopes = usable(&granted, &client, &grant)?;
        let (issued, expires) = (claims.iat * 1000, claims.exp * 1000);
        let expires = grant.expires.unwrap_or(expires).min(expires);
        let stamp = Stamp { issuer: self.server.issuer.clone(), id: claims.jti, issued, expires };
        Ok(Verified::new(client, grant, scopes, stamp))
    }
}

/// What of these scopes a token can use.
pub(super) fn usable(granted: &Scopes, client: &Client, grant: &Grant) -> Result<Scopes, Refused> {
    let ceiling = Scopes::parse(&client.scope).map_err(|_| Refused::InvalidToken)?;
    let mut scopes = granted.within(&ceiling);
    scopes.data.retain(|scope| match scope.level {
        Level::Patient => grant.patient.is_some(),
        Level::User => grant.account.is_some() || grant.fhir_user.is_some(),
        Level::System => grant.account.is_none() && grant.fhir_user.is_none(),
    });
    Ok(scopes)
}

/// What a system's token rests on: its registration.
fn system_grant(client: &Client, claims: &OwnClaims) -> Grant {
    Grant {
        id: String::new(),
        client: client.id.clone(),
        account: None,
        subject: client.id.clone(),
        fhir_user: None,
        patient: None,
        encounter: None,
        context: None,
        scope: claims.scope.clone(),
        purposes: client.purposes.clone(),
        consents: Vec::new(),
        auth_time: claims.iat * 1000,
        vot: None,
        created: claims.iat * 1000,
        expires: None,
    }
}
