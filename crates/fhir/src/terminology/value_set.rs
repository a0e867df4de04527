//! Value sets as they are defined, <https://hl7.org/fhir/R4/valueset.html#compositions>.

use std::borrow::Cow;

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
    /// The codes of the expansion that came with it, if it is whole: system and code.
    pub expansion: Option<Vec<(String, String)>>,
}

/// Codes that satisfy all that is said here.
#[derive(Clone, Debug, Default)]
pub struct Include {
    /// The system they come from.
    pub system: Option<String>,
    /// The version of that system.
    pub version: Option<String>,
    /// The codes themselves; empty for all that the filters let through.
    pub concepts: Vec<String>,
    /// What holds for the codes of the system.
    pub filters: Vec<Filter>,
    /// The value sets that must all have the codes.
    pub value_sets: Vec<String>,
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

impl ValueSet {
    /// Reads a ValueSet resource; what is not one is an empty value set.
    pub fn new(resource: Node<'_>) -> ValueSet {
        let parts = |name: &str| {
            let parts = resource.get("compose").and_then(|compose| compose.get(name));
            parts.into_iter().flat_map(Node::items).map(Include::new).collect()
        };
        ValueSet {
            url: text(resource, "url").unwrap_or_default(),
            version: text(resource, "version"),
            includes: parts("include"),
            excludes: parts("exclude"),
            expansion: resource.get("expansion").and_then(expanded),
        }
    }
}

impl Include {
    fn new(node: Node<'_>) -> Include {
        let items = |name: &str| node.get(name).into_iter().flat_map(Node::items);
        Include {
            system: text(node, "system"),
            version: text(node, "version"),
            concepts: items("concept").filter_map(|concept| text(concept, "code")).collect(),
            filters: items("filter").map(Filter::new).collect(),
            value_sets: items("valueSet").filter_map(|url| url.as_str().map(Cow::into_owned)).collect(),
        }
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

/// The codes of an expansion, those inside others too; `None` when it is one page of several.
fn expanded(expansion: Node<'_>) -> Option<Vec<(String, String)>> {
    let mut codes = Vec::new();
    let mut stack: Vec<_> = expansion.get("contains").into_iter().flat_map(Node::items).collect();
    let mut count: usize = 0;
    while let Some(node) = stack.pop() {
        count += 1;
        let is_abstract = node.get("abstract").and_then(Node::as_bool) == Some(true);
        if let (Some(system), Some(code), false) = (text(node, "system"), text(node, "code"), is_abstract) {
            codes.push((system, code));
        }
        stack.extend(node.get("contains").into_iter().flat_map(Node::items));
    }
    let total = expansion.get("total").and_then(|total| total.raw().parse::<usize>().ok());
    total.is_none_or(|total| total <= count).then_some(codes)
}
