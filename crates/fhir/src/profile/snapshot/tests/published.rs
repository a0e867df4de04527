//! Published snapshots as the oracle.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use super::Definitions;
use crate::json::{Document, Node};
use crate::profile::snapshot;
use crate::{Outcome, published};

/// What is compared of an element: all that validation goes by.
fn facts(element: Node<'_>) -> BTreeMap<String, String> {
    let mut facts = BTreeMap::new();
    for (name, value) in element.members() {
        let fact = match name {
            "path" | "sliceName" | "min" | "max" | "maxLength" => value.raw().to_owned(),
            // Later tools put the definition's url before the fragment.
            "contentReference" => value.raw().rsplit('#').next().unwrap_or_default().to_owned(),
            "mustSupport" | "isModifier" if value.as_bool() == Some(true) => value.raw().to_owned(),
            "type" => {
                let texts = |it: Node<'_>, member: &str| {
                    let mut all: Vec<_> = it.get(member).into_iter().flat_map(Node::items).map(Node::raw).collect();
                    all.sort();
                    all.join(",")
                };
                let mut types: Vec<_> = value
                    .items()
                    .map(|it| {
                        format!(
                            "{} {} {}",
                            it.get("code").map_or("", Node::raw),
                            texts(it, "profile"),
                            texts(it, "targetProfile")
                        )
                    })
                    .collect();
                types.sort();
                types.join(";")
            }
            "binding" => ["strength", "valueSet"].map(|member| value.get(member).map_or("", Node::raw)).join(" "),
            "constraint" => {
                let mut keys: Vec<_> = value.items().filter_map(|it| it.get("key")).map(Node::raw).collect();
                keys.sort();
                keys.join(",")
            }
            // That extensions are sliced is stated here and there also where there are no slices.
            "slicing" if element.get("path").is_some_and(|path| path.raw().ends_with("xtension\"")) => continue,
            "slicing" => {
                let discriminators = value.get("discriminator").into_iter().flat_map(Node::items);
                let discriminators = discriminators
                    .map(|it| ["type", "path"].map(|member| it.get(member).map_or("", Node::raw)).join(":"));
                format!("{} {}", discriminators.collect::<Vec<_>>().join(","), value.get("rules").map_or("", Node::raw))
            }
            name if ["fixed", "pattern", "minValue", "maxValue"].iter().any(|it| name.starts_with(it)) => {
                value.raw().to_owned()
            }
            _ => continue,
        };
        facts.insert(name.to_owned(), fact);
    }
    facts
}

fn elements(definition: &Document) -> Vec<(String, BTreeMap<String, String>)> {
    let elements = definition.root().path(&["snapshot", "element"]).into_iter().flat_map(Node::items);
    elements.map(|it| (it.get("id").and_then(Node::as_str).unwrap_or_default().into_owned(), facts(it))).collect()
}

/// What differs, in words.
fn differences(published: &Document, made: &Document) -> Vec<String> {
    let (published, made) = (elements(published), elements(made));
    let mut found = Vec::new();
    let made_by_id: HashMap<_, _> = made.iter().map(|(id, facts)| (id, facts)).collect();
    let published_by_id: HashMap<_, _> = published.iter().map(|(id, facts)| (id, facts)).collect();
    for (id, facts) in &published {
        match made_by_id.get(id) {
            None => found.push(format!("{id} is missing")),
            Some(made) if *made != facts => {
                let names: BTreeSet<_> = facts.keys().chain(made.keys()).collect();
                for name in names.into_iter().filter(|name| facts.get(*name) != made.get(*name)) {
                    found.push(format!("{id} {name}: published {:?}, made {:?}", facts.get(name), made.get(name)));
                }
            }
            Some(_) => {}
        }
    }
    found
        .extend(made.iter().filter(|(id, _)| !published_by_id.contains_key(id)).map(|(id, _)| format!("{id} is made")));
    let order = |elements: &[(String, _)]| elements.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>();
    if found.is_empty() && order(&published) != order(&made) {
        found.push("the order differs".to_owned());
    }
    found
}

/// The StructureDefinitions in a folder and those inside it.
fn definitions(folder: &Path) -> Vec<Arc<Document>> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            found.extend(definitions(&path));
            continue;
        }
        let bytes = std::fs::read(&path).expect("a readable file");
        let is_json = path.extension().is_some_and(|extension| extension == "json");
        if let Some(document) = is_json.then(|| Document::parse(&bytes).ok()).flatten()
            && document.root().resource_type() == Some("StructureDefinition")
        {
            found.push(Arc::new(document));
        }
    }
    found
}

