use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::harness::*;
use crate::jose::{Algorithm, Type};
use crate::people::{Account, People};
use crate::scope::Scopes;
use crate::{AuthorizationServer, AuthorizationSetup, FormerKeys, NewAuth, NewClient, Registration, rotate_keys};

#[test]
fn refuses_tokens_that_are_forged_or_for_something_else() {
    let house = House::new();
    let app = house.app();
    let grant = house.grant(&app, "patient/*.rs openid");
    let granted = house.granted(&app, "patient/*.rs openid");
    let ring = house.server.signing.ring(house.repository.vault(), &house.server.setup.random, NOON).expect("keys");
    let claims = json!({
        "iss": ISSUER, "aud": BASE_URL, "sub": "s-ann", "client_id": app.id, "jti": "j", "iat": NOON_S, "exp": NOON_S + 60,
        "scope": "patient/*.rs", "grant": grant.id,
    });
    let signed =
        |changes: Value| ring.access.sign(Type::AccessToken, &changed(claims.clone(), changes)).expect("a token");
    assert!(house.counts(&signed(json!({}))));

    let by_other = |kid: &str| key(kid, Algorithm::Es256).sign(Type::AccessToken, &claims).expect("a token");
    let good = granted.text("access_token");
    let (head, signature) = good.rsplit_once('.').expect("a signature");
    let (header, _) = head.split_once('.').expect("claims");
    let more = changed(claims.clone(), json!({ "scope": "user/*.cruds" })).to_string();
    let cases = [
        ("other key", by_other("x")),
        ("other key of the same name", by_other(ring.access.kid())),
        ("key for ID tokens", ring.id.sign(Type::AccessToken, &claims).expect("a token")),
        ("no access token", ring.access.sign(Type::Jwt, &claims).expect("a token")),
        ("ID token", granted.text("id_token").to_owned()),
        ("other claims", format!("{header}.{}.{signature}", URL_SAFE_NO_PAD.encode(more))),
        (
            "unsigned",
            format!(
                "{}.{}.",
                URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"at+jwt"}"#),
                head.split_once('.').unwrap().1
            ),
        ),
        ("without signature", head.to_owned()),
        ("expired", signed(json!({ "exp": NOON_S }))),
        ("without end", signed(json!({ "exp": null }))),
        ("not yet valid", signed(json!({ "nbf": NOON_S + 60 }))),
        ("for another server", signed(json!({ "aud": "https://other.example/fhir" }))),
        ("for nobody", signed(json!({ "aud": null }))),
        ("of another issuer", signed(json!({ "iss": "https://other.example" }))),
        ("of no issuer", signed(json!({ "iss": null }))),
        ("of another client", signed(json!({ "client_id": house.app().id }))),
        ("of no client", signed(json!({ "client_id": "nobody" }))),
        ("of no grant", signed(json!({ "grant": "none" }))),
        ("with malformed scopes", signed(json!({ "scope": "patient/*.sr" }))),
        ("nothing", String::new()),
        ("too long", "a.".repeat(20_000)),
    ];
    // What was seen and counted helps none that only looks like it, and no other drives it out.
    assert!(house.counts(good));
    for (what, token) in cases {
        assert!(!house.counts(&token), "{what}");
        assert!(house.counts(good), "after {what}");
    }
}

#[test]
fn grants_no_more_than_the_context_holds() {
    let house = House::new();
    let app = house.app();
    let mut grant = house.grant(&app, "patient/*.rs user/Patient.r system/*.rs");
    // Patient in context, person, what is left of the scopes.
    let cases = [
        (Some("ann"), Some("Patient/ann"), "patient/*.rs user/Patient.r"),
        (None, Some("Practitioner/dr"), "user/Patient.r"),
    ];
    for (patient, user, scopes) in cases {
        grant.id = house.desk().grants().new_id();
        (grant.patient, grant.fhir_user) = (patient.map(str::to_owned), user.map(str::to_owned));
        house.desk().grants().add(&grant).expect("kept");
        let asked = Scopes::parse(&grant.scope).expect("scopes");
        let issued = house.desk().issue(&grant, &asked).expect("a token");
        let verified = house.desk().verify(&issued.token).expect("it counts");
        assert_eq!(verified.scopes.to_string(), scopes);
    }
}

