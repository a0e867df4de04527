//! Claims and settings: they have no history, so those that differ are written.

use std::cmp::Ordering;
use std::collections::VecDeque;

use blake3::{Hash, Hasher};
use repository::moving;
use store::{NamedValue, Write};

use super::mark::MARK;
use super::{Copy, CopyError, Side};

/// How many bytes of values are read or committed at a time, about.
const BYTES: usize = 8 << 20;

/// And how many values.
const COUNT: usize = 1_000;

/// The values of a store in the order of their names, without those that stay where they are.
pub(super) struct Values<'s> {
    side: Side<'s>,
    after: Option<Vec<u8>>,
    page: VecDeque<NamedValue>,
    /// How many are read next: as many as are about [`BYTES`] when they are as large as the last.
    count: usize,
}

impl<'s> Values<'s> {
    pub(super) fn of(side: &Side<'s>) -> Values<'s> {
        Values { side: side.clone(), after: None, page: VecDeque::new(), count: 8 }
    }

    pub(super) fn next(&mut self) -> Result<Option<NamedValue>, CopyError> {
        loop {
            match self.page.pop_front() {
                Some((name, _)) if name == MARK || moving::is_of_process(&name) => {}
                Some(value) => return Ok(Some(value)),
                None if !self.read()? => return Ok(None),
                None => {}
            }
        }
    }

    /// Reads the next ones; false at the end.
    fn read(&mut self) -> Result<bool, CopyError> {
        let snapshot = self.side.store.snapshot();
        let values = snapshot.and_then(|snapshot| snapshot.values(b"", self.after.as_deref(), self.count));
        let values = values.map_err(|error| self.side.failed(error))?;
        let Some((last, _)) = values.last() else { return Ok(false) };
        self.after = Some(last.clone());
        let largest = values.iter().map(|(name, value)| name.len() + value.len()).max().unwrap_or(0);
        self.count = (BYTES / largest.max(1)).clamp(1, (2 * self.count).min(COUNT));
        self.page = values.into();
        Ok(true)
    }
}

/// What leads from the values of the target to those of the source.
fn next_difference(
    source: &mut Option<NamedValue>,
    target: &mut Option<NamedValue>,
) -> Option<(Ordering, Option<Write>)> {
    let order = match (source.as_ref(), target.as_ref()) {
        (None, None) => return None,
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (Some((source, _)), Some((target, _))) => source.cmp(target),
    };
    let write = match order {
        Ordering::Equal if source == target => None,
        Ordering::Less | Ordering::Equal => source.take().map(|(name, value)| Write::Set { name, value }),
        Ordering::Greater => target.take().map(|(name, _)| Write::Release { name }),
    };
    Some((order, write))
}

impl Copy<'_> {
    /// Makes the values of the target those of the source.
    pub(super) fn copy_values(&mut self) -> Result<(), CopyError> {
        let (mut from, mut to) = (Values::of(&self.source), Values::of(&self.target));
        let (mut source, mut target) = (from.next()?, to.next()?);
        let (mut writes, mut bytes) = (Vec::new(), 0);
        while let Some((order, write)) = next_difference(&mut source, &mut target) {
            if let Some(Write::Set { name, value }) = &write {
                bytes += name.len() + value.len();
            }
            writes.extend(write);
            if writes.len() >= COUNT || bytes >= BYTES {
                self.commit(std::mem::take(&mut writes))?;
                bytes = 0;
            }
            if order != Ordering::Greater {
                source = from.next()?;
            }
            if order != Ordering::Less {
                target = to.next()?;
            }
        }
        self.commit(writes)
    }

    /// How many values there are, and a hash of all; refused where the two stores do not have the same.
    pub(super) fn compare_values(&self) -> Result<(u64, Hash), CopyError> {
        let (mut from, mut to) = (Values::of(&self.source), Values::of(&self.target));
        let (mut count, mut hasher) = (0, Hasher::new());
        loop {
            let (source, target) = (from.next()?, to.next()?);
            if source != target {
                let name = [&source, &target].into_iter().flatten().map(|(name, _)| name).min();
                return Err(CopyError(format!(
                    "the stored value `{}` is not the same in {} and in {}",
                    name.map(|name| name.escape_ascii().to_string()).unwrap_or_default(),
                    self.target.name,
                    self.source.name
                )));
            }
            let Some((name, value)) = source else { return Ok((count, hasher.finalize())) };
            for part in [name, value] {
                hasher.update(&(part.len() as u64).to_be_bytes()).update(&part);
            }
            count += 1;
        }
    }
}
