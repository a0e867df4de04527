//! All policies in memory, kept current from the store.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use fhir::Outcome;
use fhir::json::Node;
use search::Registry;
use store::{Cursor, Filter, Find, History, HistoryPage, HistoryScope, Key, Snapshot, Version, Write};

use super::policies::Policies;
use super::policy::Policy;
use crate::session::parse_stored;
use crate::{Name, fault};

/// The stored value that is another after every commit that can change a policy.
const NAME: &[u8] = b"consent/generation";

/// What policies are made from: consents, and patients, whom consents may name by an identifier.
const DECIDING: [&str; 2] = [CONSENT, PATIENT];

const CONSENT: &str = "Consent";
const PATIENT: &str = "Patient";

/// The number of commits of a book that was never read.
const UNCHECKED: u64 = u64::MAX;

/// How many documents, and versions, are read at once.
const PAGE: usize = 1000;

/// How many versions are read first: mostly one is new.
const FIRST_PAGE: usize = 4;

/// How many patients one identifier may name.
const NAMESAKES_MAX: usize = 16;

/// What begins the generation of a commit that writes these versions; `None` when it changes no policy.
///
/// It is named by the last of them: each version of a resource is written once, so no two generations share a name, and commits that race
/// need not look at one another.
pub(crate) fn begun_by<'a>(written: impl DoubleEndedIterator<Item = (&'a Key, u64)>) -> Option<Write> {
    let (key, version) = written.rev().find(|(key, _)| DECIDING.contains(&key.collection()))?;
    Some(Write::Set { name: NAME.to_vec(), value: format!("{}/{version}", key.as_str()).into_bytes() })
}

/// The policies of all patients, kept current.
#[derive(Debug)]
pub(crate) struct Book {
    base_url: Box<str>,
    now: ArcSwap<State>,
    /// [`Snapshot::commits`] of a snapshot that `now` is right for.
    checked: AtomicU64,
    /// Held while changes are read, so that they are read once. Whoever waits needs what is being read.
    renewing: Mutex<()>,
}

/// The policies, and how far the store was read for them.
#[derive(Clone, Debug, Default)]
struct State {
    is_read: bool,
    generation: Option<Vec<u8>>,
    /// The last versions of a consent and of a patient that were committed.
    newest: [Newest; 2],
    policies: Arc<Policies>,
}

type Newest = Option<(Key, u64)>;

impl Book {
    /// An empty book. `base_url` is this server's own, without a final `/`: absolute references below it are local.
    pub(crate) fn new(base_url: &str) -> Book {
        Book {
            base_url: base_url.into(),
            now: ArcSwap::default(),
            checked: AtomicU64::new(UNCHECKED),
            renewing: Mutex::default(),
        }
    }

    /// The policies as this snapshot has them, or later ones. Costs nothing when there was no commit since, and one look-up when none changed them.
    pub(crate) fn refresh(&self, snapshot: &dyn Snapshot, registry: &Registry) -> Result<Arc<Policies>, Outcome> {
        if self.checked.load(Ordering::Acquire) == snapshot.commits() {
            return Ok(self.now.load().policies.clone());
        }
        let policies = self.look_up(snapshot, registry)?;
        // What was found is never replaced by something older.
        self.checked.store(snapshot.commits(), Ordering::Release);
        Ok(policies)
    }

    fn look_up(&self, snapshot: &dyn Snapshot, registry: &Registry) -> Result<Arc<Policies>, Outcome> {
        let generation = snapshot.value(NAME).map_err(fault::outcome)?;
        let is_current = |state: &State| state.is_read && state.generation == generation;
        let state = self.now.load();
        if is_current(&state) {
            return Ok(state.policies.clone());
        }
        let _turn = self.renewing.lock().unwrap_or_else(PoisonError::into_inner);
        let state = self.now.load_full();
        if is_current(&state) || state.is_read && !reaches(snapshot, &state)? {
            return Ok(state.policies.clone());
        }
        let state = Arc::new(self.renewed(snapshot, registry, &state, generation)?);
        self.now.store(state.clone());
        Ok(state.policies.clone())
    }

    fn renewed(
        &self,
        snapshot: &dyn Snapshot,
        registry: &Registry,
        old: &State,
        generation: Option<Vec<u8>>,
    ) -> Result<State, Outcome> {
        let [mut consent, mut patient] = old.newest.clone();
        let mut policies = old.policies.clone();
        let changes = match old.is_read {
            true => changes_since(snapshot, CONSENT, &mut consent, usize::MAX)?,
            false => {
                consent = newest(snapshot, CONSENT)?;
                Some(all_current(snapshot)?)
            }
        };
        for version in changes.iter().flatten() {
            let policy = self.policy(version)?;
            if policy.is_some() || policies.holds(&version.key) {
                Arc::make_mut(&mut policies).put(&version.key, policy);
            }
        }
        if policies.has_unnamed() {
            Arc::make_mut(&mut policies).drop_unnamed();
        }
        let written = patients_since(snapshot, &policies, &mut patient)?;
        for name in renamed(&policies, written.as_deref())? {
            let patients = patients_named(snapshot, registry, &name)?;
            if policies.identified(&name) != Some(patients.as_slice()) {
                Arc::make_mut(&mut policies).identify(name, patients);
            }
        }
        for patient in renumbered(&policies, written.as_deref()) {
            let numbers = numbers_of(snapshot, registry, &patient)?;
            if policies.numbers(&patient) != Some(numbers.as_slice()) {
                Arc::make_mut(&mut policies).number(patient, numbers);
            }
        }
        if !Arc::ptr_eq(&policies, &old.policies) {
            Arc::make_mut(&mut policies).generation += 1;
        }
        Ok(State { is_read: true, generation, newest: [consent, patient], policies })
    }

