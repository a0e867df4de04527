//! Media types: what a body is written in, and what the answer shall be written in, <https://hl7.org/fhir/R4/http.html#mime-type>.

use fhir::json::Document;
use fhir::{Definitions, IssueType, Outcome, xml};
use hyper::HeaderMap;
use hyper::header::{ACCEPT, CONTENT_TYPE};

use crate::interaction::Expected;

pub(crate) const FHIR_JSON: &str = "application/fhir+json; charset=utf-8";
const FHIR_XML: &str = "application/fhir+xml; charset=utf-8";
pub(crate) const JSON_PATCH: &str = "application/json-patch+json";
pub(crate) const XML_PATCH: &str = "application/xml-patch+xml";

/// How a resource is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Xml,
}

/// What a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    Resource(Format),
    JsonPatch,
    XmlPatch,
    Form,
    /// What an operation takes as it is.
    Raw,
}

/// How the answer shall be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) format: Format,
    /// A caller who asks for `application/xml` is answered in its words.
    pub(crate) content_type: &'static str,
}

impl Wanted {
    /// What a caller gets whose wish cannot be understood.
    pub(crate) const JSON: Wanted = Wanted { format: Format::Json, content_type: FHIR_JSON };
}

impl Format {
    /// The names of the format: type, subtype, and the content type that answers it.
    fn names(self) -> &'static [(&'static str, &'static str, &'static str)] {
        match self {
            Format::Json => &[
                ("application", "fhir+json", FHIR_JSON),
                ("application", "json", "application/json; charset=utf-8"),
                ("text", "json", "text/json; charset=utf-8"),
                ("application", "json+fhir", FHIR_JSON),
            ],
            Format::Xml => &[
                ("application", "fhir+xml", FHIR_XML),
                ("application", "xml", "application/xml; charset=utf-8"),
                ("text", "xml", "text/xml; charset=utf-8"),
                ("application", "xml+fhir", FHIR_XML),
            ],
        }
    }

    /// The resource that bytes in this format are.
    pub(crate) fn read(self, bytes: &[u8]) -> Result<Document, Outcome> {
        match self {
            Format::Json => Ok(Document::parse(bytes)?),
            Format::Xml => xml::parse(Definitions::r4(), bytes),
        }
    }

    /// The format by its own name.
    pub(crate) fn wanted(self) -> Wanted {
        Wanted { format: self, content_type: self.names()[0].2 }
    }
}

/// How the answer shall be written: `_format` goes before the header, and where neither decides, the answer is as the body is.
pub(crate) fn wanted(headers: &HeaderMap, format: Option<&str>) -> Result<Wanted, Outcome> {
    if let Some(format) = format {
        // An unencoded `+` in a query is a space.
        let (name, parameters) = format.split_once(';').unwrap_or((format, ""));
        let format = format!("{};{parameters}", name.trim().replace(' ', "+"));
        let format = format.trim_end_matches(';');
        return by_name(format).map(Format::wanted).ok_or_else(|| not_acceptable("_format", format));
    }
    let given = if is_xml(headers) { Format::Xml } else { Format::Json };
    if !headers.contains_key(ACCEPT) {
        return Ok(given.wanted());
    }
    let values = || headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let ranges = || values().flat_map(|value| value.split(',')).filter_map(MediaRange::parse);
    let other = if given == Format::Xml { Format::Json } else { Format::Xml };
    let choices = [Choice::of(given, ranges()), Choice::of(other, ranges())];
    let best = choices.into_iter().flatten().filter(|choice| choice.quality > 0.0).reduce(Choice::better);
    match best {
        Some(choice) => Ok(choice.wanted),
        None => Err(not_acceptable("Accept", &values().collect::<Vec<_>>().join(", "))),
    }
}

fn by_name(name: &str) -> Option<Format> {
    match name {
        "json" => return Some(Format::Json),
        "xml" => return Some(Format::Xml),
        _ => {}
    }
    let range = MediaRange::parse(name)?;
    [Format::Json, Format::Xml].into_iter().find(|format| range.names(*format).is_some())
}

