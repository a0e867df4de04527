//! Where lists meet: documents that have all of some rows, in order of creation either way.
//!
//! The rows of one value are a list in that order. What stands next in one list is looked for in another, from there in the next, and so
//! on, past all that lies between. So lists that meet rarely are hardly read however long they are: all results of a code and all
//! observations of a patient, whose numbers lie close together.

use roaring::RoaringTreemap;

use super::gather::Gathering;
use super::scan::{Reader, Rows, Way};
use super::simplify::FrequentRow;
use crate::StoreError;

/// So many rows in a row cost about as much as looking for one.
pub(super) const SEEK_ROWS: u64 = 8;

/// Lists on their way to the next document that is in all of them.
pub(super) struct Meeting<'r, 't> {
    reader: &'r Reader<'t>,
    lists: Vec<List<'r, 't>>,
    /// Numbers lie in `from..to`.
    from: u64,
    to: u64,
    way: Way,
    /// The first number on the way that may be in all lists.
    goal: u64,
}

/// The documents with one row.
struct List<'r, 't> {
    row: FrequentRow<'r>,
    /// `None` until something is looked for in it.
    rows: Option<Rows<'r, 't>>,
    /// The number of the row that stands next.
    head: Option<u64>,
    /// How many of its rows were read.
    read: u64,
}

/// What the way to the next document came to.
pub(super) enum Met {
    At(u64),
    End,
    Spent,
}

impl Reader<'_> {
    /// The documents in all of these lists, the shortest of which is the first; `None` when finding them takes more than `budget` rows.
    pub(super) fn met(&self, lists: &[FrequentRow<'_>], budget: u64) -> Result<Option<RoaringTreemap>, StoreError> {
        let limit = self.touched().saturating_add(budget);
        let mut meeting = Meeting::new(self, lists, (0, u64::MAX), Way::Up);
        let mut met = Gathering::default();
        loop {
            match meeting.next(limit)? {
                Met::At(number) => met.push(number),
                Met::End => break,
                Met::Spent => return Ok(None),
            }
        }
        let met = met.into_set();
        for List { row: (index, _), read, .. } in &meeting.lists {
            self.note("seek in the list of a value of", Some(*index), self.touched() - read, None);
        }
        self.note("find where the lists meet", None, self.touched(), met.len());
        Ok(Some(met))
    }
}

impl<'r, 't> Meeting<'r, 't> {
    /// Of one list at least, the shortest first, and documents of the reader's population whose numbers lie in `from..to`.
    pub(super) fn new(
        reader: &'r Reader<'t>,
        lists: &[FrequentRow<'r>],
        (from, to): (u64, u64),
        way: Way,
    ) -> Meeting<'r, 't> {
        let lists = lists.iter().map(|row| List { row: *row, rows: None, head: None, read: 0 }).collect();
        let goal = if way == Way::Up { from } else { to.saturating_sub(1) };
        Meeting { reader, lists, from, to, way, goal }
    }

    /// The next document in all lists, unless more than `limit` rows have been touched before it is found.
    pub(super) fn next(&mut self, limit: u64) -> Result<Met, StoreError> {
        let mut agreed = 0;
        for at in (0..self.lists.len()).cycle() {
            if self.reader.touched() > limit {
                return Ok(Met::Spent);
            }
            let Some(head) = self.reach(at)? else { return Ok(Met::End) };
            agreed = if head == self.goal { agreed + 1 } else { 1 };
            self.goal = head;
            if agreed == self.lists.len() {
                break;
            }
        }
        let met = self.goal;
        self.goal = if self.way == Way::Up { met + 1 } else { met.saturating_sub(1) };
        Ok(Met::At(met))
    }

    /// The first number of a list that is not before the goal: a few rows on, or else it is looked for.
    fn reach(&mut self, at: usize) -> Result<Option<u64>, StoreError> {
        let (goal, way) = (self.goal, self.way);
        let list = &mut self.lists[at];
        let mut passed = 0;
        while list.is_before(goal, way) && passed < SEEK_ROWS {
            list.step()?;
            passed += 1;
        }
        if list.rows.is_none() || list.is_before(goal, way) {
            let (from, to) = match way {
                Way::Up => (goal, self.to),
                Way::Down => (self.from, goal.saturating_add(1)),
            };
            list.rows = Some(self.reader.having_between(list.row, from, to, way)?);
            list.step()?;
        }
        Ok(list.head)
    }
}

impl List<'_, '_> {
    fn is_before(&self, goal: u64, way: Way) -> bool {
        self.head.is_some_and(|head| if way == Way::Up { head < goal } else { head > goal })
    }

    fn step(&mut self) -> Result<(), StoreError> {
        let next = self.rows.as_mut().and_then(Iterator::next).transpose()?;
        self.head = next.map(|(_, number)| number);
        self.read += u64::from(next.is_some());
        Ok(())
    }
}
