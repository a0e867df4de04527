//! What callers may not do to AuditEvents.

use fhir::json::Document;
use fhir::{IssueType, Outcome};

use super::{EXTENSION, Place};
use crate::{Planned, Rule, Transaction};

/// Those that the ledger made are nobody's to write, update or delete; those of others are, once written, not changed by callers who are
/// authenticated.
pub(crate) struct Protection;

impl Rule for Protection {
    fn name(&self) -> &'static str {
        "audit"
    }

    fn resource_types(&self) -> &'static [&'static str] {
        &["AuditEvent"]
    }

    fn apply(&self, transaction: &mut Transaction<'_>, planned: &Planned) -> Result<(), Outcome> {
        let refuse = |text: String| Err(Outcome::new(IssueType::MethodNotAllowed, text));
        let key = &planned.key;
        if Place::of_id(key.id()).is_some()
            || [&planned.before, &planned.after].into_iter().flatten().any(|event| is_ours(event))
        {
            return refuse(format!("`{key}` is kept by this server's audit; nobody writes, changes or deletes that"));
        }
        match planned.before.is_some() && transaction.session.repository.ledger().protects_all() {
            true => refuse(format!("`{key}` is a record of what happened; nobody changes or deletes it")),
            false => Ok(()),
        }
    }
}

/// Whether it says that the ledger made it.
pub(super) fn is_ours(event: &Document) -> bool {
    let extensions = event.root().get("extension");
    let urls = extensions.into_iter().flat_map(|extensions| extensions.items());
    urls.filter_map(|extension| extension.get("url")).any(|url| url.is_str(EXTENSION))
}
