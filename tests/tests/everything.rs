use std::collections::BTreeSet;

use flint_tests::{Flint, Reply};
use serde_json::{Value, json};

/// All of Joan's record in examples/surgery.
const RECORD: [&str; 21] = [
    "Patient/p1",
    "RelatedPerson/rp1",
    "Condition/copd1",
    "Condition/sens1",
    "AllergyIntolerance/all1",
    "Observation/spo2-1",
    "Observation/spo2-2",
    "Observation/fev1-1",
    "Observation/mmrc-1",
    "Goal/goal1",
    "CarePlan/cp1",
    "MedicationRequest/plan-ok",
    "MedicationRequest/plan-exhausted",
    "MedicationRequest/plan-expired",
    "MedicationRequest/plan-stopped",
    "MedicationRequest/plan-unlimited",
    "MedicationRequest/plan-acute",
    "Consent/share-app",
    "Consent/share-husband",
    "Consent/organ",
    "Consent/ndop",
];

fn set(keys: impl IntoIterator<Item = impl Into<String>>) -> BTreeSet<String> {
    keys.into_iter().map(Into::into).collect()
}

/// All pages, the first of them first.
fn pages(flint: &Flint, url: &str) -> Vec<Reply> {
    let mut pages = vec![flint.get(url).expect(200)];
    while let Some(next) = pages.last().and_then(|page| page.link("next")) {
        pages.push(flint.get(&next).expect(200));
    }
    pages
}

/// The matches of all pages, each of which is there once.
fn matches(pages: &[Reply]) -> Vec<String> {
    let all: Vec<_> = pages.iter().flat_map(|page| page.keys("match")).collect();
    assert_eq!(set(all.clone()).len(), all.len(), "{all:?}");
    all
}

#[test]
fn gives_the_patient_and_all_that_is_about_the_patient() {
    let flint = Flint::surgery();
    let page = flint.get("/Patient/p1/$everything").expect(200);
    let page = page.facts(&[("/resourceType", "Bundle"), ("/type", "searchset"), ("/total", "21")]);
    let found = page.keys("match");
    assert_eq!(found[0], "Patient/p1");
    assert_eq!(set(found), set(RECORD));
    let others = ["Organization/app1", "Organization/gp1", "Organization/pharm1", "PractitionerRole/dr1role"];
    assert_eq!(set(page.keys("include")), set(others));
    flint.get("/Patient/p1/$everything?_count=0").expect(200).facts(&[("/total", "21"), ("/entry", "-")]);
    let xml = flint.get("/Patient/p1/$everything?_format=xml").expect(200);
    assert!(xml.text.contains("<Observation") && xml.text.contains("value=\"spo2-1\""), "{}", xml.text);
    // What R4's compartment leaves out although it says whose it is.
    let task = json!({ "resourceType": "Task", "id": "t1", "status": "requested", "intent": "order", "for": { "reference": "Patient/p1" } });
    flint.send("PUT /Task/t1", task).expect(201);
    assert!(flint.get("/Patient/p1/$everything").expect(200).keys("match").contains(&"Task/t1".to_owned()));
    // Nobody else's.
    assert_eq!(flint.get("/Patient/p2/$everything").expect(200).keys("match"), ["Patient/p2"]);
}

#[test]
fn each_page_has_what_it_refers_to_and_pages_go_both_ways() {
    let flint = Flint::surgery();
    for count in 1..=RECORD.len() + 1 {
        let pages = pages(&flint, &format!("/Patient/p1/$everything?_count={count}"));
        let all = matches(&pages);
        assert_eq!((all[0].as_str(), set(all.clone())), ("Patient/p1", set(RECORD)), "{count}");
        assert_eq!(pages.len(), RECORD.len().div_ceil(count));
        for page in &pages {
            assert_eq!(page.pointer("/total"), "21");
            let on_page = page.keys("match");
            let refers = on_page.iter().any(|key| key.starts_with("MedicationRequest/"));
            assert_eq!(page.keys("include").contains(&"Organization/pharm1".to_owned()), refers, "{on_page:?}");
        }
        let mut back = Vec::new();
        let mut page = pages.last().and_then(|last| last.link("previous"));
        while let Some(url) = page {
            let reply = flint.get(&url).expect(200);
            back.push(reply.keys("match"));
            page = reply.link("previous");
        }
        let forth = pages.iter().rev().skip(1).map(|page| page.keys("match"));
        assert_eq!(back, forth.collect::<Vec<_>>(), "{count}");
    }
}

