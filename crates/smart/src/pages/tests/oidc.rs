//! Signing in at identity providers.

use serde_json::{Map, Value, json};

use super::*;
use crate::jose::{self, Algorithm, Expected, Fetch, FetchError, KeySet, PrivateKey, Type};
use crate::oidc::{Http, Provider, Who};

const ISSUER: &str = "https://login.example";
const REDIRECT: &str = "https://ehr.example/auth/oidc/callback";

/// Two keys, made once: ours for NHS login, and the provider's.
fn key(algorithm: Algorithm) -> PrivateKey {
    static RSA: OnceLock<Vec<u8>> = OnceLock::new();
    static EC: OnceLock<Vec<u8>> = OnceLock::new();
    let pkcs8 = match algorithm {
        Algorithm::Es256 => EC.get_or_init(|| PrivateKey::generate(Algorithm::Es256).expect("a key")),
        _ => RSA.get_or_init(|| PrivateKey::generate(Algorithm::Rs512).expect("a key")),
    };
    PrivateKey::read("k1", algorithm, pkcs8).expect("a key")
}

/// NHS login for patients, CIS2 for staff.
pub(super) fn providers() -> Vec<Provider> {
    let provider = |id: &str, name: &str, who| Provider {
        id: id.to_owned(),
        name: name.to_owned(),
        issuer: ISSUER.to_owned(),
        client_id: format!("flint-{id}"),
        key: key(Algorithm::Rs512),
        scope: "openid profile".to_owned(),
        who,
    };
    let vtr = ["P9.Cp.Cd", "P5.Cp.Cd", "P0.Cp"].map(str::to_owned).to_vec();
    vec![
        provider("nhs", "NHS <login>", Who::Patients { vtr }),
        provider("cis2", "Care Identity", Who::Staff { claim: "nhsid_useruid".to_owned() }),
    ]
}

/// A provider that says what a test wants it to.
#[derive(Default)]
pub(super) struct Mock {
    /// What is other than right in ID tokens, and in UserInfo; null for what is missing.
    id_token: Mutex<Map<String, Value>>,
    about: Mutex<Map<String, Value>>,
    /// What the browser was sent with.
    asked: Mutex<Vec<(String, String)>>,
    /// The vector of trust in its access token, which is no JWT where that is null; `None` for that of the ID token.
    access_vot: Mutex<Option<Value>>,
    /// With which it signs; `None` for the right one.
    algorithm: Mutex<Option<Algorithm>>,
    is_down: Mutex<bool>,
}

impl Fetch for Mock {
    fn get(&self, url: &str) -> Result<Vec<u8>, FetchError> {
        if *self.is_down.lock().expect("no panic") {
            return Err(FetchError);
        }
        let answer = match url.strip_prefix(ISSUER) {
            Some("/.well-known/openid-configuration") => json!({
                "issuer": ISSUER,
                "authorization_endpoint": format!("{ISSUER}/authorize"),
                "token_endpoint": format!("{ISSUER}/token"),
                "userinfo_endpoint": format!("{ISSUER}/userinfo"),
                "jwks_uri": format!("{ISSUER}/jwks"),
            }),
            Some("/jwks") => json!({ "keys": [key(Algorithm::Rs512).public()] }),
            _ => return Err(FetchError),
        };
        Ok(answer.to_string().into_bytes())
    }

    fn get_public(&self, _url: &str) -> Result<Vec<u8>, FetchError> {
        Err(FetchError)
    }
}

