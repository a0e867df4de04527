use super::harness::*;
use crate::{Client, NewAuth, NewClient, TokenAct};

const SCOPE: &str = "launch/patient openid offline_access patient/*.rs";

fn refresh<'a>(client: &'a Client, token: &'a str) -> Form<'a> {
    vec![("grant_type", "refresh_token"), ("client_id", &client.id), ("refresh_token", token)]
}

#[test]
fn each_refresh_token_counts_once() {
    let house = House::new();
    let app = house.app();
    let first = house.granted(&app, SCOPE);
    house.clock.pass(HOUR);
    assert!(!house.counts(first.text("access_token")));
    let second = house.post("/auth/token", &refresh(&app, first.text("refresh_token")));
    assert_eq!(second.status, 200, "{}", second.json);
    assert_eq!(second.text("scope"), SCOPE);
    assert_eq!(second.text("patient"), "ann");
    assert!(house.counts(second.text("access_token")));
    assert_ne!(first.text("refresh_token"), second.text("refresh_token"));

    let again = house.post("/auth/token", &refresh(&app, first.text("refresh_token")));
    assert_eq!(again.outcome(), (400, "invalid_grant"));
    assert!(!house.counts(second.text("access_token")));
    let after = house.post("/auth/token", &refresh(&app, second.text("refresh_token")));
    assert_eq!(after.outcome(), (400, "invalid_grant"));
    assert!(house.told.0.lock().unwrap().iter().any(|event| event.what == TokenAct::EndReplayed));
}

#[test]
fn of_parallel_refreshes_one_wins() {
    let house = House::new();
    let app = house.app();
    for _ in 0..10 {
        let granted = house.granted(&app, SCOPE);
        let token = granted.text("refresh_token");
        let outcomes = std::thread::scope(|scope| {
            let request = || house.post("/auth/token", &refresh(&app, token));
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(request)).collect();
            threads.into_iter().map(|thread| thread.join().expect("an answer")).collect::<Vec<_>>()
        });
        let (won, lost): (Vec<_>, Vec<_>) = outcomes.iter().partition(|answer| answer.status == 200);
        assert_eq!(won.len(), 1);
        assert!(lost.iter().all(|answer| answer.outcome() == (400, "invalid_grant")));
        // The others were reuse: the grant has ended.
        assert!(!house.counts(won[0].text("access_token")));
    }
}

#[test]
fn refreshes_narrow_and_never_widen() {
    let house = House::new();
    let app = house.app();
    let granted = house.granted(&app, SCOPE);
    let mut token = granted.text("refresh_token").to_owned();
    let long = "x".repeat(9_000);
    let cases = [
        ("patient/Observation.r", (200, ""), "patient/Observation.r"),
        ("patient/Observation.rs?category=laboratory", (200, ""), "patient/Observation.rs?category=laboratory"),
        ("", (200, ""), SCOPE),
        ("patient/Observation.c", (400, "invalid_scope"), ""),
        ("user/*.rs", (400, "invalid_scope"), ""),
        ("openid fhirUser", (400, "invalid_scope"), ""),
        ("openid nonsense", (400, "invalid_scope"), ""),
        ("patient/Observation.sr", (400, "invalid_scope"), ""),
        (&long, (400, "invalid_scope"), ""),
        (SCOPE, (200, ""), SCOPE),
    ];
    for (scope, outcome, given) in cases {
        let answer = house.post("/auth/token", &with(refresh(&app, &token), &[("scope", scope)]));
        assert_eq!(answer.outcome(), outcome, "{scope}");
        if answer.status == 200 {
            assert_eq!(answer.text("scope"), given);
            token = answer.text("refresh_token").to_owned();
        }
    }
}

#[test]
fn refresh_tokens_are_bound() {
    let house = House::new();
    let (app, other) = (house.app(), house.app());
    let granted = house.granted(&app, SCOPE);
    let token = granted.text("refresh_token");
    let cases = [
        (&other, token, "invalid_grant"),
        (&app, "x", "invalid_grant"),
        (&app, "x.y", "invalid_grant"),
        (&app, granted.text("access_token"), "invalid_grant"),
        (&app, "", "invalid_request"),
    ];
    for (client, token, error) in cases {
        assert_eq!(house.post("/auth/token", &refresh(client, token)).outcome(), (400, error), "{token}");
    }
    assert_eq!(house.post("/auth/token", &refresh(&app, token)).status, 200);
}

/// A public client need not name itself; any other has to show that it is the one.
#[test]
fn a_token_names_its_public_client() {
    let house = House::new();
    let app = house.app();
    let nameless =
        |token: &str| house.post("/auth/token", &[("grant_type", "refresh_token"), ("refresh_token", token)]);
    let first = house.granted(&app, SCOPE);
    let second = nameless(first.text("refresh_token"));
    assert_eq!(second.outcome(), (200, ""));
    assert!(house.counts(second.text("access_token")));
    assert_eq!(nameless(first.text("refresh_token")).outcome(), (400, "invalid_grant"));
    assert!(!house.counts(second.text("access_token")));

    let registered = house.register(NewClient { auth: NewAuth::Secret, ..super::harness::app() });
    let (client, secret) = (registered.client, registered.secret.expect("a secret"));
    let code = house.code(&house.grant(&client, SCOPE));
    let granted = house.post("/auth/token", &with(redeem(&client.id, &code), &[("client_secret", &secret)]));
    for token in [granted.text("refresh_token"), first.text("access_token"), "x", "x.y"] {
        assert_eq!(nameless(token).outcome(), (401, "invalid_client"), "{token}");
    }
    assert_eq!(nameless("").outcome(), (400, "invalid_request"));
    let shown = with(refresh(&client, granted.text("refresh_token")), &[("client_secret", &secret)]);
    assert_eq!(house.post("/auth/token", &shown).outcome(), (200, ""));
}

#[test]
fn refresh_tokens_run_out() {
    let house = House::new();
    let app = house.app();
    let day = 24 * HOUR;
    // Scope, the ages at which a token is refreshed one after the other, and whether the last one still can.
    let cases: [(&str, &[i64], bool); 4] = [
        ("patient/*.rs offline_access", &[179 * day, 179 * day], true),
        ("patient/*.rs offline_access", &[180 * day], false),
        ("patient/*.rs online_access", &[6 * HOUR, 5 * HOUR], true),
        ("patient/*.rs online_access", &[6 * HOUR, 6 * HOUR], false),
    ];
    for (scope, ages, counts) in cases {
        let mut answer = house.granted(&app, scope);
        for (step, age) in ages.iter().enumerate() {
            house.clock.pass(*age);
            let next = house.post("/auth/token", &refresh(&app, answer.text("refresh_token")));
            assert_eq!(next.status == 200, counts || step + 1 < ages.len(), "{scope} {step}");
            answer = if next.status == 200 { next } else { answer };
        }
    }
}
