//! For which organisation an appointment is booked, and who vouches for it.

use std::borrow::Cow;
use std::collections::BTreeSet;

use fhir::Outcome;
use fhir::json::Node;
use repository::{Key, Requester, Transaction};
use search::token;

use super::refusal::Reason;
use super::resource::Entry;
use super::staff;

/// The extension that names it: a contained Organization, or one of this server.
pub(crate) const BOOKING_ORGANIZATION: &str =
    "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-BookingOrganization";

/// The system of the codes of organisations.
const ODS_CODE: &str = "https://fhir.nhs.uk/Id/ods-organization-code";

/// The name of all organisations together that have none.
pub(super) const UNNAMED: &str = "unnamed";

/// How many bytes of an identifier are kept as they are.
const NAME_MAX: usize = 200;

/// Who books.
#[derive(Debug)]
pub(super) enum Books {
    /// The practice: its staff, the record keeper, and whoever asks while authentication is off. For whom it books is what it says.
    Practice(Option<Booker>),
    /// The client of this organisation.
    Client(Booker),
    /// Somebody for whose organisation nobody vouches, whatever the appointment says of it.
    Anybody,
}

impl Books {
    /// Who books this appointment.
    pub(super) fn of(transaction: &mut Transaction<'_>, appointment: Entry<'_>) -> Result<Books, Outcome> {
        if staff::asks(transaction) {
            return Ok(Books::Practice(Booker::named(transaction, appointment)?));
        }
        match Booker::of_caller(transaction)? {
            Some(client) => Ok(Books::Client(client)),
            None => Ok(Books::Anybody),
        }
    }
}

/// Refuses an appointment that names another organisation than the client's; what was named before stays. Of one that waits is kept whether
/// somebody vouches for whom it names, for the time when a slot is offered to it.
pub(super) fn permit(
    transaction: &mut Transaction<'_>,
    key: &Key,
    before: Option<Entry<'_>>,
    after: Entry<'_>,
) -> Result<(), Outcome> {
    let Some(named) = Booker::named(transaction, after)? else { return Ok(()) };
    let was = before.map(|before| Booker::named(transaction, before)).transpose()?.flatten();
    if was.is_some_and(|was| was == named) {
        return Ok(());
    }
    let is_vouched = if transaction.is_import() || staff::asks(transaction) {
        true
    } else {
        match Booker::of_caller(transaction)? {
            Some(client) if !client.is_same(&named) => {
                return Err(
                    Reason::OtherOrganisation.refuse(reference(after).unwrap_or_default(), "Appointment.extension")
                );
            }
            client => client.is_some(),
        }
    };
    match &*after.status() {
        "waitlist" => transaction.exchange(voucher(key), is_vouched.then(|| b"vouched".to_vec())),
        _ => Ok(()),
    }
}

/// The organisation for which an appointment waits, by what somebody vouches for.
pub(super) fn waiting(
    transaction: &mut Transaction<'_>,
    key: &Key,
    appointment: Entry<'_>,
) -> Result<Option<Booker>, Outcome> {
    match transaction.claimed(&voucher(key))? {
        Some(_) => Booker::named(transaction, appointment),
        None => Ok(None),
    }
}

/// The name of what tells that somebody vouches for the organisation of an appointment.
fn voucher(appointment: &Key) -> Vec<u8> {
    format!("vouched/{}", appointment.id()).into_bytes()
}

/// The names of the organisation: its identifiers, and the codes of its kind.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Booker {
    /// As a resource of this server.
    key: Option<Key>,
    /// System and value.
    identifiers: BTreeSet<(String, String)>,
    kinds: BTreeSet<(String, String)>,
}

impl Booker {
    /// The organisation that an appointment names; `None` where it names none.
    pub(super) fn named(transaction: &mut Transaction<'_>, appointment: Entry<'_>) -> Result<Option<Booker>, Outcome> {
        let Some(extension) = appointment.extensions(BOOKING_ORGANIZATION).next() else { return Ok(None) };
        let reference = reference(appointment).unwrap_or_default();
        let mut booker = Booker::default();
        match reference.strip_prefix('#') {
            Some(id) => appointment.contained(id).into_iter().for_each(|organization| booker.add(organization)),
            None => booker.read(transaction, &reference)?,
        }
        booker.identifiers.extend(extension.path(&["valueReference", "identifier"]).and_then(identifier));
        Ok(Some(booker))
    }

