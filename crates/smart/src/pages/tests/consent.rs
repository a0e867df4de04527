//! What is granted, and what it rests on.

use super::*;

fn allow(browser: &mut Browser<'_>, page: &Reply, fields: &[(&str, &str)]) -> Reply {
    let fields: Vec<_> = fields.iter().copied().chain([("decision", "allow")]).collect();
    browser.submit(page, "/auth/authorize/consent", &fields)
}

#[test]
fn grants_what_was_asked_and_may_be_had() {
    let house = House::new();
    house
        .add_client(Client { scope: "launch/patient patient/Observation.rs user/*.rs".to_owned(), ..client("narrow") });
    // Who, client, what is asked, what is granted.
    let cases = [
        ("joan", "app", "patient/Observation.rs", "patient/Observation.rs"),
        ("joan", "app", "patient/*.cruds user/*.rs", "patient/*.cruds"),
        (
            "joan",
            "app",
            "openid fhirUser launch launch/patient patient/*.rs unheard",
            "launch/patient openid fhirUser patient/*.rs",
        ),
        ("joan", "narrow", "patient/*.cruds offline_access", "patient/Observation.rs"),
        ("joan", "narrow", "patient/Condition.rs patient/Observation.r", "patient/Observation.r"),
        ("joan", "app", "patient/Observation.rs?category=x|y", "patient/Observation.rs?category=x|y"),
        ("ada", "app", "user/*.rs", "user/*.rs"),
        ("ada", "narrow", "user/*.cruds", "user/*.rs"),
    ];
    for (name, id, asked, granted) in cases {
        let mut browser = house.signed_in(name);
        let page = browser.get(&request(&[("client_id", id), ("scope", asked), ("prompt", "consent")]));
        let reply = allow(&mut browser, &page, &[]);
        assert_eq!(reply.app_gets("code").len(), 43, "{asked}");
        assert_eq!(
            (reply.app_gets("state"), reply.app_gets("iss")),
            ("s&t<a>te".to_owned(), "https://ehr.example/auth".to_owned())
        );
        let told = house.told();
        let [PersonAct::Granted { scope, .. }] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!(scope, granted, "{name} {id} {asked}");
    }
}

#[test]
fn grants_only_what_is_ticked() {
    let house = House::new();
    let mut joan = house.signed_in("joan");
    let scope = ("scope", "launch/patient offline_access patient/Observation.rs patient/Condition.rs");
    let page = joan.get(&request(&[scope]));
    let ticked = page.form("/auth/authorize/consent").into_iter().filter(|(name, _)| name == "scope").count();
    assert_eq!(ticked, 3);
    for none in ["", "patient/*.cruds", "offline_access"] {
        let again = allow(&mut joan, &page, &[("scope", none)]);
        assert_eq!(again.status, 400, "{none}");
        assert!(again.text().contains("Choose at least one thing"), "{none}");
    }
    let refused = joan.submit(&page, "/auth/authorize/consent", &[("decision", "refuse")]);
    assert_eq!(refused.app_gets("error"), "access_denied");
    assert_eq!(house.told(), [PersonAct::Refused { client: "app".to_owned() }]);
    assert_eq!(house.grants(), []);

    assert!(!allow(&mut joan, &page, &[("scope", "patient/Condition.rs")]).app_gets("code").is_empty());
    assert_eq!(house.grants()[0].scope, "launch/patient patient/Condition.rs");
}

