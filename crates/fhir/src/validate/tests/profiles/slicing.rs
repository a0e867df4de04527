//! Slices: how their values are told apart, how often they stand, and in what order.

use super::{check, check_profile, library, profile};
use crate::IssueType::{Required, Structure, Value};

/// Identifiers sliced by their system.
fn identifiers(slicing: &str, more: &str) -> String {
    format!(
        r#"{{"path":"Patient.identifier","slicing":{{"discriminator":[{{"type":"value","path":"system"}}],{slicing}}}}},
        {{"id":"Patient.identifier:a","path":"Patient.identifier","sliceName":"a","min":1,"max":"1"}},
        {{"id":"Patient.identifier:a.system","path":"Patient.identifier.system","min":1,"fixedUri":"urn:a"}},
        {{"id":"Patient.identifier:a.value","path":"Patient.identifier.value","min":1}},
        {{"id":"Patient.identifier:b","path":"Patient.identifier","sliceName":"b"}},
        {{"id":"Patient.identifier:b.system","path":"Patient.identifier.system","min":1,"fixedUri":"urn:b"}}{more}"#
    )
}

fn patient(systems: &[&str]) -> String {
    let items: Vec<_> = systems.iter().map(|system| format!(r#"{{"system":"urn:{system}","value":"1"}}"#)).collect();
    format!(r#"{{"resourceType":"Patient","identifier":[{}]}}"#, items.join(","))
}

#[test]
fn slices_are_told_by_value() {
    check_profile(
        "Patient",
        &identifiers(r#""rules":"open""#, ""),
        &[
            (&patient(&["a"]), &[]),
            (&patient(&["x", "b", "a", "b"]), &[]),
            (
                &patient(&["b"]),
                &[(
                    Required,
                    "Patient.identifier",
                    "`identifier` is missing: it must stand here at least once (slice `a` of profile http://x.example/p)",
                )],
            ),
            (&patient(&["a", "a"]), &[(Structure, "Patient.identifier", "2 times, but may at most once (slice `a`")]),
            (
                r#"{"resourceType":"Patient","identifier":[{"system":"urn:b"},{"system":"urn:a"}]}"#,
                &[(Required, "Patient.identifier[1].value", "slice `a`")],
            ),
            (r#"{"resourceType":"Patient"}"#, &[(Required, "Patient.identifier", "slice `a`")]),
        ],
    );
}

#[test]
fn slicing_is_open_or_closed_and_may_be_ordered() {
    let closed = "this is in none of the slices `a`, `b`, and others may not stand here";
    check_profile(
        "Patient",
        &identifiers(r#""rules":"closed""#, ""),
        &[(&patient(&["b", "a"]), &[]), (&patient(&["a", "x"]), &[(Structure, "Patient.identifier[1]", closed)])],
    );
    check_profile(
        "Patient",
        &identifiers(r#""rules":"openAtEnd""#, ""),
        &[
            (&patient(&["b", "a", "x"]), &[]),
            (&patient(&["a", "x", "b"]), &[(Structure, "Patient.identifier[2]", "such must stand at the end")]),
        ],
    );
    check_profile(
        "Patient",
        &identifiers(r#""ordered":true,"rules":"open""#, ""),
        &[
            (&patient(&["a", "b", "b"]), &[]),
            (
                &patient(&["b", "a"]),
                &[(Structure, "Patient.identifier[1]", "the slice `a` stands after the slice `b`")],
            ),
        ],
    );
}

#[test]
fn what_is_in_no_slice_may_have_rules() {
    let default = r#",{"id":"Patient.identifier:@default","path":"Patient.identifier","sliceName":"@default"},
        {"id":"Patient.identifier:@default.use","path":"Patient.identifier.use","min":1}"#;
    check_profile(
        "Patient",
        &identifiers(r#""rules":"closed""#, default),
        &[
            (
                r#"{"resourceType":"Patient","identifier":[{"system":"urn:a","value":"1"},{"system":"urn:x","use":"old"}]}"#,
                &[],
            ),
            (&patient(&["a", "x"]), &[(Required, "Patient.identifier[1].use", "slice `@default`")]),
        ],
    );
}

#[test]
fn slices_are_told_by_pattern_and_by_what_stands_below() {
    // By a pattern on the element, on the element itself, and by the parts of a pattern.
    for (kind, path, element) in [
        (
            "pattern",
            "code",
            r#"{"id":"Observation.component:a.code","path":"Observation.component.code","patternCodeableConcept":{"coding":[{"code":"a"}]}}"#,
        ),
        (
            "value",
            "code.coding.code",
            r#"{"id":"Observation.component:a.code","path":"Observation.component.code","patternCodeableConcept":{"coding":[{"code":"a"}]}}"#,
        ),
        (
            "value",
            "code.coding.code",
            r#"{"id":"Observation.component:a.code.coding.code","path":"Observation.component.code.coding.code","min":1,"fixedCode":"a"}"#,
        ),
        (
            "value",
            "code",
            r#"{"id":"Observation.component:a.code.coding.code","path":"Observation.component.code.coding.code","min":1,"fixedCode":"a"}"#,
        ),
        (
            "value",
            "$this",
            r#"{"id":"Observation.component:a.code.coding.code","path":"Observation.component.code.coding.code","min":1,"fixedCode":"a"}"#,
        ),
    ] {
        let differential = format!(
            r#"{{"path":"Observation.component","slicing":{{"discriminator":[{{"type":"{kind}","path":"{path}"}}],"rules":"open"}}}},
            {{"id":"Observation.component:a","path":"Observation.component","sliceName":"a","min":1}},{element},
            {{"id":"Observation.component:a.value[x]","path":"Observation.component.value[x]","{}":1}}"#,
            if path == "$this" { "isSummary" } else { "min" },
        )
        .replace(r#""isSummary":1"#, r#""isSummary":true"#);
        let with = |components: &str| {
            format!(
                r#"{{"resourceType":"Observation","status":"final","code":{{"text":"x"}},"component":[{components}]}}"#
            )
        };
        let a = r#"{"code":{"coding":[{"code":"z"},{"code":"a"}]},"valueInteger":1}"#;
        let b = r#"{"code":{"coding":[{"code":"b"}]}}"#;
        check_profile(
            "Observation",
            &differential,
            &[
                (&with(&format!("{b},{}", a.replace(r#"{"code":"z"},"#, ""))), &[]),
                (&with(b), &[(Required, "Observation.component", "slice `a`")]),
            ],
        );
        if path != "$this" {
            let valueless = r#"{"code":{"coding":[{"code":"a"}]}}"#;
            let missing = (Required, "Observation.component[1].value", "`value` is missing");
            check_profile("Observation", &differential, &[(&with(&format!("{b},{valueless}")), &[missing])]);
        }
    }
}

#[test]
fn slices_are_told_by_presence() {
    let differential = r#"{"path":"Patient.name","slicing":{"discriminator":[{"type":"exists","path":"period"}],"rules":"open"}},
        {"id":"Patient.name:old","path":"Patient.name","sliceName":"old"},
        {"id":"Patient.name:old.period","path":"Patient.name.period","min":1},
        {"id":"Patient.name:old.use","path":"Patient.name.use","min":1},
        {"id":"Patient.name:now","path":"Patient.name","sliceName":"now","max":"1"},
        {"id":"Patient.name:now.period","path":"Patient.name.period","max":"0"}"#;
    check_profile(
        "Patient",
        differential,
        &[
            (
                r#"{"resourceType":"Patient","name":[{"text":"a"},{"text":"b","use":"old","period":{"start":"2000"}}]}"#,
                &[],
            ),
            (
                r#"{"resourceType":"Patient","name":[{"text":"a"},{"text":"c"},{"text":"b","period":{"start":"2000"}}]}"#,
                &[(Structure, "Patient.name", "slice `now`"), (Required, "Patient.name[2].use", "slice `old`")],
            ),
        ],
    );
}

#[test]
fn slices_are_told_by_type_and_by_profile() {
    let by_type = r#"{"path":"Bundle.entry","slicing":{"discriminator":[{"type":"type","path":"resource"}],"rules":"closed"}},
        {"id":"Bundle.entry:patient","path":"Bundle.entry","sliceName":"patient","min":1,"max":"1"},
        {"id":"Bundle.entry:patient.resource","path":"Bundle.entry.resource","min":1,"type":[{"code":"Patient"}]},
        {"id":"Bundle.entry:list","path":"Bundle.entry","sliceName":"list"},
        {"id":"Bundle.entry:list.resource","path":"Bundle.entry.resource","min":1,"type":[{"code":"List"}]}"#;
    let bundle = |resources: &[&str]| {
        let entries: Vec<_> = resources.iter().map(|resource| format!(r#"{{"resource":{resource}}}"#)).collect();
        format!(r#"{{"resourceType":"Bundle","type":"collection","entry":[{}]}}"#, entries.join(","))
    };
    let patient = r#"{"resourceType":"Patient","active":true}"#;
    let list = r#"{"resourceType":"List","status":"current","mode":"working"}"#;
    let basic = r#"{"resourceType":"Basic","code":{"text":"x"}}"#;
    let none = "this is in none of the slices `patient`, `list`";
    check_profile(
        "Bundle",
        by_type,
        &[
            (&bundle(&[list, patient, list]), &[]),
            (&bundle(&[list]), &[(Required, "Bundle.entry", "slice `patient`")]),
            (&bundle(&[patient, basic]), &[(Structure, "Bundle.entry[1]", none)]),
        ],
    );
    let by_profile = r#"{"path":"Bundle.entry","slicing":{"discriminator":[{"type":"profile","path":"resource"}],"rules":"open"}},
        {"id":"Bundle.entry:active","path":"Bundle.entry","sliceName":"active","min":1},
        {"id":"Bundle.entry:active.resource","path":"Bundle.entry.resource","min":1,
         "type":[{"code":"Patient","profile":["http://x.example/active"]}]}"#;
    let active = profile("active", "Patient", r#"{"path":"Patient.active","min":1,"fixedBoolean":true}"#);
    let inactive = r#"{"resourceType":"Patient","active":false}"#;
    check(
        &library(&[profile("p", "Bundle", by_profile), active]),
        &[
            (&bundle(&[inactive, patient]), &[]),
            (&bundle(&[inactive, basic]), &[(Required, "Bundle.entry", "slice `active`")]),
        ],
    );
}

#[test]
fn slices_are_told_by_what_references_lead_to_and_by_extensions() {
    let by_target = r#"{"path":"Observation.performer","slicing":{"discriminator":[{"type":"type","path":"resolve()"}],"rules":"open"}},
        {"id":"Observation.performer:gp","path":"Observation.performer","sliceName":"gp","min":1,
         "type":[{"code":"Reference","targetProfile":["http://hl7.org/fhir/StructureDefinition/Practitioner"]}]}"#;
    let with = |performer: &str| {
        format!(
            r#"{{"resourceType":"Observation","status":"final","code":{{"text":"x"}},"performer":[{{"reference":"{performer}"}}]}}"#
        )
    };
    check_profile(
        "Observation",
        by_target,
        &[(&with("Practitioner/a"), &[]), (&with("Patient/a"), &[(Required, "Observation.performer", "slice `gp`")])],
    );
    let by_extension = r#"{"path":"Patient.name","slicing":{"discriminator":[{"type":"value","path":"extension('http://x.example/kind').value"}],"rules":"open"}},
        {"id":"Patient.name:stage","path":"Patient.name","sliceName":"stage","max":"1"},
        {"id":"Patient.name:stage.extension","path":"Patient.name.extension","slicing":{"discriminator":[{"type":"value","path":"url"}],"rules":"open"}},
        {"id":"Patient.name:stage.extension:kind","path":"Patient.name.extension","sliceName":"kind","min":1},
        {"id":"Patient.name:stage.extension:kind.url","path":"Patient.name.extension.url","fixedUri":"http://x.example/kind"},
        {"id":"Patient.name:stage.extension:kind.value[x]","path":"Patient.name.extension.value[x]","min":1,"fixedString":"stage"}"#;
    let name = |kind: &str| {
        format!(r#"{{"text":"x","extension":[{{"url":"http://x.example/kind","valueString":"{kind}"}}]}}"#)
    };
    let patient = |names: &[String]| format!(r#"{{"resourceType":"Patient","name":[{}]}}"#, names.join(","));
    check_profile(
        "Patient",
        by_extension,
        &[
            (&patient(&[name("stage"), name("other"), name("other")]), &[]),
            (&patient(&[name("stage"), name("stage")]), &[(Structure, "Patient.name", "slice `stage`")]),
        ],
    );
}

#[test]
fn slices_are_sliced_again() {
    let differential = identifiers(
        r#""rules":"open""#,
        r#",{"id":"Patient.identifier:b/b1","path":"Patient.identifier","sliceName":"b/b1","max":"1"},
        {"id":"Patient.identifier:b/b1.use","path":"Patient.identifier.use","min":1,"fixedCode":"official"},
        {"id":"Patient.identifier:b/b1.value","path":"Patient.identifier.value","min":1}"#,
    )
    .replace(
        r#""sliceName":"b"}"#,
        r#""sliceName":"b","slicing":{"discriminator":[{"type":"value","path":"use"}],"rules":"open"}}"#,
    );
    let with =
        |more: &str| format!(r#"{{"resourceType":"Patient","identifier":[{{"system":"urn:a","value":"1"}},{more}]}}"#);
    check_profile(
        "Patient",
        &differential,
        &[
            (&with(r#"{"system":"urn:b"},{"system":"urn:b","use":"official","value":"1"}"#), &[]),
            (
                &with(r#"{"system":"urn:b","use":"official"}"#),
                &[(Required, "Patient.identifier[1].value", "slice `b/b1`")],
            ),
            (
                &with(
                    r#"{"system":"urn:b","use":"official","value":"1"},{"system":"urn:b","use":"official","value":"2"}"#,
                ),
                &[(Structure, "Patient.identifier", "slice `b/b1`")],
            ),
        ],
    );
}

#[test]
fn slices_hold_slices() {
    let differential = r#"{"path":"Observation.component","slicing":{"discriminator":[{"type":"value","path":"code.text"}],"rules":"open"}},
        {"id":"Observation.component:a","path":"Observation.component","sliceName":"a"},
        {"id":"Observation.component:a.code.text","path":"Observation.component.code.text","min":1,"fixedString":"a"},
        {"id":"Observation.component:a.interpretation","path":"Observation.component.interpretation","slicing":{"discriminator":[{"type":"value","path":"text"}],"rules":"closed"}},
        {"id":"Observation.component:a.interpretation:high","path":"Observation.component.interpretation","sliceName":"high","max":"1"},
        {"id":"Observation.component:a.interpretation:high.text","path":"Observation.component.interpretation.text","min":1,"fixedString":"high"}"#;
    let with = |code: &str, interpretation: &str| {
        format!(
            r#"{{"resourceType":"Observation","status":"final","code":{{"text":"x"}},"component":[{{"code":{{"text":"{code}"}},"interpretation":[{interpretation}]}}]}}"#
        )
    };
    let (high, low) = (r#"{"text":"high"}"#, r#"{"text":"low"}"#);
    check_profile(
        "Observation",
        differential,
        &[
            (&with("a", high), &[]),
            (&with("b", low), &[]),
            (
                &with("a", low),
                &[(Structure, "Observation.component[0].interpretation[0]", "none of the slices `high`")],
            ),
            (
                &with("a", &format!("{high},{high}")),
                &[(Structure, "Observation.component[0].interpretation", "slice `high`")],
            ),
        ],
    );
}

#[test]
fn values_of_slices_are_checked_by_their_rules() {
    let differential = identifiers(r#""rules":"open""#, "").replace(
        r#"{"id":"Patient.identifier:a.value","path":"Patient.identifier.value","min":1}"#,
        r#"{"id":"Patient.identifier:a.value","path":"Patient.identifier.value","min":1,"fixedString":"7"}"#,
    );
    let message = "`1` stands here, but it must be `7` (slice `a` of profile http://x.example/p)";
    check_profile("Patient", &differential, &[(&patient(&["a"]), &[(Value, "Patient.identifier[0].value", message)])]);
}

#[test]
fn what_cannot_be_told_is_in_no_slice_and_not_missing() {
    // Who is subject and performer is told by resolving; what the code is, by a value set that is not known.
    let slicing = r#"{"path":"Observation.performer","slicing":{"discriminator":[{"type":"type","path":"resolve()"}],"rules":"closed"}},
        {"id":"Observation.performer:p","path":"Observation.performer","sliceName":"p","min":1,"max":"1",
            "type":[{"code":"Reference","targetProfile":["http://hl7.org/fhir/StructureDefinition/Patient"]}]},
        {"path":"Observation.category","slicing":{"discriminator":[{"type":"value","path":"$this"}],"rules":"closed"}},
        {"id":"Observation.category:c","path":"Observation.category","sliceName":"c","min":1,
            "binding":{"strength":"required","valueSet":"http://x.example/unknown"}}"#;
    let observation = |performer: &str, category: &str| {
        format!(
            r#"{{"resourceType":"Observation","status":"final","code":{{"text":"x"}},"performer":[{performer}],"category":[{category}]}}"#
        )
    };
    let unknown = r#"{"coding":[{"system":"urn:x","code":"y"}]}"#;
    let urn = r#"{"reference":"urn:uuid:6f2c1c1e-0c1c-4d5b-8a61-0f7c0f1b2d3e"}"#;
    check_profile(
        "Observation",
        slicing,
        &[
            (&observation(r#"{"reference":"Patient/1"}"#, unknown), &[]),
            (&observation(urn, unknown), &[]),
            (
                &observation(r#"{"reference":"Practitioner/1"}"#, unknown),
                &[
                    (Required, "Observation.performer", "slice `p`"),
                    (Structure, "Observation.performer[0]", "this is in none of the slices `p`"),
                ],
            ),
            (
                &observation(urn, r#"{"text":"no code"}"#),
                &[
                    (Required, "Observation.category", "slice `c`"),
                    (Structure, "Observation.category[0]", "this is in none of the slices `c`"),
                ],
            ),
        ],
    );
    let by_profile = r#"{"path":"Bundle.entry","slicing":{"discriminator":[{"type":"profile","path":"resource"}],"rules":"closed"}},
        {"id":"Bundle.entry:e","path":"Bundle.entry","sliceName":"e","min":1,"max":"1"},
        {"id":"Bundle.entry:e.resource","path":"Bundle.entry.resource","min":1,
            "type":[{"code":"Patient","profile":["http://x.example/unknown"]}]}"#;
    let bundle = r#"{"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"urn:oid:1.2","resource":{"resourceType":"Patient"}}]}"#;
    check_profile("Bundle", by_profile, &[(bundle, &[])]);
}
