//! One page as a stretch of the order of hits, and whether there are hits on either side of it.

use super::order::{Direction, Gap, Position, Side};
use crate::{Cursor, Found, Page, StoreError};

/// What part of the order is wanted: `wanted` positions beyond `gap` in a direction, in the order in which they are met.
#[derive(Clone, Copy)]
pub(crate) struct Stretch<'s> {
    pub(crate) gap: Option<&'s Gap>,
    pub(crate) direction: Direction,
    pub(crate) wanted: usize,
}

impl Stretch<'_> {
    pub(crate) fn is_backward(&self) -> bool {
        self.direction == Direction::Backward
    }

    /// The numbers beyond the gap, where only numbers decide: from the first on and before the second.
    pub(crate) fn numbers(&self) -> (u64, u64) {
        match (self.gap.map(Gap::number), self.direction) {
            (None, _) => (0, u64::MAX),
            (Some(number), Direction::Forward) => (number, u64::MAX),
            (Some(number), Direction::Backward) => (0, number),
        }
    }
}

/// At which cursor a page begins, and which way it goes from there.
pub(crate) fn entry(page: &Page) -> (Option<&Cursor>, Direction) {
    match page {
        Page::First => (None, Direction::Forward),
        Page::After(cursor) => (Some(cursor), Direction::Forward),
        Page::Before(cursor) => (Some(cursor), Direction::Backward),
    }
}

/// Notes the cursors on either side of a page that begins at `gap` and shows these positions, the first met first, whose hits are on
/// it. `more` says whether others follow on the way; what comes before the first is asked.
pub(crate) fn end(
    found: &mut Found,
    (gap, direction): (Option<&Gap>, Direction),
    positions: &[Position],
    more: bool,
    any_beyond: impl FnOnce(&Gap, Direction) -> Result<bool, StoreError>,
) -> Result<(), StoreError> {
    let behind = match (positions.first(), gap) {
        (_, None) => None,
        (Some(first), _) => Some(Gap { position: first.clone(), side: entered(direction) }),
        (None, Some(gap)) => Some(gap.clone()),
    };
    let ahead = positions.last().filter(|_| more);
    let ahead = ahead.map(|last| Gap { position: last.clone(), side: entered(direction.reverse()) });
    let behind = match behind {
        Some(gap) if any_beyond(&gap, direction.reverse())? => Some(gap),
        _ => None,
    };
    let (ahead, behind) = (ahead.map(|gap| gap.to_cursor()), behind.map(|gap| gap.to_cursor()));
    match direction {
        Direction::Forward => (found.next, found.previous) = (ahead, behind),
        Direction::Backward => {
            (found.next, found.previous) = (behind, ahead);
            found.hits.reverse();
        }
    }
    Ok(())
}

/// The side of the first position on the way in this direction from which one comes.
fn entered(direction: Direction) -> Side {
    match direction {
        Direction::Forward => Side::Before,
        Direction::Backward => Side::After,
    }
}
