//! How a constraint on an element changes what its base says of it, property by property,
//! <https://hl7.org/fhir/R4/elementdefinition.html#interpretation>.

use std::sync::Arc;

use super::pool::Pool;
use super::tree::Branch;
use crate::Definitions;
use crate::json::{Document, Node, quote};

/// What is said in addition to the base, each with the member that tells whether the base says it already.
const CUMULATIVE: [(&str, &str); 7] = [
    ("extension", "url"),
    ("alias", ""),
    ("code", ""),
    ("condition", ""),
    ("constraint", "key"),
    ("example", ""),
    ("mapping", ""),
];

/// What is changed member by member: a binding that only states a strength keeps its value set.
const OVERLAID: [&str; 2] = ["binding", "slicing"];

/// Choices: whichever type a profile states takes the place of the base's.
const CHOICES: [&str; 5] = ["defaultValue", "fixed", "pattern", "minValue", "maxValue"];

/// Texts that go on from the base's when they begin with this.
const CONTINUED: &str = "...";

/// Lays what `members` say over the element. The constraints among them come from the definition `source`.
pub(super) fn overlay<'a>(pool: &'a Pool, branch: &mut Branch<'a>, members: &[(&'a str, Node<'a>)], source: &str) {
    for &(name, value) in members {
        let value = match name {
            "constraint" => with_source(pool, value, source),
            _ => value,
        };
        match branch.get(name) {
            Some(base) => branch.set(name, merged(pool, name, base, value)),
            None => {
                if let Some(choice) = CHOICES.iter().find(|choice| is_choice(name, choice)) {
                    branch.members.retain(|(known, _)| !is_choice(known, choice));
                }
                branch.members.push((name, value));
            }
        }
    }
    if !members.is_empty() {
        branch.members.sort_by_key(|(name, _)| rank(name));
    }
}

/// `fixedUri` and `_fixedUri` for `fixed`.
fn is_choice(name: &str, choice: &str) -> bool {
    name.trim_start_matches('_').strip_prefix(choice).is_some_and(|rest| rest.starts_with(char::is_uppercase))
}

fn merged<'a>(pool: &'a Pool, name: &str, base: Node<'a>, value: Node<'a>) -> Node<'a> {
    if let Some((_, key)) = CUMULATIVE.iter().find(|(cumulative, _)| *cumulative == name) {
        return accumulated(pool, base, value, key);
    }
    if OVERLAID.contains(&name) {
        let kept = base.members().filter(|(member, _)| *member != "extension" && value.get(member).is_none());
        let members = kept.chain(value.members()).map(|(name, value)| format!("{}:{}", quote(name), value.raw()));
        return made(pool, format!("{{{}}}", members.collect::<Vec<_>>().join(","))).unwrap_or(value);
    }
    match (base.as_str(), value.as_str().as_deref().and_then(|text| text.strip_prefix(CONTINUED))) {
        (Some(base), Some(rest)) => made(pool, quote(&format!("{base}\r\n{rest}"))).unwrap_or(value),
        _ => value,
    }
}

/// The items of both; of two with the same key, the later.
fn accumulated<'a>(pool: &'a Pool, base: Node<'a>, value: Node<'a>, key: &str) -> Node<'a> {
    let same = |left: Node<'_>, right: Node<'_>| match (left.get(key), right.get(key)) {
        (Some(left), Some(right)) => left.raw() == right.raw(),
        _ => left.raw() == right.raw(),
    };
    let kept = base.items().filter(|base| !value.items().any(|item| same(*base, item)));
    let items: Vec<_> = kept.chain(value.items()).map(Node::raw).collect();
    made(pool, format!("[{}]", items.join(","))).unwrap_or(value)
}

/// Says on each constraint which definition it is from.
fn with_source<'a>(pool: &'a Pool, constraints: Node<'a>, source: &str) -> Node<'a> {
    if source.is_empty() || constraints.items().all(|constraint| constraint.get("source").is_some()) {
        return constraints;
    }
    let items =
        constraints.items().map(|constraint| match (constraint.get("source"), constraint.raw().strip_suffix('}')) {
            (None, Some(open)) if !constraint.is_empty() => format!(r#"{open},"source":{}}}"#, quote(source)),
            _ => constraint.raw().to_owned(),
        });
    made(pool, format!("[{}]", items.collect::<Vec<_>>().join(","))).unwrap_or(constraints)
}

/// A value of our own, kept like those that were read. `None` only for a text that is not JSON.
pub(super) fn made(pool: &Pool, text: String) -> Option<Node<'_>> {
    Document::parse(text.as_bytes()).ok().map(|document| pool.keep(Arc::new(document)).root())
}

/// The place of a member in an ElementDefinition.
fn rank(name: &str) -> usize {
    let Some(structure) = Definitions::r4().structure("ElementDefinition") else { return 0 };
    let element = structure.member(name.trim_start_matches('_')).map(|(element, _)| element.name);
    structure.elements.iter().position(|known| Some(known.name) == element).unwrap_or(usize::MAX)
}
