use flint_tests::Flint;
use serde_json::{Value, json};

use super::{LOINC, UCUM, breath, response, sdc};

fn spo2(value: i32) -> Value {
    json!([{ "linkId": "spo2", "answer": [{ "valueDecimal": value }] }])
}

/// T1.
#[test]
fn gives_the_observation_of_an_answer() {
    let flint = Flint::surgery();
    flint.send("PUT /Questionnaire/breath", breath()).expect(201);
    let mut sent = response(spo2(89));
    sent["basedOn"] = json!([{ "reference": "CarePlan/cp1" }]);
    let id = flint.send("POST /QuestionnaireResponse", sent).expect(201).pointer("/id");
    let before = flint.get("/Observation?_summary=count").pointer("/total");
    let extracted = flint.get(&format!("/QuestionnaireResponse/{id}/$extract")).expect(200);
    let bundle = extracted.json();
    extracted.facts(&[
        ("/type", "transaction"),
        ("/entry/0/request/method", "POST"),
        ("/entry/0/request/url", "Observation"),
        ("/entry/0/resource/status", "final"),
        ("/entry/0/resource/code/coding/0/code", "59408-5"),
        ("/entry/0/resource/category/0/coding/0/code", "vital-signs"),
        ("/entry/0/resource/basedOn/0/reference", "CarePlan/cp1"),
        ("/entry/0/resource/subject/reference", "Patient/p1"),
        ("/entry/0/resource/performer/0/reference", "Patient/p1"),
        ("/entry/0/resource/effectiveDateTime", "2027-03-01T08:30:00Z"),
        ("/entry/0/resource/issued", "2027-03-01T08:30:00Z"),
        ("/entry/0/resource/valueQuantity/value", "89"),
        ("/entry/0/resource/valueQuantity/unit", "%"),
        ("/entry/0/resource/valueQuantity/system", UCUM),
        ("/entry/0/resource/valueQuantity/code", "%"),
        ("/entry/0/resource/derivedFrom/0/reference", &format!("QuestionnaireResponse/{id}")),
        ("/entry/1", "-"),
    ]);
    // Nothing is written until it is posted, as it is.
    flint.get("/Observation?_summary=count").facts(&[("/total", &before)]);
    let again = flint.get(&format!("/QuestionnaireResponse/{id}/$extract")).expect(200).json();
    assert_eq!(again, bundle);
    flint.send("POST /", bundle).expect(200).facts(&[("/entry/0/response/status", "201*")]);
    let derived = format!("/Observation?derived-from=QuestionnaireResponse/{id}&code={LOINC}%7C59408-5");
    flint.get(&derived).expect(200).facts(&[("/total", "1")]);
}

/// Every kind of answer, alone, as member and as component.
#[test]
fn gives_each_kind_of_answer_its_value() {
    let flint = Flint::surgery();
    let code = |code: &str| json!([{ "system": LOINC, "code": code }]);
    let marked = |value: Value| json!([sdc("sdc-questionnaire-observationExtract", value)]);
    let alone = || marked(json!({ "valueBoolean": true }));
    let item = |link_id: &str, kind: &str| json!({ "linkId": link_id, "type": kind, "repeats": true, "code": code(link_id), "extension": alone() });
    let mut form = breath();
    form["item"] = json!([
        item("boolean", "boolean"), item("integer", "integer"), item("decimal", "decimal"), item("date", "date"),
        item("dateTime", "dateTime"), item("time", "time"), item("text", "text"), item("url", "url"),
        item("choice", "choice"), item("quantity", "quantity"),
        { "linkId": "panel", "type": "group", "code": code("panel"), "extension": alone(), "item": [
            { "linkId": "part", "type": "integer", "code": code("part"),
                "extension": marked(json!({ "valueCode": "component" })) },
            { "linkId": "member", "type": "integer", "code": code("member"),
                "extension": marked(json!({ "valueCode": "member" })) }] },
        { "linkId": "empty", "type": "group", "code": code("empty"), "extension": alone(), "item": [
            { "linkId": "left", "type": "integer", "code": code("left"),
                "extension": marked(json!({ "valueCode": "component" })) }] },
        { "linkId": "codes", "type": "integer", "code": [
            { "system": LOINC, "code": "one", "extension": alone() }, { "system": LOINC, "code": "two" }] },
        { "linkId": "uncoded", "type": "integer", "extension": alone() },
        { "linkId": "unmarked", "type": "integer", "code": code("unmarked") },
    ]);
    form["item"][8]["answerOption"] = json!([{ "valueCoding": { "system": "urn:o", "code": "a" } }]);
    flint.send("PUT /Questionnaire/breath", form).expect(201);
    let answer = |link_id: &str, value: Value| json!({ "linkId": link_id, "answer": [value] });
    let items = json!([
        answer("boolean", json!({ "valueBoolean": true })),
        { "linkId": "integer", "answer": [{ "valueInteger": 3 }, { "valueInteger": 4 }] },
        answer("decimal", json!({ "valueDecimal": 1.50 })),
        answer("date", json!({ "valueDate": "2027-02-03" })),
        answer("dateTime", json!({ "valueDateTime": "2027-02-03T10:00:00Z" })),
        answer("time", json!({ "valueTime": "10:00:00" })),
        answer("text", json!({ "valueString": "well" })),
        answer("url", json!({ "valueUri": "urn:u" })),
        answer("choice", json!({ "valueCoding": { "system": "urn:o", "code": "a" } })),
        answer("quantity", json!({ "valueQuantity": { "value": 2, "unit": "cm" } })),
        { "linkId": "panel", "item": [
            answer("part", json!({ "valueInteger": 7 })), answer("member", json!({ "valueInteger": 8 }))] },
        answer("codes", json!({ "valueInteger": 9 })),
        answer("uncoded", json!({ "valueInteger": 10 })),
        answer("unmarked", json!({ "valueInteger": 11 })),
    ]);
    let extracted = flint.send("POST /QuestionnaireResponse/$extract", response(items)).expect(200);
    let bundle = extracted.json();
    let entries = bundle["entry"].as_array().expect("entries");
    let resources: Vec<_> = entries.iter().map(|entry| &entry["resource"]).collect();
    let of = |code: &str| {
        let is = |it: &&&Value| it["code"]["coding"][0]["code"] == code;
        resources.iter().filter(is).copied().collect::<Vec<_>>()
    };
    let expected = [
        ("boolean", "valueBoolean", json!(true)),
        ("integer", "valueInteger", json!(3)),
        ("decimal", "valueQuantity", json!({ "value": 1.5 })),
        ("date", "valueDateTime", json!("2027-02-03")),
        ("dateTime", "valueDateTime", json!("2027-02-03T10:00:00Z")),
        ("time", "valueTime", json!("10:00:00")),
        ("text", "valueString", json!("well")),
        ("url", "valueString", json!("urn:u")),
        ("choice", "valueCodeableConcept", json!({ "coding": [{ "system": "urn:o", "code": "a" }] })),
        ("quantity", "valueQuantity", json!({ "value": 2, "unit": "cm" })),
        ("member", "valueInteger", json!(8)),
        ("one", "valueInteger", json!(9)),
    ];
    for (code, element, value) in expected {
        assert_eq!(of(code)[0][element], value, "{code}");
    }
    assert_eq!(of("integer").len(), 2);
    let panel = of("panel")[0];
    assert_eq!(panel["component"][0]["valueInteger"], json!(7));
    let member = entries.iter().find(|entry| entry["resource"]["valueInteger"] == json!(8)).expect("a member");
    assert_eq!(panel["hasMember"][0]["reference"], member["fullUrl"]);
    assert_eq!(of("one")[0]["code"]["coding"].as_array().map(Vec::len), Some(1));
    assert_eq!(resources.len(), 14, "nothing for what is empty, unmarked or has no code: {}", extracted.text);
    assert!(resources.iter().all(|it| it["derivedFrom"].is_null()), "it is not known here");
    flint.send("POST /", bundle.clone()).expect(200);
}

