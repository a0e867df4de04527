//! A repository over a store in a temporary directory, for tests.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use fhir::json::Document;
use fhir::patch::JsonPatch;
use fhir::{Definitions, Outcome};
use search::{Handling, Registry, Scope, parse_query_string};
use store::{
    Batch, Clock, Committed, Embedded, Frame, Journal, Key, Mark, Millis, Page, Snapshot, Statistics, Store,
    StoreError, Version,
};
use tempfile::TempDir;

use crate::{
    Access, Change, ChangeKind, Changed, Count, EarlierVersions, Implicit, Patch, References, Refusal, Repository,
    SearchPage, SearchRequest, Session, Setup, Target, Validation,
};

/// Monday 2027-03-01, 12:00 UTC.
pub(crate) const NOON: Millis = 1_803_902_400_000;

pub(crate) struct House {
    pub(crate) repository: Repository,
    directory: TempDir,
    clock: Arc<TestClock>,
    store: Arc<Embedded>,
}

/// A store as one of several processes has it, with local files of its own.
struct Shared {
    store: Arc<Embedded>,
    place: String,
    files: PathBuf,
}

impl Store for Shared {
    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, StoreError> {
        self.store.snapshot()
    }

    fn commit(&self, batch: Batch) -> Result<Committed, StoreError> {
        self.store.commit(batch)
    }

    fn commits(&self) -> u64 {
        self.store.commits()
    }

    fn place(&self) -> &str {
        &self.place
    }

    fn journal(&self, done: Mark) -> Result<(Journal, Vec<Frame>), StoreError> {
        Journal::open(&self.files, done)
    }

    fn statistics(&self) -> Result<Statistics, StoreError> {
        self.store.statistics()
    }
}

/// Goes one millisecond with each look.
struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Millis {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

impl House {
    pub(crate) fn new() -> House {
        House::with(References::Check)
    }

    pub(crate) fn with(references: References) -> House {
        House::open(tempfile::tempdir().expect("a directory"), references, NOON)
    }

    /// The same data in another process, an hour later.
    pub(crate) fn reopened(self) -> House {
        let House { repository, directory, store, .. } = self;
        let references = repository.setup.references;
        let later = repository.setup.clock.now() + 3_600_000;
        drop((repository, store));
        House::open(directory, references, later)
    }

    /// One of several processes over one store.
    pub(crate) fn shared() -> House {
        let directory = tempfile::tempdir().expect("a directory");
        let clock = Arc::new(TestClock(AtomicI64::new(NOON)));
        let store = Arc::new(Embedded::open(directory.path(), clock.clone()).expect("a store"));
        House::over(directory, store, "a", References::Check, clock)
    }

    /// Another process over the same store, with the same clock.
    pub(crate) fn beside(&self, place: &str) -> House {
        let directory = tempfile::tempdir().expect("a directory");
        House::over(directory, self.store.clone(), place, References::Check, self.clock.clone())
    }

    /// The same process, begun again.
    pub(crate) fn restarted(self, place: &str) -> House {
        let House { repository, directory, store, clock } = self;
        drop(repository);
        House::over(directory, store, place, References::Check, clock)
    }

    fn open(directory: TempDir, references: References, now: Millis) -> House {
        let clock = Arc::new(TestClock(AtomicI64::new(now)));
        let store = Arc::new(Embedded::open(directory.path(), clock.clone()).expect("a store"));
        House::over(directory, store, "", references, clock)
    }

    /// Where the place is none, the store is this process's alone.
    fn over(
        directory: TempDir,
        store: Arc<Embedded>,
        place: &str,
        references: References,
        clock: Arc<TestClock>,
    ) -> House {
        let ticking = clock.clone();
        let definitions = Definitions::r4();
        let files = directory.path().join("journal-of-one");
        let of_process: Arc<dyn Store> = match place {
            "" => store.clone(),
            place => Arc::new(Shared { store: store.clone(), place: place.to_owned(), files }),
        };
        let prefix = if place.is_empty() { "new".to_owned() } else { format!("new-{place}") };
        let ids = AtomicU64::new(1);
        let setup = Setup {
            store: of_process,
            definitions,
            registry: Registry::new(definitions, "http://localhost/fhir"),
            rules: Vec::new(),
            clock,
            ids: Arc::new(move || format!("{prefix}-{}", ids.fetch_add(1, Ordering::Relaxed))),
            base_url: "http://localhost/fhir".to_owned(),
            references,
            validation: Validation::default(),
            consent: Implicit::default(),
            earlier_versions: EarlierVersions::Shown,
            terminology: None,
            search_time: Duration::from_secs(60),
        };
        House { repository: Repository::new(setup).expect("a store"), directory, clock: ticking, store }
    }

    /// Lets time go by.
    pub(crate) fn advance(&self, time: Millis) {
        self.clock.0.fetch_add(time, Ordering::Relaxed);
    }

    pub(crate) fn session(&self) -> Session<'_> {
        self.repository.open(Access::full())
    }

    pub(crate) fn transact(&self, changes: Vec<Change>) -> Result<Vec<Changed>, Refusal> {
        self.session().transact(changes)
    }

    /// One change alone.
    pub(crate) fn change(&self, change: Change) -> Result<Changed, Outcome> {
        Ok(self.transact(vec![change])?.remove(0))
    }

    /// One change that must succeed: how it ended, and the content that is current now.
    pub(crate) fn done(&self, change: Change) -> (ChangeKind, String) {
        let changed = self.change(change).expect("accepted");
        (changed.kind, changed.version.map_or(String::new(), |version| text(&version)))
    }

    /// Puts resources that must be accepted.
    pub(crate) fn hold(&self, resources: &[&str]) {
        self.transact(resources.iter().map(|resource| put(resource)).collect()).expect("accepted");
    }

    /// The current content.
    pub(crate) fn text(&self, key: &str) -> String {
        text(&self.session().read(&self::key(key)).expect("there"))
    }

    pub(crate) fn search(&self, resource_type: &str, query: &str) -> Result<SearchPage, Outcome> {
        self.search_as(Access::full(), resource_type, query)
    }

    pub(crate) fn search_as(&self, access: Access, resource_type: &str, query: &str) -> Result<SearchPage, Outcome> {
        self.search_in(&self.repository.open(access), resource_type, query)
    }

    pub(crate) fn search_in(
        &self,
        session: &Session<'_>,
        resource_type: &str,
        query: &str,
    ) -> Result<SearchPage, Outcome> {
        let resource_type = Definitions::r4().resource_type(resource_type);
        let scope = Scope { resource_type, compartment: None };
        let parameters = parse_query_string(query)?;
        let query = session.registry().query(&scope, &parameters, Handling::Strict, self.repository.now())?;
        session.search(&SearchRequest {
            query: &query,
            page: Page::First,
            limit: 100,
            total: Count::Exact,
            explain: query.explain,
        })
    }
}

