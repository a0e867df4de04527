//! The definitions that one call sees: those sent with it, then those of the server; and which versions of code systems it asks for.

use std::borrow::Cow;
use std::sync::Arc;

use fhir::json::{Document, Node};
use fhir::outcome::quoted;
use fhir::profile::snapshot;
use fhir::terminology::{Canonical, CodeSystem, ConceptMap, Members, Source, ValueSet, Versions};
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
    versions: Versions,
}

/// The value set that a call is about.
pub(super) struct Asked {
    pub(super) canonical: String,
    /// Its resource; `None` for one that its url alone defines, or that is not known here.
    pub(super) definition: Option<Arc<Document>>,
}

impl<'a> Terms<'a> {
    /// Refuses whoever may not read the type that is asked about: answers tell what its resources say.
    pub(super) fn new(
        session: &'a Session<'a>,
        resource_type: &str,
        inputs: &Inputs<'_>,
    ) -> Result<Terms<'a>, Outcome> {
        session.permit_read(resource_type)?;
        let mut terms = Terms {
            shelf: session.library(),
            code_systems: Vec::new(),
            value_sets: Vec::new(),
            versions: Versions::default(),
        };
        for (count, resource) in inputs.resources(TX_RESOURCE).enumerate() {
            if count == RESOURCES_MAX {
                let text = format!("the input `{TX_RESOURCE}` may come {RESOURCES_MAX} times");
                return Err(Outcome::new(IssueType::TooCostly, text));
            }
            terms.add(resource)?;
        }
        terms.versions = Versions {
            system: versions(inputs, "system-version")?,
            check: versions(inputs, "check-system-version")?,
            force: versions(inputs, "force-system-version")?,
            supplements: Vec::new(),
        };
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

    /// Takes the value set that the call is about.
    fn add_asked(&mut self, definition: Document) -> Asked {
        Asked { canonical: self.add_value_set(definition.root()), definition: Some(Arc::new(definition)) }
    }

    /// Takes a value set that came with the call, and gives back its canonical.
    fn add_value_set(&mut self, resource: Node<'_>) -> String {
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
        self.shelf.elsewhere().filter(|_| self.brings_nothing())
    }

    /// Whether all codes of a system are known here, so that nobody else need be asked.
    pub(super) fn is_whole(&self, system: Canonical<'_>) -> Result<bool, Outcome> {
        Ok(self.code_system(system)?.is_some_and(|known| known.is_complete()))
    }

    /// The canonical url of a value set that is named by it, or by where it is.
    pub(super) fn value_set_url(&self, named: Option<Cow<'_, str>>) -> Result<Option<String>, Outcome> {
        let Some(named) = named else { return Ok(None) };
        let canonical = Canonical::parse(&named);
        let known = self.value_set(canonical)?.map(|known| known.url.clone()).filter(|url| !url.is_empty());
        Ok(Some(known.filter(|url| url != canonical.url).unwrap_or_else(|| named.into_owned())))
    }

    /// The members of the value set; an unknown one is refused.
    pub(super) fn members(&self, asked: &Asked) -> Result<Arc<Members>, Outcome> {
        let canonical = Canonical::parse(&asked.canonical);
        let value_set = self.value_set(canonical)?.ok_or_else(|| unknown("value set", canonical))?;
        let Versions { system, check, force, supplements } = &self.versions;
        let is_plain = [system, check, force, supplements].iter().all(|versions| versions.is_empty());
        let members = match is_plain && self.brings_nothing() {
            true => self.shelf.members(canonical),
            false => Members::of(self, &value_set, &self.versions).map(Arc::new),
        };
        members.map_err(|outcome| asked.unresolved(outcome))
    }

    /// Whether no definition came with the call.
    fn brings_nothing(&self) -> bool {
        self.code_systems.is_empty() && self.value_sets.is_empty()
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
        let made = match definition.root().get("snapshot") {
            Some(_) => None,
            None => Some(snapshot(&self.shelf, &definition)?),
        };
        let whole = made.as_ref().unwrap_or(&definition);
        let elements = whole.root().path(&["snapshot", "element"]).into_iter().flat_map(Node::items);
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
}

impl Source for Terms<'_> {
    fn code_system(&self, canonical: Canonical<'_>) -> Result<Option<Arc<CodeSystem>>, Outcome> {
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

    fn concept_map(&self, canonical: Canonical<'_>) -> Result<Option<Arc<ConceptMap>>, Outcome> {
        self.shelf.concept_map(canonical)
    }
}

impl Asked {
    /// The value set of the instance, or of `url`, `valueSet` or `context`.
    pub(super) fn value_set(
        terms: &mut Terms<'_>,
        session: &Session<'_>,
        invocation: &Invocation,
        inputs: &Inputs<'_>,
    ) -> Result<Asked, Outcome> {
        let (url, inline, context) = (inputs.text("url")?, inputs.resource("valueSet"), inputs.text("context")?);
        if let Subject::Instance(key) = &invocation.subject {
            if url.is_some() || context.is_some() || inline.is_some() {
                return Err(bad(format!("`{key}` is the value set, and another one is given beside it")));
            }
            return Ok(terms.add_asked(stored(session, key)?));
        }
        let canonical = match (url, inline, context) {
            (Some(url), None, None) => url.into_owned(),
            (None, Some(resource), None) if resource.resource_type() == Some("ValueSet") => {
                return Ok(terms.add_asked(Document::parse(resource.raw().as_bytes())?));
            }
            (None, Some(_), None) => return Err(bad("the input `valueSet` is no ValueSet")),
            (None, None, Some(context)) => terms.bound(&context)?,
            (None, None, None) => {
                return Err(bad("one of `url`, `valueSet` and `context` must say which value set is meant"));
            }
            _ => return Err(bad("only one of `url`, `valueSet` and `context` may be given")),
        };
        let canonical = match inputs.text("valueSetVersion")? {
            Some(version) => versioned(canonical, "valueSetVersion", &version)?,
            None => canonical,
        };
        let definition = terms.shelf.definition("ValueSet", Canonical::parse(&canonical))?;
        Ok(Asked { canonical, definition })
    }

    /// What is missing for a value set that is known itself is another matter than a value set that is not there.
    pub(super) fn unresolved(&self, mut outcome: Outcome) -> Outcome {
        for issue in outcome.issues.iter_mut().filter(|issue| issue.code == IssueType::NotFound) {
            issue.code = IssueType::UnresolvedReference;
        }
        outcome
    }
}

/// A canonical with the version that the input `name` asks for.
pub(super) fn versioned(canonical: String, name: &str, version: &str) -> Result<String, Outcome> {
    match Canonical::parse(&canonical).version {
        None => Ok(format!("{canonical}|{version}")),
        Some(named) if named == version => Ok(canonical),
        Some(_) => Err(bad(format!("`{name}` is {}, and `url` names another version", quoted(version)))),
    }
}

/// Versions of code systems: `system|version`.
fn versions(inputs: &Inputs<'_>, name: &str) -> Result<Vec<String>, Outcome> {
    let texts = inputs.texts(name).into_iter().map(|text| match Canonical::parse(&text).version {
        Some(_) => Ok(text.into_owned()),
        None => Err(bad(format!("the input `{name}` is {}, not `system|version`", quoted(&text)))),
    });
    texts.collect()
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
