//! From a ConceptMap resource.

use std::borrow::Cow;

use super::{ConceptMap, Dependency, Element, Equivalence, Group, Target, Unmapped};
use crate::json::Node;

impl ConceptMap {
    /// Reads a ConceptMap resource; what is not one is an empty map.
    pub fn new(resource: Node<'_>) -> ConceptMap {
        let either = |uri: &str, canonical: &str| text(resource, uri).or_else(|| text(resource, canonical));
        ConceptMap {
            url: text(resource, "url").unwrap_or_default(),
            version: text(resource, "version"),
            source: either("sourceUri", "sourceCanonical"),
            target: either("targetUri", "targetCanonical"),
            groups: items(resource, "group").map(Group::new).collect(),
        }
    }
}

impl Group {
    fn new(node: Node<'_>) -> Group {
        let mut group = Group {
            source: text(node, "source"),
            source_version: text(node, "sourceVersion"),
            target: text(node, "target"),
            target_version: text(node, "targetVersion"),
            elements: items(node, "element").filter_map(Element::new).collect(),
            unmapped: node.get("unmapped").and_then(Unmapped::new),
            ..Group::default()
        };
        for (element, at) in group.elements.iter().zip(0..) {
            group.by_source.entry(element.code.clone()).or_default().push(at);
            for code in element.targets.iter().filter_map(|target| target.code.as_ref()) {
                let elements = group.by_target.entry(code.clone()).or_default();
                if elements.last() != Some(&at) {
                    elements.push(at);
                }
            }
        }
        group
    }
}

impl Element {
    fn new(node: Node<'_>) -> Option<Element> {
        Some(Element {
            code: text(node, "code")?,
            display: text(node, "display"),
            targets: items(node, "target").map(Target::new).collect(),
        })
    }
}

impl Target {
    fn new(node: Node<'_>) -> Target {
        let equivalence = text(node, "equivalence").and_then(|code| Equivalence::parse(&code));
        Target {
            code: text(node, "code"),
            display: text(node, "display"),
            // What is not said must not pass for a match that is good.
            equivalence: equivalence.unwrap_or(Equivalence::RelatedTo),
            comment: text(node, "comment"),
            depends_on: items(node, "dependsOn").filter_map(Dependency::new).collect(),
            products: items(node, "product").filter_map(Dependency::new).collect(),
        }
    }
}

impl Dependency {
    fn new(node: Node<'_>) -> Option<Dependency> {
        Some(Dependency {
            property: text(node, "property")?,
            system: text(node, "system"),
            value: text(node, "value")?,
            display: text(node, "display"),
        })
    }
}

impl Unmapped {
    fn new(node: Node<'_>) -> Option<Unmapped> {
        Some(match text(node, "mode")?.as_str() {
            "provided" => Unmapped::Provided,
            "fixed" => Unmapped::Fixed { code: text(node, "code")?, display: text(node, "display") },
            "other-map" => Unmapped::OtherMap(text(node, "url")?),
            _ => return None,
        })
    }
}

fn items<'a>(node: Node<'a>, name: &str) -> impl Iterator<Item = Node<'a>> {
    node.get(name).into_iter().flat_map(Node::items)
}

fn text(node: Node<'_>, name: &str) -> Option<String> {
    node.get(name)?.as_str().map(Cow::into_owned)
}
