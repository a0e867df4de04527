//! Answers: what an interaction came to, and its bytes and headers.

use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use fhir::json::Document;
use fhir::{Definitions, Issue, IssueType, Outcome, Severity, xml};
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::StatusCode;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_LOCATION, CONTENT_TYPE, ETAG, HeaderName,
    HeaderValue, LAST_MODIFIED, LOCATION, RETRY_AFTER, VARY, WWW_AUTHENTICATE,
};
use repository::{BEARER_CODES, INSUFFICIENT_SCOPE, Millis, Version};
use services::Sent;
use smart::Refused as BearerRefused;

use crate::media::{Format, Wanted};
use crate::pretty::indent;
use crate::telemetry::REQUEST_ID;

/// How far what was asked for is, <https://hl7.org/fhir/uv/bulkdata/STU2/export.html#response---in-progress-status>.
pub(crate) const PROGRESS: HeaderName = HeaderName::from_static("x-progress");

/// What an interaction came to: an HTTP response, or an entry of a response Bundle.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) content: Content,
    pub(crate) etag: Option<HeaderValue>,
    pub(crate) modified: Option<Millis>,
    /// Relative to the base URL: `Patient/ann/_history/1`.
    pub(crate) location: Option<String>,
    /// Where it is told how what was asked for goes, relative to the base URL.
    pub(crate) told_at: Option<String>,
    /// How far that is, for people: it is worth asking again.
    pub(crate) progress: Option<String>,
    pub(crate) allow: Option<&'static str>,
}

/// The body of an answer.
#[derive(Debug)]
pub(crate) enum Content {
    Nothing,
    Resource(Bytes),
    /// No resource.
    File {
        bytes: Bytes,
        media_type: &'static str,
        /// How long everybody's caches may keep it, in seconds; `None` for what is the caller's own.
        max_age: Option<u32>,
    },
    Outcome(Outcome),
}

/// A refusal.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) outcome: Outcome,
    /// The methods that are allowed, when this one is not.
    pub(crate) allow: Option<&'static str>,
}

impl Refused {
    /// Whether it is for want of a right.
    pub(crate) fn is_forbidden(&self) -> bool {
        self.outcome.worst().is_some_and(|issue| issue.code == IssueType::Forbidden)
    }
}

impl From<Outcome> for Refused {
    fn from(outcome: Outcome) -> Refused {
        Refused { outcome, allow: None }
    }
}

/// The HTTP status of an issue: the one table.
pub(crate) fn status(code: IssueType) -> StatusCode {
    match code {
        IssueType::Informational | IssueType::Suppressed => StatusCode::OK,
        IssueType::Syntax
        | IssueType::BadRequest
        | IssueType::RequiredParameter
        | IssueType::BadValue
        | IssueType::LongText
        | IssueType::NotSupported
        | IssueType::TooCostly => StatusCode::BAD_REQUEST,
        IssueType::Login => StatusCode::UNAUTHORIZED,
        IssueType::Forbidden => StatusCode::FORBIDDEN,
        IssueType::NotFound => StatusCode::NOT_FOUND,
        IssueType::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        IssueType::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
        IssueType::Conflict | IssueType::Duplicate => StatusCode::CONFLICT,
        IssueType::Deleted => StatusCode::GONE,
        IssueType::Precondition | IssueType::MultipleMatches => StatusCode::PRECONDITION_FAILED,
        IssueType::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
        IssueType::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        IssueType::Structure
        | IssueType::Required
        | IssueType::Value
        | IssueType::CodeInvalid
        | IssueType::Invariant
        | IssueType::Invalid
        | IssueType::Processing
        | IssueType::BusinessRule
        | IssueType::TooWide
        | IssueType::UnresolvedReference => StatusCode::UNPROCESSABLE_ENTITY,
        IssueType::Throttled => StatusCode::TOO_MANY_REQUESTS,
        IssueType::Exception => StatusCode::INTERNAL_SERVER_ERROR,
        IssueType::Timeout | IssueType::Transient => StatusCode::SERVICE_UNAVAILABLE,
    }
}

impl Answer {
    /// An answer without a body.
    pub(crate) fn empty(status: StatusCode) -> Answer {
        Answer {
            status,
            content: Content::Nothing,
            etag: None,
            modified: None,
            location: None,
            told_at: None,
            progress: None,
            allow: None,
        }
    }

    /// 200 with a resource that has no versions.
    pub(crate) fn resource(bytes: impl Into<Bytes>) -> Answer {
        Answer { content: Content::Resource(bytes.into()), ..Answer::empty(StatusCode::OK) }
    }

    /// Says which version this is about.
    pub(crate) fn of(mut self, version: &Version) -> Answer {
        self.etag = Some(etag(version.version));
        self.modified = Some(version.time);
        self
    }

