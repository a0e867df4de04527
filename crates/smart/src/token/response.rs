//! What a client gets for a code or a refresh token: access token, launch context, ID token.

use fhir::Outcome;
use serde_json::{Map, Value, json};

use crate::Grant;
use crate::desk::Desk;
use crate::error::OAuthError;
use crate::exchange::{Reply, without_nulls};
use crate::scope::{Scopes, Word};

impl Desk<'_> {
    pub(super) fn answer(
        &self,
        grant: &Grant,
        scopes: &Scopes,
        refresh: Option<String>,
        nonce: Option<&str>,
    ) -> Result<Reply, OAuthError> {
        let issued = self.issue(grant, scopes)?;
        let id_token = match scopes.has(Word::OpenId) {
            true => Some(self.id_token(grant, scopes, nonce, issued.seconds)?),
            false => None,
        };
        let mut answer = launch_context(grant);
        let own = json!({
            "access_token": issued.token,
            "token_type": "Bearer",
            "expires_in": issued.seconds,
            "scope": scopes.to_string(),
            "refresh_token": refresh,
            "id_token": id_token,
        });
        if let Value::Object(own) = own {
            answer.extend(own);
        }
        Ok(Reply::json(200, &without_nulls(Value::Object(answer))))
    }

    /// OpenID Connect Core 1.0, paragraph 2.
    fn id_token(&self, grant: &Grant, scopes: &Scopes, nonce: Option<&str>, seconds: i64) -> Result<String, Outcome> {
        let user = grant.fhir_user.as_deref().filter(|_| scopes.has(Word::FhirUser));
        self.sign_id(&without_nulls(json!({
            "iss": self.server.issuer,
            "sub": grant.subject,
            "aud": grant.client,
            "iat": self.now_s(),
            "exp": self.now_s() + seconds,
            "auth_time": grant.auth_time.div_euclid(1000),
            "nonce": nonce,
            "fhirUser": user.map(|user| self.url_of(user)),
        })))
    }

    /// The URL of a resource here.
    pub(crate) fn url_of(&self, reference: &str) -> String {
        format!("{}/{reference}", self.server.setup.base_url)
    }
}

/// Launch context besides patient and encounter: nothing else goes out of what a grant has there.
const CONTEXT: [&str; 5] = ["fhirContext", "intent", "need_patient_banner", "smart_style_url", "tenant"];

/// The launch context of a grant, as token responses and introspection tell it.
pub(crate) fn launch_context(grant: &Grant) -> Map<String, Value> {
    let context = grant.context.as_deref().and_then(|context| serde_json::from_str(context).ok());
    let mut context: Map<String, Value> = context.unwrap_or_default();
    context.retain(|name, _| CONTEXT.contains(&name.as_str()));
    for (name, id) in [("patient", &grant.patient), ("encounter", &grant.encounter)] {
        if let Some(id) = id {
            context.insert(name.to_owned(), Value::from(id.as_str()));
        }
    }
    context
}
