//! Responses beside their questionnaires: each rule with what it takes and what it refuses.

mod cost;

use std::sync::Arc;

use crate::json::Document;
use crate::outcome::Severity;
use crate::profile::Profile;
use crate::terminology::{Canonical, CodeSystem, Coded, Membership, Source, ValueSet};
use crate::validate::{Depth, Validator};
use crate::{Definitions, Instant, Library, Outcome};

/// One questionnaire, and a value set `pets` in which cats are.
struct Desk(Option<Arc<Document>>);

impl Source for Desk {
    fn code_system(&self, _: Canonical<'_>) -> Result<Option<Arc<CodeSystem>>, Outcome> {
        Ok(None)
    }

    fn value_set(&self, _: Canonical<'_>) -> Result<Option<Arc<ValueSet>>, Outcome> {
        Ok(None)
    }
}

impl Library for Desk {
    fn structure_definition(&self, _: Canonical<'_>) -> Result<Option<Arc<Document>>, Outcome> {
        Ok(None)
    }

    fn profile(&self, _: Canonical<'_>) -> Result<Option<Arc<Profile>>, Outcome> {
        Ok(None)
    }

    fn questionnaire(&self, canonical: Canonical<'_>) -> Result<Option<Arc<Document>>, Outcome> {
        Ok(self.0.clone().filter(|_| canonical.url == "http://q.example/q"))
    }

    fn member(&self, value_set: Canonical<'_>, coded: &Coded<'_>) -> Membership {
        match (value_set.url, coded.code) {
            ("pets", "cat") => Membership::In { display: None, wrong_display: None },
            ("pets", _) => Membership::NotIn("no pet".to_owned()),
            _ => Membership::Unknown("not known here".to_owned()),
        }
    }

    fn resource(&self, _: &str) -> Option<Arc<Document>> {
        None
    }
}

/// The issues of a response as `severity expression: diagnostics`.
fn issues(questionnaire: Option<&str>, response: &str) -> Vec<String> {
    let parse =
        |text: &str| Arc::new(Document::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}")));
    let library = Desk(questionnaire.map(parse));
    let validator = Validator {
        definitions: Definitions::r4(),
        library: &library,
        depth: Depth::Write,
        unknown_profile: Severity::Warning,
        now: Instant(0),
    };
    let issues = validator.validate(&parse(response), &[]).into_iter();
    issues.map(|it| format!("{} {}: {}", it.severity.code(), it.expression.concat(), it.diagnostics)).collect()
}

fn questionnaire(items: &str) -> String {
    format!(
        r#"{{"resourceType":"Questionnaire","url":"http://q.example/q","status":"active","subjectType":["Patient"],"item":[{items}],
        "contained":[{{"resourceType":"ValueSet","id":"colors","status":"active","compose":{{"include":[{{"system":"urn:c","concept":[{{"code":"red"}}]}}]}}}}]}}"#
    )
}