fn is_xml(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let range = value.and_then(MediaRange::parse);
    range.is_some_and(|range| range.names(Format::Xml).is_some() || range.is("application", "xml-patch+xml"))
}

/// What `Accept` says of one format.
#[derive(Clone, Copy)]
struct Choice {
    wanted: Wanted,
    quality: f32,
    /// 2 for a format by name, 1 for `application/*`, 0 for `*/*`.
    precision: u8,
    /// Among the ranges.
    position: usize,
}

impl Choice {
    /// The most precise range that the format lies in; of several, the one that is liked best, RFC 9110 section 12.5.1.
    fn of<'a>(format: Format, ranges: impl Iterator<Item = MediaRange<'a>>) -> Option<Choice> {
        let choices = ranges.enumerate().filter_map(|(position, range)| {
            let (precision, content_type) = range.covers(format)?;
            let wanted = Wanted { format, content_type };
            Some(Choice { wanted, quality: range.quality(), precision, position })
        });
        choices.reduce(|best, next| {
            let is_better = (next.precision, next.quality) > (best.precision, best.quality);
            if is_better { next } else { best }
        })
    }

    /// The one that is liked better; of two that are liked the same the more precise, then the one that was named first.
    fn better(self, other: Choice) -> Choice {
        let same = self.quality == other.quality;
        let is_other = other.quality > self.quality
            || same && other.precision > self.precision
            || same && other.precision == self.precision && other.position < self.position;
        if is_other { other } else { self }
    }
}

fn not_acceptable(name: &str, value: &str) -> Outcome {
    let text = format!(
        "{name} `{value}` is not served, only `application/fhir+json` and `application/fhir+xml` (fhirVersion 4.0)"
    );
    Outcome::new(IssueType::NotAcceptable, text)
}

/// What the body of a request is; refused when the interaction does not take it. `raw` are the media types that it takes as they are.
pub(crate) fn content(headers: &HeaderMap, expected: Expected, raw: &[&str]) -> Result<Media, Outcome> {
    let is_raw = |value: &str| {
        let essence = value.split(';').next().unwrap_or_default().trim();
        raw.iter().any(|known| known.eq_ignore_ascii_case(essence))
    };
    match headers.get(CONTENT_TYPE).map(|value| value.to_str()) {
        Some(Ok(value)) if is_raw(value) => Ok(Media::Raw),
        None => Ok(match expected {
            Expected::Nothing | Expected::Resource => Media::Resource(Format::Json),
            Expected::Form => Media::Form,
            Expected::Patch => Media::JsonPatch,
        }),
        Some(Ok(value)) => media(value, expected),
        Some(Err(_)) => Err(Outcome::new(IssueType::MediaType, "the content type is not readable")),
    }
}

