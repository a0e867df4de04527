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
    for kind in ["batch", "transaction"] {
        let bundle = json!({ "resourceType": "Bundle", "type": kind, "entry": [
            { "request": { "method": "GET", "url": "Condition/copd1" } },
            { "request": { "method": "GET", "url": "Observation?patient=p1" } }] });
        app.send("POST /", bundle).expect(200);
    }
    assert_eq!(refused(), before + 3);
}
