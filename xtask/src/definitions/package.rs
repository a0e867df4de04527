//! The unpacked npm package: one JSON file for each resource.

use std::fs;
use std::path::{Path, PathBuf};

use fhir::json::Document;
use serde_json::Value;

use super::Failure;

const NAME: &str = "hl7.fhir.r4.examples";
const VERSION: &str = "4.0.1";

/// The folder of an unpacked package that is known to be the right one.
pub(crate) struct Package {
    folder: PathBuf,
}

impl Package {
    /// Opens the folder; refuses another package or another version.
    pub(crate) fn read(folder: &Path) -> Result<Package, Failure> {
        let manifest = json(&folder.join("package.json"))?;
        let (name, version) = (text(&manifest, "name"), text(&manifest, "version"));
        if (name, version) != (NAME, VERSION) {
            return Err(format!("{} holds `{name}` {version}, expected `{NAME}` {VERSION}", folder.display()));
        }
        Ok(Package { folder: folder.to_owned() })
    }

    /// All resources of one type, in the order of their file names.
    pub(crate) fn resources(&self, resource_type: &str) -> Result<Vec<Value>, Failure> {
        self.paths(resource_type)?.iter().map(|path| json(path)).collect()
    }

    /// The same to the last digit.
    pub(crate) fn documents(&self, resource_type: &str) -> Result<Vec<Document>, Failure> {
        let document = |path: &PathBuf| {
            let bytes = fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
            Document::parse(&bytes).map_err(|error| format!("{} is no JSON: {error}", path.display()))
        };
        self.paths(resource_type)?.iter().map(document).collect()
    }

    fn paths(&self, resource_type: &str) -> Result<Vec<PathBuf>, Failure> {
        let start = format!("{resource_type}-");
        let unreadable = |error| format!("cannot list {}: {error}", self.folder.display());
        let mut paths = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            if entry.file_name().to_string_lossy().starts_with(&start) {
                paths.push(entry.path());
            }
        }
        paths.sort();
        Ok(paths)
    }
}

fn json(path: &Path) -> Result<Value, Failure> {
    let bytes = fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    serde_json::from_slice(&bytes).map_err(|error| format!("{} is no JSON: {error}", path.display()))
}

/// A member's text, empty when absent.
pub(crate) fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_default()
}

/// A member's items, none when absent.
pub(crate) fn items<'a>(value: &'a Value, member: &str) -> &'a [Value] {
    value[member].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The texts of a member that is a list of strings.
pub(crate) fn texts<'a>(value: &'a Value, member: &str) -> Vec<&'a str> {
    items(value, member).iter().filter_map(Value::as_str).collect()
}

/// The last part of a canonical url: the type's name.
pub(crate) fn last_segment(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or_default()
}
