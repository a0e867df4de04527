//! Definitions that validation, FHIRPath and terminology look up: conformance resources of the store, then R4's own and ours.
//!
//! They are read whatever the access: only what they say about other resources takes part, as in a terminology server.

mod elsewhere;

use std::sync::Arc;

use fhir::json::Document;
use fhir::profile::Profile;
use fhir::published::Published;
use fhir::terminology::{Canonical, CodeSystem, Coded, Membership, Source, ValueSet};
use fhir::{Library, Outcome};

pub use self::elsewhere::TerminologyServer;

use crate::Session;

/// The definitions as a session sees them.
pub struct Shelf<'a> {
    session: &'a Session<'a>,
}

impl Session<'_> {
    /// The definitions of this session: those of the moment when it was opened.
    pub fn library(&self) -> Shelf<'_> {
        Shelf { session: self }
    }
}

impl Shelf<'_> {
    /// The terminology server that knows what is not known here, if there is one.
    pub fn elsewhere(&self) -> Option<&dyn TerminologyServer> {
        self.session.setup().terminology.as_deref()
    }
}

impl Source for Shelf<'_> {
    fn code_system(&self, canonical: Canonical<'_>) -> Result<Option<Arc<CodeSystem>>, Outcome> {
        Published.code_system(canonical)
    }

    fn value_set(&self, canonical: Canonical<'_>) -> Result<Option<Arc<ValueSet>>, Outcome> {
        Published.value_set(canonical)
    }
}

impl Library for Shelf<'_> {
    fn structure_definition(&self, canonical: Canonical<'_>) -> Result<Option<Arc<Document>>, Outcome> {
        Published.structure_definition(canonical)
    }

    fn profile(&self, canonical: Canonical<'_>) -> Result<Option<Arc<Profile>>, Outcome> {
        Published.profile(canonical)
    }

    fn questionnaire(&self, canonical: Canonical<'_>) -> Result<Option<Arc<Document>>, Outcome> {
        Published.questionnaire(canonical)
    }

    fn member(&self, value_set: Canonical<'_>, coded: &Coded<'_>) -> Membership {
        match (Published.member(value_set, coded), self.elsewhere()) {
            (Membership::Unknown(_), Some(server)) => elsewhere::member(server, value_set, coded),
            (known, _) => known,
        }
    }

    fn resource(&self, reference: &str) -> Option<Arc<Document>> {
        Published.resource(reference)
    }
}
