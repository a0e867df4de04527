//! The record keeper's own system, whom consents do not narrow.

use fhir::json::Document;
use repository::{Access, Change, Edit, Key, Target};

use super::harness::*;
use crate::jose::Algorithm;
use crate::{Client, ClientError, Grant, NewAuth, NewClient};

fn hold(house: &House, resource: &str) {
    let document = Document::parse(resource.as_bytes()).expect("JSON");
    let id = document.root().get("id").and_then(|id| id.as_str()).expect("an id").into_owned();
    let key = Key::new(document.root().resource_type().expect("a type"), &id).expect("a key");
    let target = Target::Key(key);
    let change = Change::Update { target, document, if_match: None, if_none_match: false, full_url: None };
    house.repository.open(Access::full()).transact(vec![change]).expect("accepted");
}

#[test]
fn it_asks_for_itself_alone() {
    let house = House::new();
    let key = key("k", Algorithm::Es384);
    let redirect_uris = vec![REDIRECT_URI.to_owned()];
    let grant_types = |types: &[&str]| types.iter().map(|name| (*name).to_owned()).collect();
    let keeper = || NewClient { custodian: true, ..system(&key) };
    let cases = [
        (keeper(), true),
        (NewClient { custodian: true, ..app() }, false),
        (NewClient { custodian: true, auth: NewAuth::Secret, ..app() }, false),
        (NewClient { redirect_uris: redirect_uris.clone(), ..keeper() }, false),
        (NewClient { redirect_uris, grant_types: grant_types(&["client_credentials"]), ..keeper() }, false),
        (NewClient { grant_types: grant_types(&["client_credentials", "refresh_token"]), ..keeper() }, false),
    ];
    for (new, accepted) in cases {
        let registered = house.desk().clients().register(new.clone(), NOON);
        let is_refused = matches!(&registered, Err(ClientError::Invalid(_)));
        assert_eq!((registered.is_ok(), is_refused), (accepted, !accepted), "{new:?}");
    }
}

/// A store may hold a client from a time when people could use a keeper's system: their consents hold for it all the same.
#[test]
fn the_end_of_a_proxys_consent_ends_what_it_shows_people() {
    let house = House::new();
    let app = house.app();
    let keeper = Client { custodian: true, ..app };
    let value = serde_json::to_vec(&keeper).expect("plain data");
    house.repository.vault().edit(vec![Edit::set(format!("client/{}", keeper.id), value)]).expect("kept");
    hold(&house, r#"{"resourceType":"Patient","id":"ann"}"#);
    hold(&house, r#"{"resourceType":"RelatedPerson","id":"rp1","patient":{"reference":"Patient/ann"}}"#);
    let consent = r#"{"resourceType":"Consent","id":"c1","status":"active",
        "scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},
        "category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"INFA"}]}],
        "patient":{"reference":"Patient/ann"},"policy":[{"uri":"http://example.org/policy"}],
        "provision":{"type":"permit","actor":[{"role":{"text":"husband"},"reference":{"reference":"RelatedPerson/rp1"}}]}}"#;
    hold(&house, consent);
    let grants = house.desk().grants();
    let grant = house.grant(&keeper, "patient/*.rs");
    let grant = Grant { id: grants.new_id(), fhir_user: Some("RelatedPerson/rp1".to_owned()), ..grant };
    grants.add(&grant).expect("kept");
    let token = house.post("/auth/token", &redeem(&keeper.id, &house.code(&grant)));
    let verified = house.desk().verify(token.text("access_token")).expect("it counts");
    let access = house.server.rights(&house.repository, &verified);
    let patient = Key::new("Patient", "ann").expect("a key");
    for (status, is_shown) in [("active", true), ("inactive", false), ("active", true)] {
        hold(&house, &consent.replace(r#""active""#, &format!(r#""{status}""#)));
        assert_eq!(house.repository.open(access.clone()).read(&patient).is_ok(), is_shown, "{status}");
    }
}
