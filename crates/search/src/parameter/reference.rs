//! Reference parameters, <https://hl7.org/fhir/R4/search.html#reference>.
//!
//! The row of a reference to a resource of this server is `id 0 Type`, whichever way it was written, so that bare, typed and
//! absolute references find each other and joins are equalities. Any other URL, urn or canonical is `1 url 0 version`. A reference
//! to one version has a further row `id 0 Type 0 version` in the index `version`, and `Reference.identifier` is a token in the
//! index `identifier`. References to contained resources lead nowhere that a search could name, and have no row of their own; what they
//! lead to has ([`crate::contained`]).

use fhir::fhirpath::Item;
use fhir::json::Node;
use fhir::{Reference, reference};
use store::{Filter, Index};

use super::item::{member, node, text, type_name};
use super::{BadValue, Narrowing, Site, token};
use crate::escape::unescape;
use crate::row::{self, IDENTIFIER, Rows, VERSION, push_part};
use crate::shape::{Shape, Values};

/// Besides these, the name of a target type is a modifier.
pub(super) const MODIFIERS: &[&str] = &["missing", "identifier", "below"];

const FORM: &str = "`id`, `Type/id` or an absolute URL";
const BELOW: &str = "below";
const URL_MAX: usize = 280;
const VERSION_MAX: usize = 80;

/// Only references to `target_type` when there is one: the meaning of `where(resolve() is Patient)`.
pub(super) fn rows(site: Site<'_>, item: &Item<'_>, target_type: Option<&str>, index: Index, rows: &mut Rows) {
    if type_name(item) != "Reference" {
        if let (Some(text), None) = (text(item), target_type) {
            push_reference(site, &text, index, rows);
        }
        return;
    }
    let Some(node) = node(item) else { return };
    let text = member(node, "reference");
    if let (Some(Reference::Contained(id)), Some(_)) = (text.as_deref().and_then(Reference::parse), target_type) {
        return rows.lead_inside(index, id, target_type);
    }
    if target_type.is_some_and(|wanted| !leads_to(wanted, text.as_deref(), node)) {
        return;
    }
    if let Some(text) = &text {
        push_reference(site, text, index, rows);
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

/// Adds the rows of a reference or canonical by its text.
pub(crate) fn push_reference(site: Site<'_>, text: &str, index: Index, rows: &mut Rows) {
    match Link::parse(site, text) {
        Some(Link::Local { resource_type, id, version }) => {
            rows.push(index, local_value(resource_type, id));
            if let Some(version) = version {
                rows.push(row::secondary(index, VERSION), version_value(resource_type, id, version));
            }
        }
        Some(Link::Url { url, version }) => rows.push(index, url_value(url, version)),
        Some(Link::Inside { id }) => rows.lead_inside(index, id, None),
        None => {}
    }
}

pub(super) fn filter(
    site: Site<'_>,
    modifier: Option<&str>,
    narrowing: Narrowing,
    index: Index,
    value: &str,
) -> Result<Filter, BadValue> {
    if modifier == Some(IDENTIFIER) {
        let shape = Shape { values: Values::Identifier, ..Shape::default() };
        return token::filter(site, row::secondary(index, IDENTIFIER), None, shape, value);
    }
    let text = unescape(value);
    if reference::is_id(&text) && modifier != Some(BELOW) {
        return Ok(match narrowing.named_type.or(narrowing.shape.target_type) {
            Some(resource_type) => Filter::equal(index, local_value(resource_type, &text)),
            None => Filter::prefix(index, [text.as_bytes(), &[0]].concat()),
        });
    }
    if modifier == Some(BELOW) {
        return below(site, index, &text);
    }
    match (Link::parse(site, &text), narrowing.named_type) {
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
        (Some(Link::Inside { .. }) | None, _) => Err(BadValue(FORM)),
    }
}

/// Canonicals of any version, or of those versions that begin with the parts given: `url|1` takes in `url|1.0`.
fn below(site: Site<'_>, index: Index, text: &str) -> Result<Filter, BadValue> {
    match Link::parse(site, text) {
        Some(Link::Url { url, version: "" }) => Ok(Filter::prefix(index, url_prefix(url))),
        Some(Link::Url { url, version }) if version.len() < VERSION_MAX => {
            let parts = Filter::prefix(index, url_value(url, &format!("{version}.")));
            Ok(Filter::Any(vec![Filter::equal(index, url_value(url, version)), parts]))
        }
        _ => Err(BadValue("a canonical URL, with or without the first parts of a version")),
    }
}

/// Where a reference leads.
enum Link<'a> {
    Local {
        resource_type: &'a str,
        id: &'a str,
        version: Option<&'a str>,
    },
    Url {
        url: &'a str,
        version: &'a str,
    },
    /// To what the resource contains.
    Inside {
        id: &'a str,
    },
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
            Reference::Contained(id) => Some(Link::Inside { id }),
            Reference::Conditional { .. } => None,
        }
    }
}

