//! Tokens of other issuers, which settings trust: verified by the keys that the issuer publishes.

use std::collections::{BTreeMap, BTreeSet};

use fhir::{IssueType, Outcome};
use repository::Key;
use serde_json::Value;

use super::verified::Stamp;
use super::verify::{Refused, usable};
use super::{LIFETIME_MAX, Verified};
use crate::Grant;
use crate::client::{Client, ClientAuth};
use crate::desk::Desk;
use crate::jose::{self, Algorithm, Claims, Expected, KeySet, Place, Unverified};
use crate::people::ceiling;
use crate::scope::Scopes;

/// An issuer whose access tokens count here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// `iss` of its tokens.
    pub issuer: String,
    /// Where it publishes its keys; `None` when its OpenID configuration tells.
    pub jwks_uri: Option<String>,
    /// What `aud` of its tokens must hold.
    pub audience: String,
    pub algorithms: Vec<Algorithm>,
    /// The most that its tokens can grant: scopes, separated by spaces.
    pub scope: String,
    /// The most that its tokens can say as purposes of use, and what those mean that say none; where it is empty they say any.
    pub purposes: Vec<String>,
    /// Clients as the issuer names them, and the ids of the clients here that they are. Any other is nobody more than its name.
    pub clients: BTreeMap<String, String>,
    pub claims: ClaimNames,
}

/// Which claims of an issuer's tokens say what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimNames {
    /// Scopes: a text with spaces, or a list.
    pub scope: String,
    pub client: String,
    /// `Practitioner/dr1`, or its URL at this server.
    pub fhir_user: String,
    /// The id of the patient in context.
    pub patient: String,
    /// Codes of v3-ActReason: a text with spaces, or a list.
    pub purpose: String,
}

impl Default for ClaimNames {
    fn default() -> ClaimNames {
        let [scope, client, fhir_user, patient, purpose] =
            ["scope", "client_id", "fhirUser", "patient", "purpose_of_use"].map(str::to_owned);
        ClaimNames { scope, client, fhir_user, patient, purpose }
    }
}

