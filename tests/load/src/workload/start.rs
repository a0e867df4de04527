//! Start and idle memory.

use std::path::Path;

use crate::process::Process;

/// Starts the server five times over empty stores; prints the median time to the first answer and the memory of an idle server.
pub(crate) fn run(flint: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let mut times = Vec::new();
    let mut memory = 0;
    for _ in 0..5 {
        let data = tempfile::tempdir()?;
        let process = Process::flint(flint, data.path())?;
        times.push(process.first_answer);
        memory = memory.max(process.memory());
    }
    times.sort_unstable();
    println!("{:<34} {:>9.1} ms (target: under 150)", "start to first answer", times[2].as_secs_f64() * 1e3);
    println!("{:<34} {:>9.1} MB (target: under 60)", "memory when idle", memory as f64 / 1e6);
    Ok(())
}
