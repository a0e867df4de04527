//! Published profiles and their examples, where they are at hand.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::*;
use crate::json::Node;
use crate::profile::Profile;
use crate::validate::tests::published::{files, read};

fn shared(folder: &str) -> Option<Vec<PathBuf>> {
    let mut paths = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/nhs").join(folder))?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    Some(paths)
}

/// A library of all resources in some folders.
fn collection(folders: &[&str]) -> Option<Collection> {
    let mut library = Collection::default();
    for path in folders.iter().map(|folder| shared(folder)).collect::<Option<Vec<_>>>()?.concat() {
        library.add(read(&path));
    }
    Some(library)
}

fn name(path: &Path) -> String {
    path.file_stem().expect("a file").to_string_lossy().into_owned()
}

/// Checks that those examples have errors that are listed, each with a part of one of its messages, and no others have any; `profile`
/// says what to ask for beside what they name themselves.
fn check_examples(
    library: &Collection,
    paths: &[PathBuf],
    refused: &[(&str, &str)],
    profile: impl Fn(&str, Node<'_>) -> Option<String>,
) {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for path in paths {
        let document = read(path);
        let asked = profile(&name(path), document.root());
        let asked: Vec<_> = asked.as_deref().map(Canonical::parse).into_iter().collect();
        for issue in validator(library, Depth::Write).validate(&document, &asked) {
            if issue.severity <= Severity::Error {
                *found.entry(name(path)).or_default() +=
                    &format!("{}: {}\n", issue.expression.concat(), issue.diagnostics);
            }
        }
    }
    let is_known = |name: &str, text: &str| refused.iter().any(|(known, part)| *known == name && text.contains(part));
    let unexpected: Vec<_> = found.iter().filter(|(name, text)| !is_known(name, text)).collect();
    assert!(unexpected.is_empty(), "{unexpected:#?}");
    for (known, _) in refused {
        assert!(found.contains_key(*known), "{known} is accepted");
    }
    println!("{} examples, {} do not conform, each for a known reason", paths.len(), refused.len());
}

/// Examples whose names do not begin with that of their profile.
const UK_CORE_PROFILES: [(&str, &str); 11] = [
    ("UKCore-Observation-24HourBloodPressure-Example", "UKCore-Observation-AverageBloodPressure"),
    ("UKCore-Observation-BreathingNormally-Example", "UKCore-Observation"),
    ("UKCore-Observation-FastingTest-Example", "UKCore-Observation-BloodGlucose"),
    ("UKCore-Observation-HeavyDrinker-Example", "UKCore-Observation-AlcoholConsumption"),
    ("UKCore-Observation-NPEWSTotal-Example", "UKCore-Observation-EarlyWarningTotalScore"),
    ("UKCore-Observation-OxygenTherapy-Example", "UKCore-Observation-InspiredOxygen"),
    ("UKCore-Observation-PatientConsciousness-Example", "UKCore-Observation-ACVPU"),
    ("UKCore-Observation-PipeSmoker-Example", "UKCore-Observation-TobaccoConsumption"),
    ("UKCore-Observation-VitalSigns-RespiratoryRate-Example", "UKCore-Observation-VitalSigns-RespirationRate"),
    ("UKCore-VitalSigns-Observation-OxygenSaturation-Example", "UKCore-Observation-VitalSigns-OxygenSaturation"),
    ("UKCore-Observation-FullBloodCount-Example", "UKCore-Observation-Group-Lab"),
];

/// Examples of UK Core that do not conform: none of them to R4 itself either.
const UK_CORE_REFUSED: [(&str, &str); 5] = [
    ("Extension-UKCore-ConditionEpisode-Example", "both `valueCode` and `valueCodeableConcept` stand here"),
    ("UKCore-MedicationDispense-Amoxicillin-Example", "is not a reference"),
    ("UKCore-MedicationDispense-CiprofloxacinIV-Example", "is not a reference"),
    ("UKCore-MedicationDispense-CiprofloxacinOral-Example", "is not a reference"),
    ("UKCore-Provenance-RARecordConsent-Example", "is not a reference"),
];

#[test]
fn uk_core_examples_conform() {
    let folders = ["uk-core/structuredefinitions", "uk-core/valuesets", "uk-core/codesystems"];
    let Some(library) = collection(&folders) else { return println!("UK Core is not at hand: skipped") };
    let paths = shared(folders[0]).expect("a folder");
    // A build without optimization takes a part, so that the everyday tests stay quick.
    let share = if cfg!(debug_assertions) { 4 } else { 1 };
    for path in paths.iter().step_by(share) {
        let compiled = Profile::compile(&library, &read(path));
        assert!(compiled.is_ok(), "{}: {compiled:?}", path.display());
    }
    let profiles: Vec<String> = paths.iter().map(|path| name(path)).collect();
    let examples = shared("uk-core/examples").expect("examples beside the profiles");
    let is_refused = |path: &PathBuf| UK_CORE_REFUSED.iter().any(|(refused, _)| *refused == name(path));
    let (refused, others): (Vec<_>, Vec<_>) = examples.into_iter().partition(is_refused);
    let examples: Vec<_> = refused.into_iter().chain(others.into_iter().step_by(share)).collect();
    check_examples(&library, &examples, &UK_CORE_REFUSED, |name, root| {
        let stated = UK_CORE_PROFILES.iter().find(|(example, _)| *example == name).map(|(_, profile)| *profile);
        let is_own = |profile: &&str| profile.starts_with("UKCore-") && name.starts_with(&format!("{profile}-"));
        let longest = || profiles.iter().map(String::as_str).filter(is_own).max_by_key(|profile| profile.len());
        let of_type = || format!("UKCore-{}", root.resource_type().unwrap_or_default());
        let profile = stated.or_else(longest).map_or_else(of_type, str::to_owned);
        Some(format!("https://fhir.hl7.org.uk/StructureDefinition/{profile}"))
    });
}

/// Examples of IPS 2.0.1 that do not conform to IPS 1.1.0, where more is mandatory.
const IPS_REFUSED: [(&str, &str); 4] = [
    ("Bundle-bundle-ips-all-sections", "`patient` is missing"),
    ("Bundle-bundle-no-info-required-sections", "(Composition.section[2].entry)"),
    ("Device-ips-example-imaging-1", "`patient` is missing"),
    // The rule asks for `valueString`, which is no path of FHIRPath.
    ("Observation-ips-example-imaging-1", "the rule hasComponentifValueStringEmpty does not hold"),
];

#[test]
fn ips_examples_conform() {
    let Some(library) = collection(&["ips-1.1.0"]) else { return println!("IPS is not at hand: skipped") };
    let mut examples = shared("ips-2.0.1-examples").expect("examples");
    // Types of R5, and value sets that lack a version, which a shareable one must have.
    examples.retain(|path| !["ActorDefinition-", "ValueSet-"].iter().any(|start| name(path).starts_with(start)));
    check_examples(&library, &examples, &IPS_REFUSED, |_, _| None);
}

/// Needs the npm package hl7.fhir.r4.examples 4.0.1, unpacked in the folder that `FLINT_R4_EXAMPLES` names.
#[test]
fn official_examples_conform_to_their_profiles() {
    let folder = std::env::var("FLINT_R4_EXAMPLES").unwrap_or_default();
    let Some(mut paths) = files(Path::new(&folder)) else { return println!("FLINT_R4_EXAMPLES is not set: skipped") };
    let names_profile = |path: &PathBuf| {
        let is_definition = ["StructureDefinition-", "SearchParameter-", "ValueSet-", "CodeSystem-", "Bundle-"];
        path.is_file()
            && !is_definition.iter().any(|start| name(path).starts_with(start))
            && std::fs::read_to_string(path).is_ok_and(|text| text.contains("\"profile\""))
    };
    paths.retain(names_profile);
    check_examples(&Collection::default(), &paths, &[], |_, _| None);
}
