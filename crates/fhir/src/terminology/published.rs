//! The definitions that are always there as a source, each read once.

use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use rustc_hash::FxHashMap;

use super::{Canonical, CodeSystem, ConceptMap, Members, Source, ValueSet};
use crate::Outcome;
use crate::json::Node;
use crate::published::{Published, resource};

/// Definitions that were read, by canonical. Bounded by what is published: what is not there is not remembered.
type Read<T> = LazyLock<RwLock<FxHashMap<String, Arc<T>>>>;

static CODE_SYSTEMS: Read<CodeSystem> = LazyLock::new(RwLock::default);
static VALUE_SETS: Read<ValueSet> = LazyLock::new(RwLock::default);
static CONCEPT_MAPS: Read<ConceptMap> = LazyLock::new(RwLock::default);
static MEMBERS: Read<Members> = LazyLock::new(RwLock::default);

fn read<T>(read: &Read<T>, resource_type: &str, url: &str, new: fn(Node<'_>) -> T) -> Option<Arc<T>> {
    if let Some(known) = read.read().unwrap_or_else(PoisonError::into_inner).get(url) {
        return Some(known.clone());
    }
    let found = Arc::new(new(resource(resource_type, url)?.root()));
    let mut read = read.write().unwrap_or_else(PoisonError::into_inner);
    Some(read.entry(url.to_owned()).or_insert(found).clone())
}

impl Source for Published {
    fn code_system(&self, canonical: Canonical<'_>) -> Result<Option<Arc<CodeSystem>>, Outcome> {
        let found = read(&CODE_SYSTEMS, "CodeSystem", canonical.url, CodeSystem::new);
        Ok(found.filter(|found| canonical.takes(found.version())))
    }

    fn value_set(&self, canonical: Canonical<'_>) -> Result<Option<Arc<ValueSet>>, Outcome> {
        let found = read(&VALUE_SETS, "ValueSet", canonical.url, ValueSet::new);
        Ok(found.filter(|found| canonical.takes(found.version.as_deref())))
    }

    fn members(&self, value_set: Canonical<'_>) -> Result<Arc<Members>, Outcome> {
        let name = value_set.to_string();
        if let Some(known) = MEMBERS.read().unwrap_or_else(PoisonError::into_inner).get(&name) {
            return Ok(known.clone());
        }
        let members = Arc::new(Members::compile(self, value_set)?);
        let mut read = MEMBERS.write().unwrap_or_else(PoisonError::into_inner);
        Ok(read.entry(name).or_insert(members).clone())
    }

    fn concept_map(&self, canonical: Canonical<'_>) -> Result<Option<Arc<ConceptMap>>, Outcome> {
        let found = read(&CONCEPT_MAPS, "ConceptMap", canonical.url, ConceptMap::new);
        Ok(found.filter(|found| canonical.takes(found.version.as_deref())))
    }
}
