//! Which profiles a resource is checked against: those that it names, that are asked for, and those of the resources inside it.

use std::borrow::Cow;
use std::sync::Arc;

use super::{Scope, Walk};
use crate::fhirpath::ElementNode;
use crate::json::Node;
use crate::outcome::{IssueType, Severity, quoted};
use crate::profile::{CORE, Profile};
use crate::terminology::Canonical;
use crate::validate::path::Path;
use crate::validate::questionnaire;
use crate::validate::reference::Bundle;

/// The most profiles of one resource.
const PROFILES_MAX: usize = 64;

impl<'a> Walk<'_, 'a> {
    /// Checks a resource that is not contained in another one.
    pub(super) fn independent(&mut self, resource: ElementNode<'a>, asked: &[Canonical<'_>], path: &Path<'_>) {
        let Some(node) = resource.value else { return };
        let outer = (self.resource, self.root_resource);
        (self.resource, self.root_resource) = (resource, resource);
        let bundle = (resource.structure.name == "Bundle").then(|| self.bundle.replace(Bundle::of(node)));
        self.claims(resource, asked, path);
        self.questionnaire(resource, node, path);
        if self.is_full() && !matches!(resource.structure.base, "" | "Resource") {
            self.narrative(node, path);
        }
        for (at, contained) in node.get("contained").into_iter().flat_map(Node::items).enumerate() {
            if let Some(contained) = ElementNode::resource(self.validator.definitions, contained) {
                self.resource = contained;
                let path = path.child("contained").item(at);
                self.claims(contained, &[], &path);
                self.questionnaire(contained, node, &path);
            }
        }
        match resource.structure.name {
            "Bundle" => self.entries(node, path),
            "Parameters" => self.parameters(node, "parameter", path),
            _ => {}
        }
        if let Some(outer) = bundle {
            self.bundle = outer;
        }
        (self.resource, self.root_resource) = outer;
    }

    fn entries(&mut self, bundle: Node<'a>, path: &Path<'_>) {
        for (at, entry) in bundle.get("entry").into_iter().flat_map(Node::items).enumerate() {
            let entries = path.child("entry");
            let path = entries.item(at);
            let response = path.child("response");
            let resources = [
                (entry.get("resource"), path.child("resource")),
                (entry.path(&["response", "outcome"]), response.child("outcome")),
            ];
            for (resource, path) in resources {
                self.inner(resource, &path);
            }
        }
    }

    /// The resources in parameters and their parts. The depth of JSON bounds the recursion.
    fn parameters(&mut self, node: Node<'a>, name: &str, path: &Path<'_>) {
        for (at, parameter) in node.get(name).into_iter().flat_map(Node::items).enumerate() {
            let parameters = path.child(name);
            let path = parameters.item(at);
            self.inner(parameter.get("resource"), &path.child("resource"));
            self.parameters(parameter, "part", &path);
        }
    }

    fn inner(&mut self, node: Option<Node<'a>>, path: &Path<'_>) {
        if let Some(resource) = node.and_then(|node| ElementNode::resource(self.validator.definitions, node)) {
            self.independent(resource, &[], path);
        }
    }

    /// Checks the answers of a QuestionnaireResponse.
    fn questionnaire(&mut self, resource: ElementNode<'a>, container: Node<'a>, path: &Path<'_>) {
        if let Some(node) = resource.value.filter(|_| resource.structure.name == "QuestionnaireResponse") {
            questionnaire::check(self.validator, &mut self.issues, &mut self.steps_left, node, container, path);
        }
    }

    /// Checks a resource against the profiles it names and those asked for.
    fn claims(&mut self, resource: ElementNode<'a>, asked: &[Canonical<'_>], path: &Path<'_>) {
        let named = resource.value.and_then(|node| node.get("meta")?.get("profile"));
        if named.is_none() && asked.is_empty() && !self.is_full() {
            return;
        }
        let mut met: Vec<Arc<Profile>> = Vec::new();
        for canonical in asked {
            self.claim(resource, *canonical, Severity::Error, path, path, &mut met);
        }
        let meta = path.child("meta");
        let named: Vec<Cow<'a, str>> = named.into_iter().flat_map(Node::items).filter_map(Node::as_str).collect();
        for (at, text) in named.iter().enumerate() {
            let place = meta.child("profile").item(at);
            let severity = self.validator.unknown_profile;
            self.claim(resource, Canonical::parse(text), severity, &place, path, &mut met);
        }
        if self.is_full()
            && let Some(own) = self.profile(&format!("{CORE}{}", resource.structure.name))
            && !met.iter().any(|known| Arc::ptr_eq(known, &own))
        {
            self.against(&own, resource, path);
        }
        self.extensions(resource, path);
    }

    /// Checks a resource against one profile; `place` is where it is named.
    fn claim(
        &mut self,
        resource: ElementNode<'a>,
        canonical: Canonical<'_>,
        unknown: Severity,
        place: &Path<'_>,
        path: &Path<'_>,
        met: &mut Vec<Arc<Profile>>,
    ) {
        if met.len() == PROFILES_MAX {
            let message =
                || format!("the resource names more than {PROFILES_MAX} profiles; the others were not checked");
            return self.issues.add(place, unknown, IssueType::TooCostly, message);
        }
        let shown = || quoted(&canonical.to_string());
        let profile = match self.validator.library.profile(canonical) {
            Ok(Some(profile)) => profile,
            Ok(None) => {
                let message = || format!("the profile {} is not known here, so it was not checked", shown());
                return self.issues.add(place, unknown, IssueType::NotFound, message);
            }
            Err(outcome) => {
                let message = || format!("the profile {} cannot be used: {outcome}", shown());
                return self.issues.add(place, unknown, IssueType::NotSupported, message);
            }
        };
        if met.iter().any(|known| Arc::ptr_eq(known, &profile)) {
            return;
        }
        let (own, wanted) = (resource.structure.name, profile.structure.name);
        if !self.validator.definitions.is_a(own, wanted) {
            let message = || format!("the profile {} is for {wanted}, but this is a {own}", shown());
            self.issues.error(place, IssueType::Structure, message);
        } else {
            self.against(&profile, resource, path);
        }
        met.push(profile);
    }

    /// Checks a value against a profile of its type.
    pub(super) fn against(&mut self, profile: &Profile, node: ElementNode<'a>, path: &Path<'_>) {
        self.rules(Scope { profile, slice: None }, &profile.root, node, path);
    }

    /// Rule dom-6, which is best practice.
    fn narrative(&mut self, node: Node<'a>, path: &Path<'_>) {
        if node.path(&["text", "div"]).is_none() {
            self.issues.add(path, Severity::Warning, IssueType::Invariant, || {
                "the resource has no narrative; best practice is to have one in `text` (dom-6)".to_owned()
            });
        }
    }
}
