use std::mem;
use std::sync::Arc;

use repository::audit::{Account, Act, Ending};
use repository::{Access, Requester};
use serde_json::json;

use super::harness::*;
use crate::ErrorCode::{self, *};
use crate::TokenAct::{self, *};
use crate::exchange::Request;
use crate::jose::Algorithm;
use crate::{Audited, AuthorizationServer, AuthorizationSetup, Registration};

/// What, client, account, patient, why it was refused.
type Row = (TokenAct, Option<String>, Option<String>, Option<String>, Option<ErrorCode>);

/// What the audit was told since the last time.
fn told(house: &House) -> Vec<Row> {
    let events = mem::take(&mut *house.told.0.lock().unwrap());
    events.into_iter().map(|event| (event.what, event.client, event.account, event.patient, event.refused)).collect()
}

#[test]
fn every_request_is_told_of_once() {
    let house = House::new();
    let app = house.app();
    let key = key("k", Algorithm::Es384);
    let system = house.system(&key);
    let (id, own) = (Some(app.id.clone()), |text: &str| Some(text.to_owned()));
    let code = house.code(&house.grant(&app, "offline_access patient/*.rs"));

    let granted = house.post("/auth/token", &redeem(&app.id, &code));
    assert_eq!(told(&house), [(Redeem, id.clone(), own("ann"), own("ann"), None)]);
    let refresh = granted.text("refresh_token");
    let form = [("grant_type", "refresh_token"), ("client_id", app.id.as_str()), ("refresh_token", refresh)];
    house.post("/auth/token", &form);
    assert_eq!(told(&house), [(Refresh, id.clone(), own("ann"), own("ann"), None)]);
    house.post("/auth/token", &form);
    assert_eq!(told(&house), [(EndReplayed, id.clone(), own("ann"), own("ann"), Some(InvalidGrant))]);
    house.post("/auth/token", &form);
    assert_eq!(told(&house), [(Refresh, id.clone(), None, None, Some(InvalidGrant))]);

    house.system_token(&assertion(&key, &system.id, "1", json!({})), "system/*.rs");
    assert_eq!(told(&house), [(ClientCredentials, Some(system.id), None, None, None)]);
    house.post("/auth/token", &[("grant_type", "password"), ("password", "x")]);
    assert_eq!(told(&house), [(OtherGrant, None, None, None, Some(UnsupportedGrantType))]);
    house.post("/auth/introspect", &[("client_id", "nobody"), ("token", "x")]);
    assert_eq!(told(&house), [(Introspect, own("nobody"), None, None, Some(InvalidClient))]);
    house.post("/auth/introspect", &[("client_id", &"x".repeat(201)), ("token", "x")]);
    assert_eq!(told(&house), [(Introspect, None, None, None, Some(InvalidClient))]);
    let granted = house.granted(&app, "patient/*.rs");
    house.post("/auth/revoke", &[("client_id", &app.id), ("token", granted.text("access_token"))]);
    assert_eq!(told(&house)[1..], [(Revoke, id, own("ann"), own("ann"), None)]);
    house.post("/auth/revoke", &[("client_id", &app.id), ("token", granted.text("access_token"))]);
    house.post("/auth/revoke", &[("client_id", &app.id), ("token", "x")]);
    let nothing = (RevokeNothing, own(&app.id), None, None, None);
    assert_eq!(told(&house), [nothing.clone(), nothing]);
    house.post("/auth/revoke", &[("client_id", "nobody"), ("token", "x")]);
    assert_eq!(told(&house), [(Revoke, own("nobody"), None, None, Some(InvalidClient))]);
    house.handle(&request("POST", "/auth/launch"));
    assert_eq!(told(&house), [(Launch, None, None, None, Some(InvalidToken))]);
    house.post("/auth/register", &[]);
    assert_eq!(told(&house), [(Register, None, None, None, Some(AccessDenied))]);
    // What only reads is not told of.
    house.get("/auth/jwks");
    assert_eq!(told(&house), []);
}

/// The audit forgets nothing: whoever knocks without end must not fill it, and nothing that was refused stands in it as done.
#[test]
fn strangers_fill_no_audit() {
    const KNOCKS: u64 = 100;
    let house = House::new();
    let app = house.app();
    let server = AuthorizationServer::new(AuthorizationSetup {
        base_url: BASE_URL.to_owned(),
        registration: Registration::Closed,
        issuers: Vec::new(),
        random: crate::system_random(),
        fetch: house.web.clone(),
        events: Arc::new(Audited),
    });
    // Nobody waits for strangers, but whoever comes after them waits for all before.
    let marked = Account {
        act: Act::Authenticate,
        ending: Ending::Refused,
        requester: &Requester::default(),
        peer: None,
        request: "",
        operation: "",
        note: "a mark",
        query: "",
        subjects: &[],
    };
    let kept = |query: &str| {
        house.repository.ledger().append(&[marked]).wait().expect("kept");
        house.repository.ledger().settle(None).expect("settled");
        house.repository.open(Access::full()).count("AuditEvent", query).expect("counted")
    };
    // Path, fields, header, how many of so many knocks are kept at most.
    let cases = [
        ("/auth/launch", &[][..], None, 60),
        ("/auth/launch", &[], Some("Bearer x"), 60),
        ("/auth/revoke", &[("client_id", "nobody"), ("token", "x")], None, 60),
        ("/auth/revoke", &[("client_id", &app.id), ("token", "x")], None, 0),
        ("/auth/token", &[("grant_type", "authorization_code"), ("client_id", "nobody")], None, 60),
        ("/auth/introspect", &[("client_id", "nobody"), ("token", "x")], None, 60),
    ];
    for (path, fields, authorization, most) in cases {
        house.clock.pass(60_000);
        let before = kept("");
        for _ in 0..KNOCKS {
            let form = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            server.handle(&house.repository, &Request { form, authorization, ..request("POST", path) });
        }
        assert_eq!(kept("") - before - 1, most, "{path} {fields:?}");
    }
    assert_eq!(kept("outcome=0"), 0);
}
