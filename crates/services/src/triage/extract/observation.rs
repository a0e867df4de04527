//! An Observation in the making.

use fhir::json::{Node, quote};
use fhir::{Outcome, is_instant};
use repository::Key;

use super::super::questionnaire::quantity;
use super::super::refusal::Reason;

/// What Observations say that come of one response: the members after the code.
pub(super) struct Common {
    before: String,
    after: String,
}

/// One Observation: its own members, and the positions of those that belong to it.
pub(super) struct Observation {
    pub(super) codes: String,
    pub(super) categories: String,
    pub(super) value: Option<String>,
    pub(super) members: Vec<usize>,
    pub(super) components: Vec<String>,
    /// The Observation that it was derived from.
    pub(super) derived_from: Option<usize>,
}

impl Common {
    /// From the elements of a response, <http://hl7.org/fhir/uv/sdc/extraction.html#observation-based-extraction>.
    pub(super) fn of(response: Node<'_>) -> Common {
        let mut before = String::new();
        let raw = |name: &str| response.get(name).map(Node::raw);
        before.extend(raw("basedOn").map(|based_on| format!(r#","basedOn":{based_on}"#)));
        // An Observation is part of no other.
        let part_of = response.get("partOf").into_iter().flat_map(Node::items);
        let part_of: Vec<_> = part_of.filter(|it| leads_to(*it, &["Procedure"])).map(Node::raw).collect();
        if !part_of.is_empty() {
            before += &format!(r#","partOf":[{}]"#, part_of.join(","));
        }
        let mut after = String::new();
        for name in ["subject", "encounter"] {
            after.extend(raw(name).map(|reference| format!(r#","{name}":{reference}"#)));
        }
        if let Some(authored) = response.get("authored") {
            after += &format!(r#","effectiveDateTime":{}"#, authored.raw());
            if authored.as_str().is_some_and(|authored| is_instant(&authored)) {
                after += &format!(r#","issued":{}"#, authored.raw());
            }
        }
        match response.get("author") {
            Some(author) if leads_to(author, &["Device"]) => after += &format!(r#","device":{}"#, author.raw()),
            Some(author) => after += &format!(r#","performer":[{}]"#, author.raw()),
            None => {}
        }
        Common { before, after }
    }
}

impl Observation {
    /// Its JSON; `urls` are the full URLs of all that say something.
    pub(super) fn written(&self, common: &Common, urls: &[Option<String>], origin: Option<&Key>) -> String {
        let references = |positions: &[usize]| -> Vec<String> {
            let urls = positions.iter().filter_map(|at| urls.get(*at)?.as_ref());
            urls.map(|url| format!(r#"{{"reference":{}}}"#, quote(url))).collect()
        };
        let list = |name: &str, items: Vec<String>| match items.is_empty() {
            true => String::new(),
            false => format!(r#","{name}":[{}]"#, items.join(",")),
        };
        let mut sources = references(self.derived_from.as_slice());
        sources.extend(origin.map(|key| format!(r#"{{"reference":"{key}"}}"#)));
        [
            r#"{"resourceType":"Observation""#,
            &common.before,
            r#","status":"final""#,
            &self.categories,
            &format!(r#","code":{{"coding":[{}]}}"#, self.codes),
            &common.after,
            &self.value.as_ref().map_or(String::new(), |value| format!(",{value}")),
            &list("hasMember", references(&self.members)),
            &list("derivedFrom", sources),
            &list("component", self.components.clone()),
            "}",
        ]
        .concat()
    }
}

/// `valueX` of an Observation for an answer to a question; `unit` is that of the question.
pub(super) fn value(answer: Node<'_>, unit: Option<Node<'_>>, link_id: &str) -> Result<Option<String>, Outcome> {
    let Some((name, value)) = answer.members().find(|(name, _)| name.starts_with("value")) else { return Ok(None) };
    let raw = value.raw();
    Ok(Some(match name {
        "valueBoolean" | "valueDateTime" | "valueQuantity" | "valueString" | "valueTime" => {
            format!(r#""{name}":{raw}"#)
        }
        "valueInteger" if unit.is_none() => format!(r#""valueInteger":{raw}"#),
        "valueInteger" | "valueDecimal" => format!(r#""valueQuantity":{}"#, quantity(raw, unit)),
        "valueDate" => format!(r#""valueDateTime":{raw}"#),
        "valueUri" => format!(r#""valueString":{raw}"#),
        "valueCoding" => format!(r#""valueCodeableConcept":{{"coding":[{raw}]}}"#),
        _ => return Err(Reason::NoValue.refuse(link_id, "QuestionnaireResponse.item.answer.value")),
    }))
}

fn leads_to(reference: Node<'_>, types: &[&str]) -> bool {
    use fhir::Reference::{Absolute, Relative};
    let text = reference.get("reference").and_then(Node::as_str).unwrap_or_default();
    match fhir::Reference::parse(&text) {
        Some(Relative { resource_type, .. } | Absolute { resource_type, .. }) => types.contains(&resource_type),
        _ => reference.get("type").and_then(Node::as_str).is_some_and(|name| types.contains(&name.as_ref())),
    }
}
