use flint_tests::{Bearer, Guarded, Holder, Reply};
use serde_json::{Value, json};

use super::callers::{holder, keeper};

/// What is hidden from the app of examples/surgery.
const HIDDEN: &str = "Condition/sens1";

/// The masked form of whatever was a reference.
fn masked() -> Value {
    json!({ "extension": [{ "url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "masked" }] })
}

fn to(key: &str) -> Value {
    json!({ "reference": key })
}

/// Names both what the app sees and what is hidden from it, also where no search parameter looks.
fn list(keeper: &Bearer<'_>) -> Value {
    let list = json!({ "resourceType": "List", "id": "both", "status": "current", "mode": "working", "subject": to("Patient/p1"),
        "extension": [{ "url": "http://example.org/why", "valueReference": to("Condition/sens1/_history/1") }],
        "contained": [{ "resourceType": "Observation", "id": "in", "status": "final", "code": { "text": "x" }, "focus": [to(HIDDEN)] }],
        "orderedBy": { "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/list-order", "code": "user" }] },
        "entry": [
            { "item": to("Condition/copd1") },
            { "item": { "reference": HIDDEN, "type": "Condition", "display": "told to nobody",
                "identifier": { "system": "urn:secret", "value": "told-to-nobody" } } },
            { "item": to("http://elsewhere.example/Condition/sens1") },
            { "item": to("#in") },
        ] });
    keeper.send("PUT /List/both", list).expect(201).json()
}

fn is_labeled(resource: &Value) -> bool {
    let labels = resource["meta"]["security"].as_array().cloned().unwrap_or_default();
    labels.iter().any(|label| {
        label["system"] == "http://terminology.hl7.org/CodeSystem/v3-ObservationValue" && label["code"] == "REDACTED"
    })
}

fn tells_nothing(reply: Reply) -> Reply {
    let told = reply.text.replace("http://elsewhere.example/Condition/sens1", "");
    assert!(!told.contains("sens1") && !told.contains("nobody"), "{}", reply.text);
    reply
}

/// Read, vread, history, search, includes, batch and operations give the same, and the practice and the patient get the resource as it is.
#[test]
fn what_names_something_hidden_is_masked_wherever_it_goes_out() {
    let guarded = Guarded::surgery();
    let keeper = guarded.hold(&keeper());
    let whole = list(&keeper);
    let app = guarded.hold(&holder("app"));
    let read = tells_nothing(app.get("/List/both").expect(200));
    let mut expected = whole.clone();
    expected["extension"][0]["valueReference"] = masked();
    expected["contained"][0]["focus"][0] = masked();
    expected["entry"][1]["item"] = masked();
    expected["meta"]["security"] =
        json!([{ "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "REDACTED" }]);
    assert_eq!(read.json(), expected);
    assert_eq!(read.header("etag"), "W/\"1\"");
    for url in [
        "/List/both/_history/1",
        "/List/both/_history",
        "/List/_history",
        "/_history",
        "/List?_id=both",
        "/?_type=List&_id=both",
        "/Patient?_id=p1&_revinclude=List:subject",
        "/Condition?_id=copd1&_revinclude=List:item",
        "/List?_include=List:item",
        "/List/both?_elements=entry",
        "/List/both?_summary=data",
        "/List/both/$fhirpath?expression=entry.item",
        "/Observation?_contained=true&_total=none",
        "/Observation?_contained=true&_containedType=contained",
    ] {
        let told = tells_nothing(app.get(url).expect(200));
        assert!(told.text.contains("\"masked\""), "{url}: {}", told.text);
    }
    let batch = json!({ "resourceType": "Bundle", "type": "batch", "entry": [{ "request": { "method": "GET", "url": "List/both" } }] });
    let told = tells_nothing(app.send("POST /", batch).expect(200)).json();
    assert!(is_labeled(&told["entry"][0]["resource"]));
    for caller in ["custodian", "patient", "staff"] {
        assert_eq!(guarded.hold(&holder(caller)).get("/List/both").expect(200).json(), whole, "{caller}");
    }
    // What the consent permits later is there again, at the same version.
    let mut consent = keeper.get("/Consent/share-app").expect(200).json();
    consent["provision"].as_object_mut().expect("an object").remove("provision");
    keeper.send("PUT /Consent/share-app", consent).expect(200);
    assert_eq!(app.get("/List/both").expect(200).json(), whole);
}

/// What was told of a name once holds no longer than what it names stays as it is.
#[test]
fn masks_come_and_go_with_what_is_named() {
    let guarded = Guarded::surgery();
    let (keeper, app) = (guarded.hold(&keeper()), guarded.hold(&holder("app")));
    let whole = list(&keeper);
    let labels = keeper.get("/Condition/sens1").expect(200).json()["meta"]["security"].clone();
    let open = keeper.get("/Condition/copd1").expect(200).json();
    let mut sensitive = open.clone();
    sensitive["meta"]["security"] = labels;
    for (condition, item) in [(&sensitive, masked()), (&open, to("Condition/copd1")), (&sensitive, masked())] {
        keeper.send("PUT /Condition/copd1", condition.clone()).expect(200);
        for _ in 0..2 {
            assert_eq!(app.get("/List/both").expect(200).json()["entry"][0]["item"], item);
        }
        assert_eq!(keeper.get("/List/both").expect(200).json(), whole);
    }
}

/// Uris and narratives lead to what is hidden as well, and escapes hide nothing.
#[test]
fn links_are_masked_too() {
    let guarded = Guarded::surgery();
    let (keeper, app) = (guarded.hold(&keeper()), guarded.hold(&holder("app")));
    let hidden = json!({ "resourceType": "Binary", "id": "scan", "contentType": "text/plain", "data": "aGVsbG8=", "securityContext": to(HIDDEN) });
    let seen = json!({ "resourceType": "Binary", "id": "letter", "contentType": "text/plain", "data": "aGVsbG8=", "securityContext": to("Condition/copd1") });
    keeper.send("PUT /Binary/scan", hidden).expect(201);
    keeper.send("PUT /Binary/letter", seen).expect(201);
    let base = guarded.flint().base_url().to_owned();
    let document = |id: &str, url: &str, link: &str| {
        json!({ "resourceType": "DocumentReference", "id": id, "status": "current", "subject": to("Patient/p1"),
            "text": { "status": "generated", "div": format!("<div xmlns=\"http://www.w3.org/1999/xhtml\"><a href=\"{link}\">a</a></div>") },
            "content": [{ "attachment": { "contentType": "text/plain", "url": url, "_url": { "id": "u" }, "title": "t" } }] })
    };
    keeper.send("PUT /DocumentReference/d1", document("d1", "Binary/scan", &format!("{base}/{HIDDEN}"))).expect(201);
    keeper.send("PUT /DocumentReference/d2", document("d2", "Binary/letter", "Condition/copd1")).expect(201);
    let told = tells_nothing(app.get("/DocumentReference/d1").expect(200));
    assert!(!told.text.contains("scan") && is_labeled(&told.json()), "{}", told.text);
    let attachment = told.json()["content"][0]["attachment"].clone();
    assert_eq!(attachment, json!({ "contentType": "text/plain", "_url": masked(), "title": "t" }));
    let other = app.get("/DocumentReference/d2").expect(200);
    assert!(other.text.contains("Binary/letter") && !is_labeled(&other.json()), "{}", other.text);
    for link in [
        "href = 'Condition/sens1'",
        "href=\"\n Condition/sens1\"",
        "href=\"Condition/&#115;ens1\"",
        "href=\"Condition/sens&#x31;\"",
    ] {
        let mut linked = document("d3", "http://elsewhere.example/letter", "LINK");
        let div = linked["text"]["div"].as_str().expect("a narrative").replace("href=\"LINK\"", link);
        linked["text"]["div"] = json!(div);
        let status = keeper.send("PUT /DocumentReference/d3", linked).status;
        assert!([200, 201].contains(&status), "{link}: {status}");
        let told = tells_nothing(app.get("/DocumentReference/d3").expect(200));
        assert!(is_labeled(&told.json()) && !told.text.contains("115"), "{link}: {}", told.text);
    }
    for (query, total) in [("Binary/scan", "0"), ("Binary/none", "0"), ("Binary/letter", "1")] {
        app.get(&format!("/DocumentReference?location={query}&_total=accurate"))
            .expect(200)
            .facts(&[("/total", total)]);
    }
    let escaped = json!({ "resourceType": "List", "id": "escaped", "status": "current", "mode": "working", "subject": to("Patient/p1"),
        "entry": [{ "item": to("ESCAPED") }] });
    for text in [r"Condition\/sens1", r"Condition\u002Fsens1", r"\u0043ondition/sens1"] {
        let body = escaped.to_string().replace("ESCAPED", text);
        keeper.call("PUT /List/escaped").body("application/fhir+json", body).send();
        let told = app.get("/List/escaped").expect(200).json();
        assert_eq!(told["entry"][0]["item"], masked(), "{text}");
    }
}

/// A search by a name tells of what is hidden as little as of what is not there.
#[test]
fn no_search_confirms_a_name() {
    let guarded = Guarded::surgery();
    let keeper = guarded.hold(&keeper());
    list(&keeper);
    let app = guarded.hold(&holder("app"));
    for (name, id) in [("sens1", "sens1"), ("none", "none")] {
        for query in [
            format!("/List?item=Condition/{id}"),
            format!("/List?item={id}"),
            format!("/List?item:Condition={id}"),
            format!("/List?item=Condition/{id},Encounter/none"),
            format!("/List?item={}/Condition/{id}", guarded.flint().base_url()),
            format!("/List?_filter=item%20eq%20Condition/{id}"),
            format!("/Patient?_has:List:subject:item=Condition/{id}"),
            format!("/Condition/{id}/List"),
        ] {
            let reply = app.get(&format!("{query}{}_total=accurate", if query.contains('?') { "&" } else { "?" }));
            assert!(reply.status == 404 || reply.pointer("/total") == "0", "{name} {query}: {}", reply.text);
        }
        let others = app.get(&format!("/List?_filter=item%20ne%20Condition/{id}&_total=accurate")).expect(200);
        others.facts(&[("/total", "1")]);
    }
    for query in ["item=Condition/copd1", "item=copd1", "item=sens1,copd1", "subject=Patient/p1", "patient=p1"] {
        app.get(&format!("/List?{query}&_total=accurate")).expect(200).facts(&[("/total", "1")]);
    }
    for (value, whole) in [("urn:secret%7Ctold-to-nobody", "1"), ("urn:secret%7Cother", "0")] {
        app.get(&format!("/List?item:identifier={value}&_total=accurate")).expect(200).facts(&[("/total", "0")]);
        keeper.get(&format!("/List?item:identifier={value}&_total=accurate")).expect(200).facts(&[("/total", whole)]);
    }
    app.get("/List?_sort=item").expect(400);
    // So it is to those from whom nothing is hidden: the answer would tell.
    let other = guarded.hold(&Holder { scope: "patient/*.rs", user: "Patient/p2", patient: "p2", ..Holder::default() });
    other.get("/List?_sort=item").expect(400);
    app.get("/List?_sort=patient").expect(200);
    keeper.get("/List?_sort=item").expect(200);
    let list = json!({ "resourceType": "List", "status": "current", "mode": "working", "subject": to("Patient/p1") });
    for id in ["sens1", "none2"] {
        let call = app.call("POST /List").header("If-None-Exist", &format!("item=Condition/{id}"));
        call.body("application/fhir+json", list.to_string()).send().expect(201);
    }
}

/// Who gets a resource masked changes what they get, and what is masked stays as it was: no change loses it, moves it or tells of it.
#[test]
fn what_is_masked_outlives_changes() {
    let guarded = Guarded::surgery();
    let keeper = guarded.hold(&keeper());
    let mut whole = list(&keeper);
    let app = guarded.hold(&holder("app"));
    let mut masked = app.get("/List/both").expect(200).json();
    let matches_whole = |whole: &mut Value, version: u32| {
        let stored = keeper.get("/List/both").expect(200).json();
        whole["meta"] = stored["meta"].clone();
        assert_eq!((&stored, &stored["meta"]["versionId"]), (&*whole, &json!(version.to_string())));
        assert!(!is_labeled(&stored), "{stored}");
    };
    let losing = |change: &dyn Fn(&mut Value)| {
        let mut masked = masked.clone();
        change(&mut masked);
        tells_nothing(app.send("PUT /List/both", masked).expect(403));
    };
    losing(&|list| drop(list["entry"].as_array_mut().expect("entries").remove(1)));
    losing(&|list| drop(list["entry"].as_array_mut().expect("entries").remove(0)));
    losing(&|list| list["entry"][1]["item"] = to("Condition/copd1"));
    losing(&|list| list["entry"][1]["item"] = json!({ "display": "x" }));
    losing(&|list| drop(list.as_object_mut().expect("an object").remove("extension")));
    let patch = |operations: Value| {
        app.call("PATCH /List/both").body("application/json-patch+json", operations.to_string()).send()
    };
    patch(json!([{ "op": "remove", "path": "/entry/1" }])).expect(403);
    patch(json!([{ "op": "move", "from": "/entry/1", "path": "/entry/0" }])).expect(403);
    let guess = |key: &str| {
        let told = patch(json!([{ "op": "test", "path": "/entry/1/item/reference", "value": key }])).expect(422);
        told.text.replace(key, "KEY")
    };
    assert_eq!(guess(HIDDEN), guess("Condition/none1"));
    let adding = |key: &str| {
        let told = patch(json!([{ "op": "add", "path": "/entry/-", "value": { "item": to(key) } }])).expect(422);
        told.text.replace(key, "KEY")
    };
    assert_eq!(adding(HIDDEN), adding("Condition/none1"));
    let call = app.call("PUT /List/both").header("If-Match", "W/\"7\"");
    call.body("application/fhir+json", masked.to_string()).send().expect(412);
    matches_whole(&mut whole, 1);

    masked["title"] = json!("mine");
    whole["title"] = json!("mine");
    let told = tells_nothing(app.send("PUT /List/both", masked.clone()).expect(200)).json();
    assert_eq!(told["entry"], masked["entry"]);
    matches_whole(&mut whole, 2);
    app.send("PUT /List/both", masked.clone()).expect(200);
    matches_whole(&mut whole, 2);
    whole["title"] = json!("ours");
    tells_nothing(patch(json!([{ "op": "replace", "path": "/title", "value": "ours" }])).expect(200));
    matches_whole(&mut whole, 3);
    let labels = json!([{ "code": "first" }, masked["meta"]["security"][0], { "code": "last" }]);
    masked["meta"]["security"] = labels;
    let bundle = json!({ "resourceType": "Bundle", "type": "transaction",
        "entry": [{ "resource": masked, "request": { "method": "PUT", "url": "List?_id=both" } }] });
    app.send("POST /", bundle).expect(200);
    whole["title"] = json!("mine");
    matches_whole(&mut whole, 4);
    assert_eq!(whole["meta"]["security"], json!([{ "code": "first" }, { "code": "last" }]));
}

/// What was masked for somebody replaces nothing when somebody else sends it, and links have no place to stay in.
#[test]
fn what_was_masked_for_somebody_replaces_nothing() {
    let guarded = Guarded::surgery();
    let keeper = guarded.hold(&keeper());
    let whole = list(&keeper);
    let app = guarded.hold(&holder("app"));
    let masked = app.get("/List/both").expect(200).json();
    keeper.send("PUT /List/both", masked).expect(422);
    assert_eq!(keeper.get("/List/both").expect(200).json(), whole);
    let mut renamed = whole;
    renamed["title"] = json!("ours");
    keeper.send("PUT /List/both", renamed).expect(200);
    // What came redacted from elsewhere is kept, and kept up to date.
    let mut redacted = json!({ "resourceType": "List", "id": "other", "status": "current", "mode": "working", "subject": to("Patient/p1"),
        "meta": { "security": [{ "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "REDACTED" }] } });
    keeper.send("PUT /List/other", redacted.clone()).expect(201);
    redacted["title"] = json!("again");
    keeper.send("PUT /List/other", redacted.clone()).expect(200);
    redacted["title"] = json!("and again");
    app.send("PUT /List/other", redacted).expect(200);
    app.call("DELETE /List/both").send().expect(204);
    keeper.get("/List/both").expect(410);
}

/// What the app writes names what it sees, and comes back as it was sent; what was hidden when it was deleted stays hidden.
#[test]
fn what_is_gone_is_masked_if_it_was_hidden() {
    let guarded = Guarded::surgery();
    let keeper = guarded.hold(&keeper());
    list(&keeper);
    let app = guarded.hold(&holder("app"));
    keeper.call(&format!("DELETE /{HIDDEN}")).send().expect(204);
    tells_nothing(app.get("/List/both").expect(200));
    app.get("/List?item=Condition/sens1&_total=accurate").expect(200).facts(&[("/total", "0")]);
    keeper.call("DELETE /Condition/copd1").send().expect(204);
    assert_eq!(app.get("/List/both").expect(200).json()["entry"][0]["item"], to("Condition/copd1"));
    let own = json!({ "resourceType": "Observation", "status": "final", "code": { "text": "x" }, "subject": to("Patient/p1") });
    let sent = app.send("POST /Observation", own).expect(201).json();
    assert!(!is_labeled(&sent) && sent["subject"] == to("Patient/p1"), "{sent}");
}
