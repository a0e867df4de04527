//! Published resources, where they are at hand: XML says the same as JSON, and there and back is the identity.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::Definitions;
use crate::json::{Document, Value};
use crate::xml::{parse, write, write_pretty};

/// Builds without optimization take one file in so many, so that the everyday tests stay quick, unless `FLINT_EVERY_FILE` is set.
fn step() -> usize {
    if cfg!(debug_assertions) && std::env::var_os("FLINT_EVERY_FILE").is_none() { 16 } else { 1 }
}

/// The sorted files of a folder that is named by a variable; none when it is not set.
fn named(variable: &str, extension: &str) -> Vec<PathBuf> {
    match std::env::var_os(variable) {
        Some(folder) => files(Path::new(&folder), extension),
        None => Vec::new(),
    }
}

fn shared(folder: &str, extension: &str) -> Vec<PathBuf> {
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(folder), extension)
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|found| found == extension));
    paths.sort();
    paths
}

fn read(path: &Path) -> Vec<u8> {
    let bytes = std::fs::read(path).expect("a readable file");
    if path.extension().is_none_or(|extension| extension != "gz") {
        return bytes;
    }
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut text).expect("valid gzip");
    text
}

/// Members in the order of their names: two resources that say the same become equal.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(mut members) => {
            members.sort_by(|one, other| one.0.cmp(&other.0));
            Value::Object(members.into_iter().map(|(name, value)| (name, sorted(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        value => value,
    }
}

/// Why a document does not survive the way through XML.
fn loss(document: &Document) -> Option<String> {
    let definitions = Definitions::r4();
    let plain = write(definitions, document).map_err(|outcome| outcome.to_string());
    let pretty = write_pretty(definitions, document).map_err(|outcome| outcome.to_string());
    for xml in [plain, pretty] {
        let back = xml.and_then(|xml| parse(definitions, xml.as_bytes()).map_err(|outcome| outcome.to_string()));
        match back {
            Err(refusal) => return Some(refusal),
            Ok(back) => {
                let (one, other) = (sorted(document.root().into()), sorted(back.root().into()));
                if one != other {
                    return Some(difference(&one.to_string(), &other.to_string()));
                }
            }
        }
    }
    None
}

fn difference(one: &str, other: &str) -> String {
    let same = one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count();
    let around = |text: &str| {
        String::from_utf8_lossy(&text.as_bytes()[same.saturating_sub(40)..text.len().min(same + 60)]).into_owned()
    };
    format!("{} became {}", around(one), around(other))
}

fn check(name: &str, paths: &[PathBuf], excepted: &[&str]) {
    let paths: Vec<_> = paths.iter().step_by(step()).collect();
    let mut lost = Vec::new();
    for path in &paths {
        let document = Document::parse(&read(path)).expect("a valid text");
        if document.root().resource_type().is_none() {
            continue;
        }
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if let Some(loss) = loss(&document).filter(|_| !excepted.contains(&file.as_str())) {
            lost.push(format!("{file}: {loss}"));
        }
    }
    assert!(lost.is_empty(), "{} of {}:\n{}", lost.len(), paths.len(), lost.join("\n"));
    println!("{name}: {} went to XML and back", paths.len());
}

/// Needs the npm packages hl7.fhir.r4.examples or hl7.fhir.r4.core 4.0.1, unpacked in the folder that `FLINT_R4_EXAMPLES` names.
#[test]
fn examples_survive() {
    check("examples of R4", &named("FLINT_R4_EXAMPLES", "json"), &[]);
}

#[test]
fn shared_data_survives() {
    check("Synthea", &shared("synthea", "gz"), &[]);
    check("surgery", &shared("surgery", "json"), &[]);
}

/// Without what the build of a package puts into it: the package of JSON was built two days after that of XML, and with the narratives
/// that the latter leaves out.
fn same_build(mut resource: Value) -> Value {
    for name in ["text", "date"] {
        resource.remove(name);
    }
    if let Some(meta) = resource.get_mut("meta") {
        meta.remove("lastUpdated");
    }
    sorted(resource)
}

/// Needs also the npm package hl7.fhir.r4.corexml 4.0.1, unpacked in the folder that `FLINT_R4_COREXML` names.
#[test]
fn published_xml_says_the_same_as_published_json() {
    let Some(json) = std::env::var_os("FLINT_R4_EXAMPLES").map(PathBuf::from) else { return };
    let (mut count, mut different) = (0, Vec::new());
    for path in named("FLINT_R4_COREXML", "xml").iter().step_by(step()) {
        let name = path.file_stem().unwrap_or_default();
        let Ok(bytes) = std::fs::read(json.join(name).with_extension("json")) else { continue };
        let document = Document::parse(&bytes).expect("a valid text");
        count += 1;
        match parse(Definitions::r4(), &read(path)) {
            Err(refusal) => different.push(format!("{}: {refusal}", name.to_string_lossy())),
            Ok(parsed) => {
                let (one, other) = (same_build(document.root().into()), same_build(parsed.root().into()));
                if one != other {
                    let difference = difference(&one.to_string(), &other.to_string());
                    different.push(format!("{}: {difference}", name.to_string_lossy()));
                }
            }
        }
    }
    assert!(different.is_empty(), "{} of {count}:\n{}", different.len(), different.join("\n"));
    println!("{count} files of published XML say the same as published JSON");
}
