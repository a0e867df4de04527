//! Elements by themselves: how often they stand, what they are, and what rules they keep.

use super::{Severity, check, check_profile, issues, library, profile};
use crate::IssueType::{CodeInvalid, Invariant, NotSupported, Required, Structure, Value};
use crate::validate::Depth;

#[test]
fn elements_stand_as_often_as_demanded() {
    let differential = r#"{"path":"Patient.name","min":1,"max":"2"},{"path":"Patient.name.family","min":1},
        {"path":"Patient.photo","max":"0"},{"path":"Patient.birthDate","min":1}"#;
    let base = "http://x.example/p";
    check_profile(
        "Patient",
        differential,
        &[
            (r#"{"resourceType":"Patient","birthDate":"2000","name":[{"family":"A"}]}"#, &[]),
            (
                r#"{"resourceType":"Patient","_birthDate":{"extension":[{"url":"urn:x","valueCode":"unknown"}]},"name":[{"_family":{"extension":[{"url":"urn:x","valueCode":"unknown"}]}}]}"#,
                &[],
            ),
            (
                r#"{"resourceType":"Patient"}"#,
                &[
                    (
                        Required,
                        "Patient.name",
                        "`name` is missing: it must stand here at least once (profile http://x.example/p)",
                    ),
                    (Required, "Patient.birthDate", base),
                ],
            ),
            (
                r#"{"resourceType":"Patient","birthDate":"2000","name":[{"family":"A"},{"text":"B"},{"family":"C"}]}"#,
                &[
                    (Structure, "Patient.name", "`name` stands here 3 times, but may at most 2 times"),
                    (Required, "Patient.name[1].family", "`family` is missing"),
                ],
            ),
            (
                r#"{"resourceType":"Patient","birthDate":"2000","name":[{"family":"A"}],"photo":[{"title":"x"}]}"#,
                &[(Structure, "Patient.photo", "`photo` stands here, but must not")],
            ),
        ],
    );
}

#[test]
fn values_are_fixed_or_have_a_pattern() {
    let differential = r#"{"path":"Observation.status","fixedCode":"final"},
        {"path":"Observation.code","patternCodeableConcept":{"coding":[{"system":"http://loinc.org","code":"1-8"}]}},
        {"path":"Observation.subject","min":1},
        {"path":"Observation.method","fixedCodeableConcept":{"text":"by eye"}}"#;
    check_profile(
        "Observation",
        differential,
        &[
            (
                r#"{"resourceType":"Observation","status":"final","code":{"coding":[{"code":"x"},{"system":"http://loinc.org","code":"1-8","display":"d"}],"text":"t"},"subject":{"display":"x"},"method":{"text":"by eye"}}"#,
                &[],
            ),
            (
                r#"{"resourceType":"Observation","status":"amended","code":{"coding":[{"system":"http://loinc.org","code":"1-9"}]},"subject":{"display":"x"},"method":{"text":"by eye","coding":[{"code":"x"}]}}"#,
                &[
                    (
                        Value,
                        "Observation.status",
                        "`amended` stands here, but it must be `final` (profile http://x.example/p)",
                    ),
                    (
                        Value,
                        "Observation.code",
                        r#"but it must have `{"coding":[{"system":"http://loinc.org","code":"1-8"}]}`"#,
                    ),
                    (Value, "Observation.method", "but it must be"),
                ],
            ),
        ],
    );
}

#[test]
fn values_keep_lengths_and_limits() {
    let differential = r#"{"path":"Observation.value[x]","type":[{"code":"Quantity"},{"code":"string"},{"code":"integer"},{"code":"dateTime"}]},
        {"id":"Observation.value[x]:valueString","path":"Observation.value[x]","sliceName":"valueString","type":[{"code":"string"}],"maxLength":3},
        {"id":"Observation.value[x]:valueInteger","path":"Observation.value[x]","sliceName":"valueInteger","type":[{"code":"integer"}],"minValueInteger":1,"maxValueInteger":5},
        {"id":"Observation.value[x]:valueDateTime","path":"Observation.value[x]","sliceName":"valueDateTime","type":[{"code":"dateTime"}],"minValueDateTime":"2020-01-01"},
        {"id":"Observation.value[x]:valueQuantity","path":"Observation.value[x]","sliceName":"valueQuantity","type":[{"code":"Quantity"}],
         "maxValueQuantity":{"value":1,"system":"http://unitsofmeasure.org","code":"kg"}}"#;
    let with =
        |value: &str| format!(r#"{{"resourceType":"Observation","status":"final","code":{{"text":"x"}},{value}}}"#);
    for (value, expected) in [
        (r#""valueString":"äöü""#, None),
        (r#""valueString":"abcd""#, Some("the text `abcd` has more than 3 characters")),
        (r#""valueInteger":1"#, None),
        (r#""valueInteger":0"#, Some("`0` stands here, but it must be at least `1`")),
        (r#""valueInteger":6"#, Some("but it must be at most `5`")),
        (r#""valueDateTime":"2020-01-01""#, None),
        (r#""valueDateTime":"2021""#, None),
        (r#""valueDateTime":"2019-12-31""#, Some("at least `2020-01-01`")),
        (r#""valueQuantity":{"value":900,"system":"http://unitsofmeasure.org","code":"g"}"#, None),
        (r#""valueQuantity":{"value":1100,"system":"http://unitsofmeasure.org","code":"g"}"#, Some("at most")),
        // Units that cannot be compared say nothing.
        (r#""valueQuantity":{"value":1100,"system":"http://unitsofmeasure.org","code":"cm"}"#, None),
    ] {
        let json = with(value);
        match expected {
            None => check_profile("Observation", differential, &[(&json, &[])]),
            Some(message) => {
                check_profile("Observation", differential, &[(&json, &[(Value, "Observation.value", message)])]);
            }
        }
    }
    let refused = with(r#""valueBoolean":true"#);
    let message = "a value of type boolean stands here, but it must be Quantity or string or integer or dateTime";
    check_profile("Observation", differential, &[(&refused, &[(Structure, "Observation.value", message)])]);
}

#[test]
fn choices_may_be_written_short() {
    let differential =
        r#"{"path":"Observation.valueQuantity","min":1},{"path":"Observation.valueQuantity.unit","min":1}"#;
    check_profile(
        "Observation",
        differential,
        &[
            (
                r#"{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":1,"unit":"kg"}}"#,
                &[],
            ),
            (
                r#"{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":1}}"#,
                &[(Required, "Observation.value.unit", "slice `valueQuantity` of profile")],
            ),
        ],
    );
}

#[test]
fn constraints_hold() {
    let constraint = |key: &str, severity: &str, expression: &str, extra: &str| {
        format!(r#"{{"key":"{key}","severity":"{severity}","human":"Says {key}.","expression":"{expression}"{extra}}}"#)
    };
    let best = r#","extension":[{"url":"http://hl7.org/fhir/StructureDefinition/elementdefinition-bestpractice","valueBoolean":true}]"#;
    let differential = format!(
        r#"{{"path":"Patient","constraint":[{},{},{},{}]}},{{"path":"Patient.name","constraint":[{}]}}"#,
        constraint("p-1", "error", "gender.exists()", ""),
        constraint("p-2", "warning", "birthDate.exists()", ""),
        constraint("p-3", "warning", "address.exists()", best),
        constraint("p-4", "error", "gender.where(", ""),
        constraint("p-5", "error", "family.exists() and %resource.gender = 'female'", ""),
    );
    let library = library(&[profile("p", "Patient", &differential)]);
    check(
        &library,
        &[
            (
                r#"{"resourceType":"Patient","gender":"female","birthDate":"2000","name":[{"family":"A"}]}"#,
                &[(NotSupported, "Patient", "the rule p-4 could not be checked")],
            ),
            (
                r#"{"resourceType":"Patient","name":[{"family":"A"}]}"#,
                &[
                    (Invariant, "Patient", "the rule p-1 does not hold: Says p-1 (profile http://x.example/p)"),
                    (Invariant, "Patient", "the rule p-2 does not hold"),
                    (NotSupported, "Patient", "the rule p-4"),
                ],
            ),
            (
                r#"{"resourceType":"Patient","gender":"male","birthDate":"2000","name":[{"text":"x"},{"family":"A"}]}"#,
                &[
                    (NotSupported, "Patient", "the rule p-4"),
                    (Invariant, "Patient.name[0]", "the rule p-5 does not hold"),
                    (Invariant, "Patient.name[1]", "the rule p-5 does not hold"),
                ],
            ),
        ],
    );
    let found = issues(&library, Depth::Full, r#"{"resourceType":"Patient","gender":"female"}"#);
    let severity = |key: &str| found.iter().find(|issue| issue.diagnostics.contains(key)).map(|issue| issue.severity);
    assert_eq!(severity("p-3"), Some(Severity::Warning), "best practice: {found:#?}");
    assert_eq!(severity("p-2"), Some(Severity::Warning));
    assert_eq!(severity("dom-6"), Some(Severity::Warning));
}

#[test]
fn content_references_bring_the_rules_along() {
    let differential = r#"{"path":"Questionnaire.item","min":1},{"path":"Questionnaire.item.text","min":1}"#;
    check_profile(
        "Questionnaire",
        differential,
        &[
            (
                r#"{"resourceType":"Questionnaire","status":"draft","item":[{"linkId":"1","type":"group","text":"a","item":[{"linkId":"2","type":"string","text":"b"}]}]}"#,
                &[],
            ),
            (
                r#"{"resourceType":"Questionnaire","status":"draft","item":[{"linkId":"1","type":"group","text":"a","item":[{"linkId":"2","type":"group","text":"b","item":[{"linkId":"3","type":"string"}]}]}]}"#,
                &[(Required, "Questionnaire.item[0].item[0].item[0].text", "`text` is missing")],
            ),
        ],
    );
}

#[test]
fn bindings_are_as_strong_as_they_say() {
    let value_set = r#"{"resourceType":"ValueSet","url":"http://x.example/vs","status":"active","compose":{"include":[
        {"system":"http://x.example/cs","concept":[{"code":"a"},{"code":"b"}]}]}}"#;
    let differential = |strength: &str, value_set: &str| {
        let binding = format!(r#""binding":{{"strength":"{strength}","valueSet":"{value_set}"}}"#);
        profile(
            "p",
            "Observation",
            &format!(r#"{{"path":"Observation.code",{binding}}},{{"path":"Observation.method",{binding}}}"#),
        )
    };
    let with = |code: &str| format!(r#"{{"resourceType":"Observation","status":"final","code":{code}}}"#);
    let inside =
        with(r#"{"coding":[{"system":"http://x.example/cs","code":"z"},{"system":"http://x.example/cs","code":"a"}]}"#);
    let outside = with(r#"{"coding":[{"system":"http://x.example/cs","code":"z"}]}"#);
    let text = with(r#"{"text":"something else"}"#);
    let known = "http://x.example/vs";
    for (strength, value_set_url, json, expected) in [
        ("required", known, &inside, None),
        (
            "required",
            known,
            &outside,
            Some((
                Severity::Error,
                CodeInvalid,
                "`http://x.example/cs|z` must be from the value set http://x.example/vs",
            )),
        ),
        (
            "required",
            known,
            &text,
            Some((Severity::Error, CodeInvalid, "a coding is missing: it must be from the value set")),
        ),
        ("extensible", known, &inside, None),
        ("extensible", known, &outside, Some((Severity::Warning, CodeInvalid, "if one of its codes fits"))),
        ("extensible", known, &text, None),
        ("preferred", known, &outside, None),
        ("example", known, &outside, None),
        (
            "required",
            "http://x.example/unknown",
            &inside,
            Some((Severity::Warning, NotSupported, "could not be checked against the value set")),
        ),
        (
            "extensible",
            "http://x.example/unknown",
            &inside,
            Some((Severity::Warning, NotSupported, "could not be checked")),
        ),
    ] {
        let library = library(&[differential(strength, value_set_url), value_set.to_owned()]);
        let found = issues(&library, Depth::Write, json);
        match (expected, &found[..]) {
            (None, []) => {}
            (Some((severity, code, message)), [issue]) => {
                assert_eq!((issue.severity, issue.code), (severity, code), "{strength} {json}: {issue:?}");
                assert_eq!(issue.expression, ["Observation.code"]);
                assert!(issue.diagnostics.contains(message), "{strength} {json}: {issue:?}");
            }
            _ => panic!("{strength} {value_set_url} {json}: {found:#?}"),
        }
    }
    let library = library(&[differential("preferred", known), value_set.to_owned()]);
    let found = issues(&library, Depth::Full, &outside);
    let about =
        found.iter().filter(|issue| issue.diagnostics.contains("should be from the value set http://x.example/vs"));
    assert_eq!(about.map(|issue| issue.severity).collect::<Vec<_>>(), [Severity::Information], "{found:#?}");
}

#[test]
fn constraints_follow_references_as_far_as_they_lead() {
    let differential = r#"{"path":"Bundle.entry.resource"},{"path":"Bundle","constraint":[
        {"key":"b-1","severity":"error","human":"subjects are patients with a name","expression":"entry.resource.ofType(Observation).subject.resolve().all($this is Patient)"},
        {"key":"b-2","severity":"error","human":"performers are active","expression":"entry.resource.ofType(Observation).performer.all(resolve().active)"}]}"#;
    let library = library(&[
        profile("p", "Bundle", differential),
        r#"{"resourceType":"Practitioner","id":"on","active":true}"#.to_owned(),
        r#"{"resourceType":"Practitioner","id":"off","active":false}"#.to_owned(),
    ]);
    let bundle = |subject: &str, performer: &str| {
        format!(
            r#"{{"resourceType":"Bundle","type":"collection","entry":[
                {{"fullUrl":"urn:uuid:6f2c1c1e-0c1c-4d5b-8a61-0f7c0f1b2d3e","resource":{{"resourceType":"Patient","active":true}}}},
                {{"fullUrl":"urn:uuid:6f2c1c1e-0c1c-4d5b-8a61-0f7c0f1b2d3f","resource":{{"resourceType":"Observation","status":"final",
                    "code":{{"text":"x"}},"subject":{{"reference":"{subject}"}},"performer":[{{"reference":"{performer}"}}]}}}}]}}"#
        )
    };
    let inside = "urn:uuid:6f2c1c1e-0c1c-4d5b-8a61-0f7c0f1b2d3e";
    let elsewhere = "urn:uuid:00000000-0c1c-4d5b-8a61-0f7c0f1b2d3e";
    let (fails, unknown) = ("does not hold", "could not be checked: the target of a reference is not at hand");
    for (subject, performer, at_write, at_full) in [
        (inside, inside, &[][..], &[][..]),
        ("Patient/1", inside, &[], &[]),
        ("Group/1", inside, &[("b-1", fails)], &[("b-1", fails)]),
        (elsewhere, inside, &[("b-1", unknown)], &[("b-1", unknown)]),
        (inside, "Practitioner/on", &[("b-2", unknown)], &[]),
        (inside, "Practitioner/off", &[("b-2", unknown)], &[("b-2", fails)]),
        (inside, "Practitioner/none", &[("b-2", unknown)], &[("b-2", unknown)]),
    ] {
        for (depth, expected) in [(Depth::Write, at_write), (Depth::Full, at_full)] {
            let found = issues(&library, depth, &bundle(subject, performer));
            let found: Vec<_> = found.iter().filter(|issue| issue.diagnostics.contains("the rule b-")).collect();
            assert_eq!(found.len(), expected.len(), "{subject} {performer} {depth:?}: {found:#?}");
            for (issue, (key, what)) in found.iter().zip(expected) {
                assert!(issue.diagnostics.contains(key) && issue.diagnostics.contains(what), "{found:#?}");
                assert_eq!(issue.severity <= Severity::Error, *what == fails, "{found:#?}");
            }
        }
    }
}
