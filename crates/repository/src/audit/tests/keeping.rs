//! Nothing is lost and nothing kept twice: threads, crashes, and who asks before all is made.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use fhir::IssueType;
use store::{Committed, Frame, Journal, Mark, Snapshot, Statistics, Store, StoreError};

use super::super::make::MADE;
use super::*;
use crate::audit::block::Block;
use crate::audit::{DATA_MAX, QUERY_MAX, record};
use crate::{Repository, Setup};

/// The data of all records, in the order of the chain.
fn chained(house: &House) -> Vec<String> {
    let snapshot = house.repository.store().snapshot().expect("a snapshot");
    let head = house.repository.ledger().head().expect("a head");
    let mut data = Vec::new();
    for sequence in 1..=head.sequence {
        let block = Block::read(&*snapshot, sequence).expect("readable").expect("there");
        for account in &block.accounts {
            let records = record::decode(account).expect("whole");
            data.extend(records.iter().map(|record| record.data[0].key.to_string()));
        }
    }
    data
}

fn ids(versions: &[Version]) -> Vec<&str> {
    versions.iter().map(|version| version.key.id()).collect()
}

#[test]
fn keeps_each_of_many_at_once() {
    const THREADS: usize = 16;
    const EACH: usize = 64;
    let house = House::new();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let house = &house;
            scope.spawn(move || {
                for number in 0..EACH {
                    house.account_for(&format!("Patient/{thread}"), &format!("Basic/{thread}-{number:02}"));
                }
            });
        }
    });
    let chained = chained(&house);
    let mut by_thread: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for data in &chained {
        let (thread, number) = data.split_once('/').and_then(|(_, id)| id.split_once('-')).expect("two numbers");
        by_thread.entry(thread).or_default().push(number);
    }
    let expected: Vec<_> = (0..EACH).map(|number| format!("{number:02}")).collect();
    assert_eq!(by_thread.len(), THREADS);
    assert!(by_thread.values().all(|numbers| *numbers == expected), "in order, each once: {by_thread:?}");
    let report = house.verified(None);
    assert_eq!((report.records, report.damage), ((THREADS * EACH) as u64, None));
    house.repository.ledger().settle(None).expect("settled");
    let report = house.verified(None);
    assert_eq!((report.records, report.events, report.damage), (1024, 1024, None));
}

#[test]
fn makes_those_of_one_patient_when_asked() {
    let house = House::without_maker();
    let ledger = house.repository.ledger();
    for (patient, of) in [("ann", "a"), ("bob", "b"), ("ann", "c"), ("bob", "d")] {
        house.account_for(&format!("Patient/{patient}"), &format!("Basic/{of}"));
    }
    house.leave_pending("Patient/ann", "Basic/e");
    assert_eq!(house.repository.store().statistics().expect("figures").documents, []);
    ledger.settle(Some(&key("Patient/ann"))).expect("settled");
    let three = ["audit-000000000001-00000", "audit-000000000003-00000", "audit-000000000005-00000"];
    assert_eq!(ids(&house.events_of("patient=ann&_sort=_id")), three);
    assert_eq!(ids(&house.events_of("")).len(), 3, "others are not made");
    ledger.settle(Some(&key("Patient/ann"))).expect("settled again");
    ledger.settle(Some(&key("Patient/eve"))).expect("nothing to settle");
    ledger.settle(None).expect("settled");
    assert_eq!(house.events_of("patient=ann").len(), 3, "none is made twice");
    assert_eq!(
        ids(&house.events_of("patient=bob&_sort=_id")),
        ["audit-000000000002-00000", "audit-000000000004-00000"]
    );
    assert_eq!(ledger.outstanding(), 0);
    assert!(house.verified(None).damage.is_none());
}

#[test]
fn finds_what_patients_did_elsewhere() {
    let house = House::new();
    let ledger = house.repository.ledger();
    let requester = Requester { user: Some(key("Patient/ann")), ..staff() };
    let ticket = ledger.append(&[account(Act::SignIn, &requester, &[])]);
    assert_eq!(ticket.wait(), Ok(()));
    ledger.settle(Some(&key("Patient/ann"))).expect("settled");
    assert_eq!(house.events_of("patient=ann").len(), 1);
}

