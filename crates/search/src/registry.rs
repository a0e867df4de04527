//! All search parameters, compiled.

use fhir::definitions::SearchKind;
use fhir::json::Document;
use fhir::{Definitions, Outcome};
use store::{Index, Row};

use crate::{Handling, Query, Scope};

/// The search parameters of all resource types. Expressions are compiled on first use of a type.
pub struct Registry {/* private */}

/// A parameter as it is served: for the CapabilityStatement and for messages.
#[derive(Clone, Debug)]
pub struct Parameter {
    pub code: &'static str,
    pub url: &'static str,
    pub kind: SearchKind,
    pub description: &'static str,
}

impl Registry {
    /// The standard parameters of R4. `base_url` (without a final `/`) is this server's own: absolute references below it count as relative ones.
    pub fn new(_definitions: &'static Definitions, _base_url: &str) -> Registry {
        todo!()
    }

    /// The index rows of a resource, sorted and without duplicates. `document` has been validated and has an id.
    pub fn rows(&self, _document: &Document) -> Result<Vec<Row>, Outcome> {
        todo!()
    }

    /// The index in which the store keeps the commit time of a type's resources: `_lastUpdated`.
    pub fn time_index(&self, _resource_type: &str) -> Index {
        todo!()
    }

    /// Compiles a query: names and values already percent-decoded, in order.
    pub fn query(
        &self,
        _scope: &Scope,
        _parameters: &[(String, String)],
        _handling: Handling,
    ) -> Result<Query, Outcome> {
        todo!()
    }

    /// The parameters served for a type, sorted by code.
    pub fn parameters(&self, _resource_type: &str) -> Vec<Parameter> {
        todo!()
    }

    /// The references served by `_include` for a type: `Observation:subject`, ...
    pub fn includes(&self, _resource_type: &str) -> Vec<String> {
        todo!()
    }

    /// The value of a row in a reference index that names the local resource `type/id`; [`Registry::target`] reads it back.
    pub fn reference_value(&self, _key: &store::Key) -> Vec<u8> {
        todo!()
    }

    /// The local resource that a row of a reference index names.
    pub fn target(&self, _value: &[u8]) -> Option<store::Key> {
        todo!()
    }

    /// The filter that only this resource satisfies: how a known set of resources is brought into a search.
    pub fn identity(&self, _key: &store::Key) -> store::Filter {
        todo!()
    }
}
