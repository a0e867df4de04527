//! URLs that clients and settings give.

/// Bytes of one URL.
pub(crate) const URI_MAX: usize = 2_000;

/// The parts of a URL that decide whether it may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Uri<'a> {
    pub(crate) scheme: &'a str,
    /// Without port; empty where there is no authority.
    pub(crate) host: &'a str,
}

impl<'a> Uri<'a> {
    /// Reads an absolute URL without fragment, user or wildcard. Only characters that RFC 3986 allows.
    pub(crate) fn parse(text: &'a str) -> Option<Uri<'a>> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?[]@!$&'()+,;=%".contains(&byte);
        if text.len() > URI_MAX || !text.bytes().all(is_allowed) {
            return None;
        }
        let (scheme, rest) = text.split_once(':')?;
        let is_scheme = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte);
        if !scheme.starts_with(|first: char| first.is_ascii_lowercase()) || !scheme.bytes().all(is_scheme) {
            return None;
        }
        let authority = rest.strip_prefix("//").map_or("", |rest| rest.split(['/', '?']).next().unwrap_or(rest));
        if authority.contains('@') {
            return None;
        }
        Some(Uri { scheme, host: host(authority)? })
    }

    /// Whether the host is this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        matches!(self.host, "localhost" | "127.0.0.1" | "[::1]")
    }

    /// Whether the host is given by its number, or is this machine: what only a server's own network may reach is asked so.
    pub(crate) fn is_numeric_or_local(&self) -> bool {
        let last = self.host.rsplit('.').next().unwrap_or(self.host);
        self.is_loopback() || self.host.starts_with('[') || !self.host.contains('.') || last.parse::<u64>().is_ok()
    }
}

/// Whether a document may be fetched from this URL, or a browser sent to it: `https`, or `http` on this machine.
pub(crate) fn is_secure(url: &str) -> bool {
    Uri::parse(url).is_some_and(|uri| match uri.scheme {
        "https" => !uri.host.is_empty(),
        "http" => uri.is_loopback(),
        _ => false,
    })
}

/// Undoes percent-encoding; `+` is a plus. `None` where it is wrong, or the result no text.
pub(crate) fn percent_decoded(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => hex(bytes.next()?)? << 4 | hex(bytes.next()?)?,
            byte => byte,
        });
    }
    String::from_utf8(decoded).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|digit| digit as u8)
}

/// The host of an authority; `None` where its port is none.
fn host(authority: &str) -> Option<&str> {
    let end = match authority.starts_with('[') {
        true => authority.find(']')? + 1,
        false => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at(end);
    let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    is_port.then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_secure_urls() {
        let cases = [
            ("https://app.example/cb", true),
            ("https://app.example:8443/cb?x=1", true),
            ("http://localhost:3000/cb", true),
            ("http://127.0.0.1/", true),
            ("http://[::1]:80/", true),
            ("http://app.example/cb", false),
            ("http://localhost.example/cb", false),
            ("http://localhost@app.example/cb", false),
            ("https://user@app.example/cb", false),
            ("https:///cb", false),
            ("https:app.example", false),
            ("https://app.example/cb#x", false),
            ("https://app.example/*", false),
            ("https://app.example/a b", false),
            ("https://app.example:port/", false),
            ("https://[::1/", false),
            ("HTTPS://app.example/", false),
            ("javascript:alert(1)", false),
            ("//app.example/cb", false),
            ("", false),
        ];
        for (url, secure) in cases {
            assert_eq!(is_secure(url), secure, "{url}");
        }
        assert!(!is_secure(&format!("https://app.example/{}", "x".repeat(URI_MAX))));
    }

    #[test]
    fn tells_hosts_of_the_own_network() {
        let cases = [
            ("https://app.example/", false),
            ("https://localhost/", true),
            ("https://10.0.0.1/", true),
            ("https://2130706433/", true),
            ("https://[fd00::1]/", true),
            ("https://intranet/", true),
        ];
        for (url, local) in cases {
            assert_eq!(Uri::parse(url).expect(url).is_numeric_or_local(), local, "{url}");
        }
    }
}
