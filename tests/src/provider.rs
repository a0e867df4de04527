//! A mock of an OpenID provider over real HTTP, as strict as NHS login, <https://nhsconnect.github.io/nhslogin/>: it tells of itself, publishes
//! keys, sends browsers back with a code as if somebody had signed in on its page, and gives tokens for the code.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use search::{parse_query_string, query_string};
use serde_json::{Value, json};
use server::{Clock, Config};
use smart::jose::{Algorithm, Expected, KeySet, PrivateKey, Type, verify};
use smart::oidc::{Provider, Who};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// What the server under test is called there.
const CLIENT: &str = "flint";

/// How long an assertion may count, in seconds.
const ASSERTION_AGE_MAX: i64 = 300;

/// A provider that runs until it is dropped.
pub struct OpenId {
    url: String,
    desk: Arc<Mutex<Desk>>,
    _stop: oneshot::Sender<()>,
}

/// How a token of these claims is signed.
type Sign = Box<dyn Fn(&Value) -> String + Send>;

type Fields = Vec<(String, String)>;

struct Desk {
    url: String,
    clock: Option<Arc<dyn Clock>>,
    published: Vec<PrivateKey>,
    sign: Sign,
    /// What is other than usual in ID tokens, and in the UserInfo.
    id_token: Value,
    about: Value,
    /// The requests of browsers, by the code that answers each.
    codes: BTreeMap<String, Fields>,
    /// The UserInfo, by access token.
    people: BTreeMap<String, Value>,
    assertions: BTreeSet<String>,
    taken: Vec<String>,
    asked: Fields,
}

/// A document, or an error of OAuth.
type Answer = Result<Value, &'static str>;

impl OpenId {
    /// With one key, `k1`.
    pub fn start() -> OpenId {
        let (stop, stopped) = oneshot::channel::<()>();
        let (started, bound) = std::sync::mpsc::channel();
        let desk = Arc::new(Mutex::new(Desk::new()));
        let router = Router::new().fallback(serve).with_state(desk.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
                started.send(listener.local_addr().expect("an address")).expect("the test waits");
                let stop = async move { drop(stopped.await) };
                axum::serve(listener, router).with_graceful_shutdown(stop).await.expect("it serves");
            });
        });
        let url = format!("http://{}", bound.recv().expect("it starts"));
        let openid = OpenId { url, desk, _stop: stop };
        openid.desk().url = openid.url.clone();
        openid
    }

    /// Its issuer.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Lets it have the time of the server under test, which people may then sign in to through it.
    pub fn join(&self, config: &mut Config, id: &str, who: Who) {
        self.keep_time(config);
        config.providers.push(Provider {
            id: id.to_owned(),
            name: id.to_owned(),
            issuer: self.url.clone(),
            client_id: CLIENT.to_owned(),
            key: rs512("client", "client"),
            scope: "openid profile".to_owned(),
            who,
        });
    }

    /// Lets it have the time of the server under test.
    pub fn keep_time(&self, config: &Config) {
        self.desk().clock = Some(config.clock.clone());
    }

    /// What is other than usual in ID tokens, and in the UserInfo; null for what is not there.
    pub fn say(&self, id_token: &Value, about: &Value) {
        let mut desk = self.desk();
        (desk.id_token, desk.about) = (id_token.clone(), about.clone());
    }

    /// How it signs from now on.
    pub fn sign_by(&self, sign: impl Fn(&Value) -> String + Send + 'static) {
        self.desk().sign = Box::new(sign);
    }

    /// Its keys from now on. The last signs.
    pub fn publish(&self, kids: &[&str]) {
        self.desk().published = kids.iter().map(|kid| rs512(kid, kid)).collect();
        let last = rs512(kids[kids.len() - 1], kids[kids.len() - 1]);
        self.sign_by(move |claims| last.sign(Type::Jwt, claims).expect("signed"));
    }

    /// A token of these claims.
    pub fn token(&self, claims: &Value) -> String {
        (self.desk().sign)(claims)
    }

    /// What it was asked since the last time: `GET /jwks`.
    pub fn taken(&self) -> Vec<String> {
        std::mem::take(&mut self.desk().taken)
    }

    /// A parameter with which a browser came last; empty when it is missing.
    pub fn asked(&self, name: &str) -> String {
        first(&self.desk().asked, name).to_owned()
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().expect("no panic")
    }
}

/// An RSA key under this name. Keys of one `secret` are the same, and made once.
pub fn rs512(kid: &str, secret: &str) -> PrivateKey {
    static KEYS: Mutex<BTreeMap<String, Vec<u8>>> = Mutex::new(BTreeMap::new());
    let mut keys = KEYS.lock().expect("no panic");
    let generate = || PrivateKey::generate(Algorithm::Rs512).expect("a key");
    let key = keys.entry(secret.to_owned()).or_insert_with(generate);
    PrivateKey::read(kid, Algorithm::Rs512, key).expect("a key")
}

async fn serve(
    State(desk): State<Arc<Mutex<Desk>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let text = if method == Method::POST {
        std::str::from_utf8(&body).unwrap_or_default()
    } else {
        uri.query().unwrap_or_default()
    };
    let fields = parse_query_string(text).unwrap_or_default();
    let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let mut desk = desk.lock().expect("no panic");
    let line = format!("{method} {}", uri.path());
    desk.taken.push(line.clone());
    let answer = match line.as_str() {
        "GET /.well-known/openid-configuration" => Ok(desk.configuration()),
        "GET /jwks" => Ok(json!({ "keys": desk.published.iter().map(PrivateKey::public).collect::<Vec<_>>() })),
        "GET /authorize" => return desk.authorize(fields).into_response(),
        "POST /token" => desk.redeem(&fields),
        "GET /userinfo" => desk.people.get(bearer.unwrap_or_default()).cloned().ok_or("invalid_token"),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    match answer {
        Ok(document) => document.to_string().into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, json!({ "error": error }).to_string()).into_response(),
    }
}

