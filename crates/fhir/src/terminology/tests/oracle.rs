//! The expansions that HL7 published of R4's value sets (npm `hl7.fhir.r4.expansions`), where they are present: `FLINT_R4_EXPANSIONS`
//! names their directory.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// The code systems of which R4 publishes no concepts: their expansions were made with what is not here.
const ELSEWHERE: &[&str] =
    &["http://snomed.info/sct", "http://loinc.org", "http://www.nlm.nih.gov/research/umls/rxnorm"];

#[test]
fn expands_as_published() {
    let Some(directory) = std::env::var_os("FLINT_R4_EXPANSIONS") else {
        println!("no case ran: FLINT_R4_EXPANSIONS is not set");
        return;
    };
    let mut files: Vec<_> =
        std::fs::read_dir(directory).expect("a directory").filter_map(|file| Some(file.ok()?.path())).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let (mut members, mut wrong) = (0, 0);
    for file in files {
        let document = Document::parse(&std::fs::read(&file).expect("readable")).expect("JSON");
        let root = document.root();
        if root.resource_type() != Some("ValueSet") {
            continue;
        }
        let value_set = ValueSet::new(root);
        let expected: BTreeSet<(String, String)> = value_set
            .expansion
            .iter()
            .flatten()
            .flat_map(|part| {
                part.concepts.iter().map(|listed| (part.system.clone().unwrap_or_default(), listed.code.clone()))
            })
            .collect();
        let name = &value_set.url;
        let definition = ValueSet { expansion: None, ..value_set.clone() };
        let compiled = Members::of(&Published, &definition, &Versions::default()).expect("well made");
        for (system, code) in &expected {
            members += 1;
            let coded = Coded { system: Some(system), code, ..Coded::default() };
            if let Membership::NotIn(reason) = compiled.check(&coded) {
                wrong += 1;
                println!("{name}: {reason}");
            }
        }
        let reason = match compiled
            .expansion(&ExpansionRequest { count: Some(PAGE_MAX), ..ExpansionRequest::default() })
        {
            Err(outcome) => {
                let systems = compiled.systems();
                match systems.iter().find(|system| ELSEWHERE.contains(system)) {
                    Some(system) => ELSEWHERE.iter().find(|known| *known == system).copied().unwrap_or_default(),
                    None => {
                        println!("{name}: {outcome}");
                        "refused"
                    }
                }
            }
            Ok(found) => {
                let all: BTreeSet<_> = found.contains.iter().map(place).collect();
                let usual: BTreeSet<_> = found.contains.iter().filter(|code| !is_left_out(code)).map(place).collect();
                if all != expected && usual.is_subset(&expected) && expected.is_subset(&all) {
                    reasons.entry("equal but for abstract and deprecated codes").or_default().push(name.clone());
                    continue;
                }
                let found = all;
                let (more, less) = (found.difference(&expected).count(), expected.difference(&found).count());
                if more + less > 0 {
                    let examples: Vec<_> = found.symmetric_difference(&expected).take(3).collect();
                    println!(
                        "{name}: {} of {} expected, {more} more, {less} less: {examples:?}",
                        found.len(),
                        expected.len()
                    );
                    "differs"
                } else {
                    "equal"
                }
            }
        };
        reasons.entry(reason).or_default().push(name.clone());
    }
    let counts: Vec<_> = reasons.iter().map(|(reason, names)| format!("{reason}: {}", names.len())).collect();
    println!("{}; of {members} codes {wrong} are said not to belong", counts.join(", "));
}

/// UK Core's value sets with its code systems, where they are present beside the workspace.
#[test]
fn expands_value_sets_of_uk_core() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/nhs/uk-core");
    let read = |kind: &str| -> Vec<String> {
        let files = std::fs::read_dir(format!("{directory}/{kind}")).into_iter().flatten().flatten();
        let files = files.map(|file| file.path()).filter(|path| path.extension().is_some_and(|it| it == "json"));
        files.filter_map(|path| std::fs::read_to_string(path).ok()).collect()
    };
    let resources: Vec<_> = ["codesystems", "valuesets"].into_iter().flat_map(read).collect();
    let world = World::new(&resources.iter().map(String::as_str).collect::<Vec<_>>());
    let (mut whole, mut refused, mut members) = (0, BTreeMap::<String, u32>::new(), 0);
    for value_set in &world.value_sets {
        let compiled = Members::of(&world, value_set, &Versions::default()).expect("well made");
        let listed = value_set.includes.iter().filter(|include| include.value_sets.is_empty());
        for (include, listed) in listed.flat_map(|include| include.concepts.iter().map(move |listed| (include, listed)))
        {
            let coded = Coded { system: include.system.as_deref(), code: &listed.code, ..Coded::default() };
            assert!(matches!(compiled.check(&coded), Membership::In { .. }), "{} {}", value_set.url, listed.code);
            members += 1;
        }
        match compiled.expansion(&ExpansionRequest::default()) {
            Ok(_) => whole += 1,
            Err(outcome) => {
                let system = outcome.to_string();
                let system = system.split('`').nth(3).unwrap_or(&system).to_owned();
                *refused.entry(system).or_default() += 1;
            }
        }
    }
    println!(
        "{whole} value sets of UK Core expanded, {members} listed codes are members, refused for want of {refused:?}"
    );
}

fn place(code: &Contained<'_>) -> (String, String) {
    (code.system.to_owned(), code.code.to_owned())
}

/// Whether a code is of those that the publisher's expander left out.
fn is_left_out(code: &Contained<'_>) -> bool {
    let is_old = |concept: Concept<'_>| {
        let mut status = concept.properties().filter(|(name, _)| *name == "status");
        status.any(|(_, value)| matches!(value.text(), "deprecated" | "retired"))
    };
    code.is_abstract || code.concept.is_some_and(is_old)
}
