//! Requests of apps: what is refused, and how.

use super::*;
use crate::Launch;

/// What the app is told, for a person who is signed in.
fn refusal(browser: &mut Browser<'_>, changes: &[(&str, &str)]) -> String {
    let reply = browser.get(&request(changes));
    let told = reply.app_gets("error");
    assert_eq!(reply.status, 303);
    assert_eq!(reply.app_gets("iss"), "https://ehr.example/auth");
    let description = reply.app_gets("error_description");
    assert!(!description.is_empty() && !description.contains(['"', '\\', '<']), "{description}");
    told
}

/// Nobody is sent to an address that is not exactly the client's.
#[test]
fn sends_nobody_to_a_wrong_address() {
    let house = House::new();
    house.add_client(Client { disabled: true, ..client("off") });
    let long = "x".repeat(13_000);
    let twice = format!("{}&redirect_uri=https://evil.example/", request(&[]));
    let cases: [(String, u16); 12] = [
        (request(&[("client_id", "unknown")]), 400),
        (request(&[("client_id", "")]), 400),
        (request(&[("client_id", "off")]), 400),
        (request(&[("client_id", "../app")]), 400),
        (request(&[("redirect_uri", "")]), 400),
        (request(&[("redirect_uri", "https://app.example/callbacc")]), 400),
        (request(&[("redirect_uri", "https://app.example/callback/")]), 400),
        (request(&[("redirect_uri", "https://app.example/callback?x")]), 400),
        (request(&[("redirect_uri", "http://app.example/callback")]), 400),
        (request(&[("redirect_uri", "https://app.example/Callback")]), 400),
        (request(&[("state", &long)]), 400),
        (twice, 400),
    ];
    for (address, status) in cases {
        for mut browser in [house.browser(), house.signed_in("joan")] {
            let reply = browser.get(&address);
            assert_eq!((reply.status, reply.header("Location")), (status, None), "{address}");
            assert!(reply.text().contains("We cannot send you to this app"), "{}", reply.text());
        }
    }
}

#[test]
fn refuses_as_oauth_says() {
    let house = House::new();
    house.add_client(Client { grant_types: vec!["client_credentials".to_owned()], ..client("system") });
    let mut joan = house.signed_in("joan");
    let long = "n".repeat(2_049);
    let wide = "patient/Observation.rs ".repeat(400);
    let cases: [(&[(&str, &str)], &str); 28] = [
        (&[("response_type", "")], "invalid_request"),
        (&[("response_type", "token")], "unsupported_response_type"),
        (&[("response_type", "code id_token")], "unsupported_response_type"),
        (&[("response_mode", "fragment")], "invalid_request"),
        (&[("request", "x")], "request_not_supported"),
        (&[("request_uri", "https://x")], "request_uri_not_supported"),
        (&[("client_id", "system")], "unauthorized_client"),
        (&[("state", "")], "invalid_request"),
        (&[("nonce", &long)], "invalid_request"),
        (&[("aud", "")], "invalid_request"),
        (&[("aud", "https://ehr.example/fhir2")], "invalid_request"),
        (&[("aud", "https://other.example/fhir")], "invalid_request"),
        (&[("code_challenge", "")], "invalid_request"),
        (&[("code_challenge", "short")], "invalid_request"),
        (&[("code_challenge_method", "")], "invalid_request"),
        (&[("code_challenge_method", "plain")], "invalid_request"),
        (&[("scope", "")], "invalid_scope"),
        (&[("scope", "patient/Observation.sr")], "invalid_scope"),
        (&[("scope", "patient/Observation.rs?category=<script>\"")], "invalid_scope"),
        (&[("scope", "system/*.rs")], "invalid_scope"),
        (&[("scope", "unheard of")], "invalid_scope"),
        (&[("scope", "user/Observation.rs")], "invalid_scope"),
        (&[("scope", &wide)], "invalid_scope"),
        (&[("prompt", "none login")], "invalid_request"),
        (&[("prompt", "sometimes")], "invalid_request"),
        (&[("max_age", "-1")], "invalid_request"),
        (&[("launch", "x")], "invalid_request"),
        (&[("launch", "x"), ("scope", "launch patient/*.rs")], "invalid_request"),
    ];
    for (changes, error) in cases {
        assert_eq!(refusal(&mut joan, changes), error, "{changes:?}");
    }
    let reply = joan.get(&request(&[("aud", "")]));
    assert_eq!(reply.app_gets("state"), "s&t<a>te");
    let twice = format!("{}&scope=openid", request(&[]));
    assert_eq!(joan.get(&twice).app_gets("error"), "invalid_request");
    assert_eq!(house.grants(), []);
}