impl Desk {
    fn new() -> Desk {
        let key = rs512("k1", "k1");
        Desk {
            url: String::new(),
            clock: None,
            published: vec![rs512("k1", "k1")],
            sign: Box::new(move |claims| key.sign(Type::Jwt, claims).expect("signed")),
            id_token: json!({}),
            about: json!({}),
            codes: BTreeMap::new(),
            people: BTreeMap::new(),
            assertions: BTreeSet::new(),
            taken: Vec::new(),
            asked: Vec::new(),
        }
    }

    /// Seconds since 1970.
    fn now(&self) -> i64 {
        self.clock.as_ref().expect("the time of the server under test").now() / 1000
    }

    fn configuration(&self) -> Value {
        let url = &self.url;
        json!({
            "issuer": url,
            "authorization_endpoint": format!("{url}/authorize"),
            "token_endpoint": format!("{url}/token"),
            "userinfo_endpoint": format!("{url}/userinfo"),
            "jwks_uri": format!("{url}/jwks"),
        })
    }

    fn authorize(&mut self, asked: Fields) -> Response {
        let field = |name| first(&asked, name);
        let is_good = (field("response_type"), field("client_id"), field("code_challenge_method"))
            == ("code", CLIENT, "S256")
            && field("scope").split(' ').any(|scope| scope == "openid")
            && field("redirect_uri").ends_with("/auth/oidc/callback")
            && ["state", "nonce", "code_challenge"].iter().all(|name| field(name).len() >= 43);
        if !is_good {
            return StatusCode::BAD_REQUEST.into_response();
        }
        let code = format!("code-{}", self.codes.len());
        let query = query_string([("code", code.as_str()), ("state", field("state")), ("iss", self.url.as_str())]);
        let location = format!("{}?{query}", field("redirect_uri"));
        self.asked.clone_from(&asked);
        self.codes.insert(code, asked);
        (StatusCode::FOUND, [("Location", location)]).into_response()
    }

    fn redeem(&mut self, form: &[(String, String)]) -> Answer {
        let field = |name| first(form, name);
        if field("grant_type") != "authorization_code" {
            return Err("unsupported_grant_type");
        }
        self.check_assertion(form)?;
        // What is asked of a used code is empty.
        let asked = self.codes.get_mut(field("code")).map(std::mem::take).ok_or("invalid_grant")?;
        let is_same = |name| !field(name).is_empty() && field(name) == first(&asked, name);
        if !is_same("redirect_uri") || challenge(field("code_verifier")) != first(&asked, "code_challenge") {
            return Err("invalid_grant");
        }
        let claims = self.claims(&asked);
        let level = claims["vot"].as_str().and_then(|vot| vot.split('.').next());
        let about = json!({ "sub": "person-1", "nhs_number": "9000000009", "birthdate": "1955-04-02",
            "identity_proofing_level": level });
        let access = json!({ "jti": format!("for-{}", field("code")), "vot": claims["vot"] });
        let access_token = rs512("access", "access").sign(Type::Jwt, &access).expect("signed");
        self.people.insert(access_token.clone(), changed(about, &self.about));
        Ok(
            json!({ "access_token": access_token, "token_type": "Bearer", "expires_in": 300, "id_token": (self.sign)(&claims) }),
        )
    }

    /// `private_key_jwt` by RFC 7523: ours, for this endpoint, and seen once.
    fn check_assertion(&mut self, form: &[(String, String)]) -> Result<(), &'static str> {
        if first(form, "client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
            return Err("invalid_client");
        }
        let endpoint = format!("{}/token", self.url);
        let expected = Expected {
            algorithms: &[Algorithm::Rs512],
            issuer: CLIENT,
            audiences: &[&endpoint],
            kind: Some(Type::Jwt),
            now: self.now(),
        };
        let keys = KeySet { keys: vec![rs512("client", "client").public()] };
        let claims = verify(first(form, "client_assertion"), &keys, &expected).map_err(|_| "invalid_client")?;
        let id = claims.text("jti").ok_or("invalid_client")?.to_owned();
        let is_short = claims.expires <= self.now() + ASSERTION_AGE_MAX;
        match claims.text("sub") == Some(CLIENT) && is_short && self.assertions.insert(id) {
            true => Ok(()),
            false => Err("invalid_client"),
        }
    }

    fn claims(&self, asked: &[(String, String)]) -> Value {
        let vtr: Vec<String> = serde_json::from_str(first(asked, "vtr")).unwrap_or_default();
        let now = self.now();
        let claims = json!({ "iss": self.url, "aud": CLIENT, "sub": "person-1", "nonce": first(asked, "nonce"),
            "iat": now, "exp": now + 300, "vot": vtr.first(), "auth_time": now });
        changed(claims, &self.id_token)
    }
}

/// The claims with some replaced, and without those that are null.
fn changed(mut claims: Value, changes: &Value) -> Value {
    let members = claims.as_object_mut().expect("an object");
    members.extend(changes.as_object().expect("an object").clone());
    members.retain(|_, value| !value.is_null());
    claims
}

fn challenge(verifier: &str) -> String {
    use sha2::Digest;
    URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(verifier.as_bytes()))
}

fn first<'f>(fields: &'f [(String, String)], name: &str) -> &'f str {
    fields.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
}