/// While one goes back, what comes before the first of the others is still the patient alone.
#[test]
fn the_patient_stays_first_while_the_record_changes() {
    let flint = Flint::surgery();
    let second = pages(&flint, "/Patient/p1/$everything?_count=2&_type=Patient,Goal,CarePlan,Condition").remove(1);
    let shown = second.keys("match");
    let gone = flint.get(&second.link("first").expect("a link")).expect(200).keys("match").remove(1);
    flint.call(&format!("DELETE /{gone}")).send().expect(204);
    let back = flint.get(&second.link("previous").expect("a link")).expect(200);
    assert_eq!((back.keys("match"), back.link("previous")), (vec!["Patient/p1".to_owned()], None));
    let again = flint.get(&second.link("self").expect("a link")).expect(200);
    assert_eq!(again.keys("match"), shown);
    let back = flint.get(&again.link("previous").expect("a link")).expect(200);
    assert_eq!((back.keys("match"), back.link("previous")), (vec!["Patient/p1".to_owned()], None));
    assert_eq!(flint.get(&back.link("next").expect("a link")).expect(200).keys("match"), shown);
}

/// A third-party app fetches what has changed since it last asked, 50 at a time.
#[test]
fn what_is_new_of_a_type_is_what_the_search_finds() {
    let flint = Flint::surgery();
    let since = "2027-03-01T08:00:00.500Z";
    flint.advance(std::time::Duration::from_secs(60));
    let observation = |at: usize| {
        let profile = "https://fhir.hl7.org.uk/StructureDefinition/UKCore-Observation";
        let observation = json!({ "resourceType": "Observation", "meta": { "profile": [profile] }, "status": "final",
            "code": { "text": "x" }, "subject": { "reference": if at.is_multiple_of(10) { "Patient/p2" } else { "Patient/p1" } },
            "performer": [{ "reference": "Practitioner/dr1" }] });
        json!({ "resource": observation, "request": { "method": "POST", "url": "Observation" } })
    };
    let entries: Vec<_> = (0..130).map(observation).collect();
    flint.send("POST /", json!({ "resourceType": "Bundle", "type": "transaction", "entry": entries })).expect(200);
    flint.call("DELETE /Observation/spo2-1").send().expect(204);
    let direct = matches(&pages(&flint, &format!("/Observation?patient=p1&_lastUpdated=ge{since}")));
    assert_eq!(direct.len(), 117);
    let found = pages(&flint, &format!("/Patient/p1/$everything?_type=Observation&_since={since}&_count=50"));
    assert_eq!(found.iter().map(|page| page.keys("match").len()).collect::<Vec<_>>(), [50, 50, 17]);
    assert_eq!(set(matches(&found)), set(direct));
    assert!(found.iter().all(|page| page.keys("include").is_empty()));
    let with_others = format!("/Patient/p1/$everything?_type=Observation&_type=Practitioner,Patient&_since={since}");
    let page = flint.get(&with_others).expect(200);
    assert_eq!((page.pointer("/total"), page.keys("include")), ("117".to_owned(), vec!["Practitioner/dr1".to_owned()]));
    // Nothing of the record was written later.
    let none = flint.get("/Patient/p1/$everything?_since=2027-03-02T00:00:00Z").expect(200);
    none.facts(&[("/total", "0"), ("/entry", "-")]);
}

/// What has dates, all of them outside, is left out; what has none stays.
#[test]
fn days_of_care_leave_out_what_is_from_others() {
    let flint = Flint::surgery();
    let types = "_type=Patient,Condition,Observation,MedicationRequest";
    let all = |start: &str, end: &str| {
        let days = [("start", start), ("end", end)].into_iter().filter(|(_, day)| !day.is_empty());
        let days: String = days.map(|(name, day)| format!("&{name}={day}")).collect();
        set(flint.get(&format!("/Patient/p1/$everything?{types}{days}")).expect(200).keys("match"))
    };
    let mut condition = flint.get("/Condition/sens1").expect(200).json();
    condition
        .as_object_mut()
        .expect("an object")
        .retain(|name, _| !["onsetDateTime", "recordedDate"].contains(&name.as_str()));
    flint.send("PUT /Condition/sens1", condition).expect(200);
    let undated = ["Patient/p1", "Condition/sens1"];
    let with = |more: &[&str]| set(undated.iter().chain(more).copied());
    assert_eq!(all("2027-02-20", "2027-02-20"), with(&["Observation/spo2-1"]));
    assert_eq!(all("2027-02", ""), with(&["Observation/spo2-1", "Observation/spo2-2"]));
    assert_eq!(all("", "2016-10-31"), with(&[]));
    assert_eq!(all("", "2016-11"), with(&["Condition/copd1"]));
    assert_eq!(all("", "").len(), 13);
}

