//! Who asks in the matrix: every kind of token, good and bad.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use flint_tests::{Bearer, Guarded, Holder};
use serde_json::{Value, json};
use smart::jose::{Algorithm, PrivateKey, Type};

/// Longer than any access token counts.
const AGE: Duration = Duration::from_secs(2 * 60 * 60);

/// Whoever has a token that counts, in the order of the matrix's columns.
pub(super) const CALLERS: [&str; 13] = [
    "wrong scope",
    "other patient",
    "hidden by consent",
    "expired consent",
    "app",
    "patient",
    "proxy",
    "ended proxy",
    "staff",
    "staff without write scope",
    "system",
    "research",
    "custodian",
];

/// Those from whom the record is hidden, so that nothing may tell that it is there.
pub(super) const BLIND: [&str; 5] =
    ["other patient", "hidden by consent", "expired consent", "ended proxy", "research"];

/// The custodian's own system.
pub(crate) fn keeper() -> Holder<'static> {
    Holder { scope: "system/*.cruds", custodian: true, ..Holder::default() }
}

/// Who has this name in [`CALLERS`]. All of them but the first may do everything that their scopes can say about Conditions.
pub(crate) fn holder(name: &str) -> Holder<'static> {
    let scope = "patient/*.cruds";
    let app = Holder {
        scope,
        user: "Patient/p1",
        patient: "p1",
        consents: &["Consent/share-app"],
        organization: "Organization/app1",
        purposes: &["PATRQT"],
        ..Holder::default()
    };
    let husband = Holder { scope, user: "RelatedPerson/rp1", patient: "p1", ..Holder::default() };
    let staff = Holder {
        scope: "user/*.cruds",
        user: "Practitioner/dr1",
        organization: "Organization/gp1",
        purposes: &["TREAT"],
        ..Holder::default()
    };
    let system = Holder { scope: "system/*.cruds", ..Holder::default() };
    match name {
        "wrong scope" => Holder { scope: "patient/Immunization.cruds", consents: &[], ..app },
        "other patient" => Holder { scope, user: "Patient/p2", patient: "p2", ..Holder::default() },
        "hidden by consent" | "app" => app,
        "expired consent" => Holder { consents: &["Consent/past-app"], ..app },
        "patient" => Holder { scope, user: "Patient/p1", patient: "p1", ..Holder::default() },
        "proxy" => Holder { consents: &["Consent/share-husband"], ..husband },
        "ended proxy" => Holder { consents: &["Consent/left-husband"], ..husband },
        "staff" => staff,
        "staff without write scope" => Holder { scope: "user/*.rs", ..staff },
        "system" => Holder { purposes: &["TREAT"], ..system },
        "research" => Holder { purposes: &["HRESCH"], ..system },
        "custodian" => keeper(),
        _ => panic!("nobody is called {name}"),
    }
}

/// The consents that are over: the app's by time, the husband's by decision.
pub(super) fn end_consents(keeper: &Bearer<'_>) {
    let mut past = keeper.get("/Consent/share-app").expect(200).json();
    past["id"] = json!("past-app");
    past["provision"]["period"] = json!({ "start": "2027-02-01", "end": "2027-02-27" });
    keeper.send("PUT /Consent/past-app", past).expect(201);
    let mut left = keeper.get("/Consent/share-husband").expect(200).json();
    left["id"] = json!("left-husband");
    left["status"] = json!("inactive");
    keeper.send("PUT /Consent/left-husband", left).expect(201);
}

/// Values of `Authorization` that do not count, each with why; `None` for no token at all. The clock goes on by [`AGE`].
pub(super) fn refused(guarded: &Guarded) -> Vec<(&'static str, Option<String>)> {
    let bearer = |token: String| Some(format!("Bearer {token}"));
    let expired = guarded.hold(&holder("patient")).token;
    guarded.advance(AGE);
    let good = guarded.hold(&holder("patient"));
    let revoked = guarded.hold(&holder("patient"));
    let form = format!("token={}&client_id={}", revoked.token, revoked.client);
    guarded.call("POST /auth/revoke").body("application/x-www-form-urlencoded", form).send().expect(200);
    let (header, claims) = (part(&good.token, 0), part(&good.token, 1));
    let kid = header["kid"].as_str().expect("a key id");
    let forger = PrivateKey::generate(Algorithm::Es256).expect("a key");
    let forger = PrivateKey::read(kid, Algorithm::Es256, &forger).expect("a key");
    let elsewhere = with(&claims, "aud", json!("https://elsewhere.example/fhir"));
    let unborn = with(&claims, "nbf", json!(claims["exp"].as_i64().expect("a time") - 60));
    let sign = |key: &PrivateKey, claims: &Value| key.sign(Type::AccessToken, claims).expect("signed");
    let own = own_key(guarded);
    assert_eq!(good.call("GET /Patient/p1").send().status, 200);
    vec![
        ("no token", None),
        ("no bearer", Some("Basic YTpi".to_owned())),
        ("malformed", bearer("a.b.c".to_owned())),
        ("forged", bearer(sign(&forger, &claims))),
        ("unsigned", bearer(unsigned(&good.token))),
        ("expired", bearer(expired)),
        ("revoked", bearer(revoked.token)),
        ("wrong audience", bearer(sign(&own, &elsewhere))),
        ("not yet", bearer(sign(&own, &unborn))),
        ("id token", bearer(own.sign(Type::Jwt, &claims).expect("signed"))),
    ]
}

fn part(token: &str, at: usize) -> Value {
    let part = token.split('.').nth(at).expect("three parts");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64")).expect("JSON")
}

fn with(claims: &Value, name: &str, value: Value) -> Value {
    let mut claims = claims.clone();
    claims[name] = value;
    claims
}

/// The token with `alg` `none` and no signature.
fn unsigned(token: &str) -> String {
    let mut header = part(token, 0);
    header["alg"] = json!("none");
    let claims = token.split('.').nth(1).expect("three parts");
    format!("{}.{claims}.", URL_SAFE_NO_PAD.encode(header.to_string()))
}

/// The key with which the server signs access tokens: what else is wrong with a token is then all that is wrong.
fn own_key(guarded: &Guarded) -> PrivateKey {
    let ring = guarded.state().repository().vault().get("key/ring").expect("a vault").expect("keys");
    let ring: Value = serde_json::from_slice(&ring).expect("JSON");
    let text = |name: &str| ring["access"][name].as_str().expect("text").to_owned();
    let pkcs8 = STANDARD.decode(text("pkcs8")).expect("base64");
    PrivateKey::read(text("kid"), Algorithm::Es256, &pkcs8).expect("a key")
}
