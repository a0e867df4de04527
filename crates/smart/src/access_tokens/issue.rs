//! Making access tokens: signed JSON Web Tokens after RFC 9068.

use fhir::{IssueType, Outcome};
use repository::Millis;
use serde::{Deserialize, Serialize};

use super::{LIFETIME_MAX, SYSTEM_LIFETIME_MAX};
use crate::desk::Desk;
use crate::jose::{PrivateKey, Type, Unsigned};
use crate::scope::Scopes;
use crate::secret::new_name;
use crate::{Client, Grant};

/// The claims of a token of this server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OwnClaims {
    iss: String,
    aud: String,
    sub: String,
    pub(crate) client_id: String,
    pub(crate) jti: String,
    pub(crate) iat: i64,
    pub(crate) exp: i64,
    pub(crate) scope: String,
    /// The id of the patient in context.
    #[serde(skip_serializing_if = "Option::is_none")]
    patient: Option<String>,
    /// Who acts for that patient, if somebody does.
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<Actor>,
    /// The grant that it rests on; `None` for a system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) grant: Option<String>,
}

/// Who acts for another, RFC 8693, paragraph 4.1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Actor {
    sub: String,
    #[serde(rename = "fhirUser")]
    fhir_user: String,
}

/// A new access token.
pub(crate) struct Issued {
    pub(crate) token: String,
    pub(crate) seconds: i64,
}

impl Desk<'_> {
    /// An access token that rests on a grant.
    pub(crate) fn issue(&self, grant: &Grant, scopes: &Scopes) -> Result<Issued, Outcome> {
        let ends = grant.expires.unwrap_or(Millis::MAX).min(self.now + LIFETIME_MAX);
        self.sign_access(&grant.client, &grant.subject, scopes, ends, Some(grant))
    }

    /// An access token of a system.
    pub(crate) fn issue_to_system(&self, client: &Client, scopes: &Scopes) -> Result<Issued, Outcome> {
        self.sign_access(&client.id, &client.id, scopes, self.now + SYSTEM_LIFETIME_MAX, None)
    }

    fn sign_access(
        &self,
        client: &str,
        subject: &str,
        scopes: &Scopes,
        ends: Millis,
        grant: Option<&Grant>,
    ) -> Result<Issued, Outcome> {
        let claims = OwnClaims {
            iss: self.server.issuer.clone(),
            aud: self.server.setup.base_url.clone(),
            sub: subject.to_owned(),
            client_id: client.to_owned(),
            jti: new_name(&self.server.setup.random),
            iat: self.now_s(),
            exp: ends.div_euclid(1000),
            scope: scopes.to_string(),
            patient: grant.and_then(|grant| grant.patient.clone()),
            act: grant.and_then(|grant| self.actor(grant)),
            grant: grant.map(|grant| grant.id.clone()),
        };
        let ring = self.server.signing.ring(self.vault(), &self.server.setup.random, self.now)?;
        let token = signed(&ring.access, Type::AccessToken, &claims)?;
        Ok(Issued { token, seconds: claims.exp - claims.iat })
    }

    /// Who acts for the patient in context: a relative, or a patient for another.
    pub(crate) fn actor(&self, grant: &Grant) -> Option<Actor> {
        let user = grant.fhir_user.as_deref().filter(|user| !user.starts_with("Practitioner"))?;
        let is_own = user.strip_prefix("Patient/") == Some(grant.patient.as_deref()?);
        (!is_own).then(|| Actor { sub: grant.subject.clone(), fhir_user: self.url_of(user) })
    }

    /// Signs an ID token.
    pub(crate) fn sign_id(&self, claims: &impl Serialize) -> Result<String, Outcome> {
        let ring = self.server.signing.ring(self.vault(), &self.server.setup.random, self.now)?;
        signed(&ring.id, Type::Jwt, claims)
    }
}

/// The name in the vault of a token that was revoked alone.
pub(crate) fn revoked_name(jti: &str) -> String {
    format!("revoked/{jti}")
}

fn signed(key: &PrivateKey, kind: Type, claims: &impl Serialize) -> Result<String, Outcome> {
    let claims = serde_json::to_value(claims).map_err(|_| Unsigned);
    let token = claims.and_then(|claims| key.sign(kind, &claims));
    token.map_err(|error| Outcome::new(IssueType::Exception, error.to_string()))
}
