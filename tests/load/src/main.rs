//! Measures Flint beside the physical limits of the machine it runs on, and prints ratios: absolute figures drift, ratios hold.
//!
//! `cargo build --release && cargo run --release -p flint-load -- all`

mod connection;
mod process;
mod report;
mod workload;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

/// Measures Flint beside the limits of this machine.
#[derive(Parser)]
struct Arguments {
    /// What to measure.
    #[arg(value_enum, default_value = "all")]
    workload: Workload,
    /// The server's binary.
    #[arg(long, default_value = "target/release/flint")]
    flint: PathBuf,
    /// A folder of transaction bundles (JSON, may be gzip) for the import.
    #[arg(long, default_value = "../shared/data/synthea")]
    bundles: PathBuf,
    /// How long each measurement of a rate lasts.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Internal: serve this file's bytes from a bare handler on the port given by `--port`.
    #[arg(long, hide = true)]
    bare: Option<PathBuf>,
    #[arg(long, hide = true, default_value_t = 0)]
    port: u16,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Workload {
    /// Time to the first answer, and memory when idle.
    Start,
    /// Reads of one Patient over 8 connections, beside a bare handler.
    Read,
    /// Durable creates over 32 connections, beside the engine alone.
    Create,
    /// Import of bundles, beside parsing them and doing nothing.
    Import,
    /// Everything above.
    All,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    if let Some(path) = &arguments.bare {
        return workload::read::serve_bare(path, arguments.port);
    }
    let duration = Duration::from_secs(arguments.seconds);
    let all = arguments.workload == Workload::All;
    if all || arguments.workload == Workload::Start {
        workload::start::run(&arguments.flint)?;
    }
    if all || arguments.workload == Workload::Read {
        workload::read::run(&arguments.flint, duration)?;
    }
    if all || arguments.workload == Workload::Create {
        workload::create::run(&arguments.flint, duration)?;
    }
    if all || arguments.workload == Workload::Import {
        workload::import::run(&arguments.flint, &arguments.bundles)?;
    }
    Ok(())
}
