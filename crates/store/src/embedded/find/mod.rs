//! Searching: a planner over index rows.
//!
//! A [`node`] is the filter made ready, [`simplify`] leaves out what goes without saying; [`set`] turns it into the set of its documents; [`walk`] gathers one page in [`order`]; [`scan`]
//! reads rows and counts the cost. Where it is not known which of two ways is cheaper, the way that is cheap if it works is tried under a
//! budget first, so that a search costs at most a small multiple of the better one.

mod node;
mod order;
mod scan;
mod set;
mod simplify;
mod walk;

use self::node::Node;
use self::order::{Direction, Gap, Order, Position, Side};
use self::scan::Reader;
use self::set::PROBE_ROWS;
use self::simplify::without_implied;
use self::walk::{Members, Stretch};
use super::snapshot::read_version;
use super::tables::{View, damaged};
use crate::{Find, Found, Hit, Key, Page, Row, StoreError};

/// Filters whose documents are found within this many rows are turned into a set before anything else.
const SMALL: u64 = 1024;

/// How many rows a page may take without the set of all hits, before that is made after all.
const STREAM_ROWS: u64 = 8192;

pub(super) fn find(view: View<'_>, find: &Find) -> Result<Found, StoreError> {
    let node = without_implied(view, Node::new(&find.filter))?;
    let order = Order { keys: &find.sort };
    let reader = Reader::new(view, find.rows_max);
    let mut search = Search { members: Members::Node(&node), node: &node, order: &order, reader };
    let total = search.plan(find.total)?;
    let mut found = Found { total, ..Found::default() };
    if find.limit > 0 {
        search.page(find, &mut found)?;
    }
    found.rows = search.reader.touched();
    Ok(found)
}

struct Search<'s, 't> {
    reader: Reader<'t>,
    node: &'s Node<'s>,
    order: &'s Order<'s>,
    members: Members<'s, 's>,
}

impl Search<'_, '_> {
    /// Decides whether to make the set of all hits at once, and counts if that is wanted.
    fn plan(&mut self, total: bool) -> Result<Option<u64>, StoreError> {
        match self.reader.set(self.node, SMALL)? {
            Some(set) => {
                let count = set.len();
                self.members = Members::Set(set);
                Ok(total.then_some(count))
            }
            None if !total => Ok(None),
            None => match self.node {
                Node::Everything => Ok(Some(self.reader.view.tables.current.len(self.reader.view.txn)?)),
                Node::Equal(index, value) => self.reader.count(*index, value).map(Some),
                _ => Ok(Some(self.make_set()?)),
            },
        }
    }

    /// Makes the set of all hits, and says how many they are.
    fn make_set(&mut self) -> Result<u64, StoreError> {
        let set = self.reader.whole_set(self.node)?;
        let count = set.len();
        self.members = Members::Set(set);
        Ok(count)
    }

    fn page(&mut self, find: &Find, found: &mut Found) -> Result<(), StoreError> {
        let (gap, direction) = match &find.page {
            Page::First => (None, Direction::Forward),
            Page::After(cursor) => (Some(Gap::from_cursor(cursor, find.sort.len())?), Direction::Forward),
            Page::Before(cursor) => (Some(Gap::from_cursor(cursor, find.sort.len())?), Direction::Backward),
        };
        let wanted = find.limit.saturating_add(1);
        let mut positions = self.gather(Stretch { gap: gap.as_ref(), direction, wanted })?;
        let more = positions.len() > find.limit;
        positions.truncate(find.limit);
        let behind = match (positions.first(), &gap) {
            (_, None) => None,
            (Some(first), _) => Some(Gap { position: first.clone(), side: entry(direction) }),
            (None, Some(gap)) => Some(gap.clone()),
        };
        let ahead = positions.last().filter(|_| more);
        let ahead = ahead.map(|last| Gap { position: last.clone(), side: entry(direction.reverse()) });
        let behind = match behind {
            Some(gap) if self.any_beyond(&gap, direction.reverse())? => Some(gap),
            _ => None,
        };
        let (ahead, behind) = (ahead.map(|gap| gap.to_cursor()), behind.map(|gap| gap.to_cursor()));
        (found.next, found.previous) = match direction {
            Direction::Forward => (ahead, behind),
            Direction::Backward => (behind, ahead),
        };
        if direction == Direction::Backward {
            positions.reverse();
        }
        found.hits = positions.iter().map(|position| self.hit(position, find)).collect::<Result<_, _>>()?;
        Ok(())
    }

    fn any_beyond(&mut self, gap: &Gap, direction: Direction) -> Result<bool, StoreError> {
        Ok(!self.gather(Stretch { gap: Some(gap), direction, wanted: 1 })?.is_empty())
    }

    fn gather(&mut self, stretch: Stretch<'_>) -> Result<Vec<Position>, StoreError> {
        if self.order.keys.is_empty() {
            let numbers = self.gather_numbers(stretch)?;
            return Ok(numbers.into_iter().map(|number| Position { values: Vec::new(), number }).collect());
        }
        if let Members::Node(node) = &self.members {
            let budget = match node {
                Node::Everything => u64::MAX,
                _ => STREAM_ROWS,
            };
            if let Some(found) = self.reader.by_index(&self.members, self.order, stretch, budget)? {
                return Ok(found);
            }
            self.make_set()?;
        }
        let Members::Set(set) = &self.members else { return Err(damaged("rows")) };
        // Walking the index is worth a try when the candidates are many enough that the page fills before all of them could be read.
        let documents = self.reader.view.tables.current.len(self.reader.view.txn)?;
        let sorting = set.len().saturating_mul(PROBE_ROWS);
        let walking = documents.saturating_mul(stretch.wanted as u64) / set.len().max(1);
        if walking < sorting
            && let Some(found) = self.reader.by_index(&self.members, self.order, stretch, sorting)?
        {
            return Ok(found);
        }
        self.reader.by_sorting(set, self.order, stretch)
    }

    fn gather_numbers(&mut self, stretch: Stretch<'_>) -> Result<Vec<u64>, StoreError> {
        let budget = match self.node {
            Node::Everything | Node::Equal(..) => u64::MAX,
            _ => STREAM_ROWS,
        };
        if let Some(numbers) = self.reader.by_number(&self.members, stretch, budget)? {
            return Ok(numbers);
        }
        self.make_set()?;
        let numbers = self.reader.by_number(&self.members, stretch, u64::MAX)?;
        Ok(numbers.expect("a set has no budget"))
    }

    fn hit(&self, position: &Position, find: &Find) -> Result<Hit, StoreError> {
        let view = self.reader.view;
        let current = view.current(position.number)?.ok_or_else(|| damaged("current"))?;
        let asked = current.rows.filter(|(index, _)| find.values.contains(index));
        let rows = asked.map(|(index, value)| Row { index, value: value.to_vec() }).collect();
        let version = match find.bodies {
            true => Some(read_version(view, position.number, current.version)?),
            false => None,
        };
        Ok(Hit { key: Key::parse(current.key).ok_or_else(|| damaged("current"))?, version, rows })
    }
}

/// The side of the first position on the way in this direction from which one comes.
fn entry(direction: Direction) -> Side {
    match direction {
        Direction::Forward => Side::Before,
        Direction::Backward => Side::After,
    }
}
