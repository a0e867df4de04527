//! The rule Nomination.

use fhir::Outcome;
use fhir::json::Node;
use repository::{Planned, Rule, Transaction};

use super::order::Identifier;
use super::refusal::Reason;
use super::{caller, pharmacy};

/// A patient nominates a pharmacy that is known here, for else no prescription would get there. What a practice or a registry says of a patient is
/// taken as it is.
#[derive(Debug)]
pub(crate) struct Nomination;

impl Rule for Nomination {
    fn name(&self) -> &'static str {
        "nominated-pharmacy"
    }

    fn resource_types(&self) -> &'static [&'static str] {
        &["Patient"]
    }

    fn apply(&self, transaction: &mut Transaction<'_>, planned: &Planned) -> Result<(), Outcome> {
        let before = planned.before.as_deref().and_then(pharmacy::nominated);
        let Some(after) = planned.after.as_deref().and_then(pharmacy::nominated) else { return Ok(()) };
        let is_new = before.is_none_or(|before| before.raw() != after.raw());
        if !is_new || transaction.is_import() || caller::is_professional(transaction) {
            return Ok(());
        }
        let literal = after.get("reference").and_then(Node::as_str);
        let organization =
            literal.and_then(|literal| transaction.local(&literal)).filter(|key| key.collection() == "Organization");
        let is_known = match (organization, after.get("identifier").and_then(Identifier::of)) {
            (Some(organization), _) => transaction.read(&organization)?.is_some(),
            (None, Some(identifier)) => pharmacy::known(transaction, &identifier)?.is_some(),
            (None, None) => false,
        };
        let code = || after.path(&["identifier", "value"]).and_then(Node::as_str).unwrap_or_default();
        match is_known {
            true => Ok(()),
            false => Err(Reason::Pharmacy.refuse(code(), "Patient.extension.value")),
        }
    }
}
