use std::time::Duration;

use flint_tests::{Guarded, Reply};
use serde_json::{Value, json};

use super::callers::{holder, keeper};

const FORM: &str = "application/x-www-form-urlencoded";

/// Who is refused for want of a scope is told so where clients look, and who is refused otherwise is not.
#[test]
fn a_refusal_says_when_another_token_would_do() {
    let guarded = Guarded::surgery();
    let (patient, staff) = (guarded.hold(&holder("wrong scope")), guarded.hold(&holder("staff without write scope")));
    let insufficient = r#"Bearer error="insufficient_scope""#;
    let condition = json!({ "resourceType": "Condition", "subject": { "reference": "Patient/p1" } });
    for refused in [
        patient.get("/Condition/copd1"),
        patient.get("/Condition?patient=p1"),
        staff.send("POST /Condition", condition),
        staff.call("DELETE /Condition/copd1").send(),
    ] {
        let refused = refused.expect(403);
        assert_eq!(refused.header("www-authenticate"), insufficient, "{}", refused.text);
        assert!(refused.text.contains("insufficient_scope"), "{}", refused.text);
    }
    let deleted = guarded.hold(&holder("staff")).call("DELETE /Consent/share-app").send().expect(403);
    assert_eq!(deleted.header("www-authenticate"), "", "no scope lets anybody do that");
    guarded.hold(&keeper()).get("/Condition/copd1").expect(200);
}

/// A token is shown once, in the header.
#[test]
fn a_token_is_shown_in_one_way() {
    let guarded = Guarded::surgery();
    let patient = guarded.hold(&holder("patient"));
    let bearer = format!("Bearer {}", patient.token);
    let query = format!("access_token={}", patient.token);
    let twice = guarded.call("GET /fhir/Patient/p1").header("Authorization", &bearer).header("Authorization", &bearer);
    for refused in [
        twice.send(),
        guarded.call(&format!("GET /fhir/Patient/p1?{query}")).send(),
        patient.get(&format!("/Patient/p1?{query}")),
        patient.get(&format!("/Condition?patient=p1&{query}")),
        patient.call("POST /Condition/_search").body(FORM, format!("patient=p1&{query}")).send(),
    ] {
        let refused = refused.expect(400);
        assert_eq!(refused.header("www-authenticate"), r#"Bearer error="invalid_request""#, "{}", refused.text);
        assert!(!refused.text.contains(&patient.token));
    }
    patient.get("/Patient/p1").expect(200);
    for path in ["/auth/token", "/auth/launch", "/auth/introspect"] {
        let call = guarded.call(&format!("POST {path}")).body(FORM, "token=x");
        let twice = call.header("Authorization", &bearer).header("Authorization", "Basic eDp5").send();
        assert_invalid(&twice);
    }
}

/// What cannot be read is answered as OAuth has it, and is on record.
#[test]
fn what_cannot_be_read_is_an_error_of_oauth() {
    let guarded = Guarded::surgery();
    let long = format!("token={}", "x".repeat(64 << 10));
    for path in ["/auth/token", "/auth/introspect", "/auth/revoke", "/auth/register", "/auth/launch"] {
        for body in [long.clone().into_bytes(), b"token=%ff".to_vec(), b"token=\xff".to_vec()] {
            assert_invalid(&guarded.call(&format!("POST {path}")).body(FORM, body).send());
        }
        assert_invalid(&guarded.call(&format!("POST {path}?x=%ff")).body(FORM, "token=x").send());
    }
    let keeper = guarded.hold(&keeper());
    let told = keeper.get("/AuditEvent?outcome=4&_count=100").expect(200).text;
    assert_eq!(told.matches("invalid_request").count(), 20, "{told}");
}

fn assert_invalid(reply: &Reply) {
    assert_eq!(reply.status, 400, "{}", reply.text);
    assert_eq!(reply.json()["error"], "invalid_request");
    assert_eq!((reply.header("cache-control"), reply.header("content-type")), ("no-store", "application/json"));
}

/// Whoever asks what there is, without taking it, is told.
#[test]
fn head_is_answered_wherever_get_is() {
    let guarded = Guarded::surgery();
    for path in [
        "/auth/jwks",
        "/auth/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server/auth",
        "/fhir/.well-known/smart-configuration",
        "/auth/sign-in",
        "/auth/style.css",
        "/health",
    ] {
        let [get, head] = ["GET", "HEAD"].map(|method| guarded.call(&format!("{method} {path}")).send().expect(200));
        assert_eq!(head.text, "", "{path}");
        for name in ["content-type", "content-length", "cache-control"] {
            assert_eq!(head.header(name), get.header(name), "{path} {name}");
        }
    }
}

/// However much junk comes, the audit keeps what names somebody, and says how much it did not keep.
#[test]
fn junk_hides_no_refusal_from_the_audit() {
    let guarded = Guarded::surgery();
    let keeper = guarded.hold(&keeper());
    let app = guarded.hold(&holder("app"));
    guarded.flint().tick(Duration::from_millis(1));
    for _ in 0..100 {
        guarded.call("GET /fhir/Patient/p1").header("Authorization", "Bearer junk").send().expect(401);
    }
    let form = format!("grant_type=refresh_token&client_id={}&refresh_token=x", app.client);
    guarded.call("POST /auth/token").body(FORM, form).send().expect(400);
    let events = || -> Vec<Value> {
        let found = keeper.get("/AuditEvent?outcome=4&_count=500").expect(200).json();
        found["entry"].as_array().cloned().unwrap_or_default()
    };
    let with = |text: &str| events().iter().filter(|event| event.to_string().contains(text)).count();
    assert_eq!(with("the access token does not count"), 60);
    assert_eq!(with("invalid_grant"), 1, "{:?}", events().last());
    guarded.advance(Duration::from_secs(61));
    guarded.call("GET /fhir/Patient/p1").header("Authorization", "Bearer junk").send().expect(401);
    let keeper = guarded.hold(&super::callers::keeper());
    let found = keeper.get("/AuditEvent?outcome=4&_count=500").expect(200).text;
    assert_eq!(found.matches("40 more requests were refused within a minute").count(), 1);
}
