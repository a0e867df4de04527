use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::harness::*;
use crate::jose::{Algorithm, PrivateKey};
use crate::{NewAuth, NewClient, TokenAct};

#[test]
fn systems_get_tokens_for_five_minutes() {
    let house = House::new();
    let keys = [
        rsa_key("k", Algorithm::Rs384),
        key("k", Algorithm::Es384),
        rsa_key("k", Algorithm::Rs256),
        key("k", Algorithm::Es256),
    ];
    for key in &keys {
        let client = house.system(key);
        let answer = house.system_token(&assertion(key, &client.id, "1", json!({})), "system/*.rs patient/Order.r");
        assert_eq!(answer.status, 200, "{key:?} {}", answer.json);
        assert_eq!(answer.json["expires_in"], 300);
        assert_eq!(answer.text("scope"), "system/*.rs");
        assert!(answer.json.get("refresh_token").is_none());
        let verified = house.desk().verify(answer.text("access_token")).expect("it counts");
        assert_eq!((verified.grant.account.as_ref(), verified.grant.subject.as_str()), (None, client.id.as_str()));
        house.clock.pass(299_999);
        assert!(house.counts(answer.text("access_token")));
        house.clock.pass(1);
        assert!(!house.counts(answer.text("access_token")));
        house.clock.pass(-300_000);
    }
}

#[test]
fn refuses_assertions() {
    let house = House::new();
    let key = key("k", Algorithm::Es384);
    let client = house.system(&key);
    let cases: &[(Value, u16)] = &[
        (json!({}), 200),
        (json!({ "aud": ["x", TOKEN_URL] }), 200),
        (json!({ "aud": ISSUER }), 200),
        (json!({ "aud": "http://localhost/auth/tokens" }), 401),
        (json!({ "aud": BASE_URL }), 401),
        (json!({ "aud": null }), 401),
        (json!({ "sub": "another" }), 401),
        (json!({ "sub": null }), 401),
        (json!({ "iss": "another" }), 401),
        (json!({ "iss": null }), 401),
        (json!({ "exp": NOON_S }), 401),
        (json!({ "exp": NOON_S + 331 }), 401),
        (json!({ "exp": null }), 401),
        (json!({ "exp": "soon" }), 401),
        (json!({ "nbf": NOON_S + 60 }), 401),
        (json!({ "iat": NOON_S + 60 }), 401),
        (json!({ "iat": NOON_S - 10, "nbf": NOON_S - 10 }), 200),
        (json!({ "jti": null }), 401),
        (json!({ "jti": "" }), 401),
        (json!({ "jti": 7 }), 401),
        (json!({ "jti": "x".repeat(201) }), 401),
        (json!({ "more": "x".repeat(20_000) }), 401),
    ];
    for (number, (changes, status)) in cases.iter().enumerate() {
        let assertion = assertion(&key, &client.id, &number.to_string(), changes.clone());
        let answer = house.system_token(&assertion, "system/*.rs");
        let error = if *status == 200 { "" } else { "invalid_client" };
        assert_eq!(answer.outcome(), (*status, error), "{changes}");
    }
}

#[test]
fn an_assertion_counts_once() {
    let house = House::new();
    let key = key("k", Algorithm::Es256);
    let (client, other) = (house.system(&key), house.system(&key));
    let first = assertion(&key, &client.id, "1", json!({}));
    assert_eq!(house.system_token(&first, "system/*.rs").status, 200);
    assert_eq!(house.system_token(&first, "system/*.rs").outcome(), (401, "invalid_client"));
    // Another with the same name, and the same name of another client.
    let same = assertion(&key, &client.id, "1", json!({ "exp": NOON_S + 200 }));
    assert_eq!(house.system_token(&same, "system/*.rs").outcome(), (401, "invalid_client"));
    assert_eq!(house.system_token(&assertion(&key, &other.id, "1", json!({})), "system/*.rs").status, 200);
    // What has run out is cleared.
    let remembered = || house.repository.vault().list("jti/", None, 9).expect("names").len();
    assert_eq!(remembered(), 2);
    house.clock.pass(HOUR);
    assert_eq!(house.system_token("x", "system/*.rs").status, 401);
    assert_eq!(remembered(), 0);
}

#[test]
fn of_parallel_uses_of_an_assertion_one_wins() {
    let house = House::new();
    let key = key("k", Algorithm::Es256);
    let client = house.system(&key);
    let assertion = assertion(&key, &client.id, "1", json!({}));
    let won = std::thread::scope(|scope| {
        let request = || house.system_token(&assertion, "system/*.rs").status == 200;
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(request)).collect();
        threads.into_iter().map(|thread| thread.join().expect("an answer")).filter(|won| *won).count()
    });
    assert_eq!(won, 1);
}

