//! Who and what a message names that need not be a record of its own: known here, or contained in what names it.

use std::collections::HashMap;

use fhir::json::{Node, Value};
use fhir::{IssueType, Outcome};
use repository::{Key, Session, query_string};

use super::super::refusal::Reason;
use super::entries::Entry;
use super::focus::identifier;

/// Types of what is the receiver's own: it is known by the id that it has here.
const OWN: [&str; 2] = ["Schedule", "Slot"];

/// Types of which everybody sees all. What a message says of them is not for everybody: where something happened may be where somebody
/// lives. So they are known here by an identifier, or are contained in what names them.
const PUBLIC: [&str; 5] = ["HealthcareService", "Location", "Organization", "Practitioner", "PractitionerRole"];

/// So many bytes of contained resources are made of one message.
const CONTAINED_MAX: usize = 8 << 20;

/// By full URL, what stands on this server, and what is contained.
#[derive(Default)]
pub(super) struct Directory {
    here: HashMap<String, Key>,
    contained: HashMap<String, Value>,
}

/// Whether nothing is written of this type.
pub(super) fn is_of_directory(resource_type: &str) -> bool {
    OWN.contains(&resource_type) || PUBLIC.contains(&resource_type)
}

impl Directory {
    /// Looks up all that the entries name.
    pub(super) fn read(session: &Session<'_>, entries: &[Entry<'_>]) -> Result<Directory, Outcome> {
        let mut directory = Directory::default();
        for (at, entry) in entries.iter().enumerate() {
            let resource_type = entry.resource.resource_type().unwrap_or_default();
            let found = if OWN.contains(&resource_type) {
                own(session, entry.resource, at)?
            } else if PUBLIC.contains(&resource_type) {
                known(session, entry.resource)?
            } else {
                continue;
            };
            let Some(full_url) = entry.full_url.as_deref().map(str::to_owned) else { continue };
            match found {
                Some(key) => drop(directory.here.insert(full_url, key)),
                None => drop(directory.contained.insert(full_url, inner(entry.resource))),
            }
        }
        Ok(directory)
    }

    /// Lets the references of a resource lead to what is here, and contains what is not. `left` is how many bytes may still be contained.
    pub(super) fn place(&self, resource: &mut Value, left: &mut usize) -> Result<(), Outcome> {
        let mut wanted = Wanted { directory: self, ids: HashMap::new(), order: Vec::new() };
        wanted.redirect(resource);
        let mut contained = Vec::new();
        while let Some(full_url) = wanted.order.get(contained.len()).cloned() {
            let mut inside = self.contained[&full_url].clone();
            inside.set("id", wanted.ids[&full_url].clone());
            wanted.redirect(&mut inside);
            *left = left.checked_sub(inside.to_string().len()).ok_or_else(|| {
                let text = format!("what is contained in the message's resources has more than {CONTAINED_MAX} bytes");
                Outcome::new(IssueType::TooCostly, text).at("Bundle.entry")
            })?;
            contained.push(inside);
        }
        if !contained.is_empty() {
            match resource.get_mut("contained") {
                Some(Value::Array(already)) => already.append(&mut contained),
                _ => resource.set("contained", Value::Array(contained)),
            }
        }
        Ok(())
    }

    /// How many bytes may be contained in all.
    pub(super) fn room() -> usize {
        CONTAINED_MAX
    }
}

/// What one resource names.
struct Wanted<'d> {
    directory: &'d Directory,
    /// The ids inside it.
    ids: HashMap<String, String>,
    /// In the order in which they were met.
    order: Vec<String>,
}

impl Wanted<'_> {
    fn redirect(&mut self, value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.redirect(item)),
            Value::Object(members) => {
                for (name, member) in members {
                    match member {
                        Value::String(text) if name == "reference" => self.redirect_reference(text),
                        member => self.redirect(member),
                    }
                }
            }
            Value::Boolean(_) | Value::Null | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn redirect_reference(&mut self, text: &mut String) {
        if let Some(key) = self.directory.here.get(text) {
            *text = key.to_string();
        } else if self.directory.contained.contains_key(text) {
            let next = format!("received-{}", self.order.len() + 1);
            let order = &mut self.order;
            let id = self.ids.entry(text.clone()).or_insert_with(|| {
                order.push(text.clone());
                next
            });
            *text = format!("#{id}");
        }
    }
}

/// The receiver's own, by its id.
fn own(session: &Session<'_>, resource: Node<'_>, at: usize) -> Result<Option<Key>, Outcome> {
    let resource_type = resource.resource_type().unwrap_or_default();
    let id = resource.get("id").and_then(Node::as_str).unwrap_or_default();
    let key = Key::new(resource_type, &id).filter(|key| session.read(key).is_ok());
    match key {
        None if resource_type == "Slot" => {
            Err(Reason::UnknownSlot.refuse(id, format!("Bundle.entry[{at}].resource.id")))
        }
        key => Ok(key),
    }
}

/// The one that is known here by the identifier.
fn known(session: &Session<'_>, resource: Node<'_>) -> Result<Option<Key>, Outcome> {
    let Some(token) = identifier(resource) else { return Ok(None) };
    let resource_type = resource.resource_type().unwrap_or_default();
    let found = session.lookup(resource_type, &query_string([("identifier", token.as_str())]), 2)?;
    match <[_; 1]>::try_from(found) {
        Ok([version]) => Ok(Some(version.key)),
        // What several are called says nothing.
        Err(_) => Ok(None),
    }
}

/// A resource as it may be contained, <https://hl7.org/fhir/R4/domainresource.html#DomainResource-inv>.
fn inner(resource: Node<'_>) -> Value {
    let mut value = Value::from(resource);
    for name in ["id", "meta"] {
        value.remove(name);
    }
    value
}
