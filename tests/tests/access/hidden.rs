use flint_tests::{Guarded, Holder, example};
use serde_json::{Value, json};
use server::EarlierVersions;

use super::callers::{holder, keeper};

const PSY: &str = r#"{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"PSY"}"#;

fn condition(id: &str, labels: &str) -> Value {
    let text = format!(
        r#"{{"resourceType":"Condition","id":"{id}","meta":{{"security":[{labels}]}},"subject":{{"reference":"Patient/p1"}},"code":{{"text":"x"}},
            "clinicalStatus":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"active"}}]}}}}"#
    );
    let mut condition: Value = serde_json::from_str(&text).expect("JSON");
    if labels.is_empty() {
        condition.as_object_mut().expect("an object").remove("meta");
    }
    condition
}

/// What was hidden when it was deleted shows none of its versions, and what was seen shows those that are seen.
#[test]
fn what_was_deleted_stays_hidden() {
    let guarded = Guarded::surgery();
    let (keeper, app) = (guarded.hold(&keeper()), guarded.hold(&holder("app")));
    for (id, labels) in [("gone", ["", PSY]), ("seen", [PSY, ""])] {
        for (label, status) in labels.into_iter().zip([201, 200]) {
            keeper.send(&format!("PUT /Condition/{id}"), condition(id, label)).expect(status);
        }
        keeper.call(&format!("DELETE /Condition/{id}")).send().expect(204);
    }
    app.get("/Condition/gone").expect(404);
    app.get("/Condition/gone/_history").expect(404);
    app.get("/Condition/gone/_history/1").expect(404);
    app.get("/Condition/seen").expect(410);
    app.get("/Condition/seen/_history/1").expect(404);
    app.get("/Condition/seen/_history/2").expect(200);
    for url in ["/Condition/_history", "/_history"] {
        let history = app.get(url).expect(200);
        let told = |key: &str| {
            history.text.contains(&format!("\"fullUrl\":\"{}/Condition/{key}\"", guarded.flint().base_url()))
        };
        assert!(!told("gone") && told("seen"), "{url}: {}", history.text);
    }
}

/// Gaps in the numbers of versions tell that others are hidden, unless none but the current one is shown.
#[test]
fn earlier_versions_are_shown_as_the_policy_says() {
    for (earlier_versions, status, shown) in
        [(EarlierVersions::Shown, 200, ["3", "1"].as_slice()), (EarlierVersions::Hidden, 404, ["3"].as_slice())]
    {
        let guarded = Guarded::start_with(|config| {
            config.load.push(example("seed-transaction.json"));
            config.earlier_versions = earlier_versions;
        });
        let (keeper, app) = (guarded.hold(&keeper()), guarded.hold(&holder("app")));
        for (labels, status) in [("", 201), (PSY, 200), ("", 200)] {
            keeper.send("PUT /Condition/c", condition("c", labels)).expect(status);
        }
        app.get("/Condition/c/_history/3").expect(200);
        app.get("/Condition/c/_history/2").expect(404);
        app.get("/Condition/c/_history/1").expect(status);
        keeper.get("/Condition/c/_history/1").expect(200);
        for url in ["/Condition/c/_history", "/Condition/_history", "/_history"] {
            let history = app.get(url).expect(200).json();
            let of_it = |entry: &&Value| entry["resource"]["id"] == "c";
            let entries = history["entry"].as_array().expect("entries").iter().filter(of_it);
            let found: Vec<_> = entries.map(|entry| entry["resource"]["meta"]["versionId"].clone()).collect();
            assert_eq!(found, shown, "{url}");
        }
        keeper.call("DELETE /Condition/c").send().expect(204);
        app.get("/Condition/c").expect(410);
        app.get("/Condition/c/_history/4").expect(410);
        app.get("/Condition/c/_history/3").expect(status);
    }
}

