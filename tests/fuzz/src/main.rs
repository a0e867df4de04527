//! Runs a fuzz target for a while: `cargo run --release -p flint-fuzz -- json --seconds 300`.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use flint_fuzz::{Mutator, TARGETS, Target};

/// Feeds changed inputs to what reads what callers send.
#[derive(Parser)]
struct Arguments {
    /// What to feed; all in turn when nothing is named.
    targets: Vec<String>,
    /// How long each is fed.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// What the inputs follow from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where each input is written before it is read, so that it is there when the process dies of it; the slowest is kept beside it.
    #[arg(long, default_value = "flint-fuzz.last")]
    last: PathBuf,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let names = &arguments.targets;
    if let Some(unknown) = names.iter().find(|name| TARGETS.iter().all(|target| target.name != **name)) {
        let known: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
        eprintln!("there is no target `{unknown}`; there are {}", known.join(", "));
        return ExitCode::FAILURE;
    }
    for target in TARGETS.iter().filter(|target| names.is_empty() || names.iter().any(|name| name == target.name)) {
        if let Err(error) = feed(target, &arguments) {
            eprintln!("cannot write {}: {error}", arguments.last.display());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// A panic ends the process: the input that caused it stands in `last`.
fn feed(target: &Target, arguments: &Arguments) -> io::Result<()> {
    let last = File::create(&arguments.last)?;
    let mut mutator = Mutator::new(target, arguments.seed);
    let start = Instant::now();
    let (mut count, mut slowest, mut slow) = (0_u64, Duration::ZERO, Vec::new());
    while start.elapsed() < Duration::from_secs(arguments.seconds) {
        let input = mutator.next_input();
        last.set_len(input.len() as u64)?;
        last.write_all_at(input, 0)?;
        let began = Instant::now();
        (target.run)(input);
        let took = began.elapsed();
        if took > slowest {
            (slowest, slow) = (took, input.to_vec());
        }
        count += 1;
    }
    let shown = String::from_utf8_lossy(&slow[..slow.len().min(200)]).into_owned();
    println!("{}: {count} inputs; the slowest took {slowest:?} ({} bytes): {shown:?}", target.name, slow.len());
    std::fs::write(arguments.last.with_extension(format!("{}.slowest", target.name)), &slow)
}
