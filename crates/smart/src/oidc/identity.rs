//! Who somebody is: the ID token and the UserInfo of a provider,
//! <https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation>.

use repository::{Millis, query_string};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::provider::{Configuration, Provider, Providers, Who};
use crate::jose::{self, Algorithm, Claims, Expected, Place, Type};
use crate::secret::{Random, new_name};

/// What ID tokens may be signed with.
const ALGORITHMS: [Algorithm; 3] = [Algorithm::Rs512, Algorithm::Rs256, Algorithm::Es256];

/// How long our own assertion counts at the provider, in seconds.
const ASSERTION_AGE_MAX: i64 = 120;

/// How long a subject may be, in bytes: OpenID Connect allows 255.
const SUBJECT_BYTES_MAX: usize = 255;

/// What was sent to the provider, and what came back.
pub(super) struct Returned<'a> {
    pub(super) code: &'a str,
    pub(super) redirect_uri: &'a str,
    pub(super) verifier: &'a str,
    pub(super) nonce: &'a str,
    /// When the person must have signed in there, at the earliest; `None` when that may be long ago.
    pub(super) since: Option<Millis>,
}

/// Somebody for whom a provider vouches.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) subject: String,
    /// How sure it is, for patients.
    pub(super) vot: Option<String>,
    claims: Map<String, Value>,
}

/// Why nobody was vouched for. It goes to the log.
pub(super) type Doubt = &'static str;

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
    access_token: String,
}

impl Identity {
    /// What was said of the person; of the ID token first.
    pub(super) fn claim(&self, name: &str) -> Option<&str> {
        self.claims.get(name)?.as_str()
    }
}

impl Providers {
    /// Turns a code into who signed in.
    pub(super) fn identify(
        &self,
        provider: &Provider,
        configuration: &Configuration,
        returned: &Returned<'_>,
        random: &Random,
        now: Millis,
    ) -> Result<Identity, Doubt> {
        let form = token_request(provider, configuration, returned, random, now)?;
        let answer = self.http.post(&configuration.token_endpoint, &form).map_err(|_| "the code was not redeemed")?;
        let tokens: Tokens = serde_json::from_slice(&answer).map_err(|_| "the token response cannot be read")?;
        let claims = self.id_token(provider, configuration, &tokens.id_token, now)?;
        if !is_same(claims.text("nonce").unwrap_or_default(), returned.nonce) {
            return Err("the ID token has another nonce");
        }
        let subject = claims.text("sub").filter(|subject| (1..=SUBJECT_BYTES_MAX).contains(&subject.len()));
        let subject = subject.ok_or("the ID token has no subject")?.to_owned();
        let vot = vot(provider, &claims)?;
        // The access token came from the token endpoint itself, and may only speak against the ID token. Who is asked for a vector says it in both.
        if vot.is_some() && jose::unverified(&tokens.access_token, "vot") != vot {
            return Err("the access token has another vector of trust, or none");
        }
        check_freshness(&claims, returned.since)?;
        let about = self.http.get_with(&configuration.userinfo_endpoint, &tokens.access_token);
        let about = about.map_err(|_| "the UserInfo cannot be had")?;
        let mut about: Map<String, Value> =
            serde_json::from_slice(&about).map_err(|_| "the UserInfo cannot be read")?;
        if about.get("sub").and_then(Value::as_str) != Some(&subject) {
            return Err("the UserInfo is of somebody else");
        }
        about.extend(claims.all);
        let identity = Identity { subject, vot, claims: about };
        match identity.is_consistent() {
            true => Ok(identity),
            false => Err("the identity proofing level is another than the vector of trust says"),
        }
    }

    fn id_token(
        &self,
        provider: &Provider,
        configuration: &Configuration,
        token: &str,
        now: Millis,
    ) -> Result<Claims, Doubt> {
        let expected = Expected {
            algorithms: &ALGORITHMS,
            issuer: &provider.issuer,
            audiences: &[&provider.client_id],
            kind: None,
            now: now.div_euclid(1000),
        };
        let place = Place::JwksUri(&configuration.jwks_uri);
        let claims = self.keys.verify(place, now, |keys| jose::verify(token, keys, &expected));
        let claims = claims.map_err(|_| "the ID token does not count")?;
        let is_shared = claims.all.get("aud").is_some_and(|aud| aud.as_array().is_some_and(|all| all.len() > 1));
        match claims.text("azp") {
            Some(party) if party != provider.client_id => Err("the ID token was issued to another party"),
            None if is_shared => Err("the ID token does not say to whom it was issued"),
            _ => Ok(claims),
        }
    }
}

impl Identity {
    fn is_consistent(&self) -> bool {
        let level = self.vot.as_deref().and_then(|vot| vot.split('.').next());
        match (level, self.claims.get("identity_proofing_level")) {
            (Some(level), Some(proofing)) => proofing.as_str() == Some(level),
            _ => true,
        }
    }
}

/// RFC 6749 paragraph 4.1.3 with `private_key_jwt`, RFC 7523.
fn token_request(
    provider: &Provider,
    configuration: &Configuration,
    returned: &Returned<'_>,
    random: &Random,
    now: Millis,
) -> Result<String, Doubt> {
    let now = now.div_euclid(1000);
    let claims = json!({
        "iss": provider.client_id,
        "sub": provider.client_id,
        "aud": configuration.token_endpoint,
        "jti": new_name(random),
        "iat": now,
        "exp": now + ASSERTION_AGE_MAX,
    });
    let assertion = provider.key.sign(Type::Jwt, &claims).map_err(|_| "the assertion cannot be signed")?;
    Ok(query_string([
        ("grant_type", "authorization_code"),
        ("code", returned.code),
        ("redirect_uri", returned.redirect_uri),
        ("client_id", provider.client_id.as_str()),
        ("code_verifier", returned.verifier),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", assertion.as_str()),
    ]))
}

/// One of the vectors that were asked for: what is less than those is refused, and what is more was not asked for.
fn vot(provider: &Provider, claims: &Claims) -> Result<Option<String>, Doubt> {
    let Who::Patients { vtr } = &provider.who else { return Ok(None) };
    let vot = claims.text("vot").filter(|vot| vtr.iter().any(|asked| asked == vot));
    vot.map(|vot| Some(vot.to_owned())).ok_or("the vector of trust is none that was asked for")
}

/// Refuses somebody who did not sign in there since then, though that was asked for: OpenID Connect Core 1.0, paragraphs 2 and 3.1.3.7.
fn check_freshness(claims: &Claims, since: Option<Millis>) -> Result<(), Doubt> {
    let Some(since) = since else { return Ok(()) };
    let time = claims.all.get("auth_time").and_then(Value::as_i64);
    match time.is_some_and(|time| time >= since.div_euclid(1000) - jose::SKEW_S) {
        true => Ok(()),
        false => Err("the ID token does not say that the person signed in anew"),
    }
}

/// Hashes are compared in constant time.
fn is_same(one: &str, other: &str) -> bool {
    blake3::hash(one.as_bytes()) == blake3::hash(other.as_bytes())
}
