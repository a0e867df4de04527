use flint_tests::{Flint, Guarded, Holder, Reply};
use serde_json::{Value, json};

use super::{BREATH, LOINC, breath, expression, fhirpath, launch, sdc};

/// The inputs of a call.
fn inputs(parameters: Value) -> Value {
    json!({ "resourceType": "Parameters", "parameter": parameters })
}

fn local(subject: &str) -> Value {
    inputs(json!([
        { "name": "subject", "valueReference": { "reference": subject } },
        { "name": "local", "valueBoolean": true },
    ]))
}

/// The answers by link id, each as its value alone.
fn answers(reply: &Reply) -> Vec<(String, String)> {
    fn collect(node: &Value, found: &mut Vec<(String, String)>) {
        for item in node["item"].as_array().into_iter().flatten() {
            for answer in item["answer"].as_array().into_iter().flatten() {
                let value = answer.as_object().expect("an answer").iter().find(|(name, _)| name.starts_with("value"));
                let value = value.map(|(_, value)| value["code"].as_str().map_or(value.to_string(), String::from));
                found.push((item["linkId"].as_str().expect("a link id").to_owned(), value.unwrap_or_default()));
                collect(answer, found);
            }
            collect(item, found);
        }
    }
    let mut found = Vec::new();
    collect(&reply.json()["parameter"][0]["resource"], &mut found);
    found
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(link_id, value)| ((*link_id).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn fills_in_from_the_record() {
    let flint = Flint::surgery();
    flint.send("PUT /Questionnaire/breath", breath()).expect(201);
    let filled = flint.send("POST /Questionnaire/breath/$populate", local("Patient/p1")).expect(200);
    let expected = [
        ("name", "\"Hartley\""),
        ("born", "\"1955-04-02\""),
        ("gender", "female"),
        ("spo2", "88"),
        ("worse", "false"),
        ("problem", "13645005"),
        ("recorded", "\"2016-11-01\""),
        ("problem", "35489007"),
        ("recorded", "\"2019-02-11\""),
    ];
    assert_eq!(answers(&filled), pairs(&expected));
    let filled = filled.facts(&[
        ("/parameter/0/name", "response"),
        ("/parameter/0/resource/questionnaire", &format!("{BREATH}|2.0")),
        ("/parameter/0/resource/status", "in-progress"),
        ("/parameter/0/resource/subject/reference", "Patient/p1"),
        ("/parameter/0/resource/item/0/linkId", "intro"),
        // Every item has its place, answered or not.
        ("/parameter/0/resource/item/6/linkId", "since"),
        ("/parameter/1", "-"),
    ]);
    // It can be kept as it is, and nothing was kept before.
    flint.get("/QuestionnaireResponse?_summary=count").facts(&[("/total", "0")]);
    flint.send("POST /QuestionnaireResponse", filled.json()["parameter"][0]["resource"].clone()).expect(201);
}

#[test]
fn uses_what_it_is_given_and_no_more() {
    let flint = Flint::surgery();
    flint.send("PUT /Questionnaire/breath", breath()).expect(201);
    let peter =
        json!({ "resourceType": "Patient", "gender": "male", "name": [{ "use": "official", "family": "Other" }] });
    let sent = inputs(json!([
        { "name": "canonical", "valueUri": BREATH },
        { "name": "subject", "valueReference": { "reference": "Patient/p1" } },
        { "name": "context", "part": [
            { "name": "name", "valueString": "patient" }, { "name": "content", "resource": peter }] },
    ]));
    let filled = flint.send("POST /Questionnaire/$populate", sent).expect(200);
    assert_eq!(answers(&filled), pairs(&[("name", "\"Other\""), ("gender", "male"), ("worse", "false")]));
    filled.facts(&[
        ("/parameter/1/name", "issues"),
        ("/parameter/1/resource/issue/0/diagnostics", "*`problems`*`local`*"),
    ]);
    let by_reference = inputs(json!([
        { "name": "questionnaireRef", "valueReference": { "reference": "Questionnaire/breath" } },
        { "name": "context", "part": [
            { "name": "name", "valueString": "patient" },
            { "name": "content", "valueReference": { "reference": "Patient/p2" } }] },
    ]));
    let filled = flint.send("POST /Questionnaire/$populate", by_reference).expect(200);
    assert_eq!(answers(&filled)[1], ("born".to_owned(), "\"1952-09-13\"".to_owned()));
}

#[test]
fn finds_the_form_in_every_way() {
    let flint = Flint::surgery();
    let mut form = breath();
    form["identifier"] = json!([{ "system": "urn:forms", "value": "b,1" }]);
    flint.send("PUT /Questionnaire/breath", form.clone()).expect(201);
    let mut alone = form.clone();
    alone.as_object_mut().expect("an object").remove("id");
    let ways = [
        json!([{ "name": "canonical", "valueUri": BREATH }]),
        json!([{ "name": "questionnaire", "valueUri": format!("{BREATH}|2.0") }]),
        json!([{ "name": "questionnaire", "valueReference": { "reference": "Questionnaire/breath" } }]),
        json!([{ "name": "questionnaire", "resource": alone }]),
        json!([{ "name": "questionnaireRef", "valueReference": { "reference": "Questionnaire/breath" } }]),
        json!([{ "name": "identifier", "valueIdentifier": { "system": "urn:forms", "value": "b,1" } }]),
    ];
    for way in ways {
        let reply = flint.send("POST /Questionnaire/$populate", inputs(way.clone())).expect(200);
        reply.facts(&[("/parameter/0/resource/questionnaire", &format!("{BREATH}|2.0"))]);
    }
    // It has more inputs than the form, and so is sent none alone.
    flint.send("POST /Questionnaire/$populate", form).expect(400);
    let refused = [
        (json!([]), 400, "*one of*"),
        (
            json!([{ "name": "canonical", "valueUri": BREATH }, { "name": "questionnaire", "valueUri": BREATH }]),
            400,
            "*one of*",
        ),
        (json!([{ "name": "canonical", "valueUri": "https://example.org/none" }]), 422, "*none` is not known*"),
        (json!([{ "name": "identifier", "valueIdentifier": { "value": "b" } }]), 422, "*`b` is not known*"),
        (
            json!([{ "name": "canonical", "valueUri": BREATH }, { "name": "content", "valueString": "x" }]),
            400,
            "*`content`*",
        ),
        (
            json!([{ "name": "canonical", "valueUri": BREATH }, { "name": "context", "part": [
            { "name": "name", "valueString": "encounter" },
            { "name": "content", "valueReference": { "reference": "Patient/p1" } }] }]),
            400,
            "*`encounter`*",
        ),
        (
            json!([{ "name": "canonical", "valueUri": BREATH }, { "name": "context", "part": [
            { "name": "name", "valueString": "patient" },
            { "name": "content", "valueReference": { "reference": "Patient/none" } }] }]),
            404,
            "*Patient/none*",
        ),
    ];
    for (way, status, text) in refused {
        let reply = flint.send("POST /Questionnaire/$populate", inputs(way)).expect(status);
        reply.facts(&[("/issue/0/details/text", text)]);
    }
    flint.send("POST /Questionnaire/none/$populate", local("Patient/p1")).expect(404);
}

/// What cannot be filled in leaves its question open, and is told.
#[test]
fn tells_what_it_cannot_fill_in() {
    let flint = Flint::surgery();
    let item = |link_id: &str, kind: &str, extension: Value| json!({ "linkId": link_id, "type": kind, "extension": [extension] });
    let mut form = breath();
    form["extension"] = json!([
        launch("patient", "Patient"),
        launch("encounter", "Encounter"),
        expression("variable", "shoes", "application/x-fhir-query", "Shoe?size=9"),
        expression("variable", "odd", "application/x-fhir-query", "Observation?shoe-size=9"),
    ]);
    form["item"] = json!([
        item("wrong", "string", fhirpath("initialExpression", "%patient.name.")),
        item("unknown", "string", fhirpath("initialExpression", "%nobody")),
        item("type", "date", fhirpath("initialExpression", "%patient.name.family")),
        item("cql", "string", expression("initialExpression", "", "text/cql", "Patient.name")),
        item("none", "string", fhirpath("initialExpression", "%encounter.status")),
        item("good", "string", fhirpath("initialExpression", "%patient.id")),
    ]);
    flint.send("PUT /Questionnaire/breath", form).expect(201);
    let filled = flint.send("POST /Questionnaire/breath/$populate", local("Patient/p1")).expect(200);
    assert_eq!(answers(&filled), pairs(&[("good", "\"p1\"")]));
    let issues = filled.json()["parameter"][1]["resource"]["issue"].clone();
    let told: Vec<_> =
        issues.as_array().expect("issues").iter().map(|it| it["diagnostics"].as_str().expect("text")).collect();
    for part in ["`encounter` was not given", "`Shoe`", "shoe-size", "`wrong`", "%nobody", "`type`", "`text/cql`"] {
        assert!(told.iter().any(|text| text.contains(part)), "{part}: {told:#?}");
    }
    assert_eq!(told.len(), 7, "{told:#?}");
}

/// What is known is filled in whether or not other answers ask for it; who fills in the rest is told.
#[test]
fn tells_what_is_answered_without_being_asked() {
    let flint = Flint::surgery();
    let mut form = breath();
    form["item"][6]["initial"] = json!([{ "valueDate": "2027-02-01" }]);
    flint.send("PUT /Questionnaire/breath", form).expect(201);
    let filled = flint.send("POST /Questionnaire/breath/$populate", local("Patient/p1")).expect(200);
    assert!(answers(&filled).contains(&("since".to_owned(), "\"2027-02-01\"".to_owned())), "{}", filled.text);
    filled.facts(&[
        ("/parameter/1/resource/issue/0/severity", "warning"),
        ("/parameter/1/resource/issue/0/diagnostics", "*`since` is not enabled*"),
        ("/parameter/1/resource/issue/1", "-"),
    ]);
}

#[test]
fn fills_a_panel_from_its_components() {
    let flint = Flint::surgery();
    let pressure = |at: &str, systolic: i32| {
        json!({
            "resourceType": "Observation", "status": "final", "subject": { "reference": "Patient/p1" },
            "effectiveDateTime": at, "code": { "coding": [{ "system": LOINC, "code": "85354-9" }] },
            "component": [
                { "code": { "coding": [{ "system": LOINC, "code": "8480-6" }] },
                    "valueQuantity": { "value": systolic, "unit": "mmHg" } },
                { "code": { "coding": [{ "system": LOINC, "code": "8462-4" }] },
                    "valueQuantity": { "value": 80, "unit": "mmHg" } }],
        })
    };
    flint.send("POST /Observation", pressure("2027-02-27T09:00:00Z", 150)).expect(201);
    flint.send("POST /Observation", pressure("2027-02-25T09:00:00Z", 140)).expect(201);
    let code = |code: &str| json!([{ "system": LOINC, "code": code }]);
    let link = |days: i32| {
        sdc(
            "sdc-questionnaire-observationLinkPeriod",
            json!({ "valueDuration":
        { "value": days, "unit": "days", "system": super::UCUM, "code": "d" } }),
        )
    };
    let mut form = breath();
    form["item"] = json!([
        { "linkId": "pressure", "type": "group", "code": code("85354-9"), "extension": [link(7)], "item": [
            { "linkId": "systolic", "type": "quantity", "code": code("8480-6") },
            { "linkId": "diastolic", "type": "quantity", "code": code("8462-4") },
            { "linkId": "pulse", "type": "quantity", "code": code("8867-4"), "extension": [link(7)] }] },
        { "linkId": "old", "type": "quantity", "code": code("59408-5"), "extension": [link(1)] },
    ]);
    flint.send("PUT /Questionnaire/breath", form).expect(201);
    let filled = flint.send("POST /Questionnaire/breath/$populate", local("Patient/p1")).expect(200);
    let found = answers(&filled);
    let values: Vec<_> = found.iter().map(|(link_id, value)| (link_id.as_str(), &value[..20])).collect();
    assert_eq!(values, [("systolic", r#"{"unit":"mmHg","valu"#), ("diastolic", r#"{"unit":"mmHg","valu"#)]);
    assert!(found[0].1.contains("150"), "the newest: {found:?}");
}

/// A form is no way around what the caller may see.
#[test]
fn shows_nobody_more_than_they_may_read() {
    let guarded = Guarded::surgery();
    let keeper = guarded.hold(&Holder { scope: "system/*.cruds", custodian: true, ..Holder::default() });
    keeper.send("PUT /Questionnaire/breath", breath()).expect(201);
    let app = Holder {
        scope: "patient/*.rs",
        user: "Patient/p1",
        patient: "p1",
        consents: &["Consent/share-app"],
        organization: "Organization/app1",
        purposes: &["PATRQT"],
        ..Holder::default()
    };
    let call = |holder: &Holder<'_>, subject: &str| {
        guarded.hold(holder).send("POST /Questionnaire/breath/$populate", local(subject))
    };
    let found = |reply: Reply| {
        answers(&reply).into_iter().filter(|(name, _)| name == "problem").map(|(_, it)| it).collect::<Vec<_>>()
    };
    let patient = Holder { consents: &[], organization: "", ..app.clone() };
    assert_eq!(found(call(&patient, "Patient/p1").expect(200)), ["13645005", "35489007"]);
    // What is hidden by consent is not filled in.
    assert_eq!(found(call(&app, "Patient/p1").expect(200)), ["13645005"]);
    // What scopes leave out is not filled in either, and told of.
    let narrow = Holder { scope: "patient/Patient.rs patient/Questionnaire.rs", ..patient.clone() };
    let reply = call(&narrow, "Patient/p1").expect(200);
    assert_eq!(answers(&reply).len(), 4, "{}", reply.text);
    assert!(reply.text.contains("may not search Condition") && reply.text.contains("may not search Observation"));
    // Another's record is as good as none.
    let none = call(&patient, "Patient/none").expect(404).text.replace("none", "p2");
    assert_eq!(call(&patient, "Patient/p2").expect(404).text, none);
    call(&Holder { scope: "patient/Observation.rs", ..patient }, "Patient/p1").expect(403);
}
