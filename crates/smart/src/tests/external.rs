use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::harness::*;
use crate::jose::{Algorithm, PrivateKey, Type};
use crate::{ClaimNames, Issuer, NewClient, Registration};

const OTHER: &str = "https://id.example";

fn issuer(clients: BTreeMap<String, String>) -> Issuer {
    Issuer {
        issuer: OTHER.to_owned(),
        jwks_uri: None,
        audience: "flint".to_owned(),
        algorithms: vec![Algorithm::Es256],
        scope: "user/*.rs patient/*.rs system/Observation.r".to_owned(),
        purposes: vec!["TREAT".to_owned()],
        clients,
        claims: ClaimNames::default(),
    }
}

fn publish(house: &House, key: &PrivateKey) {
    let configuration = json!({ "issuer": OTHER, "jwks_uri": "https://id.example/keys" });
    house.web.publish("https://id.example/.well-known/openid-configuration", configuration.to_string());
    house.web.publish("https://id.example/keys", jwks(&[key]));
}

fn token(key: &PrivateKey, changes: Value) -> String {
    let claims = json!({
        "iss": OTHER, "aud": "flint", "sub": "s1", "client_id": "viewer", "iat": NOON_S, "exp": NOON_S + 600,
        "scope": "user/*.cruds", "fhirUser": "http://localhost/fhir/Practitioner/dr",
    });
    key.sign(Type::Jwt, &changed(claims, changes)).expect("a token")
}

#[test]
fn tokens_of_trusted_issuers_count() {
    let house = House::with(Registration::Closed, vec![issuer(BTreeMap::new())]);
    let key = key("k", Algorithm::Es256);
    publish(&house, &key);
    // Changes, what is left of the scopes, the person, the patient.
    let cases = [
        (json!({}), "user/*.rs", Some("Practitioner/dr"), None),
        (json!({ "fhirUser": "Practitioner/dr" }), "user/*.rs", Some("Practitioner/dr"), None),
        (json!({ "fhirUser": "https://other.example/Practitioner/dr" }), "", None, None),
        (json!({ "fhirUser": "http://localhost/fhirPractitioner/dr" }), "", None, None),
        (json!({ "fhirUser": null }), "", None, None),
        (
            json!({ "scope": ["patient/*.read", "email"], "patient": "ann" }),
            "patient/*.read",
            Some("Practitioner/dr"),
            Some("ann"),
        ),
        (
            json!({ "scope": "patient/*.read", "patient": "Patient/ann" }),
            "patient/*.read",
            Some("Practitioner/dr"),
            Some("ann"),
        ),
        (json!({ "scope": "patient/*.read", "patient": "Group/ann" }), "", Some("Practitioner/dr"), None),
        (json!({ "scope": "patient/*.read" }), "", Some("Practitioner/dr"), None),
        (json!({ "scope": "system/*.rs" }), "", Some("Practitioner/dr"), None),
        (json!({ "scope": "system/*.rs", "fhirUser": null }), "system/Observation.r", None, None),
        (json!({ "scope": null }), "", Some("Practitioner/dr"), None),
    ];
    for (changes, scopes, user, patient) in cases {
        let verified = house.desk().verify(&token(&key, changes.clone()));
        let verified = verified.unwrap_or_else(|error| panic!("{changes}: {error}"));
        assert_eq!(verified.scopes.to_string(), scopes, "{changes}");
        assert_eq!(verified.grant.fhir_user.as_deref(), user, "{changes}");
        assert_eq!(verified.grant.patient.as_deref(), patient, "{changes}");
        assert_eq!((verified.client.custodian, verified.client.name.as_str()), (false, "viewer"));
        assert_eq!(verified.grant.purposes, ["TREAT"]);
    }
    let asked = json!({ "purpose_of_use": "HRESCH" });
    assert!(!house.counts(&token(&key, asked)), "its issuer may not say that");
    assert_eq!(house.web.asked(), 2, "its keys are kept");
}

