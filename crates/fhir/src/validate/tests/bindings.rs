//! Required bindings.

use super::check;
use crate::IssueType::CodeInvalid;

#[test]
fn codes_are_in_their_value_set() {
    check(&[
        (r#"{"resourceType":"Patient","gender":"female"}"#, None),
        (
            r#"{"resourceType":"Patient","gender":"F"}"#,
            Some((CodeInvalid, "Patient.gender", "`F` is not in the value set")),
        ),
        (
            r#"{"resourceType":"Patient","gender":"F"}"#,
            Some((CodeInvalid, "Patient.gender", "male, female, other, unknown")),
        ),
        (
            r#"{"resourceType":"Patient","telecom":[{"system":"phone","value":"1"},{"system":"telephone","value":"1"}]}"#,
            Some((CodeInvalid, "Patient.telecom[1].system", "`telephone`")),
        ),
        (r#"{"resourceType":"Patient","_gender":{"extension":[{"url":"x","valueCode":"y"}]}}"#, None),
    ]);
}

#[test]
fn concepts_have_a_coding_from_their_value_set() {
    const SYSTEM: &str = "http://terminology.hl7.org/CodeSystem/condition-clinical";
    let condition = |status: &str| {
        format!(r#"{{"resourceType":"Condition","subject":{{"display":"x"}},"clinicalStatus":{status}}}"#)
            .replace("SYSTEM", SYSTEM)
            .leak() as &str
    };
    let at = "Condition.clinicalStatus";
    check(&[
        (condition(r#"{"coding":[{"system":"SYSTEM","code":"active"}]}"#), None),
        (
            condition(
                r#"{"coding":[{"system":"http://local.example","code":"on"},{"system":"SYSTEM","code":"active"}]}"#,
            ),
            None,
        ),
        (condition(r#"{"extension":[{"url":"x","valueCode":"unknown"}]}"#), None),
        (condition(r#"{"text":"active"}"#), Some((CodeInvalid, at, "a coding is missing"))),
        (condition(r#"{"coding":[{"code":"active"}]}"#), Some((CodeInvalid, at, "`|active` is not in the value set"))),
        (condition(r#"{"coding":[{"system":"SYSTEM"}]}"#), Some((CodeInvalid, at, "a coding without code"))),
        (
            condition(r#"{"coding":[{"system":"SYSTEM","code":"on"}]}"#),
            Some((CodeInvalid, at, "condition-clinical|on` is not in")),
        ),
        (
            condition(r#"{"coding":[{"system":"http://local.example","code":"active"}]}"#),
            Some((CodeInvalid, at, "is not in the value set")),
        ),
    ]);
}

#[test]
fn codes_without_a_list_have_their_form() {
    let attachment =
        |members: &str| format!(r#"{{"resourceType":"Patient","photo":[{{"title":"x",{members}}}]}}"#).leak() as &str;
    check(&[
        (attachment(r#""contentType":"image/png""#), None),
        (
            attachment(r#""contentType":"image / png""#),
            Some((CodeInvalid, "Patient.photo[0].contentType", "is not a MIME type")),
        ),
        (r#"{"resourceType":"Invoice","status":"draft","totalNet":{"value":1.50,"currency":"GBP"}}"#, None),
        (
            r#"{"resourceType":"Invoice","status":"draft","totalNet":{"value":1.50,"currency":"pounds"}}"#,
            Some((CodeInvalid, "Invoice.totalNet.currency", "`pounds` is not a currency")),
        ),
    ]);
}
