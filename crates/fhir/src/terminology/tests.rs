//! Expansions and hierarchies over a small world of definitions.

use std::sync::Arc;

use super::*;
use crate::json::Document;
use crate::published::Published;

struct World {
    systems: Vec<CodeSystem>,
    value_sets: Vec<ValueSet>,
}

impl World {
    fn new(resources: &[&str]) -> World {
        let mut world = World { systems: Vec::new(), value_sets: Vec::new() };
        for text in resources {
            let document = Document::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error:?} in {text}"));
            match document.root().resource_type() {
                Some("CodeSystem") => world.systems.push(CodeSystem::new(document.root())),
                _ => world.value_sets.push(ValueSet::new(document.root())),
            }
        }
        world
    }
}

impl Source for World {
    fn code_system(&self, canonical: Canonical<'_>) -> Result<Option<Arc<CodeSystem>>, Outcome> {
        let fits = |known: &&CodeSystem| known.url() == canonical.url && canonical.takes(known.version());
        match self.systems.iter().find(fits) {
            Some(known) => Ok(Some(Arc::new(known.clone()))),
            None => Published.code_system(canonical),
        }
    }

    fn value_set(&self, canonical: Canonical<'_>) -> Result<Option<Arc<ValueSet>>, Outcome> {
        let fits = |known: &&ValueSet| known.url == canonical.url && canonical.takes(known.version.as_deref());
        match self.value_sets.iter().find(fits) {
            Some(known) => Ok(Some(Arc::new(known.clone()))),
            None => Published.value_set(canonical),
        }
    }
}

const ANIMALS: &str = r#"{"resourceType":"CodeSystem","url":"urn:animals","version":"2","content":"complete","hierarchyMeaning":"is-a",
    "property":[{"code":"also","uri":"http://hl7.org/fhir/concept-properties#parent","type":"code"}],"concept":[
    {"code":"animal","concept":[
        {"code":"mammal","property":[{"code":"warm","valueBoolean":true}],"concept":[
            {"code":"cat","display":"A cat","property":[{"code":"legs","valueInteger":4}]},{"code":"whale","property":[{"code":"also","valueCode":"swimmer"}]}]},
        {"code":"bird","property":[{"code":"legs","valueInteger":2},{"code":"warm","valueBoolean":true}]}]},
    {"code":"swimmer","property":[{"code":"child","valueCode":"fish"}]},
    {"code":"fish","property":[{"code":"subsumedBy","valueCode":"animal"}]}]}"#;

/// Parts, not kinds; and a circle.
const PARTS: &str = r#"{"resourceType":"CodeSystem","url":"urn:parts","content":"complete","caseSensitive":false,"hierarchyMeaning":"part-of","concept":[
    {"code":"Leg","concept":[{"code":"Foot"}]},{"code":"a","property":[{"code":"parent","valueCode":"b"}]},
    {"code":"b","property":[{"code":"parent","valueCode":"A"}]}]}"#;

const FRAGMENT: &str =
    r#"{"resourceType":"CodeSystem","url":"urn:fragment","content":"fragment","concept":[{"code":"x"}]}"#;

