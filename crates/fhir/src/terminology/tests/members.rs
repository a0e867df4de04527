//! Membership by definition: what is in, what is not, and what cannot be said.

use super::*;

const SETS: [&str; 9] = [
    r#"{"resourceType":"ValueSet","url":"urn:v:pets","compose":{"include":[{"system":"urn:animals","concept":[
        {"code":"cat","display":"Pussy","designation":[{"language":"de","value":"Katze"}]},{"code":"fish"}]}]}}"#,
    r#"{"resourceType":"ValueSet","url":"urn:v:mammals","compose":{"include":[{"system":"urn:animals","filter":[{"property":"concept","op":"is-a","value":"mammal"}]}]}}"#,
    r#"{"resourceType":"ValueSet","url":"urn:v:others","compose":{"include":[{"system":"urn:animals"}],"exclude":[{"valueSet":["urn:v:mammals"]}]}}"#,
    r#"{"resourceType":"ValueSet","url":"urn:v:both","compose":{"include":[{"valueSet":["urn:v:pets","urn:v:mammals"]}]}}"#,
    r#"{"resourceType":"ValueSet","url":"urn:v:half","compose":{"include":[{"valueSet":["urn:v:pets"]},{"valueSet":["urn:v:none"]}]}}"#,
    r#"{"resourceType":"ValueSet","url":"urn:v:fragment","compose":{"include":[{"system":"urn:fragment"},{"system":"urn:unknown","filter":[{"property":"concept","op":"is-a","value":"q"}]}]}}"#,
    r#"{"resourceType":"ValueSet","url":"urn:v:rules","compose":{"include":[{"system":"http://unitsofmeasure.org"},{"system":"urn:ietf:bcp:13"},{"system":"urn:iso:std:iso:4217"}]}}"#,
    r#"{"resourceType":"ValueSet","url":"urn:v:active","compose":{"inactive":false,"include":[{"system":"urn:old"}]}}"#,
    r#"{"resourceType":"ValueSet","url":"urn:v:version","compose":{"include":[{"system":"urn:animals","version":"2","concept":[{"code":"cat"}]}]}}"#,
];

const OLD: &str = r#"{"resourceType":"CodeSystem","url":"urn:old","content":"complete","concept":[{"code":"now"},
    {"code":"gone","property":[{"code":"inactive","valueBoolean":true}]},{"code":"away","property":[{"code":"status","valueCode":"retired"}]}]}"#;

fn world() -> World {
    let resources: Vec<_> = [ANIMALS, PARTS, FRAGMENT, OLD].into_iter().chain(SETS).collect();
    World::new(&resources)
}

#[test]
fn says_what_is_a_member() {
    let world = world();
    // `-` stands for no system.
    for (value_set, system, code, expected) in [
        ("pets", "urn:animals", "cat", "in"),
        ("pets", "-", "cat", "in"),
        ("pets", "urn:other", "cat", "the value set `urn:v:pets` has no codes of `urn:other`, so not `cat`"),
        ("pets", "urn:animals", "bird", "the value set `urn:v:pets` does not have `bird` of `urn:animals`"),
        (
            "pets",
            "urn:animals",
            "unicorn",
            "the code system `urn:animals` has no code `unicorn`, so neither has the value set",
        ),
        ("pets", "-", "bird", "the value set `urn:v:pets` has no code `bird`"),
        ("mammals", "urn:animals", "whale", "in"),
        ("mammals", "urn:animals", "bird", "does not have `bird`"),
        ("others", "urn:animals", "bird", "in"),
        ("others", "urn:animals", "whale", "does not have `whale`"),
        ("both", "urn:animals", "cat", "in"),
        ("both", "urn:animals", "fish", "does not have `fish`"),
        ("half", "urn:animals", "cat", "in"),
        ("half", "urn:animals", "bird", "unknown: the value set `urn:v:none` is not known here"),
        ("half", "-", "bird", "unknown: the value set `urn:v:none` is not known here"),
        ("fragment", "urn:fragment", "x", "in"),
        (
            "fragment",
            "urn:fragment",
            "y",
            "unknown: the value set `urn:v:fragment` needs the code system `urn:fragment`, whose concepts are not all",
        ),
        (
            "fragment",
            "urn:unknown",
            "y",
            "unknown: the value set `urn:v:fragment` needs the code system `urn:unknown`, which is not known",
        ),
        ("fragment", "urn:third", "y", "has no codes of `urn:third`"),
        ("rules", "http://unitsofmeasure.org", "mg", "in"),
        ("rules", "http://unitsofmeasure.org", "mgg", "does not have `mgg`"),
        ("rules", "urn:ietf:bcp:13", "image/png", "in"),
        ("rules", "urn:iso:std:iso:4217", "GBP", "in"),
        ("rules", "urn:iso:std:iso:4217", "ABC", "has no code `ABC`"),
        ("rules", "-", "GBP", "in"),
        ("active", "urn:old", "now", "in"),
        ("active", "urn:old", "gone", "does not have `gone`"),
        ("active", "urn:old", "away", "does not have `away`"),
        ("none", "urn:old", "now", "unknown: not-found: the value set `urn:v:none` is not known here"),
    ] {
        let canonical = format!("urn:v:{value_set}");
        let coded = Coded { system: Some(system).filter(|system| *system != "-"), code, ..Coded::default() };
        let answer = match member(&world, Canonical::parse(&canonical), &coded) {
            Membership::In { .. } => "in".to_owned(),
            Membership::NotIn(reason) => reason,
            Membership::Unknown(reason) => format!("unknown: {reason}"),
        };
        assert!(
            answer.contains(expected) && (expected != "in" || answer == "in"),
            "{value_set} {system}|{code}: {answer}"
        );
    }
}

