//! A value by itself: fixed values and patterns, lengths and limits, <https://hl7.org/fhir/R4/elementdefinition.html#definition>.

use super::{Scope, Walk};
use crate::Decimal;
use crate::fhirpath::ElementNode;
use crate::json::{Kind, Node};
use crate::outcome::{IssueType, quoted};
use crate::profile::Rules;
use crate::validate::path::Path;

impl<'a> Walk<'_, 'a> {
    /// Checks what a value is.
    pub(super) fn value(&mut self, scope: Scope<'_>, rules: &Rules, node: ElementNode<'a>, path: &Path<'_>) {
        let found = || node.value.map_or("no value".to_owned(), |value| quoted(&shown(value)));
        if let Some(fixed) = &rules.fixed
            && !is_equal(fixed.root(), node)
        {
            let message =
                || format!("{} stands here, but it must be {} ({scope})", found(), quoted(&shown(fixed.root())));
            self.issues.error(path, IssueType::Value, message);
        }
        if let Some(pattern) = &rules.pattern
            && !has_pattern(pattern.root(), node)
        {
            let message =
                || format!("{} stands here, but it must have {} ({scope})", found(), quoted(&shown(pattern.root())));
            self.issues.error(path, IssueType::Value, message);
        }
        if let Some(max) = rules.length_max
            && let Some(text) = node.value.and_then(Node::as_str)
            && text.len() > max as usize
            && text.chars().count() > max as usize
        {
            let message = || format!("the text {} has more than {max} characters ({scope})", quoted(&text));
            self.issues.error(path, IssueType::Value, message);
        }
        for limit in &rules.limits {
            if !self.holds(&limit.expression, &[], node).unwrap_or(true) {
                let message = || format!("{} stands here, but it must be {} ({scope})", found(), limit.human);
                self.issues.error(path, IssueType::Value, message);
            }
        }
    }
}

/// A string without its quotes, anything else as JSON.
fn shown(node: Node<'_>) -> String {
    node.as_str().map_or_else(|| node.raw().to_owned(), |text| text.into_owned())
}

/// Whether a value is exactly the fixed one.
pub(super) fn is_equal(fixed: Node<'_>, value: ElementNode<'_>) -> bool {
    value.value.is_some_and(|value| equal(fixed, value))
}

/// Whether a value has at least what the pattern has.
pub(super) fn has_pattern(pattern: Node<'_>, value: ElementNode<'_>) -> bool {
    value.value.is_some_and(|value| has(pattern, value))
}

/// Members count in any order, items in theirs. The depth of JSON bounds the recursion.
fn equal(fixed: Node<'_>, value: Node<'_>) -> bool {
    match fixed.kind() {
        Kind::Object => {
            fixed.members().count() == value.members().count()
                && fixed.members().all(|(name, fixed)| value.get(name).is_some_and(|value| equal(fixed, value)))
        }
        Kind::Array => {
            fixed.items().count() == value.items().count()
                && fixed.items().zip(value.items()).all(|(fixed, value)| equal(fixed, value))
        }
        _ => is_same(fixed, value),
    }
}

/// Each member of the pattern is there, and each of its items among the value's items.
fn has(pattern: Node<'_>, value: Node<'_>) -> bool {
    match pattern.kind() {
        Kind::Object => {
            pattern.members().all(|(name, pattern)| value.get(name).is_some_and(|value| has(pattern, value)))
        }
        Kind::Array => pattern.items().all(|pattern| value.items().any(|value| has(pattern, value))),
        _ => is_same(pattern, value),
    }
}

/// Primitives: numbers by their value, strings by their content.
fn is_same(expected: Node<'_>, value: Node<'_>) -> bool {
    match (expected.kind(), value.kind()) {
        (Kind::String, Kind::String) => expected.raw() == value.raw() || expected.as_str() == value.as_str(),
        (Kind::Number, Kind::Number) => {
            let number = |node: Node<'_>| Decimal::parse(node.raw());
            expected.raw() == value.raw() || number(expected).is_some_and(|it| Some(it) == number(value))
        }
        (Kind::Boolean, Kind::Boolean) => expected.as_bool() == value.as_bool(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Document;

    #[test]
    fn compares_with_fixed_values_and_patterns() {
        // Expected, found, whether it equals, whether it has the pattern.
        for (expected, found, equals, fits) in [
            (r#""a""#, r#""a""#, true, true),
            (r#""a""#, r#""\u0061""#, true, true),
            (r#""a""#, r#""b""#, false, false),
            ("1.50", "1.5", true, true),
            ("1", "2", false, false),
            ("true", "true", true, true),
            ("true", r#""true""#, false, false),
            (r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#, true, true),
            (r#"{"a":1}"#, r#"{"a":1,"b":2}"#, false, true),
            (r#"{"a":1}"#, r#"{"b":1}"#, false, false),
            ("[1,2]", "[1,2]", true, true),
            ("[1,2]", "[2,1]", false, true),
            ("[1]", "[0,1]", false, true),
            ("[3]", "[0,1]", false, false),
            (r#"[{"a":1}]"#, r#"[{"b":1},{"a":1,"b":2}]"#, false, true),
            ("[1]", "1", false, false),
        ] {
            let [one, other] = [expected, found].map(|text| Document::parse(text.as_bytes()).expect("valid JSON"));
            assert_eq!(equal(one.root(), other.root()), equals, "{expected} {found}");
            assert_eq!(has(one.root(), other.root()), fits, "{expected} {found}");
        }
    }
}
