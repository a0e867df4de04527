//! An authorization server over a store in a temporary directory, at a time of its own.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fhir::Definitions;
use repository::{EarlierVersions, Implicit, References, Repository, Setup, Validation};
use serde_json::{Value, json};
use store::{Clock, Embedded, Millis};
use tempfile::TempDir;

use crate::exchange::{Reply, Request};
use crate::jose::{Algorithm, Fetch, FetchError, KeySet, PrivateKey, Type};
use crate::*;

/// Monday 2027-03-01, 12:00 UTC.
pub(super) const NOON: Millis = 1_803_902_400_000;
pub(super) const NOON_S: i64 = NOON / 1000;
pub(super) const HOUR: Millis = 60 * 60 * 1000;
pub(super) const BASE_URL: &str = "http://localhost/fhir";
pub(super) const ISSUER: &str = "http://localhost/auth";
pub(super) const TOKEN_URL: &str = "http://localhost/auth/token";
pub(super) const REDIRECT_URI: &str = "https://app.example/cb";
pub(super) const VERIFIER: &str = "a-verifier-of-at-least-43-characters-0123456789";
pub(super) const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

pub(super) type Form<'a> = Vec<(&'a str, &'a str)>;

pub(super) struct House {
    pub(super) server: AuthorizationServer,
    pub(super) repository: Repository,
    pub(super) clock: Arc<TestClock>,
    pub(super) web: Arc<Web>,
    pub(super) told: Arc<Told>,
    _directory: TempDir,
}

pub(super) struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Millis {
        self.0.load(Ordering::Relaxed)
    }
}

impl TestClock {
    pub(super) fn pass(&self, time: Millis) {
        self.0.fetch_add(time, Ordering::Relaxed);
    }
}

/// What is published elsewhere, and how often somebody looked.
#[derive(Default)]
pub(super) struct Web {
    pub(super) pages: Mutex<HashMap<String, String>>,
    pub(super) asked: AtomicU64,
    /// How often that was for somebody whom nobody knows.
    pub(super) asked_in_public: AtomicU64,
}

impl Web {
    pub(super) fn publish(&self, url: &str, page: String) {
        self.pages.lock().unwrap().insert(url.to_owned(), page);
    }

    pub(super) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Fetch for Web {
    fn get(&self, url: &str) -> Result<Vec<u8>, FetchError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.pages.lock().unwrap().get(url).map(|page| page.clone().into_bytes()).ok_or(FetchError)
    }

    fn get_public(&self, url: &str) -> Result<Vec<u8>, FetchError> {
        self.asked_in_public.fetch_add(1, Ordering::Relaxed);
        self.get(url)
    }
}

/// What the audit was told.
#[derive(Default)]
pub(super) struct Told(pub(super) Mutex<Vec<TokenEvent>>);

impl TokenEvents for Told {
    fn tell(&self, _: &Repository, event: TokenEvent) {
        self.0.lock().unwrap().push(event);
    }
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) json: Value,
    reply: Reply,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.reply.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn text(&self, name: &str) -> &str {
        self.json[name].as_str().unwrap_or_else(|| panic!("no `{name}` in {}", self.json))
    }

    /// Status and error code; the code is empty where there is none.
    pub(super) fn outcome(&self) -> (u16, &str) {
        (self.status, self.json["error"].as_str().unwrap_or_default())
    }
}

impl House {
    pub(super) fn new() -> House {
        House::with(Registration::Closed, Vec::new())
    }

    pub(super) fn with(registration: Registration, issuers: Vec<Issuer>) -> House {
        let directory = tempfile::tempdir().expect("a directory");
        let clock = Arc::new(TestClock(AtomicI64::new(NOON)));
        let (web, told) = (Arc::new(Web::default()), Arc::new(Told::default()));
        let definitions = Definitions::r4();
        let ids = AtomicU64::new(1);
        let setup = Setup {
            store: Arc::new(Embedded::open(directory.path(), clock.clone()).expect("a store")),
            definitions,
            registry: search::Registry::new(definitions, BASE_URL),
            rules: Vec::new(),
            clock: clock.clone(),
            ids: Arc::new(move || format!("new-{}", ids.fetch_add(1, Ordering::Relaxed))),
            base_url: BASE_URL.to_owned(),
            references: References::Accept,
            validation: Validation::default(),
            consent: Implicit::default(),
            earlier_versions: EarlierVersions::default(),
            terminology: None,
            search_time: Duration::from_secs(60),
        };
        let repository = Repository::new(setup).expect("an empty store");
        let server = AuthorizationServer::new(AuthorizationSetup {
            base_url: BASE_URL.to_owned(),
            registration,
            issuers,
            random: repeatable(),
            fetch: web.clone(),
            events: told.clone(),
        });
        House { server, repository, clock, web, told, _directory: directory }
    }

