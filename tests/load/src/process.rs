//! A server process under measurement.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
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
    /// Starts `flint serve` on a free port and waits for its first answer.
    pub(crate) fn flint(binary: &Path, data: &Path) -> Result<Process, Box<dyn std::error::Error>> {
        let address = free_address()?;
        let mut command = Command::new(binary);
        command.args(["serve", "--auth", "off", "--listen", &address.to_string(), "--data"]).arg(data);
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
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks: u64 = fields.iter().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
        // Linux reports in units of 1/100 s on every platform it runs on.
        Duration::from_millis(ticks * 10)
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

fn free_address() -> std::io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}
