//! The definitions as a session sees them.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use fhir::json::Document;
use fhir::profile::Profile;
use fhir::published::Published;
use fhir::terminology::{
    self, Canonical, CodeSystem, Coded, ConceptMap, Members, Membership, Source, ValueSet, implicit,
};
use fhir::validate::{Depth, Validator};
use fhir::{IssueType, Library, Outcome};
use store::{Key, Snapshot};

use super::lookup::{self, Caches};
use super::{TerminologyServer, elsewhere};
use crate::session::parse_stored;
use crate::{Act, Session};

/// The definitions of one moment, which is that of the first look-up.
pub struct Shelf<'a> {
    session: &'a Session<'a>,
    opened: OnceLock<Opened<'a>>,
}

/// What is opened when something is looked up: most writes look nothing up.
struct Opened<'a> {
    snapshot: Mutex<Box<dyn Snapshot + 'a>>,
    caches: Arc<Caches>,
}

impl Session<'_> {
    /// The definitions as they are when something is first looked up in them.
    pub fn library(&self) -> Shelf<'_> {
        Shelf { session: self, opened: OnceLock::new() }
    }
}

impl<'a> Shelf<'a> {
    /// Validates with these definitions, as this server's settings say.
    pub fn validator(&self, depth: Depth) -> Validator<'_> {
        let setup = self.session.setup();
        Validator {
            definitions: setup.definitions,
            library: self,
            depth,
            unknown_profile: setup.validation.unknown_profile,
            now: self.session.repository.now(),
        }
    }

    /// The terminology server that knows what is not known here, if there is one.
    pub fn elsewhere(&self) -> Option<&dyn TerminologyServer> {
        self.session.setup().terminology.as_deref()
    }

    /// The conformance resource of this type and canonical url: of the version named, else the latest; from the store, then R4's own.
    pub fn definition(
        &self,
        resource_type: &'static str,
        canonical: Canonical<'_>,
    ) -> Result<Option<Arc<Document>>, Outcome> {
        Ok(match self.stored(resource_type, canonical)? {
            Some(stored) => Some(stored),
            None => lookup::published(resource_type, canonical),
        })
    }

    /// The same, of the store alone.
    pub fn stored(
        &self,
        resource_type: &'static str,
        canonical: Canonical<'_>,
    ) -> Result<Option<Arc<Document>>, Outcome> {
        let opened = self.opened()?;
        opened.caches.document(resource_type, canonical, || {
            let key = self.session.local(canonical.url).filter(|key| key.collection() == resource_type);
            let snapshot = opened.snapshot();
            let named = key.map(|key| lookup::by_key(&**snapshot, &key)).transpose()?.flatten();
            match named {
                Some(named) => Ok(Some(named)),
                None => lookup::by_url(self.session.registry(), &**snapshot, resource_type, canonical),
            }
        })
    }

    fn opened(&self) -> Result<&Opened<'a>, Outcome> {
        if let Some(opened) = self.opened.get() {
            return Ok(opened);
        }
        let snapshot = self.session.snapshot()?;
        let caches = self.session.repository.library.of(&*snapshot)?;
        Ok(self.opened.get_or_init(|| Opened { snapshot: Mutex::new(snapshot), caches }))
    }

    fn visible(&self, key: &Key) -> Result<Option<Document>, Outcome> {
        if self.session.access.permit(Act::Read, key.collection()).is_err() {
            return Ok(None);
        }
        let read = self.session.read_from(&**self.opened()?.snapshot(), key);
        match read {
            Ok(version) => version.body.as_ref().map(|body| parse_stored(key, body)).transpose(),
            Err(outcome) => match outcome.worst().map(|issue| issue.code) {
                Some(IssueType::NotFound | IssueType::Deleted) => Ok(None),
                _ => Err(outcome),
            },
        }
    }
}

impl<'a> Opened<'a> {
    fn snapshot(&self) -> std::sync::MutexGuard<'_, Box<dyn Snapshot + 'a>> {
        self.snapshot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Source for Shelf<'_> {
    fn code_system(&self, canonical: Canonical<'_>) -> Result<Option<Arc<CodeSystem>>, Outcome> {
        let stored = self.opened()?.caches.code_system(canonical, || {
            let Some(document) = self.stored("CodeSystem", canonical)? else { return Ok(None) };
            let imported = self.session.repository.imported.find(self.session, document.root())?;
            let system = imported.unwrap_or_else(|| Arc::new(CodeSystem::new(document.root())));
            Ok(Some((system, document.text().len())))
        })?;
        stored.map_or_else(|| Published.code_system(canonical), |stored| Ok(Some(stored)))
    }

    fn value_set(&self, canonical: Canonical<'_>) -> Result<Option<Arc<ValueSet>>, Outcome> {
        let stored = self.opened()?.caches.value_set(canonical, || {
            let document = self.stored("ValueSet", canonical)?;
            Ok(document.map(|document| (Arc::new(ValueSet::new(document.root())), document.text().len())))
        })?;
        match stored {
            Some(stored) => Ok(Some(stored)),
            None => Ok(Published.value_set(canonical)?.or_else(|| implicit(canonical).map(Arc::new))),
        }
    }

    fn members(&self, value_set: Canonical<'_>) -> Result<Arc<Members>, Outcome> {
        self.opened()?.caches.members(value_set, || Members::compile(self, value_set))
    }

    fn concept_map(&self, canonical: Canonical<'_>) -> Result<Option<Arc<ConceptMap>>, Outcome> {
        let stored = self.opened()?.caches.concept_map(canonical, || {
            let document = self.stored("ConceptMap", canonical)?;
            Ok(document.map(|document| (Arc::new(ConceptMap::new(document.root())), document.text().len())))
        })?;
        stored.map_or_else(|| Published.concept_map(canonical), |stored| Ok(Some(stored)))
    }
}

impl Library for Shelf<'_> {
    fn structure_definition(&self, canonical: Canonical<'_>) -> Result<Option<Arc<Document>>, Outcome> {
        self.definition("StructureDefinition", canonical)
    }

    fn profile(&self, canonical: Canonical<'_>) -> Result<Option<Arc<Profile>>, Outcome> {
        let stored =
            self.opened()?.caches.profile(canonical, || match self.stored("StructureDefinition", canonical)? {
                Some(document) => Ok(Some((Profile::compile(self, &document), document.text().len()))),
                None => Ok(None),
            })?;
        stored.map_or_else(|| Published.profile(canonical), |stored| stored.map(Some))
    }

    fn questionnaire(&self, canonical: Canonical<'_>) -> Result<Option<Arc<Document>>, Outcome> {
        self.definition("Questionnaire", canonical)
    }

    fn member(&self, value_set: Canonical<'_>, coded: &Coded<'_>) -> Membership {
        let known = terminology::member(self, value_set, coded);
        match (known, self.elsewhere()) {
            (Membership::Unknown(_), Some(server)) => {
                let definition = self.definition("ValueSet", value_set).ok().flatten();
                elsewhere::member(server, value_set, definition.as_deref(), coded)
            }
            (known, _) => known,
        }
    }

    fn resource(&self, reference: &str) -> Option<Arc<Document>> {
        let found = self.visible(&self.session.local(reference)?);
        found.inspect_err(|outcome| tracing::error!(%outcome, "a reference is not followed")).ok()?.map(Arc::new)
    }
}