#[test]
fn refuses_other_tokens() {
    let house = House::with(Registration::Closed, vec![issuer(BTreeMap::new())]);
    let (own, other) = (key("k", Algorithm::Es256), key("k", Algorithm::Es256));
    publish(&house, &own);
    let cases = [
        token(&own, json!({ "iss": "https://evil.example" })),
        token(&own, json!({ "iss": "https://id.example/" })),
        token(&own, json!({ "aud": "other" })),
        token(&own, json!({ "aud": null })),
        token(&own, json!({ "exp": NOON_S })),
        token(&own, json!({ "exp": null })),
        token(&own, json!({ "nbf": NOON_S + 60 })),
        token(&own, json!({ "sub": null })),
        token(&own, json!({ "client_id": null })),
        token(&own, json!({ "scope": "patient/*.sr" })),
        token(&other, json!({})),
        token(&rsa_key("k", Algorithm::Rs256), json!({})),
    ];
    for (number, token) in cases.iter().enumerate() {
        assert!(!house.counts(token), "{number}");
    }
    assert!(house.counts(&token(&own, json!({}))));
    // Its token does not count for this server's own, whoever signs.
    assert!(!house.counts(&token(&own, json!({ "iss": ISSUER, "aud": BASE_URL }))));
}

#[test]
fn tokens_expire_and_keys_are_renewed() {
    let house = House::with(Registration::Closed, vec![issuer(BTreeMap::new())]);
    let (old, new) = (key("1", Algorithm::Es256), key("2", Algorithm::Es256));
    publish(&house, &old);
    let (short, long) = (token(&old, json!({})), token(&old, json!({ "exp": NOON_S + 24 * 3600 })));
    assert!(house.counts(&short) && house.counts(&long));
    house.clock.pass(600_000);
    assert!(!house.counts(&short) && house.counts(&long));
    publish(&house, &new);
    assert!(house.counts(&token(&new, json!({ "exp": NOON_S + 6000 }))));
    house.clock.pass(HOUR);
    assert!(!house.counts(&long), "its key was taken back");
}

#[test]
fn needs_a_configuration_that_names_the_issuer() {
    let house = House::with(Registration::Closed, vec![issuer(BTreeMap::new())]);
    let key = key("k", Algorithm::Es256);
    publish(&house, &key);
    let configuration = json!({ "issuer": "https://evil.example", "jwks_uri": "https://id.example/keys" });
    house.web.publish("https://id.example/.well-known/openid-configuration", configuration.to_string());
    assert!(!house.counts(&token(&key, json!({}))));
}

#[test]
fn clients_of_an_issuer_may_be_clients_here() {
    // The first client that is registered always has this id, for the randomness repeats.
    let id = House::new().register(app()).client.id;
    let house = House::with(Registration::Closed, vec![issuer(BTreeMap::from([("viewer".to_owned(), id.clone())]))]);
    let key = key("k", Algorithm::Es256);
    publish(&house, &key);
    assert!(!house.counts(&token(&key, json!({}))), "it is not registered");
    let client = house.register(NewClient { organization: Some("Organization/o1".to_owned()), ..app() }).client;
    assert_eq!(client.id, id);
    let verified = house.desk().verify(&token(&key, json!({}))).expect("it counts");
    assert_eq!(verified.client, client);
    assert_eq!(house.desk().clients().disable(&id), Ok(true));
    assert!(!house.counts(&token(&key, json!({}))));
}

/// What a token is for, its issuer says within what it may say here.
#[test]
fn purposes_stay_within_what_the_issuer_may_say() {
    let key = key("k", Algorithm::Es256);
    let house = |purposes: &[&str]| {
        let purposes = purposes.iter().map(|purpose| (*purpose).to_owned()).collect();
        let house = House::with(Registration::Closed, vec![Issuer { purposes, ..issuer(BTreeMap::new()) }]);
        publish(&house, &key);
        house
    };
    let (bound, free) = (house(&["TREAT", "HPAYMT"]), house(&[]));
    // What the token says, and what counts of it: `None` when the token does not count.
    for (said, of_bound, of_free) in [
        (json!(null), Some("TREAT HPAYMT"), Some("")),
        (json!("TREAT"), Some("TREAT"), Some("TREAT")),
        (json!("HRESCH TREAT"), Some("TREAT"), Some("HRESCH TREAT")),
        (json!(["TREAT", "BTG"]), Some("TREAT"), Some("BTG TREAT")),
        (json!("ETREAT"), None, Some("ETREAT")),
    ] {
        for (house, expected) in [(&bound, of_bound), (&free, of_free)] {
            let verified = house.desk().verify(&token(&key, json!({ "purpose_of_use": said })));
            let purposes = verified.ok().map(|verified| verified.grant.purposes.join(" "));
            assert_eq!(purposes.as_deref(), expected, "{said}");
        }
    }
}
