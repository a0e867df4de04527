//! Published resources, where they are at hand.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::errors;
use crate::json::{Document, Node};

/// The instance examples of R4 that do not conform to R4, each with its faulty element (where there are many, the first part of
/// their common path).
#[rustfmt::skip]
const NOT_CONFORMING: [(&str, &str); 12] = [
    // txt-2: the narrative is empty.
    ("ActivityDefinition-blood-tubes-supply.json", "ActivityDefinition.text.div"),
    ("ActivityDefinition-heart-valve-replacement.json", "ActivityDefinition.text.div"),
    ("EventDefinition-example.json", "EventDefinition.text.div"),
    ("Questionnaire-zika-virus-exposure-assessment.json", "Questionnaire.text.div"),
    // References to resources of a type that the element does not allow.
    ("DeviceMetric-example.json", "DeviceMetric.parent"),
    ("DeviceUseStatement-example.json", "DeviceUseStatement.reasonReference[0]"),
    ("MedicationRequest-medrx0301.json", "MedicationRequest.dispenseRequest.performer"),
    ("Observation-clinical-gender.json", "Observation.performer[0]"),
    // bdl-7: the same fullUrl stands on several entries.
    ("Bundle-dataelements.json", "Bundle"),
    // Mandatory elements are missing, and a referenced id has more than 64 characters.
    ("ImplementationGuide-fhir.json", "ImplementationGuide"),
    ("ig-r4.json", "ImplementationGuide"),
    ("Questionnaire-qs1.json", "Questionnaire.item"),
];

fn shared(folder: &str) -> Option<Vec<PathBuf>> {
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(folder))
}

pub(super) fn files(folder: &Path) -> Option<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).ok()?;
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    paths.sort();
    Some(paths)
}

pub(super) fn read(path: &Path) -> Document {
    let bytes = std::fs::read(path).expect("a readable file");
    let mut text = Vec::new();
    match path.extension().is_some_and(|extension| extension == "gz") {
        true => drop(flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut text).expect("valid gzip")),
        false => text = bytes,
    }
    Document::parse(&text).expect("a valid text")
}

#[test]
fn synthea_is_valid() {
    let Some(mut paths) = shared("synthea") else { return println!("no Synthea bundles at hand: skipped") };
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "gz"));
    // A build without optimization takes a part, so that the everyday tests stay quick.
    let paths: Vec<_> = paths.into_iter().step_by(if cfg!(debug_assertions) { 4 } else { 1 }).collect();
    let validated = |paths: &[PathBuf]| {
        let mut count = 0;
        for path in paths {
            let document = read(path);
            count += document.root().get("entry").into_iter().flat_map(Node::items).count();
            assert_eq!(errors(&document), [], "{}", path.display());
        }
        count
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let count: usize = std::thread::scope(|scope| {
        let share = paths.len().div_ceil(threads).max(1);
        let running: Vec<_> = paths.chunks(share).map(|paths| scope.spawn(move || validated(paths))).collect();
        running.into_iter().map(|thread| thread.join().expect("every resource is valid")).sum()
    });
    println!("validated {count} resources of Synthea in {} bundles", paths.len());
}

#[test]
fn the_surgery_is_valid() {
    let Some(paths) = shared("surgery") else { return println!("no surgery at hand: skipped") };
    for path in &paths {
        assert_eq!(errors(&read(path)), [], "{}", path.display());
    }
    println!("validated {} files of the surgery", paths.len());
}

/// Needs the npm package hl7.fhir.r4.examples 4.0.1, unpacked in the folder that `FLINT_R4_EXAMPLES` names.
#[test]
fn official_examples_are_valid_where_they_conform() {
    const DEFINITIONS: [&str; 9] = [
        "SearchParameter",
        "ValueSet",
        "CodeSystem",
        "StructureDefinition",
        "ConceptMap",
        "OperationDefinition",
        "CompartmentDefinition",
        "package.json",
        ".index.json",
    ];
    let folder = std::env::var("FLINT_R4_EXAMPLES").unwrap_or_default();
    let Some(paths) = files(Path::new(&folder)) else { return println!("FLINT_R4_EXAMPLES is not set: skipped") };
    let (mut count, mut refused) = (0, Vec::new());
    for path in paths {
        let name = path.file_name().expect("a file").to_string_lossy().into_owned();
        if !path.is_file() || DEFINITIONS.iter().any(|definition| name.starts_with(definition)) {
            continue;
        }
        count += 1;
        for issue in errors(&read(&path)) {
            refused.push((name.clone(), issue.expression.concat(), issue.diagnostics));
        }
    }
    let is_known = |name: &str, expression: &str| {
        NOT_CONFORMING.iter().any(|(known, start)| *known == name && expression.starts_with(start))
    };
    let unexpected: Vec<_> = refused.iter().filter(|(name, expression, _)| !is_known(name, expression)).collect();
    assert_eq!(unexpected, Vec::<&(String, String, String)>::new());
    println!("validated {count} official examples; {} do not conform, each for a known reason", NOT_CONFORMING.len());
    for (known, _) in NOT_CONFORMING {
        assert!(refused.iter().any(|(name, ..)| name == known), "{known} is accepted");
    }
}
