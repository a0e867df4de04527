//! Turns the official R4 package into the tables of `profiles/r4`: `profiles/README.md` describes their columns.

mod conformance;
mod package;
mod search;
mod structures;
mod value_sets;

use std::fs;
use std::path::{Path, PathBuf};

use package::Package;

/// Why no tables were written, in words for the person at the terminal.
pub(crate) type Failure = String;

/// Reads the unpacked package and writes every table, then renews the hashes in `profiles/README.md`.
pub(crate) fn write(package: &Path) -> Result<(), Failure> {
    let package = Package::read(package)?;
    let structures = structures::tables(&package)?;
    let tables = [
        ("structures.tsv", structures.elements.into_bytes()),
        ("invariants.tsv", structures.invariants.into_bytes()),
        ("value-sets.tsv", value_sets::table(&package, &structures.bindings)?.into_bytes()),
        ("search-parameters.tsv", search::parameters(&package)?.into_bytes()),
        ("compartments.tsv", search::compartments(&package)?.into_bytes()),
        ("conformance.bin", conformance::archive(&package)?),
    ];
    let profiles = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../profiles"));
    let readme = profiles.join("README.md");
    let mut text = fs::read_to_string(&readme).map_err(|error| format!("cannot read {}: {error}", readme.display()))?;
    for (name, table) in &tables {
        let hash = blake3::hash(table).to_hex();
        text = with_hash(&text, name, &hash)?;
        save(&profiles.join("r4").join(name), table)?;
        println!("{name}: {} bytes, blake3 {hash}", table.len());
    }
    save(&readme, text.as_bytes())
}

/// The readme with the hash of one table replaced: its line is `| r4/NAME | HASH | ..`.
fn with_hash(readme: &str, table: &str, hash: &str) -> Result<String, Failure> {
    let start = format!("| r4/{table} | ");
    let at = readme.find(&start).ok_or_else(|| format!("profiles/README.md has no line `{start}`"))? + start.len();
    let rest = &readme[at..];
    let end = rest.find(" |").ok_or_else(|| format!("the line `{start}` of profiles/README.md has no end"))?;
    Ok(format!("{}{hash}{}", &readme[..at], &rest[end..]))
}

fn save(path: &Path, content: &[u8]) -> Result<(), Failure> {
    fs::write(path, content).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// Appends one line of a table. A tab or a line break inside a field would shift every column after it, so they are refused.
fn line(table: &mut String, fields: &[&str]) -> Result<(), Failure> {
    if let Some(field) = fields.iter().find(|field| field.contains(['\t', '\n', '\r'])) {
        return Err(format!("`{field}` holds a tab or a line break, which a table cannot"));
    }
    table.push_str(fields.join("\t").trim_end_matches('\t'));
    table.push('\n');
    Ok(())
}
