use serde_json::{Value, json};

use super::harness::*;
use crate::exchange::Request;
use crate::jose::{Algorithm, PrivateKey};
use crate::{ClientError, InvalidClient, NewAuth, NewClient, Registration};

fn register(house: &House, metadata: &str) -> Answer {
    house.handle(&Request { json: Some(metadata.as_bytes()), ..request("POST", "/auth/register") })
}

fn metadata(changes: Value) -> String {
    let metadata = json!({
        "client_name": "App", "redirect_uris": [REDIRECT_URI], "token_endpoint_auth_method": "none",
        "scope": "openid patient/*.rs",
    });
    changed(metadata, changes).to_string()
}

#[test]
fn clients_register_themselves_where_they_may() {
    let house = House::with(Registration::Open, Vec::new());
    let answer =
        register(&house, &metadata(json!({ "scope": "openid email patient/*.rs system/*.rs", "contacts": ["a@b"] })));
    assert_eq!(answer.status, 201, "{}", answer.json);
    assert_eq!(answer.header("Cache-Control"), Some("no-store"));
    let expected = json!({
        "client_id": answer.text("client_id"), "client_id_issued_at": NOON_S, "client_name": "App", "redirect_uris": [REDIRECT_URI],
        "grant_types": ["authorization_code"], "response_types": ["code"], "token_endpoint_auth_method": "none",
        "scope": "openid patient/*.rs",
    });
    assert_eq!(answer.json, expected);
    let client = house.desk().clients().find(answer.text("client_id")).expect("found").expect("one");
    assert!(!client.custodian && client.organization.is_none() && client.purposes.is_empty());

    for (changes, refreshes) in [
        (json!({ "scope": "patient/*.rs offline_access" }), true),
        (json!({ "scope": "patient/*.rs online_access" }), true),
        (json!({ "scope": null }), true),
        (json!({ "scope": "patient/*.rs" }), false),
        (json!({ "scope": "patient/*.rs offline_access", "grant_types": ["authorization_code"] }), false),
    ] {
        let types = register(&house, &metadata(changes.clone())).json["grant_types"].to_string();
        assert_eq!(types.contains("refresh_token"), refreshes, "{changes}: {types}");
    }

    let with_secret = register(&house, &metadata(json!({ "token_endpoint_auth_method": null })));
    assert_eq!(with_secret.json["client_secret_expires_at"], 0);
    let (id, secret) = (with_secret.text("client_id"), with_secret.text("client_secret"));
    let form = [("client_id", id), ("client_secret", secret), ("token", "x")];
    assert_eq!(house.post("/auth/introspect", &form).json, json!({ "active": false }));

    let keys: Value = serde_json::from_str(&jwks(&[&key("k", Algorithm::Es384)])).expect("JSON");
    let signing = json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": keys });
    assert_eq!(register(&house, &metadata(signing)).json["jwks"], keys);
}

