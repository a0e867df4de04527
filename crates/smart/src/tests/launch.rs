//! Staff systems open apps.

use serde_json::{Value, json};

use super::harness::*;
use crate::jose::Algorithm;
use crate::{Client, Grant, Launch, NewClient, TokenAct};

/// The header with a token of an app for this person.
fn bearer_of(house: &House, client: &Client, user: &str) -> String {
    let grants = house.desk().grants();
    let grant = house.grant(client, "launch user/*.rs");
    let grant = Grant { id: grants.new_id(), fhir_user: Some(user.to_owned()), patient: None, ..grant };
    grants.add(&grant).expect("kept");
    let answer = house.post("/auth/token", &redeem(&client.id, &house.code(&grant)));
    format!("Bearer {}", answer.text("access_token"))
}

fn open(house: &House, authorization: Option<&str>, body: &str) -> Answer {
    let json = Some(body.as_bytes());
    house.handle(&crate::exchange::Request { json, authorization, ..request("POST", "/auth/launch") })
}

#[test]
fn staff_open_apps() {
    let house = House::new();
    let launch_uri = Some("https://app.example/launch".to_owned());
    let client = house.register(NewClient { launch_uri, ..app() }).client;
    let staff = bearer_of(&house, &client, "Practitioner/dr1");
    let body = json!({
        "client_id": client.id, "patient": "p1", "encounter": "e1", "intent": "order-review", "need_patient_banner": true,
    });
    let opened = open(&house, Some(&staff), &body.to_string());
    assert_eq!(opened.status, 200, "{opened:?}");
    let key = opened.text("launch");
    let url = format!("https://app.example/launch?iss=http:%2F%2Flocalhost%2Ffhir&launch={key}");
    assert_eq!(opened.text("url").replace("://localhost/", ":%2F%2Flocalhost%2F"), url);
    let launch =
        Launch::find(house.repository.vault(), key, &client.id, NOON).expect("a look").expect("a launch").value;
    assert_eq!((launch.patient.as_deref(), launch.encounter.as_deref()), (Some("p1"), Some("e1")));
    assert_eq!((launch.intent.as_deref(), launch.need_patient_banner), (Some("order-review"), Some(true)));
    assert_eq!(launch.fhir_user.as_deref(), Some("Practitioner/dr1"));
    let told = house.told.0.lock().unwrap().pop().expect("told");
    assert_eq!((told.what, told.patient.as_deref(), told.refused), (TokenAct::Launch, Some("p1"), None));

    let refused = [
        json!({ "client_id": "unknown" }),
        json!({ "client_id": null }),
        json!({ "patient": "no/id" }),
        json!({ "encounter": "" }),
        json!({ "intent": "x".repeat(201) }),
        json!({ "more": 1 }),
    ];
    for change in refused {
        let body = changed(body.clone(), change.clone()).to_string();
        assert_eq!(open(&house, Some(&staff), &body).outcome(), (400, "invalid_request"), "{change}");
    }
    assert_eq!(open(&house, Some(&staff), "{").outcome(), (400, "invalid_request"));
    house.desk().clients().disable(&client.id).expect("disabled");
    assert_eq!(open(&house, Some(&staff), &body.to_string()).status, 401);
}

#[test]
fn others_open_none() {
    let house = House::new();
    let client = house.app();
    let body = json!({ "client_id": client.id, "patient": "p1" }).to_string();
    for user in ["Patient/p1", "RelatedPerson/rp1"] {
        let authorization = bearer_of(&house, &client, user);
        assert_eq!(open(&house, Some(&authorization), &body).outcome(), (403, "access_denied"), "{user}");
    }
    for wrong in [None, Some("Bearer x"), Some("Basic eDp5")] {
        let refused = open(&house, wrong, &body);
        assert_eq!(refused.status, 401, "{wrong:?}");
        assert!(refused.header("WWW-Authenticate").is_some_and(|header| header.starts_with("Bearer")), "{wrong:?}");
    }
    let key = key("k1", Algorithm::Es384);
    for (custodian, expected) in [(false, (403, "access_denied")), (true, (200, ""))] {
        let system = house.register(NewClient { custodian, ..system(&key) }).client;
        let assertion = assertion(&key, &system.id, &format!("j{custodian}"), Value::Object(Default::default()));
        let token = house.system_token(&assertion, "system/*.cruds");
        let authorization = format!("Bearer {}", token.text("access_token"));
        assert_eq!(open(&house, Some(&authorization), &body).outcome(), expected, "{custodian}");
    }
}