/// What a media type stands for; refused when the interaction does not take it.
pub(crate) fn media(value: &str, expected: Expected) -> Result<Media, Outcome> {
    let range = MediaRange::parse(value);
    let fits = |media: &Media| match expected {
        Expected::Nothing => true,
        Expected::Resource => matches!(media, Media::Resource(_)),
        Expected::Form => *media == Media::Form,
        Expected::Patch => *media != Media::Form,
    };
    let is_utf8 = range.and_then(|range| range.parameter("charset")).is_none_or(|charset| {
        ["utf-8", "us-ascii"].iter().any(|read| charset.trim_matches('"').eq_ignore_ascii_case(read))
    });
    if let Some(media) = range.and_then(MediaRange::media).filter(fits).filter(|_| is_utf8) {
        return Ok(media);
    }
    let right = match expected {
        Expected::Nothing | Expected::Resource => "`application/fhir+json` or `application/fhir+xml`".to_owned(),
        Expected::Form => "`application/x-www-form-urlencoded`".to_owned(),
        Expected::Patch => format!("`{JSON_PATCH}`, `{XML_PATCH}`, or Parameters as `application/fhir+json`"),
    };
    let text = format!("content type `{value}` is not read here, send {right} in UTF-8");
    Err(Outcome::new(IssueType::MediaType, text))
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

    fn is(self, kind: &str, subtype: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind) && self.subtype.eq_ignore_ascii_case(subtype)
    }

    /// The content type that answers this range, when it names R4 in this format.
    fn names(self, format: Format) -> Option<&'static str> {
        let mut names = format.names().iter();
        let name = names.find(|(kind, subtype, _)| self.is(kind, subtype)).filter(|_| self.is_r4())?;
        Some(name.2)
    }

    /// How precisely the range covers R4 in this format, and the content type that answers it.
    fn covers(self, format: Format) -> Option<(u8, &'static str)> {
        if let Some(content_type) = self.names(format) {
            return Some((2, content_type));
        }
        let precision = match self.kind {
            "*" if self.subtype == "*" => 0,
            "application" if self.subtype == "*" => 1,
            _ => return None,
        };
        self.is_r4().then(|| (precision, format.wanted().content_type))
    }

    fn is_r4(self) -> bool {
        let version = self.parameter("fhirVersion");
        version.is_none_or(|version| matches!(version.trim_matches('"'), "4.0" | "4.0.1"))
    }

    fn media(self) -> Option<Media> {
        if let Some(format) = [Format::Json, Format::Xml].into_iter().find(|format| self.names(*format).is_some()) {
            return Some(Media::Resource(format));
        }
        let others = [
            ("json-patch+json", Media::JsonPatch),
            ("xml-patch+xml", Media::XmlPatch),
            ("x-www-form-urlencoded", Media::Form),
        ];
        others.into_iter().find(|(subtype, _)| self.is("application", subtype)).map(|(_, media)| media)
    }

    /// From 0 for never to 1, which it also is when nothing is said.
    fn quality(self) -> f32 {
        let quality = self.parameter("q").and_then(|quality| quality.parse::<f32>().ok());
        quality.filter(|quality| (0.0..=1.0).contains(quality)).unwrap_or(1.0)
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
    use hyper::header::{HeaderName, HeaderValue};

    use super::*;

    fn headers(fields: &[(HeaderName, &'static str)]) -> HeaderMap {
        fields.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn answers_in_what_is_liked_best() {
        let cases = [
            ("application/fhir+json", None, "application/fhir+json"),
            ("application/json", None, "application/json"),
            ("*/*", None, "application/fhir+json"),
            ("application/*", None, "application/fhir+json"),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", None, "application/xml"),
            ("application/fhir+xml;q=1, application/fhir+json;q=0.1", None, "application/fhir+xml"),
            ("application/fhir+xml;q=0.1, application/fhir+json;q=0.2", None, "application/fhir+json"),
            ("application/fhir+xml, application/fhir+json", None, "application/fhir+xml"),
            ("application/json, application/fhir+json", None, "application/json"),
            ("application/xml;q=0.5, application/fhir+xml", None, "application/fhir+xml"),
            ("*/*;q=0.1, application/fhir+xml", None, "application/fhir+xml"),
            ("application/fhir+json;q=0.5, */*;q=0.5", None, "application/fhir+json"),
            ("application/fhir+xml;q=0.5, */*;q=0.5", None, "application/fhir+xml"),
            ("application/fhir+json;q=0, */*", None, "application/fhir+xml"),
            ("Application/FHIR+XML", None, "application/fhir+xml"),
            ("text/xml", None, "text/xml"),
            ("application/xml+fhir", None, "application/fhir+xml"),
            ("application/fhir+json; fhirVersion=4.0", None, "application/fhir+json"),
            ("application/fhir+xml; fhirVersion=\"4.0.1\"", None, "application/fhir+xml"),
            ("application/fhir+json; fhirVersion=5.0", None, ""),
            (
                "application/fhir+json; fhirVersion=5.0, application/fhir+xml; fhirVersion=4.0;q=0.1",
                None,
                "application/fhir+xml",
            ),
            ("application/fhir+json;q=0", None, ""),
            ("text/html", None, ""),
            ("text/*", None, ""),
            ("nonsense", None, ""),
            ("application/fhir+xml", Some("json"), "application/fhir+json"),
            ("application/fhir+xml", Some("application/fhir json"), "application/fhir+json"),
            ("application/fhir+json", Some("xml"), "application/fhir+xml"),
            ("application/fhir+json", Some("text/xml"), "application/fhir+xml"),
            ("application/fhir+json", Some("application/xml"), "application/fhir+xml"),
            ("application/fhir+json", Some("ttl"), ""),
            ("application/fhir+json", Some("html"), ""),
            ("application/fhir+json", Some("application/fhir+xml; fhirVersion=3.0"), ""),
        ];
        for (accept, format, expected) in cases {
            match wanted(&headers(&[(ACCEPT, accept)]), format) {
                Ok(wanted) => {
                    assert_eq!(wanted.content_type.split(';').next(), Some(expected), "{accept} {format:?}");
                    assert_eq!(wanted.format == Format::Xml, expected.contains("xml"), "{accept} {format:?}");
                }
                Err(outcome) => {
                    assert_eq!(expected, "", "{accept} {format:?}");
                    assert_eq!(outcome.issues[0].code, IssueType::NotAcceptable);
                }
            }
        }
    }

    #[test]
    fn answers_as_the_body_is_when_nothing_else_is_said() {
        let cases = [
            (None, None, Format::Json),
            (None, Some("application/fhir+xml"), Format::Xml),
            (None, Some("application/xml-patch+xml"), Format::Xml),
            (None, Some("application/json-patch+json"), Format::Json),
            (Some("*/*"), Some("text/xml"), Format::Xml),
            (Some("*/*"), None, Format::Json),
            (Some("application/fhir+json"), Some("application/fhir+xml"), Format::Json),
        ];
        for (accept, content_type, expected) in cases {
            let accept = accept.map(|value| (ACCEPT, value));
            let content_type = content_type.map(|value| (CONTENT_TYPE, value));
            let fields: Vec<_> = accept.into_iter().chain(content_type).collect();
            assert_eq!(wanted(&headers(&fields), None).map(|wanted| wanted.format), Ok(expected), "{fields:?}");
        }
    }

    #[test]
    fn reads_content_types() {
        let (json, xml) = (Media::Resource(Format::Json), Media::Resource(Format::Xml));
        let cases = [
            ("application/fhir+json", Expected::Resource, Some(json)),
            ("application/json; charset=UTF-8", Expected::Resource, Some(json)),
            ("application/json; charset=\"utf-8\"", Expected::Resource, Some(json)),
            ("application/json; charset=latin1", Expected::Resource, None),
            ("application/fhir+json; fhirVersion=3.0", Expected::Resource, None),
            ("application/fhir+xml", Expected::Resource, Some(xml)),
            ("text/xml; charset=us-ascii", Expected::Resource, Some(xml)),
            ("application/xml; charset=utf-16", Expected::Resource, None),
            ("application/xml; fhirVersion=4.0", Expected::Resource, Some(xml)),
            ("*/*", Expected::Resource, None),
            ("application/*", Expected::Resource, None),
            ("application/x-www-form-urlencoded", Expected::Resource, None),
            ("application/json-patch+json", Expected::Resource, None),
            ("application/x-www-form-urlencoded", Expected::Form, Some(Media::Form)),
            ("application/json", Expected::Form, None),
            ("application/json-patch+json", Expected::Patch, Some(Media::JsonPatch)),
            ("application/xml-patch+xml", Expected::Patch, Some(Media::XmlPatch)),
            ("application/fhir+json", Expected::Patch, Some(json)),
            ("application/fhir+xml", Expected::Patch, Some(xml)),
            ("application/x-www-form-urlencoded", Expected::Patch, None),
            ("application/gzip", Expected::Resource, Some(Media::Raw)),
        ];
        for (value, expected, media) in cases {
            assert_eq!(
                content(&headers(&[(CONTENT_TYPE, value)]), expected, &["application/gzip"]).ok(),
                media,
                "{value}"
            );
        }
        assert_eq!(content(&HeaderMap::new(), Expected::Patch, &[]), Ok(Media::JsonPatch));
        assert_eq!(content(&HeaderMap::new(), Expected::Resource, &[]), Ok(json));
    }
}
