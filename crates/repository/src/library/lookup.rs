//! Definitions by canonical url, and what is remembered of them.

use std::sync::Arc;

use arc_swap::ArcSwap;
use fhir::json::Document;
use fhir::profile::Profile;
use fhir::terminology::{Canonical, CodeSystem, ConceptMap, Members, ValueSet};
use fhir::{IssueType, Outcome, published};
use search::Registry;
use store::{Find, Key, Snapshot};

use super::Generation;
use super::recent::Recent;
use crate::fault;
use crate::session::parse_stored;

/// How many versions of one definition are looked at for the latest.
const VERSIONS_MAX: usize = 100;

/// How much each kind of definition may take, by the length of its text in bytes.
const KIND_BYTES_MAX: usize = 64 << 20;

/// The conformance resource that is always there.
pub(super) fn published(resource_type: &str, canonical: Canonical<'_>) -> Option<Arc<Document>> {
    published::canonical(resource_type, canonical).map(Arc::new)
}

/// The definition of this url in the store: of the version named, else the latest.
pub(super) fn by_url(
    registry: &Registry,
    snapshot: &dyn Snapshot,
    resource_type: &str,
    canonical: Canonical<'_>,
) -> Result<Option<Document>, Outcome> {
    let filter = registry.by_url(resource_type, canonical.url);
    let found = snapshot.find(&Find { bodies: true, ..Find::new(filter, VERSIONS_MAX) }).map_err(fault::outcome)?;
    if found.next.is_some() {
        let text = format!("more than {VERSIONS_MAX} definitions have the url `{}`", canonical.url);
        return Err(Outcome::new(IssueType::TooCostly, text));
    }
    let mut latest: Option<(Option<String>, Document)> = None;
    for hit in &found.hits {
        let Some(body) = hit.version.as_ref().and_then(|version| version.body.as_ref()) else { continue };
        let document = parse_stored(&hit.key, body)?;
        let version = document.root().get("version").and_then(|version| version.as_str()).map(String::from);
        let is_later =
            |known: &Option<String>| Canonical::compare_versions(version.as_deref(), known.as_deref()).is_ge();
        if canonical.takes(version.as_deref()) && latest.as_ref().is_none_or(|(known, _)| is_later(known)) {
            latest = Some((version, document));
        }
    }
    Ok(latest.map(|(_, document)| document))
}

/// The current resource of a key.
pub(super) fn by_key(snapshot: &dyn Snapshot, key: &Key) -> Result<Option<Document>, Outcome> {
    let version = snapshot.read(key).map_err(fault::outcome)?;
    version.and_then(|version| version.body).map(|body| parse_stored(key, &body)).transpose()
}

/// The caches of the newest generation that was looked at.
#[derive(Default)]
pub(crate) struct Library(ArcSwap<Caches>);

impl Library {
    /// The caches for what a snapshot holds.
    pub(super) fn of(&self, snapshot: &dyn Snapshot) -> Result<Arc<Caches>, Outcome> {
        let generation = Generation::read(snapshot)?;
        let known = self.0.load_full();
        if known.generation == generation {
            return Ok(known);
        }
        let fresh = Arc::new(Caches { generation, ..Caches::default() });
        self.0.store(fresh.clone());
        Ok(fresh)
    }
}

/// What was looked up in the store, in one generation of definitions; also that there is none.
pub(crate) struct Caches {
    generation: Generation,
    documents: Recent<Option<Arc<Document>>>,
    profiles: Recent<Option<Result<Arc<Profile>, Outcome>>>,
    value_sets: Recent<Option<Arc<ValueSet>>>,
    code_systems: Recent<Option<Arc<CodeSystem>>>,
    concept_maps: Recent<Option<Arc<ConceptMap>>>,
    members: Recent<Arc<Members>>,
}

impl Default for Caches {
    fn default() -> Caches {
        Caches {
            generation: Generation::default(),
            documents: Recent::new(KIND_BYTES_MAX),
            profiles: Recent::new(KIND_BYTES_MAX),
            value_sets: Recent::new(KIND_BYTES_MAX),
            code_systems: Recent::new(KIND_BYTES_MAX),
            concept_maps: Recent::new(KIND_BYTES_MAX),
            members: Recent::new(KIND_BYTES_MAX),
        }
    }
}

/// What a look-up found, with the length of its text.
type Looked<T> = Result<Option<(T, usize)>, Outcome>;

impl Caches {
    pub(super) fn document(
        &self,
        resource_type: &str,
        canonical: Canonical<'_>,
        load: impl FnOnce() -> Result<Option<Document>, Outcome>,
    ) -> Result<Option<Arc<Document>>, Outcome> {
        looked(&self.documents, &format!("{resource_type} {canonical}"), || {
            Ok(load()?.map(|document| (document.text().len(), document)).map(|(weight, it)| (Arc::new(it), weight)))
        })
    }

    /// A definition that cannot be compiled is not compiled again.
    pub(super) fn profile(
        &self,
        canonical: Canonical<'_>,
        load: impl FnOnce() -> Looked<Result<Arc<Profile>, Outcome>>,
    ) -> Result<Option<Result<Arc<Profile>, Outcome>>, Outcome> {
        looked(&self.profiles, &canonical.to_string(), load)
    }

    pub(super) fn value_set(
        &self,
        canonical: Canonical<'_>,
        load: impl FnOnce() -> Looked<Arc<ValueSet>>,
    ) -> Result<Option<Arc<ValueSet>>, Outcome> {
        looked(&self.value_sets, &canonical.to_string(), load)
    }

    pub(super) fn code_system(
        &self,
        canonical: Canonical<'_>,
        load: impl FnOnce() -> Looked<Arc<CodeSystem>>,
    ) -> Result<Option<Arc<CodeSystem>>, Outcome> {
        looked(&self.code_systems, &canonical.to_string(), load)
    }

    pub(super) fn concept_map(
        &self,
        canonical: Canonical<'_>,
        load: impl FnOnce() -> Looked<Arc<ConceptMap>>,
    ) -> Result<Option<Arc<ConceptMap>>, Outcome> {
        looked(&self.concept_maps, &canonical.to_string(), load)
    }

    /// The members of a value set that is known.
    pub(super) fn members(
        &self,
        value_set: Canonical<'_>,
        compile: impl FnOnce() -> Result<Members, Outcome>,
    ) -> Result<Arc<Members>, Outcome> {
        let name = value_set.to_string();
        if let Some(known) = self.members.get(&name) {
            return Ok(known);
        }
        let members = Arc::new(compile()?);
        self.members.put(&name, members.clone(), members.bytes());
        Ok(members)
    }
}

fn looked<T: Clone>(
    kept: &Recent<Option<T>>,
    name: &str,
    load: impl FnOnce() -> Looked<T>,
) -> Result<Option<T>, Outcome> {
    if let Some(known) = kept.get(name) {
        return Ok(known);
    }
    let (found, weight) = load()?.map_or((None, 0), |(found, weight)| (Some(found), weight));
    kept.put(name, found.clone(), weight);
    Ok(found)
}
