//! What a session has shown and written, and whose records that was: what the audit is told.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use fhir::Outcome;
use search::Registry;
use store::{HistoryScope, Hit, Index, Key, Row, Version};

use crate::audit::{Account, Act, Datum, Ending, Subject, Ticket};
use crate::consent::is_public;
use crate::{Requester, Session, emergency};

/// Where a request comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Who is at the other end; `None` for a command on this machine.
    pub peer: Option<IpAddr>,
    /// The value of `X-Request-Id`.
    pub request: String,
}

/// The resource type of the audit's events.
pub(crate) const EVENT: &str = "AuditEvent";

/// All that was shown in one request and is not accounted for yet.
#[derive(Debug, Default)]
pub(crate) struct Trail(Mutex<Vec<Shown>>);

/// One thing that was shown.
#[derive(Debug)]
struct Shown {
    what: What,
    /// The operation in which that was; else empty.
    operation: &'static str,
    seen: Vec<Seen>,
    /// Whose records were asked about, whether or not anything of them was shown.
    asked: BTreeSet<Key>,
}

/// A version that was shown.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) datum: Datum,
    /// Whose record it is in.
    pub(crate) patients: BTreeSet<Key>,
}

/// What was asked for.
#[derive(Clone, Debug)]
pub(crate) enum What {
    Read,
    Vread,
    History(HistoryScope),
    /// The resource types, and the query as it was understood.
    Search {
        types: Vec<&'static str>,
        query: String,
    },
}

impl Trail {
    fn add(&self, shown: Shown) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(shown);
    }

    fn take(&self) -> Vec<Shown> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Session<'_> {
    /// The same session for a request from there.
    pub fn from(self, origin: Origin) -> Self {
        Session { origin: origin.into(), ..self }
    }

    /// The same session for an operation with this name, without its `$`.
    pub fn during(&self, operation: &'static str) -> Self {
        Session { operation, ..self.clone() }
    }

    /// Makes the events that the audit still owes, before they are looked for.
    pub(crate) fn settle_audit(&self) -> Result<(), Outcome> {
        match self.accounts() {
            true => self.repository.ledger().settle(self.access.only_patient()),
            false => Ok(()),
        }
    }

    /// Whether what is shown must be accounted for.
    pub(crate) fn accounts(&self) -> bool {
        self.trail.is_some()
    }

    /// Notes what is shown, where it must be accounted for.
    pub(crate) fn note(&self, what: What, seen: Vec<Seen>) {
        self.note_asked(what, seen, BTreeSet::new());
    }

    /// The same, where patients were asked about: that nothing is found, or how much, tells of them, too.
    pub(crate) fn note_asked(&self, what: What, seen: Vec<Seen>, asked: BTreeSet<Key>) {
        if let Some(trail) = &self.trail {
            trail.add(Shown { what, operation: self.operation, seen, asked });
        }
    }

    /// Accounts for all that was shown through this session and its clones. Nothing of it may be disclosed before the ticket ends well;
    /// `None` when there is nothing to account for.
    pub fn account(&self) -> Option<Ticket> {
        let (trail, requester) = (self.trail.as_ref()?, self.requester()?);
        let mut told = Vec::new();
        for shown in trail.take() {
            let subjects = shown.subjects();
            if !subjects.is_empty() || shown.what.is_about_records() {
                told.push((shown, subjects));
            }
        }
        let emergency = self.in_emergency(requester, &told);
        let requester = emergency.as_ref().unwrap_or(requester);
        let queries: Vec<_> = told.iter().map(|(shown, _)| shown.what.query()).collect();
        let accounts = told.iter().zip(&queries).map(|((shown, subjects), query)| Account {
            act: shown.what.act(shown.operation),
            query,
            subjects,
            ..self.told(requester, shown.operation)
        });
        let accounts: Vec<_> = accounts.collect();
        (!accounts.is_empty()).then(|| self.repository.ledger().append(&accounts))
    }

    /// The requester with the purpose of an emergency, where that was declared about somebody who was seen.
    fn in_emergency(&self, requester: &Requester, told: &[(Shown, Vec<Subject>)]) -> Option<Requester> {
        emergency::declarer(requester)?;
        let elevations = emergency::elevations(&*self.snapshot().ok()?, requester, self.now()).ok()?;
        let is_about = |patient: &Key| elevations.iter().any(|elevation| elevation.patient == *patient);
        let mut patients =
            told.iter().flat_map(|(_, subjects)| subjects).filter_map(|subject| subject.patient.as_ref());
        patients.any(is_about).then(|| {
            let purposes = requester.purposes.iter().cloned().chain([emergency::BREAK_GLASS.to_owned()]);
            Requester { purposes: purposes.collect(), ..requester.clone() }
        })
    }

    /// Accounts for a request that was turned down, without waiting for it.
    pub fn account_refusal(&self, operation: &'static str, act: Act, query: &str) {
        if let Some(requester) = self.requester() {
            let account = Account { act, ending: Ending::Refused, query, ..self.told(requester, operation) };
            drop(self.repository.ledger().append(&[account]));
        }
    }

    /// An account that only says who asks.
    pub(crate) fn told<'a>(&'a self, requester: &'a Requester, operation: &'a str) -> Account<'a> {
        Account {
            act: Act::Read,
            ending: Ending::Success,
            requester,
            peer: self.origin.peer,
            request: &self.origin.request,
            operation,
            note: "",
            query: "",
            subjects: &[],
        }
    }

    /// What a hit shows. It must carry its rows in [`indexes`].
    pub(crate) fn seen_hit(&self, hit: &Hit) -> Seen {
        let indexes = self.registry().patient_indexes(hit.key.collection());
        let patients = patients(&hit.key, hit.rows.iter().filter(|row| indexes.contains(&row.index)));
        let version = hit.version.as_ref().map_or(0, |version| version.version);
        Seen { datum: Datum { key: hit.key.clone(), version }, patients }
    }
}