    /// Tells where in the body stands what its issues are about.
    pub(crate) fn place(&mut self, sent: Option<&Sent>) {
        if let (Content::Outcome(outcome), Some(sent)) = (&mut self.content, sent) {
            sent.place(outcome.issues.iter_mut());
        }
    }

    /// The answer to what is refused. What only the operators may know goes to the log.
    pub(crate) fn refusal(refused: Refused, request_id: &HeaderValue) -> Answer {
        let Refused { mut outcome, allow } = refused;
        for issue in outcome.issues.iter_mut().filter(|issue| issue.code == IssueType::Exception) {
            tracing::error!(request_id = ?request_id, cause = issue.diagnostics, "request failed");
            *issue = Issue::error(IssueType::Exception, "the server failed; its log says why under the request's id");
        }
        let worst = outcome.worst().filter(|issue| issue.severity <= Severity::Error);
        let status = worst.map_or(StatusCode::INTERNAL_SERVER_ERROR, |issue| status(issue.code));
        Answer { content: Content::Outcome(outcome), allow, ..Answer::empty(status) }
    }
}

/// `W/"3"`.
pub(crate) fn etag(version: u64) -> HeaderValue {
    HeaderValue::try_from(format!("W/\"{version}\"")).expect("digits and quotes are visible ASCII")
}

/// How the caller wants the bytes.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    /// HEAD: headers only.
    pub(crate) is_head: bool,
    pub(crate) pretty: bool,
    pub(crate) wanted: Wanted,
    pub(crate) gzip: bool,
    /// What was asked for changes something: whether that was done is what the status tells, even where the body cannot be written.
    pub(crate) may_write: bool,
    /// The request shows who asks, rightly or not.
    pub(crate) has_token: bool,
    pub(crate) request_id: HeaderValue,
}

/// Below this many bytes compression costs more than it saves.
const GZIP_MIN: usize = 1024;

/// For one person's cache, which asks each time: without this, a Last-Modified lets a browser show a stale slot for as long as it guesses.
const CACHING: &str = "private, no-cache";

/// Room for the header fields of nearly every answer, those of CORS included, so that the map is made once.
const HEADERS: usize = 12;

