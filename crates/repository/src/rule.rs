//! What a service demands of writes and adds to them.

use fhir::Outcome;
use fhir::json::Document;
use store::{Key, Version};

use crate::{Method, Transaction};

/// A rule of a service: looks at each planned write of its types, refuses it or adds what belongs with it. Runs inside the transaction, after
/// references are resolved and the content is validated; it may run again when the commit lost a race, and so must not have other effects.
pub trait Rule: Send + Sync {
    /// For logs and documentation.
    fn name(&self) -> &'static str;
    /// The resource types it looks at.
    fn resource_types(&self) -> &'static [&'static str];
    /// Refuses with an [`Outcome`], or extends the transaction.
    fn apply(&self, transaction: &mut Transaction<'_>, planned: &Planned) -> Result<(), Outcome>;
    /// Told of each version of its types once it is committed, before the caller is answered: for what is kept in memory, and is made from the
    /// store again when the server starts.
    fn committed(&self, _version: &Version) {}
}

/// A write as it stands when rules look at it.
#[derive(Clone, Debug)]
pub struct Planned {
    pub key: Key,
    /// The current content; `None` for a create (also after a deletion).
    pub before: Option<std::sync::Arc<Document>>,
    /// The content to be; `None` for a delete.
    pub after: Option<std::sync::Arc<Document>>,
    /// How the caller asked for it.
    pub method: Method,
    /// A path that the caller's patch changes more than once.
    pub changed_twice: Option<String>,
}