#[test]
fn writes_the_consent_that_it_rests_on() {
    let house = House::new();
    let mut omar = house.signed_in("omar");
    let page = omar.get(&request(&[]));
    allow(&mut omar, &page, &[("until", "month")]);
    let grant = house.grants().remove(0);
    assert_eq!(grant.consents, ["Consent/new-1"]);
    assert_eq!((grant.expires, grant.patient.as_deref()), (Some(NOON + 30 * 86_400_000), Some("p3")));
    assert_eq!((grant.account.as_deref(), grant.subject.as_str()), (Some("omar"), "subject-of-omar"));
    let consent = house.read("Consent/new-1");
    let expected = serde_json::json!({
        "profile": ["https://flint.example/fhir/StructureDefinition/nhs-sharing-consent"],
        "identifier": [{"system": "https://ehr.example/auth/grants", "value": grant.id}],
        "status": "active",
        "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy", "display": "Privacy Consent"}]},
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "INFA", "display": "information access"}]}],
        "patient": {"reference": "Patient/p3"},
        "dateTime": "2027-03-01T12:00:00.000Z",
        "performer": [{"reference": "Patient/p3"}],
        "organization": [{"reference": "Organization/gp1"}],
        "policy": [{"uri": "https://ehr.example/auth/manage"}],
        "provision": {
            "type": "permit",
            "period": {"start": "2027-03-01T12:00:00.000Z", "end": "2027-03-31T12:00:00.000Z"},
            "actor": [{
                "role": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP", "display": "information recipient"}]},
                "reference": {"identifier": {"system": "https://ehr.example/auth/clients", "value": "app"}, "display": "The app <b>app</b>"}
            }],
            "purpose": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "PATRQT"}]
        }
    });
    for (name, value) in expected.as_object().expect("an object") {
        let found = if name == "profile" { &consent["meta"]["profile"] } else { &consent[name] };
        assert_eq!(found, value, "{name}");
    }
    // The second time it is there already.
    let page = omar.get(&request(&[("prompt", "consent")]));
    assert!(
        page.text().contains("is shared with The app &#60;b&#62;app&#60;/b&#62; already until 31 March 2027"),
        "{}",
        page.text()
    );
    allow(&mut omar, &page, &[("until", "open")]);
    let grants = house.grants();
    assert_eq!(grants.len(), 2);
    for grant in &grants {
        assert_eq!(grant.consents, ["Consent/new-1"]);
        // A period holds its last millisecond.
        let end = NOON + 30 * 86_400_000;
        assert!(grant.expires == Some(end) || grant.expires == Some(end + 1), "{grant:?}");
    }
}

