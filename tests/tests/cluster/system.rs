//! Systems that are registered at servers which want access tokens.

use flint_tests::{Client, Reply};
use serde_json::json;
use smart::jose::{Algorithm, PrivateKey, Type};
use smart::{new_name, system_random};
use store::{Clock, SystemClock};
use tempfile::TempDir;

use super::node::run;

/// What all servers are called: what one of them gives out counts in the others.
pub(super) const BASE_URL: &str = "https://ehr.example/fhir";

/// The arguments of servers that want access tokens.
pub(super) const AUTH_ON: &[&str] = &["--base-url", BASE_URL];

/// A system that signs.
pub(super) struct System {
    pub(super) id: String,
    key: PrivateKey,
}

impl System {
    /// Registers one in a database, with these arguments of `flint app add`.
    pub(super) fn register(url: &str, arguments: &[&str]) -> System {
        let key = PrivateKey::generate(Algorithm::Es384).expect("a key");
        let key = PrivateKey::read("k1", Algorithm::Es384, &key).expect("a key");
        let directory = TempDir::new().expect("a directory");
        let file = directory.path().join("keys.json");
        std::fs::write(&file, json!({ "keys": [key.public()] }).to_string()).expect("a file");
        let add = ["app", "add", "--name", "A system", "--base-url", BASE_URL, "--jwks", file.to_str().expect("UTF-8")];
        let told = run(url, &[&add, arguments].concat());
        let id = told.trim().strip_prefix("client id: ").unwrap_or_else(|| panic!("{told}")).to_owned();
        System { id, key }
    }

    /// An access token that a server gives out.
    pub(super) fn token(&self, client: &Client, scope: &str) -> String {
        self.ask_token(client, scope).expect(200).pointer("/access_token")
    }

    /// The answer to a request for an access token.
    pub(super) fn ask_token(&self, client: &Client, scope: &str) -> Reply {
        self.post(client, "token", &[("grant_type", "client_credentials"), ("scope", scope)])
    }

    /// Gives a token back.
    pub(super) fn revoke(&self, client: &Client, token: &str) {
        self.post(client, "revoke", &[("token", token)]).expect(200);
    }

    fn post(&self, client: &Client, name: &str, form: &[(&str, &str)]) -> Reply {
        let now = SystemClock.now() / 1000;
        let claims = json!({ "iss": self.id, "sub": self.id, "aud": "https://ehr.example/auth/token",
            "exp": now + 200, "iat": now, "jti": new_name(&system_random()) });
        let assertion = self.key.sign(Type::Jwt, &claims).expect("signed");
        let signed = [
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", assertion.as_str()),
        ];
        let body = search::query_string(form.iter().chain(&signed).copied());
        let origin = client.base_url().trim_end_matches("/fhir");
        let call = client.call(&format!("POST {origin}/auth/{name}"));
        call.body("application/x-www-form-urlencoded", body).send()
    }
}
