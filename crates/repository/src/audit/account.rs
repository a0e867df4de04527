//! What the server says of one access, before it is kept.

use std::collections::BTreeMap;
use std::net::IpAddr;

use store::{Key, Millis};

use super::code::Encoder;
use crate::Requester;

/// How many resources one record names; how many more there were is told beside them.
pub const DATA_MAX: usize = 50;

/// The longest query that is kept whole, in bytes.
pub const QUERY_MAX: usize = 4096;

/// The longest of all other texts, in bytes.
const TEXT_MAX: usize = 255;

/// How many purposes of use are kept.
const PURPOSES_MAX: usize = 8;

/// One access, or one event of security. It becomes a record for each patient whom it concerns, so that none names two.
#[derive(Clone, Copy, Debug)]
pub struct Account<'a> {
    pub act: Act,
    pub ending: Ending,
    pub requester: &'a Requester,
    /// Where the request came from; `None` for a command on this machine.
    pub peer: Option<IpAddr>,
    /// The value of `X-Request-Id`.
    pub request: &'a str,
    /// The name of an operation (`$everything`); else empty.
    pub operation: &'a str,
    /// The reason for breaking the glass, or why it was refused; else empty.
    pub note: &'a str,
    /// What was asked, below the base URL, as it was sent (`Observation?patient=ann`); empty where that is the data itself.
    pub query: &'a str,
    /// What was seen or written, by patient. With none the record is about the patient to whom the requester is limited, if any.
    pub subjects: &'a [Subject],
}

/// What of an access concerns one patient.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// `None` for data that concerns no patient.
    pub patient: Option<Key>,
    pub data: Vec<Datum>,
}

/// A version of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datum {
    pub key: Key,
    /// 0 when no version was told.
    pub version: u64,
}

macro_rules! acts {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)*) => {
        /// What was done.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Act {
            $($(#[$doc])* $name = $code,)*
        }

        impl Act {
            /// Each, for tests and for reading.
            pub const ALL: &[Act] = &[$(Act::$name),*];
        }
    };
}

// The numbers are kept for ever.
acts! {
    Read = 1,
    Vread = 2,
    HistoryInstance = 3,
    HistoryType = 4,
    HistorySystem = 5,
    SearchType = 6,
    SearchSystem = 7,
    Create = 8,
    Update = 9,
    Patch = 10,
    Delete = 11,
    Operation = 12,
    /// Data left the server in bulk.
    Export = 13,
    /// A person signed in, or was refused.
    SignIn = 20,
    SignOut = 21,
    /// A client showed who it is by an assertion, a secret or a token; kept where that was refused.
    Authenticate = 22,
    /// Access was granted to a client, or refused; the data are the Consents that it rests on.
    Authorize = 23,
    /// Access was withdrawn.
    Revoke = 24,
    /// A person broke the glass: saw what consents hide, for the reason in the note.
    BreakGlass = 25,
    BreakGlassEnd = 26,
    /// A client was registered, changed or removed, or keys were.
    Configure = 27,
    /// An account was made, changed or locked.
    ChangeAccount = 28,
}

impl Act {
    pub(super) fn of(code: u8) -> Option<Act> {
        Act::ALL.iter().copied().find(|act| *act as u8 == code)
    }
}

/// How it ended, <https://hl7.org/fhir/R4/valueset-audit-event-outcome.html>.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Success = 0,
    /// The request was turned down: an answer of 4xx.
    Refused = 4,
    /// The server failed: an answer of 5xx.
    Failed = 8,
}

impl Ending {
    pub(super) fn of(code: u8) -> Option<Ending> {
        [Ending::Success, Ending::Refused, Ending::Failed].into_iter().find(|ending| *ending as u8 == code)
    }
}

/// How much of the query a record tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum QueryPart {
    /// The names of its parameters: values may name somebody else.
    Names = 0,
    Whole = 1,
}

impl QueryPart {
    pub(super) fn of(code: u8) -> Option<QueryPart> {
        [QueryPart::Names, QueryPart::Whole].into_iter().find(|part| *part as u8 == code)
    }
}

/// What becomes one record.
struct Share<'a> {
    patient: Option<&'a Key>,
    query: QueryPart,
    data: &'a [Datum],
}

