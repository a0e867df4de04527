//! The rule Referral: referrals as the Booking and Referral Standard has them.

use fhir::Outcome;
use fhir::json::{Document, Node};
use repository::{Planned, Rule, Transaction};

use super::refusal::Reason;

/// What kind of request a message made: a ServiceRequest with a category of this system is a referral.
const CATEGORY: &str = "https://fhir.nhs.uk/CodeSystem/message-category-servicerequest";

/// Statuses that nothing follows but `entered-in-error`.
const ENDED: [&str; 3] = ["completed", "entered-in-error", "revoked"];

/// A referral stays with its patient, and one that has ended stays so.
#[derive(Debug)]
pub(crate) struct Referral;

impl Rule for Referral {
    fn name(&self) -> &'static str {
        "referral"
    }

    fn resource_types(&self) -> &'static [&'static str] {
        &["ServiceRequest"]
    }

    fn apply(&self, transaction: &mut Transaction<'_>, planned: &Planned) -> Result<(), Outcome> {
        let (Some(before), Some(after)) = (planned.before.as_deref(), planned.after.as_deref()) else { return Ok(()) };
        if transaction.is_import() || !is_referral(before) {
            return Ok(());
        }
        let patient = |document: &Document| {
            let reference = document.root().path(&["subject", "reference"]).and_then(Node::as_str)?;
            Some(transaction.local(&reference).map_or(reference.into_owned(), |key| key.to_string()))
        };
        let (was, is) = (patient(before), patient(after));
        if was != is {
            return Err(Reason::OtherPatient.refuse(was.unwrap_or_default(), "ServiceRequest.subject"));
        }
        let status = |document: &Document| document.root().get("status").and_then(Node::as_str).map(String::from);
        let (from, to) = (status(before).unwrap_or_default(), status(after).unwrap_or_default());
        match from != to && to != "entered-in-error" && ENDED.contains(&from.as_str()) {
            true => Err(Reason::Ended.refuse(format_args!("from {from} to {to}"), "ServiceRequest.status")),
            false => Ok(()),
        }
    }
}

fn is_referral(request: &Document) -> bool {
    let categories = request.root().get("category").into_iter().flat_map(Node::each);
    let codings = categories.filter_map(|category| category.get("coding")).flat_map(Node::each);
    codings.filter_map(|coding| coding.get("system")).any(|system| system.is_str(CATEGORY))
}
