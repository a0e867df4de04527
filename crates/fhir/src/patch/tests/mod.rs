//! Patches on whole resources.

mod official;

use super::*;
use crate::json::Document;

fn document(json: &str) -> Document {
    Document::parse(json.as_bytes()).unwrap_or_else(|error| panic!("{json}: {error}"))
}

/// A part's name, and the rest of it.
type Part = (&'static str, &'static str);

/// Parameters of one operation for each list of parts.
fn parameters(operations: &[&[Part]]) -> Document {
    let operations = operations.iter().map(|parts| {
        let parts = parts.iter().map(|(name, rest)| format!(r#"{{"name":"{name}",{rest}}}"#));
        format!(r#"{{"name":"operation","part":[{}]}}"#, parts.collect::<Vec<_>>().join(","))
    });
    document(&format!(r#"{{"resourceType":"Parameters","parameter":[{}]}}"#, operations.collect::<Vec<_>>().join(",")))
}

fn patched(target: &str, parameters: &Document) -> Result<String, String> {
    let patch = PathPatch::parse(parameters).map_err(|outcome| outcome.to_string())?;
    let target = document(target);
    let patched = patch.apply(Definitions::r4(), &target).map_err(|outcome| outcome.to_string())?;
    Ok(patched.into_text().into())
}

const PATIENT: &str = r#"{"resourceType":"Patient","id":"a","contained":[{"resourceType":"Organization","id":"o"}],"name":[{"given":["A","B","C"],"_given":[null,{"id":"b"},null]},{"family":"F"}],"_birthDate":{"extension":[{"url":"urn:x","valueString":"y"}]},"deceasedBoolean":false,"managingOrganization":{"display":"o"}}"#;

const ADD: (&str, &str) = ("type", r#""valueCode":"add""#);
const INSERT: (&str, &str) = ("type", r#""valueCode":"insert""#);
const DELETE: (&str, &str) = ("type", r#""valueCode":"delete""#);
const REPLACE: (&str, &str) = ("type", r#""valueCode":"replace""#);
const MOVE: (&str, &str) = ("type", r#""valueCode":"move""#);

#[test]
fn paths_change_what_they_find() {
    let cases: [(&[Part], (&str, &str)); 22] = [
        (
            &[
                ADD,
                ("path", r#""valueString":"Patient""#),
                ("name", r#""valueString":"gender""#),
                ("value", r#""valueCode":"male""#),
            ],
            (r#""display":"o"}}"#, r#""display":"o"},"gender":"male"}"#),
        ),
        (
            &[
                ADD,
                ("path", r#""valueString":"Patient.name[0]""#),
                ("name", r#""valueString":"given""#),
                ("value", r#""valueString":"D","_valueString":{"id":"d"}"#),
            ],
            (r#""C"],"_given":[null,{"id":"b"},null]"#, r#""C","D"],"_given":[null,{"id":"b"},null,{"id":"d"}]"#),
        ),
        (
            &[
                ADD,
                ("path", r#""valueString":"Patient.name[1]""#),
                ("name", r#""valueString":"given""#),
                ("value", r#""_valueString":{"id":"d"}"#),
            ],
            (r#"{"family":"F"}"#, r#"{"family":"F","_given":[{"id":"d"}]}"#),
        ),
        (
            &[
                ADD,
                ("path", r#""valueString":"Patient.birthDate""#),
                ("name", r#""valueString":"extension""#),
                ("value", r#""valueExtension":{"url":"urn:z","valueBoolean":true}"#),
            ],
            (r#""valueString":"y"}]"#, r#""valueString":"y"},{"url":"urn:z","valueBoolean":true}]"#),
        ),
        (
            &[
                ADD,
                ("path", r#""valueString":"Patient.name[0].given[0]""#),
                ("name", r#""valueString":"id""#),
                ("value", r#""valueString":"x""#),
            ],
            (r#"[null,{"id":"b"},null]"#, r#"[{"id":"x"},{"id":"b"},null]"#),
        ),
        (
            &[
                ADD,
                ("path", r#""valueString":"Patient""#),
                ("name", r#""valueString":"multipleBirth""#),
                ("value", r#""valueInteger":2"#),
            ],
            (r#""o"}}"#, r#""o"},"multipleBirthInteger":2}"#),
        ),
        (
            &[
                ADD,
                ("path", r#""valueString":"Patient""#),
                ("name", r#""valueString":"contained""#),
                ("value", r#""resource":{"resourceType":"Basic"}"#),
            ],
            (r#""id":"o"}]"#, r#""id":"o"},{"resourceType":"Basic"}]"#),
        ),
        (
            &[
                ADD,
                ("path", r#""valueString":"Patient""#),
                ("name", r#""valueString":"communication""#),
                (
                    "value",
                    r#""part":[{"name":"language","valueCodeableConcept":{"text":"x"}},{"name":"preferred","valueBoolean":true}]"#,
                ),
            ],
            (r#""o"}}"#, r#""o"},"communication":[{"language":{"text":"x"},"preferred":true}]}"#),
        ),
        (
            &[
                INSERT,
                ("path", r#""valueString":"Patient.name[0].given""#),
                ("index", r#""valueInteger":1"#),
                ("value", r#""valueString":"D""#),
            ],
            (
                r#"["A","B","C"],"_given":[null,{"id":"b"},null]"#,
                r#"["A","D","B","C"],"_given":[null,null,{"id":"b"},null]"#,
            ),
        ),
        (
            &[
                INSERT,
                ("path", r#""valueString":"Patient.name""#),
                ("index", r#""valueInteger":2"#),
                ("value", r#""valueHumanName":{"text":"x"}"#),
            ],
            (r#"{"family":"F"}]"#, r#"{"family":"F"},{"text":"x"}]"#),
        ),
        (
            &[
                INSERT,
                ("path", r#""valueString":"Patient.telecom""#),
                ("index", r#""valueInteger":0"#),
                ("value", r#""valueContactPoint":{"value":"x"}"#),
            ],
            (r#""o"}}"#, r#""o"},"telecom":[{"value":"x"}]}"#),
        ),
        (&[DELETE, ("path", r#""valueString":"Patient.telecom""#)], ("", "")),
        (
            &[DELETE, ("path", r#""valueString":"Patient.birthDate""#)],
            (r#""_birthDate":{"extension":[{"url":"urn:x","valueString":"y"}]},"#, ""),
        ),
        (&[DELETE, ("path", r#""valueString":"Patient.birthDate.extension[0].value""#)], (r#","valueString":"y""#, "")),
        (
            &[DELETE, ("path", r#""valueString":"Patient.birthDate.extension[0]""#)],
            (r#""_birthDate":{"extension":[{"url":"urn:x","valueString":"y"}]},"#, ""),
        ),
        (
            &[DELETE, ("path", r#""valueString":"Patient.name[0].given[1]""#)],
            (r#"["A","B","C"],"_given":[null,{"id":"b"},null]"#, r#"["A","C"]"#),
        ),
        (&[DELETE, ("path", r#""valueString":"Patient.name[1].family""#)], (r#",{"family":"F"}"#, "")),
        (
            &[REPLACE, ("path", r#""valueString":"Patient.deceased""#), ("value", r#""valueDateTime":"2020""#)],
            (
                r#""deceasedBoolean":false,"managingOrganization":{"display":"o"}"#,
                r#""managingOrganization":{"display":"o"},"deceasedDateTime":"2020""#,
            ),
        ),
        (
            &[REPLACE, ("path", r#""valueString":"Patient.birthDate""#), ("value", r#""valueDate":"1980""#)],
            (
                r#""_birthDate":{"extension":[{"url":"urn:x","valueString":"y"}]},"deceasedBoolean":false,"managingOrganization":{"display":"o"}"#,
                r#""deceasedBoolean":false,"managingOrganization":{"display":"o"},"birthDate":"1980""#,
            ),
        ),
        (
            &[REPLACE, ("path", r#""valueString":"Patient.name[0].given[1]""#), ("value", r#""valueString":"D""#)],
            (r#"["A","B","C"],"_given":[null,{"id":"b"},null]"#, r#"["A","D","C"]"#),
        ),
        (
            &[
                MOVE,
                ("path", r#""valueString":"Patient.name[0].given""#),
                ("source", r#""valueInteger":1"#),
                ("destination", r#""valueInteger":2"#),
            ],
            (r#"["A","B","C"],"_given":[null,{"id":"b"},null]"#, r#"["A","C","B"],"_given":[null,null,{"id":"b"}]"#),
        ),
        (
            &[
                ADD,
                ("path", r#""valueString":"Patient.contained[0]""#),
                ("name", r#""valueString":"active""#),
                ("value", r#""valueBoolean":true"#),
            ],
            (r#""id":"o"}"#, r#""id":"o","active":true}"#),
        ),
    ];
    for (parts, (from, to)) in cases {
        let expected = PATIENT.replacen(from, to, 1);
        assert_eq!(patched(PATIENT, &parameters(&[parts])), Ok(expected), "{parts:?}");
    }
}

#[test]
fn paths_are_refused_where_they_do_not_fit() {
    let cases: [(&[Part], &str); 16] = [
        (
            &[
                ADD,
                ("path", r#""valueString":"Patient.telecom""#),
                ("name", r#""valueString":"value""#),
                ("value", r#""valueString":"x""#),
            ],
            "there is nothing at `Patient.telecom`",
        ),
        (
            &[
                ADD,
                ("path", r#""valueString":"Patient""#),
                ("name", r#""valueString":"nme""#),
                ("value", r#""valueString":"x""#),
            ],
            "`nme` is not an element of Patient",
        ),
        (
            &[
                ADD,
                ("path", r#""valueString":"Patient""#),
                ("name", r#""valueString":"deceased""#),
                ("value", r#""valueDateTime":"2020""#),
            ],
            "`deceasedBoolean` is there already and may stand only once; `replace` it",
        ),
        (
            &[
                ADD,
                ("path", r#""valueString":"Patient""#),
                ("name", r#""valueString":"birthDate""#),
                ("value", r#""valueDate":"2020""#),
            ],
            "`birthDate` is there already",
        ),
        (
            &[
                ADD,
                ("path", r#""valueString":"Patient""#),
                ("name", r#""valueString":"gender""#),
                ("value", r#""valueInteger":1"#),
            ],
            "a value of type `Integer` does not fit `Patient.gender`, which is of type `code`",
        ),
        (
            &[
                ADD,
                ("path", r#""valueString":"Patient""#),
                ("name", r#""valueString":"multipleBirth""#),
                ("value", r#""valueString":"x""#),
            ],
            "which is of type `boolean` or `integer`",
        ),
        (
            &[
                ADD,
                ("path", r#""valueString":"Patient.name""#),
                ("name", r#""valueString":"text""#),
                ("value", r#""valueString":"x""#),
            ],
            "`Patient.name` finds 2 elements, it should find one",
        ),
        (&[DELETE, ("path", r#""valueString":"Patient.name""#)], "finds 2 elements"),
        (&[DELETE, ("path", r#""valueString":"Patient""#)], "the whole resource can be neither deleted nor replaced"),
        (
            &[DELETE, ("path", r#""valueString":"Patient.name.count()""#)],
            "finds a value that is no element of the resource",
        ),
        (
            &[REPLACE, ("path", r#""valueString":"Patient.telecom""#), ("value", r#""valueString":"x""#)],
            "there is nothing at `Patient.telecom`",
        ),
        (
            &[REPLACE, ("path", r#""valueString":"Patient.name[0]""#), ("value", r#""valueAddress":{"text":"x"}"#)],
            "a value of type `Address` does not fit `Patient.name`",
        ),
        (
            &[
                INSERT,
                ("path", r#""valueString":"Patient.name""#),
                ("index", r#""valueInteger":3"#),
                ("value", r#""valueHumanName":{"text":"x"}"#),
            ],
            "`index` is 3, the list has 2 items",
        ),
        (
            &[
                INSERT,
                ("path", r#""valueString":"Patient.name[0]""#),
                ("index", r#""valueInteger":0"#),
                ("value", r#""valueHumanName":{"text":"x"}"#),
            ],
            "`Patient.name[0]` finds no whole list",
        ),
        (
            &[
                INSERT,
                ("path", r#""valueString":"Patient.telecom""#),
                ("index", r#""valueInteger":1"#),
                ("value", r#""valueContactPoint":{"value":"x"}"#),
            ],
            "`index` is 1, there are no items at `Patient.telecom`",
        ),
        (
            &[
                MOVE,
                ("path", r#""valueString":"Patient.name""#),
                ("source", r#""valueInteger":0"#),
                ("destination", r#""valueInteger":2"#),
            ],
            "`destination` is 2, the list has 2 items",
        ),
    ];
    for (parts, expected) in cases {
        let refused = patched(PATIENT, &parameters(&[parts])).expect_err(expected);
        assert!(refused.starts_with("processing: operation 0 of the FHIRPath Patch: "), "{refused}");
        assert!(refused.contains(expected), "{refused}");
    }
}

#[test]
fn refuses_what_is_no_path_patch() {
    let path = ("path", r#""valueString":"Patient""#);
    let cases: [(&[Part], &str); 13] = [
        (&[], "the part `type` is missing"),
        (&[ADD], "the part `path` is missing"),
        (&[ADD, path], "the part `name` is missing"),
        (&[ADD, path, ("name", r#""valueString":"x""#)], "the part `value` is missing"),
        (&[INSERT, path, ("value", r#""valueString":"x""#)], "the part `index` is missing"),
        (&[MOVE, path], "the part `source` is missing"),
        (
            &[MOVE, path, ("source", r#""valueInteger":-1"#)],
            "the part `source` should have a `valueInteger` of 0 or more",
        ),
        (&[DELETE, path, ("value", r#""valueString":"x""#)], "the part `value` does not belong to `delete`"),
        (&[DELETE, path, path], "the part `path` is there twice"),
        (&[DELETE, path, ("x", r#""valueString":"x""#)], "`x` is no part of an operation"),
        (&[DELETE, ("path", r#""valueString":"Patient.""#)], "`path` `Patient.` is no FHIRPath"),
        (
            &[("type", r#""valueCode":"remove""#), path],
            "`type` is `remove`, it should be `add`, `insert`, `delete`, `replace` or `move`",
        ),
        (&[REPLACE, path, ("value", r#""id":"x""#)], "the value is empty"),
    ];
    for (parts, expected) in cases {
        let refused = patched(PATIENT, &parameters(&[parts])).expect_err(expected);
        assert!(refused.contains(expected), "{refused}");
        assert!(refused.ends_with("(Parameters.parameter[0])"), "{refused}");
    }
    assert!(patched(PATIENT, &document(PATIENT)).is_err_and(|refused| refused.contains("`Parameters`")));
    let one = [DELETE, path];
    let many = vec![&one[..]; OPERATIONS_MAX + 1];
    assert!(patched(PATIENT, &parameters(&many)).is_err_and(|refused| refused.contains("at most 1000 are allowed")));
    assert_eq!(patched(PATIENT, &parameters(&[])).as_deref(), Ok(PATIENT));
}
