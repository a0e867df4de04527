//! What a code system says of its concepts, by any way it came.

use super::*;
use crate::json::Document;

const SYSTEM: &str = r#"{"resourceType":"CodeSystem","url":"urn:s","version":"2","name":"S","content":"complete","language":"en",
    "caseSensitive":false,"valueSet":"urn:s:all","property":[{"code":"gone","uri":"http://hl7.org/fhir/concept-properties#inactive","type":"boolean"}],
    "concept":[{"code":"Top","display":"The top","definition":"Above all","property":[{"code":"notSelectable","valueBoolean":true}],"concept":[
        {"code":"a","display":"An a","designation":[{"language":"de-CH","value":"Ein a"},
            {"language":"de","use":{"system":"urn:u","code":"long"},"value":"Das a"}],
         "property":[{"code":"weight","valueDecimal":1.50},{"code":"like","valueCoding":{"system":"urn:o","code":"o","display":"O"}}]},
        {"code":"b","property":[{"code":"gone","valueBoolean":true},{"code":"parent","valueCode":"a"}]}]}]}"#;

fn system(text: &str) -> CodeSystem {
    CodeSystem::new(Document::parse(text.as_bytes()).expect("well formed").root())
}

/// All that is said of a concept, as text.
fn shown(concept: Concept<'_>) -> String {
    let properties: Vec<_> = concept.properties().map(|(name, value)| format!("{name}={}", value.text())).collect();
    let designations: Vec<_> = concept
        .designations()
        .map(|other| {
            let usage = other.usage.map_or("", |usage| usage.code);
            format!("{}/{usage}={}", other.language.unwrap_or_default(), other.value)
        })
        .collect();
    let parents: Vec<_> = concept.parents().map(Concept::code).collect();
    let flags = [(concept.is_abstract(), "abstract"), (concept.is_inactive(), "inactive")];
    let flags: Vec<_> = flags.into_iter().filter(|(is, _)| *is).map(|(_, name)| name).collect();
    format!(
        "{} `{}` `{}` [{}] [{}] [{}] {}",
        concept.code(),
        concept.display().unwrap_or_default(),
        concept.definition().unwrap_or_default(),
        properties.join(" "),
        designations.join(" "),
        parents.join(" "),
        flags.join(" ")
    )
}

const SHOWN: [&str; 3] = [
    "Top `The top` `Above all` [notSelectable=true] [] [] abstract",
    "a `An a` `` [weight=1.50 like=o] [de-CH/=Ein a de/long=Das a] [Top] ",
    "b `` `` [gone=true parent=a] [] [Top a] inactive",
];

#[test]
fn reads_a_resource() {
    let system = system(SYSTEM);
    assert_eq!(system.concepts().map(shown).collect::<Vec<_>>(), SHOWN);
    assert_eq!(system.find("TOP").map(Concept::code), Some("Top"));
    assert!(system.find("c").is_none());
    let a = system.find("a").expect("there");
    for (language, expected) in
        [("de", "Ein a"), ("de-CH", "Ein a"), ("de-AT", "An a"), ("en", "An a"), ("fr", "An a"), ("d", "An a")]
    {
        assert_eq!(a.display_in(language), Some(expected), "{language}");
    }
    let like = a.properties().find(|(name, _)| *name == "like").map(|(_, value)| value);
    let coding = Coded { system: Some("urn:o"), version: None, code: "o", display: Some("O") };
    assert_eq!(like, Some(PropertyValue::Coding(coding)));
}

#[test]
fn keeps_as_bytes() {
    let system = system(SYSTEM);
    let bytes = system.to_bytes();
    let kept = CodeSystem::from_bytes(&bytes).expect("as written");
    assert_eq!((kept.header(), kept.declared()), (system.header(), system.declared()));
    assert_eq!(kept.concepts().map(shown).collect::<Vec<_>>(), SHOWN);
    assert_eq!(kept.to_bytes(), bytes);
    for cut in 0..bytes.len() {
        assert!(CodeSystem::from_bytes(&bytes[..cut]).is_none(), "cut at {cut}");
    }
    // Whatever else the bytes are, nothing is out of place.
    for at in 0..bytes.len() {
        let mut spoiled = bytes.clone();
        spoiled[at] ^= 0x41;
        if let Some(system) = CodeSystem::from_bytes(&spoiled) {
            system.concepts().for_each(|concept| drop(shown(concept)));
        }
    }
}

