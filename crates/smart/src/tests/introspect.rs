use serde_json::json;

use super::harness::*;
use crate::jose::Algorithm;
use crate::{Client, NewAuth, NewClient};

struct Confidential {
    client: Client,
    secret: String,
}

fn confidential(house: &House) -> Confidential {
    let registered = house.register(NewClient { auth: NewAuth::Secret, ..app() });
    Confidential { client: registered.client, secret: registered.secret.expect("a secret") }
}

/// What the record keeper's own system is told of a token.
fn keeper_is_told(house: &House, token: &str) -> Answer {
    let key = key("k", Algorithm::Es384);
    let keeper = house.register(NewClient { custodian: true, ..system(&key) }).client;
    let assertion = assertion(&key, &keeper.id, "1", json!({}));
    let form = [("client_assertion_type", ASSERTION_TYPE), ("client_assertion", assertion.as_str()), ("token", token)];
    house.post("/auth/introspect", &form)
}

impl Confidential {
    fn ask(&self, house: &House, endpoint: &str, token: &str) -> Answer {
        let form = [("client_id", self.client.id.as_str()), ("client_secret", &self.secret), ("token", token)];
        house.post(endpoint, &form)
    }

    fn granted(&self, house: &House, scope: &str) -> Answer {
        let code = house.code(&house.grant(&self.client, scope));
        let form = with(redeem(&self.client.id, &code), &[("client_secret", &self.secret)]);
        house.post("/auth/token", &form)
    }
}

#[test]
fn tells_what_a_token_says() {
    let house = House::new();
    let own = confidential(&house);
    let scope = "openid fhirUser offline_access patient/*.rs";
    let granted = own.granted(&house, scope);
    let mut told = own.ask(&house, "/auth/introspect", granted.text("access_token"));
    assert_eq!((told.status, told.header("Cache-Control")), (200, Some("no-store")));
    assert!(told.json["jti"].take().is_string());
    let expected = json!({
        "active": true, "scope": scope, "client_id": own.client.id, "token_type": "Bearer", "exp": NOON_S + 3600, "iat": NOON_S,
        "iss": ISSUER, "aud": BASE_URL, "sub": "s-ann", "jti": null, "fhirUser": "http://localhost/fhir/Patient/ann",
        "patient": "ann", "need_patient_banner": false,
    });
    assert_eq!(told.json, expected);
    let told = own.ask(&house, "/auth/introspect", granted.text("refresh_token"));
    let expected = json!({
        "active": true, "scope": scope, "client_id": own.client.id, "exp": NOON_S + 180 * 24 * 3600, "iat": NOON_S,
        "iss": ISSUER, "sub": "s-ann",
    });
    assert_eq!(told.json, expected);
}

#[test]
fn tells_nobody_of_what_is_not_theirs() {
    let house = House::new();
    let (own, other) = (confidential(&house), confidential(&house));
    let granted = own.granted(&house, "patient/*.rs offline_access");
    let (access, refresh) = (granted.text("access_token"), granted.text("refresh_token"));
    let cases = [
        (&own, access, true),
        (&own, refresh, true),
        (&other, access, false),
        (&other, refresh, false),
        (&own, "x", false),
        (&own, "x.y", false),
        (&own, granted.json["refresh_token"].as_str().unwrap().split('.').next().unwrap(), false),
    ];
    for (asker, token, active) in cases {
        let told = asker.ask(&house, "/auth/introspect", token);
        assert_eq!(told.status, 200);
        assert_eq!(told.json["active"], active, "{token}");
        assert_eq!(told.json.as_object().unwrap().len() > 1, active, "{token}");
    }
    for token in [access, refresh] {
        assert_eq!(keeper_is_told(&house, token).json["active"], true);
    }
    let public = house.app();
    let cases = [
        (vec![("client_id", public.id.as_str()), ("token", access)], (401, "invalid_client")),
        (vec![("token", access)], (401, "invalid_client")),
        (vec![("client_id", own.client.id.as_str()), ("token", access)], (401, "invalid_client")),
        (vec![("client_id", own.client.id.as_str()), ("client_secret", &own.secret)], (400, "invalid_request")),
    ];
    for (form, outcome) in cases {
        assert_eq!(house.post("/auth/introspect", &form).outcome(), outcome, "{form:?}");
    }
    house.clock.pass(HOUR);
    assert_eq!(own.ask(&house, "/auth/introspect", access).json, json!({ "active": false }));
}

#[test]
fn clients_give_back_their_own_tokens_only() {
    let house = House::new();
    let (own, other) = (confidential(&house), confidential(&house));
    let granted = own.granted(&house, "patient/*.rs offline_access");
    let (access, refresh) = (granted.text("access_token"), granted.text("refresh_token"));
    // Always answered alike; whether the access token still counts.
    let cases = [
        (&own, "nonsense", true),
        (&own, "x.y", true),
        (&other, access, true),
        (&other, refresh, true),
        (&own, access, false),
        (&own, access, false),
        (&own, refresh, false),
    ];
    for (client, token, counts) in cases {
        let answer = client.ask(&house, "/auth/revoke", token);
        assert_eq!((answer.status, answer.json), (200, serde_json::Value::Null), "{token}");
        assert_eq!(house.counts(access), counts, "{token}");
    }
    assert_eq!(own.ask(&house, "/auth/introspect", refresh).json, json!({ "active": false }));
    assert_eq!(own.ask(&house, "/auth/revoke", "").outcome(), (400, "invalid_request"));
    let wrong = Confidential { secret: "wrong".to_owned(), client: own.client };
    assert_eq!(wrong.ask(&house, "/auth/revoke", access).outcome(), (401, "invalid_client"));
}

/// Who acts for a patient is told from the patient, in the token and of it.
#[test]
fn tells_who_acts_for_whom() {
    let house = House::new();
    let own = confidential(&house);
    let acts = json!({ "sub": "s-ann", "fhirUser": "http://localhost/fhir/RelatedPerson/rp" });
    for (user, act) in [
        ("RelatedPerson/rp", acts.clone()),
        ("Patient/bob", json!({ "sub": "s-ann", "fhirUser": "http://localhost/fhir/Patient/bob" })),
        ("Patient/ann", json!(null)),
        ("Practitioner/dr", json!(null)),
    ] {
        let grants = house.desk().grants();
        let grant = house.grant(&own.client, "patient/*.rs");
        let grant = crate::Grant { id: grants.new_id(), fhir_user: Some(user.to_owned()), ..grant };
        grants.add(&grant).expect("kept");
        let form = with(redeem(&own.client.id, ""), &[]);
        let code = house.code(&grant);
        let form = with(form, &[("code", &code), ("client_secret", &own.secret)]);
        let granted = house.post("/auth/token", &form);
        let token = granted.text("access_token");
        let told = own.ask(&house, "/auth/introspect", token).json;
        assert_eq!((&told["patient"], &told["act"]), (&json!("ann"), &act), "{user}");
        let claims = token.split('.').nth(1).expect("claims");
        let claims = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, claims).expect("base64");
        let claims: serde_json::Value = serde_json::from_slice(&claims).expect("JSON");
        assert_eq!((&claims["patient"], &claims["act"]), (&json!("ann"), &act), "{user}");
    }
}
