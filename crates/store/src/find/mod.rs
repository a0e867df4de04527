//! What is the same in every backend that searches: the order of hits, cursors, the ends of a page, what rows say of a filter, and samples.

mod judge;
mod order;
mod place;
mod sample;
mod stretch;

pub(crate) use judge::by_rows;
pub(crate) use order::{Direction, Gap, Order, Position, Top};
pub(crate) use place::{Places, encode};
pub(crate) use sample::{SAMPLE_SHARES, sample_member, samples_of, share};
pub(crate) use stretch::{Stretch, end, entry};

use crate::Index;

/// The rows of one document, sorted.
pub(crate) trait Rows<'r>: Iterator<Item = (Index, &'r [u8])> + Clone {}

impl<'r, T: Iterator<Item = (Index, &'r [u8])> + Clone> Rows<'r> for T {}

/// The values in one index, smallest first.
pub(crate) fn values<'r, R: Rows<'r>>(rows: &R, index: Index) -> impl Iterator<Item = &'r [u8]> + use<'r, R> {
    let from = rows.clone().skip_while(move |(at, _)| *at < index);
    from.take_while(move |(at, _)| *at == index).map(|(_, value)| value)
}
