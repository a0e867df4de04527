//! A server with authentication on, and apps with tokens for it.

use std::sync::{Arc, Weak};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use server::{Auth, Config, EarlierVersions, State};
use smart::jose::{Algorithm, PrivateKey, Type};
use smart::{Client, Clients, Grant, NewAuth, NewClient};

use crate::{Call, Flint, Reply, example};

const REDIRECT_URI: &str = "https://app.example/callback";
const VERIFIER: &str = "a-verifier-of-at-least-43-characters-0123456789";
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A server that wants tokens.
pub struct Guarded {
    flint: Flint,
    state: Weak<State>,
}

/// Who asks: a person with an app, or a system.
#[derive(Clone, Debug, Default)]
pub struct Holder<'a> {
    pub scope: &'a str,
    /// `Patient/p1`; empty for a system.
    pub user: &'a str,
    /// The id of the patient in context; empty for none.
    pub patient: &'a str,
    /// The Consents that the grant rests on.
    pub consents: &'a [&'a str],
    /// Whose app it is.
    pub organization: &'a str,
    pub purposes: &'a [&'a str],
    /// Names of the client: `system|value`.
    pub identifiers: &'a [&'a str],
    pub custodian: bool,
}

/// Someone with a token, or with none.
pub struct Bearer<'a> {
    guarded: &'a Guarded,
    /// Empty for none.
    pub token: String,
    /// The registered client, and the grant; empty for a system.
    pub client: String,
    pub grant: String,
}

impl Guarded {
    /// With the surgery of examples/surgery, at a time when its consents hold.
    pub fn surgery() -> Guarded {
        Guarded::start_with(|config| config.load.push(example("seed-transaction.json")))
    }

    /// With some settings of its own.
    pub fn start_with(set: impl FnOnce(&mut Config)) -> Guarded {
        let flint = Flint::start_with(|config| {
            config.auth = Auth::On;
            // What consents hide in histories is tested, too.
            config.earlier_versions = EarlierVersions::Shown;
            set(config);
        });
        let state = flint.state();
        Guarded { flint, state }
    }

    /// Over the store of a server that has run without tokens.
    pub fn restart(flint: Flint, set: impl FnOnce(&mut Config)) -> Guarded {
        let flint = flint.restart_with(|config| {
            config.auth = Auth::On;
            // What consents hide in histories is tested, too.
            config.earlier_versions = EarlierVersions::Shown;
            set(config);
        });
        let state = flint.state();
        Guarded { flint, state }
    }

    /// The server.
    pub fn flint(&self) -> &Flint {
        &self.flint
    }

    /// What the server's requests share.
    pub fn state(&self) -> Arc<State> {
        self.state.upgrade().expect("the server runs")
    }

