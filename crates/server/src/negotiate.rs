//! What the caller sends, accepts and prefers, <https://hl7.org/fhir/R4/http.html#mime-type>, <https://hl7.org/fhir/R4/http.html#ops>.

use fhir::{IssueType, Outcome};
use hyper::HeaderMap;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue};
use search::Handling;

use crate::interaction::Expected;
use crate::perform::PARTIAL;

pub(crate) const FHIR_JSON: &str = "application/fhir+json; charset=utf-8";
pub(crate) const JSON_PATCH: &str = "application/json-patch+json";
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// What `Prefer` asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Preferences {
    pub(crate) returns: Option<Returns>,
    pub(crate) handling: Handling,
}

/// `Prefer: return=`: what a write answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Returns {
    Minimal,
    Representation,
    OperationOutcome,
}

impl Preferences {
    pub(crate) fn of(headers: &HeaderMap) -> Preferences {
        let mut preferences = Preferences::default();
        for value in headers.get_all(PREFER).iter().filter_map(|value| value.to_str().ok()) {
            for preference in value.split([',', ';']) {
                match preference.trim() {
                    "return=minimal" => preferences.returns = Some(Returns::Minimal),
                    "return=representation" => preferences.returns = Some(Returns::Representation),
                    "return=OperationOutcome" => preferences.returns = Some(Returns::OperationOutcome),
                    "handling=lenient" => preferences.handling = Handling::Lenient,
                    _ => {}
                }
            }
        }
        preferences
    }
}

/// The parameters that steer the form of an answer and nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct General {
    pub(crate) format: Option<String>,
    pub(crate) pretty: bool,
    /// The token of a page link.
    pub(crate) page: Option<String>,
}

/// The parameter of page links that holds their token.
pub(crate) const PAGE: &str = "_page";

impl General {
    /// Takes these parameters out of the others.
    pub(crate) fn take(parameters: &mut Vec<(String, String)>) -> General {
        let mut general = General::default();
        parameters.retain_mut(|(name, value)| {
            match name.as_str() {
                "_format" => general.format = Some(std::mem::take(value)),
                "_pretty" => general.pretty = value == "true",
                PAGE => general.page = Some(std::mem::take(value)),
                _ => return true,
            }
            false
        });
        general
    }

    /// These, and where one is missing, the other's.
    pub(crate) fn or(self, other: General) -> General {
        General {
            format: self.format.or(other.format),
            pretty: self.pretty || other.pretty,
            page: self.page.or(other.page),
        }
    }
}

/// Refuses a caller that accepts no JSON; `_format` goes before the header.
pub(crate) fn check_accept(headers: &HeaderMap, format: Option<&str>) -> Result<(), Outcome> {
    if let Some(format) = format {
        // An unencoded `+` in a query is a space.
        let format = format.replace(' ', "+");
        if format == "json" || MediaRange::parse(&format).is_some_and(|range| range.is_json()) {
            return Ok(());
        }
        return Err(not_acceptable("_format", &format));
    }
    if !headers.contains_key(ACCEPT) {
        return Ok(());
    }
    let values = || headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut ranges = values().flat_map(|value| value.split(',')).filter_map(MediaRange::parse);
    if ranges.any(|range| range.is_json() && !range.is_refused()) {
        return Ok(());
    }
    Err(not_acceptable("Accept", &values().collect::<Vec<_>>().join(", ")))
}

fn not_acceptable(name: &str, value: &str) -> Outcome {
    let text = if value.contains("xml") {
        format!("{name} `{value}`: XML is not served yet, only `application/fhir+json`")
    } else {
        format!("{name} `{value}` is not served, only `application/fhir+json` (fhirVersion 4.0)")
    };
    Outcome::new(IssueType::NotAcceptable, text)
}

/// Refuses a body of a kind that the interaction does not take.
pub(crate) fn check_content_type(headers: &HeaderMap, expected: Expected) -> Result<(), Outcome> {
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    match value.to_str() {
        Ok(value) => check_media_type(value, expected),
        Err(_) => Err(Outcome::new(IssueType::MediaType, "the content type is not readable")),
    }
}

/// Refuses a media type that the interaction does not take.
pub(crate) fn check_media_type(value: &str, expected: Expected) -> Result<(), Outcome> {
    let range = MediaRange::parse(value);
    let fits = range.is_some_and(|range| match expected {
        Expected::Nothing => true,
        Expected::Resource => range.is_json() && range.kind != "*",
        Expected::Form => range.kind == "application" && range.subtype == "x-www-form-urlencoded",
        Expected::Patch => range.kind == "application" && range.subtype == "json-patch+json",
    });
    let is_utf8 = range.and_then(|range| range.parameter("charset")).is_none_or(|charset| {
        charset.trim_matches('"').eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("us-ascii")
    });
    if fits && is_utf8 {
        return Ok(());
    }
    let right = match expected {
        Expected::Nothing | Expected::Resource => "application/fhir+json",
        Expected::Form => "application/x-www-form-urlencoded",
        Expected::Patch => JSON_PATCH,
    };
    let text = if expected == Expected::Patch && range.is_some_and(|range| range.is_json()) {
        format!("content type `{value}`: {PARTIAL}")
    } else if value.contains("xml") {
        format!("content type `{value}`: XML is not read yet, send `{right}`")
    } else {
        format!("content type `{value}` is not read here, send `{right}` in UTF-8")
    };
    Err(Outcome::new(IssueType::MediaType, text))
}

