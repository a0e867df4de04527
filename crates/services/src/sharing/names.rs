//! The rule Names.

use fhir::Outcome;
use fhir::json::{Document, Node};
use repository::{Planned, Requester, Rule, Transaction};

use super::refusal::Reason;
use crate::same::same;

/// By which elements consents and sign-ins mean those who work for others.
const NAMES: [(&str, &[&str]); 3] = [
    ("Practitioner", &["identifier"]),
    ("PractitionerRole", &["identifier", "practitioner", "organization", "active", "period"]),
    ("Organization", &["identifier"]),
];

/// Nobody becomes somebody else whom a consent means: whoever signs in writes no names of staff and organizations, and no client those of its own
/// organization. Systems that keep a directory write the others, and the record keeper all.
#[derive(Debug)]
pub(crate) struct Names;

impl Rule for Names {
    fn name(&self) -> &'static str {
        "names-in-consents"
    }

    fn resource_types(&self) -> &'static [&'static str] {
        &["Organization", "Practitioner", "PractitionerRole"]
    }

    fn apply(&self, transaction: &mut Transaction<'_>, planned: &Planned) -> Result<(), Outcome> {
        let is_bound = |requester: &Requester| {
            !requester.custodian && (requester.user.is_some() || requester.organization.as_ref() == Some(&planned.key))
        };
        if transaction.is_import() || !transaction.requester().is_some_and(is_bound) {
            return Ok(());
        }
        let resource_type = planned.key.collection();
        let names = NAMES.iter().find(|(name, _)| *name == resource_type).map_or(&[][..], |(_, names)| names);
        let (before, after) = (planned.before.as_deref(), planned.after.as_deref());
        match names.iter().find(|name| !same(said(before, name), said(after, name))) {
            Some(name) => Err(Reason::Names.refuse(name, format!("{resource_type}.{name}"))),
            None => Ok(()),
        }
    }
}

fn said<'d>(document: Option<&'d Document>, name: &str) -> Option<Node<'d>> {
    document?.root().get(name)
}
