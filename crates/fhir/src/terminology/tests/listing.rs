//! Expansions for people: order, texts, pages.

use super::*;

const WORDS: &str = r#"{"resourceType":"CodeSystem","url":"urn:words","version":"3","content":"complete","language":"en","concept":[
    {"code":"all","display":"All things","property":[{"code":"notSelectable","valueBoolean":true}],"concept":[
        {"code":"red","display":"Red thing","designation":[{"language":"de","value":"Rotes Ding"},{"language":"fr","use":{"system":"urn:use","code":"long"},"value":"Chose rouge"}],
         "concept":[{"code":"rose","display":"Rose"}]},
        {"code":"blue","display":"Blue thing","property":[{"code":"inactive","valueBoolean":true}]}]}]}"#;

const MORE: &str = r#"{"resourceType":"CodeSystem","url":"urn:words:es","content":"supplement","supplements":"urn:words","concept":[
    {"code":"rose","designation":[{"language":"es","value":"Rosa"}]}]}"#;

const SETS: [&str; 4] = [
    r#"{"resourceType":"ValueSet","url":"urn:v:words","compose":{"include":[{"system":"urn:words"}]}}"#,
    r#"{"resourceType":"ValueSet","url":"urn:v:some","compose":{"include":[
        {"system":"urn:words","concept":[{"code":"rose","display":"A rose","designation":[{"language":"de","value":"Eine Rose"}]},{"code":"red"}]},
        {"system":"urn:words","filter":[{"property":"concept","op":"is-a","value":"red"}]},{"system":"urn:elsewhere","concept":[{"code":"x","display":"X"}]}]}}"#,
    r#"{"resourceType":"ValueSet","url":"urn:v:part","compose":{"include":[{"system":"urn:fragment"}]}}"#,
    r#"{"resourceType":"ValueSet","url":"urn:v:old","compose":{"include":[{"system":"urn:words","version":"2"}]}}"#,
];

fn world() -> World {
    let resources: Vec<_> = [WORDS, MORE, FRAGMENT].into_iter().chain(SETS).collect();
    World::new(&resources)
}

fn listed(name: &str, versions: &Versions, request: &ExpansionRequest) -> Result<String, String> {
    let world = world();
    let value_set = world.value_set(Canonical::parse(name)).expect("no I/O").expect("there");
    let members = Members::of(&world, &value_set, versions).map_err(|outcome| outcome.to_string())?;
    let expansion = members.expansion(request).map_err(|outcome| outcome.to_string())?;
    let shown = expansion.contains.iter().map(|code| {
        let flags = [(code.is_abstract, "!"), (code.is_inactive, "?")];
        let flags: String = flags.into_iter().filter(|(is, _)| *is).map(|(_, flag)| flag).collect();
        let others: String = code.designations.iter().map(|other| format!("={}", other.value)).collect();
        format!("{}{}{flags} `{}`{others}", ">".repeat(code.depth), code.code, code.display.unwrap_or_default())
    });
    let shown = shown.collect::<Vec<_>>().join(" ");
    let unclosed = if expansion.is_unclosed { " unclosed" } else { "" };
    Ok(format!("{}/{}{unclosed}: {shown}", expansion.offset, expansion.total))
}

