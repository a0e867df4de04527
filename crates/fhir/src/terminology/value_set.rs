//! Value sets as they are defined, <https://hl7.org/fhir/R4/valueset.html#compositions>.

use std::borrow::Cow;

use super::{Coded, Designation};
use crate::json::Node;

/// The definition of a value set.
#[derive(Clone, Debug, Default)]
pub struct ValueSet {
    /// Its canonical url, without version.
    pub url: String,
    /// Its version.
    pub version: Option<String>,
    /// What it is made of: a code is in it when one of these has it ..
    pub includes: Vec<Include>,
    /// .. and none of these.
    pub excludes: Vec<Include>,
    /// Whether codes that are inactive belong to it; `None` when it does not say.
    pub has_inactive: Option<bool>,
    /// The supplements of code systems that it asks for.
    pub supplements: Vec<String>,
    /// The codes of the expansion that came with it, if it is whole.
    pub expansion: Option<Vec<Include>>,
}

/// Codes that satisfy all that is said here.
#[derive(Clone, Debug, Default)]
pub struct Include {
    /// The system they come from.
    pub system: Option<String>,
    /// The version of that system.
    pub version: Option<String>,
    /// The codes themselves; empty for all that the filters let through.
    pub concepts: Vec<Listed>,
    /// What holds for the codes of the system.
    pub filters: Vec<Filter>,
    /// The value sets that must all have the codes.
    pub value_sets: Vec<String>,
}

/// A code that a value set lists, with its texts for use in this value set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of R4")]
pub struct Listed {
    pub code: String,
    pub display: Option<String>,
    pub designations: Vec<ListedDesignation>,
    pub is_abstract: bool,
    pub is_inactive: bool,
}

/// Another text for a code that a value set lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of R4")]
pub struct ListedDesignation {
    pub language: Option<String>,
    /// System, code and display.
    pub usage: Option<(Option<String>, String, Option<String>)>,
    pub value: String,
}

/// A condition on the concepts of a code system.
#[derive(Clone, Debug)]
pub struct Filter {
    /// The property: `concept`, `code`, `display`, `parent`, or one of the code system's own.
    pub property: String,
    /// How it compares; `None` for one that R4 does not have.
    pub operator: Option<Operator>,
    /// What it compares with.
    pub value: String,
}

/// <https://hl7.org/fhir/R4/valueset-filter-operator.html>.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of R4")]
pub enum Operator {
    Equal,
    IsA,
    DescendentOf,
    IsNotA,
    Regex,
    In,
    NotIn,
    Generalizes,
    Exists,
}

/// The extension that names a supplement to be used.
const SUPPLEMENT: &str = "http://hl7.org/fhir/StructureDefinition/valueset-supplement";

impl ValueSet {
    /// Reads a ValueSet resource; what is not one is an empty value set.
    pub fn new(resource: Node<'_>) -> ValueSet {
        let compose = resource.get("compose");
        let parts =
            |name: &str| compose.into_iter().flat_map(|compose| items(compose, name)).map(Include::new).collect();
        let supplements = items(resource, "extension")
            .filter(|extension| extension.get("url").is_some_and(|url| url.is_str(SUPPLEMENT)));
        ValueSet {
            url: text(resource, "url").unwrap_or_default(),
            version: text(resource, "version"),
            includes: parts("include"),
            excludes: parts("exclude"),
            has_inactive: compose.and_then(|compose| compose.get("inactive")).and_then(Node::as_bool),
            supplements: supplements.filter_map(|extension| text(extension, "valueCanonical")).collect(),
            expansion: resource.get("expansion").and_then(expanded),
        }
    }
}

impl Include {
    fn new(node: Node<'_>) -> Include {
        Include {
            system: text(node, "system"),
            version: text(node, "version"),
            concepts: items(node, "concept").filter_map(Listed::new).collect(),
            filters: items(node, "filter").map(Filter::new).collect(),
            value_sets: items(node, "valueSet").filter_map(|url| url.as_str().map(Cow::into_owned)).collect(),
        }
    }
}

