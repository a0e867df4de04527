//! Page links without state: a sealed keyset position, which only the search and the caller that it was made for may use. What is in it
//! counts documents, those that the caller may not see among them, and so it is not readable.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fhir::{IssueType, Outcome};
use repository::{Counted, Cursor, new_id};
use store::{Batch, Page, Store, StoreError, Write};

use crate::negotiate::PAGE;

/// Where a page starts, and what the pages before it already know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) page: Page,
    /// How many matches there are in all, counted for the first page.
    pub(crate) total: Option<Counted>,
}

/// Makes and checks the tokens of page links.
pub(crate) struct Signer {
    key: [u8; KEY_BYTES],
}

const KEY_BYTES: usize = 32;
const MAC_BYTES: usize = 16;

/// Under which name the store keeps the key, so that links outlive the process and fit every process over one store.
const KEY_NAME: &[u8] = b"server/page-key";

/// Layout: the MAC, then under its cipher a byte for the direction, 8 for the total (all ones for none, the highest bit for an estimate), and
/// the cursor.
const AFTER: u8 = 1;
const BEFORE: u8 = 2;
const TOTAL_BYTES: usize = 8;
const ESTIMATE: u64 = 1 << 63;

impl Signer {
    /// Takes the key from the store, or makes one there.
    pub(crate) fn open(store: &dyn Store) -> Result<Signer, StoreError> {
        loop {
            if let Some(key) = store.snapshot()?.value(KEY_NAME)? {
                let key = key.try_into().map_err(|_| {
                    StoreError::Unusable("the key of page links in the store has a wrong length".to_owned())
                })?;
                return Ok(Signer { key });
            }
            let claim = Write::Claim { name: KEY_NAME.to_vec(), value: random_key().to_vec() };
            match store.commit(Batch { preconditions: Vec::new(), writes: vec![claim] }) {
                Ok(_) | Err(StoreError::Claimed(_)) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The token of a position in the search that `subject` (path and query of its links) names.
    pub(crate) fn sign(&self, subject: &str, position: &Position) -> String {
        let (direction, cursor) = match &position.page {
            Page::First => (AFTER, [].as_slice()),
            Page::After(cursor) => (AFTER, cursor.0.as_slice()),
            Page::Before(cursor) => (BEFORE, cursor.0.as_slice()),
        };
        let mut payload = Vec::with_capacity(1 + TOTAL_BYTES + cursor.len());
        payload.push(direction);
        payload.extend_from_slice(&total_number(position.total).to_be_bytes());
        payload.extend_from_slice(cursor);
        let mac = self.mac(subject, &payload);
        self.apply_cipher(&mac, &mut payload);
        URL_SAFE_NO_PAD.encode([mac.as_slice(), &payload].concat())
    }

    /// The position that a token holds; refused when this server did not make it for this search.
    pub(crate) fn open_token(&self, subject: &str, token: &str) -> Result<Position, Outcome> {
        let text = format!("`{PAGE}` is no page of this search; follow the links of a search Bundle as they are");
        self.position(subject, token).ok_or_else(|| Outcome::new(IssueType::BadRequest, text))
    }

    fn position(&self, subject: &str, token: &str) -> Option<Position> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (mac, payload) = bytes.split_first_chunk::<MAC_BYTES>()?;
        let mut payload = payload.to_vec();
        self.apply_cipher(mac, &mut payload);
        let expected = self.mac(subject, &payload);
        let differing = mac.iter().zip(expected).fold(0, |differing, (given, right)| differing | (given ^ right));
        if differing != 0 {
            return None;
        }
        let (&direction, rest) = payload.split_first()?;
        let (total, cursor) = rest.split_first_chunk::<TOTAL_BYTES>()?;
        let cursor = Cursor(cursor.to_vec());
        let page = if direction == BEFORE { Page::Before(cursor) } else { Page::After(cursor) };
        let total = Some(u64::from_be_bytes(*total)).filter(|total| *total != u64::MAX);
        let total = total.map(|total| Counted { count: total & !ESTIMATE, exact: total & ESTIMATE == 0 });
        Some(Position { page, total })
    }

    fn mac(&self, subject: &str, payload: &[u8]) -> [u8; MAC_BYTES] {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(&(subject.len() as u64).to_be_bytes()).update(subject.as_bytes()).update(payload);
        let mut mac = [0; MAC_BYTES];
        mac.copy_from_slice(&hasher.finalize().as_bytes()[..MAC_BYTES]);
        mac
    }

    /// Enciphers a payload, or deciphers it. The MAC of what is enciphered stands for the nonce (a synthetic IV): equal payloads look equal,
    /// and no others do.
    fn apply_cipher(&self, mac: &[u8; MAC_BYTES], payload: &mut [u8]) {
        let key = blake3::derive_key("flint page link cipher", &self.key);
        let mut stream = vec![0; payload.len()];
        blake3::Hasher::new_keyed(&key).update(mac).finalize_xof().fill(&mut stream);
        payload.iter_mut().zip(stream).for_each(|(byte, mask)| *byte ^= mask);
    }
}

fn total_number(total: Option<Counted>) -> u64 {
    match total {
        None => u64::MAX,
        Some(Counted { count, exact: true }) => count,
        Some(Counted { count, exact: false }) => count | ESTIMATE,
    }
}

/// Four ids hold 296 random bits.
fn random_key() -> [u8; KEY_BYTES] {
    let mut hasher = blake3::Hasher::new();
    for _ in 0..4 {
        hasher.update(new_id().as_bytes());
    }
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_its_own_tokens_only() {
        let signer = Signer { key: [7; KEY_BYTES] };
        let positions = [
            Position { page: Page::After(Cursor(vec![1, 2, 3])), total: Some(Counted::exactly(12)) },
            Position { page: Page::After(Cursor(vec![9])), total: Some(Counted { count: 640, exact: false }) },
            Position { page: Page::Before(Cursor(vec![])), total: None },
        ];
        for position in positions {
            let token = signer.sign("Patient?name=x", &position);
            assert_eq!(signer.open_token("Patient?name=x", &token), Ok(position));
            assert!(signer.open_token("Patient?name=y", &token).is_err());
            assert!(Signer { key: [8; KEY_BYTES] }.open_token("Patient?name=x", &token).is_err());
            for at in 0..token.len() {
                let mut forged = token.clone().into_bytes();
                forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
                let forged = String::from_utf8(forged).expect("ASCII");
                assert!(signer.open_token("Patient?name=x", &forged).is_err(), "{at}");
            }
        }
        for token in ["", "A", "!!", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
            assert!(signer.open_token("Patient", token).is_err(), "{token}");
        }
    }
}
