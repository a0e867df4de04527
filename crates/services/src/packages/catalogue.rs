//! Which packages there are and what each of them added: a text that the store keeps, a line for each package and resource, fields separated
//! by tabs.

use std::borrow::Cow;

use fhir::json::{Document, Node};
use fhir::{IssueType, Outcome};
use repository::{Key, Millis, Note, Session};

use super::manifest::Id;

/// The note that holds it.
const NOTE: &str = "packages";

/// How many packages there may be.
const PACKAGES_MAX: usize = 1_000;

/// A package that was added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    pub id: Id,
    pub title: String,
    /// When it was added.
    pub added: Millis,
    /// What it needs, whether or not it is there.
    pub dependencies: Vec<Id>,
    /// What it added, or found that another package had added.
    pub resources: Vec<Added>,
}

/// A resource of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Added {
    pub key: Key,
    /// Stands for what was added: tells whether it was changed since.
    pub content: String,
}

/// All packages, in the order they came.
#[derive(Default)]
pub(super) struct Catalogue(pub(super) Vec<Package>);

impl Catalogue {
    pub(super) fn read(session: &Session<'_>) -> Result<Catalogue, Outcome> {
        let text = session.noted(NOTE)?.unwrap_or_default();
        let mut packages = Vec::new();
        for line in text.lines() {
            read_line(&mut packages, line)
                .ok_or_else(|| Outcome::new(IssueType::Exception, "the stored list of packages is damaged"))?;
        }
        Ok(Catalogue(packages))
    }

    pub(super) fn note(&self) -> Note {
        Note { name: NOTE.to_owned(), value: self.0.iter().map(lines).collect() }
    }

    pub(super) fn find(&self, id: &Id) -> Option<&Package> {
        self.0.iter().find(|package| package.id == *id)
    }

    pub(super) fn check_count(&self) -> Result<(), Outcome> {
        match self.0.len() < PACKAGES_MAX {
            true => Ok(()),
            false => {
                let text = format!("there are {PACKAGES_MAX} packages, as many as there may be; remove one first");
                Err(Outcome::new(IssueType::TooCostly, text))
            }
        }
    }

    /// Whether a dependency is there.
    pub(super) fn meets(&self, dependency: &Id) -> bool {
        dependency.is_own() || self.0.iter().any(|package| dependency.is_met_by(&package.id))
    }
}

fn lines(package: &Package) -> String {
    let Package { id, title, added, dependencies, resources } = package;
    let title: String = title.chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
    let mut text = format!("package\t{id}\t{added}\t{title}\n");
    dependencies.iter().for_each(|id| text += &format!("needs\t{id}\n"));
    resources.iter().for_each(|Added { key, content }| text += &format!("has\t{}\t{content}\n", key.as_str()));
    text
}

fn read_line(packages: &mut Vec<Package>, line: &str) -> Option<()> {
    let mut fields = line.split('\t');
    let mut next = || fields.next();
    match next()? {
        "package" => {
            let (id, added, title) = (Id::parse(next()?).ok()?, next()?.parse().ok()?, next()?.to_owned());
            packages.push(Package { id, title, added, dependencies: Vec::new(), resources: Vec::new() });
        }
        "needs" => packages.last_mut()?.dependencies.push(Id::parse(next()?).ok()?),
        "has" => {
            let added = Added { key: Key::parse(next()?)?, content: next()?.to_owned() };
            packages.last_mut()?.resources.push(added);
        }
        _ => return None,
    }
    Some(())
}

/// What stands for the content of a resource, without what the server sets: its id, version and time.
pub(super) fn content_id(document: &Document) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut add = |name: &str, node: Node<'_>| {
        hasher.update(name.as_bytes());
        hasher.update(b"\n");
        hasher.update(node.raw().as_bytes());
        hasher.update(b"\n");
    };
    for (name, node) in document.root().members().filter(|(name, _)| *name != "id") {
        match name {
            "meta" => {
                let own = ["versionId", "lastUpdated"];
                node.members().filter(|(name, _)| !own.contains(name)).for_each(|(name, node)| add(name, node));
            }
            // The server writes it first, wherever it stood.
            "resourceType" => {}
            name => add(name, node),
        }
    }
    hasher.finalize().to_hex()[..16].to_owned()
}

/// A string member of a resource.
pub(super) fn text<'a>(document: &'a Document, name: &str) -> Option<Cow<'a, str>> {
    document.root().get(name)?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_wrote() {
        let package = |id: &str, title: &str| Package {
            id: Id::parse(id).expect("an id"),
            title: title.to_owned(),
            added: 1_803_902_400_000,
            dependencies: vec![Id::parse("b@1.x").expect("an id")],
            resources: vec![Added { key: Key::parse("ValueSet/a").expect("a key"), content: "0123".to_owned() }],
        };
        let packages = vec![package("a@1", "A title"), package("c@2", "")];
        let text: String = packages.iter().map(lines).collect();
        let mut read = Vec::new();
        text.lines().for_each(|line| read_line(&mut read, line).expect(line));
        assert_eq!(read, packages);
        assert!(lines(&package("a@1", "one\n\ttwo")).contains("\tone  two\n"));
        for line in ["", "has\tValueSet/a\t1", "package\ta\t1\tx", "other"] {
            assert_eq!(read_line(&mut Vec::new(), line), None, "{line}");
        }
    }

    #[test]
    fn knows_content_again() {
        let id = |text: &str| content_id(&Document::parse(text.as_bytes()).expect("JSON"));
        let sent = id(r#"{"id":"a","resourceType":"ValueSet", "meta":{"profile":["p"]},"url":"u"}"#);
        let meta = r#""meta":{"versionId":"3","lastUpdated":"2027-03-01T12:00:00.000Z","profile":["p"]}"#;
        assert_eq!(sent, id(&format!(r#"{{"resourceType":"ValueSet","id":"b",{meta},"url":"u"}}"#)));
        assert_ne!(sent, id(&format!(r#"{{"resourceType":"ValueSet","id":"a",{meta},"url":"v"}}"#)));
        assert_ne!(sent, id(r#"{"resourceType":"ValueSet","id":"a","url":"u"}"#));
    }
}