#[test]
fn takes_what_supplements_say() {
    let supplement = system(
        r#"{"resourceType":"CodeSystem","url":"urn:more","content":"supplement","supplements":"urn:s","language":"fr","concept":[
            {"code":"A","display":"Un a","property":[{"code":"color","valueString":"red"}]},{"code":"new"}]}"#,
    );
    let whole = system(SYSTEM).supplemented([&supplement]).expect("small");
    assert_eq!(whole.count(), 3);
    assert_eq!(
        whole.find("a").map(shown).as_deref(),
        Some("a `An a` `` [weight=1.50 like=o color=red] [de-CH/=Ein a de/long=Das a fr/=Un a] [Top] ")
    );
    assert_eq!(whole.find("b").map(shown).as_deref(), Some(SHOWN[2]));
}

#[test]
fn builds_in_any_order() {
    let header = Header { url: "urn:s".into(), is_case_sensitive: true, ..Header::default() };
    let mut builder = Builder::new(header);
    let child = builder.concept("child");
    builder.property(child, "inactive", PropertyValue::Boolean(true));
    let parent = builder.concept("parent");
    builder.put_below(child, parent);
    builder.put_below(parent, child);
    builder.put_below(child, 77);
    builder.display(parent, "Parent");
    builder.designation(child, Designation { language: Some("en"), value: "Child", ..Designation::default() });
    assert_eq!(builder.concept("parent"), parent);
    let system = builder.build().expect("small");
    assert_eq!(
        system.concepts().map(shown).collect::<Vec<_>>(),
        ["child `` `` [inactive=true] [en/=Child] [] inactive", "parent `Parent` `` [] [] [child] ",]
    );
}

/// A hierarchy as large as a clinical terminology's: every concept below one or two that came before.
#[test]
fn compares_concepts_of_a_large_hierarchy() {
    const COUNT: u32 = 350_000;
    let mut builder = Builder::new(Header { url: "urn:large".into(), is_case_sensitive: true, ..Header::default() });
    let mut random = 7u64;
    let mut below = |limit: u32| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as u32 % limit
    };
    let mut parents = vec![Vec::new()];
    builder.concept("100000");
    for at in 1..COUNT {
        assert_eq!(builder.concept(&(100_000 + at).to_string()), at);
        // About as deep and as narrow as SNOMED CT: parents are looked for around a twentieth of the position.
        let near = |below: &mut dyn FnMut(u32) -> u32| (at / 20 + below(at / 20 + 1)).min(at - 1);
        let mut above = vec![near(&mut below)];
        if below(3) == 0 {
            above.push(near(&mut below));
        }
        above.iter().for_each(|parent| builder.put_below(at, *parent));
        parents.push(above);
    }
    let start = std::time::Instant::now();
    let system = builder.build().expect("within bounds");
    let built = start.elapsed();
    let walked = |at: u32| {
        let mut found = std::collections::BTreeSet::new();
        let mut stack = vec![at];
        while let Some(at) = stack.pop() {
            stack.extend(parents[at as usize].iter().filter(|parent| found.insert(**parent)));
        }
        found
    };
    for at in (0..COUNT).step_by(9973) {
        let expected = walked(at);
        assert_eq!(system.ancestors(at).into_iter().collect::<std::collections::BTreeSet<_>>(), expected);
        for other in expected.iter().copied().chain((0..20).map(|_| below(COUNT))) {
            assert_eq!(system.is_below(at, other), expected.contains(&other), "{at} below {other}");
        }
    }
    for at in [1, 30, 400, 5000] {
        let below: std::collections::BTreeSet<_> = system.descendants(at).into_iter().collect();
        let parents_of = |at: &u32| &parents[*at as usize];
        let mut expected = std::collections::BTreeSet::new();
        for low in at + 1..COUNT {
            if parents_of(&low).iter().any(|parent| *parent == at || expected.contains(parent)) {
                expected.insert(low);
            }
        }
        assert_eq!(system.count_descendants(at), below.len(), "{at}");
        assert_eq!(below, expected, "{at}");
    }
    let pairs: Vec<_> = (0..20_000)
        .map(|_| (100_000 + below(COUNT), 100_000 + below(2000)))
        .map(|(low, high)| (low.to_string(), high.to_string()))
        .collect();
    let start = std::time::Instant::now();
    let found = pairs.iter().filter(|(low, high)| {
        let position = |code: &str| system.position(code);
        position(low).zip(position(high)).is_some_and(|(low, high)| system.is_below(low, high))
    });
    let found = found.count();
    println!(
        "{COUNT} concepts built in {built:?}; {} comparisons by code in {:?}, {found} below",
        pairs.len(),
        start.elapsed()
    );
    println!("{} bytes", system.to_bytes().len());
}