impl Http for Mock {
    /// Checks the request as NHS login does.
    fn post(&self, url: &str, form: &str) -> Result<Vec<u8>, FetchError> {
        assert_eq!(url, format!("{ISSUER}/token"));
        let form = parse_query_string(form).expect("a form");
        let (form, asked) = (|name| first(&form, name).to_owned(), self.asked.lock().expect("no panic"));
        let asked = |name| first(&asked, name).to_owned();
        assert_eq!((form("grant_type").as_str(), form("code").as_str()), ("authorization_code", "the-code"));
        assert_eq!(form("redirect_uri"), REDIRECT);
        let challenge = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, form("code_verifier").as_bytes());
        assert_eq!(
            base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, challenge),
            asked("code_challenge")
        );
        let keys = json!({ "keys": [key(Algorithm::Rs512).public()] }).to_string();
        let expected = Expected {
            algorithms: &[Algorithm::Rs512],
            issuer: &asked("client_id"),
            audiences: &[url],
            kind: Some(Type::Jwt),
            now: NOON / 1000,
        };
        let assertion =
            jose::verify(&form("client_assertion"), &KeySet::parse(keys.as_bytes()).expect("keys"), &expected);
        assert_eq!(assertion.expect("an assertion that counts").text("sub"), Some(asked("client_id").as_str()));
        let claims = json!({
            "iss": ISSUER, "aud": asked("client_id"), "sub": "person-1", "nonce": asked("nonce"),
            "iat": NOON / 1000, "exp": NOON / 1000 + 300, "vot": "P9.Cp.Cd", "auth_time": NOON / 1000,
        });
        let claims = with(claims, &self.id_token.lock().expect("no panic"));
        let algorithm = self.algorithm.lock().expect("no panic").unwrap_or(Algorithm::Rs512);
        let id_token = key(algorithm).sign(Type::Jwt, &claims).expect("signed");
        let access_vot = self.access_vot.lock().expect("no panic").clone();
        let access_token = match &access_vot.unwrap_or_else(|| claims["vot"].clone()) {
            Value::Null => "for-userinfo".to_owned(),
            vot => key(algorithm).sign(Type::Jwt, &json!({ "vot": vot })).expect("signed"),
        };
        Ok(json!({ "access_token": access_token, "id_token": id_token }).to_string().into_bytes())
    }

    fn get_with(&self, url: &str, access_token: &str) -> Result<Vec<u8>, FetchError> {
        assert_eq!(url, format!("{ISSUER}/userinfo"));
        let is_jwt = jose::unverified(access_token, "vot").is_some();
        assert_eq!(access_token == "for-userinfo", !is_jwt);
        let about = json!({ "sub": "person-1", "nhs_number": "9000000009", "identity_proofing_level": "P9" });
        Ok(with(about, &self.about.lock().expect("no panic")).to_string().into_bytes())
    }
}

fn with(mut value: Value, changes: &Map<String, Value>) -> Value {
    let members = value.as_object_mut().expect("an object");
    members.extend(changes.clone());
    members.retain(|_, value| !value.is_null());
    value
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().expect("an object").clone()
}

/// Sends a browser to a provider; returns the address that it comes back to.
fn go(house: &House, browser: &mut Browser<'_>, provider: &str, next: &str) -> String {
    let reply = browser.get(&format!("/auth/oidc/{provider}?{}", query_string([("next", next)])));
    let location = reply.header("Location").unwrap_or_else(|| panic!("{}", reply.text())).to_owned();
    let query = location.strip_prefix(&format!("{ISSUER}/authorize?")).expect("the provider");
    let asked = parse_query_string(query).expect("a query");
    let state = first(&asked, "state").to_owned();
    *house.mock.asked.lock().expect("no panic") = asked;
    format!("/auth/oidc/callback?{}", query_string([("code", "the-code"), ("state", state.as_str())]))
}

fn sign_in(house: &House, provider: &str, id_token: Value, about: Value) -> Reply {
    *house.mock.id_token.lock().expect("no panic") = object(&id_token);
    *house.mock.about.lock().expect("no panic") = object(&about);
    let mut browser = house.browser();
    let back = go(house, &mut browser, provider, "/auth/manage");
    browser.get(&back)
}

#[test]
fn asks_the_provider_as_it_wants_to_be_asked() {
    let house = House::new();
    let mut browser = house.browser();
    let page = browser.get(&request(&[("prompt", "login")])).text();
    assert!(page.contains("Continue with NHS &#60;login&#62;"), "{page}");
    let next = request(&[("prompt", "login")]);
    go(&house, &mut browser, "nhs", &next);
    let asked = house.mock.asked.lock().expect("no panic").clone();
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "flint-nhs"),
        ("redirect_uri", REDIRECT),
        ("scope", "openid profile"),
        ("code_challenge_method", "S256"),
        ("vtr", r#"["P9.Cp.Cd","P5.Cp.Cd","P0.Cp"]"#),
        ("prompt", "login"),
        ("max_age", "0"),
    ] {
        assert_eq!(first(&asked, name), value, "{name}");
    }
    assert!(["state", "nonce", "code_challenge"].iter().all(|name| first(&asked, name).len() == 43));
    go(&house, &mut browser, "cis2", "/auth/manage");
    let asked = house.mock.asked.lock().expect("no panic").clone();
    assert_eq!((first(&asked, "vtr"), first(&asked, "prompt"), first(&asked, "max_age")), ("", "", ""));
    assert_eq!(browser.get("/auth/oidc/none").status, 404);
}

