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
pub(super) fn patients(transaction: &Transaction<'_>, entry: Entry<'_>) -> Vec<String> {
    let of_patient = |reference: Node<'_>| kind_of(reference).as_deref() == Some("Patient");
    let patients = entry.actors().filter(|reference| of_patient(*reference));
    let mut names: Vec<_> = patients.filter_map(|reference| name(transaction, reference)).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn actor(transaction: &mut Transaction<'_>, reference: Node<'_>) -> Result<Option<Actor>, Outcome> {
    let Some(kind) = kind_of(reference) else { return Ok(None) };
    let kind = match kind.as_str() {
        "Patient" => Kind::Patient,
        "Practitioner" => Kind::Practitioner,
        "PractitionerRole" => {
            let person = practitioner(transaction, reference)?;
            let name = person.or_else(|| name(transaction, reference));
            return Ok(name.map(|name| Actor { kind: Kind::Practitioner, name }));
        }
        _ => return Ok(None),
    };
    Ok(name(transaction, reference).map(|name| Actor { kind, name }))
}

/// The name of the practitioner in a role.
fn practitioner(transaction: &mut Transaction<'_>, role: Node<'_>) -> Result<Option<String>, Outcome> {
    let Some(key) = local(transaction, role) else { return Ok(None) };
    let Some(role) = transaction.read(&key)? else { return Ok(None) };
    Ok(role.root().get("practitioner").and_then(|reference| name(transaction, reference)))
}

fn local(transaction: &Transaction<'_>, reference: Node<'_>) -> Option<Key> {
    transaction.local(&reference.get("reference")?.as_str()?)
}

fn name(transaction: &Transaction<'_>, reference: Node<'_>) -> Option<String> {
    if let Some(key) = local(transaction, reference) {
        return Some(key.as_str().to_owned());
    }
    let identifier = reference.get("identifier")?;
    Some(format!("{}|{}", identifier.get("system")?.as_str()?, identifier.get("value")?.as_str()?))
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