/// Whether the caller takes gzip.
pub(crate) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let is_gzip = |coding: &str| {
        let (name, quality) = coding.split_once(';').unwrap_or((coding, ""));
        matches!(name.trim(), "gzip" | "x-gzip" | "*") && !is_zero(quality.trim())
    };
    headers
        .get(ACCEPT_ENCODING)
        .and_then(|value: &HeaderValue| value.to_str().ok())
        .is_some_and(|value| value.split(',').any(is_gzip))
}

/// `q=0`, `q=0.0`, ...
fn is_zero(parameter: &str) -> bool {
    parameter.strip_prefix("q=").is_some_and(|quality| quality.parse::<f32>().is_ok_and(|quality| quality == 0.0))
}

/// `application/fhir+json; fhirVersion=4.0; q=0.5`.
#[derive(Clone, Copy)]
struct MediaRange<'a> {
    kind: &'a str,
    subtype: &'a str,
    parameters: &'a str,
}

impl<'a> MediaRange<'a> {
    fn parse(text: &'a str) -> Option<MediaRange<'a>> {
        let (name, parameters) = text.split_once(';').unwrap_or((text, ""));
        let (kind, subtype) = name.trim().split_once('/')?;
        Some(MediaRange { kind, subtype, parameters })
    }

    /// Whether FHIR R4 as JSON lies in the range.
    fn is_json(self) -> bool {
        let named = match self.kind {
            "*" => self.subtype == "*",
            "application" => matches!(self.subtype, "fhir+json" | "json" | "json+fhir" | "*"),
            "text" => self.subtype == "json",
            _ => false,
        };
        named && self.parameter("fhirVersion").is_none_or(|version| matches!(version, "4.0" | "4.0.1"))
    }

    fn is_refused(self) -> bool {
        self.parameters.split(';').any(|parameter| is_zero(parameter.trim()))
    }

    fn parameter(self, name: &str) -> Option<&'a str> {
        self.parameters.split(';').find_map(|parameter| {
            let (key, value) = parameter.split_once('=')?;
            key.trim().eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn accepts_json() {
        let cases = [
            ("application/fhir+json", None, true),
            ("application/json", None, true),
            ("*/*", None, true),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", None, true),
            ("application/fhir+xml;q=1, application/fhir+json;q=0.1", None, true),
            ("application/fhir+json; fhirVersion=4.0", None, true),
            ("application/fhir+json; fhirVersion=5.0", None, false),
            ("application/fhir+json;q=0", None, false),
            ("application/fhir+xml", None, false),
            ("text/html", None, false),
            ("nonsense", None, false),
            ("application/fhir+xml", Some("json"), true),
            ("application/fhir+xml", Some("application/fhir json"), true),
            ("application/fhir+json", Some("xml"), false),
            ("application/fhir+json", Some("ttl"), false),
        ];
        for (accept, format, expected) in cases {
            let checked = check_accept(&headers(ACCEPT, accept), format);
            assert_eq!(checked.is_ok(), expected, "{accept} {format:?}");
            if let Err(outcome) = checked {
                assert_eq!(outcome.issues[0].code, IssueType::NotAcceptable);
            }
        }
        assert!(check_accept(&HeaderMap::new(), None).is_ok());
    }

    #[test]
    fn reads_content_types() {
        let cases = [
            ("application/fhir+json", Expected::Resource, true),
            ("application/json; charset=UTF-8", Expected::Resource, true),
            ("application/json; charset=\"utf-8\"", Expected::Resource, true),
            ("application/json; charset=latin1", Expected::Resource, false),
            ("application/fhir+json; fhirVersion=3.0", Expected::Resource, false),
            ("application/fhir+xml", Expected::Resource, false),
            ("*/*", Expected::Resource, false),
            ("application/x-www-form-urlencoded", Expected::Resource, false),
            ("application/x-www-form-urlencoded", Expected::Form, true),
            ("application/json", Expected::Form, false),
            ("application/json-patch+json", Expected::Patch, true),
            ("application/fhir+json", Expected::Patch, false),
        ];
        for (value, expected, fits) in cases {
            assert_eq!(check_content_type(&headers(CONTENT_TYPE, value), expected).is_ok(), fits, "{value}");
        }
    }

    #[test]
    fn reads_preferences() {
        let preferences = Preferences::of(&headers(PREFER, "return=minimal; handling=lenient, respond-async"));
        assert_eq!(preferences, Preferences { returns: Some(Returns::Minimal), handling: Handling::Lenient });
        assert_eq!(Preferences::of(&headers(PREFER, "return=all")), Preferences::default());
    }

    #[test]
    fn reads_accepted_encodings() {
        for (value, expected) in
            [("gzip, deflate", true), ("br;q=1.0, gzip;q=0.8", true), ("gzip;q=0", false), ("br", false), ("*", true)]
        {
            assert_eq!(accepts_gzip(&headers(ACCEPT_ENCODING, value)), expected, "{value}");
        }
    }

    #[test]
    fn takes_general_parameters() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut parameters =
            vec![pair("_format", "json"), pair("name", "x"), pair("_pretty", "true"), pair("_page", "t")];
        let general = General::take(&mut parameters);
        assert_eq!(parameters, [pair("name", "x")]);
        assert_eq!(general, General { format: Some("json".into()), pretty: true, page: Some("t".into()) });
    }
}
