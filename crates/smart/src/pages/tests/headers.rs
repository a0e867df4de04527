//! What every page has around it.

use super::*;

#[test]
fn every_page_keeps_to_itself() {
    let house = House::new();
    let mut nobody = house.browser();
    let (mut joan, mut peter, mut ada) = (house.signed_in("joan"), house.signed_in("peter"), house.signed_in("ada"));
    let pages = [
        nobody.get("/auth/sign-in"),
        nobody.get("/auth/manage"),
        nobody.get(&request(&[])),
        nobody.get(&request(&[("client_id", "unknown")])),
        nobody.get("/auth/sign-out"),
        nobody.post("/auth/sign-in", Vec::new(), None),
        joan.get(&request(&[])),
        joan.get("/auth/manage"),
        peter.get(&request(&[])),
        ada.get(&request(&[])),
        nobody.get("/auth/oidc/none"),
    ];
    for page in pages {
        let text = page.text();
        for (name, value) in [
            ("Content-Type", "text/html; charset=utf-8"),
            ("X-Frame-Options", "DENY"),
            ("Referrer-Policy", "same-origin"),
            ("X-Content-Type-Options", "nosniff"),
            ("Cache-Control", "no-store"),
        ] {
            assert_eq!(page.header(name), Some(value), "{text}");
        }
        let policy = page.header("Content-Security-Policy").expect("a policy");
        assert!(policy.starts_with("default-src 'none'; style-src 'self'; form-action 'self'"));
        assert!(policy.ends_with("; frame-ancestors 'none'; base-uri 'none'"), "{policy}");
        assert!(text.contains("<html lang=\"en-GB\">") && text.contains("<h1>") && text.contains("<title>"), "{text}");
        assert_eq!(text.matches("<h1>").count(), 1, "{text}");
        assert!(!text.contains("<script") && !text.contains(" style="), "{text}");
        // Each input that people fill in has a label.
        for input in text.split("<input ").skip(1).map(|rest| rest.split('>').next().expect("an input")) {
            let id = input.split("id=\"").nth(1).and_then(|rest| rest.split('"').next());
            let labelled = id.is_some_and(|id| text.contains(&format!("<label for=\"{id}\"")));
            assert!(labelled || input.contains("type=\"hidden\""), "{input}");
        }
    }
}

#[test]
fn pages_have_their_methods() {
    let house = House::new();
    let mut nobody = house.browser();
    for (path, methods) in [("/auth/sign-out", "POST"), ("/auth/authorize/consent", "POST")] {
        let reply = nobody.get(path);
        assert_eq!((reply.status, reply.header("Allow")), (405, Some(methods)), "{path}");
    }
    let style = nobody.get("/auth/style.css");
    assert_eq!((style.status, style.header("Content-Type")), (200, Some("text/css; charset=utf-8")));
    let request = Request {
        method: "GET",
        path: "/auth/token",
        query: Vec::new(),
        form: Vec::new(),
        json: None,
        authorization: None,
        cookie: None,
        origin: None,
        accept_language: None,
        peer: nobody.peer,
    };
    assert!(house.pages.answer(&house.repository, &request).is_none());
}
