//! `flint terminology`.

use std::error::Error;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Data;
use crate::terminology;

/// What `flint terminology` takes.
#[derive(Args)]
pub(super) struct Terminology {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Bring SNOMED CT or LOINC into a store that no server has open, in place of the version that is there.
    Import(Import),
}

/// What `flint terminology import` takes.
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
struct Import {
    /// Folders and files of one release, unzipped
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    data: Data,
    /// Version of the code system [default: as the files name it]
    #[arg(long = "version", value_name = "VERSION")]
    version: Option<String>,
    /// Language reference set of SNOMED CT whose preferred terms are shown [default: English of Great Britain, else of the US]
    #[arg(long, value_name = "ID")]
    language: Option<String>,
}

const AFTER_HELP: &str = "\
Of SNOMED CT the snapshot files of release format 2 are read: concepts, descriptions, relationships, and where they are there language and simple \
reference sets. Of LOINC `Loinc.csv` is read, and where they are there `Part.csv`, `ComponentHierarchyBySystem.csv` and `AnswerList.csv`. Both need \
a license of their owners. Until the new version is in as a whole, the former one stays; a crash leaves it as it was.";

impl Terminology {
    /// Does what was asked.
    pub(super) fn run(self) -> Result<(), Box<dyn Error>> {
        let Action::Import(Import { paths, data, version, language }) = self.action;
        let state = Data::open(data.settings()?)?;
        let imported = terminology::Import { paths, version, language }.run(&state)?;
        let terminology::Imported { url, version, concepts } = imported;
        println!("imported {concepts} concepts of {url}, version {version}");
        Ok(())
    }
}