impl Desk<'_> {
    pub(super) fn examine_external(&self, token: &str, issuer: &Issuer) -> Result<Verified, Refused> {
        let place = match &issuer.jwks_uri {
            Some(url) => Place::JwksUri(url),
            None => Place::Issuer(&issuer.issuer),
        };
        let expected = Expected {
            algorithms: &issuer.algorithms,
            issuer: &issuer.issuer,
            audiences: &[&issuer.audience],
            kind: None,
            now: self.now_s(),
        };
        let verify = |keys: &KeySet| jose::verify(token, keys, &expected);
        let claims = self.server.key_sets.verify(place, self.now, verify).map_err(|error| match error {
            Unverified::Invalid(invalid) => invalid.into(),
            Unverified::Busy => Refused::Fault(Outcome::new(IssueType::Transient, error.to_string())),
        })?;
        self.stand_external(issuer, &claims)
    }

    fn stand_external(&self, issuer: &Issuer, claims: &Claims) -> Result<Verified, Refused> {
        let client = claims.text(&issuer.claims.client).ok_or(Refused::InvalidToken)?;
        let client = self.client_of(issuer, client)?;
        let grant = self.grant_of(issuer, claims, &client)?;
        let granted = Scopes::parse(&grant.scope).map_err(|_| Refused::InvalidToken)?;
        let most = Scopes::parse(&issuer.scope).map_err(|_| Refused::InvalidToken)?;
        let granted = of_person(granted.within(&most), &grant)?;
        let scopes = usable(&granted, &client, &grant)?;
        let stamp = Stamp {
            issuer: issuer.issuer.clone(),
            id: claims.text("jti").unwrap_or_default().to_owned(),
            issued: grant.created,
            // Nothing tells that such a token was revoked: it is looked at again after a while.
            expires: claims.expires.saturating_mul(1000).min(self.now + LIFETIME_MAX),
        };
        Ok(Verified::new(client, grant, scopes, stamp))
    }

    fn client_of(&self, issuer: &Issuer, name: &str) -> Result<Client, Refused> {
        if let Some(id) = issuer.clients.get(name) {
            let client = self.clients().find(id)?.filter(|client| !client.disabled);
            return client.ok_or(Refused::InvalidToken);
        }
        Ok(Client {
            id: format!("{} {name}", issuer.issuer),
            name: name.to_owned(),
            auth: ClientAuth::Public,
            redirect_uris: Vec::new(),
            launch_uri: None,
            grant_types: Vec::new(),
            scope: issuer.scope.clone(),
            organization: None,
            identifiers: vec![format!("{}|{name}", issuer.issuer)],
            purposes: issuer.purposes.clone(),
            custodian: false,
            self_registered: false,
            client_uri: None,
            logo_uri: None,
            tos_uri: None,
            policy_uri: None,
            created: 0,
            disabled: false,
        })
    }

    fn grant_of(&self, issuer: &Issuer, claims: &Claims, client: &Client) -> Result<Grant, Refused> {
        let names = &issuer.claims;
        let subject = claims.text("sub").ok_or(Refused::InvalidToken)?.to_owned();
        let purposes = purposes(issuer, claims, client)?;
        let issued = claims.issued.unwrap_or(self.now_s()).saturating_mul(1000);
        Ok(Grant {
            id: String::new(),
            client: client.id.clone(),
            account: None,
            subject,
            fhir_user: claims.text(&names.fhir_user).and_then(|user| self.local_key(user)),
            patient: claims.text(&names.patient).and_then(|patient| self.patient_of(patient)),
            encounter: None,
            context: None,
            scope: words(claims.all.get(&names.scope)).into_iter().collect::<Vec<_>>().join(" "),
            purposes,
            consents: Vec::new(),
            auth_time: issued,
            vot: claims.text("vot").map(str::to_owned),
            created: issued,
            expires: None,
        })
    }

    /// A reference to a resource here; `None` for one of another server.
    fn local_key(&self, reference: &str) -> Option<String> {
        let base = self.server.setup.base_url.as_str();
        let local = reference.strip_prefix(base).and_then(|rest| rest.strip_prefix('/')).unwrap_or(reference);
        let key = Key::parse(local).filter(|key| !key.id().contains('/') && !key.collection().contains(':'))?;
        Some(key.as_str().to_owned())
    }

    /// The id of a patient who is named by id or as `Patient/id`.
    fn patient_of(&self, patient: &str) -> Option<String> {
        match patient.contains('/') {
            false => Key::new("Patient", patient).map(|key| key.id().to_owned()),
            true => Some(self.local_key(patient)?.strip_prefix("Patient/")?.to_owned()),
        }
    }
}

/// The purposes of use that a token says, of those that its issuer may say. One that says only others counts for none, and so not at all.
fn purposes(issuer: &Issuer, claims: &Claims, client: &Client) -> Result<Vec<String>, Refused> {
    let mut said = words(claims.all.get(&issuer.claims.purpose));
    if said.is_empty() {
        return Ok(client.purposes.clone());
    }
    said.retain(|purpose| issuer.purposes.is_empty() || issuer.purposes.contains(purpose));
    match said.is_empty() {
        true => Err(Refused::InvalidToken),
        false => Ok(said.into_iter().collect()),
    }
}

/// What of these scopes somebody could grant who signs in here: with `user/*.rs` a patient may not see what staff may.
fn of_person(granted: Scopes, grant: &Grant) -> Result<Scopes, Refused> {
    let Some(user) = grant.fhir_user.as_deref().and_then(Key::parse) else { return Ok(granted) };
    let most = Scopes::parse(&ceiling(Some(user.collection()), grant.vot.as_deref()));
    Ok(granted.within(&most.map_err(|_| Refused::InvalidToken)?))
}

/// The words of a text or of a list of texts.
fn words(claim: Option<&Value>) -> BTreeSet<String> {
    let texts: Vec<&str> = match claim {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(texts)) => texts.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    texts.into_iter().flat_map(str::split_whitespace).map(str::to_owned).collect()
}