/// A crash at any point between the commits leaves what the next start goes on with.
#[test]
fn goes_on_after_a_crash() {
    let house = House::new();
    for at in 0..40 {
        house.account_for("Patient/ann", &format!("Basic/{at:02}"));
    }
    house.leave_pending("Patient/ann", "Basic/pending");
    let house = house.reopened();
    let ledger = house.repository.ledger();
    ledger.settle(Some(&key("Patient/ann"))).expect("settled");
    assert_eq!(house.events_of("patient=ann").len(), 41);
    assert_eq!(chained(&house).last().map(String::as_str), Some("Basic/pending"));
    // Made before their turn, and noted as made only in their turn.
    let house = house.reopened();
    house.repository.ledger().settle(None).expect("settled");
    let report = house.verified(None);
    assert_eq!((report.records, report.events, report.damage), (41, 41, None));
    // All done: the next start finds nothing to do.
    let house = house.reopened();
    house.repository.ledger().start().expect("started");
    assert_eq!(house.repository.ledger().outstanding(), 0);
    let made = house.repository.store().snapshot().expect("a snapshot").value(MADE);
    assert_eq!(made, Ok(Some(house.repository.ledger().head().expect("a head").sequence.to_be_bytes().to_vec())));
}

#[test]
fn chains_what_writes_leave() {
    let house = House::new();
    let ledger = house.repository.ledger();
    ledger.flush().expect("nothing to chain");
    assert_eq!(ledger.head().expect("a head"), Head::default());
    for at in 0..3 {
        house.leave_pending("Patient/ann", &format!("Basic/{at}"));
    }
    assert_eq!(house.verified(None).pending, 3);
    ledger.wake();
    ledger.flush().expect("chained");
    let report = house.verified(None);
    assert_eq!((report.records, report.pending), (3, 0));
    assert_eq!(chained(&house), ["Basic/0", "Basic/1", "Basic/2"]);
}

#[test]
fn chains_more_than_one_block_takes() {
    let house = House::new();
    let subjects = [about(Some("Patient/ann"), &[("Basic/1", 1)])];
    let requester = staff();
    let accounts = vec![account(Act::Update, &requester, &subjects); 2500];
    house.write(house.repository.ledger().writes(&accounts));
    house.account_for("Patient/bob", "Basic/last");
    let report = house.verified(None);
    assert_eq!((report.records, report.pending, report.damage), (2501, 0, None));
    assert_eq!(chained(&house).last().map(String::as_str), Some("Basic/last"));
}

/// As much as an account says of two patients.
fn two_at_length() -> [Subject; 2] {
    let long = format!("Basic/{}", "x".repeat(60));
    ["ann", "bob"].map(|name| about(Some(&format!("Patient/{name}")), &[(long.as_str(), 1); DATA_MAX]))
}

/// Together they are more than the journal has room for.
#[test]
fn keeps_many_long_accounts_at_once() {
    let house = House::without_maker();
    let (requester, subjects) = (staff(), two_at_length());
    house.repository.ledger().append(&vec![account(Act::Read, &requester, &subjects); 1000]).wait().expect("kept");
    house.repository.ledger().flush().expect("chained");
    let report = house.verified(None);
    assert_eq!((report.records, report.pending, report.damage), (2_000, 0, None));
    // One alone that is larger than all of it.
    let all: Vec<_> = (0..200).flat_map(|_| two_at_length()).flat_map(|one| std::iter::repeat_n(one, 5)).collect();
    assert!(house.repository.ledger().append(&[account(Act::Read, &requester, &all)]).wait().is_err());
    assert_eq!(house.verified(None).records, 2_000);
}

