//! Rows of several indexes as if they were one.

use super::scan::{Rows, Way};
use crate::StoreError;

/// Rows in order of value and number, those of one document and value once.
pub(super) struct Merged<'r, 't> {
    sources: Vec<Rows<'r, 't>>,
    /// The next row of each source that has one: value, number, source. The next of all stands last.
    heads: Vec<(&'t [u8], u64, usize)>,
    way: Way,
}

impl<'r, 't> Merged<'r, 't> {
    /// All `sources` go this way.
    pub(super) fn new(sources: Vec<Rows<'r, 't>>, way: Way) -> Result<Merged<'r, 't>, StoreError> {
        let mut merged = Merged { heads: Vec::with_capacity(sources.len()), sources, way };
        for source in 0..merged.sources.len() {
            merged.refill(source)?;
        }
        Ok(merged)
    }

    fn refill(&mut self, source: usize) -> Result<(), StoreError> {
        let Some(row) = self.sources[source].next() else { return Ok(()) };
        let (value, number) = row?;
        let is_later = |head: &(&[u8], u64, usize)| match self.way {
            Way::Up => (head.0, head.1) > (value, number),
            Way::Down => (head.0, head.1) < (value, number),
        };
        let at = self.heads.partition_point(is_later);
        self.heads.insert(at, (value, number, source));
        Ok(())
    }
}

impl<'t> Iterator for Merged<'_, 't> {
    type Item = Result<(&'t [u8], u64), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (value, number, source) = self.heads.pop()?;
        if let Err(error) = self.refill(source) {
            return Some(Err(error));
        }
        while let Some((_, _, same)) = self.heads.pop_if(|(other, at, _)| (*other, *at) == (value, number)) {
            if let Err(error) = self.refill(same) {
                return Some(Err(error));
            }
        }
        Some(Ok((value, number)))
    }
}
