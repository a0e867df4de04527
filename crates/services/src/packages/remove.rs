//! Removing a package: what it added goes, unless others need it or it was changed since.

use fhir::json::Document;
use fhir::{Issue, IssueType, Outcome};
use repository::{Change, Key, Session, Target};

use super::catalogue::{Added, Catalogue, content_id};
use super::manifest::Id;
use super::turn;

/// Removes a package, and tells what was left. Refused while another package needs it.
pub fn remove(session: &Session<'_>, id: &Id) -> Result<Outcome, Outcome> {
    session.permit_everything()?;
    let _turn = turn();
    let mut catalogue = Catalogue::read(session)?;
    let Some(at) = catalogue.0.iter().position(|package| package.id == *id) else {
        return Err(Outcome::new(IssueType::NotFound, format!("there is no package `{id}`")));
    };
    let package = catalogue.0.remove(at);
    let needs = |needed: &Id| needed.is_met_by(id) && !catalogue.meets(needed);
    let mut users = catalogue.0.iter().filter(|other| other.dependencies.iter().any(needs));
    if let Some(user) = users.next() {
        let text = format!("the package `{}` needs `{id}`: remove that first", user.id);
        return Err(Outcome::new(IssueType::Conflict, text));
    }
    let mut changes = Vec::new();
    let (mut shared, mut told) = (0, Vec::new());
    for added in package.resources {
        match state(session, &catalogue, &added)? {
            State::Shared => shared += 1,
            State::Gone => {}
            State::Changed => told.push(format!("`{}` stays: it was changed since", added.key.as_str())),
            State::AsAdded { version, is_composite } => changes.push((is_composite, added.key, version)),
        }
    }
    // A search parameter goes after those that are made of it.
    changes.sort_by_key(|(is_composite, ..)| !is_composite);
    let changes: Vec<_> = changes.into_iter().map(|(_, key, version)| deletion(key, version)).collect();
    let mut summary = format!("removed the package `{id}` and {} resources", changes.len());
    if shared > 0 {
        summary += &format!("; {shared} stay, for other packages have them as well");
    }
    session.transact_noting(changes, Some(catalogue.note()))?;
    let told = told.into_iter().map(|text| Issue::warning(IssueType::Processing, text));
    Ok(Outcome { issues: std::iter::once(Issue::information(summary)).chain(told).collect() })
}

/// How a resource of a package is now.
enum State {
    AsAdded {
        version: u64,
        is_composite: bool,
    },
    Changed,
    Gone,
    /// Another package has it too.
    Shared,
}

fn state(session: &Session<'_>, others: &Catalogue, added: &Added) -> Result<State, Outcome> {
    if others.0.iter().any(|package| package.resources.iter().any(|other| other.key == added.key)) {
        return Ok(State::Shared);
    }
    let version = match session.read(&added.key) {
        Ok(version) => version,
        Err(outcome) => match outcome.issues.first().map(|issue| issue.code) {
            Some(IssueType::NotFound | IssueType::Deleted) => return Ok(State::Gone),
            _ => return Err(outcome),
        },
    };
    let document = Document::parse(version.body.as_deref().unwrap_or_default())?;
    Ok(match content_id(&document) == added.content {
        true => State::AsAdded { version: version.version, is_composite: document.root().get("component").is_some() },
        false => State::Changed,
    })
}

fn deletion(key: Key, version: u64) -> Change {
    Change::Delete { target: Target::Key(key), if_match: Some(version.to_string()) }
}
