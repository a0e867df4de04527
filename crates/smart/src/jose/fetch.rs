//! Public documents of others, fetched from where they publish them.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use ureq::Agent;
use ureq::unversioned::transport::DefaultConnector;

use super::jwk::TEXT_MAX;
use super::public::PublicAddresses;
use crate::uri;

/// For one request, from its name's look-up to the end of the body.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Gets public documents from elsewhere.
pub trait Fetch: Send + Sync {
    /// The body at this URL, at most 64 KiB.
    fn get(&self, url: &str) -> Result<Vec<u8>, FetchError>;

    /// The same at a URL that somebody named whom nobody knows: asked over `https` at public addresses only, so that it leads to nothing inside the
    /// server's own network.
    fn get_public(&self, url: &str) -> Result<Vec<u8>, FetchError>;
}

/// That a document could not be had. Why goes to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchError;

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key set cannot be fetched")
    }
}

impl Error for FetchError {}

/// Fetches over the network: `https`, and `http` on this machine. It follows no redirects, so that nothing else is asked than what was registered.
pub struct Https {
    pub(crate) agent: Agent,
    /// For URLs of strangers. Its requests pass no proxy: only so the address that is looked at is the one that is asked.
    public: Agent,
}

impl Default for Https {
    fn default() -> Https {
        let config = || Agent::config_builder().timeout_global(Some(TIMEOUT)).max_redirects(0);
        let public = config().proxy(None).https_only(true).build();
        Https {
            agent: config().build().into(),
            public: Agent::with_parts(public, DefaultConnector::default(), PublicAddresses::default()),
        }
    }
}

impl Fetch for Https {
    fn get(&self, url: &str) -> Result<Vec<u8>, FetchError> {
        if uri::is_secure(url) { read(&self.agent, url) } else { Err(FetchError) }
    }

    fn get_public(&self, url: &str) -> Result<Vec<u8>, FetchError> {
        if uri::is_secure(url) { read(&self.public, url) } else { Err(FetchError) }
    }
}

fn read(agent: &Agent, url: &str) -> Result<Vec<u8>, FetchError> {
    let failed = |error: ureq::Error| {
        tracing::warn!(url, %error, "a key set cannot be fetched");
        FetchError
    };
    let mut response = agent.get(url).header("Accept", "application/json").call().map_err(failed)?;
    if response.status() != 200 {
        tracing::warn!(url, status = %response.status(), "a key set is not there");
        return Err(FetchError);
    }
    response.body_mut().with_config().limit(TEXT_MAX as u64).read_to_vec().map_err(failed)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// Answers one request; returns the URL for it.
    fn serve(response: String) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/jwks", listener.local_addr().expect("an address"));
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let read = stream.read(&mut [0; 4096]).expect("a request");
            assert!(read > 0);
            // Whoever has read enough may hang up.
            let _ = stream.write_all(response.as_bytes());
        });
        url
    }

    fn response(status: &str, body: &str) -> String {
        format!(
            "HTTP/1.1 {status}\r\nLocation: /x\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
    }

    #[test]
    fn fetches_what_is_there_and_not_too_long() {
        let https = Https::default();
        let longest = "x".repeat(TEXT_MAX);
        let cases = [
            (response("200 OK", "{}"), Some("{}")),
            (response("200 OK", &longest), Some(longest.as_str())),
            (response("200 OK", &"x".repeat(TEXT_MAX + 1)), None),
            (response("302 Found", "{}"), None),
            (response("404 Not Found", "{}"), None),
            (response("500 Internal Server Error", "{}"), None),
            ("nonsense".to_owned(), None),
        ];
        for (number, (response, body)) in cases.into_iter().enumerate() {
            let got = https.get(&serve(response));
            assert_eq!(got.ok().as_deref(), body.map(str::as_bytes), "{number}");
        }
        for url in ["http://app.example/jwks", "file:///etc/passwd", "ftp://localhost/x", ""] {
            assert_eq!(https.get(url), Err(FetchError), "{url}");
        }
    }

    /// Whatever a stranger calls this machine, nobody knocks at it.
    #[test]
    fn asks_strangers_at_public_addresses_only() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let https = Https::default();
        for host in ["127.0.0.1", "127.0.0.0x1", "127.1", "2130706433", "localhost", "localhost.", "0.0.0.0", "[::1]"] {
            let url = format!("https://{host}:{port}/jwks");
            assert_eq!(https.get_public(&url), Err(FetchError), "{url}");
        }
        assert_eq!(https.get_public(&format!("http://127.0.0.1:{port}/jwks")), Err(FetchError));
        listener.set_nonblocking(true).expect("set");
        assert!(listener.accept().is_err(), "nobody came");
        // Those whom the operator names may be at such a place.
        listener.set_nonblocking(false).expect("set");
        let came = thread::spawn(move || listener.accept().is_ok());
        assert_eq!(https.get(&format!("https://127.0.0.0x1:{port}/jwks")), Err(FetchError), "that is no TLS");
        assert!(came.join().expect("no panic"));
    }
}