#[test]
fn checks_displays_and_versions() {
    let world = world();
    let check = |value_set: &str, version: Option<&'static str>, display: Option<&'static str>| {
        let coded = Coded { system: Some("urn:animals"), version, code: "cat", display };
        member(&world, Canonical::parse(value_set), &coded)
    };
    for display in ["A cat", "a  CAT", "Pussy", "katze"] {
        let expected = Membership::In { display: Some("Pussy".into()), wrong_display: None };
        assert_eq!(check("urn:v:pets", None, Some(display)), expected, "{display}");
    }
    let wrong = check("urn:v:pets", None, Some("A dog"));
    let Membership::In { wrong_display: Some(wrong), .. } = wrong else { panic!("{wrong:?}") };
    assert_eq!(wrong, "the display `A dog` of code `cat` is not one of its texts, expected `Pussy`");
    assert!(matches!(check("urn:v:version", Some("2"), None), Membership::In { .. }));
    assert!(matches!(check("urn:v:version", Some("1"), None), Membership::Unknown(_)));
    assert!(matches!(check("urn:v:pets", Some("1"), None), Membership::In { .. }));
}

#[test]
fn checks_concepts_with_several_codings() {
    let world = world();
    let members = Members::compile(&world, Canonical::parse("urn:v:fragment")).expect("known");
    let coded = |system, code| Coded { system: Some(system), code, ..Coded::default() };
    let (in_it, not, unknown) = (coded("urn:fragment", "x"), coded("urn:third", "y"), coded("urn:unknown", "z"));
    assert!(matches!(check_any(&members, [not, unknown, in_it]), Membership::In { .. }));
    assert!(matches!(check_any(&members, [not, unknown]), Membership::Unknown(_)));
    assert!(matches!(check_any(&members, [not]), Membership::NotIn(_)));
    assert!(matches!(check_any(&members, []), Membership::NotIn(_)));
}

#[test]
fn says_what_a_code_system_has() {
    let world = world();
    for (system, code, expected) in [
        ("urn:animals", "cat", "in"),
        ("urn:animals", "dog", "the code system `urn:animals` has no code `dog`"),
        ("urn:fragment", "y", "unknown: the code system `urn:fragment` is not known here as a whole"),
        ("urn:none", "y", "unknown: the code system `urn:none` is not known here"),
        ("http://unitsofmeasure.org", "mm[Hg]", "in"),
        ("http://unitsofmeasure.org", "mmHg", "the code system `http://unitsofmeasure.org` has no code `mmHg`"),
        ("urn:iso:std:iso:3166", "GB", "in"),
        ("urn:iso:std:iso:3166", "GBR", "unknown: the code system `urn:iso:std:iso:3166` is not known here as a whole"),
    ] {
        let answer = match code_in_system(&world, &Coded { system: Some(system), code, ..Coded::default() }) {
            Membership::In { .. } => "in".to_owned(),
            Membership::NotIn(reason) => reason,
            Membership::Unknown(reason) => format!("unknown: {reason}"),
        };
        assert_eq!(answer, expected, "{system}|{code}");
    }
    assert_eq!(
        lookup(&world, Canonical::parse("urn:animals"), "cat").expect("there").concept().and_then(Concept::display),
        Some("A cat")
    );
    assert!(lookup(&world, Canonical::parse("http://unitsofmeasure.org"), "mg").is_ok());
    for (system, code, expected) in [
        ("urn:animals", "dog", "not-found: the code system `urn:animals` has no code `dog`"),
        (
            "urn:fragment",
            "y",
            "not-found: the code system `urn:fragment` is here in part only, and the code `y` is not in that part",
        ),
        ("urn:none", "y", "not-found: the code system `urn:none` is not known here; load it as a CodeSystem"),
    ] {
        assert_eq!(lookup(&world, Canonical::parse(system), code).expect_err("refused").to_string(), expected);
    }
}

#[test]
fn compares_codes() {
    let world = world();
    for (a, b, expected) in [
        ("cat", "cat", "equivalent"),
        ("animal", "whale", "subsumes"),
        ("whale", "swimmer", "subsumed-by"),
        ("cat", "bird", "not-subsumed"),
    ] {
        let relation = subsumption(&world, Canonical::parse("urn:animals"), a, b).expect("known");
        assert_eq!(relation.code(), expected, "{a} {b}");
    }
}
