//! Signing in and out.

use std::net::{IpAddr, Ipv4Addr};

use super::*;

const WRONG: &str = "The user name or the password is wrong";

/// Tries to sign in from a fresh browser.
fn attempt(house: &House, peer: u8, name: &str, password: &str) -> Reply {
    let mut browser = Browser { peer: IpAddr::V4(Ipv4Addr::new(192, 0, 2, peer)), ..house.browser() };
    let page = browser.get("/auth/sign-in");
    browser.submit(&page, "/auth/sign-in", &[("username", name), ("password", password)])
}

#[test]
fn lets_in_who_knows_the_password() {
    let house = House::new();
    house.add_account("gone", "Patient/p1");
    People::new(house.repository.vault())
        .change("gone", &crate::system_random(), |account| account.disabled = true)
        .expect("changed");
    // Name, password, status, what the page says.
    let cases = [
        ("joan", PASSWORD, 303, ""),
        (" Joan ", PASSWORD, 303, ""),
        ("joan", "correct horse batter", 400, WRONG),
        ("nobody", PASSWORD, 400, WRONG),
        ("gone", PASSWORD, 400, WRONG),
        ("", PASSWORD, 400, "Enter your user name"),
        ("joan", "", 400, "Enter your user name"),
        ("<script>alert(1)</script>", "x", 400, WRONG),
        ("../account/joan", PASSWORD, 400, WRONG),
    ];
    for (name, password, status, text) in cases {
        let reply = attempt(&house, 1, name, password);
        assert_eq!(reply.status, status, "{name}: {}", reply.text());
        assert!(reply.text().contains(text) && !reply.text().contains("<script"), "{name}: {}", reply.text());
        let location = (status == 303).then_some("/auth/manage");
        assert_eq!(reply.header("Location"), location, "{name}");
    }
}

#[test]
fn tells_nobody_who_has_an_account() {
    let house = House::new();
    let page = |name: &str| {
        let reply = attempt(&house, 1, name, "wrong");
        let text = reply.text().replace(name, "NAME");
        let csrf = reply.form("/auth/sign-in").into_iter().find(|(name, _)| name == "csrf").expect("a token").1;
        (reply.status, text.replace(&csrf, "CSRF"))
    };
    for _ in 0..7 {
        assert_eq!(page("joan"), page("jane"));
    }
}

#[test]
fn locks_out_who_guesses() {
    let house = House::new();
    for peer in 1..=5 {
        assert_eq!(attempt(&house, peer, "joan", "wrong").status, 400);
    }
    let told: Vec<_> = house.told_whole().into_iter().map(|event| (event.what, event.account)).collect();
    let joan = Some("joan".to_owned());
    assert_eq!(told[3..], [(PersonAct::SignInFailed, joan.clone()), (PersonAct::LockedOut, joan)]);
    let refused = attempt(&house, 6, "joan", PASSWORD);
    assert_eq!((refused.status, refused.header("Retry-After")), (429, Some("30")));
    assert!(refused.text().contains("Try again in 1 minute<"), "{}", refused.text());
    assert_eq!(attempt(&house, 6, "peter", PASSWORD).status, 303, "others come in");
    house.time.advance(30_000);
    assert_eq!(attempt(&house, 6, "joan", "wrong").status, 400);
    assert_eq!(attempt(&house, 6, "joan", PASSWORD).header("Retry-After"), Some("60"));
    house.time.advance(60_000);
    assert_eq!(attempt(&house, 6, "joan", PASSWORD).status, 303);
    assert_eq!(attempt(&house, 6, "joan", "wrong").status, 400, "forgiven");
    assert_eq!(attempt(&house, 6, "joan", PASSWORD).status, 303);
}

