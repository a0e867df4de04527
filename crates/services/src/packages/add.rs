//! Adding a package: all that can be used of it in one transaction, or nothing.

use std::collections::{BTreeMap, HashSet};
use std::io::Read;

use fhir::json::{Document, Edit, quote, splice};
use fhir::reference::is_id;
use fhir::terminology::Canonical;
use fhir::{Issue, IssueType, Outcome};
use repository::{CHANGES_MAX, Change, Key, References, Refusal, Session, Target};

use super::archive::{Archive, Resource};
use super::catalogue::{Added, Catalogue, Package, content_id, text};
use super::manifest::Id;
use super::turn;

/// How many issues the report of one package lists.
const ISSUES_MAX: usize = 200;

/// Adds a package, and tells what came of it. `strict` refuses it when anything is missing or cannot be used; else that is left out and told.
///
/// A resource keeps its id unless another has it; one that is there already, with this url and version, stays as it is.
pub fn add(session: &Session<'_>, packed: &mut dyn Read, strict: bool) -> Result<Outcome, Outcome> {
    session.permit_everything()?;
    let Archive { manifest, resources, unusable } = Archive::read(packed)?;
    let _turn = turn();
    let mut catalogue = Catalogue::read(session)?;
    if catalogue.find(&manifest.id).is_some() {
        let text = format!("the package `{}` is there already: remove it to add it anew", manifest.id);
        return Ok(Issue::information(text).into());
    }
    catalogue.check_count()?;
    let mut told: Vec<_> = unusable;
    let missing = manifest.dependencies.iter().filter(|needed| !catalogue.meets(needed));
    told.extend(missing.map(|needed| format!("the package `{needed}` is needed and not here: add it as well")));
    let (keys, puts, shared) = (HashSet::default(), Vec::new(), Vec::new());
    let mut plan = Plan { session, catalogue: &catalogue, keys, puts, shared, told };
    plan.all(resources)?;
    let id = manifest.id.clone();
    let Plan { mut puts, shared, mut told, .. } = plan;
    // References of packages lead to what is elsewhere.
    let writer = session.clone().with_references(References::Accept);
    if strict && !told.is_empty() {
        told.extend(leave_refused(&writer, &mut puts));
        return Err(refused(told));
    }
    let added = session.now().as_millis();
    catalogue.0.push(Package {
        id: manifest.id,
        title: manifest.title,
        added,
        dependencies: manifest.dependencies,
        resources: Vec::new(),
    });
    if let Err(refusal) = write(&writer, &mut catalogue, &puts, &shared) {
        if refusal.change.is_none() {
            return Err(refusal.outcome);
        }
        told.extend(leave_refused(&writer, &mut puts));
        if strict {
            return Err(refused(told));
        }
        write(&writer, &mut catalogue, &puts, &shared)?;
    }
    Ok(report(summary(&id, &puts, shared.len()), told))
}

/// Writes the resources of the package that the catalogue has last, and the catalogue.
fn write(session: &Session<'_>, catalogue: &mut Catalogue, puts: &[Put], shared: &[Added]) -> Result<(), Refusal> {
    let added = puts.iter().map(|put| Added { key: put.key.clone(), content: content_id(&put.document) });
    if let Some(package) = catalogue.0.last_mut() {
        package.resources = added.chain(shared.iter().cloned()).collect();
    }
    let changes = puts.iter().cloned().map(Put::change).collect();
    session.transact_noting(changes, Some(catalogue.note())).map(|_| ())
}

/// Takes out what the server would not write even alone, and tells why.
fn leave_refused(session: &Session<'_>, puts: &mut Vec<Put>) -> Vec<String> {
    let mut told = Vec::new();
    puts.retain(|put| match session.rehearse(vec![put.clone().change()]) {
        Ok(()) => true,
        Err(refusal) => {
            told.push(format!("`{}` is left out: {}", put.file, refusal.outcome));
            false
        }
    });
    told
}

fn refused(told: Vec<String>) -> Outcome {
    Outcome { issues: told.into_iter().map(|text| Issue::error(IssueType::Invalid, text)).take(ISSUES_MAX).collect() }
}

/// A resource to write.
#[derive(Clone)]
struct Put {
    key: Key,
    resource_type: &'static str,
    file: String,
    document: Document,
}

impl Put {
    fn change(self) -> Change {
        Change::Update {
            target: Target::Key(self.key),
            document: self.document,
            if_match: None,
            if_none_match: true,
            full_url: None,
        }
    }
}

/// What is to become of each resource.
struct Plan<'a> {
    session: &'a Session<'a>,
    catalogue: &'a Catalogue,
    /// The ids that are taken by this package.
    keys: HashSet<Key>,
    puts: Vec<Put>,
    /// What is there already, from other packages.
    shared: Vec<Added>,
    /// What is missing, and what was left out and why.
    told: Vec<String>,
}

