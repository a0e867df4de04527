use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flint_tests::{Bearer, Guarded, Holder};
use serde_json::{Value, json};

use super::callers::{holder, keeper};

/// Who did what to p1's record: `action user client`, oldest first, as the events of one reader say.
fn told(reader: &Bearer<'_>, query: &str) -> Vec<String> {
    let bundle = reader.get(&format!("/AuditEvent?{query}&_sort=date&_count=1000")).expect(200).json();
    let events = bundle["entry"].as_array().cloned().unwrap_or_default();
    let events = events.iter().map(|entry| &entry["resource"]);
    events.filter(|event| event["resourceType"] == "AuditEvent").map(line).collect()
}

fn line(event: &Value) -> String {
    let agents = event["agent"].as_array().expect("agents");
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let person = agents.iter().find(|agent| agent["who"]["reference"].is_string() && agent["requestor"] == true);
    let role = person.map_or("", |person| if person["role"].is_array() { " for the patient" } else { "" });
    let person = person.map_or("-".to_owned(), |person| text(&person["who"]["reference"]));
    let kind = text(&event["subtype"][0]["code"]);
    let entities = event["entity"].as_array().cloned().unwrap_or_default();
    let patients: Vec<_> = entities
        .iter()
        .map(|entity| text(&entity["what"]["reference"]))
        .filter(|key| key.starts_with("Patient/"))
        .collect();
    format!("{kind} {person}{role}: {}", patients.join(" "))
}

/// The patient reads who saw and changed the record; nobody else's events are among them, and nobody changes them.
#[test]
fn the_patient_reads_who_saw_what() {
    let guarded = Guarded::surgery();
    let [app, proxy, staff, system] = ["app", "proxy", "staff", "system"].map(|name| guarded.hold(&holder(name)));
    let own = Holder { scope: "patient/*.cruds", user: "Patient/p1", patient: "p1", ..Holder::default() };
    let (own, other) = (guarded.hold(&own), guarded.hold(&holder("other patient")));
    app.get("/Condition/copd1").expect(200);
    app.get("/Condition/sens1").expect(404);
    proxy.get("/Condition?code=13645005").expect(200);
    staff.get("/Condition/sens1/_history").expect(200);
    system.get("/Patient/p2").expect(200);
    let patch = r#"[{"op":"add","path":"/recordedDate","value":"2027-02-02"}]"#;
    staff.call("PATCH /Condition/copd1").body("application/json-patch+json", patch).send().expect(200);
    let bundle = json!({ "resourceType": "Bundle", "type": "batch", "entry": [
        { "request": { "method": "GET", "url": "Condition/copd1" } }, { "request": { "method": "GET", "url": "Patient/p3" } }] });
    system.send("POST /", bundle).expect(200);
    app.get("/Condition/copd1").expect(200);
    let expected = [
        "read Patient/p1: Patient/p1",
        "search-type RelatedPerson/rp1 for the patient: Patient/p1",
        "history-instance Practitioner/dr1: Patient/p1",
        "patch Practitioner/dr1: Patient/p1",
        "read -: Patient/p1",
        "read Patient/p1: Patient/p1",
    ];
    let is_of_token = |line: &String| ["read", "search", "history", "patch"].iter().any(|kind| line.starts_with(kind));
    let seen: Vec<_> = told(&own, "patient=p1").into_iter().filter(is_of_token).collect();
    assert_eq!(seen, expected);
    let everything = told(&other, "_total=accurate");
    assert!(everything.iter().all(|line| !line.contains("Patient/p1")), "{everything:?}");
    assert!(told(&other, "patient=p1").is_empty());
    let event = own.get("/AuditEvent?patient=p1&_count=1").expect(200).json()["entry"][0]["resource"].clone();
    let id = event["id"].as_str().expect("an id");
    other.get(&format!("/AuditEvent/{id}")).expect(404);
    for caller in [&own, &staff, &guarded.hold(&keeper())] {
        assert!([403, 405].contains(&caller.call(&format!("DELETE /AuditEvent/{id}")).send().status));
        assert!([403, 405].contains(&caller.send(&format!("PUT /AuditEvent/{id}"), event.clone()).status));
    }
    own.get(&format!("/AuditEvent/{id}")).expect(200);
    // To others events would tell whether anything is hidden from them.
    for caller in [&proxy, &staff, &system] {
        caller.get(&format!("/AuditEvent/{id}")).expect(404);
        assert!(told(caller, "patient=p1").is_empty());
    }
    // What the server itself puts into events is defined.
    let checked = own.get(&format!("/AuditEvent/{id}/$validate")).expect(200).text;
    assert!(!checked.contains("flint.example") && !checked.contains("\"error\""), "{checked}");
    let report = guarded.state().repository().verify_audit(None, |_, _| {}).expect("a store");
    assert!(report.damage.is_none() && report.records > 0, "{report:?}");
}

