use serde_json::Value;

use super::bench::{Bench, Ran};
use super::serve::Serving;

/// Concepts, descriptions and relationships in the form of a SNOMED CT release; the content is made up.
fn write_snomed(bench: &Bench, date: &str, thing: &str) {
    let rows = |head: &str, rows: &[&str]| {
        let rows = rows.iter().map(|row| format!("1\t{}\r\n", row.replace(' ', "\t").replace('_', " ")));
        format!("{}\r\n{}", head.replace(' ', "\t"), rows.collect::<String>()).replace("1\t#", "")
    };
    let folder = format!("snomed-{date}/Snapshot");
    let write = |name: &str, text: String| bench.write(&format!("{folder}/{name}_{date}.txt"), &text);
    let concepts = [
        "#10000001 20250101 1 900000000000207008 900000000000074008",
        "#10000002 20250101 1 900000000000207008 900000000000073002",
        "#10000003 20250101 1 900000000000207008 900000000000074008",
        "#10000004 20250101 0 900000000000207008 900000000000074008",
        "#10000005 20250101 1 900000000000207008 900000000000074008",
    ];
    let concepts = rows("id effectiveTime active moduleId definitionStatusId", &concepts);
    write("Terminology/sct2_Concept_Snapshot_INT", concepts);
    let about = |id: &str, concept: &str, kind: &str, term: &str, active: &str| {
        format!("#{id} 20250101 {active} 1 {concept} en {kind} {term} 1")
    };
    let (name, synonym) = ("900000000000003001", "900000000000013009");
    let descriptions = [
        about("501", "10000001", name, "Thing_(thing)", "1"),
        about("502", "10000001", synonym, thing, "1"),
        about("503", "10000002", name, "Red_thing_(thing)", "1"),
        about("504", "10000002", synonym, "Red_thing", "1"),
        about("505", "10000002", synonym, "Scarlet_thing", "1"),
        about("506", "10000003", name, "Small_red_thing_(thing)", "1"),
        about("507", "10000003", synonym, "Never_shown", "0"),
        about("508", "10000004", name, "Old_thing_(thing)", "1"),
    ];
    let descriptions: Vec<_> = descriptions.iter().map(String::as_str).collect();
    let head = "id effectiveTime active moduleId conceptId languageCode typeId term caseSignificanceId";
    write("Terminology/sct2_Description_Snapshot-en_INT", rows(head, &descriptions));
    let preferred = "900000000000548007";
    let languages = [
        format!("a1 20250101 1 1 900000000000508004 502 {preferred}"),
        format!("a2 20250101 1 1 900000000000508004 505 {preferred}"),
        "a3 20250101 1 1 900000000000508004 504 900000000000549004".to_owned(),
        format!("a4 20250101 1 1 900000000000509007 504 {preferred}"),
    ];
    let languages: Vec<_> = languages.iter().map(|row| format!("#{row}")).collect();
    let languages: Vec<_> = languages.iter().map(String::as_str).collect();
    let head = "id effectiveTime active moduleId refsetId referencedComponentId acceptabilityId";
    write("Refset/Language/der2_cRefset_LanguageSnapshot-en_INT", rows(head, &languages));
    let relationships = [
        "#601 20250101 1 1 10000002 10000001 0 116680003 900000000000011006 1",
        "#602 20250101 1 1 10000003 10000002 0 116680003 900000000000011006 1",
        "#603 20250101 0 1 10000005 10000001 0 116680003 900000000000011006 1",
        "#604 20250101 1 1 10000003 10000005 1 10000009 900000000000011006 1",
    ];
    let head = "id effectiveTime active moduleId sourceId destinationId relationshipGroup typeId characteristicTypeId modifierId";
    write("Terminology/sct2_Relationship_Snapshot_INT", rows(head, &relationships));
    let head = "id effectiveTime active moduleId refsetId referencedComponentId";
    let members = ["#b1 20250101 1 1 10000005 10000002", "#b2 20250101 0 1 10000005 10000003"];
    write("Refset/Content/der2_Refset_SimpleSnapshot_INT", rows(head, &members));
    // What is not read must not be in the way.
    write("Terminology/sct2_StatedRelationship_Snapshot_INT", "not\ta\ttable".to_owned());
    bench.write(&format!("snomed-{date}/Full/Terminology/sct2_Concept_Full_INT_{date}.txt"), "id\n");
}

