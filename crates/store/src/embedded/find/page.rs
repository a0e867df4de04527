//! One page of a search: which way to gather it, and whether there is more on either side.

use roaring::RoaringTreemap;

use super::node::Node;
use super::number::numbers_of;
use super::order::{Direction, Gap, Order, Position, Side, Top};
use super::scan::{Reader, Way};
use super::set::PROBE_ROWS;
use crate::embedded::snapshot::{PageRoom, read_version};
use crate::embedded::tables::damaged;
use crate::{Count, Counted, Find, Found, Hit, Key, Page, Row, StoreError};

/// Filters whose documents are found within this many rows are turned into a set before anything else.
const SMALL: u64 = 1024;

/// How many rows a page may take without the set of all hits, before that is made after all.
const STREAM_ROWS: u64 = 8192;

/// How it is known which documents are hits.
#[derive(Clone, Copy)]
pub(super) enum Members<'n> {
    /// These are.
    Set(&'n RoaringTreemap),
    /// Each is checked when it is met.
    Node,
}

/// What part of the order is wanted: `wanted` positions beyond `gap` in a direction, in the order in which they are met.
#[derive(Clone, Copy)]
pub(super) struct Stretch<'s> {
    pub(super) gap: Option<&'s Gap>,
    pub(super) direction: Direction,
    pub(super) wanted: usize,
}

impl Stretch<'_> {
    pub(super) fn way(&self) -> Way {
        match self.direction {
            Direction::Forward => Way::Up,
            Direction::Backward => Way::Down,
        }
    }

    /// The numbers beyond the gap, where only numbers decide.
    pub(super) fn numbers(&self) -> (u64, u64) {
        match (self.gap.map(Gap::number), self.direction) {
            (None, _) => (0, u64::MAX),
            (Some(number), Direction::Forward) => (number, u64::MAX),
            (Some(number), Direction::Backward) => (0, number),
        }
    }
}

pub(super) struct Search<'s, 't> {
    reader: Reader<'t>,
    node: &'s Node<'s>,
    order: Order<'s>,
    /// All hits, once that was made.
    set: Option<RoaringTreemap>,
}

impl<'s, 't> Search<'s, 't> {
    pub(super) fn new(reader: Reader<'t>, node: &'s Node<'s>, order: Order<'s>) -> Search<'s, 't> {
        Search { reader, node, order, set: None }
    }

    pub(super) fn run(mut self, find: &Find) -> Result<Found, StoreError> {
        let mut found = Found { total: self.plan(find.total)?, ..Found::default() };
        if find.limit > 0 {
            self.page(find, &mut found)?;
        }
        found.rows = self.reader.touched();
        Ok(found)
    }

    /// Decides whether to make the set of all hits at once, and counts if that is wanted.
    fn plan(&mut self, total: Count) -> Result<Option<Counted>, StoreError> {
        self.set = self.reader.set(self.node, SMALL)?;
        if total == Count::None {
            return Ok(None);
        }
        let count = match (&self.set, self.node) {
            (None, Node::Everything) => self.documents()?,
            (None, Node::Equal(index, value)) => self.reader.count(*index, value)?,
            _ => self.whole()?.len(),
        };
        Ok(Some(Counted::exactly(count)))
    }

    fn documents(&self) -> Result<u64, StoreError> {
        Ok(self.reader.view.tables.current.len(self.reader.view.txn)?)
    }

    /// The set of all hits, made if it was not yet.
    fn whole(&mut self) -> Result<&RoaringTreemap, StoreError> {
        let set = match self.set.take() {
            Some(set) => set,
            None => self.reader.whole_set(self.node)?,
        };
        Ok(self.set.insert(set))
    }