impl Account<'_> {
    /// As it is kept. What finds records by patient stands first.
    pub(super) fn encode(&self, time: Millis) -> Vec<u8> {
        let mut encoder = Encoder::default();
        let key = |key: &Option<Key>| key.as_ref().map_or("", Key::as_str).to_owned();
        encoder.text(&key(&self.requester.user));
        let shares = self.shares();
        encoder.number(shares.len() as u64);
        shares.iter().for_each(|share| share.encode(&mut encoder));
        encoder.time(time);
        encoder.byte(self.act as u8);
        encoder.byte(self.ending as u8);
        encoder.text_within(&self.requester.client, TEXT_MAX);
        encoder.text_within(&self.requester.client_name, TEXT_MAX);
        encoder.text(&key(&self.requester.organization));
        let purposes = &self.requester.purposes[..self.requester.purposes.len().min(PURPOSES_MAX)];
        encoder.number(purposes.len() as u64);
        purposes.iter().for_each(|purpose| encoder.text_within(purpose, TEXT_MAX));
        encoder.text(&self.peer.map_or(String::new(), |peer| peer.to_string()));
        encoder.text_within(self.request, TEXT_MAX);
        encoder.text_within(self.operation, TEXT_MAX);
        encoder.text_within(self.note, TEXT_MAX);
        encoder.text_within(self.query, QUERY_MAX);
        encoder.finish()
    }

    /// What each record is about. The query stands whole in the records of the patient to whom the requester is limited, and of none: what
    /// staff ask may name other patients than the one who reads of it.
    fn shares(&self) -> Vec<Share<'_>> {
        let limit = self.requester.patient.as_ref();
        if self.subjects.is_empty() {
            return vec![Share { patient: limit, query: QueryPart::Whole, data: &[] }];
        }
        let share = |subject: &'_ Subject| match subject.patient.as_ref() {
            patient if patient.is_none() || patient == limit => QueryPart::Whole,
            _ => QueryPart::Names,
        };
        let of_subjects = self.subjects.iter();
        let mut shares: Vec<_> = of_subjects
            .map(|subject| Share { patient: subject.patient.as_ref(), query: share(subject), data: &subject.data })
            .collect();
        if !self.query.is_empty() && shares.iter().all(|share| share.query == QueryPart::Names) {
            shares.insert(0, Share { patient: None, query: QueryPart::Whole, data: &[] });
        }
        shares
    }
}

impl Share<'_> {
    fn encode(&self, encoder: &mut Encoder) {
        encoder.text(self.patient.map_or("", Key::as_str));
        encoder.byte(self.query as u8);
        let data = &self.data[..self.data.len().min(DATA_MAX)];
        encoder.number((self.data.len() - data.len()) as u64);
        encoder.number(data.len() as u64);
        for datum in data {
            encoder.text(datum.key.as_str());
            encoder.number(datum.version);
        }
    }
}

impl Datum {
    /// A version, as it was read or written.
    pub fn of(version: &store::Version) -> Datum {
        Datum { key: version.key.clone(), version: version.version }
    }
}

impl Subject {
    /// What was seen or written, each with the patients whom it concerns, by patient. A Patient resource concerns itself alone: the record
    /// of another never names it.
    pub fn by_patient(seen: impl IntoIterator<Item = (Datum, Vec<Key>)>) -> Vec<Subject> {
        let mut subjects: BTreeMap<Option<Key>, Vec<Datum>> = BTreeMap::new();
        for (datum, patients) in seen {
            if datum.key.collection() == "Patient" {
                subjects.entry(Some(datum.key.clone())).or_default().push(datum);
            } else if patients.is_empty() {
                subjects.entry(None).or_default().push(datum);
            } else {
                for patient in patients {
                    subjects.entry(Some(patient)).or_default().push(datum.clone());
                }
            }
        }
        subjects.into_iter().map(|(patient, data)| Subject { patient, data }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::key;

    #[test]
    fn groups_by_patient() {
        let seen = [
            ("Observation/o", &["Patient/bob"][..]),
            ("Patient/ann", &["Patient/ann", "Patient/bob"]),
            ("Slot/s", &[]),
            ("Appointment/a", &["Patient/ann", "Patient/bob"]),
        ];
        let seen = seen.map(|(of, patients)| {
            (Datum { key: key(of), version: 1 }, patients.iter().map(|patient| key(patient)).collect())
        });
        let subjects = Subject::by_patient(seen);
        let shown: Vec<_> = subjects
            .iter()
            .map(|subject| {
                let data: Vec<_> = subject.data.iter().map(|datum| datum.key.as_str()).collect();
                format!("{}: {}", subject.patient.as_ref().map_or("none", Key::id), data.join(" "))
            })
            .collect();
        assert_eq!(shown, ["none: Slot/s", "ann: Patient/ann Appointment/a", "bob: Observation/o Appointment/a"]);
    }
}
