//! By which names consents may mean somebody.

use fhir::json::{Document, Node};
use fhir::{DateTime, Instant, Outcome};
use store::{Filter, Find, Key, Snapshot};

use crate::session::parse_stored;
use crate::{Name, Repository, fault};

/// How many roles of one person are looked at.
const ROLES_MAX: usize = 100;

const ROLE: &str = "PractitionerRole";

impl Repository {
    /// The names of a person or an organization beside its key: its identifiers, its roles and theirs. None for what is not here.
    pub fn names(&self, key: &Key) -> Result<Vec<Name>, Outcome> {
        let snapshot = self.setup.store.snapshot().map_err(fault::outcome)?;
        let mut names = read(&*snapshot, key)?.map(|person| identifiers(&person)).unwrap_or_default();
        for key in self.roles(&*snapshot, key)? {
            let role = read(&*snapshot, &key)?.filter(|role| is_held(role, self.now()));
            if let Some(role) = role {
                names.extend(identifiers(&role));
                names.push(Name::Key(key));
            }
        }
        Ok(names)
    }

    fn roles(&self, snapshot: &dyn Snapshot, person: &Key) -> Result<Vec<Key>, Outcome> {
        let indexes = self.registry().references(ROLE, &["practitioner"]);
        let of_person = indexes.into_iter().map(|index| Filter::equal(index, person.to_link()));
        let find = Find::new(Filter::Any(of_person.collect()), ROLES_MAX);
        let found = snapshot.find(&find).map_err(fault::outcome)?;
        Ok(found.hits.into_iter().map(|hit| hit.key).collect())
    }
}

fn read(snapshot: &dyn Snapshot, key: &Key) -> Result<Option<Document>, Outcome> {
    let version = snapshot.read(key).map_err(fault::outcome)?;
    version.and_then(|version| version.body).map(|body| parse_stored(key, &body)).transpose()
}

/// Whether somebody has a role now.
fn is_held(role: &Document, now: Instant) -> bool {
    let bound = |name| DateTime::parse(&role.root().path(&["period", name])?.as_str()?).map(|time| time.range());
    role.root().get("active").and_then(Node::as_bool) != Some(false)
        && bound("start").is_none_or(|(start, _)| start <= now)
        && bound("end").is_none_or(|(_, end)| now <= end)
}

fn identifiers(document: &Document) -> Vec<Name> {
    let identifiers = document.root().get("identifier").into_iter().flat_map(Node::each);
    let name = |identifier: Node<'_>| {
        let text = |name| Some(identifier.get(name)?.as_str()?.into_owned());
        Some(Name::Identifier { system: text("system")?, value: text("value")? })
    };
    identifiers.filter_map(name).collect()
}