    fn page(&mut self, find: &Find, found: &mut Found) -> Result<(), StoreError> {
        let (gap, direction) = match &find.page {
            Page::First => (None, Direction::Forward),
            Page::After(cursor) => (Some(Gap::from_cursor(cursor, find.sort.len())?), Direction::Forward),
            Page::Before(cursor) => (Some(Gap::from_cursor(cursor, find.sort.len())?), Direction::Backward),
        };
        let wanted = find.limit.saturating_add(1);
        let mut positions = self.gather(Stretch { gap: gap.as_ref(), direction, wanted })?;
        let mut more = positions.len() > find.limit;
        positions.truncate(find.limit);
        let mut hits = self.hits(&positions, find)?;
        more |= hits.len() < positions.len();
        positions.truncate(hits.len());
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
            hits.reverse();
        }
        found.hits = hits;
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
        if self.order.keys[0].indexes.len() > 1 {
            self.whole()?;
            let set = self.set.as_ref().expect("it was made above");
            return self.reader.by_sorting(set, &self.order, stretch);
        }
        if self.set.is_none() {
            let budget = self.budget_without_set(stretch)?;
            if let Some(found) = self.reader.by_index(self.node, Members::Node, &self.order, stretch, budget)? {
                return Ok(found);
            }
            self.whole()?;
        }
        let set = self.set.as_ref().expect("it was made above if it was missing");
        // Walking is worth a try when the page is likely to fill before all candidates could be sorted.
        let sorting = set.len().saturating_mul(PROBE_ROWS);
        if self.walk_of(set.len(), stretch)? < sorting
            && let Some(found) = self.reader.by_index(self.node, Members::Set(set), &self.order, stretch, sorting)?
        {
            return Ok(found);
        }
        self.reader.by_sorting(set, &self.order, stretch)
    }

    /// How many rows of an index a walk to the end of the stretch passes, if `count` hits are spread evenly.
    fn walk_of(&self, count: u64, stretch: Stretch<'_>) -> Result<u64, StoreError> {
        Ok(self.documents()?.saturating_mul(stretch.wanted as u64) / count.max(1))
    }

    /// How many rows to try a walk with that checks each document on its way: none when making the set is cheaper for sure.
    fn budget_without_set(&self, stretch: Stretch<'_>) -> Result<u64, StoreError> {
        if matches!(self.node, Node::Everything) {
            return Ok(u64::MAX);
        }
        let hits = self.reader.kept_most(self.node)?;
        match hits {
            Some(hits) if self.walk_of(hits, stretch)?.saturating_mul(PROBE_ROWS) > hits => Ok(0),
            _ => Ok(STREAM_ROWS),
        }
    }

    fn gather_numbers(&mut self, stretch: Stretch<'_>) -> Result<Vec<u64>, StoreError> {
        if self.set.is_none() {
            let budget = match self.node {
                Node::Everything | Node::Equal(..) => u64::MAX,
                _ => STREAM_ROWS,
            };
            if let Some(numbers) = self.reader.by_number(self.node, stretch, budget)? {
                return Ok(numbers);
            }
        }
        Ok(numbers_of(self.whole()?, stretch))
    }

    /// The hits at these positions, as many as have room on one page.
    fn hits(&self, positions: &[Position], find: &Find) -> Result<Vec<Hit>, StoreError> {
        let mut room = PageRoom::default();
        let mut hits = Vec::with_capacity(positions.len());
        for position in positions {
            let hit = self.hit(position, find)?;
            if !hit.version.as_ref().is_none_or(|version| room.takes(version)) {
                break;
            }
            hits.push(hit);
        }
        Ok(hits)
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

impl Reader<'_> {
    /// By reading every candidate's rows.
    pub(super) fn by_sorting(
        &self,
        set: &RoaringTreemap,
        order: &Order<'_>,
        stretch: Stretch<'_>,
    ) -> Result<Vec<Position>, StoreError> {
        let mut top = Top::new(order, stretch.direction, stretch.wanted);
        for number in set {
            let position = order.position(number, self.probe(number)?);
            if order.is_beyond(stretch.gap, stretch.direction, &position) {
                top.push(position);
            }
        }
        Ok(top.into_sorted())
    }
}

/// The side of the first position on the way in this direction from which one comes.
fn entry(direction: Direction) -> Side {
    match direction {
        Direction::Forward => Side::Before,
        Direction::Backward => Side::After,
    }
}
