use serde_json::{Value, json};

use super::harness::*;
use crate::jose::{self, Algorithm, Expected, KeySet, Type};
use crate::{ErrorCode, NewAuth, NewClient, TokenAct};

type Changes<'a> = &'a [(&'a str, &'a str)];
type Outcome<'a> = (u16, &'a str);

#[test]
fn gives_tokens_for_a_code() {
    let house = House::new();
    let app = house.app();
    let answer = house.granted(&app, "launch/patient openid fhirUser offline_access patient/*.rs system/*.rs");
    assert_eq!(answer.header("Cache-Control"), Some("no-store"));
    assert_eq!(answer.header("Content-Type"), Some("application/json"));
    assert_eq!(answer.text("token_type"), "Bearer");
    assert_eq!(answer.json["expires_in"], 3600);
    assert_eq!(answer.text("scope"), "launch/patient openid fhirUser offline_access patient/*.rs");
    assert_eq!(answer.text("patient"), "ann");
    assert_eq!(answer.json["need_patient_banner"], false);
    assert!(answer.json.get("encounter").is_none());
    assert!(answer.text("refresh_token").len() > 40);

    let keys = KeySet::parse(house.get("/auth/jwks").json.to_string().as_bytes()).expect("keys");
    let expected = Expected {
        algorithms: &[Algorithm::Rs256],
        issuer: ISSUER,
        audiences: &[&app.id],
        kind: Some(Type::Jwt),
        now: NOON_S,
    };
    let claims = jose::verify(answer.text("id_token"), &keys, &expected).expect("an ID token");
    let expected = json!({
        "iss": ISSUER, "sub": "s-ann", "aud": app.id, "iat": NOON_S, "exp": NOON_S + 3600, "auth_time": NOON_S - 1,
        "nonce": "n-1", "fhirUser": "http://localhost/fhir/Patient/ann",
    });
    assert_eq!(Value::Object(claims.all), expected);

    let verified = house.desk().verify(answer.text("access_token")).expect("it counts");
    assert_eq!(verified.scopes.to_string(), answer.text("scope"));
    assert_eq!(verified.grant.patient.as_deref(), Some("ann"));
    assert_eq!(verified.client, app);
    assert_eq!(verified.expires, NOON + HOUR);
}

#[test]
fn gives_only_what_the_scopes_say() {
    let house = House::new();
    let without_refresh = NewClient { grant_types: vec!["authorization_code".to_owned()], ..app() };
    let (app, without_refresh) = (house.app(), house.register(without_refresh).client);
    // Client, scopes, whether there are a refresh token and an ID token.
    let cases = [
        (&app, "patient/*.rs", false, false),
        (&app, "patient/*.rs offline_access", true, false),
        (&app, "patient/*.rs online_access openid", true, true),
        (&without_refresh, "patient/*.rs offline_access", false, false),
    ];
    for (client, scope, refresh, id) in cases {
        let answer = house.granted(client, scope);
        assert_eq!(answer.json.get("refresh_token").is_some(), refresh, "{scope}");
        assert_eq!(answer.json.get("id_token").is_some(), id, "{scope}");
    }
}

#[test]
fn refuses_wrong_requests_for_a_code() {
    let house = House::new();
    let (app, other) = (house.app(), house.app());
    let code = house.code(&house.grant(&app, "patient/*.rs"));
    let challenge = "Zi-GuvDxJkwGBJ8eAvsLWYpfqbWV3pjDSZhtLzXz6TQ";
    let cases: &[(Changes, Outcome)] = &[
        (&[("grant_type", "")], (400, "invalid_request")),
        (&[("grant_type", "password")], (400, "unsupported_grant_type")),
        (&[("grant_type", "implicit")], (400, "unsupported_grant_type")),
        (&[("client_id", "")], (401, "invalid_client")),
        (&[("client_id", "nobody")], (401, "invalid_client")),
        (&[("client_id", &other.id)], (400, "invalid_grant")),
        (&[("client_secret", "x")], (401, "invalid_client")),
        (&[("code", "")], (400, "invalid_request")),
        (&[("code", "x")], (400, "invalid_grant")),
        (&[("redirect_uri", "")], (400, "invalid_request")),
        (&[("redirect_uri", "https://app.example/cb/")], (400, "invalid_grant")),
        (&[("redirect_uri", "https://app.example/c")], (400, "invalid_grant")),
        (&[("redirect_uri", "https://App.example/cb")], (400, "invalid_grant")),
        (&[("code_verifier", "")], (400, "invalid_request")),
        (&[("code_verifier", "another-verifier-of-at-least-43-characters-0123")], (400, "invalid_grant")),
        (&[("code_verifier", challenge)], (400, "invalid_grant")),
        (&[("code_verifier", "short")], (400, "invalid_grant")),
        (&[("grant_type", "client_credentials")], (400, "unauthorized_client")),
    ];
    for (changes, outcome) in cases {
        let answer = house.post("/auth/token", &with(redeem(&app.id, &code), changes));
        assert_eq!(answer.outcome(), *outcome, "{changes:?}");
        assert_eq!(answer.header("Cache-Control"), Some("no-store"), "{changes:?}");
        assert_eq!(answer.header("WWW-Authenticate").is_some(), outcome.0 == 401, "{changes:?}");
    }
    for (name, values) in
        [("code", &[code.as_str()][..]), ("resource", &["a", "b"]), ("x", &["", ""]), ("scope", &["", "x"])]
    {
        let mut twice = redeem(&app.id, &code);
        twice.extend(values.iter().map(|value| (name, *value)));
        assert_eq!(house.post("/auth/token", &twice).outcome(), (400, "invalid_request"), "{name}");
    }
    // None of that has used the code up.
    assert_eq!(house.post("/auth/token", &redeem(&app.id, &code)).status, 200);
}

