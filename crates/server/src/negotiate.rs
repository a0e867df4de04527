//! What the caller prefers, and the parameters that steer only the answer's form, <https://hl7.org/fhir/R4/http.html#ops>.

use hyper::HeaderMap;
use hyper::header::{ACCEPT_ENCODING, HeaderName, HeaderValue};
use search::Handling;

const PREFER: HeaderName = HeaderName::from_static("prefer");

/// What `Prefer` asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Preferences {
    pub(crate) returns: Option<Returns>,
    pub(crate) handling: Handling,
    /// `respond-async`: to be answered later.
    pub(crate) is_async: bool,
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
                    "respond-async" => preferences.is_async = true,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn reads_preferences() {
        let preferences = Preferences::of(&headers(PREFER, "return=minimal; handling=lenient, respond-async"));
        assert_eq!(
            preferences,
            Preferences { returns: Some(Returns::Minimal), handling: Handling::Lenient, is_async: true }
        );
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
