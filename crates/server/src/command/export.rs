//! `flint export`.

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use fhir::Outcome;
use repository::{Access, Count, SearchRequest, Version};
use search::{Handling, Scope};
use store::Page;

use super::Data;
use crate::State;
use crate::progress::{Progress, rate};

/// What `flint export` takes.
#[derive(Args)]
pub(super) struct Export {
    /// A new or empty folder; each type becomes a file `Type.ndjson` in it
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    #[command(flatten)]
    data: Data,
}

/// Resources read at one time: no read lives longer than it takes to write these down.
const PAGE: usize = 1000;

/// The end of a file's name until all files are complete.
const PARTIAL: &str = ".partial";

impl Export {
    /// Exports every current resource.
    pub(super) fn run(self) -> Result<(), Box<dyn Error>> {
        let state = self.data.open_existing()?;
        prepare(&self.folder)?;
        let types = state.repository.store().statistics()?.documents;
        let types: Vec<_> = types.into_iter().filter(|(_, count)| *count > 0).collect();
        let progress = Progress::new(types.iter().map(|(_, count)| count).sum());
        let mut counts = Vec::new();
        for (name, _) in &types {
            counts.push((name, export_type(&state, &self.folder, name, &progress)?));
        }
        for (name, _) in &types {
            fs::rename(partial(&self.folder, name), self.folder.join(file_name(name)))?;
        }
        File::open(&self.folder)?.sync_all()?;
        progress.finish();
        for (name, count) in &counts {
            println!("{count:>10} {name}");
        }
        let total = counts.iter().map(|(_, count)| count).sum();
        println!("exported {} to {}", rate(total, progress.elapsed()), self.folder.display());
        Ok(())
    }
}

/// Makes the folder, or takes an empty one. What an export left that did not end is taken away.
pub(super) fn prepare(folder: &Path) -> Result<(), Box<dyn Error>> {
    let unusable = |error: std::io::Error| format!("cannot write to `{}`: {error}", folder.display());
    fs::create_dir_all(folder).map_err(unusable)?;
    let paths: Vec<_> = fs::read_dir(folder).and_then(Iterator::collect::<Result<_, _>>).map_err(unusable)?;
    let is_partial = |entry: &fs::DirEntry| entry.file_name().as_encoded_bytes().ends_with(PARTIAL.as_bytes());
    if let Some(other) = paths.iter().find(|entry| !is_partial(entry)) {
        let name = other.file_name();
        let (folder, name) = (folder.display(), name.display());
        return Err(format!("`{folder}` is not empty, it has `{name}`: name a new or empty folder").into());
    }
    paths.iter().try_for_each(|entry| fs::remove_file(entry.path())).map_err(unusable)?;
    Ok(())
}

fn file_name(name: &str) -> String {
    format!("{name}.ndjson")
}

fn partial(folder: &Path, name: &str) -> PathBuf {
    folder.join(file_name(name) + PARTIAL)
}

/// Writes one type, and tells how many there were. Pages follow the order of creation, so what is changed meanwhile comes once.
fn export_type(state: &State, folder: &Path, name: &str, progress: &Progress) -> Result<u64, Box<dyn Error>> {
    let Some(resource_type) = state.definitions.resource_type(name) else {
        return Err(format!("the store holds `{name}`, which is no resource type of FHIR R4").into());
    };
    let path = partial(folder, name);
    let unwritable = |error: std::io::Error| format!("cannot write `{}`: {error}", path.display());
    let mut file = BufWriter::new(File::create(&path).map_err(unwritable)?);
    let mut count = 0;
    each_page(state, resource_type, |versions| {
        for body in versions.iter().filter_map(|version| version.body.as_ref()) {
            file.write_all(body).and_then(|()| file.write_all(b"\n")).map_err(unwritable)?;
        }
        count += versions.len() as u64;
        progress.advance(versions.len() as u64);
        progress.count(versions.len() as u64);
        Ok(())
    })?;
    let file = file.into_inner().map_err(|error| unwritable(error.into_error()))?;
    file.sync_all().map_err(unwritable)?;
    Ok(count)
}

fn each_page(
    state: &State,
    resource_type: &'static str,
    mut page: impl FnMut(&[Version]) -> Result<(), String>,
) -> Result<(), Box<dyn Error>> {
    let session = state.repository.open(Access::full());
    let scope = Scope { resource_type: Some(resource_type), compartment: None };
    let query = session.registry().query(&scope, &[], Handling::Strict, state.repository.now())?;
    let mut next = Page::First;
    loop {
        let request = SearchRequest { query: &query, page: next, limit: PAGE, total: Count::None, explain: false };
        let found = session.search(&request).map_err(|outcome: Outcome| outcome.to_string())?;
        page(&found.matches)?;
        match found.next {
            Some(cursor) => next = Page::After(cursor),
            None => return Ok(()),
        }
    }
}