#[test]
fn refuses_what_cannot_be_extracted() {
    let flint = Flint::surgery();
    flint.send("PUT /Questionnaire/breath", breath()).expect(201);
    let extract = |sent: Value| flint.send("POST /QuestionnaireResponse/$extract", sent);
    let with = |name: &str, value: Value| {
        let mut sent = response(spo2(89));
        sent[name] = value;
        sent
    };
    extract(with("status", json!("in-progress"))).expect(422).facts(&[("/issue/0/details/text", "*`in-progress`*")]);
    extract(with("questionnaire", json!("https://example.org/none")))
        .expect(422)
        .facts(&[("/issue/0/code", "not-found"), ("/issue/0/expression/0", "QuestionnaireResponse.questionnaire")]);
    extract(with("item", json!([]))).expect(422);
    extract(with("item", json!([{ "linkId": "x" }]))).expect(422);
    extract(json!({ "resourceType": "Patient" })).expect(400);
    extract(json!({ "resourceType": "Parameters" }))
        .expect(400)
        .facts(&[("/issue/0/details/text", "*`questionnaire-response`*")]);
    let mut plain = breath();
    plain["id"] = json!("plain");
    plain["url"] = json!("https://example.org/plain");
    plain["item"] = json!([{ "linkId": "spo2", "type": "decimal", "code": [{ "code": "x" }] }]);
    flint.send("PUT /Questionnaire/plain", plain.clone()).expect(201);
    let unmarked = with("questionnaire", json!("https://example.org/plain"));
    extract(unmarked).expect(422).facts(&[("/issue/0/details/text", "*plain` marks nothing*")]);
    // With the form that is sent, and an answer that no Observation can have.
    plain["item"][0]["type"] = json!("attachment");
    plain["item"][0]["extension"] =
        json!([sdc("sdc-questionnaire-observationExtract", json!({ "valueBoolean": true }))]);
    let mut sent = with("questionnaire", json!("https://example.org/elsewhere"));
    sent["item"] = json!([{ "linkId": "spo2", "answer": [{ "valueAttachment": { "title": "x" } }] }]);
    let parameters = json!({ "resourceType": "Parameters", "parameter": [
        { "name": "questionnaire-response", "resource": sent }, { "name": "questionnaire", "resource": plain }] });
    extract(parameters).expect(422).facts(&[("/issue/0/details/text", "*`spo2`*")]);
    // Marked, and not answered: nothing to post.
    let mut optional = breath();
    optional["item"][4]["required"] = json!(false);
    flint.send("PUT /Questionnaire/breath", optional).expect(200);
    extract(with("item", json!([{ "linkId": "worse", "answer": [{ "valueBoolean": true }] }])))
        .expect(200)
        .facts(&[("/type", "transaction"), ("/entry", "-")]);
    let contained = with("questionnaire", json!("#f"));
    let mut form = breath();
    form["id"] = json!("f");
    let mut contained = contained;
    contained["contained"] = json!([form]);
    extract(contained).expect(200).facts(&[("/entry/0/resource/valueQuantity/value", "89")]);
}
