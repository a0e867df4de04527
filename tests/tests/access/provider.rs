use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flint_tests::{Browser, Call, Guarded, Holder, OpenId, Reply, example, rs512};
use search::query_string;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use smart::jose::Type;
use smart::oidc::Who;
use smart::{Client, NewClient};

use super::issuer::{hs256, unsigned};

const CALLBACK: &str = "https://app.example/callback";
const VERIFIER: &str = "a-verifier-of-at-least-43-characters-0123456789";
const FORM: &str = "application/x-www-form-urlencoded";
const ALLOW: (&str, &str) = ("decision", "allow");

/// The page of somebody of whom nothing was told.
const UNTOLD: &str = "nhs-login did not tell us who you are. Nothing was changed.";

/// An app that people come from.
struct App<'a> {
    guarded: &'a Guarded,
    client: Client,
}

impl App<'_> {
    fn register(guarded: &Guarded) -> App<'_> {
        let client = guarded.register(NewClient {
            name: "The app".to_owned(),
            scope: "openid fhirUser launch/patient offline_access patient/*.cruds user/*.cruds".to_owned(),
            redirect_uris: vec![CALLBACK.to_owned()],
            ..NewClient::default()
        });
        App { guarded, client }
    }

    /// Comes from the app and signs in at a provider.
    fn sign_in(&self, browser: &mut Browser<'_>, provider: &str, scope: &str) -> Reply {
        let page = self.ask(browser, scope).expect(200);
        browser.follow(&page, &format!("Continue with {provider}"))
    }

    /// Comes from the app.
    fn ask(&self, browser: &mut Browser<'_>, scope: &str) -> Reply {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
        let query = query_string([
            ("response_type", "code"),
            ("client_id", &self.client.id),
            ("redirect_uri", CALLBACK),
            ("scope", scope),
            ("state", "the-state"),
            ("aud", self.guarded.flint().base_url()),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        browser.open(&format!("/auth/authorize?{query}"))
    }

    /// The answer to the code that a browser comes back with.
    fn redeem(&self, back: &Reply) -> Reply {
        let query = back.header("location").strip_prefix(&format!("{CALLBACK}?"));
        let query = query.unwrap_or_else(|| panic!("no way back: {} {}", back.header("location"), back.text));
        let parameters = search::parse_query_string(query).expect("a query");
        let field = |name| parameters.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
        assert_eq!(field("state"), "the-state");
        let form = query_string([
            ("grant_type", "authorization_code"),
            ("code", field("code")),
            ("redirect_uri", CALLBACK),
            ("client_id", &self.client.id),
            ("code_verifier", VERIFIER),
        ]);
        self.guarded.call("POST /auth/token").body(FORM, form).send()
    }

    fn call(&self, token: &Reply, line: &str) -> Call<'_> {
        let bearer = format!("Bearer {}", token.pointer("/access_token"));
        self.guarded.flint().call(line).header("Authorization", &bearer)
    }

    fn get(&self, token: &Reply, url: &str) -> Reply {
        self.call(token, &format!("GET {url}")).send()
    }
}

/// A server with the surgery, into which patients sign in through this provider.
fn with_login(openid: &OpenId) -> Guarded {
    let vtr = ["P9.Cp.Cd", "P5.Cp.Cd", "P0.Cp"].map(str::to_owned).to_vec();
    with_provider(openid, "nhs-login", Who::Patients { vtr })
}

fn with_provider(openid: &OpenId, id: &str, who: Who) -> Guarded {
    Guarded::start_with(|config| {
        config.load.push(example("seed-transaction.json"));
        openid.join(config, id, who);
    })
}