fn write_loinc(bench: &Bench) {
    bench.write(
        "loinc/LoincTable/Loinc.csv",
        "\"LOINC_NUM\",\"COMPONENT\",\"PROPERTY\",\"SYSTEM\",\"CLASS\",\"VersionLastChanged\",\"DefinitionDescription\",\"STATUS\",\"SHORTNAME\",\"LONG_COMMON_NAME\"\n\
         \"90001-1\",\"Stuff, total\",\"MCnc\",\"Bld\",\"CHEM\",\"2.9\",\"How much \"\"stuff\"\" there is\",\"ACTIVE\",\"Stuff Bld\",\"Stuff in Blood\"\n\
         \"90002-2\",\"Stuff\",\"MCnc\",\"Ser\",\"CHEM\",\"2.80\",\"\",\"DEPRECATED\",\"\",\"Stuff in Serum\"\n",
    );
    bench.write(
        "loinc/Accessory/ComponentHierarchyBySystem.csv",
        "PATH_TO_ROOT,SEQUENCE,IMMEDIATE_PARENT,CODE,CODE_TEXT\n,1,,LP90001-1,Chemistry\nLP90001-1,1,LP90001-1,90001-1,Other text\n",
    );
    bench.write(
        "loinc/Accessory/AnswerList.csv",
        "AnswerListId,AnswerListName,AnswerStringId,DisplayText\nLL901-1,Answers,LA901-1,\"Yes, much\"\nLL901-1,Answers,LA902-2,No\n",
    );
}

fn import(bench: &Bench, arguments: &[&str]) -> Ran {
    bench.run("terminology", &[&["import"], arguments].concat())
}

/// The values of an answer's parameters by name; of parts, those joined.
fn told(serving: &Serving, path: &str) -> String {
    let answer = serving.get(path);
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let body: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{path}: {error}: {head} {body}"));
    let Some(parameters) = body["parameter"].as_array() else {
        return body["issue"][0]["diagnostics"].as_str().unwrap_or_default().to_owned();
    };
    let value = |part: &Value| {
        let (_, value) = part.as_object()?.iter().find(|(name, _)| name.starts_with("value"))?;
        Some(
            value
                .as_str()
                .map_or_else(|| value["code"].as_str().map_or(value.to_string(), str::to_owned), str::to_owned),
        )
    };
    let one = |parameter: &Value| match parameter["part"].as_array() {
        Some(parts) => parts.iter().filter_map(value).collect::<Vec<_>>().join("="),
        None => value(parameter).unwrap_or_default(),
    };
    parameters.iter().map(one).collect::<Vec<_>>().join("; ")
}

