//! `flint backup` and `flint restore`.

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;

use super::Data;
use super::export::prepare;
use crate::Config;
use crate::progress::Progress;

/// What `flint backup` takes.
#[derive(Args)]
pub(super) struct Backup {
    /// A new or empty folder
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    #[command(flatten)]
    data: Data,
}

/// What `flint restore` takes.
#[derive(Args)]
pub(super) struct Restore {
    /// The folder of a backup
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    #[command(flatten)]
    data: Data,
}

impl Backup {
    /// Copies the store, be it served or not.
    pub(super) fn run(self) -> Result<(), Box<dyn Error>> {
        let config = directory(&self.data)?;
        prepare(&self.folder)?;
        let begun = Instant::now();
        let bytes = store::backup(&config.data, &self.folder)?;
        println!(
            "backed up {} to {} in {:.1} s",
            megabytes(bytes),
            self.folder.display(),
            begun.elapsed().as_secs_f64()
        );
        Ok(())
    }
}

impl Restore {
    /// Makes a store of a backup, where none is.
    pub(super) fn run(self) -> Result<(), Box<dyn Error>> {
        let config = directory(&self.data)?;
        let bytes = store::backup_length(&self.folder)?;
        prepare(&config.data)?;
        let progress = Progress::of("bytes", bytes);
        store::restore(&self.folder, &config.data, &mut |more| {
            progress.advance(more);
            progress.count(more);
        })?;
        progress.finish();
        let data = config.data.display().to_string();
        let statistics = Data::open_at(config)?.repository().store().statistics()?;
        let count: u64 = statistics.documents.iter().map(|(_, count)| count).sum();
        println!("restored {} with {count} resources to {data}", megabytes(bytes));
        Ok(())
    }
}

/// The configuration of a store that is a directory.
fn directory(data: &Data) -> Result<Config, Box<dyn Error>> {
    let config = Data::config(data.settings()?)?;
    match config.store {
        None => Ok(config),
        Some(_) => Err("a database is backed up and restored by its own tools: `mongodump --oplog` and `mongorestore \
                        --oplogReplay`, or snapshots of its disks"
            .into()),
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