#[test]
fn takes_the_consent_that_a_patient_has_given() {
    let house = House::new();
    house.add_client(Client { organization: Some("Organization/app1".to_owned()), ..client("app1") });
    let scope = ("client_id", "app1");
    let mut joan = house.signed_in("joan");
    let page = joan.get(&request(&[scope]));
    allow(&mut joan, &page, &[("until", "open")]);
    let grant = house.grants().remove(0);
    assert_eq!(grant.consents, ["Consent/share-app"]);
    // Another one that permits more takes nothing away from what the first one says.
    let wider = house.read("Consent/share-app").to_string().replace("share-app", "wider");
    let mut wider: serde_json::Value = serde_json::from_str(&wider).expect("JSON");
    let provision = wider["provision"].as_object_mut().expect("an object");
    provision.remove("provision");
    provision.insert("period".to_owned(), serde_json::json!({ "start": "2027-02-01" }));
    house.hold(&wider.to_string());
    let page = joan.get(&request(&[scope, ("prompt", "consent")]));
    allow(&mut joan, &page, &[("until", "open")]);
    let mut grants = house.grants();
    grants.retain(|grant| grant.consents.len() > 1);
    assert_eq!(grants.remove(0).consents, ["Consent/share-app", "Consent/wider"]);
    assert_eq!(grant.expires, Some(1_830_297_600_000), "with the Consent, at the end of 2027");

    // A patient without a keeper of the record, and an app with an organization.
    house.hold(r#"{"resourceType":"Patient","id":"lone","name":[{"text":"Lone <Wolf>"}]}"#);
    house.add_account("lone", "Patient/lone");
    let mut lone = house.signed_in("lone");
    let page = lone.get(&request(&[scope]));
    assert!(page.text().contains("your record, Lone &#60;Wolf&#62;"));
    assert!(!allow(&mut lone, &page, &[("until", "open")]).app_gets("code").is_empty());
    let consent = house.read("Consent/new-1");
    assert_eq!(consent["provision"]["actor"][0]["reference"]["reference"], "Organization/app1");
    assert_eq!(
        (&consent["organization"], &consent["provision"]["period"]["end"]),
        (&serde_json::Value::Null, &serde_json::Value::Null)
    );
}

#[test]
fn a_proxys_grant_rests_on_both_consents() {
    let house = House::new();
    let mut peter = house.signed_in("peter");
    let page = peter.get(&request(&[]));
    let page = peter.submit(&page, "/auth/authorize/patient", &[("patient", "p1")]);
    allow(&mut peter, &page, &[]);
    let grant = house.grants().remove(0);
    assert_eq!(grant.consents, ["Consent/share-husband", "Consent/new-1"]);
    assert_eq!(grant.fhir_user.as_deref(), Some("RelatedPerson/rp1"));
    assert_eq!((grant.patient.as_deref(), grant.account.as_deref()), (Some("p1"), Some("peter")));
    assert_eq!(house.read("Consent/new-1")["performer"][0]["reference"], "RelatedPerson/rp1");
}

#[test]
fn asks_once_for_the_same() {
    let house = House::new();
    let scheme = "example.app:/cb";
    house.add_client(Client { redirect_uris: vec![CALLBACK.to_owned(), scheme.to_owned()], ..client("app") });
    let mut joan = house.signed_in("joan");
    let page = joan.get(&request(&[]));
    allow(&mut joan, &page, &[("until", "day")]);
    // What is asked now, whether the person is asked.
    let cases: [(&[(&str, &str)], bool); 6] = [
        (&[], false),
        (&[("prompt", "none")], false),
        (&[("scope", "patient/Condition.r")], false),
        (&[("scope", "patient/Condition.r patient/Goal.r")], true),
        (&[("prompt", "consent")], true),
        (&[("redirect_uri", scheme)], true),
    ];
    for (changes, asks) in cases {
        let reply = joan.get(&request(changes));
        assert_eq!(reply.status, if asks { 200 } else { 303 }, "{changes:?}");
        if !asks {
            assert!(!reply.app_gets("code").is_empty(), "{changes:?}");
        }
    }
    assert!(house.grants().iter().all(|grant| grant.expires == Some(NOON + 86_400_000)), "no longer than was said");
    // Another person, and another record, is another matter.
    assert_eq!(house.signed_in("omar").get(&request(&[])).status, 200);
    // So is a permission that was taken back as a Consent.
    let consent = house.read("Consent/new-1").to_string();
    house.hold(&consent.replace(r#""status":"active""#, r#""status":"inactive""#));
    assert_eq!(joan.get(&request(&[])).status, 200);
    house.hold(&consent);
    assert_eq!(joan.get(&request(&[])).status, 303);
    house.time.advance(86_400_000);
    assert_eq!(house.signed_in("joan").get(&request(&[])).status, 200, "the day is over");
}

#[test]
fn consents_are_given_on_its_own_page_only() {
    let house = House::new();
    let mut joan = house.signed_in("joan");
    let page = joan.get(&request(&[]));
    let mut omar = house.signed_in("omar");
    let foreign = omar.get(&request(&[]));
    let token = first(&foreign.form("/auth/authorize/consent"), "csrf").to_owned();
    for (field, value) in [("csrf", ""), ("csrf", "wrong"), ("csrf", token.as_str()), ("until", "forever")] {
        let reply = allow(&mut joan, &page, &[(field, value)]);
        assert_eq!((reply.status, reply.header("Location")), (403, None), "{field} {value}");
    }
    let form = page.form("/auth/authorize/consent");
    let refused = joan.post("/auth/authorize/consent", form, Some("https://evil.example"));
    assert_eq!(refused.status, 403);
    // What the form says of the request is judged like the request.
    let other = request(&[("redirect_uri", "https://evil.example/")]);
    let other = other.split_once('?').expect("a query").1;
    let reply = allow(&mut joan, &page, &[("request", other)]);
    assert_eq!((reply.status, reply.header("Location")), (400, None));
    let reply = allow(&mut joan, &page, &[("request", "%ff")]);
    assert_eq!(reply.status, 403);
    assert_eq!(house.grants(), []);
}

#[test]
fn shows_apps_safely() {
    let house = House::new();
    let scheme = "example.app:/cb";
    house.add_client(Client { redirect_uris: vec![scheme.to_owned()], ..client("phone") });
    let mut joan = house.signed_in("joan");
    let web = joan.get(&request(&[])).text();
    for text in ["<strong>app.example</strong>", "href=\"https://app.example/about\""] {
        assert!(web.contains(text), "{text}: {web}");
    }
    let phone = joan.get(&request(&[("client_id", "phone"), ("redirect_uri", scheme)]));
    let policy = phone.header("Content-Security-Policy").expect("a policy").to_owned();
    assert!(policy.contains("form-action 'self' example.app:;"), "{policy}");
    let phone = phone.text();
    assert!(phone.contains("we cannot check who made it"), "{phone}");
    for text in [web, phone] {
        assert!(!text.contains("<img") && !text.contains("logo.png"), "it loads what the app has: {text}");
        assert!(!text.contains("<b>") && !text.contains("javascript:") && !text.contains("<a>te"), "{text}");
    }
}