    /// Below the server's origin: `POST /auth/token`.
    pub fn call(&self, line: &str) -> Call<'_> {
        let (method, path) = line.split_once(' ').expect("a method and a path");
        let origin = self.flint.base_url().trim_end_matches("/fhir");
        self.flint.call(&format!("{method} {origin}{path}"))
    }

    /// Lets time pass.
    pub fn advance(&self, time: Duration) {
        self.flint.advance(time);
    }

    /// A client, and a token for it, got as apps get them.
    pub fn hold(&self, holder: &Holder<'_>) -> Bearer<'_> {
        match holder.user {
            "" => self.system(holder),
            _ => self.person(holder),
        }
    }

    /// Somebody without a token.
    pub fn nobody(&self) -> Bearer<'_> {
        Bearer { guarded: self, token: String::new(), client: String::new(), grant: String::new() }
    }

    /// Registers a client.
    pub fn register(&self, new: NewClient) -> Client {
        let state = self.state();
        let random = smart::system_random();
        let clients = Clients::new(state.repository().vault(), &random);
        clients.register(new, self.flint.now()).unwrap_or_else(|error| panic!("{error}")).client
    }

    fn new_client(holder: &Holder<'_>) -> NewClient {
        NewClient {
            name: "Test app".to_owned(),
            scope: format!("{} offline_access", holder.scope),
            organization: Some(holder.organization.to_owned()).filter(|name| !name.is_empty()),
            purposes: holder.purposes.iter().map(|purpose| (*purpose).to_owned()).collect(),
            identifiers: holder.identifiers.iter().map(|name| (*name).to_owned()).collect(),
            custodian: holder.custodian,
            ..NewClient::default()
        }
    }

    fn person(&self, holder: &Holder<'_>) -> Bearer<'_> {
        let redirect_uris = vec![REDIRECT_URI.to_owned()];
        let client = self.register(NewClient { redirect_uris, ..Self::new_client(holder) });
        let state = self.state();
        let server = state.authority().server().expect("authentication is on");
        let desk = server.desk(state.repository());
        let grant = Grant {
            id: desk.grants().new_id(),
            client: client.id.clone(),
            account: Some(holder.user.to_owned()),
            subject: holder.user.to_owned(),
            fhir_user: Some(holder.user.to_owned()),
            patient: Some(holder.patient.to_owned()).filter(|id| !id.is_empty()),
            encounter: None,
            context: None,
            scope: holder.scope.to_owned(),
            purposes: holder.purposes.iter().map(|purpose| (*purpose).to_owned()).collect(),
            consents: holder.consents.iter().map(|consent| (*consent).to_owned()).collect(),
            auth_time: self.flint.now(),
            vot: None,
            created: self.flint.now(),
            expires: None,
        };
        desk.grants().add(&grant).expect("kept");
        let challenge = URL_SAFE_NO_PAD.encode(sha256(VERIFIER.as_bytes()));
        let code = desk.codes().issue(&grant, REDIRECT_URI, &challenge, None, self.flint.now()).expect("a code");
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", REDIRECT_URI),
            ("client_id", &client.id),
            ("code_verifier", VERIFIER),
        ];
        let token = self.token(&form);
        Bearer { guarded: self, token, client: client.id, grant: grant.id }
    }

    fn system(&self, holder: &Holder<'_>) -> Bearer<'_> {
        let key = PrivateKey::generate(Algorithm::Es384).expect("a key");
        let key = PrivateKey::read("k1", Algorithm::Es384, &key).expect("a key");
        let keys = json!({ "keys": [key.public()] }).to_string();
        let new = Self::new_client(holder);
        let client = self.register(NewClient { auth: NewAuth::Jwks(keys), scope: holder.scope.to_owned(), ..new });
        let origin = self.flint.base_url().trim_end_matches("/fhir");
        let now = self.flint.now() / 1000;
        let claims = json!({ "iss": client.id, "sub": client.id, "aud": format!("{origin}/auth/token"),
            "exp": now + 200, "iat": now, "jti": format!("jti-{}", client.id) });
        let assertion = key.sign(Type::Jwt, &claims).expect("signed");
        let form = [
            ("grant_type", "client_credentials"),
            ("scope", holder.scope),
            ("client_assertion_type", ASSERTION_TYPE),
            ("client_assertion", &assertion),
        ];
        let token = self.token(&form);
        Bearer { guarded: self, token, client: client.id, grant: String::new() }
    }

    fn token(&self, form: &[(&str, &str)]) -> String {
        let body = search::query_string(form.iter().copied());
        let reply = self.call("POST /auth/token").body("application/x-www-form-urlencoded", body).send().expect(200);
        reply.pointer("/access_token")
    }
}

impl<'a> Bearer<'a> {
    /// A request with the token.
    pub fn call(&self, line: &str) -> Call<'a> {
        match self.token.as_str() {
            "" => self.guarded.flint.call(line),
            token => self.guarded.flint.call(line).header("Authorization", &format!("Bearer {token}")),
        }
    }

    /// The answer to a request without a body.
    pub fn get(&self, url: &str) -> Reply {
        self.call(&format!("GET {url}")).send()
    }

    /// The answer to a request with a resource.
    pub fn send(&self, line: &str, resource: Value) -> Reply {
        self.call(line).json(&resource).send()
    }
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).to_vec()
}
