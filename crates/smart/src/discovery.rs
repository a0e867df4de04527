//! What the server says of itself: <https://hl7.org/fhir/smart-app-launch/STU2.2/conformance.html>, OpenID Connect Discovery 1.0, RFC 8414.

use serde_json::{Value, json};

use crate::clients::{ALGORITHMS, GRANT_TYPES, Registration};
use crate::desk::Desk;
use crate::error::OAuthError;
use crate::exchange::{Reply, without_nulls};
use crate::jose::Algorithm;
use crate::scope::Word;

/// How long clients may keep what they are told here, in seconds.
const KEPT_S: u32 = 300;

/// What SMART calls the things that this server can do, and IPA demands some of.
pub const CAPABILITIES: [&str; 17] = [
    "launch-ehr",
    "launch-standalone",
    "authorize-post",
    "client-public",
    "client-confidential-symmetric",
    "client-confidential-asymmetric",
    "sso-openid-connect",
    "context-banner",
    "context-ehr-patient",
    "context-ehr-encounter",
    "context-standalone-patient",
    "permission-offline",
    "permission-online",
    "permission-patient",
    "permission-user",
    "permission-v1",
    "permission-v2",
];

/// Scopes for resources, as examples of the two versions.
const DATA_SCOPES: [&str; 6] =
    ["patient/*.cruds", "user/*.cruds", "system/*.cruds", "patient/*.read", "user/*.read", "system/*.read"];

impl Desk<'_> {
    pub(crate) fn jwks(&self) -> Result<Reply, OAuthError> {
        let ring = self.server.signing.ring(self.vault(), &self.server.setup.random, self.now)?;
        Ok(Reply::public_json(KEPT_S, &json!(ring.published(self.now))))
    }

    pub(crate) fn smart_configuration(&self) -> Reply {
        let mut configuration = self.configuration();
        configuration["capabilities"] = json!(CAPABILITIES);
        configuration["management_endpoint"] = json!(self.server.url("manage"));
        Reply::public_json(KEPT_S, &without_nulls(configuration))
    }

    pub(crate) fn openid_configuration(&self) -> Reply {
        let mut configuration = self.configuration();
        configuration["subject_types_supported"] = json!(["public"]);
        configuration["id_token_signing_alg_values_supported"] = json!([Algorithm::Rs256.as_str()]);
        configuration["claims_supported"] =
            json!(["iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "fhirUser"]);
        Reply::public_json(KEPT_S, &without_nulls(configuration))
    }

    fn configuration(&self) -> Value {
        let server = self.server;
        let scopes = Word::ALL.into_iter().map(Word::as_str).chain(DATA_SCOPES);
        let methods = ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"];
        let registration = (server.setup.registration == Registration::Open).then(|| server.url("register"));
        json!({
            "issuer": server.issuer,
            "jwks_uri": server.url("jwks"),
            "authorization_endpoint": server.url("authorize"),
            "token_endpoint": server.url("token"),
            "introspection_endpoint": server.url("introspect"),
            "revocation_endpoint": server.url("revoke"),
            "registration_endpoint": registration,
            "grant_types_supported": GRANT_TYPES,
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "scopes_supported": scopes.collect::<Vec<_>>(),
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": methods,
            "token_endpoint_auth_signing_alg_values_supported": ALGORITHMS.map(Algorithm::as_str),
            "authorization_response_iss_parameter_supported": true,
        })
    }
}
