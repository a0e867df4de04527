//! The door: a [`Repository`] for the process, a [`Session`] for each request.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};

use fhir::json::Document;
use fhir::outcome::SPINE_CODES;
use fhir::{Definitions, Instant, IssueType, Outcome, Reference, Severity};
use search::Registry;
use store::{Clock, Examined, Filter, History, HistoryPage, HistoryScope, Key, Row, Snapshot, Store, Version};

use crate::access::{Opened, Permission, Sight};
use crate::audit::Ledger;
use crate::consent::{Book, Implicit};
use crate::lease::Leases;
use crate::library::{Imported, Library};
use crate::mask::Body;
use crate::once::Ongoing;
use crate::parameters::{Live, Work};
use crate::search::Runner;
use crate::trail::{self, EVENT, Origin, Seen, Trail, What};
use crate::{Access, Act, Requester, Rule, TerminologyServer, Vault, emergency, fault};

/// How many versions a history may look at for one page of what is not hidden.
const HISTORY_LOOKS_MAX: usize = 100_000;

/// What a repository is made of.
pub struct Setup {
    pub store: Arc<dyn Store>,
    pub definitions: &'static Definitions,
    /// The search parameters that are always there.
    pub registry: Registry,
    pub rules: Vec<Box<dyn Rule>>,
    pub clock: Arc<dyn Clock>,
    /// Makes the id of a created resource: [`new_id`] for a server.
    pub ids: Arc<dyn Fn() -> String + Send + Sync>,
    /// This server's own base URL, without a final `/`.
    pub base_url: String,
    pub references: References,
    pub validation: Validation,
    /// What is seen of a patient who has said nothing about it.
    pub consent: Implicit,
    pub earlier_versions: EarlierVersions,
    /// Who is asked about value sets and code systems that are not known here.
    pub terminology: Option<Arc<dyn TerminologyServer>>,
    /// How long one search may run, its joins and includes counted.
    pub search_time: Duration,
}

/// Whether a literal reference to this server must lead to a resource when it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum References {
    #[default]
    Check,
    Accept,
}

/// Whether callers whom consents bind see other versions of a resource than the current one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EarlierVersions {
    /// Those that could be seen if they were current. Gaps in their numbers tell that others are hidden.
    Shown,
    /// None, so that nothing tells whether any of them is hidden.
    #[default]
    Hidden,
}

/// What content must be like to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validation {
    /// The mildest severity that refuses a write; `None` when nothing is validated.
    pub refuses: Option<Severity>,
    /// How bad it is that a resource names a profile which is not known here.
    pub unknown_profile: Severity,
}

impl Default for Validation {
    /// Errors refuse, and profiles that are not known are noted.
    fn default() -> Validation {
        Validation { refuses: Some(Severity::Error), unknown_profile: Severity::Warning }
    }
}

/// An id that no other resource has: a UUID, in order of creation, so that index rows of new resources are neighbors.
pub fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// The data of one server.
pub struct Repository {
    pub(crate) setup: Setup,
    /// The search parameters as they are now.
    pub(crate) live: Arc<ArcSwap<Live>>,
    /// The definitions that were looked up.
    pub(crate) library: Library,
    /// The code systems that were imported and asked for.
    pub(crate) imported: Imported,
    /// Held while they are read from the store.
    pub(crate) renewing: Mutex<()>,
    /// What is to be indexed.
    pub(crate) work: Work,
    /// Who saw and did what.
    pub(crate) ledger: Ledger,
    /// What patients decided about their records.
    consents: Book,
    /// What is open to everybody, when that was last asked.
    pub(crate) opened: ArcSwapOption<Opened>,
    /// What this process does for all that serve the store.
    pub(crate) leases: Arc<Leases>,
    /// Held by a transaction that lost several races, so that such transactions take turns and each gets through.
    pub(crate) turn: Mutex<()>,
}

