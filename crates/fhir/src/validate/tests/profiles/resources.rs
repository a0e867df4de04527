//! Which profiles a resource is checked against, extensions, targets of references, and bounds.

use super::{BASE, Severity, check, issues, library, profile, validator};
use crate::IssueType::{Invariant, NotFound, NotSupported, Required, Structure, TooCostly, Value};
use crate::json::Document;
use crate::terminology::Canonical;
use crate::validate::Depth;

fn active() -> String {
    profile("active", "Patient", r#"{"path":"Patient.active","min":1}"#)
}

#[test]
fn resources_name_their_profiles() {
    let library = library(&[active(), profile("p", "Resource", r#"{"path":"Resource.id"}"#)]);
    let claims = |url: &str| format!(r#"{{"resourceType":"Patient","meta":{{"profile":["{url}"]}}}}"#);
    let missing = |path| (Required, path, "`active` is missing");
    check(
        &library,
        &[
            (r#"{"resourceType":"Patient"}"#, &[]),
            (&claims("http://x.example/active"), &[missing("Patient.active")]),
            (
                &claims("http://x.example/none"),
                &[(NotFound, "Patient.meta.profile[0]", "`http://x.example/none` is not known here")],
            ),
            (
                r#"{"resourceType":"List","status":"current","mode":"working","meta":{"profile":["http://x.example/active"]}}"#,
                &[(Structure, "List.meta.profile[0]", "is for Patient, but this is a List")],
            ),
            (
                r##"{"resourceType":"List","status":"current","mode":"working","subject":{"reference":"#a"},"contained":[{"resourceType":"Patient","id":"a","meta":{"profile":["http://x.example/active"]}}]}"##,
                &[missing("List.contained[0].active")],
            ),
            (
                &format!(
                    r#"{{"resourceType":"Bundle","type":"collection","entry":[{{"fullUrl":"urn:uuid:5b0e4b5a-0000-4000-8000-000000000000","resource":{}}}]}}"#,
                    claims("http://x.example/active")
                ),
                &[missing("Bundle.entry[0].resource.active")],
            ),
            (
                &format!(
                    r#"{{"resourceType":"Parameters","parameter":[{{"name":"a","part":[{{"name":"b","resource":{}}}]}}]}}"#,
                    claims("http://x.example/active")
                ),
                &[missing("Parameters.parameter[0].part[0].resource.active")],
            ),
        ],
    );
    let document = Document::parse(br#"{"resourceType":"Patient"}"#).expect("valid JSON");
    for (asked, expected) in [("none", NotFound), ("active", Required)] {
        let found =
            validator(&library, Depth::Write).validate(&document, &[Canonical::parse(&format!("{BASE}{asked}"))]);
        assert!(
            matches!(&found[..], [issue] if issue.code == expected && issue.severity == Severity::Error),
            "{found:?}"
        );
    }
}

#[test]
fn a_profile_that_cannot_be_used_says_why() {
    let logical = active().replace(r#""kind":"resource""#, r#""kind":"logical""#);
    let library = library(&[logical.replace("http://x.example/active", "http://x.example/p")]);
    check(&library, &[(r#"{"resourceType":"Patient"}"#, &[(NotSupported, "Patient", "cannot be used")])]);
}

#[test]
fn extensions_follow_their_own_definitions() {
    let extension = |name: &str, differential: &str| {
        let url = format!(r#",{{"path":"Extension.url","fixedUri":"{BASE}{name}"}}"#);
        profile(name, "Extension", &format!("{differential}{url}"))
            .replace(r#""kind":"resource""#, r#""kind":"complex-type""#)
    };
    let library = library(&[
        extension("simple", r#"{"path":"Extension.value[x]","min":1,"type":[{"code":"string"}]}"#),
        extension(
            "parts",
            r#"{"id":"Extension.extension:one","path":"Extension.extension","sliceName":"one","min":1},
            {"id":"Extension.extension:one.url","path":"Extension.extension.url","fixedUri":"one"},
            {"id":"Extension.extension:one.value[x]","path":"Extension.extension.value[x]","type":[{"code":"integer"}]}"#,
        ),
        profile(
            "p",
            "Patient",
            r#"{"id":"Patient.extension:simple","path":"Patient.extension","sliceName":"simple","max":"1",
                "type":[{"code":"Extension","profile":["http://x.example/simple"]}]}"#,
        ),
    ]);
    let with = |extensions: &str| format!(r#"{{"resourceType":"Patient","extension":[{extensions}]}}"#);
    let simple = r#"{"url":"http://x.example/simple","valueString":"a"}"#;
    let wrong = r#"{"url":"http://x.example/simple","valueInteger":1}"#;
    let message = "a value of type integer stands here, but it must be string (profile http://x.example/simple)";
    check(
        &library,
        &[
            (&with(simple), &[]),
            (&with(wrong), &[(Structure, "Patient.extension[0].value", message)]),
            (
                &with(&format!("{simple},{simple}")),
                &[(Structure, "Patient.extension", "slice `simple` of profile http://x.example/p")],
            ),
            // Wherever it stands, and named by no profile.
            (
                &format!(
                    r#"{{"resourceType":"Patient","name":[{{"text":"x"}},{{"_family":{{"extension":[{wrong}]}}}}]}}"#
                ),
                &[(Structure, "Patient.name[1].family.extension[0].value", message)],
            ),
            (
                &with(
                    r#"{"url":"http://x.example/parts","extension":[{"url":"one","valueInteger":1},{"url":"two","valueInteger":1}]}"#,
                ),
                &[],
            ),
            (
                &with(r#"{"url":"http://x.example/parts","extension":[{"url":"two","valueInteger":1}]}"#),
                &[(Required, "Patient.extension[0].extension", "slice `one` of profile http://x.example/parts")],
            ),
            (
                &with(r#"{"url":"http://x.example/parts","extension":[{"url":"one","valueString":"1"}]}"#),
                &[(Structure, "Patient.extension[0].extension[0].value", "it must be integer")],
            ),
            (&with(r#"{"url":"http://x.example/unknown","valueString":"1"}"#), &[]),
            (
                &with(r#"{"url":"http://x.example/p","valueString":"1"}"#),
                &[(Structure, "Patient.extension[0]", "is the url of a profile for Patient")],
            ),
        ],
    );
    let unknown = r#"{"resourceType":"Patient","extension":[{"url":"http://x.example/unknown","valueString":"1"}],
        "modifierExtension":[{"url":"http://x.example/unknown","valueString":"1"}]}"#;
    let found = issues(&library, Depth::Full, unknown);
    let severity = |path: &str| found.iter().find(|it| it.expression == [path]).map(|issue| issue.severity);
    assert_eq!(severity("Patient.extension[0]"), Some(Severity::Information), "{found:#?}");
    assert_eq!(severity("Patient.modifierExtension[0]"), Some(Severity::Warning), "{found:#?}");
}

#[test]
fn references_lead_to_targets_that_conform() {
    let by_profile =
        r#"{"path":"Observation.subject","type":[{"code":"Reference","targetProfile":["http://x.example/active"]}]}"#;
    let stored = r#"{"resourceType":"Patient","id":"stored"}"#.to_owned();
    let library = library(&[profile("p", "Observation", by_profile), active(), stored]);
    let with = |reference: &str, more: &str| {
        format!(
            r#"{{"resourceType":"Observation","status":"final","code":{{"text":"x"}},"subject":{{"reference":"{reference}"}}{more}}}"#
        )
    };
    let contained = |content: &str| format!(r#","contained":[{{"resourceType":"Patient","id":"a"{content}}}]"#);
    let group =
        (Value, "Observation.subject", "the reference leads to a Group, but must lead to http://x.example/active");
    let missing = (Value, "Observation.subject", "`active` is missing");
    check(
        &library,
        &[
            (&with("Patient/a", ""), &[]),
            (&with("urn:uuid:5b0e4b5a-0000-4000-8000-000000000000", ""), &[]),
            (&with("Group/a", ""), &[group]),
            (&with("#a", &contained(r#","active":true"#)), &[]),
            (&with("#a", &contained("")), &[missing]),
            // What stands elsewhere is not looked at on a write.
            (&with("Patient/stored", ""), &[]),
        ],
    );
    let found = issues(&library, Depth::Full, &with("Patient/stored", ""));
    assert!(found.iter().any(|issue| issue.diagnostics.contains("`active` is missing")), "{found:#?}");
}

#[test]
fn types_have_profiles() {
    let period = profile("period", "Period", r#"{"path":"Period.end","min":1}"#)
        .replace(r#""kind":"resource""#, r#""kind":"complex-type""#);
    let start = profile("start", "Period", r#"{"path":"Period.start","min":1}"#)
        .replace(r#""kind":"resource""#, r#""kind":"complex-type""#);
    let one = r#"{"path":"Encounter.period","type":[{"code":"Period","profile":["http://x.example/period"]}]}"#;
    let any = r#"{"path":"Encounter.period","type":[{"code":"Period","profile":["http://x.example/period","http://x.example/start"]}]}"#;
    let unknown = r#"{"path":"Encounter.period","type":[{"code":"Period","profile":["http://x.example/none"]}]}"#;
    let with = |period: &str| {
        format!(r#"{{"resourceType":"Encounter","status":"planned","class":{{"code":"AMB"}},"period":{{{period}}}}}"#)
    };
    let (started, ended, neither) = (
        with(r#""start":"2000""#),
        with(r#""end":"2000""#),
        with(r#""id":"a","extension":[{"url":"urn:x","valueCode":"unknown"}]"#),
    );
    let of = |differential: &str| library(&[profile("p", "Encounter", differential), period.clone(), start.clone()]);
    check(
        &of(one),
        &[(&ended, &[]), (&started, &[(Required, "Encounter.period.end", "profile http://x.example/period")])],
    );
    check(
        &of(any),
        &[
            (&ended, &[]),
            (&started, &[]),
            (
                &neither,
                &[(
                    Structure,
                    "Encounter.period",
                    "does not conform to http://x.example/period or http://x.example/start",
                )],
            ),
        ],
    );
    check(
        &of(unknown),
        &[(&started, &[(NotFound, "Encounter.period", "not known here: the profile http://x.example/none")])],
    );
}

#[test]
fn profiles_that_go_in_circles_end() {
    let chain = r#"{"path":"Patient.link.other","type":[{"code":"Reference","targetProfile":["http://x.example/p"]}]}"#;
    let patients = |count: usize| {
        let entry = |at: usize| {
            let next = (at + 1) % count;
            format!(
                r#"{{"fullUrl":"http://x.example/fhir/Patient/{at}","resource":{{"resourceType":"Patient","id":"{at}","meta":{{"profile":["http://x.example/p"]}},
                "link":[{{"type":"seealso","other":{{"reference":"Patient/{next}"}}}}]}}}}"#
            )
        };
        let entries: Vec<_> = (0..count).map(entry).collect();
        format!(r#"{{"resourceType":"Bundle","type":"collection","entry":[{}]}}"#, entries.join(","))
    };
    let library = library(&[profile("p", "Patient", chain)]);
    for count in [1, 20, 300] {
        let document = Document::parse(patients(count).as_bytes()).expect("valid JSON");
        assert_eq!(validator(&library, Depth::Write).validate(&document, &[]), []);
    }
}

#[test]
fn slices_in_slices_are_bounded() {
    // Each level asks every item whether all below conforms: without a bound the work is a power of the depth.
    let depth = 12;
    let mut differential = Vec::new();
    let mut path = "Questionnaire".to_owned();
    let mut id = path.clone();
    for level in 0..depth {
        path += ".item";
        id += ".item";
        differential.push(format!(
            r#"{{"id":"{id}","path":"{path}","slicing":{{"discriminator":[{{"type":"value","path":"$this"}}],"rules":"open"}}}}"#
        ));
        for slice in ["a", "b"] {
            differential.push(format!(r#"{{"id":"{id}:{slice}","path":"{path}","sliceName":"{slice}"}}"#));
            differential.push(format!(
                r#"{{"id":"{id}:{slice}.text","path":"{path}.text","min":1,"fixedString":"{slice}{level}"}}"#
            ));
        }
        id += ":b";
    }
    let mut item = r#"{"linkId":"x","type":"string","text":"none"}"#.to_owned();
    for level in (0..depth).rev() {
        item = format!(
            r#"{{"linkId":"{level}","type":"group","text":"b{level}","item":[{}]}}"#,
            [item.as_str(); 2].join(",")
        );
        item = item.replacen(&format!(r#""linkId":"{level}""#), &format!(r#""linkId":"l{level}""#), 1);
    }
    let json = format!(r#"{{"resourceType":"Questionnaire","status":"draft","item":[{item}]}}"#);
    let library = library(&[profile("p", "Questionnaire", &differential.join(","))]);
    let found = issues(&library, Depth::Write, &json);
    let about = |code| found.iter().any(|issue| issue.code == code);
    assert!(about(TooCostly) || !found.iter().any(|issue| issue.code == Structure), "{:#?}", found.last());
}

#[test]
fn extensions_stand_where_their_definitions_say() {
    let extension = |name: &str, more: &str| {
        let fixed = format!(r#"{{"path":"Extension.url","fixedUri":"{BASE}{name}"}}"#);
        profile(name, "Extension", &fixed).replace(r#""kind":"resource""#, &format!(r#""kind":"complex-type",{more}"#))
    };
    let library = library(&[
        profile("p", "Patient", r#"{"path":"Patient.active","min":1}"#),
        extension("names", r#""context":[{"type":"element","expression":"HumanName"}]"#),
        extension("inside", r#""context":[{"type":"extension","expression":"http://x.example/names"}]"#),
        extension("selected", r#""context":[{"type":"fhirpath","expression":"Patient.name.where(use = 'old')"}]"#),
        extension(
            "women",
            r#""context":[{"type":"element","expression":"Patient"}],"contextInvariant":["gender = 'female' or %extension.value = 'm'"]"#,
        ),
    ]);
    let of = |name: &str| format!(r#"{{"url":"http://x.example/{name}","valueString":"a"}}"#);
    let patient = |members: &str| format!(r#"{{"resourceType":"Patient","active":true,{members}}}"#);
    let on_patient = |extension: &str| patient(&format!(r#""extension":[{extension}]"#));
    let on_name =
        |members: &str, extension: &str| patient(&format!(r#""name":[{{{members}"extension":[{extension}]}}]"#));
    let nested = format!(r#"{{"url":"http://x.example/names","extension":[{}]}}"#, of("inside"));
    let may_not = "may not stand here, only on";
    check(
        &library,
        &[
            (&on_name("", &of("names")), &[]),
            (&on_patient(&of("names")), &[(Structure, "Patient.extension[0]", may_not)]),
            (&on_name("", &nested), &[]),
            (&on_name("", &of("inside")), &[(Structure, "Patient.name[0].extension[0]", may_not)]),
            (&on_name(r#""use":"old","#, &of("selected")), &[]),
            (&on_name("", &of("selected")), &[(Structure, "Patient.name[0].extension[0]", may_not)]),
            (&patient(&format!(r#""gender":"female","extension":[{}]"#, of("women"))), &[]),
            (&on_patient(&of("women").replace(r#""a""#, r#""m""#)), &[]),
            (
                &patient(&format!(r#""gender":"male","extension":[{}]"#, of("women"))),
                &[(Invariant, "Patient.extension[0]", "may stand only where `gender = 'female'")],
            ),
        ],
    );
}
