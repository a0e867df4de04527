//! The commands of `flint`: one file and one variant each.

mod serve;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
}

/// Runs the command that the program's arguments name.
pub fn run() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Serve(serve) => serve.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("flint: {error}");
            ExitCode::FAILURE
        }
    }
}
