//! A server process under measurement.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::connection::{Connection, get};

/// A running server, killed when dropped.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
    /// From the start of the process to its first answer.
    pub(crate) first_answer: Duration,
}

impl Process {
    /// Starts `flint serve` on a free port, open to everybody, and waits for its first answer.
    pub(crate) fn flint(binary: &Path, data: &Path) -> Result<Process, Box<dyn std::error::Error>> {
        Process::serve(binary, data, "off")
    }

    /// The same, for those who show a token.
    pub(crate) fn guarded(binary: &Path, data: &Path) -> Result<Process, Box<dyn std::error::Error>> {
        Process::serve(binary, data, "on")
    }

    /// The same as [`Process::flint`], for a store in a database.
    pub(crate) fn over(binary: &Path, url: &str, data: &Path) -> Result<Process, Box<dyn std::error::Error>> {
        Process::start_serving(binary, data, &["--auth", "off", "--store", url])
    }

    fn serve(binary: &Path, data: &Path, auth: &str) -> Result<Process, Box<dyn std::error::Error>> {
        Process::start_serving(binary, data, &["--auth", auth])
    }

    fn start_serving(binary: &Path, data: &Path, arguments: &[&str]) -> Result<Process, Box<dyn std::error::Error>> {
        let address = free_address()?;
        let mut command = Command::new(binary);
        command.args(["serve", "--listen", &address.to_string(), "--data"]).arg(data).args(arguments);
        Process::start(command, address, "/fhir/metadata")
    }

    /// Starts this program as a bare handler that returns the bytes of a file.
    pub(crate) fn bare(file: &Path) -> Result<Process, Box<dyn std::error::Error>> {
        let address = free_address()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("bare").arg(file).arg(address.port().to_string());
        Process::start(command, address, "/")
    }

    fn start(mut command: Command, address: SocketAddr, path: &str) -> Result<Process, Box<dyn std::error::Error>> {
        let begun = Instant::now();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let mut process = Process { child, address, first_answer: Duration::ZERO };
        loop {
            if let Ok(mut connection) = Connection::open(address)
                && connection.send(&get(path)).is_ok()
            {
                process.first_answer = begun.elapsed();
                return Ok(process);
            }
            if let Some(status) = process.child.try_wait()? {
                return Err(format!("the server ended at once: {status}").into());
            }
            if begun.elapsed() > Duration::from_secs(20) {
                return Err("the server did not answer within 20 s".into());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// User and system CPU time used so far.
    pub(crate) fn cpu(&self) -> Duration {
        cpu_of_process(self.child.id())
    }

    /// CPU time used so far by the threads of these names, which do not end.
    pub(crate) fn cpu_of(&self, names: &[&str]) -> Duration {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).into_iter().flatten().flatten();
        let is_named = |path: &PathBuf| {
            std::fs::read_to_string(path.join("comm")).is_ok_and(|comm| names.contains(&comm.trim_end()))
        };
        let named = tasks.map(|task| task.path()).filter(is_named);
        named.map(|path| thread_cpu(&path)).sum()
    }

    /// Resident memory in bytes that is the process's own: without pages shared with files.
    pub(crate) fn memory(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) * 1024
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The process may have ended by itself: nothing is left to do then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// User and system CPU time that a process has used so far.
pub(crate) fn cpu_of_process(id: u32) -> Duration {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u64 = fields.iter().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    // Linux reports in units of 1/100 s on every platform it runs on.
    Duration::from_millis(ticks * 10)
}

/// CPU time used so far by the thread that calls.
pub(crate) fn own_cpu() -> Duration {
    thread_cpu(Path::new("/proc/thread-self"))
}

fn thread_cpu(task: &Path) -> Duration {
    let text = std::fs::read_to_string(task.join("schedstat")).unwrap_or_default();
    let nanoseconds = text.split_whitespace().next().and_then(|field| field.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or(0))
}

fn free_address() -> std::io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}
