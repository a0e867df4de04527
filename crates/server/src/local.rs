//! Who may call while authentication is off: programs on this machine, and pages that this machine served.
//!
//! Listening on loopback does not keep a web page away that is open in a browser here: the page's own origin does. A page that has its
//! name resolved to a loopback address is told by the Host header.

use std::net::IpAddr;

use axum::http::header::{HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Uri};
use fhir::{IssueType, Outcome, outcome};

/// Whether a page of this origin was served by this machine.
pub(crate) fn is_local_origin(origin: &HeaderValue) -> bool {
    let authority = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, authority)| authority);
    authority.is_some_and(|authority| is_local(host_of(authority)))
}

/// Whether what is sent to a server of this URL leaves this machine in the clear.
pub(crate) fn is_in_the_clear(base_url: &str) -> bool {
    let rest = base_url.strip_prefix("http://");
    rest.is_some_and(|rest| !is_local(host_of(rest.split('/').next().unwrap_or(rest))))
}

/// Refuses a request to a name that is neither this machine's own nor that of `base_url`.
pub(crate) fn check_host(head: &Parts, base_url: &str) -> Result<(), Outcome> {
    let header = head.headers.get(HOST).and_then(|value| value.to_str().ok());
    let Some(authority) = head.uri.authority().map(|authority| authority.as_str()).or(header) else { return Ok(()) };
    let host = host_of(authority);
    let own = base_url.parse::<Uri>().ok();
    if is_local(host) || own.is_some_and(|own| own.host() == Some(host)) {
        return Ok(());
    }
    let text = format!(
        "the request is for {}, and without authentication only names of this machine such as `localhost` are served",
        outcome::quoted(host)
    );
    Err(Outcome::new(IssueType::Forbidden, text))
}

/// Refuses a request of a page that another machine served: a browser sends some of them unasked, and only keeps the answers from the page.
pub(crate) fn check_origin(head: &Parts) -> Result<(), Outcome> {
    match head.headers.get(ORIGIN) {
        Some(origin) if !is_local_origin(origin) => {
            let origin = outcome::quoted(&String::from_utf8_lossy(origin.as_bytes()));
            let text = format!(
                "the request comes from a page of {origin}, and without authentication only pages of this machine are served"
            );
            Err(Outcome::new(IssueType::Forbidden, text))
        }
        _ => Ok(()),
    }
}

fn is_local(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let is_name = host.eq_ignore_ascii_case("localhost") || host.to_ascii_lowercase().ends_with(".localhost");
    is_name || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// `example.org:8080` without its port; brackets around an IPv6 address stay.
fn host_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_what_travels_in_the_clear() {
        for (base_url, is) in [
            ("http://ehr.example/fhir", true),
            ("http://0.0.0.0:8080/fhir", true),
            ("http://10.0.0.1:8080/fhir", true),
            ("http://localhost.ehr.example/fhir", true),
            ("https://ehr.example/fhir", false),
            ("http://127.0.0.1:8080/fhir", false),
            ("http://[::1]:8080/fhir", false),
            ("http://localhost/fhir", false),
        ] {
            assert_eq!(is_in_the_clear(base_url), is, "{base_url}");
        }
    }

    #[test]
    fn tells_this_machine_from_others() {
        let cases = [
            ("http://localhost", true),
            ("http://localhost:3000", true),
            ("https://LOCALHOST:3000", true),
            ("http://app.localhost:3000", true),
            ("http://127.0.0.1:8080", true),
            ("http://127.8.8.8", true),
            ("http://[::1]:8080", true),
            ("http://[::1]", true),
            ("https://app.example", false),
            ("https://localhost.example", false),
            ("https://127.0.0.1.example:80", false),
            ("http://10.0.0.1", false),
            ("http://[::2]", false),
            ("null", false),
            ("localhost", false),
            ("", false),
        ];
        for (origin, expected) in cases {
            let value = HeaderValue::from_str(origin).expect("a header");
            assert_eq!(is_local_origin(&value), expected, "{origin}");
        }
    }

    #[test]
    fn serves_names_of_this_machine_only() {
        let cases = [
            (Some("localhost:8080"), true),
            (Some("127.0.0.1"), true),
            (Some("[::1]:8080"), true),
            (Some("fhir.example:443"), true),
            (Some("fhir.example"), true),
            (None, true),
            (Some("attacker.example:8080"), false),
            (Some("fhir.example.attacker.example"), false),
        ];
        for (host, expected) in cases {
            let mut request = axum::http::Request::get("/fhir/metadata");
            if let Some(host) = host {
                request = request.header(HOST, host);
            }
            let (head, ()) = request.body(()).expect("a request").into_parts();
            assert_eq!(check_host(&head, "https://fhir.example/fhir").is_ok(), expected, "{host:?}");
        }
    }
}