impl Listed {
    /// A code of `compose`, or one of an expansion.
    fn new(node: Node<'_>) -> Option<Listed> {
        let is = |name: &str| node.get(name).and_then(Node::as_bool) == Some(true);
        Some(Listed {
            code: text(node, "code")?,
            display: text(node, "display"),
            designations: items(node, "designation").filter_map(ListedDesignation::new).collect(),
            is_abstract: is("abstract"),
            is_inactive: is("inactive"),
        })
    }
}

impl Listed {
    /// The memory it takes with its place among others, in bytes, give or take.
    pub(super) fn bytes(&self) -> usize {
        let designations = self.designations.iter().map(|other| size_of::<ListedDesignation>() + other.value.len());
        let texts = 2 * self.code.len() + self.display.as_ref().map_or(0, String::len);
        size_of::<Listed>() + 32 + texts + designations.sum::<usize>()
    }
}

impl ListedDesignation {
    fn new(node: Node<'_>) -> Option<ListedDesignation> {
        let usage = node.get("use");
        let usage = usage.and_then(|usage| Some((text(usage, "system"), text(usage, "code")?, text(usage, "display"))));
        Some(ListedDesignation { language: text(node, "language"), usage, value: text(node, "value")? })
    }

    /// The same, borrowed.
    pub fn view(&self) -> Designation<'_> {
        let usage = self.usage.as_ref().map(|(system, code, display)| Coded {
            system: system.as_deref(),
            version: None,
            code,
            display: display.as_deref(),
        });
        Designation { language: self.language.as_deref(), usage, value: &self.value }
    }
}

impl Filter {
    fn new(node: Node<'_>) -> Filter {
        Filter {
            property: text(node, "property").unwrap_or_default(),
            operator: text(node, "op").and_then(|name| Operator::parse(&name)),
            value: text(node, "value").unwrap_or_default(),
        }
    }
}

impl Operator {
    fn parse(name: &str) -> Option<Operator> {
        Some(match name {
            "=" => Operator::Equal,
            "is-a" => Operator::IsA,
            "descendent-of" => Operator::DescendentOf,
            "is-not-a" => Operator::IsNotA,
            "regex" => Operator::Regex,
            "in" => Operator::In,
            "not-in" => Operator::NotIn,
            "generalizes" => Operator::Generalizes,
            "exists" => Operator::Exists,
            _ => return None,
        })
    }
}

fn text(node: Node<'_>, name: &str) -> Option<String> {
    node.get(name)?.as_str().map(Cow::into_owned)
}

fn items<'a>(node: Node<'a>, name: &str) -> impl Iterator<Item = Node<'a>> {
    node.get(name).into_iter().flat_map(Node::items)
}

/// The codes of an expansion, those inside others too; `None` when it is one page of several.
fn expanded(expansion: Node<'_>) -> Option<Vec<Include>> {
    let mut includes: Vec<Include> = Vec::new();
    let mut stack: Vec<_> = items(expansion, "contains").collect();
    stack.reverse();
    let mut count: usize = 0;
    while let Some(node) = stack.pop() {
        count += 1;
        let start = stack.len();
        stack.extend(items(node, "contains"));
        stack[start..].reverse();
        let Some(listed) = Listed::new(node).filter(|listed| !listed.is_abstract) else { continue };
        let (system, version) = (text(node, "system"), text(node, "version"));
        match includes.last_mut().filter(|last| last.system == system && last.version == version) {
            Some(last) => last.concepts.push(listed),
            None => includes.push(Include { system, version, concepts: vec![listed], ..Include::default() }),
        }
    }
    let total = expansion.get("total").and_then(|total| total.raw().parse::<usize>().ok());
    total.is_none_or(|total| total <= count).then_some(includes)
}
