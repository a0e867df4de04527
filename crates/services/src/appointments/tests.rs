//! Bookings against a store on disk.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use fhir::IssueType::{self, BusinessRule, Conflict, UnresolvedReference};
use fhir::json::Document;
use fhir::patch::JsonPatch;
use fhir::{Definitions, Outcome};
use repository::{
    Access, Change, Changed, History, HistoryScope, Implicit, Key, Millis, Patch, Planned, References, Repository,
    Rule, Setup, Target, Transaction, Validation,
};
use store::{Batch, Clock, Embedded, Store, Write};
use tempfile::TempDir;

use crate::Services;

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

#[test]
fn refuses_what_does_not_fit() {
    let surgery = Surgery::new();
    let booked = |slots: &[&str], start, end| appointment("a", "booked", slots, start, end);
    let named = |name: &str, length: usize| {
        nine("a").replace(r#""slot""#, &format!(r#""{name}":"{}","slot""#, "é".repeat(length)))
    };
    let on_first = |text: String| text.replace("2027-03-08", "2027-03-01");
    let many = vec!["s0900"; 51];
    let cases: [(String, IssueType, &str, &str, &str); 19] = [
        (
            booked(&["s0930"], "09:30", "09:40"),
            Conflict,
            "DUPLICATE_REJECTED",
            "Appointment.slot[0]",
            "`Slot/s0930` is not free",
        ),
        (
            booked(&["s0940"], "09:40", "09:50"),
            Conflict,
            "DUPLICATE_REJECTED",
            "Appointment.slot[0]",
            "`Slot/s0940` is not free",
        ),
        (
            booked(&["s0920", "s0930"], "09:20", "09:40"),
            Conflict,
            "DUPLICATE_REJECTED",
            "Appointment.slot[1]",
            "Slot/s0930",
        ),
        (
            booked(&["none"], "09:00", "09:10"),
            UnresolvedReference,
            "REFERENCE_NOT_FOUND",
            "Appointment.slot[0].reference",
            "Slot/none",
        ),
        (
            nine("a").replace("Slot/s0900", "http://elsewhere/fhir/Slot/s0900"),
            UnresolvedReference,
            "REFERENCE_NOT_FOUND",
            "Appointment.slot[0]",
            "no slot of this server",
        ),
        (
            booked(&["s0900", "s0900"], "09:00", "09:10"),
            BusinessRule,
            "INVALID_RESOURCE",
            "Appointment.slot[1]",
            "named twice",
        ),
        (booked(&many, "09:00", "09:10"), BusinessRule, "INVALID_RESOURCE", "Appointment.slot", "`51` slots"),
        (
            booked(&["s0900"], "09:01", "09:10"),
            BusinessRule,
            "INVALID_RESOURCE",
            "Appointment.start",
            "the start `2027-03-08T09:01:00Z`",
        ),
        (
            booked(&["s0900"], "09:00", "09:15"),
            BusinessRule,
            "INVALID_RESOURCE",
            "Appointment.end",
            "the end `2027-03-08T09:15:00Z`",
        ),
        (
            booked(&["s0900", "s0910"], "09:00", "09:10"),
            BusinessRule,
            "INVALID_RESOURCE",
            "Appointment.end",
            "last slot",
        ),
        (
            booked(&["s0900", "s0920"], "09:00", "09:30"),
            BusinessRule,
            "INVALID_RESOURCE",
            "Appointment.slot[1]",
            "`Slot/s0920` does not start when",
        ),
        (
            booked(&["s0900", "phone"], "09:00", "09:20"),
            BusinessRule,
            "INVALID_RESOURCE",
            "Appointment.slot[1]",
            "another delivery channel",
        ),
        (
            booked(&["s0900", "nurse"], "09:00", "09:20"),
            BusinessRule,
            "INVALID_RESOURCE",
            "Appointment.slot[1]",
            "another service type",
        ),
        (
            booked(&["s0900", "other"], "09:00", "09:20"),
            BusinessRule,
            "INVALID_RESOURCE",
            "Appointment.slot[1]",
            "another schedule",
        ),
        (
            on_first(booked(&["past"], "11:50", "12:00")),
            BusinessRule,
            "INVALID_RESOURCE",
            "Appointment.start",
            "not in the future",
        ),
        (
            on_first(booked(&["now"], "12:00", "12:10")),
            BusinessRule,
            "INVALID_RESOURCE",
            "Appointment.start",
            "not in the future",
        ),
        (named("description", 101), BusinessRule, "INVALID_RESOURCE", "Appointment.description", "`101` characters"),
        (named("comment", 501), BusinessRule, "INVALID_RESOURCE", "Appointment.comment", "`501` characters"),
        (
            nine("a").replace("Patient/p1", "Location/loc1"),
            BusinessRule,
            "INVALID_RESOURCE",
            "Appointment.participant",
            "none of the `1` participants",
        ),
    ];
    for (resource, code, coding, expression, part) in cases {
        for change in [post(&resource), put(&resource)] {
            let outcome = surgery.change(change).expect_err(&resource);
            let issue = &outcome.issues[0];
            assert_eq!((issue.code, issue.coding.map(|coding| coding.1)), (code, Some(coding)), "{outcome}");
            assert_eq!(issue.expression, [expression], "{outcome}");
            assert!(issue.diagnostics.contains(part), "{outcome}");
        }
    }
    let ids = ["s0900", "s0910", "s0920", "s0930", "s0940", "past"];
    assert_eq!(surgery.slots(&ids), "free free free busy busy-unavailable free");
    assert!(ids.iter().all(|id| surgery.holder(id).is_none()), "what was refused holds nothing");
}

#[test]
fn accepts_what_fits() {
    let booked = |slots: &[&str], start, end| appointment("a", "booked", slots, start, end);
    let named = |name: &str, length: usize| {
        nine("a").replace(r#""slot""#, &format!(r#""{name}":"{}","slot""#, "é".repeat(length)))
    };
    // The appointment, and the slots that it takes.
    let cases: [(String, &[&str]); 16] = [
        (nine("a"), &["s0900"]),
        (booked(&["s0900", "s0910"], "09:00", "09:20"), &["s0900", "s0910"]),
        (booked(&["s0920", "s0900", "s0910"], "09:00", "09:30"), &["s0900", "s0910", "s0920"]),
        (nine("a").replace("09:00:00Z", "10:00:00+01:00"), &["s0900"]),
        (nine("a").replace("Slot/s0900", "http://localhost/fhir/Slot/s0900"), &["s0900"]),
        (
            nine("a").replace(
                r#""reference":"Patient/p1""#,
                r#""type":"Patient","identifier":{"system":"urn:n","value":"1"}"#,
            ),
            &["s0900"],
        ),
        (named("description", 100), &["s0900"]),
        (named("comment", 500), &["s0900"]),
        (booked(&[], "09:00", "09:10").replace(r#""slot":[],"#, ""), &[]),
        (appointment("a", "checked-in", &["s0900"], "09:00", "09:10"), &["s0900"]),
        (appointment("a", "arrived", &["s0900"], "09:00", "09:10"), &["s0900"]),
        (appointment("a", "fulfilled", &["past"], "11:50", "12:00").replace("2027-03-08", "2027-03-01"), &["past"]),
        (appointment("a", "cancelled", &["s0900"], "09:00", "09:10"), &[]),
        (appointment("a", "noshow", &["s0920"], "09:20", "09:30"), &["s0920"]),
        (appointment("a", "proposed", &["s0930"], "09:00", "09:40"), &[]),
        (appointment("a", "waitlist", &["past"], "09:00", "09:40"), &[]),
    ];
    for (resource, taken) in cases {
        let surgery = Surgery::new();
        surgery.change(put(&resource)).unwrap_or_else(|outcome| panic!("{resource}: {outcome}"));
        for id in ["s0900", "s0910", "s0920", "past"] {
            let (status, holder) = if taken.contains(&id) { ("busy", Some("Appointment/a")) } else { ("free", None) };
            assert_eq!(surgery.slots(&[id]), status, "{id} for {resource}");
            assert_eq!(surgery.holder(id).as_deref(), holder, "{id} for {resource}");
        }
    }
}

#[test]
fn slots_follow_their_appointment() {
    let two = appointment("a", "booked", &["s0900", "s0910"], "09:00", "09:20");
    let moved = appointment("a", "booked", &["s0910", "s0920"], "09:10", "09:30");
    let status = |status: &str| two.replace("booked", status);
    let to = |status: &str| format!(r#"[{{"op":"replace","path":"/status","value":"{status}"}}]"#);
    // What is done with the booking of s0900 and s0910, and the slots 0900, 0910 and 0920 after it.
    let cases: [(&str, Vec<Change>, &str); 11] = [
        ("nothing", vec![], "busy busy free"),
        ("sent again", vec![put(&two)], "busy busy free"),
        ("a comment", vec![put(&two.replace(r#""slot""#, r#""comment":"x","slot""#))], "busy busy free"),
        ("cancelled", vec![put(&status("cancelled"))], "free free free"),
        ("cancelled by patch", vec![patch("Appointment/a", &to("cancelled"))], "free free free"),
        ("entered in error", vec![put(&status("entered-in-error"))], "free free free"),
        ("deleted", vec![delete("Appointment/a")], "free free free"),
        ("arrived, fulfilled", vec![put(&status("arrived")), put(&status("fulfilled"))], "busy busy free"),
        ("fulfilled in error", vec![put(&status("fulfilled")), put(&status("entered-in-error"))], "free free free"),
        ("moved", vec![put(&moved)], "free busy busy"),
        (
            "slots sent again",
            vec![put(&slot("s0900", "free", "sch1", "2027-03-08T09:00:00Z", "2027-03-08T09:10:00Z"))],
            "busy busy free",
        ),
    ];
    for (what, changes, after) in cases {
        let surgery = Surgery::new();
        surgery.change(put(&two)).expect("booked");
        for change in changes {
            surgery.change(change).unwrap_or_else(|outcome| panic!("{what}: {outcome}"));
        }
        let ids = ["s0900", "s0910", "s0920"];
        assert_eq!(surgery.slots(&ids), after, "{what}");
        let held = ids.map(|id| if surgery.holder(id).is_some() { "busy" } else { "free" });
        assert_eq!(held.join(" "), after, "claims after {what}");
    }
}

#[test]
fn refuses_wrong_steps() {
    let surgery = Surgery::new();
    surgery.change(put(&nine("a"))).expect("booked");
    surgery.change(put(&appointment("b", "cancelled", &["s0910"], "09:10", "09:20"))).expect("a record");
    let cases = [
        (put(&nine("a").replace("booked", "proposed")), BusinessRule, "`from booked to proposed`"),
        (put(&nine("b")), BusinessRule, "`from cancelled to booked`"),
        (
            patch("Appointment/b", r#"[{"op":"replace","path":"/status","value":"arrived"}]"#),
            BusinessRule,
            "`from cancelled to arrived`",
        ),
        (put(&appointment("a", "booked", &["s0930"], "09:30", "09:40")), Conflict, "`Slot/s0930` is not free"),
        (put(&nine("a").replace("09:10:00Z", "09:11:00Z")), BusinessRule, "the end `2027-03-08T09:11:00Z`"),
        (delete("Slot/s0900"), Conflict, "held by `Appointment/a`"),
        (put(&nine("c")), Conflict, "`Slot/s0900` is not free"),
    ];
    for (change, code, part) in cases {
        let outcome = surgery.change(change).expect_err(part);
        assert!(outcome.issues[0].code == code && outcome.to_string().contains(part), "{outcome}");
    }
    assert_eq!(surgery.holder("s0900").as_deref(), Some("Appointment/a"));
    surgery.change(delete("Slot/s0910")).expect("a slot that nobody holds goes");
    surgery.change(put(&nine("a").replace("booked", "cancelled"))).expect("cancelled");
    surgery.change(put(&nine("c"))).expect("a slot given back is taken again");
    assert_eq!(surgery.holder("s0900").as_deref(), Some("Appointment/c"));
}

#[test]
fn transactions_of_several() {
    let free = slot("s0900", "free", "sch1", "2027-03-08T09:00:00Z", "2027-03-08T09:10:00Z");
    let busy = free.replace("free", "busy");
    let blocked = slot("s0930", "busy", "sch1", "2027-03-08T09:30:00Z", "2027-03-08T09:40:00Z");
    let past = slot("old", "busy", "sch1", "2020-03-08T09:00:00Z", "2020-03-08T09:10:00Z");
    let was = nine("old").replace("s0900", "old").replace("09:00", "08:55");
    // What comes in one transaction, whether it is accepted, and who holds s0900 and old after it.
    type Case = (&'static str, Vec<Change>, bool, [Option<&'static str>; 2]);
    let cases: [Case; 8] = [
        ("slot and booking", vec![put(&free), put(&nine("a"))], true, [Some("a"), None]),
        ("slot made busy by the caller", vec![put(&nine("a")), put(&busy)], true, [Some("a"), None]),
        (
            "slot that was busy before",
            vec![put(&appointment("b", "booked", &["s0930"], "09:30", "09:40")), put(&blocked)],
            false,
            [None, None],
        ),
        ("a record with its slot", vec![put(&past), put(&was)], true, [None, Some("old")]),
        ("one slot twice", vec![put(&nine("a")), put(&nine("b"))], false, [None, None]),
        ("a record without its slot", vec![put(&was)], false, [None, None]),
        ("slot and appointment go", vec![delete("Slot/s0920"), delete("Appointment/held")], true, [None, None]),
        ("only the slot goes", vec![delete("Slot/s0920")], false, [None, None]),
    ];
    for (what, changes, accepted, held) in cases {
        let surgery = Surgery::new();
        surgery.change(put(&appointment("held", "booked", &["s0920"], "09:20", "09:30"))).expect("booked");
        let done = surgery.repository.open(Access::full()).transact(changes);
        assert_eq!(done.is_ok(), accepted, "{what}: {done:?}");
        let held = held.map(|id| id.map(|id| format!("Appointment/{id}")));
        assert_eq!([surgery.holder("s0900"), surgery.holder("old")], held, "{what}");
    }
}

#[test]
fn reschedules_in_one_transaction() {
    let surgery = Surgery::new();
    surgery.change(put(&nine("a"))).expect("booked");
    let longer = appointment("b", "booked", &["s0900", "s0910"], "09:00", "09:20");
    let changes = vec![post(&longer), put(&nine("a").replace("booked", "cancelled"))];
    surgery.repository.open(Access::full()).transact(changes).expect("accepted");
    assert_eq!(surgery.slots(&["s0900", "s0910"]), "busy busy");
    assert_eq!(surgery.holder("s0900").as_deref(), Some("Appointment/new-1"));
}

#[test]
fn imports_records_as_they_are() {
    let surgery = Surgery::empty(References::Accept);
    let import = |resource: &str| {
        surgery.repository.open(Access::full()).importing().transact(vec![put(resource)]).expect("imported");
    };
    import(&nine("a"));
    import(&nine("b"));
    assert_eq!(surgery.holder("s0900").as_deref(), Some("Appointment/a"), "the first of two holds it");
    import(&slot("s0900", "free", "sch1", "2027-03-08T09:00:00Z", "2027-03-08T09:10:00Z"));
    assert_eq!(surgery.slots(&["s0900"]), "busy", "a slot that comes after its appointment");
    import(&slot("s0910", "free", "sch1", "2027-03-08T09:10:00Z", "2027-03-08T09:20:00Z"));
    import(&appointment("c", "booked", &["s0910"], "01:00", "02:00"));
    assert_eq!(surgery.slots(&["s0910"]), "busy", "a slot that comes before its appointment");
    import(&nine("a").replace("booked", "proposed"));
    assert_eq!(
        (surgery.slots(&["s0900"]).as_str(), surgery.holder("s0900").as_deref()),
        ("busy", Some("Appointment/b"))
    );
    import(&nine("b").replace("booked", "proposed"));
    assert_eq!((surgery.slots(&["s0900"]).as_str(), surgery.holder("s0900")), ("free", None));
}

#[test]
fn one_of_a_hundred_gets_the_slot() {
    let surgery = Surgery::new();
    let book = || surgery.change(post(&nine("ignored")));
    let results: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..100).map(|_| scope.spawn(book)).collect();
        workers.into_iter().map(|worker| worker.join().expect("no panic")).collect()
    });
    let (booked, refused): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    assert_eq!((booked.len(), refused.len()), (1, 99));
    for outcome in refused.into_iter().filter_map(Result::err) {
        let issue = &outcome.issues[0];
        assert_eq!(
            (issue.code, issue.coding.map(|coding| coding.1)),
            (Conflict, Some("DUPLICATE_REJECTED")),
            "{outcome}"
        );
    }
    assert_eq!((surgery.slots(&["s0900"]).as_str(), surgery.versions("Slot/s0900")), ("busy", 2));
    let statistics = surgery.store.statistics().expect("statistics");
    let count =
        |name: &str| statistics.documents.iter().find(|(collection, _)| collection == name).map(|(_, count)| *count);
    assert_eq!(count("Appointment"), Some(1));
    surgery.store.verify().expect("no orphan rows");
}

#[test]
fn racing_bookings_and_cancellations_agree() {
    let surgery = Surgery::new();
    let pairs = [(["s0900", "s0910"], "09:00", "09:20"), (["s0910", "s0920"], "09:10", "09:30")];
    std::thread::scope(|scope| {
        for at in 0..16 {
            let surgery = &surgery;
            let (slots, start, end) = pairs[at % 2];
            let booked = appointment(&format!("a{at}"), "booked", &slots, start, end);
            scope.spawn(move || match surgery.change(put(&booked)) {
                Ok(_) if at < 12 => {
                    drop(surgery.change(put(&booked.replace("booked", "cancelled"))).expect("cancelled"))
                }
                Ok(_) => {}
                Err(outcome) => assert_eq!(outcome.issues[0].code, Conflict, "{outcome}"),
            });
        }
    });
    let ids = ["s0900", "s0910", "s0920"];
    for id in ids {
        let holder = surgery.holder(id);
        assert_eq!(surgery.slots(&[id]), if holder.is_some() { "busy" } else { "free" }, "{id}");
        assert!(holder.is_none_or(|holder| surgery.status(&holder) == "booked"), "{id}");
    }
    let held = ids.map(|id| surgery.holder(id));
    let fits = [[true, true, false], [false, true, true], [false, false, false]];
    assert!(fits.contains(&held.each_ref().map(Option::is_some)), "{held:?}");
    assert_eq!(
        held.iter().flatten().collect::<std::collections::BTreeSet<_>>().len(),
        held.iter().any(Option::is_some).into()
    );
    surgery.store.verify().expect("no orphan rows");
}

/// A hold of p1's until noon.
fn hold(id: &str, slots: &[&str], start: &str, end: &str) -> String {
    let extension = r#""extension":[{"url":"https://flint.example/fhir/StructureDefinition/held-until","valueInstant":"2027-03-01T12:00:00Z"}],"status""#;
    appointment(id, "pending", slots, start, end).replace(r#""status":"pending""#, &format!(r#"{extension}:"pending""#))
}

#[test]
fn nobody_goes_on_with_a_hold_that_is_over() {
    let surgery = Surgery::new();
    // Nobody has swept.
    surgery.import(&hold("a", &["s0900"], "09:00", "09:10"));
    assert_eq!(
        (surgery.slots(&["s0900"]).as_str(), surgery.holder("s0900").as_deref()),
        ("busy-tentative", Some("Appointment/a tentative"))
    );
    for status in ["booked", "pending"] {
        let outcome = surgery.change(put(&nine("a").replace("booked", status))).expect_err(status);
        assert!(outcome.issues[0].code == Conflict && outcome.to_string().contains("which is over"), "{outcome}");
    }
    // The patient is free.
    let elsewhere = appointment("b", "booked", &[], "09:00", "09:10").replace(r#""slot":[],"#, "");
    surgery.change(put(&elsewhere)).expect("the patient is free");
    surgery.change(put(&nine("a").replace("booked", "cancelled"))).expect("cancelled");
    assert_eq!((surgery.slots(&["s0900"]).as_str(), surgery.holder("s0900")), ("free", None));
}

/// The clock that is asked for the time of a commit: time goes by while a hold is committed. Its rule was asked before, and a sweep looks meanwhile.
struct AtCommit {
    watch: Arc<Watch>,
    sweeps: Mutex<Option<(Arc<Services>, Weak<Repository>)>>,
}

impl Clock for AtCommit {
    fn now(&self) -> Millis {
        let sweeps = self.sweeps.lock().expect("nobody panicked").take();
        if let Some((services, repository)) = sweeps {
            self.watch.0.store(NOON + 600_000, Ordering::Release);
            services.sweep(&repository.upgrade().expect("it is asked")).expect("nothing to end");
        }
        self.watch.now()
    }
}

#[test]
fn a_hold_that_is_over_when_it_is_committed_ends() {
    let watch = Arc::new(Watch(AtomicI64::new(NOON)));
    let at_commit = Arc::new(AtCommit { watch: watch.clone(), sweeps: Mutex::default() });
    let surgery = Surgery::with(References::Accept, watch, at_commit.clone());
    surgery.hold(&[
        r#"{"resourceType":"Patient","id":"p1"}"#,
        &slot("s0900", "free", "sch1", "2027-03-08T09:00:00Z", "2027-03-08T09:10:00Z"),
    ]);
    assert_eq!(surgery.sweep(0), (0, false, 0), "nothing to end");
    let sweeps = (surgery.services.clone(), Arc::downgrade(&surgery.repository));
    *at_commit.sweeps.lock().expect("nobody panicked") = Some(sweeps);
    surgery.change(put(&nine("a").replace("booked", "pending"))).expect("held for five minutes");
    assert_eq!(surgery.slots(&["s0900"]), "busy-tentative");
    assert!(surgery.services.is_sweep_due(surgery.repository.now()));
    assert_eq!(surgery.sweep(600_000), (0, false, 0), "ended");
    assert_eq!((surgery.slots(&["s0900"]), surgery.status("Appointment/a")), ("free".into(), "cancelled".into()));
}

#[test]
fn the_slot_of_a_hold_that_is_over_is_to_be_had_before_it_is_swept() {
    let surgery = Surgery::new();
    surgery.import(&hold("a", &["s0900"], "09:00", "09:10"));
    surgery.change(put(&nine("b"))).expect("the slot is free");
    assert_eq!(
        (surgery.slots(&["s0900"]).as_str(), surgery.holder("s0900").as_deref()),
        ("busy", Some("Appointment/b"))
    );
    surgery.change(put(&nine("c"))).expect_err("now it is taken");
    assert_eq!(surgery.sweep(0), (0, false, 0));
    assert_eq!((surgery.status("Appointment/a"), surgery.slots(&["s0900"])), ("cancelled".into(), "busy".into()));
    surgery.import(&hold("d", &["s0910"], "09:10", "09:20"));
    surgery.change(delete("Slot/s0910")).expect("nobody holds it any more");
    assert_eq!(surgery.sweep(1000), (0, false, 0), "the reference of a hold to a slot that is gone keeps nothing");
}

#[test]
fn of_holds_that_are_over_the_first_gives_its_seat_to_who_comes() {
    let surgery = Surgery::empty(References::Accept);
    let seats = r#""extension":[{"url":"http://fhir-registry.smarthealthit.org/StructureDefinition/slot-capacity","valueInteger":3}],"status""#;
    let group = slot("s0900", "free", "sch1", "2027-03-08T09:00:00Z", "2027-03-08T09:10:00Z");
    surgery.import(&group.replace(r#""status""#, seats));
    for id in ["d", "e", "f"] {
        surgery.import(&format!(r#"{{"resourceType":"Patient","id":"{id}"}}"#));
    }
    for (id, until) in [("b", "11:59"), ("a", "11:58"), ("c", "12:10")] {
        surgery.import(&hold(id, &["s0900"], "09:00", "09:10").replace("12:00:00Z", &format!("{until}:00Z")));
    }
    let held = || {
        let snapshot = surgery.store.snapshot().expect("a snapshot");
        let seats = (0..4).filter_map(|seat| snapshot.value(format!("slot/s0900/{seat}").as_bytes()).expect("a value"));
        let owner = |value: Vec<u8>| String::from_utf8(value).expect("text").replace("Appointment/", "");
        let mut owners: Vec<_> = seats.map(owner).collect();
        owners.sort();
        owners.join(", ")
    };
    assert_eq!(held(), "a tentative, b tentative, c tentative");
    let come = |id: &str| surgery.change(put(&nine(id).replace("Patient/p1", &format!("Patient/{id}"))));
    come("d").expect("in the place of a");
    assert_eq!(held(), "b tentative, c tentative, d");
    come("e").expect("in the place of b");
    assert_eq!((held().as_str(), surgery.slots(&["s0900"]).as_str()), ("c tentative, d, e", "busy-tentative"));
    assert_eq!(come("f").expect_err("c is not over").issues[0].code, Conflict);
    assert_eq!(surgery.sweep(0).0, 1, "a and b end");
    assert_eq!((held().as_str(), surgery.slots(&["s0900"]).as_str()), ("c tentative, d, e", "busy-tentative"));
    assert_eq!(surgery.sweep(600_000).0, 0);
    assert_eq!((held().as_str(), surgery.slots(&["s0900"]).as_str()), ("d, e", "free"));
}

#[test]
fn a_hold_that_could_not_be_ended_is_tried_again() {
    let surgery = Surgery::new();
    surgery.import(&hold("obstacle", &["s0900"], "09:00", "09:10"));
    surgery.import(&hold("b", &["s0910"], "09:10", "09:20"));
    assert_eq!(surgery.sweep(0), (1, false, 1), "one keeps nothing from the other");
    assert_eq!(surgery.slots(&["s0900", "s0910"]), "busy-tentative free");
    assert_eq!(surgery.sweep(999), (1, false, 0), "not yet");
    assert_eq!(surgery.sweep(1_000), (1, false, 1));
    assert_eq!(surgery.sweep(2_999), (1, false, 0), "later every time");
    surgery.obstacle.store(false, Ordering::Release);
    assert_eq!(surgery.sweep(3_000), (0, false, 0));
    assert_eq!(surgery.slots(&["s0900", "s0910"]), "free free");
}

#[test]
fn a_sweep_ends_so_many_holds_and_the_next_goes_on() {
    let surgery = Surgery::new();
    for at in 0..60 {
        surgery.import(&hold(&format!("obstacle-{at}"), &["s0900"], "09:00", "09:10"));
        surgery.import(&hold(&format!("h{at}"), &["s0910"], "09:10", "09:20"));
    }
    let mut left = Vec::new();
    for _ in 0..3 {
        left.push(surgery.sweep(0));
    }
    assert_eq!(left.iter().map(|(_, has_more, _)| *has_more).collect::<Vec<_>>(), [true, true, false], "{left:?}");
    assert_eq!(left.iter().map(|(.., failed)| failed).sum::<usize>(), 60, "{left:?}");
    assert_eq!(left[2].0, 60, "those that fail keep no other: {left:?}");
    surgery.obstacle.store(false, Ordering::Release);
    assert_eq!(surgery.sweep(999), (60, false, 0));
    assert_eq!(surgery.sweep(1_000), (10, true, 0));
    assert_eq!(surgery.sweep(1_000), (0, false, 0));
}

/// Whoever is not listed is guarded by nothing: a full day refuses, also the record of what was booked elsewhere.
#[test]
fn a_full_day_says_so() {
    let surgery = Surgery::new();
    let day = 1_804_464_000_000_000_i64; // 8 March 2027.
    let lines: String = (0..1_000).map(|at| format!("{} {} Appointment/x{at}\n", day + at, day + at + 1)).collect();
    let name = format!("guard/Patient/p1/{}", day / 86_400_000_000).into_bytes();
    let batch = Batch { preconditions: Vec::new(), writes: vec![Write::Claim { name, value: lines.into_bytes() }] };
    surgery.store.commit(batch).expect("claimed");
    let busy = slot("s0900", "busy", "sch1", "2027-03-08T09:00:00Z", "2027-03-08T09:10:00Z");
    for changes in [vec![put(&nine("a"))], vec![put(&busy), put(&nine("a"))]] {
        let outcome = surgery.repository.open(Access::full()).transact(changes).expect_err("refused").outcome;
        assert!(outcome.to_string().contains("`Patient/p1` has `1000` appointments on that day"), "{outcome}");
    }
    surgery.import(&nine("a"));
}
