//! Writes the resources of a folder of JSON as XML, reads them back, and says how fast; with a second folder, keeps the XML there, so
//! that it can be held against HL7's schemas.
//!
//! `cargo run --release -p fhir --example xml_speed -- FOLDER [OUT]`

use std::path::PathBuf;
use std::time::Instant;

use fhir::json::Document;
use fhir::{Definitions, xml};

fn main() {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let folder = arguments.next().expect("a folder of JSON");
    let out = arguments.next();
    let definitions = Definitions::r4();
    let mut documents = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable folder").path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let document = Document::parse(&std::fs::read(&path).expect("a readable file")).expect("JSON");
        if document.root().resource_type().is_some() {
            documents.push((path, document));
        }
    }
    let bytes: usize = documents.iter().map(|(_, document)| document.text().len()).sum();
    let megabytes = bytes as f64 / 1e6;
    let started = Instant::now();
    let texts: Vec<_> = documents.iter().map(|(_, document)| xml::write(definitions, document)).collect();
    let seconds = started.elapsed().as_secs_f64();
    println!("wrote {} resources, {:.0} MB of JSON a second", texts.len(), megabytes / seconds);
    let started = Instant::now();
    let read = texts.iter().flatten().filter(|text| xml::parse(definitions, text.as_bytes()).is_ok()).count();
    let seconds = started.elapsed().as_secs_f64();
    println!("read {read} back, {:.0} MB of JSON a second", megabytes / seconds);
    for ((path, _), text) in documents.iter().zip(texts) {
        match (text, &out) {
            (Err(outcome), _) => println!("{}: {outcome}", path.display()),
            (Ok(text), Some(out)) => {
                let name = path.file_stem().unwrap_or_default().to_string_lossy();
                std::fs::write(out.join(format!("{name}.xml")), text).expect("a folder to write to");
            }
            (Ok(_), None) => {}
        }
    }
}