#[test]
fn lists_what_is_asked_for() {
    let plain = ExpansionRequest::default;
    let text = |text: &str| Some(text.to_owned());
    for (name, request, expected) in [
        ("words", plain(), "0/4: all! `All things` red `Red thing` rose `Rose` blue? `Blue thing`"),
        (
            "words",
            ExpansionRequest { nested: true, ..plain() },
            "0/4: all! `All things` >red `Red thing` >>rose `Rose` >blue? `Blue thing`",
        ),
        (
            "words",
            ExpansionRequest { nested: true, exclude_not_for_ui: true, ..plain() },
            "0/3: red `Red thing` >rose `Rose` blue? `Blue thing`",
        ),
        (
            "words",
            ExpansionRequest { active_only: true, ..plain() },
            "0/3: all! `All things` red `Red thing` rose `Rose`",
        ),
        ("words", ExpansionRequest { offset: 1, count: Some(2), ..plain() }, "1/4: red `Red thing` rose `Rose`"),
        ("words", ExpansionRequest { offset: 9, count: Some(2), ..plain() }, "4/4: "),
        ("words", ExpansionRequest { count: Some(0), ..plain() }, "0/4: "),
        ("words", ExpansionRequest { filter: text("THING re"), ..plain() }, "0/1: red `Red thing`"),
        ("words", ExpansionRequest { filter: text("rouge"), ..plain() }, "0/1: red `Red thing`"),
        ("words", ExpansionRequest { filter: text("green"), ..plain() }, "0/0: "),
        (
            "words",
            ExpansionRequest { display_language: text("de"), filter: text("r"), ..plain() },
            "0/2: red `Rotes Ding` rose `Rose`",
        ),
        (
            "words",
            ExpansionRequest { include_designations: true, count: Some(2), ..plain() },
            "0/4: all! `All things` red `Red thing`=Rotes Ding=Chose rouge",
        ),
        (
            "words",
            ExpansionRequest {
                include_designations: true,
                designations: vec!["urn:use|long".into()],
                count: Some(2),
                ..plain()
            },
            "0/4: all! `All things` red `Red thing`=Chose rouge",
        ),
        (
            "words",
            ExpansionRequest {
                include_designations: true,
                designations: vec!["urn:ietf:bcp:47|de".into()],
                count: Some(2),
                ..plain()
            },
            "0/4: all! `All things` red `Red thing`=Rotes Ding",
        ),
        ("some", plain(), "0/3: rose `A rose` red `Red thing` x `X`"),
        (
            "some",
            ExpansionRequest { display_language: text("de"), ..plain() },
            "0/3: rose `Eine Rose` red `Rotes Ding` x `X`",
        ),
        (
            "some",
            ExpansionRequest { exclude_systems: vec!["urn:elsewhere".into()], ..plain() },
            "0/2: rose `A rose` red `Red thing`",
        ),
        (
            "some",
            ExpansionRequest { exclude_systems: vec!["urn:words|2".into()], ..plain() },
            "0/3: rose `A rose` red `Red thing` x `X`",
        ),
        ("some", ExpansionRequest { exclude_systems: vec!["urn:words|3".into()], ..plain() }, "0/1: x `X`"),
        ("part", plain(), "0/1 unclosed: x ``"),
    ] {
        let name = format!("urn:v:{name}");
        assert_eq!(listed(&name, &Versions::default(), &request).as_deref(), Ok(expected), "{name} {request:?}");
    }
}

#[test]
fn uses_the_versions_and_supplements_asked_for() {
    let one = |canonical: &str| vec![canonical.to_owned()];
    let all = "0/4: all! `All things` red `Red thing` rose `Rose` blue? `Blue thing`";
    for (name, versions, expected) in [
        ("old", Versions::default(), Err("needs the code system `urn:words`, which is not known here")),
        ("old", Versions { force: one("urn:words|3"), ..Versions::default() }, Ok(all)),
        ("old", Versions { system: one("urn:words|3"), ..Versions::default() }, Err("is not known here")),
        (
            "old",
            Versions { check: one("urn:words|3"), ..Versions::default() },
            Err("uses version `2` of `urn:words`, not `3`"),
        ),
        ("words", Versions { check: one("urn:words|3"), ..Versions::default() }, Ok(all)),
        ("words", Versions { system: one("urn:words|2"), ..Versions::default() }, Err("is not known here")),
    ] {
        let found = listed(&format!("urn:v:{name}"), &versions, &ExpansionRequest::default());
        match expected {
            Ok(expected) => assert_eq!(found.as_deref(), Ok(expected), "{name} {versions:?}"),
            Err(expected) => {
                let refused = found.expect_err(expected);
                assert!(refused.contains(expected), "{refused}");
            }
        }
    }
    let spanish = ExpansionRequest {
        display_language: Some("es".into()),
        filter: Some("ros".into()),
        ..ExpansionRequest::default()
    };
    let with = Versions { supplements: one("urn:words:es"), ..Versions::default() };
    assert_eq!(listed("urn:v:words", &with, &spanish).as_deref(), Ok("0/1: rose `Rosa`"));
    assert_eq!(listed("urn:v:words", &Versions::default(), &spanish).as_deref(), Ok("0/1: rose `Rose`"));
}

#[test]
fn bounds_what_one_answer_has() {
    let concepts: Vec<_> = (0..=PAGE_MAX).map(|code| format!(r#"{{"code":"{code}"}}"#)).collect();
    let system = format!(
        r#"{{"resourceType":"CodeSystem","url":"urn:many","content":"complete","concept":[{}]}}"#,
        concepts.join(",")
    );
    let set = r#"{"resourceType":"ValueSet","url":"urn:v:many","compose":{"include":[{"system":"urn:many"}]}}"#;
    let world = World::new(&[&system, set]);
    let members = Members::compile(&world, Canonical::parse("urn:v:many")).expect("known");
    let refused = members.expansion(&ExpansionRequest::default()).expect_err("too many").to_string();
    assert!(
        refused.contains("too-costly: the value set `urn:v:many` has 10001 codes, and one answer at most 10000"),
        "{refused}"
    );
    let page =
        members.expansion(&ExpansionRequest { count: Some(PAGE_MAX), ..ExpansionRequest::default() }).expect("a page");
    assert_eq!((page.total, page.contains.len()), (PAGE_MAX + 1, PAGE_MAX));
}