/// What a search did tells of what it looked at: nobody is told from whom anything may be hidden.
#[test]
fn the_plan_of_a_search_is_for_who_sees_everything() {
    let guarded = Guarded::surgery();
    let (keeper, app) = (guarded.hold(&keeper()), guarded.hold(&holder("app")));
    let plan = |caller: &flint_tests::Bearer<'_>, id: &str| {
        caller.get(&format!("/Condition?_id={id}&_explain=true")).expect(200).text.replace(id, "ID")
    };
    assert_eq!(plan(&app, "sens1"), plan(&app, "none1"));
    assert!(plan(&app, "sens1").contains("is told only to who may see everything"));
    assert!(plan(&keeper, "sens1").contains("search: "));
}

/// A reference tells no patient's app of what belongs to others, of whatever type.
#[test]
fn references_tell_nothing_of_others() {
    let guarded = Guarded::surgery();
    let (keeper, app) = (guarded.hold(&keeper()), guarded.hold(&holder("patient")));
    let there = [
        json!({ "resourceType": "Binary", "contentType": "text/plain", "securityContext": { "reference": "Patient/p2" } }),
        json!({ "resourceType": "Bundle", "type": "collection" }),
        json!({ "resourceType": "Provenance", "target": [{ "reference": "Patient/p2" }], "recorded": "2027-02-01T10:00:00Z",
            "agent": [{ "who": { "reference": "Practitioner/dr1" } }] }),
        json!({ "resourceType": "Condition", "subject": { "reference": "Patient/p2" } }),
    ];
    let about = |key: &str| {
        let observation = json!({ "resourceType": "Observation", "status": "final", "code": { "text": "x" },
            "subject": { "reference": "Patient/p1" }, "focus": [{ "reference": key }] });
        app.send("POST /Observation", observation).expect(422).text.replace(key, "KEY")
    };
    for resource in there {
        let name = resource["resourceType"].as_str().expect("a type").to_owned();
        let id = keeper.send(&format!("POST /{name}"), resource).expect(201).pointer("/id");
        assert_eq!(about(&format!("{name}/{id}")), about(&format!("{name}/none")));
    }
    let own = json!({ "resourceType": "Binary", "contentType": "text/plain", "securityContext": { "reference": "Patient/p1" } });
    let id = keeper.send("POST /Binary", own).expect(201).pointer("/id");
    let observation = json!({ "resourceType": "Observation", "status": "final", "code": { "text": "x" },
        "subject": { "reference": "Patient/p1" }, "focus": [{ "reference": format!("Binary/{id}") }] });
    app.send("POST /Observation", observation).expect(201);
}

/// Once what an access rests on is over, nothing is written with it either.
#[test]
fn nothing_is_written_after_the_consent() {
    let guarded = Guarded::surgery();
    let (keeper, proxy) = (guarded.hold(&keeper()), guarded.hold(&holder("proxy")));
    let observation = json!({ "resourceType": "Observation", "status": "final", "code": { "text": "x" }, "subject": { "reference": "Patient/p1" } });
    proxy.send("POST /Observation", observation.clone()).expect(201);
    let mut ended = keeper.get("/Consent/share-husband").expect(200).json();
    ended["status"] = json!("inactive");
    ended["extension"] = json!([{ "url": "https://fhir.nhs.uk/England/StructureDefinition/Extension-England-Consent-Status-Reason",
        "valueCodeableConcept": { "coding": [{ "code": "ROLE_DEACTIVATED_PATIENT_REQUEST" }] } }]);
    keeper.send("PUT /Consent/share-husband", ended).expect(200);
    proxy.send("POST /Observation", observation.clone()).expect(403);
    let nobody = Holder { consents: &[], ..holder("proxy") };
    guarded.hold(&nobody).send("POST /Observation", observation).expect(403);
}

/// A consent may name who asks by the identifiers of the organization, or of the person.
#[test]
fn consents_name_by_identifier_too() {
    let guarded = Guarded::surgery();
    let keeper = guarded.hold(&keeper());
    let organization = keeper.get("/Organization/gp1").expect(200).json()["identifier"][0].clone();
    let person = keeper.get("/Practitioner/dr1").expect(200).json()["identifier"][0].clone();
    for identifier in [organization, person] {
        let mut dissent = keeper.get("/Consent/ndop").expect(200).json();
        dissent["id"] = json!("dissent");
        dissent["scope"]["coding"][0]["code"] = json!("patient-privacy");
        dissent["provision"] = json!({ "type": "deny", "actor": [{ "role": { "coding": [{ "code": "IRCP" }] }, "reference": { "identifier": identifier } }] });
        keeper.send("PUT /Consent/dissent", dissent);
        assert_eq!(guarded.hold(&holder("staff")).get("/Condition/copd1").status, 404, "{identifier}");
    }
}