/// What is refused is on record with the app that asks, or says to, and its error; that somebody has to be asked is no refusal.
#[test]
fn tells_what_is_refused() {
    let house = House::new();
    let refused = |client: &str, error| PersonAct::RequestRefused { client: client.to_owned(), error };
    let told = || house.told_whole().into_iter().map(|event| (event.what, event.account)).collect::<Vec<_>>();
    let long = "x".repeat(13_000);
    let id = "i".repeat(201);
    let strange: [(&[(&str, &str)], _); 7] = [
        (&[("client_id", "unknown")], refused("unknown", "invalid_client")),
        (&[("client_id", &id)], refused("", "invalid_client")),
        (&[("state", &long)], refused("app", "invalid_request")),
        (&[("redirect_uri", "https://app.example/callbacc")], refused("app", "invalid_redirect_uri")),
        (&[("scope", "system/*.rs")], refused("app", "invalid_scope")),
        (&[("code_challenge_method", "plain")], refused("app", "invalid_request")),
        (&[("response_type", "token")], refused("app", "unsupported_response_type")),
    ];
    for (changes, expected) in strange {
        house.browser().get(&request(changes));
        assert_eq!(told(), [(expected, None)], "{changes:?}");
    }
    let mut joan = house.signed_in("joan");
    told();
    let known: [(&[(&str, &str)], _); 2] = [
        (&[("launch", "x"), ("scope", "launch patient/*.rs")], "invalid_request"),
        (&[("scope", "user/Observation.rs")], "invalid_scope"),
    ];
    for (changes, error) in known {
        joan.get(&request(changes));
        assert_eq!(told(), [(refused("app", error), Some("joan".to_owned()))], "{changes:?}");
    }
    joan.get(&request(&[("prompt", "none")]));
    house.browser().get(&request(&[("prompt", "none")]));
    assert_eq!(told(), []);
}

#[test]
fn asks_nobody_when_nobody_shall_be_asked() {
    let house = House::new();
    let quietly = |scope| [("prompt", "none"), ("scope", scope)];
    let cases = [
        (None, "patient/*.rs", "login_required"),
        (Some("joan"), "patient/*.rs", "consent_required"),
        (Some("peter"), "patient/*.rs", "interaction_required"),
        (Some("ada"), "patient/*.rs", "interaction_required"),
        (Some("ada"), "user/*.rs", "consent_required"),
    ];
    for (name, scope, error) in cases {
        let mut browser = name.map_or_else(|| house.browser(), |name| house.signed_in(name));
        assert_eq!(refusal(&mut browser, &quietly(scope)), error, "{name:?}");
    }
}

#[test]
fn takes_a_request_by_post_too() {
    let house = House::new();
    let mut joan = house.signed_in("joan");
    let form = parse_query_string(request(&[]).split_once('?').expect("a query").1).expect("a form");
    // The app's own page sends it: no token, another origin.
    let page = joan.post("/auth/authorize", form, Some("https://app.example"));
    assert_eq!(page.status, 200);
    assert!(page.text().contains("your record, Joan Hartley"), "{}", page.text());
}

#[test]
fn asks_again_for_the_password_when_the_app_wants_it() {
    for (changes, wait, asks) in [
        ([("prompt", "login")], 0, true),
        ([("prompt", "select_account")], 0, true),
        ([("max_age", "60")], 61_000, true),
        ([("max_age", "60")], 60_000, false),
        ([("max_age", "0")], 1, true),
    ] {
        let house = House::new();
        let mut joan = house.signed_in("joan");
        house.time.advance(wait);
        let page = joan.get(&request(&changes));
        assert_eq!(page.text().contains("<h1>Sign in</h1>"), asks, "{changes:?}");
        if !asks {
            continue;
        }
        let reply = joan.submit(&page, "/auth/sign-in", &[("username", "joan"), ("password", PASSWORD)]);
        let next = reply.header("Location").expect("a redirect").to_owned();
        let page = joan.get(&next);
        assert!(page.text().contains("May The app"), "{}", page.text());
        house.time.advance(5_000);
        assert!(!joan.submit(&page, "/auth/authorize/consent", &[("decision", "allow")]).app_gets("code").is_empty());
        house.time.advance(61_000);
        assert!(joan.get(&next).text().contains("<h1>Sign in</h1>"), "{changes:?}: only once");
    }
}