/// The repository as one caller may use it.
#[derive(Clone)]
pub struct Session<'a> {
    pub(crate) repository: &'a Repository,
    /// The search parameters of all that this session does.
    pub(crate) live: Arc<Live>,
    pub(crate) access: Access,
    pub(crate) importing: bool,
    /// Whether it is the server itself that tells a patient of something.
    pub(crate) notifies: bool,
    pub(crate) references: References,
    /// What was shown; `None` where nobody needs to account for it.
    pub(crate) trail: Option<Arc<Trail>>,
    pub(crate) origin: Arc<Origin>,
    /// The operation that is done; else empty.
    pub(crate) operation: &'static str,
    /// What makes of a repeated request one; `None` where each is by itself.
    pub(crate) once: Option<Arc<Ongoing>>,
}

impl Repository {
    /// A repository over a store.
    pub fn new(setup: Setup) -> Result<Repository, Outcome> {
        let snapshot = setup.store.snapshot().map_err(fault::outcome)?;
        let live = Live::read(&setup, &*snapshot)?;
        drop(snapshot);
        let live = Arc::new(ArcSwap::from_pointee(live));
        let leases = Arc::new(Leases::new(setup.store.clone(), setup.clock.clone()));
        Ok(Repository {
            ledger: Ledger::new(&setup, live.clone(), leases.clone()),
            leases,
            consents: Book::new(&setup.base_url),
            opened: ArcSwapOption::empty(),
            setup,
            live,
            library: Library::default(),
            imported: Imported::default(),
            renewing: Mutex::new(()),
            work: Work::default(),
            turn: Mutex::new(()),
        })
    }

    /// The search parameters as they are now.
    pub fn registry(&self) -> Arc<Registry> {
        self.live.load().registry.clone()
    }

    /// The audit.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// A number that grows with every change of resources of a type, and may grow without one.
    pub fn changes_of(&self, resource_type: &str) -> Result<u64, Outcome> {
        Ok(self.setup.store.snapshot().map_err(fault::outcome)?.commits_of(resource_type))
    }

    /// A session with these rights.
    pub fn open(&self, access: Access) -> Session<'_> {
        let trail = access.requester().map(|_| Arc::default());
        Session {
            repository: self,
            live: self.live.load_full(),
            access,
            importing: false,
            notifies: false,
            references: self.setup.references,
            trail,
            origin: Arc::default(),
            operation: "",
            once: None,
        }
    }

    /// The time now, for [`Registry::query`].
    pub fn now(&self) -> Instant {
        Instant::from_millis(self.setup.clock.now())
    }

    /// Who is asked about value sets and code systems that are not known here.
    pub fn terminology_server(&self) -> Option<&dyn TerminologyServer> {
        self.setup.terminology.as_deref()
    }

    /// Whether this process does the job for all that serve the store: asked before each piece of it.
    pub fn has_job(&self, job: &'static str) -> Result<bool, Outcome> {
        self.leases.holds(job)
    }

    /// Whether other processes serve the store, too: then what they bring about is looked for now and then.
    pub fn is_shared(&self) -> bool {
        !self.setup.store.place().is_empty()
    }

    /// The store, for statistics.
    pub fn store(&self) -> &dyn Store {
        &*self.setup.store
    }
}