/// Servers of one store count together, and a restart forgives nobody: whether there is an account or not.
#[test]
fn another_server_knows_who_is_locked_out() {
    let mut house = House::new();
    for name in ["joan", "jane"] {
        for peer in 1..=5 {
            assert_eq!(attempt(&house, peer, name, "wrong").status, 400, "{name}");
        }
    }
    house.pages = house.other_pages();
    for name in ["joan", "jane"] {
        let refused = attempt(&house, 6, name, PASSWORD);
        assert_eq!((refused.status, refused.header("Retry-After")), (429, Some("30")), "{name}");
    }
    house.time.advance(30_000);
    assert_eq!(attempt(&house, 6, "joan", PASSWORD).status, 303);
    house.pages = house.other_pages();
    for _ in 0..4 {
        assert_eq!(attempt(&house, 6, "joan", "wrong").status, 400);
    }
    assert_eq!(attempt(&house, 7, "joan", PASSWORD).status, 303, "forgiven");
}

#[test]
fn bounds_what_one_address_may_try() {
    let house = House::new();
    for number in 0..30 {
        assert_eq!(attempt(&house, 1, &format!("n{number}"), "wrong").status, 400);
    }
    assert_eq!(attempt(&house, 1, "joan", PASSWORD).status, 429);
    assert_eq!(attempt(&house, 2, "joan", PASSWORD).status, 303);
}

/// Names that nobody has are not told: one may be a password.
#[test]
fn tells_the_audit_who_signed_in() {
    let house = House::new();
    attempt(&house, 1, "joan", PASSWORD);
    attempt(&house, 1, PASSWORD, "joan");
    let told: Vec<_> =
        house.told_whole().into_iter().map(|event| (event.what, event.account, event.fhir_user)).collect();
    assert_eq!(
        told,
        [
            (PersonAct::SignedIn { provider: None }, Some("joan".to_owned()), Some("Patient/p1".to_owned())),
            (PersonAct::SignInFailed, None, None),
        ]
    );
}

#[test]
fn takes_forms_only_from_its_own_pages() {
    let house = House::new();
    let mut browser = house.browser();
    let page = browser.get("/auth/sign-in");
    let mut other = house.browser();
    let other_page = other.get("/auth/sign-in");
    let token = |page: &Reply| first(&page.form("/auth/sign-in"), "csrf").to_owned();
    let form = |token: &str| {
        let fields = [("csrf", token), ("username", "joan"), ("password", PASSWORD)];
        fields.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
    };
    // Token, origin, whether the cookie is sent, whether it is taken.
    let cases = [
        (String::new(), Some("https://ehr.example"), true, false),
        ("wrong".to_owned(), Some("https://ehr.example"), true, false),
        (token(&other_page), Some("https://ehr.example"), true, false),
        (token(&page), Some("https://evil.example"), true, false),
        (token(&page), Some("null"), true, false),
        (token(&page), Some("https://ehr.example"), false, false),
        (token(&page), Some("https://ehr.example"), true, true),
    ];
    for (token, origin, with_cookie, taken) in cases {
        let cookie = if with_cookie { browser.cookie.clone() } else { None };
        let mut tried = Browser { cookie, ..house.browser() };
        let reply = tried.post("/auth/sign-in", form(&token), origin);
        assert_eq!(reply.status, if taken { 303 } else { 403 }, "{token} {origin:?}");
    }
}

#[test]
fn gives_a_new_cookie_to_who_signs_in() {
    let house = House::new();
    let mut browser = house.browser();
    let page = browser.get("/auth/sign-in");
    let planted = browser.cookie.clone().expect("a cookie");
    browser.submit(&page, "/auth/sign-in", &[("username", "joan"), ("password", PASSWORD)]);
    assert_ne!(browser.cookie, Some(planted.clone()));
    assert!(browser.get("/auth/manage").text().contains("Signed in as Joan Hartley"));
    let mut fixed = Browser { cookie: Some(planted), ..house.browser() };
    assert!(fixed.get("/auth/manage").text().contains("<h1>Sign in</h1>"), "who planted the cookie is not signed in");
    // The token of the sign-in page is worth nothing in the session.
    assert_eq!(browser.post("/auth/manage", page.form("/auth/sign-in"), None).status, 403);
}

