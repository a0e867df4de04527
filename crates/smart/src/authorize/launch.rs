//! The context of an EHR launch, <https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#launch-app-ehr-launch>: what a staff system says an
//! app is opened for. A value of the vault, `launch/<hash>`: good for five minutes, and for one code.
//!
//! `POST /auth/launch` makes one, for staff who show an access token, and for the record keeper's own system.

use fhir::{Outcome, Reference};
use repository::{Millis, Vault, query_string};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::CLIENT_ID_BYTES_MAX;
use crate::access_tokens::Refused;
use crate::authority::bearer;
use crate::desk::Desk;
use crate::error::{ErrorCode, OAuthError};
use crate::exchange::{Reply, Request, without_nulls};
use crate::record::{Stored, set};
use crate::secret::{Random, hashed, secret};
use crate::token_event::TokenEvent;

/// How long a launch may take, in milliseconds.
const LAUNCH_AGE_MAX: Millis = 5 * 60_000;

/// How long an intent may be, in bytes.
const INTENT_BYTES_MAX: usize = 200;

/// What an app is opened for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// The id of the client that is opened.
    pub client: String,
    /// The id of the patient.
    pub patient: Option<String>,
    /// The id of the encounter.
    pub encounter: Option<String>,
    /// What for, such as `reconcile-medications`.
    pub intent: Option<String>,
    /// Whether the app shall show whose record it is.
    pub need_patient_banner: Option<bool>,
    /// Who opens it: only they may go on. `Practitioner/dr1`; `None` when the system does not say.
    pub fhir_user: Option<String>,
    /// Set when it is kept; milliseconds since 1970.
    pub expires: Millis,
}

impl Launch {
    /// Keeps it; returns the opaque text that the app gets as `launch`.
    pub fn keep(mut self, vault: Vault<'_>, random: &Random, now: Millis) -> Result<String, Outcome> {
        let key = secret(random);
        self.expires = now + LAUNCH_AGE_MAX;
        vault.edit(vec![set(name(&key), &self)])?;
        Ok(key)
    }

    /// The launch that a client was opened with, unless it is over.
    pub(crate) fn find(
        vault: Vault<'_>,
        key: &str,
        client: &str,
        now: Millis,
    ) -> Result<Option<Stored<Launch>>, Outcome> {
        let found = Stored::<Launch>::find(vault, name(key))?;
        Ok(found.filter(|found| found.value.client == client && now < found.value.expires))
    }
}

/// What a staff system sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Opened {
    client_id: String,
    patient: Option<String>,
    encounter: Option<String>,
    intent: Option<String>,
    need_patient_banner: Option<bool>,
}

impl Desk<'_> {
    /// `POST /auth/launch`: JSON with `client_id` and, as they are, `patient`, `encounter`, `intent`, `need_patient_banner`. Answers with `launch`,
    /// and with `url`, where the browser is to be sent, for an app that is registered with a launch URL.
    pub(crate) fn launch(&self, request: &Request, event: &mut TokenEvent) -> Result<Reply, OAuthError> {
        let token = request.authorization.and_then(bearer);
        let token = token.ok_or_else(|| unauthorized(Refused::CHALLENGE_WITHOUT_TOKEN))?;
        let verified = match self.verify(token) {
            Ok(verified) => verified,
            Err(Refused::InvalidToken) => return Err(unauthorized(Refused::CHALLENGE)),
            Err(Refused::Fault(outcome)) => return Err(outcome.into()),
        };
        event.client = Some(verified.client.id.clone());
        event.about(&verified.grant);
        let fhir_user = verified.grant.fhir_user.clone();
        let is_staff = fhir_user.as_deref().is_some_and(|user| user.starts_with("Practitioner"));
        let is_keeper = verified.client.custodian && fhir_user.is_none();
        if !(is_staff || is_keeper) {
            return Err(OAuthError::new(
                ErrorCode::AccessDenied,
                "only staff and the record keeper's system open apps",
            ));
        }
        let invalid = |text: &str| OAuthError::new(ErrorCode::InvalidRequest, text);
        let opened = request.json.and_then(|json| serde_json::from_slice::<Opened>(json).ok());
        let opened = opened.ok_or_else(|| invalid("the body is no JSON of a launch"))?;
        if !opened.is_plain() {
            return Err(invalid("`patient` or `encounter` is no id, or `intent` too long"));
        }
        let client = self.clients().find(&opened.client_id)?.filter(|client| !client.disabled);
        let client = client.ok_or_else(|| invalid("`client_id` is not known"))?;
        event.patient = opened.patient.clone();
        let launch = opened.keep(self, fhir_user)?;
        let url = client.launch_uri.map(|uri| self.launch_url(&uri, &launch));
        let body = json!({ "launch": launch, "url": url, "expires_in": LAUNCH_AGE_MAX / 1000 });
        Ok(Reply::json(200, &without_nulls(body)))
    }

    fn launch_url(&self, uri: &str, launch: &str) -> String {
        let query = query_string([("iss", self.server.setup.base_url.as_str()), ("launch", launch)]);
        let separator = if uri.contains('?') { '&' } else { '?' };
        format!("{uri}{separator}{query}")
    }
}

impl Opened {
    fn is_plain(&self) -> bool {
        let is_id = |id: &Option<String>| id.as_ref().is_none_or(|id| is_id(id));
        let is_short = self.intent.as_ref().is_none_or(|intent| intent.len() <= INTENT_BYTES_MAX);
        self.client_id.len() <= CLIENT_ID_BYTES_MAX && is_id(&self.patient) && is_id(&self.encounter) && is_short
    }

    fn keep(self, desk: &Desk<'_>, fhir_user: Option<String>) -> Result<String, Outcome> {
        let launch = Launch {
            client: self.client_id,
            patient: self.patient,
            encounter: self.encounter,
            intent: self.intent,
            need_patient_banner: self.need_patient_banner,
            fhir_user,
            expires: 0,
        };
        launch.keep(desk.vault(), &desk.server.setup.random, desk.now)
    }
}

/// Whether it is the id of a resource.
fn is_id(text: &str) -> bool {
    matches!(Reference::parse(&format!("Patient/{text}")), Some(Reference::Relative { id, version: None, .. }) if id == text)
}

fn unauthorized(challenge: &'static str) -> OAuthError {
    let error = OAuthError::new(ErrorCode::InvalidToken, "opening an app needs an access token that counts");
    OAuthError { challenge: Some(challenge), ..error }
}

fn name(key: &str) -> String {
    format!("launch/{}", hashed(key))
}
