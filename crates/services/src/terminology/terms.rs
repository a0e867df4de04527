//! The definitions that one call sees: those sent with it, then those of the server; and which versions of code systems it asks for.

use std::borrow::Cow;
use std::sync::Arc;

use fhir::json::{Document, Node};
use fhir::outcome::quoted;
use fhir::terminology::{Canonical, CodeSystem, Source, ValueSet};
use fhir::{IssueType, Library, Outcome};
use repository::{Key, Session, Shelf, TerminologyServer};

use super::code::bad;
use crate::inputs::Inputs;
use crate::{Invocation, Subject};

/// How many resources may come with a call.
const RESOURCES_MAX: usize = 100;

/// The input that brings definitions along.
pub(super) const TX_RESOURCE: &str = "tx-resource";

/// What stands for the url of a resource that has none.
const NAMELESS: &str = "urn:flint:inline";

/// Definitions for one call.
pub(super) struct Terms<'a> {
    pub(super) shelf: Shelf<'a>,
    code_systems: Vec<Arc<CodeSystem>>,
    value_sets: Vec<Arc<ValueSet>>,
    versions: Vec<Pin>,
}

/// A version of a code system that the call asks for.
struct Pin {
    system: String,
    version: String,
    rule: Rule,
}

/// When it counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// Where no version is named.
    Default,
    /// As before, and another version is refused.
    Check,
    /// Always.
    Force,
}

/// The inputs that ask for versions.
const PINS: [(&str, Rule); 3] =
    [("system-version", Rule::Default), ("check-system-version", Rule::Check), ("force-system-version", Rule::Force)];

