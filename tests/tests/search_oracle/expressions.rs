//! Questions asked as parameters and as one `_filter`, <https://hl7.org/fhir/R4/search_filter.html>: the answers are the same.

use fhir::definitions::SearchKind;
use flint_tests::Flint;
use serde_json::Value;

use super::corpus;
use super::escapes::{split, unescape};
use super::questions::{Asker, Question, encode};
use super::spans::split_prefix;
use super::world::parameter;

/// How many questions are tried; those of them are asked that an expression can put.
const CASES: usize = 600;

#[test]
fn expressions_find_what_parameters_find() {
    let (flint, world, _) = corpus::load(corpus::hand_made());
    let mut asker = Asker::new(&world, 5);
    let (mut asked, mut found) = (0, 0);
    for _ in 0..CASES {
        let question = asker.question();
        let [resource_type] = question.types.as_slice() else { continue };
        let tests: Option<Vec<_>> =
            question.conditions.iter().map(|(name, value)| test(resource_type, name, value)).collect();
        let Some(tests) = tests.filter(|tests| !tests.is_empty()) else { continue };
        let filter = tests.join(" and ");
        let url = format!("/{resource_type}?_filter={}", encode(&filter));
        let plain = Question { sort: Vec::new(), includes: Vec::new(), count: 1000, ..question };
        let expected = keys(&flint, &plain.url());
        assert_eq!(keys(&flint, &url), expected, "{filter}\n{}", plain.url());
        asked += 1;
        found += usize::from(!expected.is_empty());
    }
    println!("{asked} expressions, {found} found something");
}

fn keys(flint: &Flint, url: &str) -> Vec<String> {
    flint.get(&format!("{url}&_elements=id")).expect(200).keys("match")
}

/// One parameter with its values as an expression; `None` when there is none that says the same.
fn test(resource_type: &str, name: &str, values: &str) -> Option<String> {
    if name.starts_with("_has:") || name.contains('.') {
        return joined(resource_type, name, values);
    }
    let (code, modifier) = name.split_once(':').unwrap_or((name, ""));
    let kind = parameter(resource_type, code)?.kind;
    tests(code, kind, modifier, values)
}

/// The same behind references.
fn joined(resource_type: &str, name: &str, values: &str) -> Option<String> {
    let (way, last) = name.rsplit_once('.').filter(|(way, _)| !way.contains("_has:"))?;
    let mut reached = resource_type;
    for step in way.split('.') {
        let (code, target) = step.split_once(':').unwrap_or((step, ""));
        let targets = &parameter(reached, code)?.targets;
        reached = if target.is_empty() { targets.first().filter(|_| targets.len() == 1)? } else { target };
    }
    let (code, modifier) = last.split_once(':').unwrap_or((last, ""));
    // Outside of `not`, so that it is about the same resource.
    let kind = parameter(reached, code)?.kind;
    (modifier != "not").then(|| tests(&format!("{way}.{code}"), kind, modifier, values))?
}

fn tests(path: &str, kind: SearchKind, modifier: &str, values: &str) -> Option<String> {
    if path.ends_with("_text") || path.ends_with("_content") {
        return None;
    }
    if modifier == "missing" {
        return Some(format!("{path} pr {}", values == "false"));
    }
    let mut alternatives = Vec::new();
    for value in split(values, ',') {
        let (operator, value) = match (kind, modifier) {
            (SearchKind::String, "") => ("sw", unescape(&value)),
            (SearchKind::String, "contains") => ("co", unescape(&value)),
            (SearchKind::Token, "" | "not") | (SearchKind::Uri, "") if !value.contains('\\') => ("eq", value),
            (SearchKind::Token, "in") => ("in", value),
            (SearchKind::Token, "not-in") => ("ni", value),
            (SearchKind::Token, "below") => ("ss", value),
            (SearchKind::Token, "above") => ("sb", value),
            (SearchKind::Reference, "") if !value.contains('\\') => ("re", value),
            (SearchKind::Date | SearchKind::Number, "") => {
                let (prefix, number) = split_prefix(&value);
                (prefix, number.to_owned())
            }
            (SearchKind::Quantity, "") if !value.contains(['\\', '%']) => {
                let (prefix, number) = split_prefix(&value);
                (prefix, number.to_owned())
            }
            _ => return None,
        };
        // A prefix that an expression has no operator for.
        let is_known = operator != "ne" || kind == SearchKind::Token;
        if !is_known || ((operator == "sa" || operator == "eb") && kind != SearchKind::Date) {
            return None;
        }
        alternatives.push(format!("{path} {operator} {}", Value::from(value)));
    }
    let any = format!("({})", alternatives.join(" or "));
    Some(if modifier == "not" { format!("not{any}") } else { any })
}