pub(crate) fn key(text: &str) -> Key {
    Key::parse(text).expect("a key")
}

pub(crate) fn document(text: &str) -> Document {
    Document::parse(text.as_bytes()).expect("JSON")
}

fn type_of(document: &Document) -> &'static str {
    let name = document.root().resource_type().expect("a resource type");
    Definitions::r4().resource_type(name).expect("of R4")
}

/// The body with its time replaced.
pub(crate) fn text(version: &Version) -> String {
    let body = version.body.as_ref().expect("a body");
    let text = std::str::from_utf8(body).expect("text");
    let stamp = text.find("\"lastUpdated\":\"").expect("a time") + 15;
    format!("{}TIME{}", &text[..stamp], &text[stamp + 24..])
}

pub(crate) fn post(resource: &str) -> Change {
    let document = document(resource);
    Change::Create { resource_type: type_of(&document), document, if_none_exist: None, full_url: None }
}

pub(crate) fn post_unless(resource: &str, query: &str) -> Change {
    let document = document(resource);
    let if_none_exist = Some(query.to_owned());
    Change::Create { resource_type: type_of(&document), document, if_none_exist, full_url: None }
}

/// An update of the resource that the content's id names.
pub(crate) fn put(resource: &str) -> Change {
    let document = document(resource);
    let id = document.root().get("id").and_then(|id| id.as_str()).unwrap_or("none".into()).into_owned();
    put_at(&format!("{}/{id}", type_of(&document)), resource)
}

pub(crate) fn put_at(target: &str, resource: &str) -> Change {
    Change::Update {
        target: self::target(target),
        document: document(resource),
        if_match: None,
        if_none_match: false,
        full_url: None,
    }
}

pub(crate) fn patch(target: &str, patch: &str) -> Change {
    let patch = Patch::Json(JsonPatch::parse(patch.as_bytes()).expect("a patch"));
    Change::Patch { target: self::target(target), patch, if_match: None }
}

pub(crate) fn delete(target: &str) -> Change {
    Change::Delete { target: self::target(target), if_match: None }
}

/// `Patient/1` or `Patient?identifier=x`.
fn target(text: &str) -> Target {
    match text.split_once('?') {
        None => Target::Key(key(text)),
        Some((name, query)) => Target::Criteria {
            resource_type: Definitions::r4().resource_type(name).expect("of R4"),
            query: query.to_owned(),
        },
    }
}

pub(crate) fn if_version(mut change: Change, version: &str) -> Change {
    if let Change::Update { if_match, .. } | Change::Patch { if_match, .. } | Change::Delete { if_match, .. } =
        &mut change
    {
        *if_match = Some(version.to_owned());
    }
    change
}

pub(crate) fn if_none(mut change: Change) -> Change {
    if let Change::Update { if_none_match, .. } = &mut change {
        *if_none_match = true;
    }
    change
}

pub(crate) fn named(mut change: Change, url: &str) -> Change {
    if let Change::Create { full_url, .. } | Change::Update { full_url, .. } = &mut change {
        *full_url = Some(url.to_owned());
    }
    change
}
