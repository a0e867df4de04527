//! Resources to search, and how they come to a server.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use flint_tests::Flint;
use serde_json::{Value, json};
use server::References;

use super::world::{Resource, World};

/// How many resources one request brings.
const BATCH: usize = 200;

/// A server that holds these resources, the same resources as documents, and what the server answered to those that it refused.
pub(super) fn load(resources: Vec<Value>) -> (Flint, World, Vec<String>) {
    let flint = Flint::start_with(|config| config.references = References::Accept);
    let (mut held, mut refused) = (Vec::new(), Vec::new());
    for batch in resources.chunks(BATCH) {
        let entries = batch.iter().map(|resource| {
            let text = |name: &str| resource[name].as_str().expect("a text").to_owned();
            let url = format!("{}/{}", text("resourceType"), text("id"));
            json!({"resource": resource, "request": {"method": "PUT", "url": url}})
        });
        let bundle = json!({"resourceType": "Bundle", "type": "batch", "entry": entries.collect::<Vec<_>>()});
        let call = flint.call("POST /").header("Prefer", "return=representation").json(&bundle);
        let answer = fhir::json::Document::parse(call.send().expect(200).text.as_bytes()).expect("JSON");
        for entry in answer.root().get("entry").into_iter().flat_map(|entries| entries.items()) {
            let is_created =
                entry.path(&["response", "status"]).is_some_and(|status| status.raw().starts_with("\"201"));
            match entry.get("resource").filter(|_| is_created) {
                Some(resource) => held.push(Resource::new(resource.raw())),
                None => refused.push(entry.raw().to_owned()),
            }
        }
    }
    let world = World::new(flint.base_url(), held);
    (flint, world, refused)
}

/// The resources of this folder, made so that every search type finds its odd values.
pub(super) fn hand_made() -> Vec<Value> {
    serde_json::from_str(include_str!("resources.json")).expect("an array of resources")
}

/// The records of some synthetic patients, where they are present.
pub(super) fn synthea(patients: usize) -> Option<Vec<Value>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/synthea");
    let mut paths: Vec<_> =
        files(&folder)?.into_iter().filter(|path| path.extension().is_some_and(|ext| ext == "gz")).collect();
    // The smallest records have as many kinds of resources as the largest.
    paths.sort_by_key(|path| fs::metadata(path).expect("a file").len());
    let mut resources = Vec::new();
    for path in paths.iter().take(patients) {
        let mut text = String::new();
        GzDecoder::new(File::open(path).expect("a file")).read_to_string(&mut text).expect("gzip");
        resources.extend(of_transaction(&text));
    }
    Some(resources)
}

/// The resources of a transaction, their references to each other by id.
fn of_transaction(text: &str) -> Vec<Value> {
    let bundle: Value = serde_json::from_str(text).expect("JSON");
    let mut text = text.to_owned();
    for entry in bundle["entry"].as_array().expect("entries") {
        let resource = &entry["resource"];
        if let (Some(url), Some(name), Some(id)) =
            (entry["fullUrl"].as_str(), resource["resourceType"].as_str(), resource["id"].as_str())
        {
            text = text.replace(&format!("\"{url}\""), &format!("\"{name}/{id}\""));
        }
    }
    let mut bundle: Value = serde_json::from_str(&text).expect("JSON");
    let entries = bundle["entry"].as_array_mut().expect("entries");
    entries.iter_mut().map(|entry| entry["resource"].take()).collect()
}

/// How long a file of an example may be.
const EXAMPLE_BYTES_MAX: u64 = 100_000;

/// The published examples, in the folder that `FLINT_R4_EXAMPLES` names.
pub(super) fn examples() -> Option<Vec<Value>> {
    let folder = PathBuf::from(std::env::var_os("FLINT_R4_EXAMPLES")?);
    let mut resources = Vec::new();
    for path in files(&folder)? {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let is_definition =
            ["StructureDefinition-", "ValueSet-", "CodeSystem-", "."].iter().any(|start| name.starts_with(start));
        let is_sampled = !name.starts_with("SearchParameter-") || name.contains("Patient");
        if is_definition || !is_sampled || !name.ends_with(".json") || name == "package.json" {
            continue;
        }
        if fs::metadata(&path).expect("a file").len() <= EXAMPLE_BYTES_MAX {
            let resource: Value = serde_json::from_slice(&fs::read(&path).expect("a file")).expect("JSON");
            if resource["id"].is_string() && resource["resourceType"].is_string() {
                resources.push(resource);
            }
        }
    }
    Some(resources)
}

/// The files of a folder by name, when there is one.
fn files(folder: &Path) -> Option<Vec<PathBuf>> {
    let mut paths: Vec<_> = fs::read_dir(folder).ok()?.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    Some(paths)
}