/// NHS login says how sure it is in both tokens: both must say the same.
#[test]
fn the_access_token_must_not_speak_against_the_id_token() {
    let house = House::new();
    for (vot, status) in [(Value::Null, 502), (json!("P9.Cp.Cd"), 303), (json!("P5.Cp.Cd"), 502), (json!("P9.Cm"), 502)]
    {
        *house.mock.access_vot.lock().expect("no panic") = Some(vot.clone());
        assert_eq!(sign_in(&house, "nhs", json!({}), json!({})).status, status, "{vot}");
    }
}

/// Who is asked to let somebody sign in anew says that it did.
#[test]
fn somebody_who_must_sign_in_anew_does() {
    let now = NOON / 1000;
    for (auth_time, wanted, status) in [
        (json!(now), "prompt", 303),
        (json!(now - 3600), "prompt", 502),
        (json!(null), "prompt", 502),
        (json!("now"), "prompt", 502),
        (json!(now - 3600), "max_age", 502),
        (json!(null), "", 303),
        (json!(now - 3600), "", 303),
    ] {
        let house = House::new();
        *house.mock.id_token.lock().expect("no panic") = object(&json!({ "auth_time": auth_time }));
        let mut browser = house.browser();
        let next = match wanted {
            "prompt" => request(&[("prompt", "login")]),
            "max_age" => request(&[("max_age", "60")]),
            _ => request(&[]),
        };
        let back = go(&house, &mut browser, "nhs", &next);
        assert_eq!(browser.get(&back).status, status, "{auth_time} {wanted}");
    }
}

#[test]
fn goes_on_with_the_app() {
    let house = House::new();
    let mut browser = house.browser();
    let back = go(&house, &mut browser, "nhs", &request(&[("prompt", "login")]));
    let before = browser.cookie.clone();
    let reply = browser.get(&back);
    assert_eq!(reply.status, 303, "{}", reply.text());
    assert_ne!(browser.cookie, before);
    let next = reply.header("Location").expect("a redirect").to_owned();
    let page = browser.get(&next);
    assert!(page.text().contains("your record, Joan Hartley"), "{}", page.text());
    browser.submit(&page, "/auth/authorize/consent", &[("decision", "allow")]);
    let grant = house.grants().remove(0);
    assert_eq!((grant.vot.as_deref(), grant.fhir_user.as_deref()), (Some("P9.Cp.Cd"), Some("Patient/p1")));
    assert_eq!(grant.auth_time, NOON);
    let told = house.told();
    assert_eq!(told[0], PersonAct::SignedIn { provider: Some("nhs".to_owned()) });

    // The same person is the same account the next time.
    let back = go(&house, &mut browser, "nhs", "/auth/manage");
    browser.get(&back);
    assert!(browser.get("/auth/manage").text().contains("Stop The app"));
}

