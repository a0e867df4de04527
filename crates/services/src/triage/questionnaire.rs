//! Finding a Questionnaire, and what of it filling in and extracting have in common.

use std::sync::Arc;

use fhir::json::{Document, Node};
use fhir::outcome::quoted;
use fhir::terminology::Canonical;
use fhir::{IssueType, Library, Outcome};
use repository::Session;

use super::extension::extension;
use super::refusal::Reason;
use crate::fhirpath::refuse_wide;

/// The unit of a question whose answers are numbers, <https://hl7.org/fhir/R4/extension-questionnaire-unit.html>.
const UNIT: &str = "http://hl7.org/fhir/StructureDefinition/questionnaire-unit";

/// The Questionnaire of this canonical url: of the version named, else the latest.
pub(super) fn of_canonical(session: &Session<'_>, canonical: &str) -> Result<Option<Arc<Document>>, Outcome> {
    session.permit_read("Questionnaire")?;
    session.library().questionnaire(Canonical::parse(canonical))
}

/// A resource that was sent, on its own.
pub(super) fn copied(node: Node<'_>, resource_type: &str) -> Result<Document, Outcome> {
    refuse_wide(node, resource_type)?;
    match node.resource_type() {
        Some(found) if found == resource_type => Ok(Document::parse(node.raw().as_bytes())?),
        found => {
            let found = quoted(found.unwrap_or_default());
            let text = format!("the resource has the resourceType {found} where `{resource_type}` is asked for");
            Err(Outcome::new(IssueType::BadRequest, text))
        }
    }
}

/// What a response says which form it is about: its canonical url with the version, or its place on this server.
pub(super) fn canonical(questionnaire: Node<'_>) -> Result<String, Outcome> {
    let text = |name: &str| questionnaire.get(name).and_then(Node::as_str);
    match (text("url"), text("version"), text("id")) {
        (Some(url), Some(version), _) => Ok(format!("{url}|{version}")),
        (Some(url), None, _) => Ok(url.into_owned()),
        (None, _, Some(id)) => Ok(format!("Questionnaire/{id}")),
        (None, _, None) => Err(Reason::Nameless.refuse("", "Questionnaire.url")),
    }
}

/// `Questionnaire.item.type`.
pub(super) fn kind(question: Node<'_>) -> std::borrow::Cow<'_, str> {
    question.get("type").and_then(Node::as_str).unwrap_or_default()
}

/// The unit that the numbers answered to a question have: a Coding.
pub(super) fn unit(question: Node<'_>) -> Option<Node<'_>> {
    extension(question, UNIT)?.get("valueCoding")
}

/// A number with the unit of its question as the members of a Quantity.
pub(super) fn quantity(number: &str, unit: Option<Node<'_>>) -> String {
    let mut json = format!(r#"{{"value":{number}"#);
    if let Some(unit) = unit {
        let mut add = |name: &str, node: Option<Node<'_>>| {
            json.extend(node.map(|node| format!(r#","{name}":{}"#, node.raw())));
        };
        add("unit", unit.get("display").or(unit.get("code")));
        add("system", unit.get("system"));
        add("code", unit.get("code"));
    }
    json + "}"
}
