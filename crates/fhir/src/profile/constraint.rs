//! A profile's own invariants, and the smallest and largest values, as FHIRPath.

use super::CORE;
use super::compile::texts;
use super::rules::{Constraint, Limit};
use crate::Definitions;
use crate::definitions::{Element, Invariant, Structure};
use crate::fhirpath::Expression;
use crate::json::{Kind, Node};
use crate::outcome::quoted;

const BEST_PRACTICE: &str = "http://hl7.org/fhir/StructureDefinition/elementdefinition-bestpractice";

/// The constraints of an element that R4's own definitions do not state.
pub(super) fn constraints(
    definitions: &'static Definitions,
    element: Option<&'static Element>,
    structure: &'static Structure,
    definition: Node<'_>,
) -> Vec<Constraint> {
    let mut constraints = Vec::new();
    for found in definition.get("constraint").into_iter().flat_map(Node::items) {
        let text = |name| found.get(name).and_then(Node::as_str);
        let (Some(key), Some(expression)) = (text("key"), text("expression")) else { continue };
        let is_same = |invariant: &&Invariant| invariant.key == key;
        let stated = element.map_or(&[][..], |element| &element.invariants);
        let is_of_core =
            |source: &str| source.strip_prefix(CORE).is_some_and(|name| definitions.structure(name).is_some());
        // Said again by the profile of the element's type, against which its values are checked.
        let is_of_type = |source: &str| {
            let mut types = definition.get("type").into_iter().flat_map(Node::items);
            types.any(|found| texts(found, "profile").any(|profile| *profile == *source))
        };
        if structure.invariants.iter().chain(stated).any(is_same)
            || text("source").is_some_and(|source| is_of_core(&source) || is_of_type(&source))
        {
            continue;
        }
        let mut extensions = found.get("extension").into_iter().flat_map(Node::items);
        constraints.push(Constraint {
            key: key.into(),
            human: text("human").unwrap_or_default().trim_end_matches('.').into(),
            is_error: text("severity").as_deref() == Some("error"),
            is_best_practice: extensions.any(|extension| {
                extension.get("url").is_some_and(|url| url.is_str(BEST_PRACTICE))
                    && extension.get("valueBoolean").and_then(Node::as_bool) == Some(true)
            }),
            expression: Expression::parse(&expression).map_err(|error| error.message),
        });
    }
    constraints
}

/// `minValue[x]` and `maxValue[x]`. Comparing is FHIRPath's: it knows the precision of dates and the units of quantities.
pub(super) fn limits(definition: Node<'_>) -> Vec<Limit> {
    let limit = |(name, value): (&str, Node<'_>)| {
        let (operator, human, type_name) = match (name.strip_prefix("minValue"), name.strip_prefix("maxValue")) {
            (Some(type_name), _) => (">=", "at least", type_name),
            (_, Some(type_name)) => ("<=", "at most", type_name),
            _ => return None,
        };
        let (input, literal) = literal(type_name, value)?;
        let expression = Expression::parse(&format!("{input} {operator} {literal}")).ok()?;
        let shown = if value.kind() == Kind::String { value.as_str()?.into_owned() } else { value.raw().to_owned() };
        Some(Limit { expression, human: format!("{human} {}", quoted(&shown)) })
    };
    definition.members().filter_map(limit).collect()
}

/// What to compare, and a value as a literal of FHIRPath.
fn literal(type_name: &str, value: Node<'_>) -> Option<(&'static str, String)> {
    let text = value.as_str();
    Some(match type_name {
        "Date" => ("$this", format!("@{}", text?)),
        "DateTime" | "Instant" => {
            let text = text?;
            ("$this", format!("@{text}{}", if text.contains('T') { "" } else { "T" }))
        }
        "Time" => ("$this", format!("@T{}", text?)),
        "Quantity" => {
            let number = value.get("value")?.raw();
            let is_ucum = value.get("system").is_some_and(|system| system.is_str("http://unitsofmeasure.org"));
            match value.get("code").and_then(Node::as_str).filter(|code| is_ucum && !code.contains(['\'', '\\'])) {
                Some(code) => ("$this", format!("{number} '{code}'")),
                None => ("value", number.to_owned()),
            }
        }
        _ if value.kind() == Kind::Number => ("$this", value.raw().to_owned()),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Document;

    #[test]
    fn limits_are_expressions() {
        for (json, expected) in [
            (r#"{"minValueInteger":3}"#, Some("at least `3`")),
            (r#"{"maxValueDecimal":-1.50}"#, Some("at most `-1.50`")),
            (r#"{"minValueDate":"2020-01"}"#, Some("at least `2020-01`")),
            (r#"{"minValueDateTime":"2020"}"#, Some("at least `2020`")),
            (r#"{"maxValueInstant":"2020-01-01T00:00:00Z"}"#, Some("at most `2020-01-01T00:00:00Z`")),
            (r#"{"maxValueTime":"10:00:00"}"#, Some("at most `10:00:00`")),
            (r#"{"minValueQuantity":{"value":1,"system":"http://unitsofmeasure.org","code":"kg"}}"#, Some("at least")),
            (r#"{"minValueQuantity":{"value":1}}"#, Some("at least")),
            (r#"{"minValueQuantity":{"unit":"x"}}"#, None),
            (r#"{"minValueString":"x"}"#, None),
            (r#"{"min":1}"#, None),
        ] {
            let document = Document::parse(json.as_bytes()).expect("valid JSON");
            let limits = limits(document.root());
            let human = limits.first().map(|limit| limit.human.as_str());
            assert!(human.is_some() == expected.is_some(), "{json}");
            assert!(human.unwrap_or_default().starts_with(expected.unwrap_or_default()), "{json}: {human:?}");
        }
    }
}