#[test]
fn a_code_is_no_longer_good_after_a_minute() {
    let house = House::new();
    let app = house.app();
    let (young, old) = (house.code(&house.grant(&app, "patient/*.rs")), house.code(&house.grant(&app, "patient/*.rs")));
    house.clock.pass(59_999);
    assert_eq!(house.post("/auth/token", &redeem(&app.id, &young)).status, 200);
    house.clock.pass(1);
    assert_eq!(house.post("/auth/token", &redeem(&app.id, &old)).outcome(), (400, "invalid_grant"));
}

#[test]
fn a_code_that_is_shown_again_ends_the_grant() {
    let house = House::new();
    let app = house.app();
    let grant = house.grant(&app, "patient/*.rs offline_access");
    let code = house.code(&grant);
    let first = house.post("/auth/token", &redeem(&app.id, &code));
    assert!(house.counts(first.text("access_token")));
    // Long after it expired as well.
    house.clock.pass(HOUR / 2);
    assert_eq!(house.post("/auth/token", &redeem(&app.id, &code)).outcome(), (400, "invalid_grant"));
    assert!(!house.counts(first.text("access_token")));
    let refresh =
        [("grant_type", "refresh_token"), ("client_id", &app.id), ("refresh_token", first.text("refresh_token"))];
    assert_eq!(house.post("/auth/token", &refresh).outcome(), (400, "invalid_grant"));
    assert_eq!(house.desk().grants().find(&grant.id, NOON), Ok(None));
    let told = house.told.0.lock().unwrap();
    let ended = told.iter().find(|event| event.what == TokenAct::EndReplayed).expect("told");
    assert_eq!((ended.grant.as_ref(), ended.refused), (Some(&grant.id), Some(ErrorCode::InvalidGrant)));
}

#[test]
fn of_parallel_requests_for_a_code_one_wins() {
    let house = House::new();
    let app = house.app();
    let code = house.code(&house.grant(&app, "patient/*.rs"));
    let statuses = std::thread::scope(|scope| {
        let request = || house.post("/auth/token", &redeem(&app.id, &code)).status;
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(request)).collect();
        threads.into_iter().map(|thread| thread.join().expect("an answer")).collect::<Vec<_>>()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
}

#[test]
fn clients_show_secrets() {
    let house = House::new();
    let registered = house.register(NewClient { auth: NewAuth::Secret, ..app() });
    let (client, secret) = (registered.client, registered.secret.expect("a secret"));
    let basic = |id: &str, secret: &str| {
        use base64::Engine;
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{id}:{secret}")))
    };
    let (right, wrong) = (basic(&client.id, &secret), basic(&client.id, "wrong"));
    let stranger = basic("nobody", &secret);
    let cases: &[(Changes, Option<&str>, Outcome)] = &[
        (&[("client_secret", &secret)], None, (200, "")),
        (&[("client_id", "")], Some(&right), (200, "")),
        (&[], Some(&right), (200, "")),
        (&[("client_secret", "wrong")], None, (401, "invalid_client")),
        (&[], None, (401, "invalid_client")),
        (&[], Some(&wrong), (401, "invalid_client")),
        (&[("client_id", "")], Some(&stranger), (401, "invalid_client")),
        (&[], Some("Basic ?"), (401, "invalid_client")),
        (&[], Some("Bearer x"), (401, "invalid_client")),
        (&[("client_secret", &secret)], Some(&right), (400, "invalid_request")),
        (&[("client_id", "another")], Some(&right), (400, "invalid_request")),
    ];
    for (changes, authorization, outcome) in cases {
        let code = house.code(&house.grant(&client, "patient/*.rs"));
        let answer = house.post_as("/auth/token", &with(redeem(&client.id, &code), changes), *authorization);
        assert_eq!(answer.outcome(), *outcome, "{changes:?} {authorization:?}");
        let challenge =
            answer.header("WWW-Authenticate").is_some_and(|challenge| challenge.starts_with("Basic realm="));
        assert_eq!(challenge, answer.status == 401, "{changes:?} {authorization:?}");
    }
    let clients = house.desk().clients();
    let replaced = clients.replace_secret(&client.id).expect("done").expect("a secret");
    for (secret, status) in [(&secret, 401), (&replaced, 200)] {
        let code = house.code(&house.grant(&client, "patient/*.rs"));
        let form = with(redeem(&client.id, &code), &[("client_secret", secret)]);
        assert_eq!(house.post("/auth/token", &form).status, status);
    }
    assert_eq!(clients.replace_secret(&house.app().id), Ok(None));
    let kept = serde_json::to_string(&clients.find(&client.id).expect("a client")).expect("JSON");
    assert!(!kept.contains(&replaced));
}
