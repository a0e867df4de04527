//! Bookings against a store on disk.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use fhir::IssueType::{self, BusinessRule, Conflict, UnresolvedReference};
use fhir::json::Document;
use fhir::patch::JsonPatch;
use fhir::{Definitions, Outcome};
use repository::{
    Access, Change, Changed, EarlierVersions, History, HistoryScope, Implicit, Key, Millis, Patch, Planned, References,
    Repository, Rule, Setup, Target, Transaction, Validation,
};
use store::{Batch, Clock, Embedded, Store, Write};
use tempfile::TempDir;

use crate::Services;

mod bookings;
mod holds;
mod races;

/// A surgery of one schedule of slots of ten minutes on 8 March 2027, seen from 1 March at noon.
struct Surgery {
    repository: Arc<Repository>,
    store: Arc<Embedded>,
    services: Arc<Services>,
    clock: Arc<Watch>,
    obstacle: Arc<AtomicBool>,
    _directory: TempDir,
}

const NOON: Millis = 1_803_902_400_000;

#[derive(Debug)]
struct Watch(AtomicI64);

impl Clock for Watch {
    fn now(&self) -> Millis {
        self.0.load(Ordering::Acquire)
    }
}

/// While it is there, nothing that has `obstacle` in its id is cancelled.
#[derive(Debug)]
struct Obstacle(Arc<AtomicBool>);

impl Rule for Obstacle {
    fn name(&self) -> &'static str {
        "obstacle"
    }

    fn resource_types(&self) -> &'static [&'static str] {
        &["Appointment"]
    }

    fn apply(&self, _transaction: &mut Transaction<'_>, planned: &Planned) -> Result<(), Outcome> {
        let is_cancelled = planned.after.as_ref().is_some_and(|after| after.text().contains("\"cancelled\""));
        match is_cancelled && planned.key.id().contains("obstacle") && self.0.load(Ordering::Acquire) {
            true => Err(Outcome::new(IssueType::Invariant, "there is an obstacle")),
            false => Ok(()),
        }
    }
}

const CHANNEL: &str = "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-DeliveryChannel";

