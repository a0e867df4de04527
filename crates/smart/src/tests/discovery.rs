use super::harness::*;
use crate::{CAPABILITIES, Registration};

#[test]
fn says_what_it_can() {
    let house = House::new();
    let smart = house.get("/fhir/.well-known/smart-configuration");
    assert_eq!((smart.status, smart.header("Content-Type")), (200, Some("application/json")));
    let endpoints = [
        ("issuer", ISSUER),
        ("jwks_uri", "http://localhost/auth/jwks"),
        ("authorization_endpoint", "http://localhost/auth/authorize"),
        ("token_endpoint", TOKEN_URL),
        ("introspection_endpoint", "http://localhost/auth/introspect"),
        ("revocation_endpoint", "http://localhost/auth/revoke"),
        ("management_endpoint", "http://localhost/auth/manage"),
    ];
    for (name, url) in endpoints {
        assert_eq!(smart.text(name), url);
    }
    assert_eq!(smart.json["code_challenge_methods_supported"], serde_json::json!(["S256"]));
    assert_eq!(smart.json["grant_types_supported"].as_array().expect("a list").len(), 3);
    // What IPA 1.1 demands of a server.
    let demanded = [
        "launch-standalone",
        "context-standalone-patient",
        "permission-patient",
        "permission-offline",
        "sso-openid-connect",
        "client-public",
        "client-confidential-asymmetric",
    ];
    assert!(demanded.iter().all(|capability| CAPABILITIES.contains(capability)));
    assert_eq!(smart.json["capabilities"], serde_json::json!(CAPABILITIES));
    assert!(smart.json.get("registration_endpoint").is_none());
    let open = House::with(Registration::Open, Vec::new());
    let smart = open.get("/fhir/.well-known/smart-configuration");
    assert_eq!(smart.text("registration_endpoint"), "http://localhost/auth/register");

    let openid = house.get("/auth/.well-known/openid-configuration");
    assert_eq!(openid.text("issuer"), ISSUER);
    assert_eq!(openid.json["id_token_signing_alg_values_supported"], serde_json::json!(["RS256"]));
    assert_eq!(house.get("/.well-known/oauth-authorization-server/auth").json, openid.json);
}

#[test]
fn answers_what_it_serves_only() {
    let house = House::new();
    let posts = ["/auth/token", "/auth/introspect", "/auth/revoke", "/auth/register"];
    let gets = ["/auth/jwks", "/auth/.well-known/openid-configuration", "/fhir/.well-known/smart-configuration"];
    for (paths, own, other) in [(&posts[..], "POST", "GET"), (&gets[..], "GET", "POST")] {
        let allowed = if own == "GET" { "GET, HEAD" } else { own };
        for path in paths {
            assert_ne!(house.handle(&request(own, path)).status, 404, "{path}");
            let head = house.handle(&request("HEAD", path));
            assert_eq!(head.status == 200, own == "GET", "{path}");
            for method in [other, "DELETE"] {
                let answer = house.handle(&request(method, path));
                assert_eq!((answer.status, answer.header("Allow")), (405, Some(allowed)), "{method} {path}");
            }
        }
    }
    for path in ["/", "/auth", "/auth/tokens", "/auth/token/", "/.well-known/smart-configuration", "/fhir/auth/token"] {
        assert_eq!(house.get(path).status, 404, "{path}");
    }
}
