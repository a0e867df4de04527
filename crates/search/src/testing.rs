//! How tests ask: a resource, a query, and yes or no.

use std::sync::OnceLock;

use fhir::json::Document;
use fhir::{DateTime, Definitions, Instant};
use store::Row;

use crate::{Handling, Query, Registry, Rows, Scope};

pub(crate) const BASE_URL: &str = "https://flint.example/fhir";

/// 2026-03-01T12:00:00Z.
pub(crate) const NOW: Instant = Instant(1_772_366_400_000_000);

pub(crate) fn registry() -> &'static Registry {
    static REGISTRY: OnceLock<Registry> = OnceLock::new();
    REGISTRY.get_or_init(|| Registry::new(Definitions::r4(), BASE_URL))
}

/// The rows of a resource, with the one that the store keeps for the commit's time.
pub(crate) fn rows(resource: &str) -> Vec<Row> {
    let document = Document::parse(resource.as_bytes()).unwrap_or_else(|error| panic!("{error:?} in {resource}"));
    let Rows { mut rows, words } = registry().rows(&document).expect("a resource");
    rows.extend(words);
    let resource_type = document.root().resource_type().expect("checked by rows");
    if let Some(time) = document.root().path(&["meta", "lastUpdated"]).and_then(|time| time.as_str()) {
        let (start, _) = DateTime::parse(&time).expect("an instant").range();
        let value = store::time_value(start.as_millis()).to_vec();
        rows.push(Row { index: registry().time_index(resource_type), value });
    }
    rows
}

/// Compiles `name=value&name=value` for a type.
pub(crate) fn query(resource_type: &str, text: &str, handling: Handling) -> Result<Query, String> {
    let scope = Scope { resource_type: Definitions::r4().resource_type(resource_type), compartment: None };
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    let parameters: Vec<_> = pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    registry().query(&scope, &parameters, handling, NOW).map_err(|outcome| outcome.to_string())
}

/// Each query, and whether it finds the resource.
pub(crate) fn check(resource: &str, cases: &[(&str, bool)]) {
    let rows = rows(resource);
    let document = Document::parse(resource.as_bytes()).expect("parsed before");
    let resource_type = document.root().resource_type().expect("a resource");
    for (text, expected) in cases {
        let query = query(resource_type, text, Handling::Strict).unwrap_or_else(|error| panic!("{text}: {error}"));
        let filter = query.criterion.of_rows().unwrap_or_else(|| panic!("{text} needs a join"));
        assert_eq!(filter.accepts(&rows), *expected, "{text} on {resource}");
    }
}

/// Each query, and a part of the message that refuses it.
pub(crate) fn check_refused(resource_type: &str, cases: &[(&str, &str)]) {
    for (text, message) in cases {
        match query(resource_type, text, Handling::Strict) {
            Ok(query) => panic!("{text} was taken as {query:?}"),
            Err(error) => assert!(error.contains(message), "{text}: `{error}` lacks `{message}`"),
        }
    }
}

pub(crate) const PREFIXES: [&str; 9] = ["eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"];

/// What each prefix says, in the order of [`PREFIXES`]; one letter each, `y` or `-`.
#[track_caller]
pub(crate) fn check_prefixes(resource: &str, name: &str, cases: &[(&str, &str)]) {
    let mut queries = Vec::new();
    for (value, expected) in cases {
        let letters = PREFIXES.iter().zip(expected.chars());
        queries.extend(letters.map(|(prefix, letter)| (format!("{name}={prefix}{value}"), letter == 'y')));
        queries.push((format!("{name}={value}"), expected.starts_with('y')));
    }
    let queries: Vec<_> = queries.iter().map(|(query, expected)| (query.as_str(), *expected)).collect();
    check(resource, &queries);
}