/// Makes the snapshots of all; those that differ from the published ones are `known` to, each with what differs in first place.
fn check(all: &[Arc<Document>], library: &Definitions, known: &[(&str, &str)]) {
    let mut equal = 0;
    let mut unequal = Vec::new();
    for definition in all.iter().filter(|it| it.root().get("snapshot").is_some()) {
        // R4's patterns (Event, Request, ..) state no differential.
        if definition.root().get("differential").is_none() {
            continue;
        }
        let id = definition.root().get("id").and_then(Node::as_str).expect("an id");
        let differences = match snapshot(library, definition) {
            Ok(made) => differences(definition, &made),
            Err(outcome) => vec![outcome.to_string()],
        };
        let expected = known.iter().find(|(known, _)| *known == id).map(|(_, difference)| *difference);
        match (differences.first(), expected) {
            (None, None) => equal += 1,
            (Some(first), Some(difference)) if first.starts_with(difference) => {}
            _ => unequal.push(format!("{id}, known to differ at {expected:?}: {differences:#?}")),
        }
    }
    println!("{equal} snapshots are made as published, {} differ for known reasons", known.len());
    assert!(unequal.is_empty(), "{}", unequal.join("\n"));
}

/// Needs the npm package hl7.fhir.r4.examples 4.0.1, unpacked in the folder that `FLINT_R4_EXAMPLES` names.
#[test]
fn r4_snapshots_are_made_as_published() {
    let folder = std::env::var("FLINT_R4_EXAMPLES").unwrap_or_default();
    let all = definitions(Path::new(&folder));
    if all.is_empty() {
        return println!("no R4 definitions at hand: skipped");
    }
    #[rustfmt::skip]
    let known = [
        // The short form in a slice is published as a narrower choice without slices, here it is a slice by type as elsewhere.
        ("bp", "Observation.component:SystolicBP.value[x] slicing"),
        // The elements of which there are slices are left out.
        ("catalog", "Composition.date is made"),
        ("familymemberhistory-genetic", "FamilyMemberHistory.relationship is made"),
        // The extensions are unfolded, though nothing is said below them.
        ("elementdefinition-de", "ElementDefinition.extension:Question.id is missing"),
        // A slice does not have the binding of what it is a slice of, and a content reference leads to that slice.
        ("provenance-relevant-history", "Provenance.agent:Author.type binding"),
        // It is no element, but has Element's rule.
        ("MetadataResource", "MetadataResource constraint"),
        // The limits of the primitive type that it specializes are left out.
        ("code", "code.value maxLength"),
        ("id", "id.value maxLength"),
        ("markdown", "markdown.value maxLength"),
        ("positiveInt", "positiveInt.value maxValueInteger"),
        ("unsignedInt", "unsignedInt.value maxValueInteger"),
    ];
    check(&all, &Definitions::default(), &known);
}

#[test]
fn ips_snapshots_are_made_as_published() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/nhs/ips-1.1.0");
    let all = definitions(&folder);
    if all.is_empty() {
        return println!("no IPS definitions at hand: skipped");
    }
    #[rustfmt::skip]
    let known = [
        // A slice does not have what is said of all items.
        ("Bundle-uv-ips", "Bundle.entry:composition mustSupport"),
        ("Composition-uv-ips", "Composition.section:sectionMedications.code min"),
        // The differentials say `closed`.
        ("Observation-results-laboratory-uv-ips", "Observation.value[x] slicing"),
        ("Observation-results-pathology-uv-ips", "Observation.value[x] slicing"),
    ];
    check(&all, &Definitions::of(&all), &known);
}

/// Profiles that are published without snapshots.
#[test]
fn nhs_snapshots_can_be_made() {
    let nhs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/nhs");
    let folders = [
        "uk-core/structuredefinitions",
        "ipa-1.1.0",
        "ihe-scheduling-1.0",
        "ihe-pcf-1.1",
        "nhs-england-ig",
        "organ-donation-au",
        "smart-health-links-1.0",
        "subscriptions-backport-1.2",
    ];
    let all: Vec<_> = folders.iter().flat_map(|folder| definitions(&nhs.join(folder))).collect();
    let library = Definitions::of(&all);
    // The base of one is not at hand, and two are made for a later version.
    let is_elsewhere = |outcome: &Outcome| outcome.to_string().ends_with("is not known here");
    let refused: Vec<_> = all.iter().filter_map(|definition| snapshot(&library, definition).err()).collect();
    let (elsewhere, refused): (Vec<_>, Vec<_>) = refused.into_iter().partition(is_elsewhere);
    println!("{} snapshots of profiles are made", all.len() - elsewhere.len() - refused.len());
    assert!(refused.is_empty() && elsewhere.len() <= 3, "{refused:#?}");
}

/// Also where no published snapshots are at hand, each of R4's own can be made. A build without optimization takes a part.
#[test]
fn r4_snapshots_can_be_made() {
    let library = Definitions::default();
    let step = if cfg!(debug_assertions) { 7 } else { 1 };
    let mut count = 0;
    for url in published::urls("StructureDefinition").step_by(step) {
        let definition = published::resource("StructureDefinition", url).expect("listed");
        match snapshot(&library, &definition) {
            Ok(made) => {
                count += 1;
                assert!(made.root().path(&["snapshot", "element", "id"]).is_some(), "{url}");
            }
            // Patterns that state no elements.
            Err(outcome) => assert!(definition.root().get("differential").is_none(), "{url}: {outcome}"),
        }
    }
    println!("{count} snapshots are made");
}