impl What {
    fn act(&self, operation: &str) -> Act {
        match self {
            _ if !operation.is_empty() => Act::Operation,
            What::Read => Act::Read,
            What::Vread => Act::Vread,
            What::History(HistoryScope::Document(_)) => Act::HistoryInstance,
            What::History(HistoryScope::Collection(_)) => Act::HistoryType,
            What::History(HistoryScope::All) => Act::HistorySystem,
            What::Search { types, .. } if types.len() == 1 => Act::SearchType,
            What::Search { .. } => Act::SearchSystem,
        }
    }

    /// What was asked, below the base URL; empty where that is what was seen.
    fn query(&self) -> String {
        match self {
            What::Read | What::Vread => String::new(),
            What::History(HistoryScope::Document(key)) => format!("{key}/_history"),
            What::History(HistoryScope::Collection(name)) => format!("{name}/_history"),
            What::History(HistoryScope::All) => "_history".to_owned(),
            What::Search { types, query } => match types.as_slice() {
                [name] => format!("{name}?{query}"),
                _ => format!("?{query}"),
            },
        }
    }

    /// Whether somebody's record was asked for, although nobody's may have been found.
    pub(crate) fn is_about_records(&self) -> bool {
        match self {
            What::Read | What::Vread | What::History(HistoryScope::Document(_)) => false,
            What::History(HistoryScope::All) => true,
            What::History(HistoryScope::Collection(name)) => !is_public(name),
            What::Search { types, .. } => types.iter().any(|name| !is_public(name)),
        }
    }
}

impl Seen {
    pub(crate) fn of(version: &Version, patients: BTreeSet<Key>) -> Seen {
        Seen { datum: Datum::of(version), patients }
    }
}

impl Shown {
    /// What was seen by patient. What is open to everybody is nobody's record.
    fn subjects(&self) -> Vec<Subject> {
        let is_of_record = |seen: &&Seen| !seen.patients.is_empty() || !is_public(seen.datum.key.collection());
        let mut subjects = by_patient(self.seen.iter().filter(is_of_record));
        let mut others = self.asked.clone();
        for patient in subjects.iter().filter_map(|subject| subject.patient.as_ref()) {
            others.remove(patient);
        }
        subjects.extend(others.into_iter().map(|patient| Subject { patient: Some(patient), data: Vec::new() }));
        subjects
    }
}

/// What was seen by patient.
pub(crate) fn by_patient<'s>(seen: impl IntoIterator<Item = &'s Seen>) -> Vec<Subject> {
    let each = seen.into_iter().map(|seen| (seen.datum.clone(), seen.patients.iter().cloned().collect()));
    Subject::by_patient(each)
}

/// The indexes by which the patients are known whom resources of these types are about.
pub(crate) fn indexes(registry: &Registry, types: &[&str]) -> Vec<Index> {
    types.iter().flat_map(|resource_type| registry.patient_indexes(resource_type)).copied().collect()
}

/// The patients whom a resource with these rows is about.
pub(crate) fn patients<'r>(key: &Key, rows: impl IntoIterator<Item = &'r Row>) -> BTreeSet<Key> {
    let mut patients: BTreeSet<Key> = (key.collection() == "Patient").then(|| key.clone()).into_iter().collect();
    let mut last: &[u8] = &[];
    for row in rows {
        // Several parameters often name one patient.
        if row.value != last && row.value.ends_with(b"\0Patient") {
            last = &row.value;
            patients.extend(Key::from_link(last));
        }
    }
    patients
}
