//! Words, lists and terminology: what the texts, Lists, CodeSystems and ValueSets of the world say about its resources,
//! <https://hl7.org/fhir/R4/search.html#modifiers>.

use std::collections::BTreeSet;

use fhir::fhirpath::Item;
use fhir::json::{Kind, Node};

use super::escapes::{split, unescape};
use super::truth::{Truth, all, any, not};
use super::values::{self, Link, System, Token, fold};
use super::world::{World, parameter};

/// Members that hold text for people, and nothing else when they are strings.
const TEXTS: [&str; 8] = ["display", "family", "given", "name", "text", "title", "city", "alias"];

/// The words of a text.
pub(super) fn words(text: &str) -> BTreeSet<String> {
    let folded = fold(text);
    let words = folded.split(|char: char| !char.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

/// Whether the narrative of a resource (`_text`), or all of its text (`_content`), has all of these words.
pub(super) fn has_words(world: &World, place: usize, name: &str, wanted: &str) -> Truth {
    let node = world.node(place);
    let own = narrative(node);
    if name == "_text" {
        return match own.contains('&') {
            true => None,
            false => Some(words(wanted).is_subset(&words(&own))),
        };
    }
    let (mut sure, mut possible) = (words(&own), BTreeSet::new());
    gather("", node, &mut sure, &mut possible);
    all(words(wanted).iter().map(|word| match (sure.contains(word), possible.contains(word)) {
        (true, _) => Some(true),
        (false, true) => None,
        (false, false) => Some(false),
    }))
}

/// A narrative without its tags.
fn narrative(node: Node<'_>) -> String {
    let div = node.path(&["text", "div"]).and_then(|div| div.as_str()).unwrap_or_default();
    let pieces = div.split('<').map(|piece| piece.split_once('>').map_or(piece, |(_, text)| text));
    pieces.collect::<Vec<_>>().join(" ")
}

/// The words that belong to the text of a resource, and all that may.
fn gather(name: &str, node: Node<'_>, sure: &mut BTreeSet<String>, possible: &mut BTreeSet<String>) {
    match node.kind() {
        Kind::Object => node.members().for_each(|(name, value)| gather(name, value, sure, possible)),
        Kind::Array => node.each().for_each(|item| gather(name, item, sure, possible)),
        Kind::String => {
            let text = node.as_str().unwrap_or_default();
            possible.extend(words(&text));
            if TEXTS.contains(&name) {
                sure.extend(words(&text));
            }
        }
        _ => {}
    }
}

/// The text beside a code, for `:text`.
pub(super) fn token_text(item: &Item<'_>) -> String {
    let Some(node) = values::node(item) else { return String::new() };
    let text = |node: Node<'_>, name: &str| values::member(node, name);
    let texts: Vec<_> = match values::type_name(item) {
        "Coding" => text(node, "display").into_iter().collect(),
        "CodeableConcept" => {
            let codings = node.get("coding").into_iter().flat_map(Node::each);
            text(node, "text").into_iter().chain(codings.filter_map(|coding| text(coding, "display"))).collect()
        }
        "Identifier" => node.get("type").and_then(|kind| text(kind, "text")).into_iter().collect(),
        _ => Vec::new(),
    };
    texts.join(" ")
}

/// Whether one of the Lists with these ids refers to a resource.
pub(super) fn is_listed(world: &World, place: usize, ids: &str) -> bool {
    let resource = &world.resources[place];
    split(ids, ',').iter().filter_map(|id| world.place(&format!("List/{id}"))).any(|list| {
        let items = world.values(list, parameter("List", "item").expect("a parameter"));
        items.iter().filter_map(values::reference_text).any(|text| {
            let link = values::link(&world.base_url, &text);
            link == Some(Link::Local { resource_type: resource.resource_type.to_owned(), id: resource.id.clone() })
        })
    })
}

/// `:in`, `:not-in`, `:below` and `:above`.
pub(super) fn means(world: &World, items: &[Item<'static>], modifier: &str, value: &str) -> Truth {
    let tokens: Vec<_> = items.iter().flat_map(values::tokens).collect();
    let is_any = |wanted: &str| any(tokens.iter().map(|token| token_means(world, token, modifier, wanted)));
    let truth = any(split(value, ',').iter().map(|wanted| is_any(wanted)));
    if modifier == "not-in" { not(truth) } else { truth }
}

fn token_means(world: &World, token: &Token, modifier: &str, wanted: &str) -> Truth {
    let Some(code) = token.code.as_deref() else { return Some(false) };
    let system = match &token.system {
        System::Given(system) => system.as_str(),
        System::Absent => return Some(false),
        System::Implied(systems) if systems.len() == 1 => systems[0],
        _ => return None,
    };
    let parts: Vec<_> = split(wanted, '|').iter().map(|part| unescape(part)).collect();
    match (modifier, parts.as_slice()) {
        ("in" | "not-in", _) => Some(is_member(world, value_set(world, wanted), system, code)),
        (_, [its_system, _]) if its_system != system => Some(false),
        ("below", [_, parent]) => Some(lineage(world, system, code).contains(parent)),
        ("above", [_, child]) => Some(lineage(world, system, child).iter().any(|above| above == code)),
        _ => panic!("`{wanted}` is no code"),
    }
}

/// The ValueSet with this URL or reference.
fn value_set<'w>(world: &'w World, wanted: &str) -> Node<'w> {
    let place = world.place(wanted).or_else(|| world.named(wanted).last().copied());
    world.node(place.expect("a value set of the world"))
}

fn is_member(world: &World, value_set: Node<'_>, system: &str, code: &str) -> bool {
    let has = |name: &str| {
        let sets = value_set.path(&["compose", name]);
        sets.into_iter().flat_map(Node::each).any(|set| is_included(world, set, system, code))
    };
    has("include") && !has("exclude")
}

fn is_included(world: &World, set: Node<'_>, system: &str, code: &str) -> bool {
    let is = |node: Node<'_>, name: &str, wanted: &str| values::member(node, name).as_deref() == Some(wanted);
    let all = |name: &str, holds: &dyn Fn(Node<'_>) -> bool| set.get(name).into_iter().flat_map(Node::each).all(holds);
    let is_of_system = set.get("system").is_none() || is(set, "system", system);
    let is_listed = set.get("concept").is_none_or(|concepts| concepts.each().any(|concept| is(concept, "code", code)));
    let passes = |filter: Node<'_>| {
        let value = values::member(filter, "value").unwrap_or_default();
        let lineage = lineage(world, system, code);
        lineage.contains(&value) && (is(filter, "op", "is-a") || value != code)
    };
    let is_in = |named: Node<'_>| is_member(world, value_set(world, &named.as_str().unwrap_or_default()), system, code);
    is_of_system && is_listed && all("filter", &passes) && all("valueSet", &is_in)
}

/// A code and all above it; none when its system does not have it.
fn lineage(world: &World, system: &str, code: &str) -> Vec<String> {
    let systems = world.named(system).iter().map(|place| world.node(*place));
    systems.filter_map(|system| path(system, code)).next().unwrap_or_default()
}

fn path(parent: Node<'_>, code: &str) -> Option<Vec<String>> {
    parent.get("concept")?.each().find_map(|concept| {
        let own = values::member(concept, "code")?;
        let mut found = if own == code { Vec::new() } else { path(concept, code)? };
        found.push(own);
        Some(found)
    })
}
