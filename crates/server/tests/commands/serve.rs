use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};

use super::bench::Bench;

/// A server that runs until it is told to stop.
pub(crate) struct Serving {
    child: Child,
    _stdout: BufReader<ChildStdout>,
    address: String,
}

impl Serving {
    pub(crate) fn start(bench: &Bench, arguments: &[&str]) -> Serving {
        let mut command = bench.command("serve", arguments);
        command.args(["--auth", "off", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the program starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("UTF-8");
        let address = line.trim_end().strip_prefix("flint serves http://").and_then(|url| url.strip_suffix("/fhir"));
        let address = address.unwrap_or_else(|| panic!("`{line}` names no base URL")).to_owned();
        Serving { child, _stdout: stdout, address }
    }

    /// Sends the beginning of a request, whose answer will be the last on its connection.
    fn send(&self, line: &str, rest: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        let head = format!("{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{rest}\r\n");
        stream.write_all(head.as_bytes()).expect("sent");
        stream
    }

    pub(crate) fn get(&self, path: &str) -> String {
        rest(self.send(&format!("GET {path}"), ""))
    }

    pub(crate) fn put(&self, path: &str, resource: &str) -> String {
        let head = format!("Content-Type: application/fhir+json\r\nContent-Length: {}\r\n", resource.len());
        let mut stream = self.send(&format!("PUT {path}"), &head);
        stream.write_all(resource.as_bytes()).expect("sent");
        rest(stream)
    }

    /// Has it end by itself.
    pub(crate) fn stop(self) {
        self.signal("TERM");
        assert_eq!(self.code(), Some(0));
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status();
        assert!(sent.expect("the program kill").success());
    }

    /// The exit code, once it has ended.
    fn code(mut self) -> Option<i32> {
        self.child.wait().expect("a child").code()
    }
}

/// Not to leave a server behind when a test fails.
impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn rest(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer in UTF-8");
    answer
}

#[test]
fn serves_until_it_is_told_to_stop() {
    let bench = Bench::new();
    bench.write("ann.ndjson", r#"{"resourceType":"Patient","id":"ann"}"#);
    for signal in ["TERM", "INT"] {
        let serving = Serving::start(&bench, &["--load", "ann.ndjson"]);
        assert!(serving.get("/health").starts_with("HTTP/1.1 200 OK\r\n"));
        let ann = serving.get("/fhir/Patient/ann");
        assert!(ann.contains(r#""id":"ann""#) && ann.contains("etag: W/\"1\"\r\n"), "{ann}");
        serving.signal(signal);
        assert_eq!(serving.code(), Some(0));
    }
}

#[test]
fn ends_what_it_has_begun_before_it_stops() {
    let bench = Bench::new();
    let bob = r#"{"resourceType":"Patient","id":"bob"}"#;
    let serving = Serving::start(&bench, &[]);
    let head =
        format!("Content-Type: application/fhir+json\r\nContent-Length: {}\r\nExpect: 100-continue\r\n", bob.len());
    let mut stream = serving.send("PUT /fhir/Patient/bob", &head);
    let mut go_on = [0; "HTTP/1.1 100 Continue\r\n\r\n".len()];
    stream.read_exact(&mut go_on).expect("it waits for the body");
    serving.signal("TERM");
    stream.write_all(bob.as_bytes()).expect("it still reads");
    let answer = rest(stream);
    assert!(answer.starts_with("HTTP/1.1 201 Created\r\n"), "{answer}");
    assert_eq!(serving.code(), Some(0));
    assert_eq!(bench.resources().into_keys().collect::<Vec<_>>(), ["Patient/bob"]);
}

#[test]
fn says_why_it_cannot_serve() {
    let bench = Bench::new();
    bench.write("wrong.toml", "lisen = '127.0.0.1:0'");
    let other = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = other.local_addr().expect("an address").to_string();
    let serving = Serving::start(&bench, &[]);
    let cases: [(&[&str], &str); 5] = [
        (&["--listen", "127.0.0.1:0"], "in use by another process"),
        (&["--listen", &taken], "in use by another program"),
        (&["--auth", "off", "--listen", "0.0.0.0:0"], "loopback"),
        (&["--config", "gone.toml"], "gone.toml"),
        (&["--config", "wrong.toml"], "lisen"),
    ];
    for (arguments, expected) in cases {
        let ran = bench.run("serve", arguments);
        assert_eq!(ran.code, 1, "{arguments:?}: {ran:?}");
        assert!(ran.err.contains("flint: ") && ran.err.contains(expected), "{arguments:?}: {ran:?}");
    }
    assert!(serving.get("/health").starts_with("HTTP/1.1 200 OK\r\n"));
}
