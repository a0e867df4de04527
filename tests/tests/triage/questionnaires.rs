use flint_tests::Flint;
use serde_json::json;

use super::{BREATH, breath, response};

/// T1.
#[test]
fn checks_answers_against_the_form() {
    let flint = Flint::surgery();
    flint.send("PUT /Questionnaire/breath", breath()).expect(201);
    let asked = |items| flint.send("POST /QuestionnaireResponse", response(items));
    let spo2 = json!({ "linkId": "spo2", "answer": [{ "valueDecimal": 89 }] });
    let unknown = asked(json!([spo2, { "linkId": "shoe-size", "answer": [{ "valueDecimal": 9 }] }])).expect(422);
    unknown.facts(&[
        ("/issue/0/expression/0", "QuestionnaireResponse.item[1]"),
        ("/issue/0/diagnostics", "*`shoe-size`*"),
        ("/issue/0/code", "structure"),
    ]);
    asked(json!([{ "linkId": "worse", "answer": [{ "valueBoolean": false }] }]))
        .expect(422)
        .facts(&[("/issue/0/code", "required"), ("/issue/0/diagnostics", "*`spo2` is required*")]);
    asked(json!([{ "linkId": "spo2", "answer": [{ "valueString": "89" }] }])).expect(422);
    asked(json!([spo2])).expect(201);
}

#[test]
fn takes_the_version_that_is_named() {
    let flint = Flint::surgery();
    let mut old = breath();
    old["id"] = json!("breath1");
    old["version"] = json!("1.0");
    old["item"] = json!([{ "linkId": "cough", "type": "boolean", "required": true }]);
    flint.send("PUT /Questionnaire/breath1", old).expect(201);
    flint.send("PUT /Questionnaire/breath", breath()).expect(201);
    let cough = json!([{ "linkId": "cough", "answer": [{ "valueBoolean": true }] }]);
    let spo2 = json!([{ "linkId": "spo2", "answer": [{ "valueDecimal": 91 }] }]);
    for (version, items, status) in [
        ("|1.0", &cough, 201),
        ("|1.0", &spo2, 422),
        ("|2.0", &spo2, 201),
        ("|2.0", &cough, 422),
        // Without a version the latest is meant.
        ("", &spo2, 201),
        ("", &cough, 422),
    ] {
        let mut sent = response(items.clone());
        sent["questionnaire"] = json!(format!("{BREATH}{version}"));
        let reply = flint.send("POST /QuestionnaireResponse", sent);
        assert_eq!(reply.status, status, "{version} {items}: {}", reply.text);
    }
    let found = |query: &str| flint.get(&format!("/Questionnaire?{query}")).expect(200).keys("match");
    assert_eq!(found(&format!("url={BREATH}&_sort=version")), ["Questionnaire/breath1", "Questionnaire/breath"]);
    assert_eq!(found(&format!("url={BREATH}&version=1.0")), ["Questionnaire/breath1"]);
    let of_old = format!("/QuestionnaireResponse?questionnaire={BREATH}%7C1.0");
    flint.get(&of_old).expect(200).facts(&[("/total", "1")]);
}
