//! `flint package`.

use std::error::Error;
use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use fhir::{Outcome, Severity};
use repository::Access;
use services::packages::{self, Id};

use super::Data;

/// What `flint package` takes.
#[derive(Args)]
pub(super) struct Package {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Add packages of profiles, value sets, search parameters and other definitions to a store that no server has open.
    Add(Add),
    /// List the packages of a store.
    List(List),
    /// Remove packages and what they added, unless others need it or it was changed since.
    Remove(Remove),
}

/// What `flint package add` takes.
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
struct Add {
    /// Packages as they are published: `.tgz` files of FHIR R4
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    data: Data,
    /// Refuse a package of which anything is missing or cannot be used; else that is left out and listed
    #[arg(long)]
    strict: bool,
}

const AFTER_HELP: &str = "\
Each package is added as a whole or not at all. Examples are left out. While a server runs, `POST $package-add` does the same: \
curl -H 'Content-Type: application/gzip' --data-binary @FILE http://127.0.0.1:8080/fhir/$package-add";

/// What `flint package list` takes.
#[derive(Args)]
struct List {
    #[command(flatten)]
    data: Data,
}

/// What `flint package remove` takes.
#[derive(Args)]
struct Remove {
    /// Such as `hl7.fhir.uv.ips@1.1.0`
    #[arg(required = true, value_name = "NAME@VERSION")]
    packages: Vec<String>,
    #[command(flatten)]
    data: Data,
}

impl Package {
    /// Does what was asked.
    pub(super) fn run(self) -> Result<(), Box<dyn Error>> {
        match self.action {
            Action::Add(add) => add.run(),
            Action::List(list) => list.run(),
            Action::Remove(remove) => remove.run(),
        }
    }
}

impl Add {
    fn run(self) -> Result<(), Box<dyn Error>> {
        let state = Data::open(self.data.settings()?)?;
        let session = state.repository.open(Access::full());
        for path in self.files {
            let named = |error: &dyn std::fmt::Display| format!("`{}`: {error}", path.display());
            let file = File::open(&path).map_err(|error| named(&error))?;
            let told = packages::add(&session, &mut BufReader::new(file), self.strict);
            tell(&told.map_err(|refused| named(&refused))?);
        }
        state.index_rest()?;
        Ok(())
    }
}

impl List {
    fn run(self) -> Result<(), Box<dyn Error>> {
        let state = self.data.open_existing()?;
        for package in packages::list(&state.repository.open(Access::full()))? {
            println!("{} ({} resources) {}", package.id, package.resources.len(), package.title);
        }
        Ok(())
    }
}

impl Remove {
    fn run(self) -> Result<(), Box<dyn Error>> {
        let state = self.data.open_existing()?;
        let session = state.repository.open(Access::full());
        for package in &self.packages {
            tell(&packages::remove(&session, &Id::parse(package)?)?);
        }
        state.index_rest()?;
        Ok(())
    }
}

/// Prints what came of it, and on standard error what is missing or left out.
fn tell(told: &Outcome) {
    for issue in &told.issues {
        match issue.severity {
            Severity::Information => println!("{}", issue.diagnostics),
            _ => eprintln!("{}", issue.diagnostics),
        }
    }
}
