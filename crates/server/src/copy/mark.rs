//! How far a copy is: kept in its target until it is finished.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use blake3::{Hash, Hasher};
use store::{Cursor, Version};

/// The name of the stored value.
pub(super) const MARK: &[u8] = b"copy/mark";

/// The first word of the value.
const FORMAT: &str = "1";

/// What of the two logs was copied and compared: the target has that, and at most one commit more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// The position of the last version in the log of the source.
    pub(super) source: Option<Cursor>,
    /// And in that of the target.
    pub(super) target: Option<Cursor>,
    pub(super) versions: u64,
    /// Over all of them in order.
    pub(super) hash: Hash,
    /// By what the rows of the source were made when the copy began; empty where some were being made anew.
    pub(super) rows: Vec<u8>,
}

impl Mark {
    /// Before anything is copied.
    pub(super) fn first(rows: Vec<u8>) -> Mark {
        Mark { source: None, target: None, versions: 0, hash: Hash::from_bytes([0; 32]), rows }
    }

    /// These versions, up to these positions, are the same in both.
    pub(super) fn advance<'v>(
        &mut self,
        versions: impl Iterator<Item = &'v Version>,
        source: Option<Cursor>,
        target: Option<Cursor>,
    ) {
        for version in versions {
            self.hash = chained(self.hash, version);
            self.versions += 1;
        }
        (self.source, self.target) = (source, target);
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let position = |cursor: &Option<Cursor>| cursor.as_ref().map_or("-".to_owned(), |Cursor(at)| text(at));
        let Mark { source, target, versions, hash, rows } = self;
        let (source, target, rows) = (position(source), position(target), text(rows));
        format!("{FORMAT} {source} {target} {versions} {hash} {rows}").into_bytes()
    }

    /// What [`Mark::encode`] made; `None` of anything else.
    pub(super) fn decode(value: &[u8]) -> Option<Mark> {
        let mut words = std::str::from_utf8(value).ok()?.split(' ');
        let mut next = || words.next();
        let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
        let position = |text: &str| match text {
            "-" => Some(None),
            text => bytes(text).map(|at| Some(Cursor(at))),
        };
        if next()? != FORMAT {
            return None;
        }
        Some(Mark {
            source: position(next()?)?,
            target: position(next()?)?,
            versions: next()?.parse().ok()?,
            hash: Hash::from_hex(next()?).ok()?,
            rows: bytes(next()?)?,
        })
    }
}

/// The hash of all versions up to this one, whose number, time, mark and body are in it.
fn chained(before: Hash, version: &Version) -> Hash {
    let Version { key, version, time, body, mark } = version;
    let mut hasher = Hasher::new_keyed(before.as_bytes());
    hasher.update(&(key.as_str().len() as u64).to_be_bytes()).update(key.as_str().as_bytes());
    hasher.update(&version.to_be_bytes()).update(&time.to_be_bytes()).update(&[*mark, u8::from(body.is_some())]);
    hasher.update(body.as_deref().unwrap_or_default());
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_wrote() {
        let first = Mark::first(b"10 3 17".to_vec());
        let version = |body: Option<&'static [u8]>, mark| Version {
            key: store::Key::parse("P/1").expect("a key"),
            version: 1,
            time: 5,
            body: body.map(bytes::Bytes::from_static),
            mark,
        };
        let mut later = first.clone();
        let both = [version(Some(b"a"), 0), version(None, 0)];
        later.advance(both.iter(), Some(Cursor(vec![0, 255])), Some(Cursor(vec![])));
        assert_eq!(later.versions, 2);
        for mark in [&first, &later] {
            assert_eq!(Mark::decode(&mark.encode()).as_ref(), Some(mark));
        }
        for foreign in ["", "1", "2 - - 0 00 ", "1 - - x 00 ", "1 - * 0 00 "] {
            assert_eq!(Mark::decode(foreign.as_bytes()), None, "{foreign}");
        }
        // All of a version counts.
        let hash = |versions: &[Version]| versions.iter().fold(first.hash, chained);
        let others = [version(Some(b""), 0), version(None, 0), version(Some(b"a"), 0), version(Some(b"a"), 1)];
        let hashes: std::collections::BTreeSet<_> =
            others.iter().map(|other| hash(std::slice::from_ref(other)).to_string()).collect();
        assert_eq!(hashes.len(), others.len());
        assert_ne!(hash(&both), hash(&[both[1].clone(), both[0].clone()]));
    }
}