#[test]
fn sessions_end() {
    let house = House::new();
    let is_in = |browser: &mut Browser<'_>| browser.get("/auth/manage").text().contains("Signed in as");
    let mut idle = house.signed_in("joan");
    house.time.advance(29 * 60_000);
    assert!(is_in(&mut idle));
    house.time.advance(30 * 60_000);
    assert!(!is_in(&mut idle), "idle for 30 minutes");

    let mut slow = house.signed_in("joan");
    for url in [request(&[]), "/auth/manage".to_owned()] {
        let page = slow.get(&url);
        assert!(page.text().contains("after 30 minutes"));
        let mut other = house.signed_in("joan");
        assert_eq!(other.post("/auth/more-time", page.form("/auth/more-time"), None).status, 403);
        let next = slow.submit(&page, "/auth/more-time", &[]);
        assert_eq!((next.status, next.header("Location")), (303, Some(&*url)));
        assert!(slow.get(&url).text().contains("after 5 hours"));
        house.time.advance(4 * 60 * 60_000);
        assert!(is_in(&mut slow));
        house.time.advance(5 * 60 * 60_000);
        assert!(!is_in(&mut slow), "idle for 5 hours");
        slow = house.signed_in("joan");
    }

    let mut busy = house.signed_in("joan");
    for _ in 0..35 {
        house.time.advance(20 * 60_000);
        assert!(is_in(&mut busy));
    }
    house.time.advance(20 * 60_000);
    assert!(!is_in(&mut busy), "12 hours old");

    let mut out = house.signed_in("joan");
    let before = out.cookie.clone();
    let page = out.get("/auth/manage");
    assert!(out.submit(&page, "/auth/sign-out", &[]).text().contains("You are signed out"));
    assert_eq!(out.cookie, None);
    assert!(!is_in(&mut Browser { cookie: before, ..house.browser() }), "signed out");

    let mut disabled = house.signed_in("joan");
    People::new(house.repository.vault())
        .change("joan", &crate::system_random(), |account| account.disabled = true)
        .expect("changed");
    assert!(!is_in(&mut disabled), "disabled");
}

/// Whoever signed in before does so no longer once there is a new password, or the account was disabled for a while.
#[test]
fn a_new_password_ends_sessions() {
    let house = House::new();
    let people = People::new(house.repository.vault());
    let is_in = |browser: &mut Browser<'_>| !browser.get("/auth/manage").text().contains("<h1>Sign in</h1>");
    let change = |change: &dyn Fn(&mut Account)| {
        house.time.advance(1);
        people.change("joan", &crate::system_random(), change).expect("changed");
    };
    let now = || house.time.now();
    let (mut joan, mut omar) = (house.signed_in("joan"), house.signed_in("omar"));
    assert!(is_in(&mut joan));
    change(&|account| account.set_password(password(), now()));
    assert!(!is_in(&mut joan) && is_in(&mut omar));
    let mut joan = house.signed_in("joan");
    assert!(is_in(&mut joan));
    change(&|account| account.disable(now()));
    change(&|account| account.disabled = false);
    assert!(!is_in(&mut joan) && is_in(&mut omar));
    assert!(is_in(&mut house.signed_in("joan")));
}

#[test]
fn names_people() {
    let house = House::new();
    house.add_account("ghost", "Patient/none");
    for (name, shown) in [
        ("joan", "Joan Hartley"),
        ("ada", "Ada Okafor"),
        ("role", "Ada Okafor"),
        ("carer", "carer"),
        ("ghost", "ghost"),
    ] {
        let text = house.signed_in(name).get("/auth/manage").text();
        assert!(text.contains(&format!("Signed in as {shown}<")), "{name}: {text}");
    }
}