impl Form {
    /// The HTTP response of an answer.
    pub(crate) fn response(&self, answer: Answer, base_url: &str) -> Response {
        let mut file = None;
        let mut bearer_error = None;
        let bytes = match answer.content {
            Content::Nothing => Bytes::new(),
            Content::Resource(bytes) => bytes,
            Content::File { bytes, media_type, max_age } => {
                file = Some((media_type, max_age));
                bytes
            }
            Content::Outcome(outcome) => {
                let coding = outcome.worst().and_then(|issue| issue.coding);
                bearer_error = coding.filter(|(system, _)| *system == BEARER_CODES).map(|(_, code)| code);
                outcome.to_json().into()
            }
        };
        let has_body = !bytes.is_empty();
        let (mut bytes, status) = match self.wanted.format {
            _ if !has_body || file.is_some() => (bytes, answer.status),
            Format::Json if self.pretty => (indent(&bytes).into(), answer.status),
            Format::Json => (bytes, answer.status),
            Format::Xml => match self.xml(&bytes) {
                Ok(xml) => (xml.into(), answer.status),
                Err(outcome) => self.not_as_xml(answer.status, outcome),
            },
        };
        let compressible = bytes.len() >= GZIP_MIN;
        let compressed = self.gzip && !self.is_head && compressible;
        if compressed {
            bytes = gzip(&bytes);
        }
        let length = bytes.len();
        let mut response = Response::new(if self.is_head { Body::empty() } else { Body::from(bytes) });
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.reserve(HEADERS);
        if has_body || file.is_some() {
            let media_type = file.map_or(self.wanted.content_type, |(media_type, _)| media_type);
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        }
        if self.is_head {
            headers.insert(CONTENT_LENGTH, length.into());
        }
        if compressed {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        let vary = if compressible { "accept, accept-encoding" } else { "accept" };
        headers.insert(VARY, HeaderValue::from_static(vary));
        let max_age = file.and_then(|(_, max_age)| max_age);
        let caching = max_age.and_then(|max_age| HeaderValue::try_from(format!("public, max-age={max_age}")).ok());
        headers.insert(CACHE_CONTROL, caching.unwrap_or(HeaderValue::from_static(CACHING)));
        if let Some(etag) = answer.etag {
            headers.insert(ETAG, etag);
        }
        if let Some(time) = answer.modified
            && let Ok(value) = HeaderValue::try_from(http_date(time))
        {
            headers.insert(LAST_MODIFIED, value);
        }
        if let Some(location) = answer.location
            && let Ok(value) = HeaderValue::try_from(format!("{base_url}/{location}"))
        {
            headers.insert(LOCATION, value);
        }
        if let Some(told_at) = answer.told_at
            && let Ok(value) = HeaderValue::try_from(format!("{base_url}/{told_at}"))
        {
            headers.insert(CONTENT_LOCATION, value);
        }
        if let Some(value) = answer.progress.and_then(|progress| HeaderValue::try_from(progress).ok()) {
            headers.insert(PROGRESS, value);
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if answer.status == StatusCode::UNAUTHORIZED {
            let challenge =
                if self.has_token { BearerRefused::CHALLENGE } else { BearerRefused::CHALLENGE_WITHOUT_TOKEN };
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Some(error) = bearer_error.filter(|error| self.has_token || *error != INSUFFICIENT_SCOPE) {
            let challenge = format!(r#"Bearer error="{error}""#);
            headers.extend(HeaderValue::try_from(challenge).ok().map(|challenge| (WWW_AUTHENTICATE, challenge)));
        }
        if let Some(allow) = answer.allow {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        if matches!(answer.status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        headers.insert(REQUEST_ID, self.request_id.clone());
        response
    }

    /// An outcome, which XML can say, instead of an answer that it cannot. What was done stays done: then it is a warning.
    fn not_as_xml(&self, status: StatusCode, mut outcome: Outcome) -> (Bytes, StatusCode) {
        let status = if status.is_success() && !self.may_write { StatusCode::NOT_ACCEPTABLE } else { status };
        if status.is_success() {
            outcome.issues.iter_mut().for_each(|issue| issue.severity = Severity::Warning);
        }
        (self.xml(outcome.to_json().as_bytes()).unwrap_or_default().into(), status)
    }

    /// A finished answer as XML.
    fn xml(&self, json: &[u8]) -> Result<String, Outcome> {
        let document = Document::parse(json)?;
        let write = if self.pretty { xml::write_pretty } else { xml::write };
        write(Definitions::r4(), &document)
    }
}

fn gzip(bytes: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::fast());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("writing to memory cannot fail").into()
}

/// `Sun, 01 Mar 2026 09:00:00 GMT`.
pub(crate) fn http_date(time: Millis) -> String {
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(time.max(0) as u64))
}

/// The time of an HTTP date, in whole seconds.
pub(crate) fn parse_http_date(text: &str) -> Option<Millis> {
    let time: SystemTime = httpdate::parse_http_date(text).ok()?;
    time.duration_since(UNIX_EPOCH).ok().map(|since| since.as_millis() as Millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hides_the_cause_of_a_failure() {
        let outcome = Outcome::new(IssueType::Exception, "page 7 of /var/lib/x is bad");
        let answer = Answer::refusal(outcome.into(), &HeaderValue::from_static("1"));
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
        let Content::Outcome(outcome) = answer.content else { panic!("no outcome") };
        assert!(!outcome.to_string().contains("/var/lib"), "{outcome}");
    }

    #[test]
    fn dates_read_back() {
        assert_eq!(http_date(1_772_355_600_123), "Sun, 01 Mar 2026 09:00:00 GMT");
        assert_eq!(parse_http_date("Sun, 01 Mar 2026 09:00:00 GMT"), Some(1_772_355_600_000));
        assert_eq!(parse_http_date("yesterday"), None);
        assert_eq!(http_date(-1), "Thu, 01 Jan 1970 00:00:00 GMT");
    }

    #[test]
    fn says_what_was_done_where_xml_cannot_tell_it() {
        let cases = [
            (StatusCode::CREATED, true, StatusCode::CREATED, "warning"),
            (StatusCode::OK, false, StatusCode::NOT_ACCEPTABLE, "error"),
        ];
        for (status, may_write, expected, severity) in cases {
            let form = Form {
                is_head: false,
                pretty: false,
                wanted: Format::Xml.wanted(),
                gzip: false,
                may_write,
                has_token: false,
                request_id: HeaderValue::from_static("1"),
            };
            let outcome = Outcome::new(IssueType::Processing, "no XML");
            let (bytes, status) = form.not_as_xml(status, outcome);
            assert_eq!(status, expected);
            let text = String::from_utf8(bytes.to_vec()).expect("UTF-8");
            assert!(text.contains(&format!("<severity value=\"{severity}\"/>")), "{text}");
        }
    }

    #[test]
    fn compresses_only_what_is_long_and_wanted() {
        let form = |gzip| Form {
            is_head: false,
            pretty: false,
            wanted: Wanted::JSON,
            gzip,
            may_write: false,
            has_token: false,
            request_id: HeaderValue::from_static("1"),
        };
        for (gzip, length, expected) in [(true, GZIP_MIN, true), (true, GZIP_MIN - 1, false), (false, GZIP_MIN, false)]
        {
            let response = form(gzip).response(Answer::resource(vec![b'1'; length]), "http://x/fhir");
            assert_eq!(response.headers().contains_key(CONTENT_ENCODING), expected);
            let varies = response.headers().get(VARY).is_some_and(|vary| vary.as_bytes().ends_with(b"encoding"));
            assert_eq!(varies, length >= GZIP_MIN);
        }
    }
}
