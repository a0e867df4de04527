//! Code systems and their hierarchies, <https://hl7.org/fhir/R4/codesystem.html#hierachy>.

use std::borrow::Cow;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::json::Node;

/// The concepts of a code system, and which stands below which.
///
/// Concepts inside others stand below them unless `hierarchyMeaning` says otherwise than `is-a`; the properties `parent`,
/// `child` and `subsumedBy` put them below others in any case.
#[derive(Clone, Debug, Default)]
pub struct CodeSystem {
    /// Its canonical url, without version.
    pub url: String,
    /// Its version.
    pub version: Option<String>,
    /// Whether it holds all its concepts: `content` is `complete`.
    pub is_complete: bool,
    is_cased: bool,
    concepts: Vec<Concept>,
    by_code: FxHashMap<String, usize>,
}

/// A concept of a code system.
#[derive(Clone, Debug, Default)]
pub struct Concept {
    /// Its code.
    pub code: String,
    /// Its text.
    pub display: Option<String>,
    /// Name and value of what else is said of it.
    pub properties: Vec<(String, String)>,
    parents: Vec<usize>,
    children: Vec<usize>,
}

/// What a property says about the hierarchy.
enum Role {
    Above,
    Below,
}

impl CodeSystem {
    /// Reads a CodeSystem resource; what is not one is an empty code system.
    pub fn new(resource: Node<'_>) -> CodeSystem {
        let text = |name: &str| resource.get(name).and_then(Node::as_str).map(Cow::into_owned);
        let mut system = CodeSystem {
            url: text("url").unwrap_or_default(),
            version: text("version"),
            is_complete: text("content").is_some_and(|content| content == "complete"),
            is_cased: resource.get("caseSensitive").and_then(Node::as_bool).unwrap_or(true),
            ..CodeSystem::default()
        };
        let nests = text("hierarchyMeaning").is_none_or(|meaning| meaning == "is-a");
        system.add_all(resource, nests);
        system.link(&roles(resource));
        system
    }

    /// Adds the concepts, those inside others too, each after the one it stands in.
    fn add_all(&mut self, resource: Node<'_>, nests: bool) {
        // Documents nest no deeper than a bound, but a stack of our own needs no bound at all.
        let mut stack: Vec<_> = concepts(resource).map(|concept| (concept, None)).collect();
        stack.reverse();
        while let Some((node, parent)) = stack.pop() {
            let Some(code) = node.get("code").and_then(Node::as_str) else { continue };
            let at = self.concepts.len();
            self.concepts.push(Concept {
                code: code.as_ref().to_owned(),
                display: node.get("display").and_then(Node::as_str).map(Cow::into_owned),
                properties: node.get("property").into_iter().flat_map(Node::items).filter_map(property).collect(),
                ..Concept::default()
            });
            let key = self.key(&code);
            self.by_code.entry(key).or_insert(at);
            if let Some(parent) = parent {
                self.put_below(at, parent);
            }
            let inside = concepts(node).map(|concept| (concept, nests.then_some(at)));
            let start = stack.len();
            stack.extend(inside);
            stack[start..].reverse();
        }
    }

    fn link(&mut self, roles: &FxHashMap<String, Role>) {
        for at in 0..self.concepts.len() {
            let links: Vec<_> = self.concepts[at]
                .properties
                .iter()
                .filter_map(|(name, code)| Some((roles.get(name)?, self.position(code)?)))
                .collect();
            for (role, other) in links {
                match role {
                    Role::Above => self.put_below(at, other),
                    Role::Below => self.put_below(other, at),
                }
            }
        }
    }

    fn put_below(&mut self, child: usize, parent: usize) {
        if !self.concepts[child].parents.contains(&parent) {
            self.concepts[child].parents.push(parent);
            self.concepts[parent].children.push(child);
        }
    }

    /// All concepts, in the order of the definition.
    pub fn concepts(&self) -> &[Concept] {
        &self.concepts
    }

    /// Where a code stands among the concepts.
    pub fn position(&self, code: &str) -> Option<usize> {
        self.by_code.get(&self.key(code)).copied()
    }

    fn key(&self, code: &str) -> String {
        if self.is_cased { code.to_owned() } else { code.to_lowercase() }
    }

    /// The concepts below one, nearest first, itself not among them unless the hierarchy runs in a circle.
    pub fn descendants(&self, at: usize) -> Vec<usize> {
        self.reach(at, |concept| &concept.children)
    }

    /// The concepts above one, nearest first.
    pub fn ancestors(&self, at: usize) -> Vec<usize> {
        self.reach(at, |concept| &concept.parents)
    }

    /// The concepts just above one.
    pub(super) fn parents(&self, at: usize) -> &[usize] {
        &self.concepts[at].parents
    }

    /// The concepts just below one.
    pub(super) fn children(&self, at: usize) -> &[usize] {
        &self.concepts[at].children
    }

    fn reach(&self, start: usize, next: impl Fn(&Concept) -> &[usize]) -> Vec<usize> {
        let mut found = Vec::new();
        let mut seen = FxHashSet::from_iter([start]);
        let mut at = start;
        let mut done = 0;
        loop {
            found.extend(next(&self.concepts[at]).iter().copied().filter(|other| seen.insert(*other)));
            let Some(other) = found.get(done) else { return found };
            at = *other;
            done += 1;
        }
    }
}

fn concepts(node: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    node.get("concept").into_iter().flat_map(Node::items)
}

fn property(node: Node<'_>) -> Option<(String, String)> {
    let name = node.get("code")?.as_str()?.into_owned();
    let (_, value) = node.members().find(|(name, _)| name.starts_with("value"))?;
    let value = match value.get("code") {
        Some(code) => code.as_str()?.into_owned(),
        None => value.as_str().map_or_else(|| value.raw().to_owned(), Cow::into_owned),
    };
    Some((name, value))
}

/// The names of the properties that make the hierarchy: those of R4, and those that the system declares to mean the same.
fn roles(resource: Node<'_>) -> FxHashMap<String, Role> {
    let role = |name: &str| match name {
        "parent" | "subsumedBy" => Some(Role::Above),
        "child" => Some(Role::Below),
        _ => None,
    };
    let declared = resource.get("property").into_iter().flat_map(Node::items).filter_map(|property| {
        let uri = property.get("uri")?.as_str()?;
        let (_, meaning) = uri.rsplit_once('#')?;
        Some((property.get("code")?.as_str()?.into_owned(), role(meaning)?))
    });
    let own = ["parent", "subsumedBy", "child"].into_iter().filter_map(|name| Some((name.to_owned(), role(name)?)));
    own.chain(declared).collect()
}
