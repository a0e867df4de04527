//! Measures Flint beside the physical limits of the machine it runs on, and prints ratios: absolute figures drift, ratios hold.
//!
//! `cargo build --release && cargo run --release -p flint-load -- all`

mod connection;
mod process;
mod report;
mod scale;
mod workload;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use scale::Scale;
use workload::{access, booking, mongodb, search};

/// Measures Flint beside the limits of this machine.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
struct Common {
    /// The server's binary.
    #[arg(long, global = true, default_value = "target/release/flint")]
    flint: PathBuf,
    /// A folder of transaction bundles (JSON, may be gzip), a patient's record each.
    #[arg(long, global = true, default_value = "../shared/data/synthea")]
    bundles: PathBuf,
    /// How long each measurement of a rate lasts.
    #[arg(long, global = true, default_value_t = 5)]
    seconds: u64,
}

#[derive(Subcommand)]
enum Command {
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
    /// Makes data for `flint import` out of the bundles: gzipped NDJSON.
    Scale {
        /// How many resources, at least.
        #[arg(long)]
        resources: u64,
        /// The same seed makes the same data.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// The file to write.
        #[arg(long)]
        out: PathBuf,
    },
    /// Searches at several sizes of the same data, and what more data costs.
    Search {
        /// How many resources, smallest first.
        #[arg(long, value_delimiter = ',', default_value = "100000,1000000")]
        sizes: Vec<u64>,
        /// The same seed makes the same data.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Where to write the figures as JSON as well.
        #[arg(long)]
        json: Option<PathBuf>,
        /// A folder that keeps the stores for the next run, with the same version of the server [default: none is kept]
        #[arg(long)]
        stores: Option<PathBuf>,
        /// Measures only the searches whose names contain this, and nothing besides.
        #[arg(long)]
        only: Option<String>,
    },
    /// What tokens, scopes, consents and the audit cost, beside the same without.
    Access {
        /// How many resources, at least.
        #[arg(long, default_value_t = 100_000)]
        resources: u64,
        /// The same seed makes the same data.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Where to write the figures as JSON as well.
        #[arg(long)]
        json: Option<PathBuf>,
        /// Measures nothing but how long answers about what is hidden take, beside those about what is not there: so many of each
        #[arg(long)]
        hidden: Option<usize>,
        /// A folder that keeps the store for the next run, with the same version of the server [default: none is kept]
        #[arg(long)]
        stores: Option<PathBuf>,
        /// Measures only the searches whose names contain this, and nothing besides.
        #[arg(long)]
        only: Option<String>,
    },
    /// Bookings beside plain creates, the search for free slots, and the rush when slots are released.
    Booking {
        /// How many slots the practice has, over ten years.
        #[arg(long, default_value_t = 1_000_000)]
        slots: usize,
        /// A folder that keeps the store for the next run, with the same version of the server [default: none is kept]
        #[arg(long)]
        stores: Option<PathBuf>,
    },
    /// A store in MongoDB: writes beside the driver alone, searches beside the embedded store, and what the database goes through.
    Mongodb {
        /// The database's program, 5.0 or later.
        #[arg(long, env = "FLINT_MONGOD")]
        mongod: PathBuf,
        /// How many resources are searched, at least.
        #[arg(long, default_value_t = 100_000)]
        resources: u64,
        /// The same seed makes the same data.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Where to write the figures as JSON as well.
        #[arg(long)]
        json: Option<PathBuf>,
        /// Measures only what has this in its name.
        #[arg(long)]
        only: Option<String>,
    },
    /// Internal: serves a file's bytes from a bare handler.
    #[command(hide = true)]
    Bare { file: PathBuf, port: u16 },
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Arguments { command, common: Common { flint, bundles, seconds } } = Arguments::parse();
    let duration = Duration::from_secs(seconds);
    match command.unwrap_or(Command::All) {
        Command::Start => workload::start::run(&flint),
        Command::Read => workload::read::run(&flint, duration),
        Command::Create => workload::create::run(&flint, duration),
        Command::Import => workload::import::run(&flint, &bundles),
        Command::All => {
            workload::start::run(&flint)?;
            workload::read::run(&flint, duration)?;
            workload::create::run(&flint, duration)?;
            workload::import::run(&flint, &bundles)
        }
        Command::Scale { resources, seed, out } => {
            let facts = Scale::read(&bundles)?.write_file(resources, seed, &out)?;
            println!("{} resources in {}", facts.resources, out.display());
            Ok(())
        }
        Command::Search { sizes, seed, json, stores, only } => {
            search::run(&search::Options { flint, bundles, sizes, seed, time: duration, json, stores, only })
        }
        Command::Access { resources, seed, json, hidden, stores, only } => access::run(&access::Options {
            flint,
            bundles,
            resources,
            seed,
            time: duration,
            json,
            hidden,
            stores,
            only,
        }),
        Command::Booking { slots, stores } => booking::run(&booking::Options { flint, slots, time: duration, stores }),
        Command::Mongodb { mongod, resources, seed, json, only } => {
            mongodb::run(&mongodb::Options { flint, mongod, bundles, resources, seed, time: duration, json, only })
        }
        Command::Bare { file, port } => workload::read::serve_bare(&file, port),
    }
}