#[test]
fn what_is_revoked_counts_no_longer_though_it_was_seen() {
    let house = House::new();
    // Another process on the same store.
    let other = AuthorizationServer::new(AuthorizationSetup {
        base_url: BASE_URL.to_owned(),
        registration: Registration::Closed,
        issuers: Vec::new(),
        random: house.server.setup.random.clone(),
        fetch: house.web.clone(),
        events: house.told.clone(),
    });
    let counts = |token: &str| {
        let elsewhere = other.desk(&house.repository).verify(token).is_ok();
        assert_eq!(elsewhere, house.counts(token));
        elsewhere
    };
    let app = house.app();
    let grants = house.desk().grants();
    type Revoke<'a> = Box<dyn Fn(&crate::Grant, &str, &str) + 'a>;
    let cases: [(&str, Revoke, bool); 4] = [
        (
            "access token",
            Box::new(|_, access, _| {
                assert_eq!(house.post("/auth/revoke", &[("client_id", &app.id), ("token", access)]).status, 200);
            }),
            true,
        ),
        (
            "refresh token",
            Box::new(|_, _, refresh| {
                assert_eq!(house.post("/auth/revoke", &[("client_id", &app.id), ("token", refresh)]).status, 200);
            }),
            false,
        ),
        (
            "grant",
            Box::new(|grant, _, _| {
                assert_eq!(grants.end(&grant.id), Ok(Some(grant.clone())));
                assert_eq!(grants.end(&grant.id), Ok(None));
            }),
            false,
        ),
        (
            "client",
            Box::new(|_, _, _| {
                assert_eq!(house.desk().clients().disable(&app.id), Ok(true));
            }),
            false,
        ),
    ];
    let bystander = house.app();
    let beside = house.granted(&bystander, "patient/*.rs");
    for (what, revoke, grant_stands) in cases {
        let grant = house.grant(&app, "patient/*.rs offline_access");
        let code = house.code(&grant);
        let granted = house.post("/auth/token", &redeem(&app.id, &code));
        let (access, refresh) = (granted.text("access_token"), granted.text("refresh_token"));
        assert!(counts(access) && counts(access), "{what}");
        revoke(&grant, access, refresh);
        assert!(!counts(access), "{what}");
        let form = [("grant_type", "refresh_token"), ("client_id", app.id.as_str()), ("refresh_token", refresh)];
        assert_eq!(house.post("/auth/token", &form).status == 200, grant_stands, "{what}");
        assert!(counts(beside.text("access_token")), "{what}");
    }
}

#[test]
fn a_token_that_was_seen_is_not_looked_at_again() {
    let house = House::new();
    let app = house.app();
    let granted = house.granted(&app, "patient/*.rs");
    let first = house.desk().verify(granted.text("access_token")).expect("it counts");
    let access = first.access(|_| repository::Access::limited([], repository::Requester::default()));
    let second = house.desk().verify(granted.text("access_token")).expect("it counts");
    assert!(std::sync::Arc::ptr_eq(&first, &second));
    assert!(std::ptr::eq(access, second.access(|_| unreachable!("it was made"))));
    house.clock.pass(HOUR);
    assert!(!house.counts(granted.text("access_token")));
}

#[test]
fn a_grant_that_runs_out_takes_its_tokens_along() {
    let house = House::new();
    let app = house.app();
    let mut grant = house.grant(&app, "patient/*.rs offline_access");
    grant.id = "short".to_owned();
    grant.expires = Some(NOON + 10 * 60_000);
    house.desk().grants().add(&grant).expect("kept");
    let answer = house.post("/auth/token", &redeem(&app.id, &house.code(&grant)));
    assert_eq!(answer.json["expires_in"], 600);
    house.clock.pass(10 * 60_000);
    assert!(!house.counts(answer.text("access_token")));
    let form =
        [("grant_type", "refresh_token"), ("client_id", &app.id), ("refresh_token", answer.text("refresh_token"))];
    assert_eq!(house.post("/auth/token", &form).outcome(), (400, "invalid_grant"));
}