impl Session<'_> {
    /// The search parameters of this session: those of the moment when it was opened.
    pub fn registry(&self) -> &Registry {
        &self.live.registry
    }

    /// The same session with the search parameters of now.
    pub fn renewed(&self) -> Self {
        Session { live: self.repository.live.load_full(), ..self.clone() }
    }

    /// The same request with the rights of anybody who looks for care: it sees places, services, schedules and slots, and leaves no account of
    /// them, as nothing of that is in a patient's record.
    pub fn publicly(&self) -> Self {
        Session { access: Access::public(self.registry()), trail: None, ..self.clone() }
    }

    /// The same session for what is looked at and not shown: it leaves no account of what it reads.
    pub fn unaccounted(&self) -> Self {
        Session { trail: None, ..self.clone() }
    }

    /// What is kept beside the resources.
    pub fn vault(&self) -> Vault<'_> {
        self.repository.vault()
    }

    /// The same session for loading records of what happened elsewhere: rules keep their books but refuse nothing
    /// ([`crate::Transaction::is_import`]).
    pub fn importing(self) -> Self {
        Session { importing: true, ..self }
    }

    /// The same session with another policy for references.
    pub fn with_references(self, references: References) -> Self {
        Session { references, ..self }
    }

    /// This server's own base URL, without a final `/`.
    pub fn base_url(&self) -> &str {
        &self.setup().base_url
    }

    /// The time now.
    pub fn now(&self) -> Instant {
        self.repository.now()
    }

    /// The resource of this server that a literal reference leads to; `None` for any other reference.
    pub fn local(&self, reference: &str) -> Option<Key> {
        match Reference::parse(reference)? {
            Reference::Relative { resource_type, id, .. } => Key::new(resource_type, id),
            Reference::Absolute { base, resource_type, id, .. } if base == self.base_url() => {
                Key::new(resource_type, id)
            }
            _ => None,
        }
    }

    /// Who asks; `None` when nobody needs to say.
    pub fn requester(&self) -> Option<&Requester> {
        self.access.requester()
    }

    /// The value of `X-Request-Id`; empty for a command on this machine.
    pub fn request_id(&self) -> &str {
        &self.origin.request
    }

    /// Refuses whoever may not do everything: for what concerns the whole server.
    pub fn permit_everything(&self) -> Result<(), Outcome> {
        match self.access.is_full() {
            true => Ok(()),
            false => Err(Outcome::new(IssueType::Forbidden, "only who may do everything may do this")),
        }
    }

    /// The patient whose record is all that the caller may see, if it is.
    pub fn only_patient(&self) -> Option<&Key> {
        self.access.only_patient()
    }

    /// Refuses whoever may not do this with any resource of the type.
    pub fn permit(&self, act: Act, resource_type: &str) -> Result<(), Outcome> {
        self.access.permit(act, resource_type)
    }

    /// Refuses whoever may not read resources of this type at all.
    pub fn permit_read(&self, resource_type: &str) -> Result<(), Outcome> {
        self.access.permit(Act::Read, resource_type)
    }

    /// The current version. Unknown: [`fhir::IssueType::NotFound`]; deleted: [`fhir::IssueType::Deleted`].
    pub fn read(&self, key: &Key) -> Result<Version, Outcome> {
        self.access.permit(Act::Read, key.collection())?;
        self.read_from(&*self.snapshot()?, key)
    }

    /// Refuses, as [`Session::read`] does, what the caller cannot read now; shows nothing of it.
    pub fn permit_read_of(&self, key: &Key) -> Result<(), Outcome> {
        self.access.permit(Act::Read, key.collection())?;
        let Current { version, .. } = self.current(&*self.snapshot()?, key)?;
        match &version.body {
            Some(_) => Ok(()),
            None => Err(deleted(&version)),
        }
    }

    /// [`Session::read`] on a snapshot that is there already.
    pub(crate) fn read_from(&self, snapshot: &dyn Snapshot, key: &Key) -> Result<Version, Outcome> {
        let Current { mut version, patients, sight } = self.current(snapshot, key)?;
        self.mask_bodies(snapshot, &sight, Body::of(&mut version, Some(&patients)))?;
        self.note(What::Read, vec![Seen::of(&version, patients)]);
        match &version.body {
            Some(_) => Ok(version),
            None => Err(deleted(&version)),
        }
    }

    /// One version; a version that is a deletion: [`fhir::IssueType::Deleted`].
    pub fn vread(&self, key: &Key, version: &str) -> Result<Version, Outcome> {
        self.access.permit(Act::Read, key.collection())?;
        let not_found = || Outcome::new(IssueType::NotFound, format!("there is no version `{version}` of `{key}`"));
        let number = version_number(version).ok_or_else(not_found)?;
        let snapshot = self.snapshot()?;
        let Current { version: current, sight, patients } = self.current(&*snapshot, key)?;
        if number != current.version && !self.shows_earlier(&sight) {
            return Err(not_found());
        }
        let mut version = snapshot.read_version(key, number).map_err(fault::outcome)?.ok_or_else(not_found)?;
        if !self.shows(&*snapshot, &sight, Act::Read, &version)? {
            return Err(not_found());
        }
        self.note(What::Vread, vec![Seen::of(&version, patients)]);
        self.mask(&*snapshot, &sight, [&mut version])?;
        match &version.body {
            Some(_) => Ok(version),
            None => Err(deleted(&version)),
        }
    }

    /// Versions of a resource, type, or everything. Unknown resource: [`fhir::IssueType::NotFound`].
    ///
    /// Where something is hidden, its versions are passed over as if they were not there, and nothing is counted.
    pub fn history(&self, history: &History) -> Result<HistoryPage, Outcome> {
        if matches!(&history.scope, HistoryScope::All)
            || matches!(&history.scope, HistoryScope::Collection(name) if name == EVENT)
        {
            self.settle_audit()?;
        }
        let snapshot = self.snapshot()?;
        let mut asked = BTreeSet::new();
        let (act, sight) = match &history.scope {
            HistoryScope::All => (Act::Search, self.sight_of_events(&*snapshot)?),
            HistoryScope::Collection(resource_type) => {
                self.access.permit(Act::Search, resource_type)?;
                (Act::Search, self.sight_of(&*snapshot, resource_type == EVENT)?)
            }
            HistoryScope::Document(key) => {
                self.access.permit(Act::Read, key.collection())?;
                let Current { sight, patients, .. } = self.current(&*snapshot, key)?;
                asked = patients;
                (Act::Read, sight)
            }
        };
        let mut page = if self.hides(&sight, act, &history.scope) {
            self.history_shown(&*snapshot, &sight, act, history)?
        } else {
            snapshot.history(history).map_err(fault::outcome)?
        };
        if self.accounts() {
            let seen = page.versions.iter().map(|version| Ok(Seen::of(version, self.patients_of(version)?)));
            self.note_asked(What::History(history.scope.clone()), seen.collect::<Result<_, Outcome>>()?, asked);
        }
        self.mask(&*snapshot, &sight, &mut page.versions)?;
        Ok(page)
    }

    /// A page of what is not hidden: as full as any other, and with a next one only where more is shown, so that no gap tells of what is.
    fn history_shown(
        &self,
        snapshot: &dyn Snapshot,
        sight: &Sight,
        act: Act,
        history: &History,
    ) -> Result<HistoryPage, Outcome> {
        let mut page = HistoryPage { versions: Vec::new(), next: None, total: None };
        let mut from = history.after.clone();
        let mut looks = HISTORY_LOOKS_MAX;
        loop {
            let room = history.limit - page.versions.len();
            let ask = History { after: from, limit: room.max(1), total: false, ..history.clone() };
            let found = snapshot.history(&ask).map_err(fault::outcome)?;
            looks = looks.checked_sub(found.versions.len()).ok_or_else(too_far)?;
            for version in found.versions {
                match self.shows_entry(snapshot, sight, act, &version)? {
                    // The page is full and ends where it did: this is the next one's.
                    true if room == 0 => return Ok(page),
                    true => page.versions.push(version),
                    false => {}
                }
            }
            if room > 0 {
                page.next = found.next.clone();
            }
            match found.next {
                Some(next) => from = Some(next),
                None => return Ok(HistoryPage { next: None, ..page }),
            }
        }
    }

    /// Whether a version may stand in a history: as in that of the resource alone, none of what is hidden now, or was when it was deleted.
    fn shows_entry(
        &self,
        snapshot: &dyn Snapshot,
        sight: &Sight,
        act: Act,
        version: &Version,
    ) -> Result<bool, Outcome> {
        let key = &version.key;
        let filter = sight.filter(act, key.collection());
        let shows_earlier = self.shows_earlier(sight);
        let filter = match filter.as_deref() {
            None if shows_earlier => return Ok(true),
            None => &Filter::everything(),
            Some(filter) if *filter == Filter::nothing() => return Ok(false),
            Some(filter) => filter,
        };
        let examined = snapshot.examine(key, filter, &[]).map_err(fault::outcome)?;
        let Some(Examined { version: current, accepted, .. }) = examined else { return Ok(false) };
        if current.version != version.version && !shows_earlier {
            return Ok(false);
        }
        let is_there = accepted || current.body.is_none() && self.shows(snapshot, sight, act, &current)?;
        Ok(is_there && self.shows(snapshot, sight, act, version)?)
    }

    /// What is there now, and what the caller may see; hidden is unknown.
    fn current(&self, snapshot: &dyn Snapshot, key: &Key) -> Result<Current, Outcome> {
        let sight = match key.collection() {
            EVENT => self.sight_of_event(snapshot, key)?,
            _ => self.sight(snapshot)?,
        };
        let filter = sight.filter(Act::Read, key.collection());
        if filter.is_none() && !self.accounts() {
            let version = snapshot.read(key).map_err(fault::outcome)?.ok_or_else(|| unknown(key))?;
            return Ok(Current { version, sight, patients: BTreeSet::new() });
        }
        let indexes = self.registry().patient_indexes(key.collection());
        let everything = Filter::everything();
        let filter = filter.as_deref().unwrap_or(&everything);
        let examined = snapshot.examine(key, filter, indexes).map_err(fault::outcome)?;
        let Some(Examined { version, accepted, rows }) = examined else { return Err(unknown(key)) };
        let is_deleted = version.body.is_none();
        match accepted || is_deleted && self.shows(snapshot, &sight, Act::Read, &version)? {
            true => Ok(Current { patients: trail::patients(key, &rows), version, sight }),
            false => Err(unknown(key)),
        }
    }

    /// The patients whom a version's content is about.
    pub(crate) fn patients_of(&self, version: &Version) -> Result<BTreeSet<Key>, Outcome> {
        let Some(body) = &version.body else { return Ok(BTreeSet::new()) };
        let registry = self.registry();
        let rows = registry.rows(&parse_stored(&version.key, body)?)?.rows;
        let indexes = registry.patient_indexes(version.key.collection());
        Ok(trail::patients(&version.key, rows.iter().filter(|row| indexes.contains(&row.index))))
    }

    /// Whether a version, by its own content, is one that the caller may do this with. A deletion is judged by the content before it.
    pub(crate) fn shows(
        &self,
        snapshot: &dyn Snapshot,
        sight: &Sight,
        act: Act,
        version: &Version,
    ) -> Result<bool, Outcome> {
        match sight.filter(act, version.key.collection()) {
            Some(filter) => self.fits(snapshot, sight, &filter, version),
            None => Ok(true),
        }
    }

    /// Whether a version, by its own content, satisfies a filter. A deletion is judged by the content before it.
    pub(crate) fn fits(
        &self,
        snapshot: &dyn Snapshot,
        sight: &Sight,
        filter: &Filter,
        version: &Version,
    ) -> Result<bool, Outcome> {
        let before;
        let body = match &version.body {
            Some(body) => Some(body),
            None => {
                let number = version.version.saturating_sub(1);
                before = snapshot.read_version(&version.key, number).map_err(fault::outcome)?;
                before.as_ref().and_then(|version| version.body.as_ref())
            }
        };
        let Some(body) = body else { return Ok(false) };
        let registry = self.registry();
        let mut rows = registry.rows(&parse_stored(&version.key, body)?)?.together();
        let time = store::time_value(version.time).to_vec();
        rows.push(Row { index: registry.time_index(version.key.collection()), value: time });
        Runner::new(self, snapshot, sight.clone()).satisfies(filter, &version.key, &rows, &mut Vec::new())
    }

    /// Whether nothing of a type is hidden from being read, whatever consents there are.
    pub(crate) fn reads_all(&self, resource_type: &str) -> bool {
        self.requester().is_none_or(|requester| requester.custodian)
            && *self.access.permission(Act::Read, resource_type) == Permission::Whole
    }

    /// What the caller may see and do on a snapshot.
    pub(crate) fn sight(&self, snapshot: &dyn Snapshot) -> Result<Sight, Outcome> {
        let registry = self.live.registry.clone();
        if self.requester().is_none_or(|requester| requester.custodian) {
            return Ok(Sight::new(self.access.clone(), None, registry));
        }
        let policies = self.repository.consents.refresh(snapshot, &registry)?;
        let elevations = |requester: &Requester| emergency::elevations(snapshot, requester, self.now());
        let implicit = self.setup().consent;
        let consented =
            self.access.consented(&policies, self.now(), implicit, &registry, snapshot.commits(), elevations)?;
        Ok(Sight::new(self.access.clone(), consented, registry))
    }

    pub(crate) fn setup(&self) -> &Setup {
        &self.repository.setup
    }

    pub(crate) fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, Outcome> {
        self.setup().store.snapshot().map_err(fault::outcome)
    }

    /// Whether a version may be shown that is not the current one.
    fn shows_earlier(&self, sight: &Sight) -> bool {
        self.setup().earlier_versions == EarlierVersions::Shown || !sight.is_consented()
    }

    /// Whether anything in the scope of a history may be hidden.
    fn hides(&self, sight: &Sight, act: Act, scope: &HistoryScope) -> bool {
        if !self.shows_earlier(sight) {
            return true;
        }
        let hides = |name: &str| sight.filter(act, name).is_some();
        match scope {
            HistoryScope::All => self.setup().definitions.resource_types().iter().any(|name| hides(name)),
            HistoryScope::Collection(name) => hides(name),
            HistoryScope::Document(key) => hides(key.collection()),
        }
    }
}