fn response(status: &str, items: &str) -> String {
    let items = if items.is_empty() { String::new() } else { format!(r#","item":[{items}]"#) };
    format!(
        r#"{{"resourceType":"QuestionnaireResponse","questionnaire":"http://q.example/q","status":"{status}"{items}}}"#
    )
}

/// Items of a questionnaire, items of a completed response, and the beginning and a part of each issue.
type Case = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

fn check(cases: &[Case]) {
    for (items, given, expected) in cases {
        let found = issues(Some(&questionnaire(items)), &response("completed", given));
        let fits = found.len() == expected.len()
            && found.iter().zip(*expected).all(|(found, (start, part))| {
                found.strip_prefix("error QuestionnaireResponse").unwrap_or(found).starts_with(start)
                    && found.contains(part)
            });
        assert!(fits, "{items}\n{given}\n{found:#?}\n{expected:?}");
    }
}

#[test]
fn items_stand_where_the_questionnaire_has_them() {
    const FORM: &str = r#"{"linkId":"g","type":"group","item":[{"linkId":"a","type":"string"},{"linkId":"b","type":"string","item":[{"linkId":"c","type":"string"}]}]},
        {"linkId":"d","type":"display"},{"linkId":"r","type":"group","repeats":true,"item":[{"linkId":"x","type":"string","repeats":true}]}"#;
    check(&[
        (FORM, "", &[]),
        (
            FORM,
            r#"{"linkId":"g","item":[{"linkId":"a","answer":[{"valueString":"1"}]},{"linkId":"b","answer":[{"valueString":"1","item":[{"linkId":"c","answer":[{"valueString":"1"}]}]}]}]},{"linkId":"d"}"#,
            &[],
        ),
        (FORM, r#"{"linkId":"nothing"}"#, &[(".item[0]:", "the questionnaire has no item `nothing`")]),
        (
            FORM,
            r#"{"linkId":"a","answer":[{"valueString":"1"}]}"#,
            &[(".item[0]:", "`a` stands below `g` in the questionnaire, not at the top")],
        ),
        (
            FORM,
            r#"{"linkId":"g","item":[{"linkId":"d"}]}"#,
            &[(".item[0].item[0]:", "`d` stands at the top in the questionnaire, not below `g`")],
        ),
        (
            FORM,
            r#"{"linkId":"g","item":[{"linkId":"b"},{"linkId":"a"}]}"#,
            &[(".item[0].item[1]:", "`a` stands before `b`")],
        ),
        (FORM, r#"{"linkId":"g"},{"linkId":"g"}"#, &[(".item[1]:", "the group `g` does not repeat")]),
        (
            FORM,
            r#"{"linkId":"r"},{"linkId":"r","item":[{"linkId":"x","answer":[{"valueString":"1"},{"valueString":"2"}]}]}"#,
            &[],
        ),
        (
            FORM,
            r#"{"linkId":"r","item":[{"linkId":"x"},{"linkId":"x"}]}"#,
            &[(".item[0].item[1]:", "all answers to the question `x` stand in one item")],
        ),
        (
            FORM,
            r#"{"linkId":"g","answer":[{"valueString":"1"}]}"#,
            &[(".item[0].answer:", "the group `g` has no answers")],
        ),
        (FORM, r#"{"linkId":"d","answer":[{"valueString":"1"}]}"#, &[(".item[0].answer:", "`d` only displays text")]),
        (
            FORM,
            r#"{"linkId":"g","item":[{"linkId":"b","item":[{"linkId":"c"}]}]}"#,
            &[(".item[0].item[0].item:", "items below the question `b` stand in its answers")],
        ),
        (
            FORM,
            r#"{"linkId":"g","item":[{"linkId":"a","answer":[{"valueString":"1"},{"valueString":"2"}]}]}"#,
            &[(".item[0].item[0].answer[1]:", "takes one answer, not 2")],
        ),
    ]);
}

#[test]
fn what_is_required_is_there() {
    const FORM: &str = r#"{"linkId":"g","type":"group","item":[{"linkId":"a","type":"string","required":true}]},
        {"linkId":"q","type":"boolean","required":true,"item":[{"linkId":"why","type":"string","required":true}]}"#;
    const GROUP: &str = r#"{"linkId":"g","type":"group","required":true,"item":[{"linkId":"a","type":"string"}]}"#;
    check(&[
        (FORM, "", &[(":", "the item `q` is required and is missing")]),
        (
            FORM,
            r#"{"linkId":"q","answer":[{"valueBoolean":true,"item":[{"linkId":"why","answer":[{"valueString":"x"}]}]}]}"#,
            &[],
        ),
        (
            FORM,
            r#"{"linkId":"q","answer":[{"valueBoolean":true}]}"#,
            &[(".item[0].answer[0]:", "`why` is required and is missing")],
        ),
        (
            FORM,
            r#"{"linkId":"g"},{"linkId":"q"}"#,
            &[(".item[0]:", "`a` is required and is missing"), (".item[1]:", "`q` is required and has no answer")],
        ),
        (GROUP, r#"{"linkId":"g"}"#, &[(".item[0]:", "the group `g` is required and is empty")]),
        (GROUP, "", &[(":", "`g` is required")]),
    ]);
    for (status, count) in [("in-progress", 0), ("stopped", 0), ("amended", 1)] {
        assert_eq!(issues(Some(&questionnaire(FORM)), &response(status, "")).len(), count, "{status}");
    }
}

#[test]
fn answers_have_the_type_of_the_question() {
    for (kind, right, wrong) in [
        ("boolean", r#""valueBoolean":true"#, r#""valueString":"true""#),
        ("decimal", r#""valueDecimal":1.5"#, r#""valueInteger":1"#),
        ("integer", r#""valueInteger":1"#, r#""valueDecimal":1.0"#),
        ("date", r#""valueDate":"2026-01-01""#, r#""valueDateTime":"2026-01-01""#),
        ("dateTime", r#""valueDateTime":"2026-01-01""#, r#""valueDate":"2026-01-01""#),
        ("time", r#""valueTime":"10:00:00""#, r#""valueString":"10:00:00""#),
        ("string", r#""valueString":"x""#, r#""valueUri":"urn:x""#),
        ("text", r#""valueString":"x""#, r#""valueBoolean":true"#),
        ("url", r#""valueUri":"urn:x""#, r#""valueString":"urn:x""#),
        ("choice", r#""valueCoding":{"code":"x"}"#, r#""valueString":"x""#),
        ("open-choice", r#""valueCoding":{"code":"x"}"#, r#""valueInteger":1"#),
        ("open-choice", r#""valueString":"x""#, r#""valueBoolean":true"#),
        ("attachment", r#""valueAttachment":{"title":"x"}"#, r#""valueUri":"urn:x""#),
        ("reference", r#""valueReference":{"reference":"Patient/1"}"#, r#""valueUri":"Patient/1""#),
        ("quantity", r#""valueQuantity":{"value":1}"#, r#""valueDecimal":1"#),
    ] {
        let form = questionnaire(&format!(r#"{{"linkId":"q","type":"{kind}"}}"#));
        let given = |value: &str| response("completed", &format!(r#"{{"linkId":"q","answer":[{{{value}}}]}}"#));
        assert_eq!(issues(Some(&form), &given(right)), Vec::<String>::new(), "{kind}");
        let found = issues(Some(&form), &given(wrong)).concat();
        assert!(
            found.starts_with("error QuestionnaireResponse.item[0].answer[0].value: the question `q` takes"),
            "{found}"
        );
    }
}

#[test]
fn answers_are_options_of_the_question() {
    const OPTIONS: &str = r#"{"linkId":"q","type":"choice","answerOption":[{"valueCoding":{"system":"urn:s","code":"a"}},{"valueInteger":3},{"valueString":"x"}]}"#;
    const OPEN: &str =
        r#"{"linkId":"q","type":"open-choice","answerOption":[{"valueCoding":{"system":"urn:s","code":"a"}}]}"#;
    const LIST: &str = r#"{"linkId":"q","type":"choice","answerValueSet":"pets"}"#;
    const OPEN_LIST: &str = r#"{"linkId":"q","type":"open-choice","answerValueSet":"pets"}"#;
    const CONTAINED: &str = r##"{"linkId":"q","type":"choice","answerValueSet":"#colors"}"##;
    const UNKNOWN: &str = r#"{"linkId":"q","type":"choice","answerValueSet":"http://v.example/unknown"}"#;
    check(&[
        (OPTIONS, r#"{"linkId":"q","answer":[{"valueCoding":{"system":"urn:s","code":"a","display":"A"}}]}"#, &[]),
        (OPTIONS, r#"{"linkId":"q","answer":[{"valueInteger":3}]}"#, &[]),
        (OPTIONS, r#"{"linkId":"q","answer":[{"valueString":"x"}]}"#, &[]),
        (
            OPTIONS,
            r#"{"linkId":"q","answer":[{"valueCoding":{"system":"urn:t","code":"a"}}]}"#,
            &[(".item[0].answer[0].value:", "`a` is none of the options of the question `q`")],
        ),
        (OPTIONS, r#"{"linkId":"q","answer":[{"valueInteger":4}]}"#, &[(".item[0].answer[0].value:", "`4` is none")]),
        (OPTIONS, r#"{"linkId":"q","answer":[{"valueString":"y"}]}"#, &[(".item[0].answer[0].value:", "`y` is none")]),
        (
            OPTIONS,
            r#"{"linkId":"q","answer":[{"valueBoolean":true}]}"#,
            &[(".item[0].answer[0].value:", "takes one of its options")],
        ),
        (OPEN, r#"{"linkId":"q","answer":[{"valueString":"anything"}]}"#, &[]),
        (
            OPEN,
            r#"{"linkId":"q","answer":[{"valueCoding":{"system":"urn:s","code":"b"}}]}"#,
            &[(".item[0].answer[0].value:", "`b` is none")],
        ),
        (LIST, r#"{"linkId":"q","answer":[{"valueCoding":{"system":"urn:s","code":"cat"}}]}"#, &[]),
        (
            LIST,
            r#"{"linkId":"q","answer":[{"valueCoding":{"system":"urn:s","code":"car"}}]}"#,
            &[(".item[0].answer[0].value:", "`car` is not in `pets`: no pet")],
        ),
        (
            OPEN_LIST,
            r#"{"linkId":"q","answer":[{"valueCoding":{"system":"urn:s","code":"car"}}]}"#,
            &[("warning", "`car` is not in `pets`")],
        ),
        (
            UNKNOWN,
            r#"{"linkId":"q","answer":[{"valueCoding":{"system":"urn:s","code":"x"}}]}"#,
            &[("warning", "was not checked: not known here")],
        ),
        (
            CONTAINED,
            r#"{"linkId":"q","answer":[{"valueCoding":{"system":"urn:c","code":"blue"}}]}"#,
            &[(".item[0].answer[0].value:", "`blue` is not in `#colors`")],
        ),
        (CONTAINED, r#"{"linkId":"q","answer":[{"valueCoding":{"system":"urn:c","code":"red"}}]}"#, &[]),
    ]);
}

#[test]
fn answers_stay_in_their_bounds() {
    const TEXT: &str = r#"{"linkId":"q","type":"string","maxLength":3,"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/minLength","valueInteger":2}]}"#;
    const NUMBER: &str = r#"{"linkId":"q","type":"decimal","extension":[{"url":"http://hl7.org/fhir/StructureDefinition/minValue","valueInteger":1},
        {"url":"http://hl7.org/fhir/StructureDefinition/maxValue","valueDecimal":9.5},{"url":"http://hl7.org/fhir/StructureDefinition/maxDecimalPlaces","valueInteger":2}]}"#;
    const DATE: &str = r#"{"linkId":"q","type":"date","extension":[{"url":"http://hl7.org/fhir/StructureDefinition/maxValue","valueDate":"2026-01-31"}]}"#;
    check(&[
        (TEXT, r#"{"linkId":"q","answer":[{"valueString":"äöü"}]}"#, &[]),
        (
            TEXT,
            r#"{"linkId":"q","answer":[{"valueString":"abcd"}]}"#,
            &[(".item[0].answer[0].value:", "4 characters where 3 are the most")],
        ),
        (
            TEXT,
            r#"{"linkId":"q","answer":[{"valueString":"a"}]}"#,
            &[(".item[0].answer[0].value:", "1 characters where 2 are the least")],
        ),
        (NUMBER, r#"{"linkId":"q","answer":[{"valueDecimal":1.00}]}"#, &[]),
        (NUMBER, r#"{"linkId":"q","answer":[{"valueDecimal":9.50}]}"#, &[]),
        (
            NUMBER,
            r#"{"linkId":"q","answer":[{"valueDecimal":0.99}]}"#,
            &[(".item[0].answer[0].value:", "`0.99` is below the least, `1`")],
        ),
        (
            NUMBER,
            r#"{"linkId":"q","answer":[{"valueDecimal":9.51}]}"#,
            &[(".item[0].answer[0].value:", "`9.51` is above the most, `9.5`")],
        ),
        (
            NUMBER,
            r#"{"linkId":"q","answer":[{"valueDecimal":2.125}]}"#,
            &[(".item[0].answer[0].value:", "3 decimal places where 2 are the most")],
        ),
        (DATE, r#"{"linkId":"q","answer":[{"valueDate":"2026-01-31"}]}"#, &[]),
        (
            DATE,
            r#"{"linkId":"q","answer":[{"valueDate":"2026-02"}]}"#,
            &[(".item[0].answer[0].value:", "`2026-02` is above the most")],
        ),
    ]);
}

#[test]
fn conditions_say_what_is_to_be_answered() {
    // The condition, the answer to the first question, and whether the second, which is required, is enabled; `None` when no one can say.
    for (condition, answer, enabled) in [
        (r#""operator":"exists","answerBoolean":true"#, Some(r#""valueInteger":1"#), Some(true)),
        (r#""operator":"exists","answerBoolean":true"#, None, Some(false)),
        (r#""operator":"exists","answerBoolean":false"#, None, Some(true)),
        (r#""operator":"exists","answerBoolean":false"#, Some(r#""valueInteger":1"#), Some(false)),
        (r#""operator":"=","answerInteger":1"#, Some(r#""valueInteger":1"#), Some(true)),
        (r#""operator":"=","answerInteger":1"#, Some(r#""valueInteger":2"#), Some(false)),
        (r#""operator":"=","answerInteger":1"#, None, Some(false)),
        (r#""operator":"!=","answerInteger":1"#, Some(r#""valueInteger":2"#), Some(true)),
        (r#""operator":"!=","answerInteger":1"#, Some(r#""valueInteger":1"#), Some(false)),
        (r#""operator":"!=","answerInteger":1"#, None, None),
        (r#""operator":">","answerInteger":1"#, Some(r#""valueInteger":2"#), Some(true)),
        (r#""operator":">","answerInteger":1"#, Some(r#""valueInteger":1"#), Some(false)),
        (r#""operator":">=","answerDecimal":1.0"#, Some(r#""valueDecimal":1"#), Some(true)),
        (r#""operator":">=","answerDecimal":1.0"#, Some(r#""valueDecimal":0.9"#), Some(false)),
        (r#""operator":"<","answerDate":"2026-02-01""#, Some(r#""valueDate":"2026-01-31""#), Some(true)),
        (r#""operator":"<","answerDate":"2026-02-01""#, Some(r#""valueDate":"2026-02-01""#), Some(false)),
        (r#""operator":"<","answerDate":"2026-02-01""#, Some(r#""valueDate":"2026-02""#), None),
        (
            r#""operator":"<=","answerDateTime":"2026-02-01T10:00:00Z""#,
            Some(r#""valueDateTime":"2026-02-01T11:00:00+01:00""#),
            Some(true),
        ),
        (
            r#""operator":"<=","answerDateTime":"2026-02-01T10:00:00Z""#,
            Some(r#""valueDateTime":"2026-02-01T12:00:00+01:00""#),
            Some(false),
        ),
        (r#""operator":">","answerTime":"10:00:00""#, Some(r#""valueTime":"10:00:01""#), Some(true)),
        (r#""operator":">","answerTime":"10:00:00""#, Some(r#""valueTime":"09:00:00""#), Some(false)),
        (r#""operator":"=","answerBoolean":true"#, Some(r#""valueBoolean":true"#), Some(true)),
        (r#""operator":"=","answerBoolean":true"#, Some(r#""valueBoolean":false"#), Some(false)),
        (r#""operator":"=","answerString":"x""#, Some(r#""valueString":"x""#), Some(true)),
        (r#""operator":"!=","answerString":"x""#, Some(r#""valueString":"x""#), Some(false)),
        (
            r#""operator":"=","answerCoding":{"system":"urn:s","code":"a"}"#,
            Some(r#""valueCoding":{"system":"urn:s","code":"a","display":"A"}"#),
            Some(true),
        ),
        (
            r#""operator":"=","answerCoding":{"system":"urn:s","code":"a"}"#,
            Some(r#""valueCoding":{"system":"urn:t","code":"a"}"#),
            Some(false),
        ),
        (
            r#""operator":"=","answerReference":{"reference":"Patient/1"}"#,
            Some(r#""valueReference":{"reference":"Patient/1"}"#),
            Some(true),
        ),
        (
            r#""operator":"=","answerReference":{"reference":"Patient/1"}"#,
            Some(r#""valueReference":{"reference":"Patient/2"}"#),
            Some(false),
        ),
        (
            r#""operator":">","answerQuantity":{"value":1,"system":"http://unitsofmeasure.org","code":"m"}"#,
            Some(r#""valueQuantity":{"value":101,"system":"http://unitsofmeasure.org","code":"cm"}"#),
            Some(true),
        ),
        (
            r#""operator":">","answerQuantity":{"value":1,"system":"http://unitsofmeasure.org","code":"m"}"#,
            Some(r#""valueQuantity":{"value":99,"system":"http://unitsofmeasure.org","code":"cm"}"#),
            Some(false),
        ),
        (
            r#""operator":">","answerQuantity":{"value":1,"system":"http://unitsofmeasure.org","code":"m"}"#,
            Some(r#""valueQuantity":{"value":99,"system":"http://unitsofmeasure.org","code":"kg"}"#),
            None,
        ),
    ] {
        let kind = match answer.map(|answer| &answer[6..9]) {
            Some("Int") => "integer",
            Some("Dec") => "decimal",
            Some("Dat") if answer.is_some_and(|it| it.contains("DateTime")) => "dateTime",
            Some("Dat") => "date",
            Some("Tim") => "time",
            Some("Boo") => "boolean",
            Some("Cod") => "choice",
            Some("Ref") => "reference",
            Some("Qua") => "quantity",
            _ => "string",
        };
        let form = questionnaire(&format!(
            r#"{{"linkId":"a","type":"{kind}"}},{{"linkId":"b","type":"string","required":true,"enableWhen":[{{"question":"a",{condition}}}]}}"#
        ));
        let first = answer.map(|answer| format!(r#"{{"linkId":"a","answer":[{{{answer}}}]}}"#)).unwrap_or_default();
        let second = r#"{"linkId":"b","answer":[{"valueString":"x"}]}"#;
        let both = if first.is_empty() { second.to_owned() } else { format!("{first},{second}") };
        let is_missed = !issues(Some(&form), &response("completed", &first)).is_empty();
        let is_refused = !issues(Some(&form), &response("completed", &both)).is_empty();
        assert_eq!((is_missed, is_refused), (enabled == Some(true), enabled == Some(false)), "{condition} {answer:?}");
    }
}

#[test]
fn conditions_are_all_or_any_and_look_near() {
    const WHEN: &str = r#""enableWhen":[{"question":"a","operator":"=","answerBoolean":true},{"question":"b","operator":"=","answerBoolean":true}]"#;
    for (behavior, a, b, enabled) in [
        ("all", true, true, true),
        ("all", true, false, false),
        ("any", true, false, true),
        ("any", false, false, false),
    ] {
        let form = questionnaire(&format!(
            r#"{{"linkId":"a","type":"boolean"}},{{"linkId":"b","type":"boolean"}},{{"linkId":"c","type":"string","enableBehavior":"{behavior}",{WHEN}}}"#
        ));
        let given = format!(
            r#"{{"linkId":"a","answer":[{{"valueBoolean":{a}}}]}},{{"linkId":"b","answer":[{{"valueBoolean":{b}}}]}},{{"linkId":"c","answer":[{{"valueString":"x"}}]}}"#
        );
        assert_eq!(issues(Some(&form), &response("completed", &given)).is_empty(), enabled, "{behavior} {a} {b}");
    }
    // In a group that repeats, the question of the same group decides.
    const GROUP: &str = r#"{"linkId":"g","type":"group","repeats":true,"item":[{"linkId":"a","type":"boolean"},
        {"linkId":"b","type":"string","enableWhen":[{"question":"a","operator":"=","answerBoolean":true}]}]}"#;
    check(&[
        (
            GROUP,
            r#"{"linkId":"g","item":[{"linkId":"a","answer":[{"valueBoolean":false}]}]},{"linkId":"g","item":[{"linkId":"a","answer":[{"valueBoolean":true}]},{"linkId":"b","answer":[{"valueString":"x"}]}]}"#,
            &[],
        ),
        (
            GROUP,
            r#"{"linkId":"g","item":[{"linkId":"a","answer":[{"valueBoolean":true}]}]},{"linkId":"g","item":[{"linkId":"a","answer":[{"valueBoolean":false}]},{"linkId":"b","answer":[{"valueString":"x"}]}]}"#,
            &[(".item[1].item[1]:", "`b` is not enabled by the other answers")],
        ),
    ]);
}

#[test]
fn questionnaires_are_found_or_said_to_be_unknown() {
    let given = response("completed", "");
    let found = issues(None, &given).concat();
    assert!(
        found.starts_with(
            "warning QuestionnaireResponse.questionnaire: the questionnaire `http://q.example/q` is not known here"
        ),
        "{found}"
    );
    let contained = r##"{"resourceType":"QuestionnaireResponse","status":"completed","questionnaire":"#q","subject":{"reference":"Group/1"},
        "contained":[{"resourceType":"Questionnaire","id":"q","status":"active","subjectType":["Patient"],"item":[{"linkId":"1","type":"string","required":true}]}]}"##;
    let found = issues(None, contained);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("QuestionnaireResponse.subject: the subject is a `Group`"), "{found:?}");
    assert!(found[1].contains("`1` is required"), "{found:?}");
    // Inside a Bundle the place is told from the outside.
    let form = questionnaire(r#"{"linkId":"1","type":"string"}"#);
    let inside = format!(
        r#"{{"resourceType":"Bundle","type":"collection","entry":[{{"fullUrl":"urn:uuid:7c2b3b0e-9c5f-4d44-8a2d-1f3f3a1f0a11","resource":{}}}]}}"#,
        response("completed", r#"{"linkId":"2"}"#)
    );
    let found = issues(Some(&form), &inside).concat();
    assert!(found.starts_with("error Bundle.entry[0].resource.item[0]: the questionnaire has no item `2`"), "{found}");
}

/// Needs the npm package hl7.fhir.r4.examples 4.0.1, unpacked in the folder that `FLINT_R4_EXAMPLES` names.
#[test]
fn published_responses_fit_their_questionnaires() {
    let folder = std::env::var("FLINT_R4_EXAMPLES").unwrap_or_default();
    let read = |kind: &str, id: &str| {
        let text = std::fs::read_to_string(std::path::Path::new(&folder).join(format!("{kind}-{id}.json"))).ok()?;
        let mut value = crate::json::Value::parse(&text).expect("a valid text");
        // Two have no url, or another.
        value.set("questionnaire", "http://q.example/q");
        Some(value.to_string())
    };
    let mut count = 0;
    for (id, expected) in [
        ("gcs", &[][..]),
        // The answer is of another code system than the condition.
        ("3141", &["item[0].item[0].answer[0].item[0]: the item `1.1.1` is not enabled"]),
        (
            "bb",
            &[
                "item[0].item[0].item[1].answer[0].value: the answer `f` is none of the options",
                // Written `vitaminiKDose1` in the questionnaire.
                "item[0].item[1].item[2].answer[0].item[0].item[0]: the questionnaire has no item `vitaminKDose1`",
                "item[0].item[1].item[2].answer[0].item[0].item[1]: the questionnaire has no item `vitaminKDose2`",
            ],
        ),
        (
            "f201",
            &[
                "item[0].item: items below the question `1` stand in its answers",
                "item[2].item[0].answer[0].value: the question `3.1` takes a Boolean, not a String",
                "item[2].item[1].answer[0].value: the question `3.2` takes a Boolean, not a String",
            ],
        ),
    ] {
        let (Some(form), Some(given)) = (read("Questionnaire", id), read("QuestionnaireResponse", id)) else {
            continue;
        };
        let mut found = issues(Some(&form), &given);
        found.retain(|issue| issue.starts_with("error"));
        let fits = |(found, expected): (&String, &&str)| {
            found.strip_prefix("error QuestionnaireResponse.").is_some_and(|found| found.starts_with(expected))
        };
        assert!(found.len() == expected.len() && found.iter().zip(expected).all(fits), "{id}: {found:#?}");
        count += 1;
    }
    println!("{count} published responses are as expected");
}
