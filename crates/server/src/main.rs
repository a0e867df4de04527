//! The program `flint`.

use std::process::ExitCode;

fn main() -> ExitCode {
    server::command::run()
}
