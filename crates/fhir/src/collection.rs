//! A library in memory: conformance resources and others that are given to it, over R4's own.

use std::hash::Hash;
use std::sync::{Arc, PoisonError, RwLock};

use rustc_hash::FxHashMap;

use crate::json::{Document, Node};
use crate::library::Library;
use crate::profile::Profile;
use crate::published::Published;
use crate::terminology::{self, Canonical, CodeSystem, Coded, Membership, Source, ValueSet};
use crate::{Outcome, published};

/// Resources by their urls, and by `Type/id`. What is made of them is kept.
#[derive(Default)]
pub struct Collection {
    /// By type and url, the latest version last.
    definitions: FxHashMap<(String, String), Vec<Arc<Document>>>,
    resources: FxHashMap<String, Arc<Document>>,
    published: Kept<Option<Arc<Document>>>,
    profiles: Kept<Result<Option<Arc<Profile>>, Outcome>>,
    value_sets: Kept<Option<Arc<ValueSet>>>,
    code_systems: Kept<Option<Arc<CodeSystem>>>,
}

type Kept<T> = RwLock<FxHashMap<String, T>>;

impl Collection {
    /// Adds a resource.
    pub fn add(&mut self, document: Document) {
        let document = Arc::new(document);
        let root = document.root();
        let text = |name| root.get(name).and_then(Node::as_str);
        let resource_type = root.resource_type().unwrap_or_default();
        if let Some(id) = text("id") {
            self.resources.insert(format!("{resource_type}/{id}"), document.clone());
        }
        if let Some(url) = text("url") {
            let versions = self.definitions.entry((resource_type.to_owned(), url.into_owned())).or_default();
            versions.push(document.clone());
            versions.sort_by(|one, other| {
                let [one, other] = [one, other].map(|it| it.root().get("version").and_then(Node::as_str));
                Canonical::compare_versions(one.as_deref(), other.as_deref())
            });
        }
    }

    fn definition(&self, resource_type: &str, canonical: Canonical<'_>) -> Option<Arc<Document>> {
        let versions = self.definitions.get(&(resource_type.to_owned(), canonical.url.to_owned()))?;
        let mut latest_first = versions.iter().rev();
        latest_first.find(|it| canonical.takes(it.root().get("version").and_then(Node::as_str).as_deref())).cloned()
    }
}

/// What was made for a key, or is made now: without the lock, because making one thing may ask for another.
fn kept<K: Hash + Eq, T: Clone>(kept: &RwLock<FxHashMap<K, T>>, key: K, make: impl FnOnce() -> T) -> T {
    if let Some(known) = kept.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
        return known.clone();
    }
    let made = make();
    kept.write().unwrap_or_else(PoisonError::into_inner).entry(key).or_insert(made).clone()
}

impl Source for Collection {
    fn code_system(&self, canonical: Canonical<'_>) -> Result<Option<Arc<CodeSystem>>, Outcome> {
        let own = kept(&self.code_systems, canonical.to_string(), || {
            self.definition("CodeSystem", canonical).map(|found| Arc::new(CodeSystem::new(found.root())))
        });
        own.map_or_else(|| Published.code_system(canonical), |own| Ok(Some(own)))
    }

    fn value_set(&self, canonical: Canonical<'_>) -> Result<Option<Arc<ValueSet>>, Outcome> {
        let own = kept(&self.value_sets, canonical.to_string(), || {
            self.definition("ValueSet", canonical).map(|found| Arc::new(ValueSet::new(found.root())))
        });
        own.map_or_else(|| Source::value_set(&Published, canonical), |own| Ok(Some(own)))
    }
}

impl Library for Collection {
    fn structure_definition(&self, canonical: Canonical<'_>) -> Result<Option<Arc<Document>>, Outcome> {
        if let Some(own) = self.definition("StructureDefinition", canonical) {
            return Ok(Some(own));
        }
        let find = || published::resource("StructureDefinition", canonical.url).map(Arc::new);
        Ok(kept(&self.published, canonical.url.to_owned(), find))
    }

    fn profile(&self, canonical: Canonical<'_>) -> Result<Option<Arc<Profile>>, Outcome> {
        kept(&self.profiles, canonical.to_string(), || {
            let definition = self.structure_definition(canonical)?;
            definition.map(|definition| Profile::compile(self, &definition)).transpose()
        })
    }

    fn questionnaire(&self, canonical: Canonical<'_>) -> Result<Option<Arc<Document>>, Outcome> {
        Ok(self.definition("Questionnaire", canonical))
    }

    fn member(&self, value_set: Canonical<'_>, coded: &Coded<'_>) -> Membership {
        terminology::member(self, value_set, coded)
    }

    fn resource(&self, reference: &str) -> Option<Arc<Document>> {
        self.resources.get(reference).cloned()
    }
}
