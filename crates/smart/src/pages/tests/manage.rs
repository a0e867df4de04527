//! Seeing and stopping what apps may do.

use super::*;

/// Lets an app see a record for 30 days.
fn allow(house: &House, name: &str, patient: &str) {
    let mut browser = house.signed_in(name);
    let mut page = browser.get(&request(&[("scope", "launch/patient patient/Observation.rs offline_access")]));
    if page.text().contains("Whose record") {
        page = browser.submit(&page, "/auth/authorize/patient", &[("patient", patient)]);
    }
    browser.submit(&page, "/auth/authorize/consent", &[("decision", "allow"), ("until", "month")]);
    house.told();
}

#[test]
fn shows_what_apps_may_do() {
    let house = House::new();
    allow(&house, "joan", "p1");
    allow(&house, "peter", "p1");
    // Who looks, what they read, what not.
    let cases = [
        (
            "joan",
            vec![
                "Your own record",
                "<dd>You</dd>",
                "Somebody who acts for you (spouse)",
                "1 March 2027",
                "31 March 2027",
                "See test results",
                "Keep its access",
                "The app &#60;b&#62;app",
            ],
            vec!["Joan Hartley</dd>"],
        ),
        ("peter", vec!["Joan Hartley</dd>", "<dd>You</dd>"], vec!["Your own record"]),
        ("omar", vec!["No app may use a record through you"], vec!["Stop The app"]),
        ("ada", vec!["No app may use a record through you"], vec!["Stop The app"]),
    ];
    for (name, texts, not) in cases {
        let page = house.signed_in(name).get("/auth/manage").text();
        for text in texts {
            assert!(page.contains(text), "{name} {text}: {page}");
        }
        for text in not {
            assert!(!page.contains(text), "{name} {text}: {page}");
        }
    }
    assert!(house.browser().get("/auth/manage").text().contains("<h1>Sign in</h1>"));
}

#[test]
fn stops_apps() {
    let house = House::new();
    allow(&house, "joan", "p1");
    let grant = house.grants().remove(0);
    // Nobody stops what they do not see.
    let mut omar = house.signed_in("omar");
    let page = omar.get("/auth/manage");
    let mut form = page.form("/auth/sign-out");
    form.push(("grant".to_owned(), grant.id.clone()));
    assert_eq!(omar.post("/auth/manage", form.clone(), None).status, 200);
    assert_eq!(house.grants().len(), 1);

    let mut joan = house.signed_in("joan");
    assert_eq!(joan.post("/auth/manage", form, None).status, 403, "another browser's token");
    let page = joan.get("/auth/manage");
    let done = joan.submit(&page, "/auth/manage", &[]);
    assert!(done.text().contains("The app &#60;b&#62;app&#60;/b&#62; was stopped."), "{}", done.text());
    assert!(!done.text().contains("Stop The app"));
    assert_eq!(house.grants(), []);
    assert_eq!(house.read("Consent/new-1")["status"], "inactive");
    let withdrawn = PersonAct::Withdrawn { client: "app".to_owned(), grant: grant.id, patient: Some("p1".to_owned()) };
    assert_eq!(house.told(), [withdrawn]);
    assert_eq!(house.repository.vault().list("granted/", None, 9).expect("a list"), []);
}

/// A Consent that somebody wrote themselves says more than that one app may see the record.
#[test]
fn leaves_consents_that_it_did_not_write() {
    let house = House::new();
    house.add_client(Client { organization: Some("Organization/app1".to_owned()), ..client("app") });
    allow(&house, "joan", "p1");
    allow(&house, "peter", "p1");
    assert_eq!(house.grants().len(), 2);
    let mut joan = house.signed_in("joan");
    for _ in 0..2 {
        let page = joan.get("/auth/manage");
        joan.submit(&page, "/auth/manage", &[]);
    }
    assert_eq!(house.grants(), []);
    for consent in ["Consent/share-app", "Consent/share-husband"] {
        assert_eq!(house.read(consent)["status"], "active");
    }
}

#[test]
fn a_proxy_stops_what_they_allowed() {
    let house = House::new();
    allow(&house, "peter", "p1");
    let mut peter = house.signed_in("peter");
    let page = peter.get("/auth/manage");
    peter.submit(&page, "/auth/manage", &[]);
    assert_eq!(house.grants(), []);
    assert_eq!(house.read("Consent/new-1")["status"], "inactive");
    assert_eq!(house.read("Consent/share-husband")["status"], "active");
}

/// However often an app was opened, it is stopped as a whole.
#[test]
fn stops_all_that_was_granted() {
    let house = House::new();
    allow(&house, "joan", "p1");
    let grant = house.grants().remove(0);
    let granted = crate::authorize::Granted::new(house.repository.vault(), &house.random);
    for number in 0..520 {
        granted.add(&Grant { id: format!("more-{number}"), ..grant.clone() }).expect("kept");
    }
    let mut joan = house.signed_in("joan");
    let page = joan.get("/auth/manage");
    assert!(joan.submit(&page, "/auth/manage", &[]).text().contains("was stopped."));
    assert_eq!(house.grants(), []);
    assert_eq!(house.repository.vault().list("granted/", None, 9).expect("a list"), []);
    assert_eq!(house.read("Consent/new-1")["status"], "inactive");
}

