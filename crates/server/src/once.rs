//! Requests that are done once, however often they are sent: by the header `Idempotency-Key` everywhere
//! (<https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/>), and by `X-Request-Id` where NHS clients speak, as the
//! Booking and Referral Standard has it.

use fhir::outcome::quoted;
use fhir::{IssueType, Outcome};
use hyper::header::{HeaderName, IF_MATCH, IF_NONE_MATCH};
use hyper::http::request::Parts;
use repository::{Once, Repetition};
use search::Dialect;

use crate::perform::{IF_NONE_EXIST, Payload};
use crate::telemetry::given_request_id;

/// The header by which a client names a write, so that it can safely be sent again.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The header, with the value `true`, of an answer that was told before.
pub(crate) const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// How many characters a key has at most.
pub(crate) const KEY_LENGTH_MAX: usize = 255;

/// How a write is known again; `None` when the client does not name it. A key that is given goes before a request's id.
pub(crate) fn once(head: &Parts, payload: &Payload, dialect: Dialect) -> Result<Option<Once>, Outcome> {
    let digest = || digest(head, payload);
    if let Some(name) = key(head)? {
        let (header, repetition) = ("Idempotency-Key", Repetition::Told);
        return Ok(Some(Once { header, name, digest: digest(), repetition }));
    }
    let id = given_request_id(&head.headers).filter(|_| dialect == Dialect::Nhs).and_then(|id| id.to_str().ok());
    let once = |id: &str| Once {
        header: "X-Request-Id",
        name: id.to_owned(),
        digest: digest(),
        repetition: Repetition::Refused,
    };
    Ok(id.map(once))
}

/// The key, without the quotation marks that the draft wants and few clients send.
fn key(head: &Parts) -> Result<Option<String>, Outcome> {
    let refuse = |text: String| Err(Outcome::new(IssueType::BadRequest, text));
    let mut values = head.headers.get_all(&IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return refuse("header `Idempotency-Key` is given more than once".to_owned());
    }
    let text = String::from_utf8_lossy(value.as_bytes());
    let text = text.trim();
    let key = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    if !(1..=KEY_LENGTH_MAX).contains(&key.len()) || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        let found = quoted(key);
        return refuse(format!("the Idempotency-Key {found} is not 1 to {KEY_LENGTH_MAX} visible characters of ASCII"));
    }
    Ok(Some(key.to_owned()))
}

/// Stands for all that is asked: method, URL, conditions and body.
fn digest(head: &Parts, payload: &Payload) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    let mut add = |part: &[u8]| {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part);
    };
    add(head.method.as_str().as_bytes());
    add(head.uri.path_and_query().map_or("", |it| it.as_str()).as_bytes());
    for name in [IF_MATCH, IF_NONE_MATCH, IF_NONE_EXIST] {
        add(head.headers.get(name).map_or(b"", |value| value.as_bytes()));
    }
    if let Payload::Body { bytes, .. } = payload {
        add(bytes);
    }
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use hyper::Request;

    use super::*;
    use crate::media::{Format, Media};

    fn head(line: &str, headers: &[(&str, &str)]) -> Parts {
        let (method, path) = line.split_once(' ').expect("a method");
        let builder = Request::builder().method(method).uri(format!("http://x{path}"));
        let builder = headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value));
        builder.body(()).expect("a request").into_parts().0
    }

    fn body(text: &'static str) -> Payload {
        Payload::Body { bytes: Bytes::from_static(text.as_bytes()), media: Media::Resource(Format::Json) }
    }

    #[test]
    fn takes_keys_that_are_plain() {
        let long = "x".repeat(KEY_LENGTH_MAX);
        let longer = "x".repeat(KEY_LENGTH_MAX + 1);
        let cases = [
            ("8e03978e-40d5-43dd-bc93-6894a57f9324", Some("8e03978e-40d5-43dd-bc93-6894a57f9324")),
            ("\"8e03978e\"", Some("8e03978e")),
            (" a!~ ", Some("a!~")),
            (&long, Some(long.as_str())),
            (&longer, None),
            ("", None),
            ("\"\"", None),
            ("a b", None),
            ("ä", None),
        ];
        for (value, expected) in cases {
            let key = key(&head("POST /Patient", &[("Idempotency-Key", value)]));
            assert_eq!(key.ok().flatten().as_deref(), expected, "{value}");
        }
        assert!(key(&head("POST /Patient", &[("Idempotency-Key", "a"), ("Idempotency-Key", "a")])).is_err());
        assert!(matches!(key(&head("POST /Patient", &[])), Ok(None)));
    }

    #[test]
    fn tells_requests_apart() {
        let digests = [
            digest(&head("POST /Patient", &[]), &body("a")),
            digest(&head("PUT /Patient", &[]), &body("a")),
            digest(&head("POST /Group", &[]), &body("a")),
            digest(&head("POST /Patient?_format=xml", &[]), &body("a")),
            digest(&head("POST /Patient", &[("If-Match", "1")]), &body("a")),
            digest(&head("POST /Patient", &[("If-None-Exist", "1")]), &body("a")),
            digest(&head("POST /Patient", &[]), &body("b")),
            digest(&head("POST /Patient", &[]), &Payload::Nothing),
        ];
        for (at, digest) in digests.iter().enumerate() {
            assert!(!digests[at + 1..].contains(digest), "{at}");
        }
        assert_eq!(digests[0], digest(&head("POST /Patient", &[("Accept", "x"), ("X-Request-Id", "7")]), &body("a")));
    }

    #[test]
    fn a_request_id_counts_where_nhs_clients_speak() {
        let once = |headers: &[(&str, &str)], dialect| {
            let once = once(&head("POST /Appointment", headers), &body("a"), dialect).expect("good headers");
            once.map(|once| (once.header, once.name, once.repetition))
        };
        let (key, id) = (("Idempotency-Key", "k"), ("X-Request-Id", "7"));
        let told = Some(("Idempotency-Key", "k".to_owned(), Repetition::Told));
        assert_eq!(once(&[id], Dialect::R4), None);
        assert_eq!(once(&[id], Dialect::Nhs), Some(("X-Request-Id", "7".to_owned(), Repetition::Refused)));
        assert_eq!(once(&[id, key], Dialect::R4), told);
        assert_eq!(once(&[id, key], Dialect::Nhs), told);
        assert_eq!(once(&[("X-Request-Id", "not an id")], Dialect::Nhs), None);
        assert_eq!(once(&[], Dialect::Nhs), None);
    }
}