#[test]
fn keys_are_renewed_and_former_ones_count_until_their_tokens_expire() {
    let house = House::new();
    let app = house.app();
    let kids = || {
        let keys = house.get("/auth/jwks").json["keys"].clone();
        let kids = keys.as_array().expect("keys").iter().map(|key| key["kid"].as_str().expect("a name").to_owned());
        kids.collect::<Vec<_>>()
    };
    let before = house.granted(&app, "patient/*.rs");
    let first = kids();
    assert_eq!(first.len(), 2);
    let rotate = |former| {
        let (vault, random) = (house.repository.vault(), crate::system_random());
        rotate_keys(vault, &random, house.desk().now, former).expect("renewed");
    };
    rotate(FormerKeys::Keep);
    let both = kids();
    assert_eq!(both.len(), 4);
    assert_eq!(both[2..], first);
    house.clock.pass(HOUR - 1);
    assert!(house.counts(before.text("access_token")));
    let after = house.granted(&app, "patient/*.rs");
    house.clock.pass(1);
    assert_eq!(kids(), both[..2]);
    assert!(house.counts(after.text("access_token")) && !house.counts(before.text("access_token")));
    // They are renewed when they are old.
    house.clock.pass(90 * 24 * HOUR);
    assert_ne!(kids()[..2], both[..2]);
    assert!(kids().ends_with(&both[..2]));
    let published = house.get("/auth/jwks").json.to_string();
    assert!(!published.contains("\"d\"") && !published.contains("pkcs8"));
    // Somebody may have stolen one.
    let stolen = house.granted(&app, "patient/*.rs");
    assert!(house.counts(stolen.text("access_token")));
    let former = kids();
    rotate(FormerKeys::Drop);
    assert!(!house.counts(stolen.text("access_token")));
    assert!(kids().len() == 2 && kids().iter().all(|kid| !former.contains(kid)));
    assert!(house.counts(house.granted(&app, "patient/*.rs").text("access_token")));
}

/// Tokens of somebody's apps count as long as the account does, also where they were seen before.
#[test]
fn tokens_of_disabled_people_do_not_count() {
    let house = House::new();
    let people = People::new(house.repository.vault());
    let account = Account {
        name: "ann".to_owned(),
        subject: "s-ann".to_owned(),
        password: None,
        provider: None,
        fhir_user: Some("Patient/ann".to_owned()),
        vot: None,
        created: NOON,
        disabled: false,
        since: 0,
    };
    people.add(&account).expect("added");
    let granted = house.granted(&house.app(), "patient/*.rs");
    let token = granted.text("access_token");
    let random = crate::system_random();
    for disabled in [false, true, false] {
        people.change("ann", &random, |account| account.disabled = disabled).expect("changed");
        assert_eq!(house.counts(token), !disabled);
    }
}

/// Whoever stole a password, and allowed apps with it, has nothing of it once there is another.
#[test]
fn a_new_password_ends_what_was_granted_before() {
    let house = House::new();
    let people = People::new(house.repository.vault());
    let account = Account {
        name: "ann".to_owned(),
        subject: "s-ann".to_owned(),
        password: None,
        provider: None,
        fhir_user: Some("Patient/ann".to_owned()),
        vot: None,
        created: NOON,
        disabled: false,
        since: 0,
    };
    people.add(&account).expect("added");
    let registered = house.register(NewClient { auth: NewAuth::Secret, ..app() });
    let (client, secret) = (registered.client, registered.secret.expect("a secret"));
    let own = [("client_id", client.id.as_str()), ("client_secret", secret.as_str())];
    let redeemed = || {
        let code = house.code(&house.grant(&client, "patient/*.rs offline_access"));
        (house.post("/auth/token", &with(redeem(&client.id, &code), &own)), code)
    };
    let counts = |granted: &Answer| {
        let refresh = granted.text("refresh_token").to_owned();
        let told = house.post("/auth/introspect", &[&own[..], &[("token", &refresh)]].concat());
        let again = [&own[..], &[("grant_type", "refresh_token"), ("refresh_token", &refresh)]].concat();
        let is_access = house.counts(granted.text("access_token"));
        (is_access, told.json["active"] == true, house.post("/auth/token", &again).status == 200)
    };
    let random = crate::system_random();
    let changes: [&dyn Fn(&mut Account); 2] =
        [&|account| account.set_password("x".to_owned(), house.desk().now), &|account| {
            account.disable(house.desk().now);
            account.disabled = false;
        }];
    for change in changes {
        let (before, _) = redeemed();
        let code = house.code(&house.grant(&client, "patient/*.rs offline_access"));
        assert_eq!(counts(&redeemed().0), (true, true, true));
        house.clock.pass(10_000);
        people.change("ann", &random, change).expect("changed");
        assert_eq!(counts(&before), (false, false, false));
        let late = house.post("/auth/token", &with(redeem(&client.id, &code), &own));
        assert_eq!(late.outcome(), (400, "invalid_grant"));
        house.clock.pass(10_000);
        assert_eq!(counts(&redeemed().0), (true, true, true));
    }
}
