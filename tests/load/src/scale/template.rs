//! A published resource, cut where its copies differ.

use std::io::{Read, Write};
use std::path::Path;

use fhir::{DateTime, Instant};
use serde_json::Value;

use super::facts::Fact;

/// One patient's record.
pub(super) struct Record {
    pub(super) templates: Vec<Template>,
    /// The patient's family name as published.
    pub(super) family: String,
}

/// A resource whose copies differ in ids, dates and the patient's family name.
pub(super) struct Template {
    pieces: Vec<Piece>,
    pub(super) fact: Fact,
}

enum Piece {
    Same(String),
    Id(u128),
    /// Days since 1970.
    Date(i32),
    Family,
}

/// In what one copy of a record differs.
pub(super) struct Change {
    /// Makes other ids of the published ones, no two the same.
    pub(super) key: u128,
    pub(super) days: i32,
    pub(super) family: String,
}

pub(super) const DAY_MILLIS: i64 = 86_400_000;

/// Stands for the family name until a record is cut.
const FAMILY: &str = "@family@";

impl Record {
    pub(super) fn read(path: &Path, codes: &mut Vec<String>) -> Result<Record, Box<dyn std::error::Error>> {
        let bytes = std::fs::read(path)?;
        let mut text = String::new();
        match path.extension().is_some_and(|extension| extension == "gz") {
            true => _ = flate2::read::GzDecoder::new(bytes.as_slice()).read_to_string(&mut text)?,
            false => text = String::from_utf8(bytes)?,
        }
        let bundle: Value = serde_json::from_str(&text)?;
        let entries = bundle["entry"].as_array().ok_or("there are no entries")?;
        let mut types = Vec::new();
        for entry in entries {
            let full_url = entry["fullUrl"].as_str().unwrap_or_default();
            types.push((full_url, entry["resource"]["resourceType"].as_str().unwrap_or_default()));
        }
        types.sort_unstable();
        let mut record = Record { templates: Vec::new(), family: String::new() };
        for entry in entries {
            let mut resource = entry["resource"].clone();
            if resource["resourceType"] == "Patient" {
                record.family = resource["name"][0]["family"].as_str().unwrap_or("Nobody").to_owned();
                resource["name"][0]["family"] = FAMILY.into();
            }
            point(&mut resource, &types);
            let fact = Fact::of(&resource, codes);
            record.templates.push(Template { pieces: cut(&resource.to_string()), fact });
        }
        Ok(record)
    }
}

/// Makes `Type/id` of each `urn:uuid:id`; `types` is sorted.
fn point(value: &mut Value, types: &[(&str, &str)]) {
    match value {
        Value::Object(members) => members.values_mut().for_each(|member| point(member, types)),
        Value::Array(items) => items.iter_mut().for_each(|item| point(item, types)),
        Value::String(text) => {
            if let Ok(at) = types.binary_search_by_key(&text.as_str(), |(full_url, _)| full_url) {
                let (full_url, resource_type) = types[at];
                *text = format!("{resource_type}/{}", full_url.trim_start_matches("urn:uuid:"));
            }
        }
        _ => {}
    }
}

/// Cuts a resource's text at ids, dates and the family name.
fn cut(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let (mut at, mut start) = (0, 0);
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        let Some((piece, length)) = piece(rest, at > 0 && text.as_bytes()[at - 1] == b'"') else {
            at += 1;
            continue;
        };
        pieces.push(Piece::Same(text[start..at].to_owned()));
        pieces.push(piece);
        at += length;
        start = at;
    }
    pieces.push(Piece::Same(text[start..].to_owned()));
    pieces
}

/// The id, date or name that text begins with, and its length. Dates stand only where a string begins.
fn piece(text: &[u8], begins: bool) -> Option<(Piece, usize)> {
    if text.starts_with(FAMILY.as_bytes()) {
        return Some((Piece::Family, FAMILY.len()));
    }
    let id = text.get(..ID_LENGTH).filter(|text| text[8] == b'-');
    if let Some(id) = id.and_then(|text| parse_id(std::str::from_utf8(text).ok()?)) {
        return Some((Piece::Id(id), ID_LENGTH));
    }
    let date = text.get(..DATE_LENGTH).filter(|text| begins && text[4] == b'-' && text[7] == b'-')?;
    let date = DateTime::parse(std::str::from_utf8(date).ok()?)?;
    Some((Piece::Date((date.range().0.as_millis() / DAY_MILLIS) as i32), DATE_LENGTH))
}

const ID_LENGTH: usize = 36;
const DATE_LENGTH: usize = 10;

/// A UUID as a number.
pub(super) fn parse_id(text: &str) -> Option<u128> {
    let dashes = [8, 13, 18, 23];
    let is_id = text.len() == ID_LENGTH
        && text.bytes().enumerate().all(|(at, byte)| match dashes.contains(&at) {
            true => byte == b'-',
            false => byte.is_ascii_hexdigit(),
        });
    is_id.then(|| u128::from_str_radix(&text.replace('-', ""), 16).ok()).flatten()
}

/// A number as a UUID.
pub(super) fn format_id(id: u128) -> String {
    let text = format!("{id:032x}");
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}

/// `2020-01-31`.
pub(super) fn format_date(days: i64) -> String {
    let mut text = Instant::from_millis(days * DAY_MILLIS).to_rfc3339();
    text.truncate(DATE_LENGTH);
    text
}

impl Template {
    /// Appends one copy as a line of JSON, without its end.
    pub(super) fn write(&self, change: &Change, out: &mut Vec<u8>) {
        for piece in &self.pieces {
            let written = match piece {
                Piece::Same(text) => out.write_all(text.as_bytes()),
                Piece::Id(id) => out.write_all(format_id(change.id(*id)).as_bytes()),
                Piece::Date(days) => out.write_all(format_date(i64::from(days + change.days)).as_bytes()),
                Piece::Family => out.write_all(change.family.as_bytes()),
            };
            written.expect("memory takes every byte");
        }
    }
}

impl Change {
    pub(super) fn id(&self, published: u128) -> u128 {
        published ^ self.key
    }

    pub(super) fn millis(&self, published: i64) -> i64 {
        published + i64::from(self.days) * DAY_MILLIS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn changes_ids_dates_and_names_and_nothing_else() {
        let resource = json!({"resourceType": "Patient", "id": "6c1a94c7-5d69-4041-8785-96f2c563ce82",
            "name": [{"family": FAMILY}], "birthDate": "1999-12-31", "deceasedDateTime": "2019-12-20T02:43:19+00:00",
            "identifier": [{"value": "999-44-3396"}, {"value": "é 2019-12-20"}],
            "managingOrganization": {"reference": "Organization/00000000-0000-0000-0000-000000000001"}});
        let template = Template { pieces: cut(&resource.to_string()), fact: Fact::Other };
        let mut out = Vec::new();
        template.write(&Change { key: 1, days: 1, family: "Ash007".to_owned() }, &mut out);
        let copy: Value = serde_json::from_slice(&out).expect("JSON");
        let expected = json!({"resourceType": "Patient", "id": "6c1a94c7-5d69-4041-8785-96f2c563ce83",
            "name": [{"family": "Ash007"}], "birthDate": "2000-01-01", "deceasedDateTime": "2019-12-21T02:43:19+00:00",
            "identifier": [{"value": "999-44-3396"}, {"value": "é 2019-12-20"}],
            "managingOrganization": {"reference": "Organization/00000000-0000-0000-0000-000000000000"}});
        assert_eq!(copy, expected);
    }
}
