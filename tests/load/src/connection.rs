//! A lean HTTP/1.1 connection, so that the client's share of two cores stays small.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// One keep-alive connection.
pub(crate) struct Connection {
    reader: BufReader<TcpStream>,
    body: Vec<u8>,
    line: String,
}

impl Connection {
    /// Connects, with a time-out on every read.
    pub(crate) fn open(address: SocketAddr) -> std::io::Result<Connection> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Connection { reader: BufReader::with_capacity(64 * 1024, stream), body: Vec::new(), line: String::new() })
    }

    /// Sends a whole request (head and body) and returns the status and the body.
    pub(crate) fn send(&mut self, request: &[u8]) -> std::io::Result<(u16, &[u8])> {
        self.reader.get_mut().write_all(request)?;
        self.read_line()?;
        let status = self.line.split(' ').nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
        let mut length = 0;
        loop {
            self.read_line()?;
            if self.line.trim_end().is_empty() {
                break;
            }
            if let Some((name, value)) = self.line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        self.body.resize(length, 0);
        self.reader.read_exact(&mut self.body)?;
        Ok((status, &self.body))
    }

    fn read_line(&mut self) -> std::io::Result<()> {
        self.line.clear();
        if self.reader.read_line(&mut self.line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }
}

/// A request without a body.
pub(crate) fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: application/fhir+json\r\n\r\n").into_bytes()
}

/// The same request by somebody who shows a token.
pub(crate) fn with_token(request: &[u8], token: &str) -> Vec<u8> {
    let text = String::from_utf8_lossy(request);
    text.replacen("\r\n", &format!("\r\nAuthorization: Bearer {token}\r\n"), 1).into_bytes()
}

/// A request with a FHIR JSON body.
pub(crate) fn post(path: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/fhir+json\r\nPrefer: return=minimal\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A request of any method, `line` being that and the path; of no type without a body. `headers` are whole lines.
pub(crate) fn with_body(line: &str, media_type: &str, headers: &str, body: &str) -> Vec<u8> {
    let typed = if media_type.is_empty() { String::new() } else { format!("Content-Type: {media_type}\r\n") };
    format!("{line} HTTP/1.1\r\nHost: localhost\r\n{typed}{headers}Content-Length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}

/// A request whose parameters are too long for a URL.
pub(crate) fn post_form(path: &str, form: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    )
    .into_bytes()
}