#[test]
fn refuses_registrations() {
    let house = House::with(Registration::Open, Vec::new());
    let private = json!({ "keys": [{ "kty": "RSA", "n": "x", "e": "AQAB", "d": "x" }] });
    let shared = json!({ "keys": [{ "kty": "oct", "k": "x" }] });
    let jwks_uri = |uri: &str| json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": uri });
    let redirect = |uri: &str| json!({ "redirect_uris": [uri] });
    let many: Vec<String> = (0..21).map(|number| format!("https://app.example/{number}")).collect();
    let cases = [
        (redirect("http://app.example/cb"), "invalid_redirect_uri"),
        (redirect("https://app.example/cb#x"), "invalid_redirect_uri"),
        (redirect("https://app.example/*"), "invalid_redirect_uri"),
        (redirect("https://user@app.example/cb"), "invalid_redirect_uri"),
        (redirect("javascript:alert(1)"), "invalid_redirect_uri"),
        (redirect("myapp:/cb"), "invalid_redirect_uri"),
        (redirect("/cb"), "invalid_redirect_uri"),
        (redirect(""), "invalid_redirect_uri"),
        (redirect("http://127.0.0.1:3000/cb"), ""),
        (redirect("com.example.app:/cb"), ""),
        (
            json!({ "redirect_uris": ["com.example.app:/cb"], "token_endpoint_auth_method": "client_secret_post" }),
            "invalid_redirect_uri",
        ),
        (json!({ "redirect_uris": [] }), "invalid_client_metadata"),
        (json!({ "redirect_uris": many }), "invalid_client_metadata"),
        (json!({ "redirect_uris": "https://app.example/cb" }), "invalid_client_metadata"),
        (json!({ "scope": "patient/*.sr" }), "invalid_client_metadata"),
        (json!({ "scope": "openid ".repeat(2_000) }), "invalid_client_metadata"),
        (json!({ "grant_types": ["client_credentials"] }), "invalid_client_metadata"),
        (json!({ "grant_types": ["implicit"] }), "invalid_client_metadata"),
        (json!({ "response_types": ["token"] }), "invalid_client_metadata"),
        (json!({ "token_endpoint_auth_method": "tls_client_auth" }), "invalid_client_metadata"),
        (json!({ "token_endpoint_auth_method": "private_key_jwt" }), "invalid_client_metadata"),
        (json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": private }), "invalid_client_metadata"),
        (json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": shared }), "invalid_client_metadata"),
        (json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": { "keys": [] } }), "invalid_client_metadata"),
        (json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": "x" }), "invalid_client_metadata"),
        (jwks_uri("https://app.example/jwks"), ""),
        (jwks_uri("http://app.example/jwks"), "invalid_client_metadata"),
        (jwks_uri("http://localhost/jwks"), "invalid_client_metadata"),
        (jwks_uri("https://localhost/jwks"), "invalid_client_metadata"),
        (jwks_uri("https://169.254.169.254/jwks"), "invalid_client_metadata"),
        (json!({ "client_name": "x".repeat(201) }), "invalid_client_metadata"),
        (json!({ "client_name": "a\u{7}b" }), "invalid_client_metadata"),
        (json!({ "client_name": "NHS\u{202E}ppA" }), "invalid_client_metadata"),
        (json!({ "client_name": "NHS\u{200B} App" }), "invalid_client_metadata"),
        (json!({ "client_name": "\u{2066}App" }), "invalid_client_metadata"),
        (json!({ "client_name": "Ap\u{AD}p" }), "invalid_client_metadata"),
        (json!({ "client_name": "App\u{E0041}" }), "invalid_client_metadata"),
        (json!({ "client_name": "Überweisung 预约 تطبيق" }), ""),
        (json!({ "logo_uri": "javascript:alert(1)" }), "invalid_client_metadata"),
        (json!({ "client_uri": "data:text/html,x" }), "invalid_client_metadata"),
        (json!({ "more": "x".repeat(100_000) }), "invalid_client_metadata"),
    ];
    for (changes, error) in cases {
        let answer = register(&house, &metadata(changes.clone()));
        let status = if error.is_empty() { 201 } else { 400 };
        let shown = changes.to_string();
        assert_eq!(answer.outcome(), (status, error), "{}", &shown[..shown.len().min(200)]);
    }
    for body in ["", "x", "[]", "{\"redirect_uris\":"] {
        assert_eq!(register(&house, body).outcome(), (400, "invalid_client_metadata"), "{body}");
    }
    assert_eq!(house.post("/auth/register", &[]).outcome(), (400, "invalid_client_metadata"));
}

#[test]
fn registration_is_closed_and_paced() {
    let house = House::new();
    assert_eq!(register(&house, &metadata(json!({}))).outcome(), (403, "access_denied"));
    let house = House::with(Registration::Open, Vec::new());
    let statuses: Vec<u16> = (0..101).map(|_| register(&house, &metadata(json!({}))).status).collect();
    assert!(statuses[..100].iter().all(|status| *status == 201));
    let answer = register(&house, &metadata(json!({})));
    assert_eq!((statuses[100], answer.outcome()), (429, (429, "temporarily_unavailable")));
    assert!(answer.header("Retry-After").is_some());
    house.clock.pass(HOUR);
    assert_eq!(register(&house, &metadata(json!({}))).status, 201);
}

#[test]
fn checks_what_is_registered_by_hand() {
    let house = House::new();
    let clients = house.desk().clients();
    let key: PrivateKey = key("k", Algorithm::Es384);
    let own = |text: &str| Some(text.to_owned());
    let cases = [
        (app(), true),
        (system(&key), true),
        (NewClient { scope: "openid nonsense".to_owned(), ..app() }, false),
        (NewClient { name: " ".to_owned(), ..app() }, false),
        (NewClient { scope: "system/*.rs".to_owned(), ..app() }, false),
        (NewClient { auth: NewAuth::Secret, ..system(&key) }, false),
        (NewClient { scope: "patient/*.rs".to_owned(), ..system(&key) }, false),
        (NewClient { auth: NewAuth::JwksUri("http://localhost:9000/jwks".to_owned()), ..system(&key) }, true),
        (NewClient { auth: NewAuth::JwksUri("http://app.example/jwks".to_owned()), ..system(&key) }, false),
        (NewClient { organization: own("Organization/o1"), ..app() }, true),
        (NewClient { organization: own("Patient/o1"), ..app() }, false),
        (NewClient { organization: own("o1"), ..app() }, false),
        (NewClient { identifiers: vec!["https://fhir.nhs.uk/Id/ods-organization-code|A1".to_owned()], ..app() }, true),
        (NewClient { identifiers: vec!["A1".to_owned()], ..app() }, false),
        (NewClient { purposes: vec!["TREAT".to_owned()], ..app() }, true),
        (NewClient { purposes: vec!["to treat".to_owned()], ..app() }, false),
        (NewClient { launch_uri: own("ftp://app.example"), ..app() }, false),
    ];
    for (new, right) in cases {
        assert_eq!(clients.register(new.clone(), NOON).is_ok(), right, "{new:?}");
    }
    let wrong = NewClient { redirect_uris: vec!["x".to_owned()], ..app() };
    let error = clients.register(wrong, NOON).err();
    assert_eq!(error, Some(ClientError::Invalid(InvalidClient::RedirectUri("x".to_owned()))));
    assert_eq!(clients.list(None).expect("a list").len(), 6);
}

/// Only what strangers name is asked at public addresses alone: an operator's system may be next door.
#[test]
fn keys_of_strangers_are_fetched_in_public() {
    let house = House::with(Registration::Open, Vec::new());
    let key = key("k", Algorithm::Es384);
    let url = "https://app.example/jwks";
    house.web.publish(url, jwks(&[&key]));
    let ask = |client: &str| {
        let assertion = assertion(&key, client, "1", json!({}));
        let form =
            [("client_assertion_type", ASSERTION_TYPE), ("client_assertion", assertion.as_str()), ("token", "x")];
        let status = house.post("/auth/introspect", &form).status;
        (status, house.web.asked(), house.web.asked_in_public.load(std::sync::atomic::Ordering::Relaxed))
    };
    let metadata = metadata(json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": url }));
    let stranger = register(&house, &metadata);
    assert_eq!(ask(stranger.text("client_id")), (200, 1, 1));
    let known = house.register(NewClient { auth: NewAuth::JwksUri(url.to_owned()), ..system(&key) }).client;
    assert_eq!(ask(&known.id), (200, 2, 1));
}