#[test]
fn imports_snomed_ct() {
    let bench = Bench::new();
    write_snomed(&bench, "20260101", "Thing");
    let ran = import(&bench, &["snomed-20260101"]);
    let version = "http://snomed.info/sct/900000000000207008/version/20260101";
    assert_eq!((ran.code, ran.out), (0, format!("imported 5 concepts of http://snomed.info/sct, version {version}\n")));
    let system = &bench.resources()["CodeSystem/snomed-ct"];
    assert_eq!((&system["content"], &system["count"], system.get("concept")), (&"not-present".into(), &5.into(), None));
    let serving = Serving::start(&bench, &[]);
    let lookup = "/fhir/CodeSystem/$lookup?system=http://snomed.info/sct&code=";
    let subsumes = "/fhir/CodeSystem/$subsumes?system=http://snomed.info/sct";
    let check = "/fhir/ValueSet/$validate-code?system=http://snomed.info/sct&url=http://snomed.info/sct?fhir_vs";
    for (path, expected) in [
        (
            format!("{lookup}10000002&property=parent"),
            format!("SNOMED CT; {version}; Scarlet thing; parent=10000001=Thing"),
        ),
        (
            format!("{lookup}10000002&property=inactive&property=sufficientlyDefined"),
            format!("SNOMED CT; {version}; Scarlet thing; inactive=false; sufficientlyDefined=true"),
        ),
        (
            format!("{lookup}10000003&property=child&property=10000009"),
            format!("SNOMED CT; {version}; Small red thing (thing); 10000009=10000005="),
        ),
        (
            format!("{lookup}10000004&property=inactive"),
            format!("SNOMED CT; {version}; Old thing (thing); inactive=true"),
        ),
        (
            format!("{lookup}10000005&property=refset-concept"),
            format!("SNOMED CT; {version}; 10000005; refset-concept=true"),
        ),
        (format!("{lookup}10000006"), "the code system `http://snomed.info/sct` has no code `10000006`".to_owned()),
        (format!("{subsumes}&codeA=10000001&codeB=10000003"), "subsumes".to_owned()),
        (format!("{subsumes}&codeA=10000003&codeB=10000001"), "subsumed-by".to_owned()),
        (format!("{subsumes}&codeA=10000005&codeB=10000001"), "not-subsumed".to_owned()),
        (format!("{check}&code=10000003"), "true; Small red thing (thing)".to_owned()),
        (format!("{check}=isa/10000002&code=10000003"), "true; Small red thing (thing)".to_owned()),
        (format!("{check}=refset/10000005&code=10000002"), "true; Scarlet thing".to_owned()),
        (format!("{check}=refset&code=10000005"), "true".to_owned()),
    ] {
        let found = told(&serving, &path);
        assert!(found.starts_with(expected.trim_end_matches('=')), "{path}: {found}");
    }
    for path in [
        format!("{check}&code=10000009"),
        format!("{check}=isa/10000002&code=10000001"),
        format!("{check}=refset/10000005&code=10000003"),
    ] {
        assert!(told(&serving, &path).starts_with("false; "), "{path}");
    }
}

#[test]
fn replaces_the_former_version() {
    let bench = Bench::new();
    write_snomed(&bench, "20260101", "Thing");
    write_snomed(&bench, "20260701", "Entity");
    for (date, thing) in [("20260101", "Thing"), ("20260701", "Entity"), ("20260101", "Thing")] {
        assert_eq!(import(&bench, &[&format!("snomed-{date}"), "--language", "900000000000508004"]).code, 0);
        let serving = Serving::start(&bench, &[]);
        let found = told(&serving, "/fhir/CodeSystem/$lookup?system=http://snomed.info/sct&code=10000001&property=x");
        assert_eq!(
            found,
            format!("SNOMED_CT; http://snomed.info/sct/900000000000207008/version/{date}; {thing}")
                .replace("SNOMED_CT", &found[..9])
        );
    }
    bench.write(
        "broken/sct2_Concept_Snapshot_INT_20270101.txt",
        "id\tactive\tmoduleId\tdefinitionStatusId\nx\t1\t1\t1\n",
    );
    assert_eq!(import(&bench, &["broken"]).code, 1);
    let serving = Serving::start(&bench, &[]);
    let found = told(&serving, "/fhir/CodeSystem/$lookup?system=http://snomed.info/sct&code=10000001&property=x");
    assert!(found.ends_with("20260101; Thing"), "{found}");
}