impl Plan<'_> {
    fn all(&mut self, mut resources: Vec<Resource>) -> Result<(), Outcome> {
        // A composite search parameter is made of others, which must be there.
        resources.sort_by_key(|resource| resource.document.root().get("component").is_some());
        for Resource { resource_type, file, document } in resources {
            self.one(resource_type, file, document)?;
        }
        match self.puts.len() <= CHANGES_MAX {
            true => Ok(()),
            false => {
                let text = format!("the package has more than {CHANGES_MAX} resources");
                Err(Outcome::new(IssueType::TooCostly, text))
            }
        }
    }

    fn one(&mut self, resource_type: &'static str, file: String, document: Document) -> Result<(), Outcome> {
        if let Some(standing) = self.standing(resource_type, &document)? {
            let content = content_id(&document);
            let by_package = |package: &Package| package.resources.iter().any(|added| added.key == standing.0);
            match standing.1 == content {
                true if self.catalogue.0.iter().any(by_package) => self.shared.push(Added { key: standing.0, content }),
                true => {}
                false => self.told.push(format!(
                    "`{file}` is left out: `{}` has its url and version and other content",
                    standing.0.as_str()
                )),
            }
            return Ok(());
        }
        match self.free_key(resource_type, &document)? {
            Some(key) => {
                let document = with_id(&document, key.id())?;
                self.keys.insert(key.clone());
                self.puts.push(Put { key, resource_type, file, document });
            }
            None => self.told.push(format!("`{file}` is left out: it has no id, or others have it")),
        }
        Ok(())
    }

    /// The resource of the store with the same url and version, and what stands for its content.
    fn standing(&self, resource_type: &'static str, document: &Document) -> Result<Option<(Key, String)>, Outcome> {
        let (Some(url), version) = (text(document, "url"), text(document, "version")) else { return Ok(None) };
        let found =
            self.session.library().stored(resource_type, Canonical { url: &url, version: version.as_deref() })?;
        let same = found.filter(|found| text(found, "version") == version);
        Ok(same.and_then(|found| Some((Key::new(resource_type, &text(&found, "id")?)?, content_id(&found)))))
    }

    /// The id that it has, or when another resource has that, the same with its version.
    fn free_key(&self, resource_type: &str, document: &Document) -> Result<Option<Key>, Outcome> {
        let Some(id) = text(document, "id").filter(|id| is_id(id)) else { return Ok(None) };
        let version = text(document, "version").unwrap_or_default();
        let tail: String = version.chars().map(|sign| if sign.is_ascii_alphanumeric() { sign } else { '-' }).collect();
        for id in [id.to_string(), format!("{id}-{tail}")] {
            let Some(key) = Key::new(resource_type, &id).filter(|_| is_id(&id)) else { continue };
            let is_taken = self.keys.contains(&key) || self.exists(&key)?;
            if !is_taken {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }

    fn exists(&self, key: &Key) -> Result<bool, Outcome> {
        match self.session.read(key) {
            Ok(_) => Ok(true),
            Err(outcome) => match outcome.issues.first().map(|issue| issue.code) {
                Some(IssueType::NotFound | IssueType::Deleted) => Ok(false),
                _ => Err(outcome),
            },
        }
    }
}

fn with_id(document: &Document, id: &str) -> Result<Document, Outcome> {
    match document.root().get("id") {
        Some(found) if !found.is_str(id) => {
            let edit = Edit { range: found.span(), text: quote(id) };
            Ok(Document::parse(splice(document.text(), vec![edit]).as_bytes())?)
        }
        _ => Ok(document.clone()),
    }
}

/// `added ...: 3 ValueSet, 1 CodeSystem`.
fn summary(id: &Id, puts: &[Put], shared: usize) -> String {
    let mut counts = BTreeMap::new();
    puts.iter().for_each(|put| *counts.entry(put.resource_type).or_insert(0) += 1);
    let counts: Vec<_> = counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
    let counts = if counts.is_empty() { "no resources".to_owned() } else { counts.join(", ") };
    let shared = if shared == 0 { String::new() } else { format!("; {shared} resources of other packages are shared") };
    format!("added the package `{id}`: {counts}{shared}")
}

fn report(summary: String, told: Vec<String>) -> Outcome {
    let more = told.len().saturating_sub(ISSUES_MAX);
    let warnings = told.into_iter().take(ISSUES_MAX).map(|text| Issue::warning(IssueType::Processing, text));
    let rest = (more > 0).then(|| Issue::warning(IssueType::Processing, format!("{more} more are not listed")));
    Outcome { issues: std::iter::once(Issue::information(summary)).chain(warnings).chain(rest).collect() }
}