    /// The organisation whose client asks; `None` where it is nobody's.
    fn of_caller(transaction: &mut Transaction<'_>) -> Result<Option<Booker>, Outcome> {
        let Some(mut booker) = transaction.requester().and_then(Booker::of_client) else { return Ok(None) };
        if let Some(key) = booker.key.clone() {
            booker.read(transaction, key.as_str())?;
        }
        Ok(Some(booker))
    }

    /// The organisation whose client a requester is, by what those who run the server say of it; `None` where it is nobody's.
    pub(super) fn of_client(requester: &Requester) -> Option<Booker> {
        let key = requester.organization.clone();
        let identifiers: BTreeSet<_> = requester.identifiers.iter().cloned().collect();
        (key.is_some() || !identifiers.is_empty()).then(|| Booker { key, identifiers, kinds: BTreeSet::new() })
    }

    /// All that slots may be kept for to be open to it, as the value of a token parameter; `None` for nothing.
    pub(super) fn tokens(&self) -> Option<String> {
        let names = self.identifiers.iter().chain(&self.kinds);
        let tokens: Vec<_> = names.map(|(system, code)| token(system, code)).collect();
        (!tokens.is_empty()).then(|| tokens.join(","))
    }

    /// Whether both are one organisation: by one of their identifiers, or as the resource of this server.
    fn is_same(&self, other: &Booker) -> bool {
        let is = |(system, value): &(String, String), known: &(String, String)| {
            *system == known.0 && value.eq_ignore_ascii_case(&known.1)
        };
        self.key.is_some() && self.key == other.key
            || other.identifiers.iter().any(|name| self.identifiers.iter().any(|known| is(name, known)))
    }

    /// Whether this is the organisation, or of the kind, that a Coding means.
    pub(super) fn is(&self, coding: Node<'_>) -> bool {
        let text = |name| coding.get(name).and_then(Node::as_str).unwrap_or_default();
        let (system, code) = (text("system"), text("code"));
        let mut names = self.identifiers.iter().chain(&self.kinds);
        names.any(|(known, value)| *known == system && value.eq_ignore_ascii_case(&code))
    }

    /// By what it is told from others: its code, another identifier, the resource; [`UNNAMED`] for one that has none of them.
    pub(super) fn name(&self) -> String {
        let ods = self.identifiers.iter().find(|(system, _)| system == ODS_CODE);
        let name = match ods.or_else(|| self.identifiers.iter().next()) {
            Some((system, value)) => format!("{system}|{}", value.to_ascii_uppercase()),
            None => self.key.as_ref().map_or_else(|| UNNAMED.to_owned(), ToString::to_string),
        };
        let is_plain = name.len() <= NAME_MAX && !name.contains(char::is_control);
        if is_plain { name } else { blake3::hash(name.as_bytes()).to_hex().to_string() }
    }

    fn read(&mut self, transaction: &mut Transaction<'_>, reference: &str) -> Result<(), Outcome> {
        let key = transaction.local(reference).filter(|key| key.collection() == "Organization");
        if let Some(key) = key
            && let Some(organization) = transaction.read(&key)?
        {
            self.add(organization.root());
            self.key = Some(key);
        }
        Ok(())
    }

    /// Adds what an Organization says of itself.
    pub(super) fn add(&mut self, organization: Node<'_>) {
        let all = |name| organization.get(name).into_iter().flat_map(Node::each);
        self.identifiers.extend(all("identifier").filter_map(identifier));
        let codings = all("type").filter_map(|kind| kind.get("coding")).flat_map(Node::each);
        self.kinds.extend(codings.filter_map(|coding| pair(coding, "code")));
    }
}

/// The reference by which an appointment names it, as it was sent.
fn reference(appointment: Entry<'_>) -> Option<Cow<'_, str>> {
    let extension = appointment.extensions(BOOKING_ORGANIZATION).next()?;
    extension.path(&["valueReference", "reference"]).and_then(Node::as_str)
}

fn identifier(identifier: Node<'_>) -> Option<(String, String)> {
    pair(identifier, "value")
}

fn pair(node: Node<'_>, value: &str) -> Option<(String, String)> {
    let text = |name| node.get(name).and_then(Node::as_str).map(Cow::into_owned);
    Some((text("system")?, text(value)?))
}