#[test]
fn a_patient_signs_in_and_reads_their_own_record() {
    let openid = OpenId::start();
    let guarded = with_login(&openid);
    let (app, mut browser) = (App::register(&guarded), Browser::new(&guarded));
    let page = app.sign_in(&mut browser, "nhs-login", "openid fhirUser launch/patient patient/*.rs").expect(200);
    assert!(page.text.contains("your record, Joan Hartley"), "{}", page.text);
    assert_eq!(openid.asked("vtr"), r#"["P9.Cp.Cd","P5.Cp.Cd","P0.Cp"]"#);
    assert_eq!(
        openid.taken(),
        ["GET /.well-known/openid-configuration", "GET /authorize", "POST /token", "GET /jwks", "GET /userinfo"]
    );
    let back = browser.submit(&page, "/auth/authorize/consent", &[ALLOW]);
    let token = app.redeem(&back).expect(200).facts(&[("/patient", "p1"), ("/scope", "*patient/*.rs*")]);
    app.redeem(&back).expect(400).facts(&[("/error", "invalid_grant")]);

    // The code that was used twice took the grant with it.
    app.get(&token, "/Patient/p1").expect(401);
    let page = app.sign_in(&mut Browser::new(&guarded), "nhs-login", "launch/patient patient/*.rs");
    assert!(page.text.contains("your record, Joan Hartley"), "{}", page.text);
    assert_eq!(openid.taken(), ["GET /authorize", "POST /token", "GET /userinfo"], "what it said of itself is kept");
    let mut browser = Browser::new(&guarded);
    let page = app.sign_in(&mut browser, "nhs-login", "launch/patient patient/*.rs");
    let token = app.redeem(&browser.submit(&page, "/auth/authorize/consent", &[ALLOW])).expect(200);
    app.get(&token, "/Patient/p1").expect(200).facts(&[("/id", "p1")]);
    app.get(&token, "/Observation/spo2-1").expect(200);
    app.get(&token, "/Patient").expect(200).facts(&[("/total", "1")]);
    app.get(&token, "/Patient/p2").expect(404);
    app.get(&token, "/Observation?patient=p2").expect(200).facts(&[("/total", "0")]);
    app.call(&token, "DELETE /Observation/spo2-1").send().expect(403);
}

/// Who is not proven to be the patient gets nothing of the record, whatever is ticked.
#[test]
fn grants_no_more_than_the_proof_allows() {
    let openid = OpenId::start();
    let guarded = with_login(&openid);
    let (app, keeper) = (App::register(&guarded), guarded.hold(&keeper()));
    let wanted = "patient/Observation.rs patient/QuestionnaireResponse.c user/HealthcareService.rs";
    let consents = || keeper.get("/Consent?patient=p1&_summary=count").expect(200).pointer("/total");
    let told = |patient: &str| {
        json!({ "resourceType": "QuestionnaireResponse", "status": "completed",
            "subject": { "reference": format!("Patient/{patient}") } })
    };
    // How sure it is, what is granted, the answers to the record, to the directory and to what is told, and how many Consents there
    // are then.
    let cases = [
        ("P0.Cp", "user/HealthcareService.rs", 403, 200, 403, "4"),
        ("P5.Cp.Cd", "patient/QuestionnaireResponse.c user/HealthcareService.rs", 403, 200, 201, "4"),
        ("P9.Cp.Cd", "patient/Observation.rs patient/QuestionnaireResponse.c", 200, 403, 201, "5"),
    ];
    for (vot, scope, record, directory, telling, consented) in cases {
        openid.say(&json!({ "vot": vot, "sub": vot }), &json!({ "sub": vot }));
        let mut browser = Browser::new(&guarded);
        let page = app.sign_in(&mut browser, "nhs-login", wanted).expect(200);
        let boxes = wanted.split(' ').map(|scope| ("scope", scope)).chain([ALLOW]);
        let boxes: Vec<_> = boxes.collect();
        let token = app.redeem(&browser.submit(&page, "/auth/authorize/consent", &boxes)).expect(200);
        assert_eq!(token.pointer("/scope"), scope, "{vot}");
        app.get(&token, "/Observation/spo2-1").expect(record);
        app.get(&token, "/HealthcareService/svc1").expect(directory);
        app.call(&token, "POST /QuestionnaireResponse").json(&told("p1")).send().expect(telling);
        app.call(&token, "POST /QuestionnaireResponse").json(&told("p2")).send().expect(403);
        for closed in ["/Patient/p1", "/Condition", "/Patient/p2", "/Consent"] {
            app.get(&token, closed).expect(403);
        }
        assert_eq!(consents(), consented, "{vot}");
    }
}

/// What somebody has proven in one browser they have not in another, where only the password may have been known.
#[test]
fn each_sign_in_proves_for_itself() {
    let openid = OpenId::start();
    let guarded = with_login(&openid);
    let app = App::register(&guarded);
    let enter = |vot: &str| {
        openid.say(&json!({ "vot": vot }), &json!({}));
        let mut browser = Browser::new(&guarded);
        browser.open("/auth/oidc/nhs-login?next=/auth/manage").expect(200);
        browser
    };
    let (contact, claimed) = (enter("P0.Cp"), enter("P5.Cp.Cd"));
    let mut proven = enter("P9.Cp.Cd");
    let late = enter("P5.Cp.Cd");
    let page = app.ask(&mut proven, "patient/Observation.rs").expect(200);
    app.redeem(&proven.submit(&page, "/auth/authorize/consent", &[ALLOW])).expect(200);
    assert!(proven.open("/auth/manage").text.contains("Stop The app"));
    for (mut browser, vot) in [(contact, "P0"), (claimed, "P5"), (late, "P5, after")] {
        let back = app.ask(&mut browser, "patient/Observation.rs");
        assert!(back.header("location").contains("error=invalid_scope"), "{vot}: {}", back.text);
        let manage = browser.open("/auth/manage").expect(200);
        assert!(manage.text.contains("Sign out") && !manage.text.contains("The app"), "{vot}: {}", manage.text);
    }
}

#[test]
fn whom_nobody_vouches_for_gets_a_page_and_no_code() {
    let openid = OpenId::start();
    let guarded = with_login(&openid);
    let app = App::register(&guarded);
    let now = guarded.flint().now() / 1000;
    let none = json!({});
    let id_tokens = [
        json!({ "nonce": "another" }),
        json!({ "nonce": null }),
        json!({ "aud": "another" }),
        json!({ "aud": ["flint", "another"] }),
        json!({ "iss": "https://another.example" }),
        json!({ "exp": now - 60 }),
        json!({ "nbf": now + 7200 }),
        json!({ "vot": "P9.Cp.Ck" }),
        json!({ "vot": "P9" }),
        json!({ "vot": null }),
        json!({ "sub": "person-2" }),
    ];
    for id_token in &id_tokens {
        openid.say(id_token, &none);
        refuses(&app, &id_token.to_string());
    }
    openid.say(&none, &json!({ "identity_proofing_level": "P5" }));
    refuses(&app, "a level that is not the token's");
    openid.say(&none, &none);
    let forger = rs512("k1", "forger");
    openid.sign_by(move |claims| forger.sign(Type::Jwt, claims).expect("signed"));
    refuses(&app, "forged");
    openid.sign_by(unsigned);
    refuses(&app, "unsigned");
    openid.sign_by(|claims| hs256(&rs512("k1", "k1").public(), claims));
    refuses(&app, "signed with the public key");
    openid.publish(&["k1"]);
    app.sign_in(&mut Browser::new(&guarded), "nhs-login", "patient/*.rs").expect(200);
}

/// Nobody is signed in, and the app hears nothing.
#[track_caller]
fn refuses(app: &App<'_>, what: &str) {
    let mut browser = Browser::new(app.guarded);
    let page = app.sign_in(&mut browser, "nhs-login", "patient/*.rs");
    assert_eq!((page.status, page.header("location")), (502, ""), "{what}: {}", page.text);
    assert!(page.text.contains(UNTOLD), "{what}: {}", page.text);
    let manage = browser.open("/auth/manage");
    assert!(manage.text.contains("Continue with nhs-login"), "{what}: {}", manage.text);
}

/// Whether there is a record of somebody is not told: no record, several, and another's look the same.
#[test]
fn whom_no_record_fits_learns_nothing() {
    let openid = OpenId::start();
    let guarded = with_login(&openid);
    let app = App::register(&guarded);
    let refused = |about: Value| {
        openid.say(&json!({}), &about);
        let page = app.sign_in(&mut Browser::new(&guarded), "nhs-login", "patient/*.rs").expect(403);
        assert_eq!(page.header("location"), "");
        page.text
    };
    let unknown = refused(json!({ "nhs_number": "9000000033" }));
    assert!(unknown.contains("we cannot match you with a record here"), "{unknown}");
    assert_eq!(refused(json!({ "birthdate": "1955-04-03" })), unknown, "born on another day");
    assert_eq!(refused(json!({ "nhs_number": null })), unknown);
    let twin = json!({ "resourceType": "Patient", "id": "twin",
        "identifier": [{ "system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9000000009" }] });
    guarded.hold(&keeper()).send("PUT /Patient/twin", twin).expect(201);
    assert_eq!(refused(json!({})), unknown, "two of the same number");
}

/// A way back counts once, for the browser that was sent, and for ten minutes.
#[test]
fn a_way_back_counts_once() {
    let openid = OpenId::start();
    let guarded = with_login(&openid);
    let mut browser = Browser::new(&guarded);
    let mut sent = || {
        let there = browser.get("/auth/oidc/nhs-login?next=/auth/manage").expect(303).header("location").to_owned();
        let back = browser.get(&there).expect(302).header("location").to_owned();
        (browser.clone(), back)
    };
    let (_, back) = sent();
    Browser::new(&guarded).open(&back).expect(400);
    let (mut twice, back) = sent();
    for more in ["code=another", "state=another", "iss=another"] {
        twice.clone().open(&format!("{back}&{more}")).expect(400);
    }
    twice.get(&back).expect(303);
    let (mut own, back) = sent();
    let mut again = own.clone();
    own.get(&back).expect(303);
    again.open(&back).expect(400);
    let (mut own, back) = sent();
    own.open(&back.replace("&iss=", "&iss=https://another.example")).expect(502);
    let (mut late, back) = sent();
    guarded.advance(std::time::Duration::from_secs(600));
    late.open(&back).expect(400);
}

#[test]
fn staff_sign_in_and_choose_a_patient() {
    let openid = OpenId::start();
    let guarded = with_provider(&openid, "cis2", Who::Staff { claim: "nhsid_useruid".to_owned() });
    let app = App::register(&guarded);
    let doctor = json!({ "resourceType": "Practitioner", "id": "dr2", "name": [{ "family": "Okafor" }],
        "identifier": [{ "system": "https://fhir.nhs.uk/Id/sds-user-id", "value": "555000000555" }] });
    guarded.hold(&keeper()).send("PUT /Practitioner/dr2", doctor).expect(201);
    let scope = "openid fhirUser launch/patient user/*.rs";
    for stranger in [json!({}), json!({ "nhsid_useruid": "555000000666" }), json!({ "nhsid_useruid": "5,5" })] {
        openid.say(&json!({}), &stranger);
        app.sign_in(&mut Browser::new(&guarded), "cis2", scope).expect(403);
    }
    openid.say(&json!({}), &json!({ "nhsid_useruid": "555000000555" }));
    let mut browser = Browser::new(&guarded);
    let page = app.sign_in(&mut browser, "cis2", scope).expect(200);
    assert_eq!(openid.asked("vtr"), "", "staff are not proven by vectors of trust");
    let found = browser.submit(&page, "/auth/authorize/search", &[("nhs-number", "900 000 0009")]).expect(200);
    assert!(found.text.contains("Joan Hartley") && !found.text.contains("Peter Hartley"), "{}", found.text);
    browser.submit(&found, "/auth/authorize/patient", &[("patient", "p9")]).expect(400);
    let page = browser.submit(&found, "/auth/authorize/patient", &[("patient", "p1")]).expect(200);
    let token = app.redeem(&browser.submit(&page, "/auth/authorize/consent", &[ALLOW])).expect(200);
    let token = token.facts(&[("/patient", "p1"), ("/scope", "*user/*.rs*")]);
    app.get(&token, "/Patient/p1").expect(200);
    app.get(&token, "/Patient/p2").expect(200);
    app.get(&token, "/Practitioner/dr2").expect(200);
    app.call(&token, "DELETE /Patient/p2").send().expect(403);
}

/// The practice's own system.
fn keeper() -> Holder<'static> {
    Holder { scope: "system/*.cruds", custodian: true, ..Holder::default() }
}