/// Of an app that is opened again and again, only what may still be used is kept.
#[test]
fn grants_whose_tokens_are_over_are_cleared() {
    let house = House::new();
    allow(&house, "joan", "p1");
    let first = house.grants().remove(0);
    // Its refresh token counts for long.
    let lasting = crate::authorize::lasting(&first, NOON + 30 * 86_400_000).expect("an account's");
    house.repository.vault().edit(vec![lasting]).expect("noted");
    let scope = ("scope", "launch/patient patient/Observation.rs");
    for number in 0..4 {
        house.time.advance(61_000);
        let reply = house.signed_in("joan").get(&request(&[scope]));
        assert_eq!(reply.app_gets("error"), "", "{number}: nobody is asked again");
        assert_eq!(house.grants().len(), 2, "{number}");
    }
    assert!(house.grants().contains(&first));
    assert_eq!(house.repository.vault().list("granted/account/", None, 9).expect("a list").len(), 2);
    assert_eq!(house.read("Consent/new-1")["status"], "active");
}

/// A Consent of p1's that denies something to an organization, which no app lifts.
fn dissent(id: &str, performer: &str) -> String {
    serde_json::json!({
        "resourceType": "Consent", "id": id, "status": "active",
        "scope": { "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy" }] },
        "category": [{ "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "INFA" }] }],
        "patient": { "reference": "Patient/p1" }, "dateTime": "2027-02-01T10:00:00Z", "performer": [{ "reference": performer }],
        "policy": [{ "uri": "http://example.org/policy" }],
        "provision": { "type": "deny", "actor": [{ "role": { "coding": [{ "code": "IRCP" }] }, "reference": { "reference": "Organization/gp1", "display": "<b>nobody</b>" } }],
            "purpose": [{ "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "TREAT" }] }
    })
    .to_string()
}

/// Ends a consent from the page of whoever is signed in; what the page says was done.
fn end(house: &House, name: &str, consent: &str) -> bool {
    let mut browser = house.signed_in(name);
    let page = browser.get("/auth/manage");
    let csrf = page.form("/auth/sign-out").into_iter().find(|(name, _)| name == "csrf").expect("a token");
    let form = vec![csrf, ("consent".to_owned(), consent.to_owned())];
    let reply = browser.post("/auth/manage", form, Some("https://ehr.example"));
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.text().contains("This counts no more")
}

#[test]
fn patients_see_and_end_what_they_decided() {
    let house = House::new();
    house.hold(&dissent("own", "Patient/p1"));
    house.hold(&dissent("of-practice", "Practitioner/dr1"));
    let page = house.signed_in("joan").get("/auth/manage").text();
    for text in [
        "Not shared with Millbrook Surgery</h2>",
        "<dd>Your care</dd>",
        "Shared with Breath Well App Ltd</h2>",
        "with exceptions",
        "31 December 2027",
        "Shared with somebody who acts for you (spouse)</h2>",
        "Not shared with others</h2>",
        "<dd>Research and planning</dd>",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert!(!page.contains("nobody") && page.matches("Not shared with Millbrook Surgery</h2>").count() == 1, "{page}");
    for name in ["peter", "omar", "ada"] {
        assert!(!house.signed_in(name).get("/auth/manage").text().contains("decided"), "{name}");
        assert!(!end(&house, name, "own"), "{name}");
    }
    for consent in ["of-practice", "organ", "none", "../own", "own?"] {
        assert!(!end(&house, "joan", consent), "{consent}");
    }
    house.told();
    for consent in ["own", "share-app", "share-husband", "ndop"] {
        assert!(end(&house, "joan", consent), "{consent}");
        let consent = format!("Consent/{consent}");
        assert_eq!(house.read(&consent)["status"], "inactive", "{consent}");
        assert!(house.told().contains(&PersonAct::DecisionEnded { consent }));
    }
    let reason = &house.read("Consent/share-husband")["extension"][0]["valueCodeableConcept"]["coding"][0]["code"];
    assert_eq!(reason, "ROLE_DEACTIVATED_PATIENT_REQUEST");
    for consent in ["of-practice", "organ"] {
        assert_eq!(house.read(&format!("Consent/{consent}"))["status"], "active", "{consent}");
    }
    assert!(!house.signed_in("joan").get("/auth/manage").text().contains("decided"));
}

/// Nor does anybody end them who is not proven to be the patient.
#[test]
fn decisions_are_for_who_is_proven_to_be_the_patient() {
    let house = House::new();
    let people = People::new(house.repository.vault());
    people
        .change("joan", &crate::system_random(), |account| account.vot = Some("P5.Cp.Cd".to_owned()))
        .expect("changed");
    assert!(!house.signed_in("joan").get("/auth/manage").text().contains("decided"));
    assert!(!end(&house, "joan", "ndop"));
    assert_eq!(house.read("Consent/ndop")["status"], "active");
}
