//! What is kept of one access for one patient.

use store::{Key, Millis};

use super::account::QueryPart;
use super::code::Decoder;
use super::{Act, Datum, Ending};

/// One record: what an [`super::Account`] says of one patient, or of none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub time: Millis,
    pub act: Act,
    pub ending: Ending,
    pub client: String,
    pub client_name: String,
    pub user: Option<Key>,
    pub organization: Option<Key>,
    pub purposes: Vec<String>,
    /// Empty for a command on the server's machine.
    pub peer: String,
    pub request: String,
    pub operation: String,
    pub note: String,
    /// Without the values of its parameters where they may name somebody else.
    pub query: String,
    pub patient: Option<Key>,
    pub data: Vec<Datum>,
    /// How many resources there were besides the data.
    pub more: u64,
}

/// The records of an account as it is kept; `None` when it is damaged.
pub(super) fn decode(account: &[u8]) -> Option<Vec<Record>> {
    let mut decoder = Decoder(account);
    let (user, shares) = decode_shares(&mut decoder)?;
    let time = decoder.time()?;
    let act = Act::of(decoder.byte()?)?;
    let ending = Ending::of(decoder.byte()?)?;
    let mut text = || decoder.text().map(str::to_owned);
    let (client, client_name) = (text()?, text()?);
    let organization = key(&text()?)?;
    let count = decoder.count()?;
    let purposes: Vec<_> = (0..count).map(|_| decoder.text().map(str::to_owned)).collect::<Option<_>>()?;
    let mut text = || decoder.text().map(str::to_owned);
    let (peer, request, operation, note, query) = (text()?, text()?, text()?, text()?, text()?);
    let record = |share: Share| Record {
        time,
        act,
        ending,
        client: client.clone(),
        client_name: client_name.clone(),
        user: user.clone(),
        organization: organization.clone(),
        purposes: purposes.clone(),
        peer: peer.clone(),
        request: request.clone(),
        operation: operation.clone(),
        note: note.clone(),
        query: match share.query {
            QueryPart::Whole => query.clone(),
            QueryPart::Names => names_of(&query),
        },
        patient: share.patient,
        data: share.data,
        more: share.more,
    };
    decoder.0.is_empty().then(|| shares.into_iter().map(record).collect())
}

/// The patients by whom each record of an account is found. `None` when it is damaged.
pub(super) fn patients(account: &[u8]) -> Option<Vec<[Option<Key>; 2]>> {
    let (user, shares) = decode_shares(&mut Decoder(account))?;
    Some(shares.into_iter().map(|share| found_by(share.patient, user.as_ref())).collect())
}

/// How many records an account has.
pub(super) fn count(account: &[u8]) -> Option<u32> {
    let mut decoder = Decoder(account);
    decoder.text()?;
    u32::try_from(decoder.count()?).ok()
}

impl Record {
    /// The patients by whom it is found: whom it concerns, and who did it.
    pub(super) fn found_by(&self) -> [Option<Key>; 2] {
        found_by(self.patient.clone(), self.user.as_ref())
    }
}

fn found_by(patient: Option<Key>, user: Option<&Key>) -> [Option<Key>; 2] {
    let user = user.filter(|user| user.collection() == "Patient" && Some(*user) != patient.as_ref());
    [patient, user.cloned()]
}

struct Share {
    patient: Option<Key>,
    query: QueryPart,
    more: u64,
    data: Vec<Datum>,
}

fn decode_shares(decoder: &mut Decoder<'_>) -> Option<(Option<Key>, Vec<Share>)> {
    let user = key(decoder.text()?)?;
    let count = decoder.count()?;
    let shares = (0..count).map(|_| {
        let patient = key(decoder.text()?)?;
        let query = QueryPart::of(decoder.byte()?)?;
        let more = decoder.number()?;
        let count = decoder.count()?;
        let datum =
            |decoder: &mut Decoder<'_>| Some(Datum { key: Key::parse(decoder.text()?)?, version: decoder.number()? });
        let data = (0..count).map(|_| datum(decoder)).collect::<Option<_>>()?;
        Some(Share { patient, query, more, data })
    });
    Some((user, shares.collect::<Option<_>>()?))
}

/// A key that may be missing; `None` when it is damaged.
fn key(text: &str) -> Option<Option<Key>> {
    match text {
        "" => Some(None),
        _ => Key::parse(text).map(Some),
    }
}

/// A query with the values of its parameters and the ids in its path left out.
pub(super) fn names_of(query: &str) -> String {
    let (path, parameters) = query.split_once('?').map_or((query, None), |(path, rest)| (path, Some(rest)));
    let is_name = |at: usize, part: &str| at == 0 || part.starts_with(['$', '_']);
    let path: Vec<_> =
        path.split('/').enumerate().map(|(at, part)| if is_name(at, part) { part } else { "*" }).collect();
    let path = path.join("/");
    let Some(parameters) = parameters else { return path };
    let name = |parameter: &str| parameter.split_once('=').map_or(String::new(), |(name, _)| format!("{name}="));
    let names: Vec<_> = parameters.split('&').map(name).collect();
    format!("{path}?{}", names.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_values_out_of_queries() {
        let cases = [
            ("", ""),
            ("Observation?patient=ann,bob&code=1&bob", "Observation?patient=&code=&"),
            ("Patient/bob/Observation?date=ge2027", "Patient/*/*?date="),
            ("Patient/bob/$everything", "Patient/*/$everything"),
            ("Patient/bob/_history/3", "Patient/*/_history/*"),
            ("Patient/_search?name=a=b", "Patient/_search?name="),
        ];
        for (query, names) in cases {
            assert_eq!(names_of(query), names, "{query}");
        }
    }
}
