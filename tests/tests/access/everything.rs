use flint_tests::{Guarded, Holder};
use serde_json::{Value, json};

use super::callers::{holder, keeper};
use super::matrix::told;

const EVERYTHING: &str = "/Patient/p1/$everything";

/// What is hidden is not among the matches, not counted, not included, and nothing names it.
#[test]
fn consent_holds_in_all_of_it() {
    let guarded = Guarded::surgery();
    let keeper = guarded.hold(&keeper());
    let to = |key: &str| json!({ "reference": key });
    let list = json!({ "resourceType": "List", "id": "both", "status": "current", "mode": "working", "subject": to("Patient/p1"),
        "entry": [{ "item": to("Condition/copd1") }, { "item": to("Condition/sens1") }] });
    keeper.send("PUT /List/both", list).expect(201);
    let observation = json!({ "resourceType": "Observation", "id": "about", "status": "final", "code": { "text": "x" },
        "subject": to("Patient/p1"), "focus": [to("Condition/sens1"), to("Location/loc1")] });
    keeper.send("PUT /Observation/about", observation).expect(201);
    let found = |name: &str| guarded.hold(&holder(name)).get(EVERYTHING).expect(200);
    let whole = found("patient");
    assert!(whole.text.contains("\"sens1\"") && whole.text.contains("Condition/sens1"));
    for name in ["patient", "staff", "custodian"] {
        assert_eq!(found(name).keys("match"), whole.keys("match"), "{name}");
    }
    let app = found("app");
    assert!(!app.text.contains("sens1") && app.text.contains("masked"), "{}", app.text);
    let shown: Vec<_> = whole.keys("match").into_iter().filter(|key| key != "Condition/sens1").collect();
    assert_eq!((app.keys("match"), app.pointer("/total")), (shown.clone(), shown.len().to_string()));
    assert!(app.keys("include").contains(&"Location/loc1".to_owned()));
    // Each page by itself as well.
    let caller = guarded.hold(&holder("app"));
    let (mut paged, mut next) = (Vec::new(), Some(format!("{EVERYTHING}?_count=3")));
    while let Some(url) = next {
        let page = caller.get(&url).expect(200);
        assert!(!page.text.contains("sens1"), "{}", page.text);
        paged.extend(page.keys("match"));
        next = page.link("next");
    }
    assert_eq!(paged, shown);
}

/// A record that the caller may not see is one that there is not, on the first page and on the next ones.
#[test]
fn a_hidden_record_is_none() {
    let guarded = Guarded::surgery();
    let keeper = guarded.hold(&keeper());
    super::callers::end_consents(&keeper);
    for name in super::callers::BLIND.iter().filter(|name| **name != "hidden by consent") {
        let caller = guarded.hold(&holder(name));
        let hidden = caller.get(EVERYTHING).expect(404);
        let absent = caller.get("/Patient/p9/$everything").expect(404);
        assert_eq!(told(&hidden, "p1"), told(&absent, "p9"), "{name}");
    }
    let proxy = guarded.hold(&holder("proxy"));
    let first = proxy.get(&format!("{EVERYTHING}?_count=2")).expect(200);
    let next = first.link("next").expect("a link");
    proxy.get(&next).expect(200);
    // Others cannot use the link.
    guarded.hold(&holder("patient")).get(&next).expect(400);
    let mut ended: Value = keeper.get("/Consent/share-husband").expect(200).json();
    ended["status"] = json!("inactive");
    ended["extension"] = json!([{ "url": "https://fhir.nhs.uk/England/StructureDefinition/Extension-England-Consent-Status-Reason",
        "valueCodeableConcept": { "coding": [{ "code": "ROLE_DEACTIVATED_PATIENT_REQUEST" }] } }]);
    keeper.send("PUT /Consent/share-husband", ended).expect(200);
    proxy.get(&next).expect(404);
}

/// On the type it is the record to which the caller is limited, and of other callers all that they see.
#[test]
fn on_the_type_it_is_the_record_of_who_is_limited_to_one() {
    let guarded = Guarded::surgery();
    for (name, patient) in [("patient", "p1"), ("app", "p1"), ("proxy", "p1"), ("other patient", "p2")] {
        let caller = guarded.hold(&holder(name));
        let found = caller.get("/Patient/$everything").expect(200).keys("match");
        assert_eq!(found, caller.get(&format!("/Patient/{patient}/$everything")).expect(200).keys("match"), "{name}");
        assert_eq!(found[0], format!("Patient/{patient}"));
    }
    let research = guarded.hold(&holder("research")).get("/Patient/$everything").expect(200);
    assert_eq!(research.keys("match"), ["Patient/p2", "Patient/p3"]);
    let staff = guarded.hold(&holder("staff")).get("/Patient/$everything").expect(200);
    assert!(
        ["Patient/p1", "Patient/p3", "Condition/sens1"]
            .iter()
            .all(|key| staff.keys("match").contains(&(*key).to_owned()))
    );
}

/// Of types without a scope nothing comes, and to ask for them is refused.
#[test]
fn scopes_say_of_which_types_it_is() {
    let guarded = Guarded::surgery();
    let own = Holder { user: "Patient/p1", patient: "p1", ..Holder::default() };
    let with = |scope: &'static str| guarded.hold(&Holder { scope, ..own.clone() });
    let some = with(
        "patient/Patient.r patient/Observation.rs?category=laboratory patient/Condition.s patient/PractitionerRole.rs",
    );
    let page = some.get(EVERYTHING).expect(200);
    let is_granted = |key: &String| key.starts_with("Observation/") || key.starts_with("Condition/");
    assert!(page.keys("match").iter().all(is_granted), "{:?}", page.keys("match"));
    assert!(page.keys("match").contains(&"Condition/copd1".to_owned()));
    assert!(page.keys("include").iter().all(|key| key == "PractitionerRole/dr1role"), "{:?}", page.keys("include"));
    some.get(&format!("{EVERYTHING}?_type=Condition")).expect(200);
    some.get(&format!("{EVERYTHING}?_type=Condition,Goal")).expect(403);
    with("patient/Observation.rs").get(EVERYTHING).expect(403);
    with("patient/Patient.r").get(EVERYTHING).expect(403);
}

/// One account of each page, which names the patient and the operation.
#[test]
fn it_is_accounted_for_once() {
    let guarded = Guarded::surgery();
    let (own, staff) = (guarded.hold(&holder("patient")), guarded.hold(&holder("staff")));
    staff.get(&format!("{EVERYTHING}?_type=Patient,Observation,Organization")).expect(200);
    staff.get("/Patient/p9/$everything").expect(404);
    let events = own.get("/AuditEvent?patient=p1").expect(200).json();
    let events = events["entry"].as_array().expect("events").iter().map(|entry| &entry["resource"]);
    let events: Vec<_> = events.filter(|event| event.to_string().contains("Practitioner/dr1")).collect();
    let [event] = &events[..] else { panic!("{events:?}") };
    assert_eq!(event["subtype"][1]["code"], "everything", "{event}");
    let text = event.to_string();
    assert!(["Patient/p1", "Observation/spo2-1"].iter().all(|key| text.contains(key)), "{text}");
    // Of each look there is an event: it is part of the record only for who asks for it.
    let kinds = |query: &str| own.get(&format!("{EVERYTHING}{query}")).expect(200).keys("match");
    assert!(kinds("").iter().all(|key| !key.starts_with("AuditEvent/")));
    assert!(!kinds("?_type=AuditEvent").is_empty());
}
