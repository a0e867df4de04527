//! By which names consents may mean somebody.

use fhir::Outcome;
use fhir::json::Node;
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
        let mut names = identifiers(&*snapshot, key)?;
        for role in self.roles(&*snapshot, key)? {
            names.extend(identifiers(&*snapshot, &role)?);
            names.push(Name::Key(role));
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

fn identifiers(snapshot: &dyn Snapshot, key: &Key) -> Result<Vec<Name>, Outcome> {
    let version = snapshot.read(key).map_err(fault::outcome)?;
    let Some(body) = version.and_then(|version| version.body) else { return Ok(Vec::new()) };
    let document = parse_stored(key, &body)?;
    let identifiers = document.root().get("identifier").into_iter().flat_map(Node::each);
    let name = |identifier: Node<'_>| {
        let text = |name| Some(identifier.get(name)?.as_str()?.into_owned());
        Some(Name::Identifier { system: text("system")?, value: text("value")? })
    };
    Ok(identifiers.filter_map(name).collect())
}