fn value_set(name: &str, compose: &str) -> String {
    format!(r#"{{"resourceType":"ValueSet","url":"urn:v:{name}","compose":{compose}}}"#)
}

fn filtered(property: &str, operator: &str, value: &str) -> String {
    format!(
        r#"{{"include":[{{"system":"urn:animals","filter":[{{"property":"{property}","op":"{operator}","value":"{value}"}}]}}]}}"#
    )
}

/// The codes as text: `system|*` for a whole system, `code` for one of the animals, `system|code` for others.
fn shown(codes: &Codes) -> String {
    let whole = codes.systems.iter().map(|system| format!("{system}|*"));
    let each = codes.codes.iter().flat_map(|(system, codes)| codes.iter().map(move |code| (system, code)));
    let each = each.map(|(system, code)| match system.as_str() {
        "urn:animals" => code.clone(),
        system => format!("{system}|{code}"),
    });
    whole.chain(each).collect::<Vec<_>>().join(" ")
}

fn expanded(compose: &str) -> Result<String, String> {
    let sets = [
        value_set("asked", compose),
        value_set("mammals", &filtered("concept", "is-a", "mammal")),
        value_set("circle", r#"{"include":[{"valueSet":["urn:v:round"]}]}"#),
        value_set("round", r#"{"include":[{"valueSet":["urn:v:circle"]}]}"#),
        r#"{"resourceType":"ValueSet","url":"urn:v:given","compose":{"include":[{"system":"urn:unknown","filter":[{"property":"concept","op":"is-a","value":"x"}]}]},
            "expansion":{"total":2,"contains":[{"system":"urn:u","code":"1","contains":[{"system":"urn:u","code":"2"}]}]}}"#.to_owned(),
        r#"{"resourceType":"ValueSet","url":"urn:v:page","compose":{"include":[{"system":"urn:unknown","filter":[{"property":"concept","op":"is-a","value":"x"}]}]},
            "expansion":{"total":9,"contains":[{"system":"urn:u","code":"1"}]}}"#.to_owned(),
    ];
    let resources: Vec<_> = [ANIMALS, PARTS, FRAGMENT].into_iter().chain(sets.iter().map(String::as_str)).collect();
    let codes = expand(&World::new(&resources), Canonical::parse("urn:v:asked"));
    codes.map(|codes| shown(&codes)).map_err(|outcome| outcome.to_string())
}

#[test]
fn expands_what_is_composed() {
    let gender = r#"{"include":[{"valueSet":["http://hl7.org/fhir/ValueSet/administrative-gender|4.0.1"]}]}"#;
    let cases = [
        (r#"{"include":[{"system":"urn:a","concept":[{"code":"2"},{"code":"1"}]}]}"#, "urn:a|1 urn:a|2"),
        (r#"{"include":[{"system":"urn:a"},{"system":"urn:a","concept":[{"code":"1"}]}]}"#, "urn:a|*"),
        (r#"{"include":[{"valueSet":["urn:v:mammals"]}]}"#, "cat mammal whale"),
        (r#"{"include":[{"system":"urn:animals","valueSet":["urn:v:mammals"]}]}"#, "cat mammal whale"),
        (
            r#"{"include":[{"system":"urn:animals","concept":[{"code":"cat"},{"code":"fish"}],"valueSet":["urn:v:mammals"]}]}"#,
            "cat",
        ),
        (r#"{"include":[{"system":"urn:other","valueSet":["urn:v:mammals"]}]}"#, ""),
        (
            r#"{"include":[{"valueSet":["urn:v:mammals"]}],"exclude":[{"system":"urn:animals","concept":[{"code":"cat"}]}]}"#,
            "mammal whale",
        ),
        (
            r#"{"include":[{"system":"urn:animals"}],"exclude":[{"valueSet":["urn:v:mammals"]}]}"#,
            "animal bird fish swimmer",
        ),
        (r#"{"include":[{"valueSet":["urn:v:mammals"]}],"exclude":[{"system":"urn:animals"}]}"#, ""),
        (r#"{"include":[{"system":"urn:unknown"}],"exclude":[{"system":"urn:unknown"}]}"#, ""),
        (r#"{"include":[{"valueSet":["urn:v:given"]}]}"#, "urn:u|1 urn:u|2"),
        (gender, "http://hl7.org/fhir/administrative-gender|*"),
        ("{}", ""),
    ];
    for (compose, expected) in cases {
        assert_eq!(expanded(compose).as_deref(), Ok(expected), "{compose}");
    }
}

#[test]
fn filters_by_every_operator() {
    let cases = [
        (("concept", "is-a", "mammal"), "cat mammal whale"),
        (("concept", "is-a", "swimmer"), "fish swimmer whale"),
        (("concept", "descendent-of", "mammal"), "cat whale"),
        (("concept", "is-not-a", "mammal"), "animal bird fish swimmer"),
        (("concept", "generalizes", "whale"), "animal mammal swimmer whale"),
        (("legs", "=", "4"), "cat"),
        (("warm", "=", "true"), "bird mammal"),
        (("code", "=", "cat"), "cat"),
        (("display", "=", "A cat"), "cat"),
        (("parent", "=", "mammal"), "cat whale"),
        (("child", "exists", "true"), "animal mammal swimmer"),
        (("legs", "in", "2, 4"), "bird cat"),
        (("concept", "not-in", "cat,whale,bird,animal"), "fish mammal swimmer"),
        (("legs", "exists", "true"), "bird cat"),
        (("legs", "exists", "false"), "animal fish mammal swimmer whale"),
        (("code", "regex", "[cf].*"), "cat fish"),
        (("code", "regex", "a"), ""),
    ];
    for ((property, operator, value), expected) in cases {
        let compose = filtered(property, operator, value);
        assert_eq!(expanded(&compose).as_deref(), Ok(expected), "{compose}");
    }
}

#[test]
fn refuses_what_it_cannot_expand() {
    let many: Vec<_> = (0..=CODES_MAX).map(|code| format!(r#"{{"code":"{code}"}}"#)).collect();
    let many =
        |count: usize| format!(r#"{{"include":[{{"system":"urn:a","concept":[{}]}}]}}"#, many[..count].join(","));
    assert!(expanded(&many(CODES_MAX)).is_ok());
    let cases = [
        (many(CODES_MAX + 1), "too-costly: the value set `urn:v:asked` has more than 10000 codes"),
        (r#"{"include":[{"valueSet":["urn:v:circle"]}]}"#.into(), "the value set `urn:v:circle` is built of itself"),
        (r#"{"include":[{"valueSet":["urn:v:none|7"]}]}"#.into(), "not-found: the value set `urn:v:none|7` is not known here"),
        (r#"{"include":[{"valueSet":["urn:v:page"]}]}"#.into(), "the value set `urn:v:page` needs the code system `urn:unknown`, which is not known"),
        (
            r#"{"include":[{"system":"urn:unknown"}],"exclude":[{"system":"urn:unknown","concept":[{"code":"1"}]}]}"#.into(),
            "needs the code system `urn:unknown`",
        ),
        (
            r#"{"include":[{"system":"urn:fragment","filter":[{"property":"concept","op":"is-a","value":"x"}]}]}"#.into(),
            "the code system `urn:fragment`, whose concepts are not all known here",
        ),
        (
            r#"{"include":[{"system":"urn:animals","version":"1","filter":[{"property":"concept","op":"is-a","value":"cat"}]}]}"#.into(),
            "needs the code system `urn:animals`",
        ),
        (filtered("concept", "is-a", "dog"), "the code system `urn:animals` has no code `dog`"),
        (filtered("concept", "resembles", "dog"), "has a filter on `concept` with an operator that R4 does not have"),
        (filtered("legs", "is-a", "4"), "has a filter on `legs` that asks for a hierarchy"),
        (filtered("code", "regex", "["), "whose regular expression cannot be used"),
    ];
    for (compose, expected) in cases {
        let refused = expanded(&compose).expect_err(expected);
        assert!(refused.contains(expected), "{refused}");
    }
}

#[test]
fn bounds_nesting() {
    let chain = |length: usize| {
        let link =
            |at: usize| value_set(&at.to_string(), &format!(r#"{{"include":[{{"valueSet":["urn:v:{}"]}}]}}"#, at + 1));
        let mut sets: Vec<_> = (1..length).map(link).collect();
        sets.push(value_set(&length.to_string(), r#"{"include":[{"system":"urn:a"}]}"#));
        let world = World::new(&sets.iter().map(String::as_str).collect::<Vec<_>>());
        expand(&world, Canonical::parse("urn:v:1")).map(|codes| shown(&codes)).map_err(|outcome| outcome.to_string())
    };
    assert_eq!(chain(NESTING_MAX).as_deref(), Ok("urn:a|*"));
    let refused = chain(NESTING_MAX + 1).expect_err("too deep");
    assert!(refused.contains("too-costly: the value set `urn:v:1` is built of"), "{refused}");
}

#[test]
fn walks_hierarchies() {
    let world = World::new(&[ANIMALS, PARTS]);
    let cases = [
        ("urn:animals", "mammal", "mammal cat whale", "mammal animal"),
        ("urn:animals", "fish", "fish", "fish animal swimmer"),
        ("urn:animals|2", "cat", "cat", "cat mammal animal"),
        ("urn:parts", "leg", "Leg", "Leg"),
        // The link that would close the circle is left out.
        ("urn:parts", "A", "a b", "a"),
    ];
    for (system, code, below, above) in cases {
        let sorted = |mut codes: Vec<String>, text: &str| {
            let mut expected: Vec<_> = text.split(' ').collect();
            expected.sort_unstable();
            codes.sort_unstable();
            assert_eq!(codes, expected, "{system}|{code}");
        };
        sorted(descendants(&world, system, code).expect("known"), below);
        sorted(ancestors(&world, system, code).expect("known"), above);
    }
    assert_eq!(subsumes(&world, "urn:animals", "animal", "whale"), Ok(true));
    assert_eq!(subsumes(&world, "urn:animals", "cat", "cat"), Ok(true));
    assert_eq!(subsumes(&world, "urn:animals", "cat", "mammal"), Ok(false));
    for (system, code, expected) in [
        ("urn:none", "x", "the code system `urn:none` is not known here"),
        ("urn:animals|3", "cat", "the code system `urn:animals|3` is not known here"),
        ("urn:animals", "dog", "the code system `urn:animals` has no code `dog`"),
    ] {
        let refused = descendants(&world, system, code).expect_err("refused").to_string();
        assert!(refused.contains(expected), "{refused}");
    }
}

mod listing;
mod members;
mod oracle;
