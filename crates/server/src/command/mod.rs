//! The commands of `flint`: one file and one variant each.

mod app;
mod audit;
mod backup;
mod copy;
mod export;
mod import;
mod keys;
mod package;
mod serve;
mod terminology;
mod user;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::listen::StartError;
use crate::{Config, Settings, State, backend, telemetry};

/// A FHIR R4 server.
#[derive(Parser)]
#[command(name = "flint", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve FHIR over HTTP.
    Serve(serve::Serve),
    /// Load files into a store that no server has open.
    Import(import::Import),
    /// Write every current resource of a store that no server has open, as NDJSON.
    Export(export::Export),
    /// Copy a store, also while a server has it open.
    Backup(backup::Backup),
    /// Make a store of a backup.
    Restore(backup::Restore),
    /// Move a store between a directory and a database, with its history.
    Copy(copy::Copy),
    /// Apps and systems that may ask for tokens.
    App(app::App),
    /// People who may sign in.
    User(user::User),
    /// The keys that sign tokens.
    Keys(keys::Keys),
    /// Packages of profiles and other definitions.
    Package(package::Package),
    /// The audit: who saw and did what.
    Audit(audit::Audit),
    /// Work with code systems that are not FHIR resources.
    Terminology(terminology::Terminology),
}

/// The store that a command works on without a server.
#[derive(Args)]
struct Data {
    /// A TOML file with any of the settings of `flint serve`; flags and environment go before it.
    #[arg(long, env = "FLINT_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Directory of the store, or of what a server keeps beside a store elsewhere [default: flint-data]
    #[arg(long, env = "FLINT_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
    /// URL of a MongoDB database that is the store: mongodb://HOST/DATABASE?replicaSet=NAME
    #[arg(long, env = "FLINT_STORE", value_name = "URL", hide_env_values = true)]
    store: Option<String>,
    /// URL under which clients reach the server: what references with this URL mean [default: http://127.0.0.1:8080/fhir]
    #[arg(long, env = "FLINT_BASE_URL", value_name = "URL")]
    base_url: Option<String>,
}

impl Data {
    /// Opens the store that settings name, or makes one.
    fn open(settings: Settings) -> Result<State, Box<dyn Error>> {
        Self::open_at(Self::config(settings)?)
    }

    /// Opens a store that is there: from a mistyped place nothing would come, and look like success.
    fn open_existing(&self) -> Result<State, Box<dyn Error>> {
        let config = Self::config(self.settings()?)?;
        let place = backend::place(&config);
        if !backend::exists(&config).map_err(|error| StartError::Store(place.clone(), error))? {
            return Err(format!("there is no store in {place}: name it with --data or --store").into());
        }
        Self::open_at(config)
    }

    fn settings(&self) -> Result<Settings, Box<dyn Error>> {
        let settings = Settings::of_store(self.data.clone(), self.store.clone(), self.base_url.clone());
        Ok(match &self.config {
            Some(path) => settings.or(Settings::read(path)?),
            None => settings,
        })
    }

    fn config(settings: Settings) -> Result<Config, Box<dyn Error>> {
        telemetry::log_to_stderr(&settings)?;
        Ok(settings.resolve()?)
    }

    fn open_at(config: Config) -> Result<State, Box<dyn Error>> {
        let base_url = config.base_url.clone().unwrap_or_else(|| format!("http://{}/fhir", config.listen));
        let place = backend::place(&config);
        Ok(State::open(config, base_url).map_err(|error| StartError::Store(place, error))?)
    }
}

/// Runs the command that the program's arguments name.
pub fn run() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Serve(serve) => serve.run(),
        Command::Import(import) => import.run(),
        Command::Export(export) => export.run(),
        Command::Backup(backup) => backup.run(),
        Command::Restore(restore) => restore.run(),
        Command::Copy(copy) => copy.run(),
        Command::App(app) => app.run(),
        Command::User(user) => user.run(),
        Command::Keys(keys) => keys.run(),
        Command::Package(package) => package.run(),
        Command::Audit(audit) => audit.run(),
        Command::Terminology(terminology) => terminology.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("flint: {error}");
            ExitCode::FAILURE
        }
    }
}