/// What is there now of a resource that the caller may see.
struct Current {
    /// The newest version, a deletion included.
    version: Version,
    sight: Sight,
    /// Whom it is about, where that is to be accounted for.
    patients: BTreeSet<Key>,
}

/// The number that a version id stands for; `None` for text that this server never gave out.
pub(crate) fn version_number(text: &str) -> Option<u64> {
    let canonical = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    canonical.then(|| text.parse().ok()).flatten()
}

fn too_far() -> Outcome {
    let text =
        "the history goes back further than this server looks for this caller: narrow it with `_since` or `_before`";
    Outcome::new(IssueType::TooCostly, text)
}

pub(crate) fn unknown(key: &Key) -> Outcome {
    let code = match key.collection() {
        "Patient" => "PATIENT_NOT_FOUND",
        "Organization" => "ORGANISATION_NOT_FOUND",
        "Practitioner" => "PRACTITIONER_NOT_FOUND",
        _ => "NO_RECORD_FOUND",
    };
    Outcome::new(IssueType::NotFound, format!("there is no `{key}`")).coded(SPINE_CODES, code)
}

pub(crate) fn deleted(version: &Version) -> Outcome {
    Outcome::new(IssueType::Deleted, format!("`{}` was deleted as version `{}`", version.key, version.version))
}

/// A stored body as a document.
pub(crate) fn parse_stored(key: &Key, body: &[u8]) -> Result<Document, Outcome> {
    Document::parse(body).map_err(|error| fault::exception(&format!("the stored body of {key} is not JSON: {error}")))
}
