//! Names, JSON kinds, cardinality, choices, primitives with their siblings, extensions.

use super::{check, errors};
use crate::IssueType::{Invariant, Required, Structure, Value};
use crate::json::Document;
use crate::validate::ISSUES_MAX;

#[test]
fn resources_have_a_known_type() {
    check(&[
        (r#"{"resourceType":"Patient"}"#, None),
        (r#"{"id":"a","resourceType":"Patient"}"#, None),
        (r#"{}"#, Some((Structure, "", "no `resourceType`"))),
        (r#"[]"#, Some((Structure, "", "a resource is an object, not an array"))),
        (r#""Patient""#, Some((Structure, "", "a resource is an object, not a string"))),
        (r#"{"resourceType":1}"#, Some((Structure, "", "`1` is not a resource type of R4"))),
        (r#"{"resourceType":"Pateint"}"#, Some((Structure, "", "the nearest is `Patient`"))),
        (r#"{"resourceType":"patient"}"#, Some((Structure, "", "the nearest is `Patient`"))),
        (
            r#"{"resourceType":"DomainResource"}"#,
            Some((Structure, "", "`DomainResource` is not a resource type of R4")),
        ),
        (r#"{"resourceType":"HumanName"}"#, Some((Structure, "", "`HumanName` is not a resource type of R4"))),
        (r#"{"resourceType":"Patient.contact"}"#, Some((Structure, "", "is not a resource type of R4"))),
    ]);
}

#[test]
fn names_are_known() {
    check(&[
        (
            r#"{"resourceType":"Patient","nmae":[{"family":"x"}]}"#,
            Some((Structure, "Patient.nmae", "`nmae` is not an element of Patient; the nearest is `name`")),
        ),
        (
            r#"{"resourceType":"Patient","fhir_comments":["x"]}"#,
            Some((Structure, "Patient.fhir_comments", "not an element")),
        ),
        (r#"{"resourceType":"Patient","":"x"}"#, Some((Structure, "Patient.", "`` is not an element"))),
        (r#"{"resourceType":"Patient","_":{}}"#, Some((Structure, "Patient._", "`_` is not an element"))),
        (
            r#"{"resourceType":"Patient","name":[{"family":"x"},{"famly":"x"}]}"#,
            Some((Structure, "Patient.name[1].famly", "the nearest is `family`")),
        ),
        (
            r#"{"resourceType":"Patient","contact":[{"name":{"text":"x"},"fax":"1"}]}"#,
            Some((Structure, "Patient.contact[0].fax", "`fax` is not an element of Patient.contact")),
        ),
        (
            r#"{"resourceType":"Patient","name":[{"resourceType":"HumanName","text":"x"}]}"#,
            Some((Structure, "Patient.name[0].resourceType", "not an element of HumanName")),
        ),
        (
            r#"{"resourceType":"Questionnaire","status":"draft","item":[{"linkId":"1","type":"group","item":[{"linkId":"2","type":"string","x":1}]}]}"#,
            Some((Structure, "Questionnaire.item[0].item[0].x", "not an element of Questionnaire.item")),
        ),
    ]);
}

#[test]
fn json_kinds_fit() {
    check(&[
        (r#"{"resourceType":"Patient","active":true,"multipleBirthInteger":2,"gender":"other"}"#, None),
        (
            r#"{"resourceType":"Patient","active":"true"}"#,
            Some((Structure, "Patient.active", "a string stands here, `\"true\"`")),
        ),
        (r#"{"resourceType":"Patient","gender":1}"#, Some((Structure, "Patient.gender", "of type code is a string"))),
        (
            r#"{"resourceType":"Patient","gender":{"x":1}}"#,
            Some((Structure, "Patient.gender", "an object stands here")),
        ),
        (
            r#"{"resourceType":"Patient","multipleBirthInteger":"2"}"#,
            Some((Structure, "Patient.multipleBirth", "is a number")),
        ),
        (
            r#"{"resourceType":"Patient","name":{"text":"x"}}"#,
            Some((Structure, "Patient.name", "an object stands here, but `name` may repeat")),
        ),
        (
            r#"{"resourceType":"Patient","name":["x"]}"#,
            Some((Structure, "Patient.name[0]", "but HumanName is an object")),
        ),
        (
            r#"{"resourceType":"Patient","name":[[{"text":"x"}]]}"#,
            Some((Structure, "Patient.name[0]", "an array stands here")),
        ),
        (
            r#"{"resourceType":"Patient","maritalStatus":[{"text":"x"}]}"#,
            Some((Structure, "Patient.maritalStatus", "does not repeat")),
        ),
        (
            r#"{"resourceType":"Patient","birthDate":["2000"]}"#,
            Some((Structure, "Patient.birthDate", "does not repeat")),
        ),
        (
            r#"{"resourceType":"Patient","maritalStatus":"x"}"#,
            Some((Structure, "Patient.maritalStatus", "CodeableConcept is an object")),
        ),
        (
            r#"{"resourceType":"Patient","contained":["x"]}"#,
            Some((Structure, "Patient.contained[0]", "a resource is an object")),
        ),
    ]);
}

#[test]
fn nothing_is_empty_or_null() {
    check(&[
        (r#"{"resourceType":"Patient","name":[]}"#, Some((Structure, "Patient.name", "the array is empty"))),
        (r#"{"resourceType":"Patient","name":[{}]}"#, Some((Structure, "Patient.name[0]", "the object is empty"))),
        (r#"{"resourceType":"Patient","name":[{"id":"a"}]}"#, Some((Structure, "Patient.name[0]", "(ele-1)"))),
        (r#"{"resourceType":"Patient","name":null}"#, Some((Structure, "Patient.name", "null stands here"))),
        (r#"{"resourceType":"Patient","name":[null]}"#, Some((Structure, "Patient.name[0]", "null stands here"))),
        (
            r#"{"resourceType":"Patient","name":[{"given":[null]}]}"#,
            Some((Structure, "Patient.name[0].given[0]", "null stands here")),
        ),
        (
            r#"{"resourceType":"Patient","name":[{"given":[""]}]}"#,
            Some((Value, "Patient.name[0].given[0]", "the string is empty")),
        ),
        (r#"{"resourceType":"Patient","birthDate":null}"#, Some((Structure, "Patient.birthDate", "null stands here"))),
        (
            r#"{"resourceType":"Patient","maritalStatus":null}"#,
            Some((Structure, "Patient.maritalStatus", "null stands here")),
        ),
    ]);
}

#[test]
fn cardinality_holds() {
    check(&[
        (r#"{"resourceType":"Basic","code":{"text":"x"}}"#, None),
        (r#"{"resourceType":"Basic"}"#, Some((Required, "Basic.code", "`code` is missing: Basic must have it"))),
        (
            r#"{"resourceType":"Patient","link":[{"other":{"reference":"Patient/a"}}]}"#,
            Some((Required, "Patient.link[0].type", "`type` is missing: Patient.link must have it")),
        ),
        (
            r#"{"resourceType":"MedicationRequest","status":"draft","intent":"order","subject":{"display":"x"}}"#,
            Some((Required, "MedicationRequest.medication", "`medication[x]` is missing")),
        ),
        (
            r#"{"resourceType":"MedicationRequest","status":"draft","intent":"order","subject":{"display":"x"},"medicationCodeableConcept":{"text":"x"}}"#,
            None,
        ),
        (
            r#"{"resourceType":"Basic","_code":{"id":"x"}}"#,
            Some((Structure, "Basic._code", "only primitive elements have one")),
        ),
        (
            r#"{"resourceType":"Slot","schedule":{"reference":"Schedule/a"},"_status":{"extension":[{"url":"x","valueCode":"unknown"}]},
                "start":"2026-01-01T00:00:00Z","end":"2026-01-01T00:10:00Z"}"#,
            None,
        ),
    ]);
}

#[test]
fn choices_have_one_known_type() {
    check(&[
        (r#"{"resourceType":"Patient","deceasedBoolean":true}"#, None),
        (r#"{"resourceType":"Patient","deceasedDateTime":"2020","_deceasedDateTime":{"id":"x"}}"#, None),
        (
            r#"{"resourceType":"Patient","deceasedBoolean":true,"deceasedDateTime":"2020"}"#,
            Some((Structure, "Patient.deceased", "both `deceasedBoolean` and `deceasedDateTime`")),
        ),
        (
            r#"{"resourceType":"Patient","deceasedBoolean":true,"_deceasedDateTime":{"id":"x","extension":[{"url":"x","valueCode":"y"}]}}"#,
            Some((Structure, "Patient.deceased", "`deceased[x]` has one type")),
        ),
        (
            r#"{"resourceType":"Patient","deceased":true}"#,
            Some((Structure, "Patient.deceased", "may be one of deceasedBoolean, deceasedDateTime")),
        ),
        (
            r#"{"resourceType":"Patient","deceasedString":"x"}"#,
            Some((Structure, "Patient.deceasedString", "may be one of deceasedBoolean, deceasedDateTime")),
        ),
        (
            r#"{"resourceType":"Patient","deceasedboolean":true}"#,
            Some((Structure, "Patient.deceasedboolean", "nearest is `deceasedBoolean`")),
        ),
    ]);
}

#[test]
fn primitives_have_siblings() {
    let extension = r#"{"extension":[{"url":"x","valueCode":"y"}]}"#;
    let patient =
        |members: &str| format!(r#"{{"resourceType":"Patient",{}}}"#, members.replace("EXT", extension)).leak() as &str;
    check(&[
        (patient(r#""birthDate":"2000","_birthDate":EXT"#), None),
        (patient(r#""_birthDate":EXT"#), None),
        (patient(r#""_birthDate":{"id":"a"},"birthDate":"2000""#), None),
        (patient(r#""_birthDate":{"id":"a"}"#), Some((Structure, "Patient.birthDate", "(ele-1)"))),
        (
            patient(r#""birthDate":"2000","_birthDate":{}"#),
            Some((Structure, "Patient.birthDate", "the object is empty")),
        ),
        (
            patient(r#""birthDate":"2000","_birthDate":"x""#),
            Some((Structure, "Patient.birthDate", "a string stands in `_birthDate`")),
        ),
        (
            patient(r#""birthDate":"2000","_birthDate":null"#),
            Some((Structure, "Patient.birthDate", "null stands in `_birthDate`")),
        ),
        (
            patient(r#""birthDate":"2000","_birthDate":[EXT]"#),
            Some((Structure, "Patient.birthDate", "does not repeat")),
        ),
        (patient(r#""birthDate":null,"_birthDate":EXT"#), Some((Structure, "Patient.birthDate", "null stands here"))),
        (
            patient(r#""birthDate":"2000","_birthDate":{"value":"2000"}"#),
            Some((Structure, "Patient.birthDate.value", "not an element of date")),
        ),
        (patient(r#""_name":[{"id":"x"}]"#), Some((Structure, "Patient._name", "only primitive elements have one"))),
        (patient(r#""_id":EXT"#), Some((Structure, "Patient._id", "only primitive elements have one"))),
        (patient(r#""_nmae":[EXT]"#), Some((Structure, "Patient._nmae", "the nearest is `name`"))),
        (patient(r#""name":[{"given":["a","b"],"_given":[null,EXT]}]"#), None),
        (patient(r#""name":[{"given":["a",null],"_given":[null,EXT]}]"#), None),
        (patient(r#""name":[{"given":["a","b"],"_given":[EXT]}]"#), None),
        (patient(r#""name":[{"_given":[EXT,EXT]}]"#), None),
        (
            patient(r#""name":[{"given":["a"],"_given":[null,EXT]}]"#),
            Some((Structure, "Patient.name[0].given", "more items")),
        ),
        (
            patient(r#""name":[{"given":["a",null],"_given":[EXT,null]}]"#),
            Some((Structure, "Patient.name[0].given[1]", "null stands here")),
        ),
        (
            patient(r#""name":[{"_given":[null,EXT]}]"#),
            Some((Structure, "Patient.name[0].given[0]", "null stands here")),
        ),
        (
            patient(r#""name":[{"given":["a"],"_given":EXT}]"#),
            Some((Structure, "Patient.name[0].given", "may repeat and so is an array")),
        ),
        (
            patient(r#""name":[{"given":["a"],"_given":[]}]"#),
            Some((Structure, "Patient.name[0].given", "the array is empty")),
        ),
    ]);
}

#[test]
fn primitives_have_their_form() {
    check(&[
        (r#"{"resourceType":"Patient","id":"a_b"}"#, Some((Value, "Patient.id", "`a_b` is not of type id"))),
        (
            r#"{"resourceType":"Patient","birthDate":"2021-02-29"}"#,
            Some((Value, "Patient.birthDate", "`2021-02-29` is not of type date")),
        ),
        (
            r#"{"resourceType":"Patient","multipleBirthInteger":1.0}"#,
            Some((Value, "Patient.multipleBirth", "`1.0` is not of type integer")),
        ),
        (
            r#"{"resourceType":"Patient","meta":{"lastUpdated":"2021-02-03"}}"#,
            Some((Value, "Patient.meta.lastUpdated", "not of type instant")),
        ),
        (
            r#"{"resourceType":"Patient","text":{"status":"generated","div":"<p>x</p>"}}"#,
            Some((Value, "Patient.text.div", "one `<div>` element")),
        ),
        (r#"{"resourceType":"Patient","text":{"status":"generated","div":"<div>x</div>"}}"#, None),
        (
            r#"{"resourceType":"Patient","text":{"status":"generated","div":"<div>x</div>","_div":{"extension":[{"url":"x","valueCode":"y"}]}}}"#,
            Some((Structure, "Patient.text.div.extension", "may at most 0 times")),
        ),
    ]);
}

#[test]
fn extensions_have_a_value_or_extensions() {
    let patient = |members: &str| format!(r#"{{"resourceType":"Patient",{members}}}"#).leak() as &str;
    check(&[
        (patient(r#""extension":[{"url":"x","valueString":"y"}]"#), None),
        (
            patient(
                r#""modifierExtension":[{"url":"x","extension":[{"url":"y","_valueString":{"extension":[{"url":"z","valueCode":"u"}]}}]}]"#,
            ),
            None,
        ),
        (
            patient(r#""extension":[{"valueString":"y"}]"#),
            Some((Required, "Patient.extension[0].url", "`url` is missing")),
        ),
        (
            patient(r#""extension":[{"url":"x"}]"#),
            Some((Invariant, "Patient.extension[0]", "neither a value nor extensions")),
        ),
        (
            patient(r#""extension":[{"url":"x","valueString":"y","extension":[{"url":"y","valueCode":"z"}]}]"#),
            Some((Invariant, "Patient.extension[0]", "both a value and extensions")),
        ),
        (
            patient(r#""extension":[{"url":"x","valueMoneyQuantity":{"value":1}}]"#),
            Some((Structure, "Patient.extension[0].valueMoneyQuantity", "not a form of `value[x]`")),
        ),
        (
            patient(r#""extension":[{"url":"x","_url":{"id":"y"},"valueCode":"z"}]"#),
            Some((Structure, "Patient.extension[0]._url", "only primitive")),
        ),
        (
            patient(r#""name":[{"text":"x","modifierExtension":[{"url":"x","valueCode":"y"}]}]"#),
            Some((Structure, "Patient.name[0].modifierExtension", "not an element of HumanName")),
        ),
    ]);
}

#[test]
fn issues_are_bounded() {
    let given = vec![r#""""#; ISSUES_MAX * 2].join(",");
    let json = format!(r#"{{"resourceType":"Patient","name":[{{"given":[{given}]}}]}}"#);
    let issues = errors(&Document::parse(json.as_bytes()).expect("a valid text"));
    assert_eq!(issues.len(), ISSUES_MAX);
    assert_eq!(issues[ISSUES_MAX - 2].expression, [format!("Patient.name[0].given[{}]", ISSUES_MAX - 2)]);
    assert_eq!(issues[ISSUES_MAX - 1].diagnostics, "101 more errors and 0 more warnings and notes are not listed");
}
