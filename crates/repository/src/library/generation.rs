//! Which definitions there are: a stored value that is another after every commit that writes or deletes one.

use fhir::Outcome;
use store::{Key, Snapshot, Write};

use crate::fault;

/// The types that are looked up by url.
const DEFINITIONS: [&str; 9] = [
    "StructureDefinition",
    "ValueSet",
    "CodeSystem",
    "ConceptMap",
    "Questionnaire",
    "SearchParameter",
    "OperationDefinition",
    "CapabilityStatement",
    "NamingSystem",
];

/// The stored value.
const NAME: &[u8] = b"library/generation";

/// The state of all definitions: two snapshots of one generation hold the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Generation(Option<Vec<u8>>);

impl Generation {
    pub(super) fn read(snapshot: &dyn Snapshot) -> Result<Generation, Outcome> {
        snapshot.value(NAME).map(Generation).map_err(fault::outcome)
    }

    /// What begins the generation of a commit that writes these versions; `None` when no definition is among them.
    ///
    /// It is named by the last definition written: each version of a resource is written once, so no two generations share a name, and commits
    /// that race need not look at one another.
    pub(crate) fn begun_by<'a>(written: impl DoubleEndedIterator<Item = (&'a Key, u64)>) -> Option<Write> {
        let (key, version) = written.rev().find(|(key, _)| DEFINITIONS.contains(&key.collection()))?;
        Some(Write::Set { name: NAME.to_vec(), value: format!("{}/{version}", key.as_str()).into_bytes() })
    }
}
