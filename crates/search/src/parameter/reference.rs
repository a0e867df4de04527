//! Reference parameters, <https://hl7.org/fhir/R4/search.html#reference>.
//!
//! The row of a reference to a resource of this server is `id 0 Type`, whichever way it was written, so that bare, typed and
//! absolute references find each other and joins are equalities. Any other URL, urn or canonical is `1 url 0 version`. A reference
//! to one version has a further row `id 0 Type 0 version` in the index `version`, and `Reference.identifier` is a token in the
//! index `identifier`. References to contained resources lead nowhere that a search could name, and have no row.

use fhir::fhirpath::Item;
use fhir::json::Node;
use fhir::{Reference, reference};
use store::{Filter, Index, Key};

use super::item::{member, node, text, type_name};
use super::{BadValue, Site, token};
use crate::escape::unescape;
use crate::row::{self, Rows, push_part};

/// Besides these, the name of a target type is a modifier.
pub(super) const MODIFIERS: &[&str] = &["missing", "identifier"];

const FORM: &str = "`id`, `Type/id` or an absolute URL";
const VERSION: &str = "version";
const IDENTIFIER: &str = "identifier";
const URL_MAX: usize = 280;
const VERSION_MAX: usize = 80;

/// Only references to `target_type` when there is one: the meaning of `where(resolve() is Patient)`.
pub(super) fn rows(site: Site<'_>, item: &Item<'_>, target_type: Option<&str>, index: Index, rows: &mut Rows) {
    if type_name(item) != "Reference" {
        if let (Some(text), None) = (text(item), target_type) {
            text_rows(site, &text, index, rows);
        }
        return;
    }
    let Some(node) = node(item) else { return };
    let text = member(node, "reference");
    if target_type.is_some_and(|wanted| !leads_to(wanted, text.as_deref(), node)) {
        return;
    }
    if let Some(text) = &text {
        text_rows(site, text, index, rows);
    }
    if let Some(identifier) = node.get("identifier") {
        token::identifier_rows(identifier, row::secondary(index, IDENTIFIER), rows);
    }
}

/// Whether a Reference names a resource of this type, by its text or else by its `type`.
fn leads_to(resource_type: &str, text: Option<&str>, reference: Node<'_>) -> bool {
    match text.and_then(Reference::parse) {
        Some(Reference::Relative { resource_type: found, .. } | Reference::Absolute { resource_type: found, .. }) => {
            found == resource_type
        }
        _ => reference.get("type").is_some_and(|found| found.is_str(resource_type)),
    }
}

fn text_rows(site: Site<'_>, text: &str, index: Index, rows: &mut Rows) {
    match Link::parse(site, text) {
        Some(Link::Local { resource_type, id, version }) => {
            rows.push(index, local_value(resource_type, id));
            if let Some(version) = version {
                rows.push(row::secondary(index, VERSION), version_value(resource_type, id, version));
            }
        }
        Some(Link::Url { url, version }) => rows.push(index, url_value(url, version)),
        None => {}
    }
}

/// `target_type` is a modifier such as `:Patient`.
pub(super) fn filter(
    site: Site<'_>,
    modifier: Option<&str>,
    target_type: Option<&str>,
    index: Index,
    value: &str,
) -> Result<Filter, BadValue> {
    if modifier == Some(IDENTIFIER) {
        return token::filter(row::secondary(index, IDENTIFIER), None, value);
    }
    let text = unescape(value);
    if reference::is_id(&text) {
        return Ok(match target_type {
            Some(resource_type) => Filter::equal(index, local_value(resource_type, &text)),
            None => Filter::prefix(index, [text.as_bytes(), &[0]].concat()),
        });
    }
    match (Link::parse(site, &text), target_type) {
        (Some(Link::Local { resource_type, .. }), Some(wanted)) if resource_type != wanted => {
            Err(BadValue("a reference to the type that the modifier names"))
        }
        (Some(Link::Local { resource_type, id, version: None }), _) => {
            Ok(Filter::equal(index, local_value(resource_type, id)))
        }
        (Some(Link::Local { resource_type, id, version: Some(version) }), _) => {
            Ok(Filter::equal(row::secondary(index, VERSION), version_value(resource_type, id, version)))
        }
        (Some(Link::Url { url, version: "" }), None) => Ok(Filter::prefix(index, url_prefix(url))),
        (Some(Link::Url { url, version }), None) => Ok(Filter::equal(index, url_value(url, version))),
        (Some(Link::Url { .. }), Some(_)) => Err(BadValue("`id` or `Type/id`")),
        (None, _) => Err(BadValue(FORM)),
    }
}

/// Where a reference leads.
enum Link<'a> {
    Local { resource_type: &'a str, id: &'a str, version: Option<&'a str> },
    Url { url: &'a str, version: &'a str },
}

impl<'a> Link<'a> {
    fn parse(site: Site<'_>, text: &'a str) -> Option<Link<'a>> {
        match Reference::parse(text)? {
            Reference::Relative { resource_type, id, version } => Some(Link::Local { resource_type, id, version }),
            Reference::Absolute { base, resource_type, id, version } if base == site.base_url => {
                Some(Link::Local { resource_type, id, version })
            }
            Reference::Absolute { .. } | Reference::Urn(_) | Reference::Other(_) => {
                let (url, version) = text.rsplit_once('|').unwrap_or((text, ""));
                Some(Link::Url { url, version })
            }
            Reference::Contained(_) | Reference::Conditional { .. } => None,
        }
    }
}

/// The row of a reference to a resource of this server.
pub(crate) fn local_value(resource_type: &str, id: &str) -> Vec<u8> {
    [id.as_bytes(), &[0], resource_type.as_bytes()].concat()
}

/// The resource of this server that a row names.
pub(crate) fn local_key(value: &[u8]) -> Option<Key> {
    let (id, resource_type) = std::str::from_utf8(value).ok()?.split_once('\0')?;
    (reference::is_id(id)).then(|| Key::new(resource_type, id)).flatten()
}

fn version_value(resource_type: &str, id: &str, version: &str) -> Vec<u8> {
    [&local_value(resource_type, id), &[0][..], version.as_bytes()].concat()
}

fn url_prefix(url: &str) -> Vec<u8> {
    let mut value = vec![1];
    push_part(&mut value, url, URL_MAX);
    value.push(0);
    value
}

fn url_value(url: &str, version: &str) -> Vec<u8> {
    let mut value = url_prefix(url);
    push_part(&mut value, version, VERSION_MAX);
    value
}
