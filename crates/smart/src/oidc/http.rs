//! How identity providers are asked.

use crate::jose::{Fetch, FetchError, Https};
use crate::uri::is_secure;

/// How long an answer may be, in bytes.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// Asks identity providers.
pub trait Http: Fetch {
    /// The body of a good answer to a form that is posted.
    fn post(&self, url: &str, form: &str) -> Result<Vec<u8>, FetchError>;

    /// The body at this URL, for who has this access token.
    fn get_with(&self, url: &str, access_token: &str) -> Result<Vec<u8>, FetchError>;
}

impl Http for Https {
    fn post(&self, url: &str, form: &str) -> Result<Vec<u8>, FetchError> {
        check(url)?;
        let request = self.agent.post(url).header("Content-Type", "application/x-www-form-urlencoded");
        read(url, request.header("Accept", "application/json").send(form))
    }

    fn get_with(&self, url: &str, access_token: &str) -> Result<Vec<u8>, FetchError> {
        check(url)?;
        let request = self.agent.get(url).header("Authorization", format!("Bearer {access_token}"));
        read(url, request.header("Accept", "application/json").call())
    }
}

fn check(url: &str) -> Result<(), FetchError> {
    if is_secure(url) { Ok(()) } else { Err(FetchError) }
}

type Answer = Result<ureq::http::Response<ureq::Body>, ureq::Error>;

fn read(url: &str, answer: Answer) -> Result<Vec<u8>, FetchError> {
    let failed = |error: ureq::Error| {
        tracing::warn!(url, %error, "an identity provider cannot be asked");
        FetchError
    };
    let mut response = answer.map_err(failed)?;
    if response.status() != 200 {
        tracing::warn!(url, status = %response.status(), "an identity provider does not answer");
        return Err(FetchError);
    }
    response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec().map_err(failed)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    /// Answers two requests with this status line.
    fn server(status: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        std::thread::spawn(move || {
            for stream in listener.incoming().take(2) {
                let mut stream = stream.expect("a connection");
                let _ = stream.read(&mut [0; 4096]).expect("a request");
                let answer =
                    format!("HTTP/1.1 {status}\r\nLocation: /\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{{}}");
                stream.write_all(answer.as_bytes()).expect("it listens");
            }
        });
        url
    }

    #[test]
    fn only_200_is_an_answer() {
        for (status, is_good) in [
            ("200 OK", true),
            ("201 Created", false),
            ("203 Non-Authoritative Information", false),
            ("302 Found", false),
            ("400 Bad Request", false),
            ("500 Internal Server Error", false),
        ] {
            let (url, https) = (server(status), Https::default());
            assert_eq!(https.post(&url, "a=b").is_ok(), is_good, "{status}");
            assert_eq!(https.get_with(&url, "token").is_ok(), is_good, "{status}");
        }
    }
}
