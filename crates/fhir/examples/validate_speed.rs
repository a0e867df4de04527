//! How long validation takes: `cargo run --release -p fhir --example validate_speed -- FOLDER [SECONDS [PROFILE DEFINITIONS..]]`.
//!
//! Reads the `.json` and `.json.gz` files of a folder, takes bundles apart, and validates each resource as a write does, one thread,
//! again and again for the given time. With the url of a profile and the folders of its definitions, the resources of its type are
//! validated against it.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use fhir::collection::Collection;
use fhir::json::{Document, Node};
use fhir::terminology::Canonical;
use fhir::validate::{Depth, Validator};
use fhir::{Definitions, Library, Severity};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().expect("usage: validate_speed FOLDER [SECONDS]");
    let seconds = arguments.next().map_or(5, |text| text.parse().expect("a number of seconds"));
    let profile = arguments.next();
    let mut library = Collection::default();
    arguments.flat_map(|folder| documents(Path::new(&folder))).for_each(|document| library.add(document));
    let asked: Vec<Canonical<'_>> = profile.as_deref().map(Canonical::parse).into_iter().collect();
    let mut documents = documents(Path::new(&folder));
    for canonical in &asked {
        let start = Instant::now();
        let profile = library.profile(*canonical).expect("a profile that can be used").expect("a known profile");
        println!("profile compiled: {:?}", start.elapsed());
        documents.retain(|document| document.root().resource_type() == Some(profile.structure.name));
    }
    let bytes: usize = documents.iter().map(|document| document.text().len()).sum();
    let validator = Validator {
        definitions: Definitions::r4(),
        library: &library,
        depth: Depth::Write,
        unknown_profile: Severity::Warning,
        now: fhir::Instant(0),
    };
    let start = Instant::now();
    validator.validate(&documents[0], &asked);
    println!("first validation, invariants compiled: {:?}", start.elapsed());

    let mut by_type = BTreeMap::<&str, (u32, Duration)>::new();
    let (mut rounds, mut issues, start) = (0, 0, Instant::now());
    while start.elapsed() < Duration::from_secs(seconds) {
        rounds += 1;
        for document in &documents {
            let start = Instant::now();
            issues += validator.validate(document, &asked).len();
            let (count, time) = by_type.entry(document.root().resource_type().unwrap_or_default()).or_default();
            *count += 1;
            *time += start.elapsed();
        }
    }
    let validated = rounds * documents.len();
    let time: Duration = by_type.values().map(|(_, time)| *time).sum();
    for (resource_type, (count, time)) in by_type {
        println!(
            "{:>9.2} us {:>8} {resource_type}",
            time.as_secs_f64() * 1e6 / f64::from(count),
            count / rounds as u32
        );
    }
    println!(
        "{:.2} us a resource of {} bytes: {} resources, {rounds} rounds, {:.0} MB/s, {issues} issues",
        time.as_secs_f64() * 1e6 / validated as f64,
        bytes / documents.len(),
        documents.len(),
        (bytes * rounds) as f64 / time.as_secs_f64() / 1e6,
    );
}

fn documents(folder: &Path) -> Vec<Document> {
    let mut documents = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable folder").path();
        let bytes = match path.extension().and_then(|extension| extension.to_str()) {
            Some("json") => std::fs::read(&path).expect("a readable file"),
            Some("gz") => {
                let mut text = Vec::new();
                let file = std::fs::File::open(&path).expect("a readable file");
                flate2::read::GzDecoder::new(file).read_to_end(&mut text).expect("valid gzip");
                text
            }
            _ => continue,
        };
        let Ok(document) = Document::parse(&bytes) else { continue };
        let resources = document.root().get("entry").into_iter().flat_map(Node::items);
        let resources: Vec<_> = resources.filter_map(|entry| entry.get("resource")).collect();
        match resources.is_empty() {
            true => documents.push(document),
            false => documents.extend(resources.iter().filter_map(|node| Document::parse(node.raw().as_bytes()).ok())),
        }
    }
    documents
}
