//! Extensions against their own definitions, <https://hl7.org/fhir/R4/extensibility.html>: each names its own by its url.

use std::convert::Infallible;

use super::Walk;
use crate::definitions::{Element, StructureKind};
use crate::fhirpath::{ElementNode, Item};
use crate::json::Node;
use crate::outcome::{IssueType, Severity, quoted};
use crate::profile::{Holder, Profile};
use crate::validate::path::Path;

impl<'a> Walk<'_, 'a> {
    /// Checks the extensions in a resource, wherever they stand. The resources inside it are another walk's. The depth of JSON
    /// bounds the recursion.
    pub(super) fn extensions(&mut self, node: ElementNode<'a>, path: &Path<'_>) {
        let (mut last, mut at): (Option<&'static Element>, usize) = (None, 0);
        let definitions = self.validator.definitions;
        let Ok(()) = node.visit_children(definitions, &mut |child| {
            let Some(element) = child.element else { return Ok::<(), Infallible>(()) };
            at = if last.is_some_and(|last| std::ptr::eq(last, element)) { at + 1 } else { 0 };
            last = Some(element);
            let is_leaf = child.structure.kind == StructureKind::Primitive && child.sibling.is_none();
            if child.structure.kind == StructureKind::Resource || is_leaf {
                return Ok(());
            }
            let children = path.child(element.name);
            let path = if element.max == Some(1) { children } else { children.item(at) };
            if matches!(element.name, "extension" | "modifierExtension") && child.structure.name == "Extension" {
                self.extension(child, node, element.name == "modifierExtension", &path);
            }
            self.extensions(child, &path);
            Ok(())
        });
    }

    fn extension(&mut self, node: ElementNode<'a>, holder: ElementNode<'a>, is_modifier: bool, path: &Path<'_>) {
        let Some(value) = node.value else { return };
        let Some(url) = value.get("url").and_then(Node::as_str) else { return };
        // The parts of an extension have names that its definition gives them.
        if !url.contains(':') || !self.spend(1) {
            return;
        }
        match self.profile(&url) {
            Some(profile) if profile.structure.name == "Extension" => {
                self.context_of(&profile, node, holder, path);
                if self.extensions.insert(value.position()) {
                    self.against(&profile, node, path);
                }
            }
            Some(profile) => {
                let found = profile.structure.name;
                let message = || format!("{} is the url of a profile for {found}, not of an extension", quoted(&url));
                self.issues.error(path, IssueType::Structure, message);
            }
            None if self.is_full() => {
                let severity = if is_modifier { Severity::Warning } else { Severity::Information };
                let message = || format!("the extension {} is not known here, so it was not checked", quoted(&url));
                self.issues.add(path, severity, IssueType::NotFound, message);
            }
            None => {}
        }
    }

    /// Checks that an extension may stand on the element that has it.
    fn context_of(&mut self, profile: &Profile, node: ElementNode<'a>, holder: ElementNode<'a>, path: &Path<'_>) {
        let definitions = self.validator.definitions;
        let url = holder.value.filter(|_| holder.structure.name == "Extension").and_then(|it| it.get("url")?.as_str());
        let text = path.to_string();
        let place = Holder {
            structure: holder.structure,
            element: holder.element,
            resource: self.resource.structure.name,
            path: text.rsplit_once('.').map_or("", |(before, _)| before),
            url: url.as_deref(),
        };
        if !profile.contexts.allow(definitions, &place, |expression| self.selects(expression, holder)) {
            let message = || {
                format!(
                    "the extension {} may not stand here, only on {}",
                    quoted(&profile.url),
                    profile.contexts.shown()
                )
            };
            self.issues.error(path, IssueType::Structure, message);
        }
        for (text, expression) in &profile.contexts.invariants {
            let variables = [("extension", vec![Item::Element(node)])];
            if !self.holds(expression, &variables, holder).unwrap_or(true) {
                let message =
                    || format!("the extension {} may stand only where {}", quoted(&profile.url), quoted(text));
                self.issues.error(path, IssueType::Invariant, message);
            }
        }
    }
}
