//! Values that must conform to profiles of their own: by their type, or as the target of a reference,
//! <https://hl7.org/fhir/R4/elementdefinition.html#ElementDefinition.type>.

use std::ops::Range;
use std::sync::Arc;

use super::{Scope, TARGETS_NESTED_MAX, Walk};
use crate::Reference;
use crate::definitions::StructureKind;
use crate::fhirpath::ElementNode;
use crate::json::{Document, Node};
use crate::outcome::{Issue, IssueType, Severity};
use crate::profile::{Demand, Profile, Rules, Target};
use crate::validate::path::Path;

/// What a reference leads to.
#[derive(Default)]
struct Led<'a> {
    /// The type, where it can be known.
    resource_type: Option<&'static str>,
    /// In the same document.
    inside: Option<ElementNode<'a>>,
    /// From the library.
    outside: Option<Arc<Document>>,
}

impl<'a> Walk<'_, 'a> {
    /// Checks a value against the profiles that its type must conform to.
    pub(super) fn type_profiles(&mut self, scope: Scope<'_>, rules: &Rules, node: ElementNode<'a>, path: &Path<'_>) {
        let definitions = self.validator.definitions;
        let fits = |code: &str| definitions.is_a(node.structure.name, code);
        let Some((_, canonicals)) = rules.profiles.iter().find(|(code, _)| fits(code)) else { return };
        let profiles: Vec<Arc<Profile>> = canonicals.iter().filter_map(|canonical| self.profile(canonical)).collect();
        match (&profiles[..], profiles.len() == canonicals.len()) {
            ([profile], true) if fits(profile.structure.name) => self.loudly(profile, node, path),
            (_, true) => {
                let faults: Vec<Option<Issue>> = profiles.iter().map(|profile| self.conforms(profile, node)).collect();
                if let Some(Some(first)) = faults.iter().min_by_key(|fault| fault.is_some()) {
                    self.issues.error(path, IssueType::Structure, || {
                        let allowed = canonicals.join(" or ");
                        format!("this does not conform to {allowed} ({scope}): {}", first.diagnostics)
                    });
                }
            }
            (known, false) => {
                let conforms = known.iter().any(|profile| self.conforms(profile, node).is_none());
                if !conforms {
                    let severity = if self.is_full() { Severity::Warning } else { Severity::Information };
                    let message =
                        || format!("not checked, as not known here: the profile {} ({scope})", canonicals.join(" or "));
                    self.issues.add(path, severity, IssueType::NotFound, message);
                }
            }
        }
    }

    /// Checks a value against a profile, each issue at its own place.
    fn loudly(&mut self, profile: &Profile, node: ElementNode<'a>, path: &Path<'_>) {
        if node.structure.name == "Extension"
            && let Some(value) = node.value
            && !self.issues.is_quiet()
            && !self.extensions.insert(value.position())
        {
            return;
        }
        self.within(node, |walk| walk.against(profile, node, path));
    }

    /// Runs a check with `node` as the resource around, if it is one.
    fn within(&mut self, node: ElementNode<'a>, check: impl FnOnce(&mut Self)) {
        let outer = (self.resource, self.root_resource);
        if node.structure.kind == StructureKind::Resource {
            self.resource = node;
            if node.element.is_none_or(|element| element.name != "contained") {
                self.root_resource = node;
            }
        }
        check(self);
        (self.resource, self.root_resource) = outer;
    }

    /// Why a value does not conform to a profile; `None` when it does, and while this is being found out.
    pub(super) fn conforms(&mut self, profile: &Arc<Profile>, node: ElementNode<'a>) -> Option<Issue> {
        let (own, wanted) = (node.structure.name, profile.structure.name);
        if !self.validator.definitions.is_a(own, wanted) {
            return Some(Issue::error(
                IssueType::Structure,
                format!("{} is for {wanted}, but this is a {own}", profile.url),
            ));
        }
        let start = node.value.or(node.sibling)?.span().start;
        let key = (start, Arc::as_ptr(profile));
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        self.known.insert(key, None);
        let path = Path::root(own);
        let fault = self.first_error(|walk| walk.within(node, |walk| walk.against(profile, node, &path)));
        self.known.insert(key, fault.clone());
        fault
    }

    /// Why a value in a part of the document does not conform to a profile, if that was asked before.
    pub(super) fn known_fault(&mut self, canonical: &str, part: &Range<usize>) -> Option<Issue> {
        self.spend(self.known.len() as u64);
        let profile = Arc::as_ptr(&self.profile(canonical)?);
        let is_one = |start, known| known == profile && part.contains(&start);
        self.known.iter().find_map(|((start, known), fault)| fault.as_ref().filter(|_| is_one(*start, *known)).cloned())
    }

    /// Checks that a reference leads to one of the targets.
    pub(super) fn targets(&mut self, scope: Scope<'_>, targets: &[Target], node: ElementNode<'a>, path: &Path<'_>) {
        if node.structure.name != "Reference" {
            return;
        }
        let led = self.led(node);
        let Some(found) = led.resource_type else { return };
        let mut fault = None;
        for target in targets {
            match self.leads_to(&led, found, target) {
                Ok(()) => return,
                Err(why) => fault = fault.or(why),
            }
        }
        self.issues.error(path, IssueType::Value, || {
            let name = |target: &Target| match target {
                Target::Type(name) => (*name).to_owned(),
                Target::Profile(canonical) => canonical.to_string(),
            };
            let allowed: Vec<String> = targets.iter().map(name).collect();
            let why = fault.map_or(String::new(), |fault: Issue| {
                format!(": {} ({})", fault.diagnostics, fault.expression.first().map_or("", String::as_str))
            });
            format!("the reference leads to a {found}, but must lead to {} ({scope}){why}", allowed.join(" or "))
        });
    }

    /// Whether a reference leads to a target, or why not.
    fn leads_to(&mut self, led: &Led<'a>, found: &'static str, target: &Target) -> Result<(), Option<Issue>> {
        let definitions = self.validator.definitions;
        let canonical = match target {
            Target::Type(name) => return if definitions.is_a(found, name) { Ok(()) } else { Err(None) },
            Target::Profile(canonical) => canonical,
        };
        let Some(profile) = self.profile(canonical) else { return Ok(()) };
        if !definitions.is_a(found, profile.structure.name) {
            return Err(None);
        }
        if self.targets_nested == TARGETS_NESTED_MAX {
            return Ok(());
        }
        self.targets_nested += 1;
        let fault = match (led.inside, &led.outside) {
            (Some(node), _) => self.conforms(&profile, node),
            (None, Some(document)) => self.conforms_outside(&profile, document),
            (None, None) => None,
        };
        self.targets_nested -= 1;
        fault.map_or(Ok(()), |fault| Err(Some(fault)))
    }

    /// The same for a resource of another document, whose own references are taken as they are.
    fn conforms_outside(&mut self, profile: &Arc<Profile>, document: &Document) -> Option<Issue> {
        let resource = ElementNode::resource(self.validator.definitions, document.root())?;
        let mut walk = Walk::new(self.validator, resource, super::Issues::default());
        (walk.is_target, walk.steps_left) = (true, self.steps_left);
        let fault = walk.conforms(profile, resource);
        self.steps_left = walk.steps_left;
        fault
    }

    /// Whether the target of a reference is what a discriminator asks for.
    pub(super) fn target_meets(&mut self, demand: &Demand, node: ElementNode<'a>) -> bool {
        let led = self.led(node);
        let Some(found) = led.resource_type else { return self.cannot_tell() };
        let is_known = led.inside.is_some() || led.outside.is_some();
        match demand {
            Demand::Types(types) => types.iter().any(|name| self.validator.definitions.is_a(found, name)),
            Demand::Profiles(profiles) => profiles.iter().any(|canonical| {
                let fits = self.leads_to(&led, found, &Target::Profile(canonical.clone())).is_ok();
                fits && ((is_known && self.profile(canonical).is_some()) || self.cannot_tell())
            }),
            Demand::Exists(_) => true,
            Demand::Fixed(_) | Demand::Pattern(_) | Demand::Member(_) | Demand::Rules(_) => false,
        }
    }

    /// What a reference leads to: contained, in the Bundle around it, or in full validation what the library has.
    fn led(&self, reference: ElementNode<'a>) -> Led<'a> {
        let definitions = self.validator.definitions;
        let text = |name| reference.value.and_then(|value| value.get(name)?.as_str());
        let stated = text("type").and_then(|name| definitions.resource_type(&name));
        let Some(text) = text("reference") else { return Led { resource_type: stated, ..Led::default() } };
        let (named, inside) = match Reference::parse(&text) {
            Some(Reference::Contained("")) => (None, self.root_resource.value),
            Some(Reference::Contained(id)) => (None, self.contained(id)),
            Some(
                Reference::Relative { resource_type, .. }
                | Reference::Absolute { resource_type, .. }
                | Reference::Conditional { resource_type, .. },
            ) => (definitions.resource_type(resource_type), self.in_bundle(&text)),
            _ => (None, self.in_bundle(&text)),
        };
        let inside = inside.and_then(|node| ElementNode::resource(definitions, node));
        let is_looked_up = inside.is_none() && self.is_full() && !self.is_target && !text.starts_with('#');
        let outside = if is_looked_up { self.validator.library.resource(&text) } else { None };
        let met = inside.map(|node| node.structure.name).or_else(|| {
            outside.as_ref().and_then(|document| definitions.resource_type(document.root().resource_type()?))
        });
        Led { resource_type: met.or(named).or(stated), inside, outside }
    }

    fn contained(&self, id: &str) -> Option<Node<'a>> {
        let mut contained = self.root_resource.value?.get("contained")?.items();
        contained.find(|resource| resource.get("id").is_some_and(|found| found.is_str(id)))
    }

    fn in_bundle(&self, reference: &str) -> Option<Node<'a>> {
        self.bundle.as_ref()?.resource(reference)
    }
}
