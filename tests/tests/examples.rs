use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use fhir::json::Value;
use flint_tests::Flint;
use server::References;

/// Types of the files that are definitions of R4 itself; all other files are examples of instances.
const DEFINITIONS: [&str; 6] =
    ["CodeSystem", "ConceptMap", "OperationDefinition", "SearchParameter", "StructureDefinition", "ValueSet"];

/// How many examples there are.
const EXAMPLES: usize = 746;

/// The examples that do not conform to R4, each with the first faulty element and why it is refused.
#[rustfmt::skip]
const REFUSED: [(&str, &str, &str); 12] = [
    ("ActivityDefinition-blood-tubes-supply.json", "ActivityDefinition.text.div", "*narrative has neither text nor an image"),
    ("ActivityDefinition-heart-valve-replacement.json", "ActivityDefinition.text.div", "*narrative has neither text nor an image"),
    ("Bundle-dataelements.json", "Bundle", "*bdl-7*"),
    ("DeviceMetric-example.json", "DeviceMetric.parent", "*leads to DeviceDefinition*"),
    ("DeviceUseStatement-example.json", "DeviceUseStatement.reasonReference[0]", "*leads to Procedure*"),
    ("EventDefinition-example.json", "EventDefinition.text.div", "*narrative has neither text nor an image"),
    // Also without name, status, packageId and fhirVersion; ig-r4.json is equal.
    ("ImplementationGuide-fhir.json", "ImplementationGuide.manifest.resource[11904].reference.reference", "*not a reference*"),
    ("MedicationRequest-medrx0301.json", "MedicationRequest.dispenseRequest.performer", "*leads to Practitioner*"),
    ("Observation-clinical-gender.json", "Observation.performer[0]", "*leads to Encounter*"),
    ("Questionnaire-qs1.json", "Questionnaire.item[0].item[0].linkId", "*missing*"),
    ("Questionnaire-zika-virus-exposure-assessment.json", "Questionnaire.text.div", "*narrative has neither text nor an image"),
    ("ig-r4.json", "ImplementationGuide.manifest.resource[11904].reference.reference", "*not a reference*"),
];

/// How large an example may be in a build without optimization, which leaves out seven Bundles so that everyday tests stay quick.
const BYTES_MAX: u64 = if cfg!(debug_assertions) { 5 << 20 } else { u64::MAX };

/// How many requests are made at one time.
const CLIENTS: usize = 4;

/// Needs the npm package hl7.fhir.r4.examples 4.0.1, unpacked in the folder that `FLINT_R4_EXAMPLES` names.
#[test]
fn official_examples_come_back_as_they_were_sent() {
    let Some(folder) = std::env::var_os("FLINT_R4_EXAMPLES") else {
        return println!("FLINT_R4_EXAMPLES is not set: skipped");
    };
    let mut paths = examples(Path::new(&folder));
    assert_eq!(paths.len(), EXAMPLES);
    paths.retain(|path| fs::metadata(path).expect("a file").len() <= BYTES_MAX);
    let names: Vec<_> = paths.iter().map(|path| name(path)).collect();
    let expected: Vec<_> = REFUSED.iter().map(|(name, ..)| *name).filter(|name| names.contains(name)).collect();
    let flint = Flint::start_with(|config| config.references = References::Accept);
    let queue = Mutex::new(paths.iter());
    let next = || queue.lock().expect("nobody panicked").next();
    let mut refused: Vec<_> = std::thread::scope(|scope| {
        let client = || std::iter::from_fn(next).filter_map(|path| put(&flint, path)).collect::<Vec<_>>();
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        clients.into_iter().flat_map(|client| client.join().expect("all is as it was sent")).collect()
    });
    refused.sort_by_key(|refused| REFUSED.iter().position(|(name, ..)| name == refused));
    assert_eq!(refused, expected);
    let accepted = paths.len() - refused.len();
    flint.get("/_history?_count=0").expect(200).facts(&[("/total", &accepted.to_string())]);
    println!("{accepted} of {EXAMPLES} examples came back as they were sent, {} do not conform to R4", refused.len());
}

/// The examples, of all sizes.
fn examples(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| {
        let name = name(path);
        let is_definition = name.split_once('-').is_some_and(|(start, _)| DEFINITIONS.contains(&start));
        name.ends_with(".json") && !matches!(name, "package.json" | ".index.json") && !is_definition
    });
    paths.sort();
    paths
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).expect("a name in UTF-8")
}

/// Sends and reads one; gives its name if it is refused, and is to be.
fn put(flint: &Flint, path: &Path) -> Option<&'static str> {
    let name = name(path);
    let text = fs::read_to_string(path).expect("UTF-8");
    let mut sent = Value::parse(&text).expect("JSON");
    let [resource_type, id] = of_url(&mut sent);
    let text_of = |value: &Value| value.as_str().expect("a string").to_owned();
    let url = format!("/{}/{}", text_of(&resource_type), text_of(&id));
    let reply = flint.call(&format!("PUT {url}")).body("application/fhir+json", text).send();
    if let Some((refused, element, reason)) = REFUSED.iter().find(|(refused, ..)| *refused == name) {
        let outcome = reply.expect(422);
        let issues = outcome.json();
        let first = issues["issue"].as_array().into_iter().flatten().position(|issue| issue["severity"] == "error");
        let [at, why] =
            ["expression/0", "details/text"].map(|member| format!("/issue/{}/{member}", first.expect("an error")));
        outcome.facts(&[(&at, element), (&why, reason)]);
        return Some(refused);
    }
    let written = reply.expect(201);
    let read = flint.get(&url).expect(200);
    assert_eq!(read.text, written.text, "{name}");
    let mut read = Value::parse(&read.text).expect("JSON");
    assert_eq!(of_url(&mut read), [resource_type, id], "{name}");
    assert_eq!(meta(&mut read), meta(&mut sent), "{name}");
    // All else in its order, and to the last digit: numbers are compared as text.
    assert!(read == sent, "{name}");
    None
}

/// Takes out what the URL says too.
fn of_url(resource: &mut Value) -> [Value; 2] {
    ["resourceType", "id"].map(|name| resource.remove(name).expect("a string"))
}

/// Takes out `meta`; gives what is in it but what the server sets.
fn meta(resource: &mut Value) -> Option<Value> {
    let mut meta = resource.remove("meta")?;
    meta.remove("versionId");
    meta.remove("lastUpdated");
    Some(meta).filter(|meta| *meta != Value::object())
}
