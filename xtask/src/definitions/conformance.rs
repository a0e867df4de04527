//! The conformance resources themselves, packed: `profiles/README.md` describes the archive.

use std::io::Write;

use fhir::json::{Kind, Node, quote};
use flate2::Compression;
use flate2::write::DeflateEncoder;

use super::package::Package;
use super::{Failure, line};

/// Their types; only those that state a canonical url are kept.
const TYPES: [&str; 4] = ["CodeSystem", "ConceptMap", "StructureDefinition", "ValueSet"];

/// A block is closed once it is this long: small enough to unpack for one resource, large enough to be packed well.
const BLOCK_BYTES: usize = 128 << 10;

/// What is left out: narrative; mappings, which nothing here reads; snapshots, which follow from the rest.
const LEFT_OUT: [(&str, &[&str]); 2] = [("", &["text"]), ("StructureDefinition", &["mapping", "snapshot"])];

/// The archive.
pub(super) fn archive(package: &Package) -> Result<Vec<u8>, Failure> {
    let (mut index, mut blocks, mut block) = (String::new(), Vec::new(), String::new());
    for resource_type in TYPES {
        let mut resources = Vec::new();
        for document in package.documents(resource_type)? {
            let url = document.root().get("url").and_then(Node::as_str).map(|url| url.into_owned());
            resources.extend(url.map(|url| (url, slim(document.root(), resource_type, true))));
        }
        resources.sort();
        for (url, text) in resources {
            if block.len() + text.len() > BLOCK_BYTES && !block.is_empty() {
                blocks.push(packed(&std::mem::take(&mut block))?);
            }
            let numbers = [blocks.len(), block.len(), text.len()].map(|number| number.to_string());
            line(&mut index, &[resource_type, &url, &numbers[0], &numbers[1], &numbers[2]])?;
            block += &text;
        }
    }
    blocks.push(packed(&block)?);
    let mut archive = Vec::new();
    for part in std::iter::once(&packed(&index)?).chain(&blocks) {
        let length = u32::try_from(part.len()).map_err(|_| "a block is longer than 4 GiB".to_owned())?;
        archive.extend_from_slice(&length.to_le_bytes());
        archive.extend_from_slice(part);
    }
    Ok(archive)
}

fn packed(text: &str) -> Result<Vec<u8>, Failure> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    let failed = |error| format!("cannot pack: {error}");
    encoder.write_all(text.as_bytes()).map_err(failed)?;
    encoder.finish().map_err(failed)
}

/// The text of a value without what is left out.
fn slim(node: Node<'_>, resource_type: &str, is_root: bool) -> String {
    let is_left_out = |name: &str| {
        LEFT_OUT
            .iter()
            .any(|(of, names)| names.contains(&name) && (if of.is_empty() { is_root } else { *of == resource_type }))
    };
    match node.kind() {
        Kind::Object => {
            let members = node.members().filter(|(name, _)| !is_left_out(name));
            let members = members.map(|(name, value)| format!("{}:{}", quote(name), slim(value, resource_type, false)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
        Kind::Array => {
            let items = node.items().map(|item| slim(item, resource_type, false));
            format!("[{}]", items.collect::<Vec<_>>().join(","))
        }
        _ => node.raw().to_owned(),
    }
}
