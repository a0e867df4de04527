//! For which organisation an appointment is booked.

use std::borrow::Cow;
use std::collections::BTreeSet;

use fhir::Outcome;
use fhir::json::Node;
use repository::{Name, Transaction};

use super::resource::Entry;

/// The extension that names it: a contained Organization, or one of this server.
pub(crate) const BOOKING_ORGANIZATION: &str =
    "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-BookingOrganization";

/// The system of the codes of organisations.
const ODS_CODE: &str = "https://fhir.nhs.uk/Id/ods-organization-code";

/// How many bytes of an identifier are kept as they are.
const NAME_MAX: usize = 200;

/// The names of the organisation: its identifiers, and the codes of its kind.
#[derive(Debug, Default)]
pub(super) struct Booker {
    /// System and value.
    identifiers: BTreeSet<(String, String)>,
    kinds: BTreeSet<(String, String)>,
}

impl Booker {
    /// The organisation that an appointment names; `None` where it names none.
    pub(super) fn named(transaction: &mut Transaction<'_>, appointment: Entry<'_>) -> Result<Option<Booker>, Outcome> {
        let Some(extension) = appointment.extensions(BOOKING_ORGANIZATION).next() else { return Ok(None) };
        let reference = extension.path(&["valueReference", "reference"]).and_then(Node::as_str).unwrap_or_default();
        let mut booker = Booker::default();
        match reference.strip_prefix('#') {
            Some(id) => appointment.contained(id).into_iter().for_each(|organization| booker.add(organization)),
            None => booker.read(transaction, &reference)?,
        }
        booker.identifiers.extend(extension.path(&["valueReference", "identifier"]).and_then(identifier));
        Ok(Some(booker))
    }

    /// The organisation whose client asks; without names where it is nobody's.
    pub(super) fn of_client(transaction: &mut Transaction<'_>) -> Result<Booker, Outcome> {
        let Some(requester) = transaction.requester() else { return Ok(Booker::default()) };
        let organization = requester.organization.as_ref().map(ToString::to_string);
        let names = requester.names.iter().filter_map(|name| match name {
            Name::Identifier { system, value } => Some((system.clone(), value.clone())),
            Name::Key(_) => None,
        });
        let mut booker = Booker { identifiers: names.collect(), ..Booker::default() };
        if let Some(organization) = organization {
            booker.read(transaction, &organization)?;
        }
        Ok(booker)
    }

    /// Whether this is the organisation, or of the kind, that a Coding means.
    pub(super) fn is(&self, coding: Node<'_>) -> bool {
        let text = |name| coding.get(name).and_then(Node::as_str).unwrap_or_default();
        let (system, code) = (text("system"), text("code"));
        let mut names = self.identifiers.iter().chain(&self.kinds);
        names.any(|(known, value)| *known == system && value.eq_ignore_ascii_case(&code))
    }

    /// By what it is told from others; `None` when it has no identifier.
    pub(super) fn name(&self) -> Option<String> {
        let ods = self.identifiers.iter().find(|(system, _)| system == ODS_CODE);
        let (system, value) = ods.or_else(|| self.identifiers.iter().next())?;
        let name = format!("{system}|{}", value.to_ascii_uppercase());
        let is_plain = name.len() <= NAME_MAX && !name.contains(char::is_control);
        Some(if is_plain { name } else { blake3::hash(name.as_bytes()).to_hex().to_string() })
    }

    fn read(&mut self, transaction: &mut Transaction<'_>, reference: &str) -> Result<(), Outcome> {
        let key = transaction.local(reference).filter(|key| key.collection() == "Organization");
        if let Some(key) = key
            && let Some(organization) = transaction.read(&key)?
        {
            self.add(organization.root());
        }
        Ok(())
    }

    fn add(&mut self, organization: Node<'_>) {
        let all = |name| organization.get(name).into_iter().flat_map(Node::each);
        self.identifiers.extend(all("identifier").filter_map(identifier));
        let codings = all("type").filter_map(|kind| kind.get("coding")).flat_map(Node::each);
        self.kinds.extend(codings.filter_map(|coding| pair(coding, "code")));
    }
}

fn identifier(identifier: Node<'_>) -> Option<(String, String)> {
    pair(identifier, "value")
}

fn pair(node: Node<'_>, value: &str) -> Option<(String, String)> {
    let text = |name| node.get(name).and_then(Node::as_str).map(Cow::into_owned);
    Some((text("system")?, text(value)?))
}