/// The row of a reference to a resource of this server: that of [`Key::to_link`].
pub(crate) fn local_value(resource_type: &str, id: &str) -> Vec<u8> {
    [id.as_bytes(), &[0], resource_type.as_bytes()].concat()
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

#[cfg(test)]
mod tests {
    use crate::testing::{check, check_refused};

    const OBSERVATION: &str = r##"{"resourceType":"Observation","id":"o","status":"final","code":{"text":"x"},
        "subject":{"reference":"Patient/ann"},
        "encounter":{"reference":"https://flint.example/fhir/Encounter/e1/_history/3"},
        "performer":[{"reference":"https://other.example/fhir/Practitioner/p1"},{"reference":"urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"},
            {"reference":"#org"},{"type":"Organization","identifier":{"system":"urn:ods","value":"A81001"}}],
        "device":{"display":"Scales"}}"##;

    #[test]
    fn finds_every_form_of_a_local_reference() {
        check(
            OBSERVATION,
            &[
                ("subject=ann", true),
                ("subject=an", false),
                ("subject=Patient/ann", true),
                ("subject=Group/ann", false),
                ("subject=https://flint.example/fhir/Patient/ann", true),
                ("subject=https://flint.example/Patient/ann", false),
                ("subject=http://flint.example/fhir/Patient/ann", false),
                ("subject:Patient=ann", true),
                ("subject:Patient=Patient/ann", true),
                ("subject:Group=ann", false),
                ("subject=bob,ann", true),
                ("patient=ann", true),
                ("patient=Patient/ann", true),
                ("encounter=e1", true),
                ("encounter=Encounter/e1", true),
                ("encounter=Encounter/e1/_history/3", true),
                ("encounter=Encounter/e1/_history/2", false),
                ("subject=Patient/ann/_history/1", false),
            ],
        );
    }

    #[test]
    fn finds_other_references() {
        check(
            OBSERVATION,
            &[
                ("performer=https://other.example/fhir/Practitioner/p1", true),
                ("performer=p1", false),
                ("performer=Practitioner/p1", false),
                ("performer=urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0", true),
                ("performer=urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e1", false),
                ("performer=org", false),
                ("performer:identifier=A81001", true),
                ("performer:identifier=urn:ods|A81001", true),
                ("performer:identifier=urn:ods|", true),
                ("performer:identifier=urn:ods|A81002", false),
                ("performer:identifier=ann", false),
                ("subject:missing=false", true),
                ("device:missing=false", true),
                ("device:missing=true", false),
                ("device=Scales", false),
                ("specimen:missing=true", true),
            ],
        );
    }

    #[test]
    fn a_target_type_narrows_the_parameter() {
        let of = |subject: &str| {
            format!(
                r#"{{"resourceType":"Observation","id":"o","status":"final","code":{{"text":"x"}},"subject":{subject}}}"#
            )
        };
        check(
            &of(r#"{"reference":"Group/g"}"#),
            &[("subject=g", true), ("patient=g", false), ("patient:missing=true", true)],
        );
        check(&of(r#"{"reference":"https://a.example/Patient/p"}"#), &[("patient=https://a.example/Patient/p", true)]);
        check(
            &of(r#"{"type":"Patient","identifier":{"value":"1"}}"#),
            &[
                ("patient:missing=true", false),
                ("patient:identifier=1", true),
                ("subject:identifier=1", true),
                ("patient=1", false),
            ],
        );
        check(&of(r#"{"type":"Group","identifier":{"value":"1"}}"#), &[("patient:identifier=1", false)]);
    }

    #[test]
    fn finds_canonicals_with_and_without_version() {
        let response = r#"{"resourceType":"QuestionnaireResponse","id":"r","status":"completed",
            "questionnaire":"http://forms.example/Questionnaire/phq9|2.1"}"#;
        check(
            response,
            &[
                ("questionnaire=http://forms.example/Questionnaire/phq9", true),
                (r"questionnaire=http://forms.example/Questionnaire/phq9|2.1", true),
                (r"questionnaire=http://forms.example/Questionnaire/phq9\|2.1", true),
                ("questionnaire=http://forms.example/Questionnaire/phq9|2", false),
                ("questionnaire:below=http://forms.example/Questionnaire/phq9", true),
                ("questionnaire:below=http://forms.example/Questionnaire/phq9|2", true),
                ("questionnaire:below=http://forms.example/Questionnaire/phq9|2.1", true),
                ("questionnaire:below=http://forms.example/Questionnaire/phq9|2.1.0", false),
                ("questionnaire:below=http://forms.example/Questionnaire/phq9|1", false),
                ("questionnaire:below=http://forms.example/Questionnaire", false),
                ("questionnaire=http://forms.example/Questionnaire/phq", false),
            ],
        );
        let measure = r#"{"resourceType":"PlanDefinition","id":"p","status":"active","relatedArtifact":[
            {"type":"successor","resource":"http://a.example/1"},{"type":"depends-on","resource":"http://a.example/2"}]}"#;
        check(
            measure,
            &[
                ("successor=http://a.example/1", true),
                ("successor=http://a.example/2", false),
                ("depends-on=http://a.example/2", true),
            ],
        );
    }

    #[test]
    fn refuses_what_it_does_not_understand() {
        check_refused(
            "Observation",
            &[
                ("subject=", "parameter `subject` has the value ``, expected `id`, `Type/id` or an absolute URL"),
                ("subject=a b", "expected `id`"),
                ("subject=Patients/ann", "expected `id`"),
                ("subject=Patient/", "expected `id`"),
                ("subject=#org", "expected `id`"),
                ("subject:Patient=Group/g", "expected a reference to the type that the modifier names"),
                ("subject:Patient=urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0", "expected `id` or `Type/id`"),
                ("subject:Slot=s", "parameter `subject` of Observation does not lead to Slot, but to "),
                (
                    "subject:exact=s",
                    "modifier `:exact` of `subject` is unknown, allowed are :missing, :identifier, :below, :",
                ),
                ("subject:below=ann", "expected a canonical URL, with or without"),
                ("subject:identifier=|", "expected `code`"),
            ],
        );
    }
}
