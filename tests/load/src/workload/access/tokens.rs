//! Three who ask, and their tokens, got as apps get them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use server::State;
use sha2::{Digest, Sha256};
use smart::jose::{Algorithm, PrivateKey, Type};
use smart::{Clients, Grant, NewAuth, NewClient};

use super::consents::OF_APP;

type Failure = Box<dyn std::error::Error>;

const REDIRECT_URI: &str = "https://app.example/callback";
const VERIFIER: &str = "a-verifier-of-at-least-43-characters-0123456789";
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How long an assertion counts, in seconds.
const ASSERTION_AGE: i64 = 200;

/// Registered in one store.
pub(super) struct Askers {
    custodian: String,
    key: PrivateKey,
    app: Coded,
    staff: Coded,
}

/// Somebody who has authorized an app, and the app's code.
struct Coded {
    client: String,
    code: String,
}

/// Sends a form to the token endpoint of the server at an origin and gives the answer.
pub(super) type Redeem<'r> = dyn FnMut(&[(&str, &str)]) -> Result<Value, Failure> + 'r;

impl Askers {
    /// Registers the record keeper's own system, the app of a patient and that of the staff. The codes count for a minute.
    pub(super) fn register(state: &State, patient: &str) -> Result<Askers, Failure> {
        let generated = PrivateKey::generate(Algorithm::Es384)?;
        let key = PrivateKey::read("k1", Algorithm::Es384, &generated)?;
        let keys = json!({"keys": [key.public()]}).to_string();
        let system = NewClient {
            scope: "system/*.cruds".to_owned(),
            auth: NewAuth::Jwks(keys),
            custodian: true,
            ..new_client("Practice system")
        };
        let custodian = register(state, system)?;
        let own = format!("Patient/{patient}");
        let app = Grant {
            fhir_user: Some(own.clone()),
            patient: Some(patient.to_owned()),
            consents: vec![format!("Consent/{OF_APP}")],
            ..grant("patient/*.rs", "PATRQT")
        };
        let staff = Grant { fhir_user: Some("Practitioner/reader".to_owned()), ..grant("user/*.cruds", "TREAT") };
        Ok(Askers { custodian, key, app: authorize(state, app)?, staff: authorize(state, staff)? })
    }

    /// A token of the record keeper's system, which counts for five minutes.
    pub(super) fn custodian(&self, origin: &str, redeem: &mut Redeem<'_>) -> Result<String, Failure> {
        let now = now_s()?;
        let id = smart::new_name(&smart::system_random());
        let claims = json!({"iss": self.custodian, "sub": self.custodian, "aud": format!("{origin}/auth/token"),
            "iat": now, "exp": now + ASSERTION_AGE, "jti": id});
        let assertion = self.key.sign(Type::Jwt, &claims)?;
        token(redeem(&[
            ("grant_type", "client_credentials"),
            ("scope", "system/*.cruds"),
            ("client_assertion_type", ASSERTION_TYPE),
            ("client_assertion", &assertion),
        ])?)
    }

    /// The token of the patient's app. Once.
    pub(super) fn app(&self, redeem: &mut Redeem<'_>) -> Result<String, Failure> {
        self.app.redeem(redeem)
    }

    /// The token of the staff's app. Once.
    pub(super) fn staff(&self, redeem: &mut Redeem<'_>) -> Result<String, Failure> {
        self.staff.redeem(redeem)
    }
}

impl Coded {
    fn redeem(&self, redeem: &mut Redeem<'_>) -> Result<String, Failure> {
        token(redeem(&[
            ("grant_type", "authorization_code"),
            ("code", &self.code),
            ("redirect_uri", REDIRECT_URI),
            ("client_id", &self.client),
            ("code_verifier", VERIFIER),
        ])?)
    }
}

fn token(answer: Value) -> Result<String, Failure> {
    match answer["access_token"].as_str() {
        Some(token) => Ok(token.to_owned()),
        None => Err(format!("no token, but {}: {}", answer["error"], answer["error_description"]).into()),
    }
}

fn new_client(name: &str) -> NewClient {
    NewClient { name: name.to_owned(), ..NewClient::default() }
}

fn register(state: &State, new: NewClient) -> Result<String, Failure> {
    let random = smart::system_random();
    Ok(Clients::new(state.repository().vault(), &random).register(new, now_s()? * 1000)?.client.id)
}

fn grant(scope: &str, purpose: &str) -> Grant {
    Grant {
        id: String::new(),
        client: String::new(),
        account: None,
        subject: "somebody".to_owned(),
        fhir_user: None,
        patient: None,
        encounter: None,
        context: None,
        scope: scope.to_owned(),
        purposes: vec![purpose.to_owned()],
        consents: Vec::new(),
        auth_time: 0,
        vot: None,
        created: 0,
        expires: None,
    }
}

/// Registers an app, and a grant for it with the code of that.
fn authorize(state: &State, grant: Grant) -> Result<Coded, Failure> {
    let scope = format!("{} offline_access", grant.scope);
    let client =
        register(state, NewClient { scope, redirect_uris: vec![REDIRECT_URI.to_owned()], ..new_client("App") })?;
    let server = state.authority().server().ok_or("authentication is off")?;
    let desk = server.desk(state.repository());
    let now = now_s()? * 1000;
    let id = desk.grants().new_id();
    let grant =
        Grant { id, client: client.clone(), account: grant.fhir_user.clone(), auth_time: now, created: now, ..grant };
    desk.grants().add(&grant)?;
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER.as_bytes()));
    let code = desk.codes().issue(&grant, REDIRECT_URI, &challenge, None, now)?;
    Ok(Coded { client, code })
}

fn now_s() -> Result<i64, Failure> {
    Ok(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs() as i64)
}
