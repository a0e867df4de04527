//! What the server says of its terminology, and bringing in terminologies in the form in which their owners release them: SNOMED CT (RF2)
//! and LOINC.
//!
//! Invariants:
//! - Files are read row by row, whatever their length; what is kept is the code system in its compact form.
//! - The former version is used until the new one is there as a whole.

mod capabilities;
mod error;
mod loinc;
mod snomed;
mod table;

use std::fs;
use std::path::{Path, PathBuf};

use fhir::json::{Document, quote};
use fhir::terminology::CodeSystem;
use repository::{Access, Change, Key, Target};

pub(crate) use self::capabilities::capabilities;
pub(crate) use self::error::ImportError;
use crate::State;
use crate::progress::Progress;

/// How deep folders are searched.
const DEPTH_MAX: usize = 16;

/// What is to be brought in.
pub(crate) struct Import {
    pub(crate) paths: Vec<PathBuf>,
    /// The version of the code system; `None` to find it in the files.
    pub(crate) version: Option<String>,
    /// The language reference set of SNOMED CT whose preferred terms are the displays; `None` for the first one known that is there.
    pub(crate) language: Option<String>,
}

/// What was brought in.
pub(crate) struct Imported {
    pub(crate) url: &'static str,
    pub(crate) version: String,
    pub(crate) concepts: u32,
}

/// A terminology in the form of its owner.
enum Release {
    Snomed(snomed::Files),
    Loinc(loinc::Files),
}

impl Import {
    /// Reads the files and makes their code system the current one of its url.
    pub(crate) fn run(&self, state: &State) -> Result<Imported, ImportError> {
        let mut files = Vec::new();
        for path in &self.paths {
            find_files(path, 0, &mut files)?;
        }
        files.sort();
        let release = Release::of(&files, &self.paths)?;
        let (noun, bytes) = ("rows", release.paths().try_fold(0, |sum, path| length(path).map(|bytes| sum + bytes))?);
        let progress = Progress::of(noun, bytes);
        let system = match &release {
            Release::Snomed(files) => files.read(self.version.as_deref(), self.language.as_deref(), &progress)?,
            Release::Loinc(files) => files.read(self.version.as_deref(), &progress)?,
        };
        progress.finish();
        let (id, url) = release.name();
        store(state, id, &system)?;
        Ok(Imported { url, version: system.version().unwrap_or_default().to_owned(), concepts: system.count() })
    }
}

impl Release {
    fn of(files: &[PathBuf], given: &[PathBuf]) -> Result<Release, ImportError> {
        match (snomed::Files::of(files), loinc::Files::of(files)) {
            (Some(_), Some(_)) => {
                Err(ImportError::new("the files are of SNOMED CT and of LOINC: import one after the other"))
            }
            (Some(files), None) => Ok(Release::Snomed(files)),
            (None, Some(files)) => Ok(Release::Loinc(files)),
            (None, None) => {
                let given = given.iter().map(|path| format!("`{}`", path.display())).collect::<Vec<_>>().join(", ");
                Err(ImportError::new(format!(
                    "neither `sct2_Concept_*Snapshot*.txt` of a SNOMED CT release nor `Loinc.csv` is in {given}"
                )))
            }
        }
    }

    fn paths(&self) -> impl Iterator<Item = &Path> {
        let paths = match self {
            Release::Snomed(files) => files.paths(),
            Release::Loinc(files) => files.paths(),
        };
        paths.into_iter()
    }

    /// The id of its CodeSystem, and its url.
    fn name(&self) -> (&'static str, &'static str) {
        match self {
            Release::Snomed(_) => ("snomed-ct", snomed::URL),
            Release::Loinc(_) => ("loinc", loinc::URL),
        }
    }
}

/// Puts a code system into the store: its concepts packed, and a CodeSystem that has none.
fn store(state: &State, id: &str, system: &CodeSystem) -> Result<(), ImportError> {
    let bytes = system.to_bytes();
    let key = Key::new("CodeSystem", id).expect("the ids above are ids");
    let document = Document::parse(resource(id, system).as_bytes()).expect("what is quoted is JSON");
    let target = Target::Key(key);
    let change = Change::Update { target, document, if_match: None, if_none_match: false, full_url: None };
    let session = state.repository.open(Access::full());
    let progress = Progress::of("bytes", bytes.len() as u64);
    let stored =
        session.transact_packing(system.url(), &bytes, vec![change], &mut |more| progress.advance(more as u64));
    progress.finish();
    stored.map(drop).map_err(|refusal| ImportError::new(refusal.outcome.to_string()))
}

fn resource(id: &str, system: &CodeSystem) -> String {
    let header = system.header();
    let maybe = |name: &str, text: &Option<String>| {
        text.as_ref().map_or(String::new(), |text| format!(r#","{name}":{}"#, quote(text)))
    };
    let properties = system.declared().iter().map(|property| {
        let (code, kind) = (quote(&property.code), quote(&property.kind));
        let description = maybe("description", &property.description);
        format!(r#"{{"code":{code}{}{description},"type":{kind}}}"#, maybe("uri", &property.uri))
    });
    format!(
        r#"{{"resourceType":"CodeSystem","id":"{id}","url":{}{}{}{},"status":"active","experimental":false,"caseSensitive":{}{},"hierarchyMeaning":"is-a","content":"not-present","count":{},"property":[{}]}}"#,
        quote(&header.url),
        maybe("version", &header.version),
        maybe("name", &header.name),
        maybe("title", &header.title),
        header.is_case_sensitive,
        maybe("valueSet", &header.value_set),
        system.count(),
        properties.collect::<Vec<_>>().join(","),
    )
}

/// The files at a path, of a folder those in it.
fn find_files(path: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), ImportError> {
    let unreadable = |error: std::io::Error| ImportError::file(path, &error);
    if !fs::metadata(path).map_err(unreadable)?.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    if depth == DEPTH_MAX {
        return Err(ImportError::new(format!("`{}` lies deeper than {DEPTH_MAX} folders", path.display())));
    }
    for entry in fs::read_dir(path).map_err(unreadable)? {
        find_files(&entry.map_err(unreadable)?.path(), depth + 1, files)?;
    }
    Ok(())
}

fn length(path: &Path) -> Result<u64, ImportError> {
    fs::metadata(path).map(|metadata| metadata.len()).map_err(|error| ImportError::file(path, &error))
}

/// The name of a file; empty where it is no text.
fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}
