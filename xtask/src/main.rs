//! Chores of the workspace that are written in Rust: `cargo run -p xtask -- definitions PACKAGE`.

mod definitions;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["definitions", package] => definitions::write(Path::new(package)),
        _ => Err("usage: xtask definitions PACKAGE (the unpacked folder of hl7.fhir.r4.examples 4.0.1)".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}