/// A token whose header says something else than its key does.
fn forged(header: Value, token: &str, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let claims = token.split('.').nth(1).expect("claims");
    let signed = format!("{}.{claims}", URL_SAFE_NO_PAD.encode(header.to_string()));
    let signature = URL_SAFE_NO_PAD.encode(sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

#[test]
fn refuses_other_keys_and_confused_ones() {
    let house = House::new();
    let (own, other) = (key("k", Algorithm::Es384), key("k", Algorithm::Es384));
    let client = house.system(&own);
    let good = |jti: &str| assertion(&own, &client.id, jti, json!({}));
    let point = own.public().x.expect("a point");
    let with_public_key = |message: &[u8]| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, point.as_bytes());
        hmac::sign(&key, message).as_ref().to_vec()
    };
    let unsigned = |_: &[u8]| Vec::new();
    let cut = |token: String| token.rsplit_once('.').expect("a signature").0.to_owned();
    let forgeries = [
        assertion(&other, &client.id, "1", json!({})),
        assertion(&key("another", Algorithm::Es384), &client.id, "2", json!({})),
        assertion(&rsa_key("k", Algorithm::Rs384), &client.id, "3", json!({})),
        forged(json!({ "alg": "none" }), &good("4"), unsigned),
        forged(json!({ "alg": "None", "kid": "k" }), &good("5"), unsigned),
        forged(json!({ "alg": "HS256", "kid": "k" }), &good("6"), with_public_key),
        forged(json!({ "alg": "ES256", "kid": "k" }), &good("7"), |_| vec![0; 64]),
        forged(json!({ "alg": "ES384", "kid": "k" }), &good("8"), |_| vec![0; 96]),
        forged(json!({ "alg": "ES384", "kid": "k", "crit": ["b64"], "b64": false }), &good("9"), |_| vec![0; 96]),
        cut(good("10")),
        cut(good("11")) + ".",
        good("12") + "AAAA",
        good("13").replace('.', ".."),
        String::from("..."),
        format!("{}.x", "x".repeat(20_000)),
    ];
    for (number, forgery) in forgeries.iter().enumerate() {
        let answer = house.system_token(forgery, "system/*.rs");
        assert_eq!(answer.outcome(), (401, "invalid_client"), "{number}");
    }
    assert_eq!(house.system_token(&good("20"), "system/*.rs").status, 200);
}

#[test]
fn refuses_what_systems_cannot_have() {
    let house = House::new();
    let key = key("k", Algorithm::Es384);
    let limited = NewClient { scope: "system/Observation.rs".to_owned(), ..system(&key) };
    let client = house.register(limited).client;
    let long = "system/Observation.rs ".repeat(400);
    let cases = [
        ("system/*.cruds", (200, ""), "system/Observation.rs"),
        ("system/Observation.r", (200, ""), "system/Observation.r"),
        ("", (400, "invalid_scope"), ""),
        ("system/Patient.r", (400, "invalid_scope"), ""),
        ("patient/Observation.r", (400, "invalid_scope"), ""),
        ("system/Observation.r user/Observation.r", (400, "invalid_scope"), ""),
        ("system/Observation.r openid", (400, "invalid_scope"), ""),
        ("system/Observation.sr", (400, "invalid_scope"), ""),
        ("nonsense", (400, "invalid_scope"), ""),
        (&long, (400, "invalid_scope"), ""),
    ];
    for (number, (scope, outcome, given)) in cases.into_iter().enumerate() {
        let answer = house.system_token(&assertion(&key, &client.id, &number.to_string(), json!({})), scope);
        assert_eq!(answer.outcome(), outcome, "{scope}");
        assert_eq!(answer.json["scope"].as_str().unwrap_or_default(), given, "{scope}");
    }
    let told = house.told.0.lock().unwrap();
    assert!(
        told.iter().all(|event| event.what == TokenAct::ClientCredentials && event.client.as_ref() == Some(&client.id))
    );
}

#[test]
fn keys_that_are_published_elsewhere_are_fetched_when_needed() {
    let house = House::new();
    let url = "https://system.example/jwks";
    let (old, new, stranger) = (key("1", Algorithm::Es384), key("2", Algorithm::Es384), key("3", Algorithm::Es384));
    let registration = NewClient { auth: NewAuth::JwksUri(url.to_owned()), ..system(&old) };
    let client = house.register(registration).client;
    let mut number = 0;
    let mut ask = |key: &PrivateKey, later: i64| {
        house.clock.pass(later);
        number += 1;
        let exp = json!({ "exp": (house.desk().now / 1000) + 100 });
        let status = house.system_token(&assertion(key, &client.id, &number.to_string(), exp), "system/*.rs").status;
        (status, house.web.asked())
    };
    assert_eq!(ask(&old, 0), (401, 1), "nothing is published");
    house.web.publish(url, jwks(&[&old]));
    assert_eq!(ask(&old, 59_999), (401, 1), "not asked again so soon");
    assert_eq!(ask(&old, 1), (200, 2));
    assert_eq!(ask(&old, 0), (200, 2), "kept");
    house.web.publish(url, jwks(&[&old, &new]));
    assert_eq!(ask(&new, 0), (401, 2), "not asked again so soon");
    assert_eq!(ask(&new, 60_000), (200, 3), "asked for a key that is not known");
    assert_eq!(ask(&stranger, 60_000), (401, 4));
    assert_eq!(ask(&stranger, 1), (401, 4), "not asked again so soon");
    house.web.publish(url, jwks(&[&new]));
    assert_eq!(ask(&old, 0), (200, 4), "kept");
    assert_eq!(ask(&old, HOUR), (401, 5), "what was taken out counts no longer");
    assert_eq!(ask(&new, 0), (200, 5));
}

#[test]
fn disabled_clients_get_nothing() {
    let house = House::new();
    let key = key("k", Algorithm::Es384);
    let client = house.system(&key);
    let clients = house.desk().clients();
    assert_eq!(clients.disable("nobody"), Ok(false));
    assert_eq!(clients.disable(&client.id), Ok(true));
    let answer = house.system_token(&assertion(&key, &client.id, "1", json!({})), "system/*.rs");
    assert_eq!(answer.outcome(), (401, "invalid_client"));
}