impl<'a> Terms<'a> {
    pub(super) fn new(session: &'a Session<'a>, inputs: &Inputs<'_>) -> Result<Terms<'a>, Outcome> {
        let mut terms =
            Terms { shelf: session.library(), code_systems: Vec::new(), value_sets: Vec::new(), versions: Vec::new() };
        for (count, resource) in inputs.resources(TX_RESOURCE).enumerate() {
            if count == RESOURCES_MAX {
                let text = format!("the input `{TX_RESOURCE}` may come {RESOURCES_MAX} times");
                return Err(Outcome::new(IssueType::TooCostly, text));
            }
            terms.add(resource)?;
        }
        for (name, rule) in PINS {
            for text in inputs.texts(name) {
                let Canonical { url, version: Some(version) } = Canonical::parse(&text) else {
                    return Err(bad(format!("the input `{name}` is {}, not `system|version`", quoted(&text))));
                };
                terms.versions.push(Pin { system: url.to_owned(), version: version.to_owned(), rule });
            }
        }
        Ok(terms)
    }

    fn add(&mut self, resource: Node<'_>) -> Result<(), Outcome> {
        match resource.resource_type() {
            Some("CodeSystem") => drop(self.add_code_system(resource)),
            Some("ValueSet") => drop(self.add_value_set(resource)),
            other => {
                let other = quoted(other.unwrap_or_default());
                return Err(bad(format!("the input `{TX_RESOURCE}` has {other}, not a CodeSystem or ValueSet")));
            }
        }
        Ok(())
    }

    /// Takes a code system that came with the call.
    pub(super) fn add_code_system(&mut self, resource: Node<'_>) -> Arc<CodeSystem> {
        let system = Arc::new(CodeSystem::new(resource));
        self.code_systems.push(system.clone());
        system
    }

    /// Takes a value set that came with the call, and gives back its canonical.
    pub(super) fn add_value_set(&mut self, resource: Node<'_>) -> String {
        let mut value_set = ValueSet::new(resource);
        if value_set.url.is_empty() {
            NAMELESS.clone_into(&mut value_set.url);
        }
        let canonical = Canonical { url: &value_set.url, version: value_set.version.as_deref() }.to_string();
        self.value_sets.push(Arc::new(value_set));
        canonical
    }

    /// The server that is asked what is not known here: about what came with the call it would know nothing.
    pub(super) fn elsewhere(&self) -> Option<&dyn TerminologyServer> {
        let is_own = self.code_systems.is_empty() && self.value_sets.is_empty();
        self.shelf.elsewhere().filter(|_| is_own)
    }

    /// The code system; an unknown one is refused.
    pub(super) fn known_system(&self, canonical: Canonical<'_>) -> Result<Arc<CodeSystem>, Outcome> {
        let found = self.code_system(canonical)?;
        found.ok_or_else(|| unknown("code system", canonical))
    }

    /// The canonical of the value set that a call is about: that of its instance, or of `url`, `valueSet` or `context`.
    pub(super) fn value_set_asked(
        &mut self,
        session: &Session<'_>,
        invocation: &Invocation,
        inputs: &Inputs<'_>,
    ) -> Result<String, Outcome> {
        let version = inputs.text("valueSetVersion")?;
        let (url, context) = (inputs.text("url")?, inputs.text("context")?);
        let inline = inputs.resource("valueSet");
        if let Subject::Instance(key) = &invocation.subject {
            if url.is_some() || context.is_some() || inline.is_some() {
                return Err(bad(format!("`{key}` is the value set, and another one is given beside it")));
            }
            let resource = stored(session, key)?;
            return Ok(self.add_value_set(resource.root()));
        }
        let canonical = match (url, inline, context) {
            (Some(url), None, None) => url.into_owned(),
            (None, Some(resource), None) => {
                if resource.resource_type() != Some("ValueSet") {
                    return Err(bad("the input `valueSet` is no ValueSet"));
                }
                return Ok(self.add_value_set(resource));
            }
            (None, None, Some(context)) => self.bound(&context)?,
            (None, None, None) => {
                return Err(bad("one of `url`, `valueSet` and `context` must say which value set is meant"));
            }
            _ => return Err(bad("only one of `url`, `valueSet` and `context` may be given")),
        };
        Ok(match version {
            Some(version) if !canonical.contains('|') => format!("{canonical}|{version}"),
            Some(version) if Canonical::parse(&canonical).version != Some(&version) => {
                return Err(bad(format!("`valueSetVersion` is {}, and `url` names another version", quoted(&version))));
            }
            _ => canonical,
        })
    }

    /// The value set that an element is bound to: `http://hl7.org/fhir/StructureDefinition/Patient#Patient.gender`.
    fn bound(&self, context: &str) -> Result<String, Outcome> {
        let Some((url, path)) = context.split_once('#').filter(|(url, path)| !url.is_empty() && !path.is_empty())
        else {
            let text = format!(
                "the input `context` is {}, not a StructureDefinition's url, `#` and an element",
                quoted(context)
            );
            return Err(bad(text));
        };
        let canonical = Canonical::parse(url);
        let definition = self.shelf.structure_definition(canonical)?;
        let definition = definition.ok_or_else(|| unknown("structure definition", canonical))?;
        let elements = definition.root().path(&["snapshot", "element"]).into_iter().flat_map(Node::items);
        let is_it =
            |element: &Node<'_>| ["id", "path"].iter().any(|name| element.get(name).is_some_and(|it| it.is_str(path)));
        let element = elements.into_iter().find(is_it).ok_or_else(|| {
            Outcome::new(IssueType::NotFound, format!("{} has no element {}", quoted(url), quoted(path)))
        })?;
        let value_set = element.path(&["binding", "valueSet"]).and_then(Node::as_str).map(Cow::into_owned);
        value_set.ok_or_else(|| {
            Outcome::new(IssueType::NotFound, format!("the element {} is bound to no value set", quoted(path)))
        })
    }

    /// The version of a system that counts where `named` is what the definition names.
    fn version<'v>(&'v self, system: &str, named: Option<&'v str>) -> Result<Option<&'v str>, Outcome> {
        let mut version = named;
        for pin in self.versions.iter().filter(|pin| pin.system == system) {
            match (pin.rule, named) {
                (Rule::Force, _) | (_, None) => version = Some(&pin.version),
                (Rule::Check, Some(named)) if named != pin.version => {
                    let text = format!(
                        "version `{named}` of `{system}` is asked for, where `check-system-version` allows `{}` only",
                        pin.version
                    );
                    return Err(Outcome::new(IssueType::Processing, text));
                }
                _ => {}
            }
        }
        Ok(version)
    }
}

impl Source for Terms<'_> {
    fn code_system(&self, canonical: Canonical<'_>) -> Result<Option<Arc<CodeSystem>>, Outcome> {
        let canonical = Canonical { version: self.version(canonical.url, canonical.version)?, ..canonical };
        let is_it = |system: &&Arc<CodeSystem>| system.url() == canonical.url && canonical.takes(system.version());
        match self.code_systems.iter().find(is_it) {
            Some(system) => Ok(Some(system.clone())),
            None => self.shelf.code_system(canonical),
        }
    }

    fn value_set(&self, canonical: Canonical<'_>) -> Result<Option<Arc<ValueSet>>, Outcome> {
        let is_it = |it: &&Arc<ValueSet>| it.url == canonical.url && canonical.takes(it.version.as_deref());
        match self.value_sets.iter().find(is_it) {
            Some(value_set) => Ok(Some(value_set.clone())),
            None => self.shelf.value_set(canonical),
        }
    }
}

/// The resource of an instance.
pub(super) fn stored(session: &Session<'_>, key: &Key) -> Result<Document, Outcome> {
    let version = session.read(key)?;
    let document = version.body.as_deref().map(Document::parse);
    match document {
        Some(Ok(document)) => Ok(document),
        _ => Err(Outcome::new(IssueType::Exception, format!("the stored body of {key} is not JSON"))),
    }
}

pub(super) fn unknown(what: &str, canonical: Canonical<'_>) -> Outcome {
    let name = canonical.to_string();
    Outcome::new(IssueType::NotFound, format!("the {what} {} is not known here", quoted(&name)))
}
