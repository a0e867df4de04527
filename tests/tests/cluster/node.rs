//! One server: `flint serve` over a database, with a directory of its own.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use flint_tests::Client;
use tempfile::TempDir;

/// How often a port is tried: another process may take a free one before the server does.
const TRIES: usize = 5;

/// How much of its log a server leaves to a test that fails.
const LOG_LINES: usize = 40;

/// A server that runs until it is killed or dropped.
pub(super) struct Node {
    url: String,
    arguments: Vec<String>,
    directory: TempDir,
    running: Mutex<Option<Running>>,
    client: Client,
}

struct Running {
    child: Child,
    _stdout: BufReader<ChildStdout>,
}

/// The program, which `cargo test --workspace` has built for the tests of its commands.
fn program() -> PathBuf {
    let tests = std::env::current_exe().expect("this program has a path");
    let program = tests.ancestors().nth(2).expect("a target directory").join("flint");
    assert!(program.exists(), "{} is not there: test with --workspace", program.display());
    program
}

/// Runs a command of the program on a database, and gives what it prints.
pub(super) fn run(url: &str, arguments: &[&str]) -> String {
    let directory = TempDir::new().expect("a directory");
    let mut command = Command::new(program());
    command.args(arguments).args(["--store", url, "--data"]).arg(directory.path());
    let output = command.stdin(Stdio::null()).output().expect("the program runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

impl Node {
    /// Waits until it serves.
    pub(super) fn start(url: &str, arguments: &[&str]) -> Node {
        let directory = TempDir::new().expect("a directory");
        let arguments: Vec<_> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let start = |_| {
            let address = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port");
            let running = Running::start(url, directory.path(), &address.to_string(), &arguments)?;
            Some((running, Client::new(&format!("http://{address}/fhir"))))
        };
        let Some((running, client)) = (0..TRIES).find_map(start) else {
            panic!("the server does not start: {}", log(directory.path(), LOG_LINES));
        };
        Node { url: url.to_owned(), arguments, directory, running: Mutex::new(Some(running)), client }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// All that it has written to its log.
    pub(super) fn log(&self) -> String {
        log(self.directory.path(), usize::MAX)
    }

    /// Kills it with SIGKILL, and waits until it is gone.
    pub(super) fn kill(&self) {
        *self.running() = None;
    }

    /// Starts it again, at the same place and with the same directory.
    pub(super) fn restart(&self) {
        self.kill();
        let (_, address) = self.client.base_url().split_once("//").expect("a URL");
        let address = address.trim_end_matches("/fhir");
        let running = Running::start(&self.url, self.directory.path(), address, &self.arguments);
        assert!(running.is_some(), "the server does not start again");
        *self.running() = running;
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    /// `None` when it ends at once.
    fn start(url: &str, directory: &Path, address: &str, arguments: &[String]) -> Option<Running> {
        let mut command = Command::new(program());
        command.args(["serve", "--store", url, "--listen", address, "--data"]).arg(directory).args(arguments);
        let log = File::options().create(true).append(true).open(directory.join("log")).expect("a file");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().expect("the program starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("UTF-8");
        let running = Running { child, _stdout: stdout };
        line.starts_with("flint serves ").then_some(running)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        self.child.wait().expect("it is a child of this process");
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the log of {}:\n{}", self.client.base_url(), log(self.directory.path(), LOG_LINES));
        }
    }
}

/// So many lines from the end of a server's log.
fn log(directory: &Path, most: usize) -> String {
    let log = std::fs::read_to_string(directory.join("log")).unwrap_or_default();
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(most)..].join("\n")
}