#[test]
fn takes_its_inputs_as_parameters_too() {
    let flint = Flint::surgery();
    let body = json!({ "resourceType": "Parameters", "parameter": [
        { "name": "_type", "valueCode": "Observation" }, { "name": "_type", "valueCode": "Goal" },
        { "name": "start", "valueDate": "2027-02-01" }, { "name": "_since", "valueInstant": "2027-01-01T00:00:00Z" },
        { "name": "_count", "valueInteger": 2 }] });
    let posted = flint.send("POST /Patient/p1/$everything", body).expect(200);
    let url =
        "/Patient/p1/$everything?_type=Observation&_type=Goal&start=2027-02-01&_since=2027-01-01T00:00:00Z&_count=2";
    let got = flint.get(url).expect(200);
    assert_eq!((posted.keys("match"), posted.link("self")), (got.keys("match"), got.link("self")));
    assert_eq!(matches(&pages(&flint, &posted.link("first").expect("a link"))).len(), 3);
    flint
        .send("POST /Patient/p1/$everything", json!({ "resourceType": "Parameters" }))
        .expect(200)
        .facts(&[("/total", "21")]);
    let entry = |url: &str| json!({ "request": { "method": "GET", "url": url } });
    let bundle = |kind: &str| json!({ "resourceType": "Bundle", "type": kind, "entry": [entry("Patient/p1/$everything?_type=Goal"), entry("Patient/none/$everything")] });
    let batch = flint.send("POST /", bundle("batch")).expect(200);
    batch.facts(&[
        ("/entry/0/resource/entry/0/resource/id", "goal1"),
        ("/entry/0/resource/link/0/url", "*/Patient/p1/$everything?_type=Goal&_count=50"),
        ("/entry/1/response/status", "404*"),
    ]);
    flint.send("POST /", bundle("transaction")).expect(400);
}

#[test]
fn on_the_type_it_gives_all_records() {
    let flint = Flint::surgery();
    let of_place = json!({ "resourceType": "Observation", "id": "place", "status": "final", "code": { "text": "x" }, "subject": { "reference": "Location/loc1" } });
    flint.send("PUT /Observation/place", of_place).expect(201);
    let found = pages(&flint, "/Patient/$everything?_count=9");
    found[0].pointer("/total").parse::<u64>().map(|total| assert_eq!(total, 23)).expect("a number");
    assert_eq!(set(matches(&found)), set(RECORD.into_iter().chain(["Patient/p2", "Patient/p3"])));
}

#[test]
fn refuses_what_it_does_not_understand_by_name() {
    let flint = Flint::surgery();
    for (query, status, told) in [
        ("_type=Observations", 400, "`_type` is `Observations`"),
        ("_type=Observation,", 400, "`_type`"),
        ("_type=Practitioner", 400, "`_type` is `Practitioner`, expected a type that is part of records"),
        ("start=yesterday", 400, "`start` has a wrong value"),
        ("start=2027-02-30", 400, "`start` has a wrong value"),
        ("end=2027-01-01&start=2027-01-02", 400, "`end` is before `start`"),
        ("_since=2027", 400, "`_since` has a wrong value"),
        ("_count=-1", 400, "`_count` is `-1`"),
        ("_count=many", 400, "`_count` has a wrong value"),
        ("start=2027&start=2026", 400, "`start`"),
        ("_summary=true", 400, "no input `_summary`"),
        ("_page=AAAA", 400, "`_page` is no page of this search"),
    ] {
        let reply = flint.get(&format!("/Patient/p1/$everything?{query}")).expect(status);
        assert!(reply.text.contains(told), "{query}: {}", reply.text);
    }
    let text = json!({ "resourceType": "Parameters", "parameter": [{ "name": "start", "valueString": "2027" }] });
    flint.send("POST /Patient/p1/$everything", text).expect(400);
    flint.send("POST /Patient/p1/$everything", json!({ "resourceType": "Patient" })).expect(400);
    flint.get("/Patient/none/$everything").expect(404);
    flint.get("/Practitioner/dr1/$everything").expect(404);
    flint.send("PUT /Patient/gone", json!({ "resourceType": "Patient", "id": "gone" })).expect(201);
    flint.call("DELETE /Patient/gone").send().expect(204);
    flint.get("/Patient/gone/$everything").expect(410);
    // A link is a page of its own search only.
    let next = flint.get("/Patient/p1/$everything?_count=2").expect(200).link("next").expect("a link");
    flint.get(&next.replace("/p1/", "/p2/")).expect(400);
}

#[test]
fn metadata_names_it() {
    let statement: Value = Flint::start().get("/metadata").expect(200).json();
    let resources = statement["rest"][0]["resource"].as_array().expect("resources").clone();
    let patient = resources.into_iter().find(|resource| resource["type"] == "Patient").expect("Patient");
    let expected =
        json!({ "name": "everything", "definition": "http://hl7.org/fhir/OperationDefinition/Patient-everything" });
    assert!(patient["operation"].as_array().expect("operations").contains(&expected), "{}", patient["operation"]);
}