/// What each event about p1 names, and asked: `id: Condition/copd1 Condition?code=`, oldest first.
fn named(reader: &Bearer<'_>, query: &str) -> Vec<String> {
    let bundle = reader.get(&format!("/AuditEvent?{query}&_sort=date&_count=1000")).expect(200).json();
    let events = bundle["entry"].as_array().cloned().unwrap_or_default();
    assert_eq!(bundle["total"].as_u64().map(|total| total as usize), Some(events.len()));
    events.iter().map(|entry| line_of_named(&entry["resource"])).collect()
}

fn line_of_named(event: &Value) -> String {
    let entities = event["entity"].as_array().cloned().unwrap_or_default();
    let data = entities.iter().filter_map(|entity| entity["what"]["reference"].as_str().map(str::to_owned));
    let queries = entities.iter().filter_map(|entity| {
        let query = STANDARD.decode(entity["query"].as_str()?).expect("base64");
        Some(String::from_utf8(query).expect("text"))
    });
    let parts: Vec<_> = data.filter(|name| !name.starts_with("Patient/")).chain(queries).collect();
    format!("{}: {}", event["id"].as_str().expect("an id"), parts.join(" "))
}

/// An app from which something is hidden sees the same events as any other app of the patient, but for those that name what is hidden,
/// or was when it was deleted. What others asked is told to all apps without its values.
#[test]
fn an_app_sees_the_events_of_what_it_sees() {
    let guarded = Guarded::surgery();
    let [app, staff, over] = ["app", "staff", "expired consent"].map(|name| guarded.hold(&holder(name)));
    let keeper = guarded.hold(&keeper());
    let own = Holder { scope: "patient/*.cruds", user: "Patient/p1", patient: "p1", ..Holder::default() };
    let own = guarded.hold(&own);
    super::callers::end_consents(&keeper);
    for (id, label) in [("gone-plain", json!([])), ("gone-hidden", json!([psychiatric()]))] {
        let mut condition = keeper.get("/Condition/copd1").expect(200).json();
        condition["id"] = json!(id);
        condition["meta"] = if id == "gone-plain" { json!({}) } else { json!({ "security": label }) };
        keeper.send(&format!("PUT /Condition/{id}"), condition).expect(201);
        staff.get(&format!("/Condition/{id}")).expect(200);
        keeper.call(&format!("DELETE /Condition/{id}")).send().expect(204);
    }
    staff.get("/Condition/copd1").expect(200);
    staff.get("/Condition/sens1").expect(200);
    staff.get("/Condition?patient=p1").expect(200);
    own.get("/Condition?code=35489007").expect(200);
    own.get("/Observation?focus=Condition/sens1").expect(200);
    app.get("/Condition?code=35489007").expect(200);

    let query = "patient=p1&_total=accurate";
    let (all, seen) = (named(&own, query), named(&app, query));
    let tells = |line: &&String| !["sens1", "gone-hidden"].iter().any(|hidden| line.contains(hidden));
    let id = |line: &String| line.split(':').next().expect("an id").to_owned();
    let hides = |line: &&String| !tells(line) && !line.contains("focus=");
    let expected: Vec<_> = all.iter().filter(|line| !hides(line)).map(id).collect();
    let at: Vec<_> = seen.iter().map(id).collect();
    // The other app has asked for events of what is hidden, and that is not told either.
    assert_eq!(at, expected, "{all:?} {seen:?}");
    assert_eq!(named(&app, query).len(), expected.len() + 1, "what it asked itself is told");
    assert!(seen.iter().all(|line| tells(&line)), "{seen:?}");
    for told in ["Condition/gone-plain/_history/1", "Condition/gone-plain/_history/2", "Observation?focus="] {
        assert!(seen.iter().any(|line| line.ends_with(&format!(" {told}"))), "{told}: {seen:?}");
    }
    // What it asked itself it knows, and nothing of what others asked.
    assert!(seen.iter().any(|line| line.ends_with(": Condition?code=35489007")), "{seen:?}");
    assert!(all.iter().any(|line| line.ends_with(" Condition?code=35489007")), "{all:?}");
    assert!(all.iter().any(|line| line.ends_with(": Condition?code=")), "{all:?}");

    // The other paths tell the same.
    let hidden: Vec<_> = all.iter().filter(hides).map(id).collect();
    assert!(hidden.len() >= 5, "{all:?}");
    for id in &hidden {
        own.get(&format!("/AuditEvent/{id}")).expect(200);
        own.get(&format!("/AuditEvent/{id}/_history")).expect(200);
        for path in ["", "/_history", "/_history/1"] {
            app.get(&format!("/AuditEvent/{id}{path}")).expect(404);
        }
        assert_eq!(app.get(&format!("/AuditEvent?_id={id}&_total=accurate")).expect(200).json()["total"], 0);
    }
    for id in &expected {
        let alone = app.get(&format!("/AuditEvent/{id}")).expect(200).json();
        assert!(seen.contains(&line_of_named(&alone)));
        assert!(alone["meta"]["security"].is_null());
    }
    for path in
        ["/AuditEvent/_history?_count=1000", "/_history?_count=1000", "/Condition?_revinclude=AuditEvent:entity"]
    {
        let text = app.get(path).expect(200).text;
        let count = text.matches("AuditEvent/id-").count();
        assert!(tells(&&text) && hidden.iter().all(|id| !text.contains(id.as_str())), "{path} {count}");
        assert!(expected.iter().any(|id| text.contains(id.as_str())), "{path} {count}");
    }
    // Whose consent is over sees nothing.
    assert_eq!(over.get("/AuditEvent?_total=accurate").expect(200).json()["total"], 0);
}

