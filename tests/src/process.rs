//! A server in a process of its own, which can be killed.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use server::{Auth, Config};

use crate::{Client, place};

/// The test that calls [`Process::serve`].
const TEST: &str = "process::serves_other_tests";

/// Where the process that serves keeps its store; not set in the process that tests.
const DIRECTORY: &str = "FLINT_TESTS_DIRECTORY";

/// The URL of its database, where the store is one.
const DATABASE: &str = "FLINT_TESTS_DATABASE";

/// A server that runs until it is killed or dropped.
pub struct Process {
    child: Child,
    _stdout: BufReader<ChildStdout>,
}

impl Process {
    /// Starts this test program again, to run only the test that serves; waits until it serves the store in `directory`.
    pub fn start(directory: &Path) -> (Process, Client) {
        let program = std::env::current_exe().expect("this program has a path");
        let mut command = Command::new(program);
        command.args(["--exact", TEST, "--nocapture"]).env(DIRECTORY, directory).stdout(Stdio::piped());
        command.envs(place::database(directory).map(|url| (DATABASE, url)));
        let mut child = command.spawn().expect("this program runs again");
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        let base_url = loop {
            line.clear();
            let length = stdout.read_line(&mut line).expect("UTF-8");
            assert!(length > 0, "the server did not start");
            if let Some((_, base_url)) = line.split_once("flint serves ") {
                break base_url.trim_end();
            }
        };
        let client = Client::new(base_url);
        (Process { child, _stdout: stdout }, client)
    }

    /// Serves, in the process that [`Process::start`] has started; does nothing in any other.
    pub fn serve() {
        let Some(directory) = std::env::var_os(DIRECTORY) else { return };
        let listen = ([127, 0, 0, 1], 0).into();
        let store = std::env::var(DATABASE).ok();
        let config = Config { data: directory.into(), store, listen, auth: Auth::Off, ..Config::default() };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        runtime.expect("a runtime").block_on(server::serve(config)).expect("a store and a free port");
    }

    /// How many bytes of memory it has held at most, where the system tells.
    pub fn memory_max(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? << 10)
    }

    /// Kills it with SIGKILL, and waits until it is gone.
    pub fn kill(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        self.child.wait().expect("it is a child of this process");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