#[test]
fn lets_in_only_whom_the_provider_vouches_for() {
    let house = House::new();
    let now = NOON / 1000;
    // What is other in the ID token, and in UserInfo; the status.
    let cases = [
        (json!({}), json!({}), 303),
        (json!({"aud": ["flint-nhs"]}), json!({}), 303),
        (json!({"aud": ["flint-nhs", "other"], "azp": "flint-nhs"}), json!({}), 303),
        (json!({"vot": "P5.Cp.Cd"}), json!({"identity_proofing_level": "P5"}), 303),
        (json!({"vot": "P0.Cp"}), json!({"identity_proofing_level": "P0", "nhs_number": null}), 303),
        (json!({}), json!({"birthdate": "1955-04-02"}), 303),
        (json!({}), json!({"nhs_number": "900 000 0009"}), 303),
        (json!({"iss": "https://other.example"}), json!({}), 502),
        (json!({"aud": "other"}), json!({}), 502),
        (json!({"aud": ["flint-nhs", "other"]}), json!({}), 502),
        (json!({"azp": "other"}), json!({}), 502),
        (json!({"exp": now}), json!({}), 502),
        (json!({"exp": null}), json!({}), 502),
        (json!({"iat": now + 3600}), json!({}), 502),
        (json!({"nonce": "other"}), json!({}), 502),
        (json!({"nonce": null}), json!({}), 502),
        (json!({"sub": null}), json!({}), 502),
        (json!({"sub": ""}), json!({"sub": ""}), 502),
        (json!({"sub": "person-2"}), json!({}), 502),
        (json!({"vot": null}), json!({}), 502),
        (json!({"vot": "P9.Cp.Ck"}), json!({}), 502),
        (json!({"vot": "P9"}), json!({}), 502),
        (json!({}), json!({"sub": "person-2"}), 502),
        (json!({}), json!({"sub": null}), 502),
        (json!({}), json!({"identity_proofing_level": "P5"}), 502),
        (json!({}), json!({"nhs_number": null}), 403),
        (json!({}), json!({"nhs_number": "9000000033"}), 403),
        (json!({}), json!({"nhs_number": "9000000009,9000000017"}), 403),
        (json!({}), json!({"birthdate": "1955-04-03"}), 403),
    ];
    for (id_token, about, status) in cases {
        let reply = sign_in(&house, "nhs", id_token.clone(), about.clone());
        assert_eq!(reply.status, status, "{id_token} {about}: {}", reply.text());
        assert_eq!(reply.header("Location").is_some(), status == 303, "{id_token} {about}");
    }
    let other = House::new();
    *other.mock.algorithm.lock().expect("no panic") = Some(Algorithm::Es256);
    assert_eq!(sign_in(&other, "nhs", json!({}), json!({})).status, 502, "another key");
}

