//! Whose record an app is opened with.

use super::*;

/// The patients that may be chosen on a page.
fn choices(page: &Reply) -> Vec<String> {
    let text = page.text();
    let values = text.split("name=\"patient\" value=\"").skip(1).filter_map(|rest| rest.split('"').next());
    values.map(str::to_owned).filter(|value| !value.is_empty()).collect()
}

#[test]
fn offers_ones_own_and_those_one_acts_for() {
    let house = House::new();
    let mut peter = house.signed_in("peter");
    let page = peter.get(&request(&[]));
    assert_eq!(choices(&page), ["p2", "p1"]);
    for text in [
        "Peter Hartley",
        "Joan Hartley",
        "You act for this person (spouse). Born 2 April 1955. NHS number 900 000 0009",
    ] {
        assert!(page.text().contains(text), "{text}: {}", page.text());
    }
    for (chosen, shown) in [("p1", "the record of Joan Hartley"), ("p2", "your record, Peter Hartley")] {
        let page = peter.submit(&page, "/auth/authorize/patient", &[("patient", chosen)]);
        assert!(page.text().contains(shown), "{}", page.text());
    }
    for wrong in ["p3", "none", "", "../p1", "Patient/p1"] {
        let again = peter.submit(&page, "/auth/authorize/patient", &[("patient", wrong)]);
        assert!(
            again.status == 400 && again.text().contains("Choose one of the records") || wrong.is_empty(),
            "{wrong}"
        );
        assert!(!again.text().contains("May The app"), "{wrong}");
    }
    // The last step believes no more than the one before.
    let page = peter.submit(&page, "/auth/authorize/patient", &[("patient", "p2")]);
    let stolen = peter.submit(&page, "/auth/authorize/consent", &[("decision", "allow"), ("patient", "p3")]);
    assert_eq!((stolen.status, stolen.header("Location")), (400, None));
    assert_eq!(house.grants(), []);
}