/// The label of what is hidden from the app.
fn psychiatric() -> Value {
    json!({ "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "PSY" })
}

/// What is refused within a Bundle is as much on record as what is refused alone.
#[test]
fn refused_entries_are_on_record() {
    let guarded = Guarded::surgery();
    let keeper = guarded.hold(&keeper());
    let app = guarded.hold(&Holder {
        scope: "patient/Observation.rs",
        user: "Patient/p1",
        patient: "p1",
        ..Holder::default()
    });
    let refused = || {
        // Nobody waits for the account of a refusal; this read has its own behind it.
        app.get("/Observation?patient=p1").expect(200);
        let events = keeper.get("/AuditEvent?outcome=4&_count=100").expect(200).json();
        events["entry"].as_array().map_or(0, Vec::len)
    };
    let before = refused();
    app.get("/Condition/copd1").expect(403);
    assert_eq!(refused(), before + 1);
    for (kind, status) in [("batch", 200), ("transaction", 403)] {
        let bundle = json!({ "resourceType": "Bundle", "type": kind, "entry": [
            { "request": { "method": "GET", "url": "Condition/copd1" } },
            { "request": { "method": "GET", "url": "Observation?patient=p1" } }] });
        app.send("POST /", bundle).expect(status);
    }
    assert_eq!(refused(), before + 3);
}

/// What a write shows and does not change was read.
#[test]
fn what_writes_show_is_on_record() {
    let guarded = Guarded::surgery();
    let (staff, keeper) = (guarded.hold(&holder("staff")), guarded.hold(&keeper()));
    let own = Holder { scope: "patient/*.cruds", user: "Patient/p1", patient: "p1", ..Holder::default() };
    let own = guarded.hold(&own);
    let reads =
        || told(&own, "patient=p1").iter().filter(|line| line.starts_with("read Practitioner/dr1: Patient/p1")).count();
    let patient = keeper.get("/Patient/p1").expect(200).text;
    let test = r#"[{"op":"test","path":"/resourceType","value":"Patient"}]"#;
    staff.call("PATCH /Patient/p1").body("application/json-patch+json", test).send().expect(200);
    assert_eq!(reads(), 1);
    staff.call("PUT /Patient/p1").body("application/fhir+json", patient.clone()).send().expect(200);
    assert_eq!(reads(), 2);
    let create = staff.call("POST /Patient").header("If-None-Exist", "_id=p1");
    create.body("application/fhir+json", patient.clone()).send().expect(200);
    assert_eq!(reads(), 3);
    // Nothing is shown.
    let put = staff.call("PUT /Patient/p1").header("Prefer", "return=minimal");
    put.body("application/fhir+json", patient).send().expect(200);
    assert_eq!(reads(), 3);
}

/// Whether there is something, and how much, tells of a patient as well as the resources themselves would.
#[test]
fn questions_about_a_patient_are_on_record() {
    let guarded = Guarded::surgery();
    let staff = guarded.hold(&holder("staff"));
    let own = Holder { scope: "patient/*.cruds", user: "Patient/p1", patient: "p1", ..Holder::default() };
    let own = guarded.hold(&own);
    let of_staff = || told(&own, "patient=p1").into_iter().filter(|line| line.contains("Practitioner/dr1")).collect();
    let patient = guarded.hold(&keeper()).get("/Patient/p1").expect(200).json();
    let identifier = &patient["identifier"][0];
    let text = |name: &str| identifier[name].as_str().expect("text").to_owned();
    let by_identifier = |url: &str| url.replace("{}", &format!("{}|{}", text("system"), text("value")));
    let mut before: Vec<String> = of_staff();
    for (url, kind) in [
        ("/Condition?patient=p1&code=13645005&_summary=count", "search-type"),
        ("/Condition?patient=p1&code=none", "search-type"),
        ("/Condition?subject:Patient=p1&code=none", "search-type"),
        ("/Patient?_id=p1&_has:Condition:patient:code=none&_summary=count", "search-type"),
        ("/Patient/p1/Condition?_summary=count", "search-type"),
        ("/Condition?patient=p1,p2&code=none", "search-type"),
        (&by_identifier("/Patient?identifier={}&_has:Condition:patient:code=none"), "search-type"),
        (&by_identifier("/Condition?patient.identifier={}&code=13645005&_summary=count"), "search-type"),
        ("/Condition/copd1/_history?_summary=count", "history-instance"),
    ] {
        staff.get(url).expect(200);
        before.push(format!("{kind} Practitioner/dr1: Patient/p1"));
        let seen: Vec<String> = of_staff();
        assert_eq!(seen, before, "{url}");
    }
    staff.get("/Condition?patient=p2&code=13645005&_summary=count").expect(200);
    staff.get("/Condition?code=none").expect(200);
    let seen: Vec<String> = of_staff();
    assert_eq!(seen, before);
}

/// Only systems add to the audit, and only what they did themselves.
#[test]
fn nobody_says_what_others_did() {
    let guarded = Guarded::surgery();
    let system = Holder { organization: "Organization/app1", identifiers: &["urn:ehr|one"], ..holder("system") };
    let (system, keeper) = (guarded.hold(&system), guarded.hold(&keeper()));
    let event = |observer: Value, agent: Value| {
        json!({ "resourceType": "AuditEvent", "type": { "code": "rest" }, "recorded": "2027-03-01T08:00:00Z",
            "agent": [{ "requestor": true, "who": agent }], "source": { "observer": observer },
            "entity": [{ "what": { "reference": "Patient/p1" } }] })
    };
    let doctor = || json!({ "reference": "Practitioner/dr1" });
    let by = |system: &str, value: &str| json!({ "identifier": { "system": system, "value": value } });
    let origin = guarded.flint().base_url().trim_end_matches("/fhir").to_owned();
    let own = by(&format!("{origin}/auth/clients"), &system.client);
    for (observer, agent, status) in [
        (doctor(), doctor(), 403),
        (json!({ "display": "Organization/app1" }), doctor(), 403),
        (json!({ "reference": "Organization/gp1" }), doctor(), 403),
        (by("urn:ehr", "two"), doctor(), 403),
        (json!({ "reference": "Organization/app1" }), doctor(), 201),
        (by("urn:ehr", "one"), doctor(), 201),
        (own.clone(), doctor(), 201),
        (doctor(), own.clone(), 201),
    ] {
        let reply = system.send("POST /AuditEvent", event(observer.clone(), agent.clone()));
        assert_eq!(reply.status, status, "{observer} {agent}: {}", reply.text);
    }
    keeper.send("POST /AuditEvent", event(doctor(), doctor())).expect(201);
    for name in ["staff", "patient", "proxy", "app"] {
        let caller = guarded.hold(&holder(name));
        caller.send("POST /AuditEvent", event(doctor(), doctor())).expect(403);
    }
}