#[test]
fn tells_nobody_whose_record_is_missing() {
    let house = House::new();
    let text = |about| sign_in(&house, "nhs", json!({}), about).text();
    let none = text(json!({"nhs_number": "9000000033"}));
    house.hold(r#"{"resourceType":"Patient","id":"twin","identifier":[{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9000000009"}]}"#);
    let several = text(json!({}));
    assert!(none.contains("cannot match you with a record here"), "{none}");
    assert_eq!(none, several);
}

#[test]
fn matches_people_by_their_numbers() {
    let house = House::new();
    house.hold(r#"{"resourceType":"Practitioner","id":"dr2","identifier":[{"system":"https://fhir.nhs.uk/Id/sds-user-id","value":"555"}]}"#);
    house.hold(r#"{"resourceType":"RelatedPerson","id":"rp2","identifier":[{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9000000033"}],"patient":{"reference":"Patient/p3"}}"#);
    let none = || json!({});
    // Provider, ID token, UserInfo, who it is.
    let cases = [
        ("nhs", none(), none(), Some("Patient/p1")),
        ("nhs", none(), json!({"nhs_number": "9000000033"}), Some("RelatedPerson/rp2")),
        ("nhs", json!({"vot": "P5.Cp.Cd"}), json!({"identity_proofing_level": "P5"}), Some("Patient/p1")),
        ("nhs", json!({"vot": "P5.Cp.Cd"}), json!({"identity_proofing_level": "P5", "nhs_number": "1"}), None),
        ("nhs", json!({"vot": "P0.Cp"}), json!({"identity_proofing_level": "P0"}), None),
        ("cis2", none(), json!({"nhsid_useruid": "555"}), Some("Practitioner/dr2")),
        ("cis2", json!({"nhsid_useruid": "555"}), json!({"nhsid_useruid": "666"}), Some("Practitioner/dr2")),
    ];
    for (provider, id_token, about, user) in cases {
        house.told_whole();
        let reply = sign_in(&house, provider, id_token.clone(), about.clone());
        assert_eq!(reply.status, 303, "{id_token} {about}: {}", reply.text());
        let told = house.told_whole();
        assert_eq!(told[0].fhir_user.as_deref(), user, "{id_token} {about}");
    }
    for about in [json!({}), json!({"nhsid_useruid": "666"}), json!({"nhsid_useruid": "5|5"})] {
        assert_eq!(sign_in(&house, "cis2", json!({}), about.clone()).status, 403, "{about}");
    }
}

/// Who is not proven to be the patient gets nothing of the record.
#[test]
fn grants_by_how_sure_it_is() {
    let house = House::new();
    let scope = ("scope", "patient/Observation.rs patient/QuestionnaireResponse.cruds user/HealthcareService.rs");
    let cases = [
        (json!({}), json!({}), "patient/Observation.rs patient/QuestionnaireResponse.cruds"),
        (
            json!({"vot": "P5.Cp.Cd"}),
            json!({"identity_proofing_level": "P5"}),
            "patient/QuestionnaireResponse.c user/HealthcareService.rs",
        ),
        (json!({"vot": "P0.Cp"}), json!({"identity_proofing_level": "P0"}), "user/HealthcareService.rs"),
    ];
    for (id_token, about, granted) in cases {
        *house.mock.id_token.lock().expect("no panic") = object(&id_token);
        *house.mock.about.lock().expect("no panic") = object(&about);
        let mut browser = house.browser();
        let back = go(&house, &mut browser, "nhs", &request(&[scope]));
        let next = browser.get(&back).header("Location").expect("a redirect").to_owned();
        let page = browser.get(&next);
        house.told();
        let reply = browser.submit(&page, "/auth/authorize/consent", &[("decision", "allow")]);
        assert!(!reply.app_gets("code").is_empty());
        let told = house.told();
        let [PersonAct::Granted { scope, .. }] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!(scope, granted);
    }
}

#[test]
fn takes_back_only_whom_it_sent() {
    let house = House::new();
    let mut browser = house.browser();
    let mut other = house.browser();
    other.get("/auth/sign-in");
    let back = go(&house, &mut browser, "nhs", "/auth/manage");
    house.told();
    assert_eq!(other.get(&back).status, 400, "another browser");
    assert_eq!(house.told(), [PersonAct::SignInFailed]);
    assert_eq!(browser.get("/auth/oidc/callback?code=the-code&state=guessed").status, 400);
    assert_eq!(browser.get("/auth/oidc/callback").status, 400);
    for more in ["code=another", "state=another", "iss=one&iss=two", "error=one&error=two"] {
        assert_eq!(browser.get(&format!("{back}&{more}")).status, 400, "{more}");
    }
    let before = browser.cookie.clone();
    assert_eq!(browser.get(&back).status, 303);
    let mut again = Browser { cookie: before, ..house.browser() };
    assert_eq!(again.get(&back).status, 400, "a second time");

    let back = go(&house, &mut browser, "nhs", "/auth/manage");
    house.time.advance(10 * 60_000);
    assert_eq!(browser.get(&back).status, 400, "too late");

    for wrong in ["&error=access_denied", "&iss=https%3A%2F%2Fother.example"] {
        let back = go(&house, &mut browser, "nhs", "/auth/manage");
        assert_eq!(browser.get(&format!("{back}{wrong}")).status, 502, "{wrong}");
    }
}

#[test]
fn refuses_disabled_people_and_says_when_a_provider_is_down() {
    let house = House::new();
    assert_eq!(sign_in(&house, "nhs", json!({}), json!({})).status, 303);
    let people = People::new(house.repository.vault());
    let accounts = people.list().expect("a list");
    let account = accounts.iter().find(|account| account.provider.is_some()).expect("an account");
    assert!(account.name.starts_with("nhs:") && account.password.is_none());
    people.change(&account.name, &crate::system_random(), |account| account.disabled = true).expect("changed");
    assert_eq!(sign_in(&house, "nhs", json!({}), json!({})).status, 403);

    let down = House::new();
    *down.mock.is_down.lock().expect("no panic") = true;
    let reply = down.browser().get("/auth/oidc/nhs");
    assert_eq!(reply.status, 502);
    assert!(reply.text().contains("NHS &#60;login&#62; did not tell us who you are"));
}

#[test]
fn bounds_how_often_one_address_is_sent() {
    let house = House::new();
    let mut browser = house.browser();
    for _ in 0..30 {
        assert_eq!(browser.get("/auth/oidc/nhs").status, 303);
    }
    assert_eq!(browser.get("/auth/oidc/nhs").status, 429);
}