/// An event names what was done with, hidden or gone: an app learns nothing from the audit of what is hidden from it.
#[test]
fn the_audit_tells_nothing_of_what_is_hidden() {
    let guarded = Guarded::surgery();
    let keeper = guarded.hold(&Holder { scope: "system/*.cruds", custodian: true, ..Holder::default() });
    keeper.get("/Condition/sens1").expect(200);
    keeper.call("DELETE /Condition/sens1").send().expect(204);
    let joan =
        Holder { scope: "patient/*.rs", user: "Patient/p1", patient: "p1", purposes: &["PATRQT"], ..Holder::default() };
    let app = Holder { consents: &["Consent/share-app"], organization: "Organization/app1", ..joan.clone() };
    for url in ["/AuditEvent", "/AuditEvent?patient=p1&_total=accurate", "/_history"] {
        let told = guarded.hold(&app).get(url).expect(200).text;
        assert!(!told.contains("sens1") && told.contains("AuditEvent/"), "{url}: {told}");
    }
    assert!(guarded.hold(&joan).get("/AuditEvent").expect(200).text.contains("Condition/sens1"));
}

/// An estimate goes by what is hidden as well, so it is for who sees everything; others count.
#[test]
fn no_total_is_estimated_from_what_is_hidden() {
    let guarded = Guarded::start_with(|config| {
        config.load.push(flint_tests::example("seed-transaction.json"));
        config.limits.count_rows = 100;
    });
    let (keeper, app) = (guarded.hold(&keeper()), guarded.hold(&holder("app")));
    // More than a search finds before it thinks about how.
    for first in [0, 500, 1000] {
        let observation = |at: usize| {
            let time = format!("2026-{:02}-{:02}T{:02}:{:02}:00Z", 1 + at / 300, 1 + at / 60 % 5, at % 24, at % 60);
            let observation = json!({ "resourceType": "Observation", "status": "final", "code": { "text": "x" },
                "subject": { "reference": "Patient/p1" }, "effectiveDateTime": time });
            json!({ "resource": observation, "request": { "method": "POST", "url": "Observation" } })
        };
        let entries: Vec<_> = (first..first + 500).map(observation).collect();
        let bundle = json!({ "resourceType": "Bundle", "type": "transaction", "entry": entries });
        keeper.send("POST /", bundle).expect(200);
    }
    let url = "/Observation?date=ge2020&_count=2";
    keeper.get(url).expect(200).facts(&[("/_total/extension/0/valueBoolean", "true")]);
    for query in ["", "&_total=estimate"] {
        let page = app.get(&format!("{url}{query}")).expect(200).facts(&[("/total", "-"), ("/_total", "-")]);
        assert!(page.link("next").is_some(), "{}", page.text);
    }
    app.get(&format!("{url}&_total=accurate")).expect(200).facts(&[("/total", "1504"), ("/_total", "-")]);
}

/// How much it would cost to count tells of what is hidden: who does not see everything has a total of what one page holds, or by asking for it.
#[test]
fn totals_go_by_what_is_seen() {
    let guarded = Guarded::surgery();
    let (keeper, app) = (guarded.hold(&keeper()), guarded.hold(&holder("app")));
    for (parameters, told) in
        [("_count=100", true), ("_count=1", false), ("_count=1&_total=accurate", true), ("_summary=count", true)]
    {
        let total = |caller: &flint_tests::Bearer<'_>| {
            caller.get(&format!("/Observation?{parameters}")).expect(200).json()["total"].is_u64()
        };
        assert_eq!((total(&keeper), total(&app)), (true, told), "{parameters}");
    }
}