#[test]
fn a_proxy_needs_a_consent_that_permits() {
    let house = House::new();
    let husband = house.read("Consent/share-husband").to_string();
    let period = r#""period":{"start":"2027-02-01"}"#;
    // What of the Consent is replaced, by what, whether Peter may choose Joan's record.
    let cases = [
        ("", "", true),
        (r#""status":"active""#, r#""status":"inactive""#, false),
        (r#""status":"active""#, r#""status":"proposed""#, false),
        (r#""type":"permit""#, r#""type":"deny""#, false),
        ("RelatedPerson/rp1", "Organization/app1", false),
        ("patient-privacy", "research", false),
        (period, r#""period":{"start":"2027-03-02"}"#, false),
        (period, r#""period":{"start":"2027-03-01","end":"2027-03-01"}"#, true),
        (period, r#""period":{"start":"2027-02-01","end":"2027-02-28"}"#, false),
        ("\"patient\":{\"reference\":\"Patient/p1\"}", "\"patient\":{\"reference\":\"Patient/p3\"}", false),
    ];
    for (from, to, may) in cases {
        assert!(husband.contains(from), "{from}");
        house.hold(&husband.replace(from, to));
        let mut peter = house.signed_in("peter");
        let page = peter.get(&request(&[]));
        assert_eq!(choices(&page).contains(&"p1".to_owned()), may, "{to}");
        // The related person's own account has no other record.
        let reply = house.signed_in("carer").get(&request(&[]));
        match may {
            true => assert!(reply.text().contains("the record of Joan Hartley"), "{to}"),
            false => assert_eq!(reply.app_gets("error"), "access_denied", "{to}"),
        }
    }
    house.hold(&husband);
    let person = house.read("RelatedPerson/rp1").to_string();
    house.hold(&person.replace(r#""patient""#, r#""active":false,"patient""#));
    assert!(house.signed_in("peter").get(&request(&[])).text().contains("your record, Peter Hartley"));
}

#[test]
fn staff_search() {
    let house = House::new();
    house.hold(r#"{"resourceType":"Patient","id":"gone","active":false,"name":[{"family":"Hartley"}],"birthDate":"1955-04-02"}"#);
    for number in 0..22 {
        house.hold(&format!(
            r#"{{"resourceType":"Patient","id":"many-{number}","name":[{{"family":"Many"}}],"birthDate":"2000-01-01"}}"#
        ));
    }
    let mut ada = house.signed_in("ada");
    let page = ada.get(&request(&[]));
    assert_eq!(choices(&page), [""; 0]);
    // NHS number, family name, date of birth, who is found.
    let cases = [
        ("900 000 0009", "", "", "p1"),
        ("9000000033", "", "", ""),
        ("", "Hartley", "2 4 1955", "p1"),
        ("", "hart", "02/04/1955", "p1"),
        ("", "Hartley", "3 4 1955", ""),
        ("", "Hartley,Nasser", "30 1 1990", ""),
    ];
    for (nhs_number, family, born, found) in cases {
        let fields = [("nhs-number", nhs_number), ("family", family), ("born", born)];
        let page = ada.submit(&page, "/auth/authorize/search", &fields);
        assert_eq!(page.status, 200);
        assert_eq!(choices(&page).join(" "), found, "{fields:?}");
    }
    let many = ada.submit(&page, "/auth/authorize/search", &[("family", "Many"), ("born", "1 1 2000")]);
    assert_eq!(choices(&many).len(), 20);
    assert!(many.text().contains("The first 20 patients"));
    let wrong = ada.submit(&page, "/auth/authorize/search", &[("family", "<i>"), ("born", "x")]);
    assert_eq!(wrong.status, 400);
    assert!(wrong.text().contains("value=\"&#60;i&#62;\"") && wrong.text().contains("href=\"#born\""));
    assert!(wrong.text().contains("aria-describedby=\"born-hint born-problem\""), "{}", wrong.text());

    let found = ada.submit(&page, "/auth/authorize/search", &[("nhs-number", "9000000009")]);
    let page = ada.submit(&found, "/auth/authorize/patient", &[("patient", "p1")]);
    assert!(page.text().contains("the record of Joan Hartley"));
    assert_eq!(ada.submit(&found, "/auth/authorize/patient", &[("patient", "gone")]).status, 400);
    // Nobody else may search.
    let mut peter = house.signed_in("peter");
    let own = peter.get(&request(&[]));
    let form = own.form("/auth/authorize/patient");
    assert_eq!(peter.post("/auth/authorize/search", form, Some("https://ehr.example")).status, 403);
}

/// What hides a patient from staff in the API hides the patient here, and who is shown finds out by whom.
#[test]
fn staff_find_whom_they_may_see_and_are_told_of() {
    let house = House::new();
    let seen_by = |house: &House| {
        house.repository.ledger().settle(None).expect("settled");
        let records = house.repository.open(Access::full());
        records.lookup("AuditEvent", "patient=p1&agent=Practitioner/dr1", 100).expect("found").len()
    };
    let mut ada = house.signed_in("ada");
    let page = ada.get(&request(&[]));
    let joan = [("nhs-number", "9000000009")];
    assert_eq!(seen_by(&house), 0);
    let found = ada.submit(&page, "/auth/authorize/search", &joan);
    assert_eq!((choices(&found), seen_by(&house)), (vec!["p1".to_owned()], 1));
    // Who asks for more time here goes on to the app.
    assert!(found.form("/auth/more-time").contains(&("next".to_owned(), request(&[]))));
    let chosen = ada.submit(&found, "/auth/authorize/patient", &[("patient", "p1")]);
    assert!(chosen.text().contains("the record of Joan Hartley") && seen_by(&house) == 2, "{}", chosen.text());

    // Who is meant, and what the patient does; whether she is found.
    let deny = house.read("Consent/share-husband").to_string().replace("share-husband", "deny");
    let deny = deny.replace(r#""type":"permit""#, r#""type":"deny""#);
    let cases = [
        ("Practitioner/dr1", "active", false),
        ("PractitionerRole/dr1role", "active", false),
        ("Practitioner/dr1", "inactive", true),
        ("RelatedPerson/rp1", "active", true),
    ];
    for (whom, status, is_found) in cases {
        let deny = deny.replace(r#""status":"active""#, &format!(r#""status":"{status}""#));
        house.hold(&deny.replace("RelatedPerson/rp1", whom));
        let before = seen_by(&house);
        for search in [&joan[..], &[("family", "Hartley"), ("born", "2 4 1955")]] {
            let shown = ada.submit(&page, "/auth/authorize/search", search);
            assert_eq!(choices(&shown).contains(&"p1".to_owned()), is_found, "{whom} {status} {search:?}");
        }
        let chosen = ada.submit(&found, "/auth/authorize/patient", &[("patient", "p1")]);
        assert_eq!(chosen.status, if is_found { 200 } else { 400 }, "{whom} {status}");
        // Where she is not found she is told that somebody asked by her number.
        assert_eq!(seen_by(&house) - before, if is_found { 3 } else { 1 }, "{whom} {status}");
    }
}