#[test]
fn imports_loinc() {
    let bench = Bench::new();
    write_loinc(&bench);
    let ran = import(&bench, &["loinc"]);
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (0, "imported 6 concepts of http://loinc.org, version 2.80\n"),
        "{}",
        ran.err
    );
    let serving = Serving::start(&bench, &[]);
    let lookup = "/fhir/CodeSystem/$lookup?system=http://loinc.org&code=";
    let check = "/fhir/ValueSet/$validate-code?system=http://loinc.org&url=http://loinc.org/vs";
    for (path, expected) in [
        (
            format!("{lookup}90001-1&property=COMPONENT&property=CLASS&property=definition"),
            "LOINC; 2.80; Stuff in Blood; definition=How much \"stuff\" there is; COMPONENT=Stuff, total; CLASS=CHEM",
        ),
        (
            format!("{lookup}90002-2&property=inactive&property=STATUS"),
            "LOINC; 2.80; Stuff in Serum; STATUS=DEPRECATED; inactive=true",
        ),
        (format!("{lookup}90001-1&property=parent"), "LOINC; 2.80; Stuff in Blood; parent=LP90001-1=Chemistry"),
        (format!("{lookup}la901-1&property=LIST"), "LOINC; 2.80; Yes, much; LIST=LL901-1=Answers"),
        (format!("{check}&code=90001-1"), "true; Stuff in Blood"),
        (format!("{check}/LL901-1&code=LA902-2"), "true; No"),
        (format!("{check}/LP90001-1&code=90001-1"), "true; Stuff in Blood"),
    ] {
        assert_eq!(told(&serving, &path), expected, "{path}");
    }
    assert!(told(&serving, &format!("{check}/LL901-1&code=90001-1")).starts_with("false; "));
}

#[test]
fn refuses_what_it_cannot_read() {
    let concepts = "id\teffectiveTime\tactive\tmoduleId\tdefinitionStatusId\n1\t1\t1\t1\t1\n";
    let loinc = "LOINC_NUM,LONG_COMMON_NAME,STATUS\n1-1,x,ACTIVE\n";
    for (files, arguments, expected) in [
        (
            vec![("a/x.txt", "x")],
            vec!["a"],
            "neither `sct2_Concept_*Snapshot*.txt` of a SNOMED CT release nor `Loinc.csv` is in `a`",
        ),
        (vec![], vec!["none"], "`none` cannot be read: "),
        (
            vec![("a/sct2_Concept_Snapshot_INT_20260101.txt", concepts)],
            vec!["a"],
            "their descriptions (`sct2_Description_*Snapshot*.txt`)",
        ),
        (
            vec![
                ("a/sct2_Concept_Snapshot_INT_20260101.txt", concepts),
                ("a/sct2_Description_Snapshot-en_INT_20260101.txt", "id\n"),
                ("a/sct2_Relationship_Snapshot_INT_20260101.txt", "id\n"),
            ],
            vec!["a"],
            "line 2: `1` is no identifier of SNOMED CT",
        ),
        (
            vec![
                ("a/sct2_Concept_Snapshot_GB1000000_20260101.txt", concepts),
                ("a/sct2_Description_Snapshot-en_GB1000000_20260101.txt", "id\n"),
                ("a/sct2_Relationship_Snapshot_GB1000000_20260101.txt", "id\n"),
            ],
            vec!["a"],
            "name what it is with --version",
        ),
        (vec![("a/Loinc.csv", loinc)], vec!["a"], "name it with --version, such as `2.81`"),
        (
            vec![("a/Loinc.csv", "LOINC_NUM,STATUS\n")],
            vec!["a", "--version", "2"],
            "there is no column `LONG_COMMON_NAME`, only LOINC_NUM, STATUS",
        ),
        (
            vec![("a/Loinc.csv", loinc), ("a/sct2_Concept_Snapshot_INT_20260101.txt", concepts)],
            vec!["a"],
            "import one after the other",
        ),
    ] {
        let bench = Bench::new();
        files.iter().for_each(|(name, content)| bench.write(name, content));
        let ran = import(&bench, &arguments);
        assert!(ran.code == 1 && ran.err.contains(expected), "{expected}: {ran:?}");
        assert!(bench.resources().is_empty(), "{expected}");
    }
}
