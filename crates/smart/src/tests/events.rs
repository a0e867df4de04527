use std::mem;

use serde_json::json;

use super::harness::*;
use crate::ErrorCode::{self, *};
use crate::TokenAct::{self, *};
use crate::jose::Algorithm;

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
    house.post("/auth/register", &[]);
    assert_eq!(told(&house), [(Register, None, None, None, Some(AccessDenied))]);
    // What only reads is not told of.
    house.get("/auth/jwks");
    assert_eq!(told(&house), []);
}
