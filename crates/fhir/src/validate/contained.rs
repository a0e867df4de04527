//! Contained resources and the local references to them, <https://hl7.org/fhir/R4/references.html#contained>: rules dom-3 and ref-1.

use std::borrow::Cow;
use std::collections::HashMap;

use super::issues::Issues;
use super::path::Path;
use crate::json::Node;
use crate::outcome::{IssueType, quoted};

/// The contained resources of one resource.
#[derive(Default)]
pub(super) struct Contained<'a> {
    /// In the order of the document.
    resources: Vec<Local<'a>>,
    /// Places in `resources`, by id; hashed at random, because ids come from callers.
    by_id: HashMap<Cow<'a, str>, usize>,
    /// Which of `resources` the walk is in.
    current: Option<usize>,
}

struct Local<'a> {
    node: Node<'a>,
    id: Option<Cow<'a, str>>,
    /// True when something refers to it, or it refers to its container. What is no resource at all has other faults.
    is_linked: bool,
}

impl<'a> Contained<'a> {
    /// The contained resources of `container`.
    pub(super) fn of(container: Node<'a>) -> Contained<'a> {
        let mut contained = Contained::default();
        let Some(list) = container.get("contained") else { return contained };
        for (at, node) in list.items().enumerate() {
            let id = node.get("id").and_then(Node::as_str);
            if let Some(id) = &id {
                contained.by_id.entry(id.clone()).or_insert(at);
            }
            contained.resources.push(Local { node, id, is_linked: node.resource_type().is_none() });
        }
        contained
    }

    /// The walk goes into a contained resource.
    pub(super) fn enter(&mut self, node: Node<'a>) {
        self.current = self.resources.binary_search_by_key(&node.position(), |local| local.node.position()).ok();
    }

    /// The walk leaves it.
    pub(super) fn leave(&mut self) {
        self.current = None;
    }

    /// Notes a local reference, without its `#`, and gives the contained resource if there is one. Empty is the container.
    pub(super) fn refer(&mut self, id: &str) -> Option<Node<'a>> {
        if id.is_empty() {
            let current = self.resources.get_mut(self.current?)?;
            current.is_linked = true;
            return None;
        }
        let target = self.resources.get_mut(*self.by_id.get(id)?)?;
        target.is_linked = true;
        Some(target.node)
    }

    /// What can be said once the whole container was walked: ids are unique, and each resource is linked.
    pub(super) fn check(&self, issues: &mut Issues, container: &Path<'_>) {
        for (at, local) in self.resources.iter().enumerate() {
            let path = container.child("contained").item(at);
            match &local.id {
                Some(id) if self.by_id.get(id).is_some_and(|first| *first < at) => {
                    issues.error(&path.child("id"), IssueType::Duplicate, || {
                        format!("another contained resource has the id {} already", quoted(id))
                    });
                }
                _ if local.is_linked => {}
                Some(id) => issues.error(&path, IssueType::Invariant, || {
                    format!(
                        "nothing refers to the contained resource {}, nor does it refer to its container (dom-3)",
                        quoted(id)
                    )
                }),
                None => issues.error(&path, IssueType::Invariant, || {
                    "the contained resource has no id, so nothing can refer to it (dom-3)".to_owned()
                }),
            }
        }
    }
}
