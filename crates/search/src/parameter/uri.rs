//! Uri parameters, <https://hl7.org/fhir/R4/search.html#uri>: compared as they are written.
//!
//! A row is the uri. A canonical with a version, `url|1.0`, has a second row without it, so that both find it. `:below` and `:above`
//! go by path segments, and only for URLs: a urn has no hierarchy.

use fhir::fhirpath::Item;
use store::{Filter, Index};

use super::BadValue;
use super::item::{text, type_name};
use crate::escape::unescape;
use crate::row::{self, Rows, SIMPLE_MAX, push_part};

pub(super) const MODIFIERS: &[&str] = &["missing", "below", "above"];

/// How many slashes a URL may have whose parents `:above` names.
const SLASHES_MAX: usize = 16;

pub(super) fn rows(item: &Item<'_>, index: Index, rows: &mut Rows) {
    let Some(uri) = text(item) else { return };
    rows.push(index, row_value(&uri));
    if let ("canonical", Some((url, _))) = (type_name(item), uri.rsplit_once('|')) {
        rows.push(index, row_value(url));
    }
}

fn row_value(uri: &str) -> Vec<u8> {
    let mut value = Vec::with_capacity(uri.len().min(SIMPLE_MAX));
    push_part(&mut value, uri, SIMPLE_MAX);
    value
}

/// Resources with exactly this uri.
pub(crate) fn same_uri(index: Index, uri: &str) -> Filter {
    Filter::equal(index, row_value(uri))
}

pub(super) fn filter(index: Index, modifier: Option<&str>, value: &str) -> Result<Filter, BadValue> {
    let uri = unescape(value);
    if uri.is_empty() {
        return Err(BadValue("a uri"));
    }
    let is_url = uri.contains("://");
    match modifier {
        Some("below" | "above") if !is_url => Err(BadValue("a URL, which has a path")),
        Some("below") => {
            // Of a version, its first parts are enough.
            if uri.contains('|') {
                let more = format!("{uri}.");
                let more = &more.as_bytes()[..more.len().min(SIMPLE_MAX - row::HASH_LENGTH)];
                return Ok(Filter::Any(vec![Filter::equal(index, row_value(&uri)), Filter::prefix(index, more)]));
            }
            let inside = format!("{}/", uri.trim_end_matches('/'));
            // What is longer than a row holds is compared by its beginning.
            let inside = &inside.as_bytes()[..inside.len().min(SIMPLE_MAX - row::HASH_LENGTH)];
            Ok(Filter::Any(vec![Filter::equal(index, row_value(&uri)), Filter::prefix(index, inside)]))
        }
        Some("above") => {
            let host = uri.find("://").map_or(0, |at| at + 3);
            let slashes: Vec<_> = uri[host..].match_indices('/').map(|(at, _)| host + at).collect();
            if slashes.len() > SLASHES_MAX {
                return Err(BadValue("a URL of at most 16 path segments"));
            }
            let above = slashes.into_iter().flat_map(|at| [&uri[..at], &uri[..=at]]).chain([uri.as_ref()]);
            Ok(row::any(above.map(|uri| Filter::equal(index, row_value(uri))).collect()))
        }
        _ => Ok(Filter::equal(index, row_value(&uri))),
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check, check_refused};

    #[test]
    fn compares_uris_as_written_or_by_path() {
        let value_set =
            r#"{"resourceType":"ValueSet","id":"v","status":"draft","url":"http://acme.org/fhir/ValueSet/123"}"#;
        check(
            value_set,
            &[
                ("url=http://acme.org/fhir/ValueSet/123", true),
                ("url=http://acme.org/fhir/ValueSet/123/", false),
                ("url=http://acme.org/fhir/ValueSet/12", false),
                ("url=HTTP://acme.org/fhir/ValueSet/123", false),
                ("url=http://a.org,http://acme.org/fhir/ValueSet/123", true),
                ("url:below=http://acme.org/fhir/", true),
                ("url:below=http://acme.org/fhir", true),
                ("url:below=http://acme.org/fh", false),
                ("url:below=http://acme.org/fhir/ValueSet/123", true),
                ("url:above=http://acme.org/fhir/ValueSet/123/_history/5", true),
                ("url:above=http://acme.org/fhir/ValueSet/123", true),
                ("url:above=http://acme.org/fhir/ValueSet/1234", false),
                ("url:above=http://acme.org/fhir/", false),
                ("url:missing=false", true),
            ],
        );
        check(
            r#"{"resourceType":"ValueSet","id":"v","status":"draft","url":"urn:oid:1.2.3"}"#,
            &[("url=urn:oid:1.2.3", true), ("url=urn:oid:1.2", false)],
        );
    }

    #[test]
    fn finds_canonicals_with_and_without_version() {
        let patient = r#"{"resourceType":"Patient","id":"p","meta":{"source":"https://a.example/feed#7","profile":
            ["https://fhir.hl7.org.uk/StructureDefinition/UKCore-Patient|2.0.1"],"tag":[{"system":"urn:t","code":"x"}],
            "security":[{"system":"urn:s","code":"R"}]}}"#;
        check(
            patient,
            &[
                ("_profile=https://fhir.hl7.org.uk/StructureDefinition/UKCore-Patient", true),
                ("_profile=https://fhir.hl7.org.uk/StructureDefinition/UKCore-Patient|2.0.1", true),
                ("_profile=https://fhir.hl7.org.uk/StructureDefinition/UKCore-Patient|2", false),
                ("_profile:below=https://fhir.hl7.org.uk/StructureDefinition/UKCore-Patient|2", true),
                ("_profile:below=https://fhir.hl7.org.uk/StructureDefinition/UKCore-Patient|2.0.1", true),
                ("_profile:below=https://fhir.hl7.org.uk/StructureDefinition/UKCore-Patient|1", false),
                ("_profile:below=https://fhir.hl7.org.uk/StructureDefinition", true),
                ("_source=https://a.example/feed#7", true),
                ("_source=https://a.example/feed", false),
                ("_tag=x", true),
                ("_tag=urn:t|x", true),
                ("_tag=y", false),
                ("_tag:not=y", true),
                ("_security=urn:s|R", true),
                ("_security:missing=true", false),
            ],
        );
    }

    #[test]
    fn refuses_what_it_does_not_understand() {
        check_refused(
            "ValueSet",
            &[
                ("url=", "parameter `url` has the value ``, expected a uri"),
                ("url:below=urn:oid:1.2", "expected a URL, which has a path"),
                ("url:above=urn:oid:1.2", "expected a URL"),
                (
                    "url:above=http://a.example/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17",
                    "a URL of at most 16 path segments",
                ),
                ("url:contains=x", "modifier `:contains` of `url` is unknown, allowed are :missing, :below, :above"),
            ],
        );
    }
}
