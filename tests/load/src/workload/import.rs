//! Import of bundles with full validation and indexing, beside parsing the same files and doing nothing.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use store::{Embedded, Store, SystemClock};

/// Imports everything in `bundles` into an empty store.
pub(crate) fn run(flint: &Path, bundles: &Path) -> Result<(), Box<dyn std::error::Error>> {
    if !bundles.is_dir() {
        println!("import: {} is not here; not measured", bundles.display());
        return Ok(());
    }
    let parsing = parse_all(bundles)?;
    let data = tempfile::tempdir()?;
    let begun = Instant::now();
    let status = Command::new(flint)
        .arg("import")
        .arg("--data")
        .arg(data.path())
        .arg(bundles)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    let elapsed = begun.elapsed();
    if !status.success() {
        return Err(format!("flint import: {status}").into());
    }
    let statistics = Embedded::open(data.path(), Arc::new(SystemClock))?.statistics()?;
    let resources: u64 = statistics.documents.iter().map(|(_, count)| count).sum();
    let rate = resources as f64 / elapsed.as_secs_f64();
    println!("{:<34} {rate:>9.0} resources/s (target: at least 3000)", "import");
    println!(
        "{:<34} {resources} resources in {:.1} s, {:.1} times the time of parsing alone, {} bytes of disk each",
        "",
        elapsed.as_secs_f64(),
        elapsed.as_secs_f64() / parsing.as_secs_f64(),
        statistics.disk_bytes / resources.max(1),
    );
    Ok(())
}

fn parse_all(folder: &Path) -> Result<Duration, Box<dyn std::error::Error>> {
    let paths: Vec<PathBuf> =
        std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    let begun = Instant::now();
    for path in paths {
        let bytes = std::fs::read(&path)?;
        let mut text = Vec::new();
        if path.extension().is_some_and(|extension| extension == "gz") {
            flate2::read::GzDecoder::new(bytes.as_slice()).read_to_end(&mut text)?;
        } else {
            text = bytes;
        }
        serde_json::from_slice::<serde_json::Value>(&text)?;
    }
    Ok(begun.elapsed())
}