/// A store may hold no value of more than 16 MB.
#[test]
fn makes_no_block_of_too_many_bytes() {
    let house = House::without_maker();
    let (requester, subjects, query) = (staff(), two_at_length(), "x".repeat(QUERY_MAX));
    let accounts = vec![Account { query: &query, ..account(Act::Update, &requester, &subjects) }; 1000];
    house.write(house.repository.ledger().writes(&accounts));
    house.repository.ledger().wake();
    house.repository.ledger().flush().expect("chained");
    let report = house.verified(None);
    assert_eq!((report.records, report.pending, report.damage), (3_000, 0, None));
    let snapshot = house.repository.store().snapshot().expect("a snapshot");
    let length = |sequence| snapshot.value(&Block::name(sequence)).expect("readable").expect("there").len();
    let lengths: Vec<_> = (1..=report.head.sequence).map(length).collect();
    assert!(lengths.len() > 1 && lengths.iter().all(|length| *length < 12 << 20), "{lengths:?}");
}

/// What somebody else put among the accounts of writes is thrown away and holds nothing up.
#[test]
fn passes_over_damaged_accounts() {
    let house = House::new();
    let name = [b"audit/pending/".as_slice(), b"x"].concat();
    house.write(vec![Write::Set { name, value: b"nonsense".to_vec() }]);
    house.account_for("Patient/bob", "Basic/b");
    let report = house.verified(None);
    assert_eq!((report.records, report.pending, report.damage), (1, 0, None));
}

struct Signal(Sender<()>);

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.0.send(()).expect("somebody waits");
    }
}

#[test]
fn tickets_can_be_awaited() {
    let house = House::new();
    let (sender, woken): (_, Receiver<()>) = channel();
    let waker = Waker::from(Arc::new(Signal(sender)));
    let subjects = [about(Some("Patient/ann"), &[("Basic/a", 1)])];
    let mut ticket = house.repository.ledger().append(&[account(Act::Read, &staff(), &subjects)]);
    let mut poll = || Pin::new(&mut ticket).poll(&mut Context::from_waker(&waker));
    if poll().is_pending() {
        woken.recv().expect("woken");
    }
    assert_eq!(poll(), Poll::Ready(Ok(())));
    house.repository.ledger().flush().expect("chained");
    assert_eq!(chained(&house), ["Basic/a"]);
}

/// What cannot be chained is told of no more than once.
#[test]
fn discloses_nothing_that_cannot_be_chained() {
    let house = House::new();
    house.write(vec![Write::Set { name: b"audit/head".to_vec(), value: b"damaged".to_vec() }]);
    let subjects = [about(Some("Patient/ann"), &[("Basic/a", 1)])];
    assert!(house.repository.ledger().flush().is_err());
    let ticket = house.repository.ledger().append(&[account(Act::Read, &staff(), &subjects)]);
    assert_eq!(ticket.wait().expect_err("refused").issues[0].code, IssueType::Transient);
}