    pub(super) fn desk(&self) -> Desk<'_> {
        self.server.desk(&self.repository)
    }

    pub(super) fn handle(&self, request: &Request) -> Answer {
        let reply = self.server.handle(&self.repository, request);
        let json = serde_json::from_slice(&reply.body).unwrap_or(Value::Null);
        Answer { status: reply.status, json, reply }
    }

    pub(super) fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        self.post_as(path, form, None)
    }

    pub(super) fn post_as(&self, path: &str, form: &[(&str, &str)], authorization: Option<&str>) -> Answer {
        let form = form.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.handle(&Request { form, authorization, ..request("POST", path) })
    }

    pub(super) fn get(&self, path: &str) -> Answer {
        self.handle(&request("GET", path))
    }

    pub(super) fn register(&self, new: NewClient) -> Registered {
        self.desk().clients().register(new, NOON).unwrap_or_else(|error| panic!("{error}"))
    }

    /// An app in people's hands.
    pub(super) fn app(&self) -> Client {
        self.register(app()).client
    }

    /// A system that signs with this key.
    pub(super) fn system(&self, key: &PrivateKey) -> Client {
        self.register(system(key)).client
    }

    /// What Ann granted to an app.
    pub(super) fn grant(&self, client: &Client, scope: &str) -> Grant {
        let grants = self.desk().grants();
        let grant = Grant {
            id: grants.new_id(),
            client: client.id.clone(),
            account: Some("ann".to_owned()),
            subject: "s-ann".to_owned(),
            fhir_user: Some("Patient/ann".to_owned()),
            patient: Some("ann".to_owned()),
            encounter: None,
            context: Some(r#"{"need_patient_banner":false,"patient":"bob","access_token":"x"}"#.to_owned()),
            scope: scope.to_owned(),
            purposes: vec!["PATRQT".to_owned()],
            consents: vec!["Consent/c1".to_owned()],
            auth_time: self.clock.now() - 1000,
            vot: None,
            created: self.clock.now(),
            expires: None,
        };
        grants.add(&grant).expect("kept");
        grant
    }

    pub(super) fn code(&self, grant: &Grant) -> String {
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, VERIFIER.as_bytes()));
        self.desk().codes().issue(grant, REDIRECT_URI, &challenge, Some("n-1"), self.clock.now()).expect("a code")
    }

    /// What an app gets for a grant of these scopes.
    pub(super) fn granted(&self, client: &Client, scope: &str) -> Answer {
        let code = self.code(&self.grant(client, scope));
        let answer = self.post("/auth/token", &redeem(&client.id, &code));
        assert_eq!(answer.status, 200, "{}", answer.json);
        answer
    }

    /// A token for a system's assertion.
    pub(super) fn system_token(&self, assertion: &str, scope: &str) -> Answer {
        self.post(
            "/auth/token",
            &[
                ("grant_type", "client_credentials"),
                ("scope", scope),
                ("client_assertion_type", ASSERTION_TYPE),
                ("client_assertion", assertion),
            ],
        )
    }

    pub(super) fn counts(&self, token: &str) -> bool {
        match self.desk().verify(token) {
            Ok(_) => true,
            Err(Refused::InvalidToken) => false,
            Err(Refused::Fault(outcome)) => panic!("{outcome}"),
        }
    }
}

pub(super) fn request<'a>(method: &'a str, path: &'a str) -> Request<'a> {
    Request {
        method,
        path,
        query: Vec::new(),
        form: Vec::new(),
        json: None,
        authorization: None,
        cookie: None,
        origin: None,
        accept_language: None,
        peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
    }
}

pub(super) fn app() -> NewClient {
    NewClient {
        name: "App".to_owned(),
        redirect_uris: vec![REDIRECT_URI.to_owned()],
        scope: "launch launch/patient openid fhirUser offline_access online_access patient/*.cruds user/*.rs"
            .to_owned(),
        ..NewClient::default()
    }
}

pub(super) fn system(key: &PrivateKey) -> NewClient {
    NewClient {
        name: "Practice system".to_owned(),
        auth: NewAuth::Jwks(jwks(&[key])),
        scope: "system/*.cruds".to_owned(),
        ..NewClient::default()
    }
}

/// The request for a token for a code.
pub(super) fn redeem<'a>(client: &'a str, code: &'a str) -> Form<'a> {
    vec![
        ("grant_type", "authorization_code"),
        ("client_id", client),
        ("code", code),
        ("redirect_uri", REDIRECT_URI),
        ("code_verifier", VERIFIER),
    ]
}

/// A form with other values: an empty one takes the field away.
pub(super) fn with<'a>(mut form: Form<'a>, changes: &[(&'a str, &'a str)]) -> Form<'a> {
    for (name, value) in changes {
        form.retain(|(known, _)| known != name);
        if !value.is_empty() {
            form.push((name, value));
        }
    }
    form
}

pub(super) fn key(kid: &str, algorithm: Algorithm) -> PrivateKey {
    PrivateKey::read(kid, algorithm, &PrivateKey::generate(algorithm).expect("a key")).expect("a key")
}

/// An RSA key is slow to make: all tests share one.
pub(super) fn rsa_key(kid: &str, algorithm: Algorithm) -> PrivateKey {
    static KEY: LazyLock<Vec<u8>> = LazyLock::new(|| PrivateKey::generate(Algorithm::Rs256).expect("a key"));
    PrivateKey::read(kid, algorithm, &KEY).expect("a key")
}

pub(super) fn jwks(keys: &[&PrivateKey]) -> String {
    json!(KeySet { keys: keys.iter().map(|key| key.public()).collect() }).to_string()
}

/// An assertion of a client; `changes` replace claims, and null takes one away.
pub(super) fn assertion(key: &PrivateKey, client: &str, jti: &str, changes: Value) -> String {
    let claims = json!({ "iss": client, "sub": client, "aud": TOKEN_URL, "exp": NOON_S + 300, "jti": jti });
    key.sign(Type::Jwt, &changed(claims, changes)).expect("a token")
}

pub(super) fn changed(mut claims: Value, changes: Value) -> Value {
    for (name, value) in changes.as_object().expect("an object") {
        claims[name] = value.clone();
    }
    crate::exchange::without_nulls(claims)
}

/// Randomness that is the same in every run.
fn repeatable() -> Random {
    let count = AtomicU64::new(0);
    Arc::new(move |bytes| {
        let seed = blake3::hash(&count.fetch_add(1, Ordering::Relaxed).to_le_bytes());
        for (byte, random) in bytes.iter_mut().zip(seed.as_bytes().iter().cycle()) {
            *byte = *random;
        }
    })
}
