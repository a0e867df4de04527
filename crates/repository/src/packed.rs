//! Values too large for a resource or a commit, such as a whole terminology: in pieces beside the resources.
//!
//! Invariants:
//! - A value is replaced as a whole: its pieces are written beside those of the former value, and the commit of a note makes them the
//!   current ones. Where that commit does not come, the former value stays, and the next attempt writes over what was left.
//! - No commit holds more than [`COMMIT_BYTES`].

use fhir::Outcome;
use store::{Batch, Write};

use crate::{Change, Changed, Note, Refusal, Session, fault};

/// The length of a piece, in bytes; the last may be shorter.
const PIECE_BYTES: usize = 1 << 20;

/// How many bytes a commit of pieces has.
const COMMIT_BYTES: usize = 8 << 20;

/// Where the current value lies: every value goes where the one before the last was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// How many values there were before.
    serial: u64,
    bytes: usize,
}

impl Place {
    /// Where the value of this name lies; `None` when there is none.
    pub(crate) fn find(session: &Session<'_>, name: &str) -> Result<Option<Place>, Outcome> {
        let Some(noted) = session.noted(&noted_as(name))? else { return Ok(None) };
        let place = noted
            .split_once(' ')
            .and_then(|(serial, bytes)| Some(Place { serial: serial.parse().ok()?, bytes: bytes.parse().ok()? }));
        place.map(Some).ok_or_else(|| damaged(name))
    }

    /// The value itself.
    pub(crate) fn read(&self, session: &Session<'_>, name: &str) -> Result<Vec<u8>, Outcome> {
        let snapshot = session.snapshot()?;
        let mut value = Vec::new();
        for number in 0..self.bytes.div_ceil(PIECE_BYTES) {
            let piece = snapshot.value(&piece(name, self.serial, number)).map_err(fault::outcome)?;
            value.extend(piece.ok_or_else(|| damaged(name))?);
        }
        (value.len() == self.bytes).then_some(value).ok_or_else(|| damaged(name))
    }
}

impl Session<'_> {
    /// [`Session::transact`], and what is packed under `name` (at most 400 bytes) is replaced in the same commit. `advance` hears of the bytes
    /// written so far. Two at one time are a fault of the caller.
    pub fn transact_packing(
        &self,
        name: &str,
        value: &[u8],
        changes: Vec<Change>,
        advance: &mut dyn FnMut(usize),
    ) -> Result<Vec<Changed>, Refusal> {
        let former = Place::find(self, name)?;
        let place = Place { serial: former.as_ref().map_or(0, |former| former.serial + 1), bytes: value.len() };
        let mut pieces = value.chunks(PIECE_BYTES).enumerate().peekable();
        while pieces.peek().is_some() {
            let together = pieces.by_ref().take(COMMIT_BYTES / PIECE_BYTES);
            let (mut writes, mut bytes) = (Vec::new(), 0);
            for (number, value) in together {
                bytes += value.len();
                writes.push(Write::Set { name: piece(name, place.serial, number), value: value.to_vec() });
            }
            self.commit(writes)?;
            advance(bytes);
        }
        let note = Note { name: noted_as(name), value: format!("{} {}", place.serial, place.bytes) };
        let changed = self.transact_noting(changes, Some(note))?;
        self.release(name, place.serial, value.len().div_ceil(PIECE_BYTES))?;
        if let Some(former) = former {
            self.release(name, former.serial, 0)?;
        }
        Ok(changed)
    }

    /// Takes away the pieces from this number on.
    fn release(&self, name: &str, serial: u64, from: usize) -> Result<(), Outcome> {
        let mut writes = Vec::new();
        {
            let snapshot = self.snapshot()?;
            for number in from.. {
                let name = piece(name, serial, number);
                if snapshot.value(&name).map_err(fault::outcome)?.is_none() {
                    break;
                }
                writes.push(Write::Release { name });
            }
        }
        if writes.is_empty() { Ok(()) } else { self.commit(writes) }
    }

    fn commit(&self, writes: Vec<Write>) -> Result<(), Outcome> {
        let committed = self.setup().store.commit(Batch { preconditions: Vec::new(), writes });
        committed.map(drop).map_err(fault::outcome)
    }
}

fn noted_as(name: &str) -> String {
    format!("packed/{name}")
}

fn piece(name: &str, serial: u64, number: usize) -> Vec<u8> {
    format!("packed/{name}/{}/{number}", serial % 2).into_bytes()
}

fn damaged(name: &str) -> Outcome {
    fault::exception(&format!("what is packed as `{name}` is damaged"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Access;
    use crate::testing::House;

    fn value(of: u8, bytes: usize) -> Vec<u8> {
        vec![of; bytes]
    }

    #[test]
    fn replaces_values_as_a_whole() {
        let house = House::new();
        let session = house.repository.open(Access::full());
        let read = || Place::find(&session, "a").expect("whole").map(|place| place.read(&session, "a").expect("whole"));
        assert_eq!(read(), None);
        for (of, bytes) in [(1, 10), (2, 0), (3, 20 * PIECE_BYTES + 1), (4, PIECE_BYTES), (5, 3 * PIECE_BYTES)] {
            let mut written = 0;
            let packed = session.transact_packing("a", &value(of, bytes), Vec::new(), &mut |bytes| written += bytes);
            assert!(packed.is_ok_and(|changed| changed.is_empty()));
            assert_eq!(written, bytes);
            assert!(read() == Some(value(of, bytes)), "{of}");
        }
        let snapshot = session.snapshot().expect("a snapshot");
        let left = (0..2).flat_map(|slot| (0..30).map(move |number| piece("a", slot, number)));
        let left = left.filter(|name| snapshot.value(name).expect("readable").is_some());
        assert_eq!(left.count(), 3, "no pieces of former values");
    }

    #[test]
    fn keeps_the_former_value_when_a_replacement_ends_early() {
        let house = House::new();
        let session = house.repository.open(Access::full());
        session.transact_packing("a", b"former", Vec::new(), &mut |_| {}).expect("packed");
        // As a crash leaves it: pieces without a note.
        session.commit(vec![Write::Set { name: piece("a", 1, 0), value: b"half".to_vec() }]).expect("written");
        let place = Place::find(&session, "a").expect("whole").expect("there");
        assert_eq!(place.read(&session, "a").expect("whole"), b"former");
        session.transact_packing("a", b"new", Vec::new(), &mut |_| {}).expect("packed");
        let place = Place::find(&session, "a").expect("whole").expect("there");
        assert_eq!(place.read(&session, "a").expect("whole"), b"new");
    }
}