#[test]
fn says_who_sent_somebody_to_sign_in() {
    let house = House::new();
    let page = house.browser().get(&request(&[("login_hint", "jo\"><b>")]));
    let text = page.text();
    assert!(text.contains("You were sent here by <strong>The app &#60;b&#62;app&#60;/b&#62;</strong>"), "{text}");
    assert!(text.contains("value=\"jo&#34;&#62;&#60;b&#62;\""), "{text}");
    assert!(
        page.header("Content-Security-Policy").expect("a policy").contains("form-action 'self' https://app.example;")
    );
}

fn launch(house: &House, launch: Launch) -> String {
    let launch = Launch { client: "app".to_owned(), ..launch };
    launch.keep(house.repository.vault(), &house.random, house.time.now()).expect("kept")
}

#[test]
fn opens_an_app_from_the_ehr() {
    let house = House::new();
    for (id, patient) in [("e1", "p1"), ("e2", "p2")] {
        let class = r#"{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"AMB"}"#;
        house.hold(&format!(
            r#"{{"resourceType":"Encounter","id":"{id}","status":"finished","class":{class},"subject":{{"reference":"Patient/{patient}"}}}}"#
        ));
    }
    let context = Launch {
        patient: Some("p1".to_owned()),
        encounter: Some("e1".to_owned()),
        intent: Some("order-review".to_owned()),
        need_patient_banner: Some(false),
        fhir_user: Some("Practitioner/dr1".to_owned()),
        ..Launch::default()
    };
    let scope = ("scope", "launch patient/*.rs");
    let mut ada = house.signed_in("ada");
    let key = launch(&house, context.clone());
    let address = request(&[scope, ("launch", &key)]);
    let page = ada.get(&address);
    assert!(page.text().contains("the record of Joan Hartley"), "{}", page.text());
    assert!(!page.text().contains("For how long"));
    let reply = ada.submit(&page, "/auth/authorize/consent", &[("decision", "allow")]);
    assert!(!reply.app_gets("code").is_empty());
    let grant = house.grants().remove(0);
    assert_eq!((grant.patient.as_deref(), grant.encounter.as_deref()), (Some("p1"), Some("e1")));
    assert_eq!(grant.context.as_deref(), Some(r#"{"intent":"order-review","need_patient_banner":false}"#));
    assert_eq!((grant.fhir_user.as_deref(), grant.purposes), (Some("Practitioner/dr1"), vec!["TREAT".to_owned()]));
    assert_eq!((grant.scope.as_str(), grant.consents), ("launch patient/*.rs", Vec::new()));
    assert_eq!(ada.get(&address).app_gets("error"), "invalid_request", "used");

    let refused = |name: &str, context: Launch, wait: i64| {
        let key = launch(&house, context);
        house.time.advance(wait);
        house.signed_in(name).get(&request(&[scope, ("launch", &key)])).app_gets("error")
    };
    assert_eq!(refused("ada", context.clone(), 5 * 60_000), "invalid_request", "too old");
    assert_eq!(refused("role", context.clone(), 0), "access_denied", "somebody else");
    assert_eq!(refused("ada", Launch { patient: Some("none".to_owned()), ..context.clone() }, 0), "access_denied");
    for encounter in ["e2", "none"] {
        let context = Launch { encounter: Some(encounter.to_owned()), ..context.clone() };
        assert_eq!(refused("ada", context, 0), "access_denied", "{encounter}");
    }
    assert_eq!(refused("ada", Launch { patient: None, ..context.clone() }, 0), "access_denied", "of nobody");
    assert_eq!(refused("omar", Launch { fhir_user: None, ..context.clone() }, 0), "access_denied", "not his record");
    house.add_client(client("other"));
    let key = launch(&house, context);
    let other = request(&[scope, ("launch", &key), ("client_id", "other")]);
    assert_eq!(house.signed_in("ada").get(&other).app_gets("error"), "invalid_request", "another app");
}

/// Without an encounter nothing says that there is one.
#[test]
fn grants_no_encounter_that_is_not_there() {
    let house = House::new();
    let mut joan = house.signed_in("joan");
    let page = joan.get(&request(&[("scope", "launch/patient launch/encounter patient/Observation.rs")]));
    let reply = joan.submit(&page, "/auth/authorize/consent", &[("decision", "allow")]);
    assert!(!reply.app_gets("code").is_empty());
    let grant = house.grants().remove(0);
    assert_eq!((grant.scope.as_str(), grant.encounter), ("launch/patient patient/Observation.rs", None));
}
