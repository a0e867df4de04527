//! Who takes part in an appointment, by names that two appointments share exactly when it is the same person.

use fhir::json::Node;
use fhir::{Outcome, Reference};
use repository::{Key, Transaction};

use super::resource::Entry;

/// The longest name of a value in the store that is made of one, in bytes.
pub(super) const NAME_MAX: usize = 500;

/// How many people's time one appointment may take.
pub(super) const ACTORS_MAX: usize = 100;

/// Whose time an appointment takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Patient,
    Practitioner,
}

/// Somebody whose time an appointment takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Actor {
    pub(super) kind: Kind,
    /// The key of a resource of this server, else the identifier.
    pub(super) name: String,
}

/// The patients and practitioners among those who take part; of a role its practitioner. Of more than can be kept free, one more than that.
pub(super) fn all(transaction: &mut Transaction<'_>, entry: Entry<'_>) -> Result<Vec<Actor>, Outcome> {
    let mut actors: Vec<Actor> = Vec::new();
    for reference in entry.actors() {
        if actors.len() > ACTORS_MAX {
            break;
        }
        if let Some(actor) = actor(transaction, reference)?
            && !actors.contains(&actor)
        {
            actors.push(actor);
        }
    }
    Ok(actors)
}

/// The names of the patients.
pub(super) fn patients(transaction: &mut Transaction<'_>, entry: Entry<'_>) -> Result<Vec<String>, Outcome> {
    let patients = all(transaction, entry)?.into_iter().filter(|actor| actor.kind == Kind::Patient);
    Ok(patients.map(|actor| actor.name).collect())
}

fn actor(transaction: &mut Transaction<'_>, reference: Node<'_>) -> Result<Option<Actor>, Outcome> {
    let Some(resource_type) = kind_of(reference) else { return Ok(None) };
    let kind = match resource_type.as_str() {
        "Patient" => Kind::Patient,
        "Practitioner" | "PractitionerRole" => Kind::Practitioner,
        _ => return Ok(None),
    };
    let name = match kind {
        Kind::Practitioner if resource_type == "PractitionerRole" => in_role(transaction, reference)?,
        _ => name(transaction, &resource_type, reference)?,
    };
    Ok(name.map(|name| Actor { kind, name }))
}

/// The name of the practitioner in a role, else of the role.
fn in_role(transaction: &mut Transaction<'_>, role: Node<'_>) -> Result<Option<String>, Outcome> {
    let key = local(transaction, role);
    let document = key.map(|key| transaction.read(&key)).transpose()?.flatten();
    let person = document.as_ref().and_then(|document| document.root().get("practitioner"));
    match person {
        Some(person) => name(transaction, "Practitioner", person),
        None => name(transaction, "PractitionerRole", role),
    }
}

fn local(transaction: &Transaction<'_>, reference: Node<'_>) -> Option<Key> {
    transaction.local(&reference.get("reference")?.as_str()?)
}

/// The key of the resource of this server that a reference leads to, be it by an identifier, else the identifier. An identifier leads to no
/// patient of whom the caller may not know: whoever is hidden is neither bound by a caller nor told of by a refusal.
pub(super) fn name(
    transaction: &mut Transaction<'_>,
    resource_type: &str,
    reference: Node<'_>,
) -> Result<Option<String>, Outcome> {
    if let Some(key) = local(transaction, reference) {
        return Ok(Some(key.as_str().to_owned()));
    }
    let identifier = reference.get("identifier");
    let text = |name: &str| identifier.and_then(|identifier| identifier.get(name)?.as_str());
    let (Some(system), Some(value)) = (text("system"), text("value")) else { return Ok(None) };
    let key = match transaction.identified(resource_type, &system, &value)? {
        Some(key) if resource_type != "Patient" || is_told(transaction, &key)? => Some(key),
        _ => None,
    };
    Ok(Some(key.map_or_else(|| format!("{system}|{value}"), |key| key.as_str().to_owned())))
}

/// The one patient for whom the caller acts, if there is one.
pub(super) fn own<'a>(transaction: &'a Transaction<'_>) -> Option<&'a Key> {
    let requester = transaction.requester()?;
    let user = requester.user.as_ref().filter(|user| user.collection() == "Patient");
    requester.patient.as_ref().or(user)
}

/// Whether the caller may know that this patient is registered here.
fn is_told(transaction: &Transaction<'_>, patient: &Key) -> Result<bool, Outcome> {
    match own(transaction) {
        Some(own) => Ok(own == patient),
        None => transaction.is_told(patient),
    }
}

/// The type of what a reference leads to.
pub(super) fn kind_of(reference: Node<'_>) -> Option<String> {
    let literal = reference.get("reference").and_then(Node::as_str);
    let of_literal = literal.and_then(|literal| match Reference::parse(&literal)? {
        Reference::Relative { resource_type, .. } | Reference::Absolute { resource_type, .. } => {
            Some(resource_type.to_owned())
        }
        _ => None,
    });
    of_literal.or_else(|| Some(reference.get("type")?.as_str()?.into_owned()))
}
