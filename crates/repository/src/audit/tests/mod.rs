mod chain;
mod events;
mod keeping;
mod protection;
mod shared;

use bytes::Bytes;
use store::{Batch, Key, Put, Version, Write};

use super::{Account, Act, Datum, Ending, Head, Report, Subject};
use crate::testing::{House, key};
use crate::{Name, Requester};

/// Nurse Joy's app, unless something else is said.
pub(super) fn staff() -> Requester {
    Requester {
        client: "app1".to_owned(),
        client_name: "Ward round".to_owned(),
        user: Some(key("Practitioner/joy")),
        organization: Some(key("Organization/surgery")),
        names: vec![Name::Key(key("Practitioner/joy"))],
        purposes: vec!["TREAT".to_owned()],
        ..Requester::default()
    }
}

/// A person's view of a patient's record.
pub(super) fn view(user: &str, patient: &str) -> Requester {
    Requester {
        user: Some(key(user)),
        organization: None,
        purposes: vec!["PATRQT".to_owned()],
        patient: Some(key(patient)),
        ..staff()
    }
}

pub(super) fn about(patient: Option<&str>, data: &[(&str, u64)]) -> Subject {
    let datum = |(key, version): &(&str, u64)| Datum { key: self::key(key), version: *version };
    Subject { patient: patient.map(key), data: data.iter().map(datum).collect() }
}

pub(super) fn account<'a>(act: Act, requester: &'a Requester, subjects: &'a [Subject]) -> Account<'a> {
    Account {
        act,
        ending: Ending::Success,
        requester,
        peer: Some([192, 0, 2, 7].into()),
        request: "r-1",
        operation: "",
        note: "",
        query: "",
        subjects,
    }
}

impl House {
    /// With AuditEvents made only when they are asked for.
    pub(super) fn without_maker() -> House {
        let house = House::new();
        house.repository.ledger().start_without_maker();
        house
    }

    /// Keeps one account of a read of this resource, durable and chained when it returns.
    pub(super) fn account_for(&self, patient: &str, of: &str) {
        let subjects = [about(Some(patient), &[(of, 1)])];
        let ticket = self.repository.ledger().append(&[account(Act::Read, &staff(), &subjects)]);
        assert_eq!(ticket.wait(), Ok(()));
        assert_eq!(self.repository.ledger().flush(), Ok(()));
    }

    /// The same, as a write leaves it.
    pub(super) fn leave_pending(&self, patient: &str, of: &str) {
        let subjects = [about(Some(patient), &[(of, 1)])];
        let writes = self.repository.ledger().writes(&[account(Act::Update, &staff(), &subjects)]);
        self.write(writes);
    }

    /// Writes past everything, as somebody who has the store in hand.
    pub(super) fn write(&self, writes: Vec<Write>) {
        self.repository.store().commit(Batch { preconditions: Vec::new(), writes }).expect("written");
    }

    pub(super) fn events_of(&self, query: &str) -> Vec<Version> {
        self.search("AuditEvent", query).expect("found").matches
    }

    pub(super) fn verified(&self, noted: Option<Head>) -> Report {
        self.repository.verify_audit(noted, |_, _| {}).expect("a report")
    }
}

pub(super) fn put(key: Key, version: u64, body: &str) -> Write {
    let body = Bytes::from(body.to_owned());
    let (rows, words) = (Vec::new(), Vec::new());
    Write::Put(Put { key, version, body, stamp_at: None, rows, words, time_index: None, mark: 1 })
}
