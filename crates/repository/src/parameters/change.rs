//! What a write of a SearchParameter resource does to the catalogue, in the same commit.

use std::collections::BTreeSet;
use std::sync::Arc;

use fhir::json::Document;
use fhir::{IssueType, Outcome};
use search::Addition;
use store::{Count, Find};

use super::catalogue::{Entry, Job, check_count, parse_entries, parse_jobs, write_entries, write_jobs};
use super::live::kind_of;
use super::{GENERATION, JOBS, PARAMETERS};
use crate::{Planned, Rule, Transaction, fault};

/// Keeps the catalogue in step with the SearchParameter resources, and refuses those that cannot be searched by.
pub(crate) struct Keeper;

impl Rule for Keeper {
    fn name(&self) -> &'static str {
        "search-parameters"
    }

    fn resource_types(&self) -> &'static [&'static str] {
        &["SearchParameter"]
    }

    fn apply(&self, transaction: &mut Transaction<'_>, planned: &Planned) -> Result<(), Outcome> {
        let id = planned.key.id();
        let mut entries = parse_entries(transaction.setting(PARAMETERS)?)?;
        let before = entries.iter().position(|entry| entry.id == id).map(|at| entries.remove(at));
        let addition = match &planned.after {
            Some(document) => read(transaction, &entries, document)?,
            None => None,
        };
        if let Some(resource_type) = addition.as_ref().and_then(|addition| transaction.registry().collision(addition)) {
            let text = format!("its indexes on {resource_type} would share a number with others; take another code");
            return Err(Outcome::new(IssueType::Duplicate, text).at("SearchParameter.code"));
        }
        let after = addition.map(|addition| Entry::new(id, &addition));
        let is_as_before = before == after && transaction.changes_nothing(&planned.key);
        if is_as_before || before.is_none() && after.is_none() {
            return Ok(());
        }
        if let Some(after) = &after {
            check_alone(&entries, after)?;
        }
        check_components(&entries, before.as_ref(), after.as_ref())?;
        let jobs = parse_jobs(transaction.setting(JOBS)?)?;
        let jobs = jobs_after(transaction, jobs, id, before.as_ref(), after.as_ref())?;
        entries.extend(after);
        check_count(&entries)?;
        let generation = transaction.generation().next(transaction.now());
        transaction.set(GENERATION, generation.value().unwrap_or_default());
        transaction.set(PARAMETERS, write_entries(&entries));
        transaction.set(JOBS, write_jobs(&jobs));
        Ok(())
    }
}

fn read(
    transaction: &Transaction<'_>,
    entries: &[Entry],
    document: &Arc<Document>,
) -> Result<Option<Addition>, Outcome> {
    Addition::read(transaction.definitions(), document, |url| kind_of(entries, url))
}

/// One code on one type is one parameter, and one url is one definition.
fn check_alone(entries: &[Entry], after: &Entry) -> Result<(), Outcome> {
    for other in entries {
        if other.url == after.url {
            let text = format!(
                "the url `{}` is that of `SearchParameter/{}`, which is active; retire one",
                after.url, other.id
            );
            return Err(Outcome::new(IssueType::Duplicate, text).at("SearchParameter.url"));
        }
        if other.code == after.code
            && let Some(shared) = after.base.iter().find(|name| other.base.contains(name))
        {
            let text = format!(
                "`{}` of {shared} is `SearchParameter/{}`, which is active; take another code or retire it",
                after.code, other.id
            );
            return Err(Outcome::new(IssueType::Duplicate, text).at("SearchParameter.code"));
        }
    }
    Ok(())
}

/// A composite in use keeps the parameters that it is made of.
fn check_components(entries: &[Entry], before: Option<&Entry>, after: Option<&Entry>) -> Result<(), Outcome> {
    let Some(before) = before else { return Ok(()) };
    if after.is_some_and(|after| (&after.url, after.kind) == (&before.url, before.kind)) {
        return Ok(());
    }
    match entries.iter().find(|entry| entry.components.contains(&before.url)) {
        None => Ok(()),
        Some(user) => {
            let text = format!("`{}` is a component of `SearchParameter/{}`; retire that first", before.url, user.id);
            Err(Outcome::new(IssueType::BusinessRule, text))
        }
    }
}

/// What is to be indexed: the types that gain or lose rows, from the beginning.
fn jobs_after(
    transaction: &Transaction<'_>,
    mut jobs: Vec<Job>,
    id: &str,
    before: Option<&Entry>,
    after: Option<&Entry>,
) -> Result<Vec<Job>, Outcome> {
    let same_rows = |entry: &Entry| before.is_some_and(|before| before.content == entry.content);
    let base = |entry: Option<&Entry>| -> BTreeSet<String> {
        entry.map(|entry| entry.base.clone()).into_iter().flatten().collect()
    };
    let (old, new) = (base(before), base(after));
    let gains: BTreeSet<_> = new.iter().filter(|name| !after.is_some_and(same_rows) || !old.contains(*name)).collect();
    let loses: BTreeSet<_> = old.iter().filter(|name| !after.is_some_and(same_rows) || !new.contains(*name)).collect();
    for job in &mut jobs {
        if !new.contains(&job.resource_type) {
            job.waiting.retain(|waiting| waiting != id);
        }
    }
    let changed: BTreeSet<_> = gains.union(&loses).copied().collect();
    if changed.is_empty() {
        return Ok(jobs);
    }
    let statistics = transaction.statistics()?;
    let count = |name: &str| statistics.documents.iter().find(|(of, _)| of == name).map_or(0, |(_, count)| *count);
    for name in changed {
        for containers in [false, true] {
            let is_this = |job: &Job| job.resource_type == *name && job.containers == containers;
            let at = jobs.iter().position(is_this);
            let mut waiting = at.map(|at| jobs.remove(at).waiting).unwrap_or_default();
            waiting.retain(|waiting| waiting != id);
            waiting.extend(gains.contains(name).then(|| id.to_owned()));
            let total = if containers { transaction.containers(name)? } else { count(name) };
            // Even where there is nothing yet: what this transaction and others write until it is committed was prepared before.
            jobs.push(Job { resource_type: name.clone(), containers, done: 0, total, after: None, waiting });
        }
    }
    Ok(jobs)
}

impl Transaction<'_> {
    /// A stored value as this transaction leaves it. What it was is not checked again by the commit; the generation is.
    fn setting(&self, name: &[u8]) -> Result<Option<String>, Outcome> {
        match self.settings.get(name) {
            Some(planned) => Ok(Some(String::from_utf8_lossy(planned).into_owned())),
            None => super::catalogue::text(self.snapshot, name),
        }
    }

    fn set(&mut self, name: &[u8], value: Vec<u8>) {
        self.settings.insert(name.to_vec(), value);
    }

    fn registry(&self) -> &search::Registry {
        self.session.registry()
    }

    /// How many resources contain one of a type.
    fn containers(&self, resource_type: &str) -> Result<u64, Outcome> {
        let filter = self.registry().containers(resource_type);
        let found =
            self.snapshot.find(&Find { total: Count::Exact, ..Find::new(filter, 0) }).map_err(fault::outcome)?;
        Ok(found.total.map_or(0, |total| total.count))
    }

    fn statistics(&self) -> Result<store::Statistics, Outcome> {
        self.session.setup().store.statistics().map_err(fault::outcome)
    }
}
