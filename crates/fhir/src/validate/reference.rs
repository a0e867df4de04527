//! References: their form, and the type of what they lead to, <https://hl7.org/fhir/R4/references.html>.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashMap;

use super::path::Path;
use super::resource::Walk;
use crate::Reference;
use crate::definitions::ElementType;
use crate::json::Node;
use crate::outcome::{IssueType, quoted};

/// A Bundle, as far as references inside it are concerned.
pub(super) struct Bundle<'a> {
    node: Node<'a>,
    /// Its resources by fullUrl, and by type and id where that is a URL of a server; made when first asked for, hashed at random,
    /// because callers choose the URLs.
    resources: OnceCell<HashMap<Cow<'a, str>, Node<'a>>>,
}

impl<'a> Bundle<'a> {
    pub(super) fn of(node: Node<'a>) -> Bundle<'a> {
        Bundle { node, resources: OnceCell::new() }
    }

    /// The resource that a reference inside it leads to, <https://hl7.org/fhir/R4/bundle.html#references>.
    pub(super) fn resource(&self, reference: &str) -> Option<Node<'a>> {
        let resources = self.resources.get_or_init(|| {
            let mut resources = HashMap::new();
            for entry in self.node.get("entry").into_iter().flat_map(Node::items) {
                let full_url = entry.get("fullUrl").and_then(Node::as_str);
                let Some((full_url, resource)) = full_url.zip(entry.get("resource")) else { continue };
                if let Some(Reference::Absolute { resource_type, id, .. }) = Reference::parse(&full_url) {
                    resources.entry(format!("{resource_type}/{id}").into()).or_insert(resource);
                }
                resources.entry(full_url).or_insert(resource);
            }
            resources
        });
        resources.get(reference).copied()
    }

    /// True when the server is to act on its entries: only there may references be conditional.
    fn is_transaction(&self) -> bool {
        self.node.get("type").is_some_and(|kind| kind.is_str("transaction") || kind.is_str("batch"))
    }
}

impl<'a> Walk<'a> {
    /// Checks the literal reference and the type in a Reference.
    pub(super) fn reference(&mut self, node: Node<'a>, element_type: &'static ElementType, path: &Path<'_>) {
        let stated = node.get("type").and_then(Node::as_str);
        let stated = stated.as_deref().and_then(|name| self.definitions.resource_type(name));
        let text = node.get("reference").and_then(Node::as_str);
        let found = text.as_deref().filter(|text| !text.is_empty()).and_then(|text| self.target(text, path));
        if let (Some(found), Some(stated)) = (found, stated)
            && found != stated
        {
            let message = || format!("the reference leads to {found}, but its type says {stated}");
            self.issues.error(&path.child("type"), IssueType::Value, message);
        }
        if let Some(target) = found.or(stated) {
            self.target_type(target, element_type, path);
        }
    }

    fn target_type(&mut self, target: &str, element_type: &'static ElementType, path: &Path<'_>) {
        let allowed = &element_type.targets;
        let is_allowed = |name: &&str| *name == target || self.definitions.is_a(target, name);
        if !allowed.is_empty() && !allowed.iter().any(is_allowed) {
            let message = || format!("the reference leads to {target}, but must lead to {}", allowed.join(" or "));
            self.issues.error(path, IssueType::Value, message);
        }
    }

    /// The type of a literal reference's target, where it can be known.
    fn target(&mut self, text: &str, path: &Path<'_>) -> Option<&'static str> {
        let definitions = self.definitions;
        match Reference::parse(text) {
            Some(Reference::Relative { resource_type, .. } | Reference::Absolute { resource_type, .. }) => {
                definitions.resource_type(resource_type)
            }
            Some(Reference::Contained(id)) => self.local_target(id, path),
            Some(Reference::Urn(urn)) => {
                definitions.resource_type(self.bundle.as_ref()?.resource(urn)?.resource_type()?)
            }
            Some(Reference::Conditional { resource_type, .. }) => {
                if !self.bundle.as_ref().is_some_and(Bundle::is_transaction) {
                    let message =
                        || format!("the conditional reference {} may stand only in a transaction", quoted(text));
                    self.issues.error(&path.child("reference"), IssueType::Value, message);
                }
                definitions.resource_type(resource_type)
            }
            Some(Reference::Other(_)) => None,
            None => {
                self.issues.error(&path.child("reference"), IssueType::Value, || {
                    format!(
                        "{} is not a reference: `Type/id`, an absolute URL, `#id` or `urn:uuid:..` would be",
                        quoted(text)
                    )
                });
                None
            }
        }
    }

    fn local_target(&mut self, id: &str, path: &Path<'_>) -> Option<&'static str> {
        let contained = self.contained.refer(id);
        if id.is_empty() {
            return Some(self.context.root_resource.structure.name);
        }
        if contained.is_none() {
            let message = || format!("no contained resource has the id {} (ref-1)", quoted(id));
            self.issues.error(&path.child("reference"), IssueType::Invariant, message);
        }
        self.definitions.resource_type(contained?.resource_type()?)
    }
}