    fn policy(&self, version: &Version) -> Result<Option<Policy>, Outcome> {
        let Some(body) = &version.body else { return Ok(None) };
        let document = parse_stored(&version.key, body)?;
        Ok(Policy::read(&version.key, document.root(), &self.base_url))
    }
}

/// Whether a snapshot has all that a state was read from: else it is an older one.
fn reaches(snapshot: &dyn Snapshot, state: &State) -> Result<bool, Outcome> {
    for (key, version) in state.newest.iter().flatten() {
        let head = snapshot.head(key).map_err(fault::outcome)?;
        if head.is_none_or(|head| head.version < *version) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The patients who were written since `newest`, which is then the last of them, as far as anybody has consents; `None` when these are many.
fn patients_since(
    snapshot: &dyn Snapshot,
    policies: &Policies,
    newest: &mut Newest,
) -> Result<Option<Vec<Version>>, Outcome> {
    if policies.are_none() {
        *newest = self::newest(snapshot, PATIENT)?;
        return Ok(Some(Vec::new()));
    }
    changes_since(snapshot, PATIENT, newest, PAGE)
}

/// Patients with consents whose identifiers may be others than before: who has the first one, and of those who were written.
fn renumbered(policies: &Policies, patients: Option<&[Version]>) -> Vec<Key> {
    let Some(patients) = patients else { return policies.patients_with_any().cloned().collect() };
    let written = patients.iter().map(|version| &version.key).filter(|patient| policies.has_any_of(patient));
    written.chain(policies.unnumbered()).cloned().collect()
}

/// The identifiers of a patient, as rows have them.
fn numbers_of(snapshot: &dyn Snapshot, registry: &Registry, patient: &Key) -> Result<Vec<Vec<u8>>, Outcome> {
    let indexes = registry.indexes(PATIENT, "identifier");
    let examined = snapshot.examine(patient, &Filter::everything(), indexes).map_err(fault::outcome)?;
    Ok(examined.map_or(Vec::new(), |examined| examined.rows.into_iter().map(|row| row.value).collect()))
}

/// The identifiers by which consents name patients and which may mean others than before: new ones, and those of patients who were written.
fn renamed(policies: &Policies, patients: Option<&[Version]>) -> Result<Vec<Name>, Outcome> {
    let names = policies.identifiers();
    let Some(patients) = patients.filter(|_| !names.is_empty()) else { return Ok(names.into_iter().collect()) };
    let mut written = HashSet::new();
    for version in patients {
        let Some(body) = &version.body else { continue };
        let document = parse_stored(&version.key, body)?;
        let identifiers = document.root().get("identifier").into_iter().flat_map(Node::each);
        written
            .extend(identifiers.filter_map(|identifier| identifier.get("value")?.as_str().map(|it| it.to_lowercase())));
    }
    let is_of = |patient: &Key| patients.iter().any(|version| version.key == *patient);
    let may_differ = |name: &Name| match (policies.identified(name), name) {
        (None, _) => true,
        (Some(known), Name::Identifier { value, .. }) => {
            written.contains(&value.to_lowercase()) || known.iter().any(is_of)
        }
        (Some(_), Name::Key(_)) => false,
    };
    Ok(names.into_iter().filter(may_differ).collect())
}

/// The newest version of each document of a collection that was written since `newest`, which is then the last of them; `None` when these are
/// more than `most`.
fn changes_since(
    snapshot: &dyn Snapshot,
    collection: &str,
    newest: &mut Newest,
    most: usize,
) -> Result<Option<Vec<Version>>, Outcome> {
    let (mut changes, mut seen) = (Vec::new(), HashSet::new());
    let (mut after, mut limit) = (None, FIRST_PAGE);
    let known = newest.take();
    loop {
        let page = history(snapshot, collection, after, limit)?;
        for version in page.versions {
            newest.get_or_insert_with(|| (version.key.clone(), version.version));
            if known.as_ref().is_some_and(|(key, number)| *key == version.key && *number == version.version) {
                return Ok(Some(changes));
            }
            if changes.len() == most {
                return Ok(None);
            }
            if seen.insert(version.key.clone()) {
                changes.push(version);
            }
        }
        (after, limit) = (page.next, PAGE);
        if after.is_none() {
            return Ok(Some(changes));
        }
    }
}

fn newest(snapshot: &dyn Snapshot, collection: &str) -> Result<Newest, Outcome> {
    let last = history(snapshot, collection, None, 1)?.versions.pop();
    Ok(last.map(|version| (version.key, version.version)))
}

fn history(
    snapshot: &dyn Snapshot,
    collection: &str,
    after: Option<Cursor>,
    limit: usize,
) -> Result<HistoryPage, Outcome> {
    let scope = HistoryScope::Collection(collection.to_owned());
    let history = History { scope, since: None, before: None, after, limit, total: false };
    snapshot.history(&history).map_err(fault::outcome)
}

fn all_current(snapshot: &dyn Snapshot) -> Result<Vec<Version>, Outcome> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let page = snapshot.documents(CONSENT, after.as_ref(), PAGE).map_err(fault::outcome)?;
        all.extend(page.versions);
        after = page.next;
        if after.is_none() {
            return Ok(all);
        }
    }
}

/// The patients of this server with an identifier.
fn patients_named(snapshot: &dyn Snapshot, registry: &Registry, name: &Name) -> Result<Vec<Key>, Outcome> {
    let Name::Identifier { system, value } = name else { return Ok(Vec::new()) };
    let Some(filter) = registry.coded(PATIENT, "identifier", Some(system), value) else { return Ok(Vec::new()) };
    let found = snapshot.find(&Find::new(filter, NAMESAKES_MAX)).map_err(fault::outcome)?;
    Ok(found.hits.into_iter().map(|hit| hit.key).collect())
}