/// A new search parameter finds events made before and after it.
#[test]
fn keeps_up_with_search_parameters() {
    let house = House::new();
    house.account_for("Patient/ann", "Basic/a");
    house.repository.ledger().settle(None).expect("settled");
    house.hold(&[r#"{"resourceType":"SearchParameter","id":"p","url":"http://x/p","name":"P","status":"active","description":"d","code":"recorded-by","base":["AuditEvent"],"type":"string","expression":"AuditEvent.source.observer.display"}"#]);
    house.repository.index_all(|_, _| {}).expect("indexed");
    house.account_for("Patient/bob", "Basic/b");
    house.repository.ledger().settle(None).expect("settled");
    assert_eq!(house.events_of("recorded-by=http").len(), 2);
}

/// A store that fails when it is told to.
struct Troubled {
    store: Arc<dyn Store>,
    trouble: Mutex<Option<Trouble>>,
}

#[derive(Clone, Copy)]
enum Trouble {
    Full,
    Panic,
}

impl Store for Troubled {
    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, StoreError> {
        self.store.snapshot()
    }

    fn commit(&self, batch: Batch) -> Result<Committed, StoreError> {
        let trouble = *self.trouble.lock().expect("not poisoned");
        match trouble {
            None => self.store.commit(batch),
            Some(Trouble::Full) => Err(StoreError::Full),
            Some(Trouble::Panic) => panic!("as a bug would"),
        }
    }

    fn commits(&self) -> u64 {
        self.store.commits()
    }

    fn journal(&self, done: Mark) -> Result<(Journal, Vec<Frame>), StoreError> {
        self.store.journal(done)
    }

    fn statistics(&self) -> Result<Statistics, StoreError> {
        self.store.statistics()
    }
}

/// A repository over the store of a house that has not begun to keep accounts, and what its store does.
fn troubled(house: &House) -> (Repository, Arc<Troubled>) {
    let setup = &house.repository.setup;
    let troubled = Arc::new(Troubled { store: setup.store.clone(), trouble: Mutex::new(None) });
    let repository = Repository::new(Setup {
        store: troubled.clone(),
        definitions: setup.definitions,
        registry: setup.registry.clone(),
        rules: Vec::new(),
        clock: setup.clock.clone(),
        ids: setup.ids.clone(),
        base_url: setup.base_url.clone(),
        references: setup.references,
        validation: setup.validation,
        consent: setup.consent,
        earlier_versions: setup.earlier_versions,
        terminology: None,
        search_time: setup.search_time,
    });
    (repository.expect("a repository"), troubled)
}

impl Troubled {
    fn is(&self, trouble: Option<Trouble>) {
        *self.trouble.lock().expect("not poisoned") = trouble;
    }
}

fn keep(repository: &Repository, of: &str) -> Result<(), IssueType> {
    let (requester, subjects) = (staff(), [about(Some("Patient/ann"), &[(of, 1)])]);
    let end = repository.ledger().append(&[account(Act::Read, &requester, &subjects)]).wait();
    end.map_err(|outcome| outcome.issues[0].code)
}

#[test]
fn refuses_while_the_store_cannot_keep() {
    let house = House::new();
    let (repository, store) = troubled(&house);
    let flush = || repository.ledger().flush().map_err(|outcome| outcome.issues[0].code);
    assert_eq!((keep(&repository, "Basic/a"), flush()), (Ok(()), Ok(())));
    store.is(Some(Trouble::Full));
    assert_eq!(keep(&repository, "Basic/b"), Ok(()), "durable, and chained later");
    assert_eq!(flush(), Err(IssueType::Transient));
    assert_eq!(keep(&repository, "Basic/lost"), Err(IssueType::Transient));
    store.is(None);
    assert_eq!(flush(), Ok(()));
    assert_eq!((keep(&repository, "Basic/c"), flush()), (Ok(()), Ok(())));
    store.is(Some(Trouble::Panic));
    assert_eq!(keep(&repository, "Basic/d"), Ok(()));
    assert_eq!(flush(), Err(IssueType::Transient));
    assert_eq!(keep(&repository, "Basic/late"), Err(IssueType::Transient), "nobody waits for a thread that is gone");
    assert!(repository.ledger().settle(None).is_err());
    assert_eq!(chained(&house), ["Basic/a", "Basic/b", "Basic/c"]);
}

/// What is durable and not chained when the process ends, is chained by the next.
#[test]
fn goes_on_with_the_journal() {
    let house = House::new();
    let (repository, store) = troubled(&house);
    for of in ["Basic/a", "Basic/b"] {
        assert_eq!(keep(&repository, of), Ok(()));
    }
    repository.ledger().flush().expect("chained");
    store.is(Some(Trouble::Full));
    for of in ["Basic/c", "Basic/d"] {
        assert_eq!(keep(&repository, of), Ok(()));
    }
    drop((repository, store));
    assert_eq!(chained(&house), ["Basic/a", "Basic/b"]);
    assert_eq!(house.verified(None).pending, 2);
    house.repository.ledger().flush().expect("chained");
    assert_eq!(chained(&house), ["Basic/a", "Basic/b", "Basic/c", "Basic/d"]);
    assert_eq!(house.verified(None).pending, 0);
    let house = house.reopened();
    house.account_for("Patient/ann", "Basic/e");
    assert_eq!(chained(&house).len(), 5, "none is chained twice");
}