impl Surgery {
    fn new() -> Surgery {
        let surgery = Surgery::empty(References::Check);
        let slot = |id, status, start, end| slot(id, status, "sch1", start, end);
        let phone = format!(
            r#""extension":[{{"url":"{CHANNEL}","valueCodeableConcept":{{"coding":[{{"code":"Telephone"}}]}}}}],"status""#
        );
        let nurse = r#""serviceType":[{"text":"nurse"}],"status""#;
        surgery.hold(&[
            r#"{"resourceType":"Patient","id":"p1","identifier":[{"system":"urn:n","value":"1"}]}"#,
            r#"{"resourceType":"Location","id":"loc1"}"#,
            r#"{"resourceType":"Schedule","id":"sch1","actor":[{"reference":"Location/loc1"}]}"#,
            r#"{"resourceType":"Schedule","id":"sch2","actor":[{"reference":"Location/loc1"}]}"#,
            &slot("s0900", "free", "2027-03-08T09:00:00Z", "2027-03-08T09:10:00Z"),
            &slot("s0910", "free", "2027-03-08T09:10:00Z", "2027-03-08T09:20:00Z"),
            &slot("s0920", "free", "2027-03-08T10:20:00+01:00", "2027-03-08T10:30:00+01:00"),
            &slot("s0930", "busy", "2027-03-08T09:30:00Z", "2027-03-08T09:40:00Z"),
            &slot("s0940", "busy-unavailable", "2027-03-08T09:40:00Z", "2027-03-08T09:50:00Z"),
            &slot("past", "free", "2027-03-01T11:50:00Z", "2027-03-01T12:00:00Z"),
            &slot("now", "free", "2027-03-01T12:00:00Z", "2027-03-01T12:10:00Z"),
            &slot("phone", "free", "2027-03-08T09:10:00Z", "2027-03-08T09:20:00Z").replace(r#""status""#, &phone),
            &slot("nurse", "free", "2027-03-08T09:10:00Z", "2027-03-08T09:20:00Z").replace(r#""status""#, nurse),
            &slot("other", "free", "2027-03-08T09:10:00Z", "2027-03-08T09:20:00Z").replace("sch1", "sch2"),
        ]);
        surgery
    }

    fn empty(references: References) -> Surgery {
        let watch = Arc::new(Watch(AtomicI64::new(NOON)));
        Surgery::with(references, watch.clone(), watch)
    }

    /// `at_commit` is the clock of the store.
    fn with(references: References, clock: Arc<Watch>, at_commit: Arc<dyn Clock>) -> Surgery {
        let services = Arc::new(Services::default());
        let directory = tempfile::tempdir().expect("a directory");
        let store = Arc::new(Embedded::open(directory.path(), at_commit).expect("a store"));
        let obstacle = Arc::new(AtomicBool::new(true));
        let mut rules = services.rules();
        rules.push(Box::new(Obstacle(obstacle.clone())));
        let definitions = Definitions::r4();
        let ids = AtomicU64::new(1);
        let repository = Repository::new(Setup {
            store: store.clone(),
            definitions,
            registry: search::Registry::new(definitions, "http://localhost/fhir"),
            rules,
            clock: clock.clone(),
            ids: Arc::new(move || format!("new-{}", ids.fetch_add(1, Ordering::Relaxed))),
            base_url: "http://localhost/fhir".to_owned(),
            references,
            validation: Validation::default(),
            consent: Implicit::default(),
            earlier_versions: EarlierVersions::default(),
            terminology: None,
            search_time: Duration::from_secs(60),
        });
        let repository = Arc::new(repository.expect("an empty store"));
        Surgery { repository, store, services, clock, obstacle, _directory: directory }
    }

    fn change(&self, change: Change) -> Result<Changed, Outcome> {
        Ok(self.repository.open(Access::full()).transact(vec![change])?.remove(0))
    }

    fn hold(&self, resources: &[&str]) {
        let changes = resources.iter().map(|resource| put(resource)).collect();
        self.repository.open(Access::full()).transact(changes).expect("accepted");
    }

    fn status(&self, key: &str) -> String {
        let version = self.repository.open(Access::full()).read(&Key::parse(key).expect("a key")).expect("there");
        let document = Document::parse(&version.body.expect("a body")).expect("JSON");
        document.root().get("status").and_then(|status| status.as_str()).expect("a status").into_owned()
    }

    /// The statuses of these slots.
    fn slots(&self, ids: &[&str]) -> String {
        ids.iter().map(|id| self.status(&format!("Slot/{id}"))).collect::<Vec<_>>().join(" ")
    }

    fn versions(&self, key: &str) -> usize {
        let scope = HistoryScope::Document(Key::parse(key).expect("a key"));
        let history = History { scope, since: None, before: None, after: None, limit: 100, total: false };
        self.repository.open(Access::full()).history(&history).expect("a history").versions.len()
    }

    /// Sweeps once at this time after noon: how many holds there are yet, whether the sweep said that there are more, and what failed.
    fn sweep(&self, after: Millis) -> (usize, bool, usize) {
        self.clock.0.store(NOON + after, Ordering::Release);
        let swept = self.services.sweep(&self.repository).expect("swept");
        let holds = self.repository.open(Access::full()).lookup("Appointment", "status=pending", 1000);
        (holds.expect("found").len(), swept.has_more, swept.failed.len())
    }

    fn import(&self, resource: &str) {
        self.repository.open(Access::full()).importing().transact(vec![put(resource)]).expect("imported");
    }

    fn holder(&self, slot: &str) -> Option<String> {
        let name = format!("slot/{slot}/0").into_bytes();
        let value = self.store.snapshot().expect("a snapshot").value(&name).expect("a value")?;
        Some(String::from_utf8(value).expect("text"))
    }
}

fn slot(id: &str, status: &str, schedule: &str, start: &str, end: &str) -> String {
    format!(
        r#"{{"resourceType":"Slot","id":"{id}","schedule":{{"reference":"Schedule/{schedule}"}},"status":"{status}","start":"{start}","end":"{end}"}}"#
    )
}

/// An appointment of p1 on 8 March 2027 from and to these times.
fn appointment(id: &str, status: &str, slots: &[&str], start: &str, end: &str) -> String {
    let slots: Vec<_> = slots.iter().map(|slot| format!(r#"{{"reference":"Slot/{slot}"}}"#)).collect();
    format!(
        r#"{{"resourceType":"Appointment","id":"{id}","status":"{status}","start":"2027-03-08T{start}:00Z","end":"2027-03-08T{end}:00Z","slot":[{}],"participant":[{{"actor":{{"reference":"Patient/p1"}},"status":"accepted"}}]}}"#,
        slots.join(",")
    )
}

fn nine(id: &str) -> String {
    appointment(id, "booked", &["s0900"], "09:00", "09:10")
}

fn document(text: &str) -> Document {
    Document::parse(text.as_bytes()).expect("JSON")
}

fn post(resource: &str) -> Change {
    Change::Create { resource_type: "Appointment", document: document(resource), if_none_exist: None, full_url: None }
}

fn put(resource: &str) -> Change {
    let document = document(resource);
    let text = |name| document.root().get(name).and_then(|node| node.as_str()).expect("there").into_owned();
    let target = Target::Key(Key::new(&text("resourceType"), &text("id")).expect("a key"));
    Change::Update { target, document, if_match: None, if_none_match: false, full_url: None }
}

fn patch(key: &str, patch: &str) -> Change {
    let patch = Patch::Json(JsonPatch::parse(patch.as_bytes()).expect("a patch"));
    Change::Patch { target: Target::Key(Key::parse(key).expect("a key")), patch, if_match: None }
}

fn delete(key: &str) -> Change {
    Change::Delete { target: Target::Key(Key::parse(key).expect("a key")), if_match: None }
}
