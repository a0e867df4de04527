//! 111 and triage: forms, what an engine decides, and referrals by message.

/// `$extract`.
mod extract;
/// Booking after triage.
mod guided;
/// `$process-message`.
mod message;
/// What messages are refused, and what becomes of referrals later.
mod message_refusals;
/// `$populate`.
mod populate;
/// Forms with versions, and responses that are checked against the right one.
mod questionnaires;

use flint_tests::example;
use serde_json::{Value, json};

/// The url of the form that is used here.
const BREATH: &str = "https://example.org/Questionnaire/breath";

const LOINC: &str = "http://loinc.org";
const SDC: &str = "http://hl7.org/fhir/uv/sdc/StructureDefinition/";
const UCUM: &str = "http://unitsofmeasure.org";

fn sdc(name: &str, value: Value) -> Value {
    let mut extension = json!({ "url": format!("{SDC}{name}") });
    let (key, value) = value.as_object().and_then(|it| it.iter().next()).expect("one value");
    extension[key] = value.clone();
    extension
}

/// An extension with an expression.
fn expression(name: &str, variable: &str, language: &str, text: &str) -> Value {
    let mut expression = json!({ "language": language, "expression": text });
    if !variable.is_empty() {
        expression["name"] = json!(variable);
    }
    let url = match name {
        "variable" => "http://hl7.org/fhir/StructureDefinition/variable".to_owned(),
        name => format!("{SDC}sdc-questionnaire-{name}"),
    };
    json!({ "url": url, "valueExpression": expression })
}

fn fhirpath(name: &str, text: &str) -> Value {
    expression(name, "", "text/fhirpath", text)
}

/// A launch context.
fn launch(name: &str, resource_type: &str) -> Value {
    json!({ "url": format!("{SDC}sdc-questionnaire-launchContext"), "extension": [
        { "url": "name", "valueCoding": {
            "system": "http://hl7.org/fhir/uv/sdc/CodeSystem/launchContext", "code": name } },
        { "url": "type", "valueCode": resource_type },
    ] })
}

/// A question about breath, which fills in from the record and becomes Observations.
fn breath() -> Value {
    json!({
        "resourceType": "Questionnaire", "id": "breath", "url": BREATH, "version": "2.0", "status": "active",
        "subjectType": ["Patient"],
        "extension": [
            launch("patient", "Patient"),
            expression("variable", "born", "text/fhirpath", "%patient.birthDate"),
            sdc("sdc-questionnaire-observation-extract-category", json!({ "valueCodeableConcept": { "coding": [
                { "system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs" }] } })),
        ],
        "item": [
            { "linkId": "intro", "type": "display", "text": "About your breath" },
            { "linkId": "name", "type": "string", "extension": [
                fhirpath("initialExpression", "%patient.name.where(use = 'official').family")] },
            { "linkId": "born", "type": "date", "extension": [fhirpath("initialExpression", "%born")] },
            { "linkId": "gender", "type": "choice",
                "extension": [fhirpath("initialExpression", "%patient.gender")],
                "answerOption": [
                    { "valueCoding": { "system": "http://hl7.org/fhir/administrative-gender", "code": "male" } },
                    { "valueCoding": { "system": "http://hl7.org/fhir/administrative-gender", "code": "female" } }] },
            { "linkId": "spo2", "type": "decimal", "required": true, "text": "What does the oximeter say?",
                "code": [{ "system": LOINC, "code": "59408-5" }],
                "extension": [
                    sdc("sdc-questionnaire-observationLinkPeriod", json!({ "valueDuration":
                        { "value": 1, "unit": "month", "system": UCUM, "code": "mo" } })),
                    sdc("sdc-questionnaire-observationExtract", json!({ "valueBoolean": true })),
                    { "url": "http://hl7.org/fhir/StructureDefinition/questionnaire-unit",
                        "valueCoding": { "system": UCUM, "code": "%", "display": "%" } }] },
            { "linkId": "worse", "type": "boolean", "initial": [{ "valueBoolean": false }] },
            { "linkId": "since", "type": "date", "enableWhen": [
                { "question": "worse", "operator": "=", "answerBoolean": true }] },
            { "linkId": "problems", "type": "group", "repeats": true,
                "extension": [expression("itemPopulationContext", "problem", "application/x-fhir-query",
                    "Condition?patient={{%patient.id}}&_sort=_id")],
                "item": [
                    { "linkId": "problem", "type": "open-choice",
                        "extension": [fhirpath("initialExpression", "%problem.code")] },
                    { "linkId": "recorded", "type": "date",
                        "extension": [fhirpath("initialExpression", "%problem.recordedDate")] }] },
        ],
    })
}

/// A response to it.
fn response(items: Value) -> Value {
    json!({
        "resourceType": "QuestionnaireResponse", "questionnaire": format!("{BREATH}|2.0"), "status": "completed",
        "subject": { "reference": "Patient/p1" }, "author": { "reference": "Patient/p1" },
        "authored": "2027-03-01T08:30:00Z", "item": items,
    })
}

/// A request of examples/surgery.
fn request(name: &str) -> Value {
    let text = std::fs::read_to_string(example(name)).expect("an example");
    serde_json::from_str(&text).expect("JSON")
}
