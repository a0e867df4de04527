//! One page of a search: which way to gather it, and whether there is more on either side.

use roaring::RoaringTreemap;

use super::guess::Guess;
use super::node::Node;
use super::number::numbers_of;
use super::place::is_found_by_ranges;
use super::scan::Reader;
use super::set::PROBE_ROWS;
use super::simplify::FrequentRow;
use crate::document::PageRoom;
use crate::embedded::tables::damaged;
use crate::embedded::versions;
use crate::find::{Direction, Gap, Order, Places, Position, Stretch, Top, end, entry};
use crate::{Count, Counted, Find, Found, Hit, Key, Match, Row, StoreError};

/// Filters whose documents are found within this many rows are turned into a set before anything else.
const SMALL: u64 = 1024;

/// Where the set of all hits takes no more rows than this, little depends on how many they are.
const GUESSED: u64 = 8 * SMALL;

/// Several lists may meet within this many rows although none is short. No guess tells whether they do, so it is tried where the shortest
/// has no more than [`LISTED`].
const MET: u64 = 256;
const LISTED: u64 = 16 * MET;

/// How it is known which documents are hits.
#[derive(Clone, Copy)]
pub(super) enum Members<'n> {
    /// These are.
    Set(&'n RoaringTreemap),
    /// Each is checked when it is met.
    Node,
}

pub(super) struct Search<'s, 't> {
    pub(super) reader: Reader<'t>,
    pub(super) node: &'s Node<'s>,
    /// A row that all hits have besides, in order of creation like those of any value.
    pub(super) implied: Option<FrequentRow<'s>>,
    order: Order<'s>,
    /// All hits, once that was made.
    pub(super) set: Option<RoaringTreemap>,
    pub(super) estimate: Option<u64>,
    guess: Option<Guess>,
    population: Option<u64>,
}

impl<'s, 't> Search<'s, 't> {
    pub(super) fn new(
        reader: Reader<'t>,
        node: &'s Node<'s>,
        implied: Option<FrequentRow<'s>>,
        order: Order<'s>,
    ) -> Search<'s, 't> {
        Search { reader, node, implied, order, set: None, estimate: None, guess: None, population: None }
    }

    pub(super) fn run(mut self, find: &'s Find) -> Result<Found, StoreError> {
        let mut found = Found::default();
        let entry = self.enter(find)?;
        if self.order.places.is_empty() {
            self.set = self.small_set()?;
        }
        if find.total == Count::Exact {
            found.total = Some(self.count(&find.filter)?);
        }
        if find.limit > 0 {
            self.page(find, entry, &mut found)?;
        }
        if let Count::Within(rows) = find.total {
            let more = find.limit == 0 || found.next.is_some() || found.previous.is_some();
            let shown = found.hits.len() as u64;
            found.total = match self.count_within(rows, shown, more)? {
                None => Some(Counted { count: self.estimate()?.max(shown + 1), exact: false }),
                counted => counted,
            };
        }
        found.rows = self.reader.touched();
        found.plan = self.reader.into_plan();
        Ok(found)
    }

    /// The set of all hits where it is small, or may be.
    fn small_set(&mut self) -> Result<Option<RoaringTreemap>, StoreError> {
        // So few values are mostly looked up as soon as guessed.
        if let Node::OneOf(_, values) = self.node
            && values.len() as u64 <= SMALL
            && let Some(set) = self.reader.set(self.node, SMALL)?
        {
            return Ok(Some(set));
        }
        let guess = self.guess()?;
        let may_meet_soon = guess.hits <= LISTED && self.node.rows().len() > 1;
        match guess.rows <= SMALL {
            true => self.reader.set(self.node, SMALL),
            false if may_meet_soon => self.reader.set(self.node, MET),
            false => Ok(None),
        }
    }

    /// About what the set of all hits takes; made once.
    pub(super) fn guess(&mut self) -> Result<Guess, StoreError> {
        if let Some(guess) = self.guess {
            return Ok(guess);
        }
        let guess = self.reader.guess(self.node)?;
        Ok(*self.guess.insert(guess))
    }

    /// About how many hits there are, never 0. Where much depends on it, a sample is asked.
    fn hits_about(&mut self) -> Result<u64, StoreError> {
        let guess = self.guess()?;
        let is_precise = !matches!(self.node, Node::All(_) | Node::Not(_) | Node::LinksTo(..) | Node::LinkedFrom(..));
        let hits = match &self.set {
            Some(set) => set.len(),
            None if is_precise || guess.rows <= GUESSED => guess.hits,
            None => match self.reader.most_of(self.node)? {
                Some(most) => most,
                None => self.estimate()?,
            },
        };
        Ok(hits.max(1))
    }

    /// The set of all hits, made if it was not yet.
    pub(super) fn whole(&mut self) -> Result<&RoaringTreemap, StoreError> {
        let set = match self.set.take() {
            Some(set) => set,
            None => self.reader.whole_set(self.node)?,
        };
        Ok(self.set.insert(set))
    }

    /// Where the page begins and which way it goes. A page that follows another keeps the order which that one had.
    fn enter(&mut self, find: &'s Find) -> Result<(Option<Gap>, Direction), StoreError> {
        let (cursor, direction) = entry(&find.page);
        let keys = find.sort.len();
        let places = if find.any_order && keys == 0 { Places::of(&find.filter) } else { None };
        let gap = cursor.map(|cursor| Gap::from_cursor(cursor, keys, places.is_some())).transpose()?;
        if let Some(places) = places {
            let by_place = match &gap {
                Some(gap) => gap.position.values.len() > keys,
                None if places.say_all && is_found_by_ranges(self.node) => true,
                None => self.is_full_sooner_by_place(&places.ranges, find.limit as u64)?,
            };
            if by_place {
                self.order.places = places.ranges;
            }
        }
        Ok((gap, direction))
    }

    /// Whether clearly fewer candidates are passed in ranges than in order of creation until a page is full, and these cost less than all
    /// hits. A sample may say twice as many as there are.
    fn is_full_sooner_by_place(&mut self, ranges: &[&Match], wanted: u64) -> Result<bool, StoreError> {
        let all = self.guess()?.rows;
        if all <= SMALL {
            return Ok(false);
        }
        let in_ranges = self.reader.guess_places(self.node, ranges)?;
        if in_ranges >= self.candidates()?.1 / 2 {
            return Ok(false);
        }
        let passed = in_ranges.saturating_mul(wanted) / self.hits_about()?;
        Ok(passed.saturating_mul(1 + PROBE_ROWS) <= all)
    }

    /// The lists in which hits are found in order of creation, and how many documents the shortest has.
    fn candidates(&self) -> Result<(Vec<FrequentRow<'s>>, u64), StoreError> {
        let lists = self.reader.lists(self.node, self.implied)?;
        let count = match lists.first() {
            Some((index, value)) => self.reader.view.kept_count(*index, value)?.unwrap_or(0),
            None => self.reader.documents_in_all()?,
        };
        Ok((lists, count))
    }

    fn page(
        &mut self,
        find: &Find,
        (gap, direction): (Option<Gap>, Direction),
        found: &mut Found,
    ) -> Result<(), StoreError> {
        let wanted = find.limit.saturating_add(1);
        let mut positions = self.gather(Stretch { gap: gap.as_ref(), direction, wanted })?;
        let mut more = positions.len() > find.limit;
        positions.truncate(find.limit);
        found.hits = self.hits(&positions, find)?;
        more |= found.hits.len() < positions.len();
        positions.truncate(found.hits.len());
        end(found, (gap.as_ref(), direction), &positions, more, |gap, direction| self.any_beyond(gap, direction))
    }

    fn any_beyond(&mut self, gap: &Gap, direction: Direction) -> Result<bool, StoreError> {
        Ok(!self.gather(Stretch { gap: Some(gap), direction, wanted: 1 })?.is_empty())
    }

    fn gather(&mut self, stretch: Stretch<'_>) -> Result<Vec<Position>, StoreError> {
        if !self.order.places.is_empty() {
            return self.reader.by_place(self.node, &self.order, stretch);
        }
        if self.order.keys.is_empty() {
            let numbers = self.gather_numbers(stretch)?;
            return Ok(numbers.into_iter().map(|number| Position { values: Vec::new(), number }).collect());
        }
        if self.set.is_none() {
            let population = self.population()?;
            let (walk, other) = self.costs(population, stretch)?;
            if walk <= other
                && let Some(found) = self.reader.by_index(self.node, Members::Node, &self.order, stretch, other)?
            {
                return Ok(found);
            }
            self.whole()?;
        }
        let population = self.population()?;
        let set = self.set.as_ref().expect("it was made above if it was missing");
        // Walking is worth a try when the page is likely to fill before all candidates could be sorted.
        let sorting = set.len().saturating_mul(PROBE_ROWS);
        if walk_of(population, set.len(), stretch) < sorting
            && let Some(found) = self.reader.by_index(self.node, Members::Set(set), &self.order, stretch, sorting)?
        {
            return Ok(found);
        }
        self.reader.by_sorting(set, &self.order, stretch)
    }

    fn gather_numbers(&mut self, stretch: Stretch<'_>) -> Result<Vec<u64>, StoreError> {
        if self.set.is_none() {
            let (lists, population) = self.candidates()?;
            let (walk, other) = self.costs(population, stretch)?;
            if walk <= other
                && let Some(numbers) = self.reader.by_number(self.node, &lists, stretch, other)?
            {
                return Ok(numbers);
            }
        }
        Ok(numbers_of(self.whole()?, stretch))
    }

    /// About how many rows it takes to fill the stretch by looking at each of `population` candidates on the way, and how many it takes
    /// with the set of all hits.
    fn costs(&mut self, population: u64, stretch: Stretch<'_>) -> Result<(u64, u64), StoreError> {
        if matches!(self.node, Node::Everything) || self.node.is_of_rows() && self.order.keys.is_empty() {
            return Ok((0, u64::MAX));
        }
        let hits = self.hits_about()?;
        let walk = walk_of(population, hits, stretch).saturating_mul(1 + PROBE_ROWS);
        let ordering = match self.order.keys.is_empty() {
            true => 0,
            false => hits.saturating_mul(PROBE_ROWS).min(walk_of(population, hits, stretch)),
        };
        Ok((walk, self.guess()?.rows.saturating_add(ordering).max(SMALL)))
    }

    /// About how many rows a walk of the first sort key may pass.
    fn population(&mut self) -> Result<u64, StoreError> {
        if let Some(population) = self.population {
            return Ok(population);
        }
        let indexes = &self.order.keys[0].indexes;
        let population = match self.reader.span(self.node, indexes)? {
            Some(span) => self.reader.guess(&Node::Match(&span))?.rows,
            None => {
                let mut sum = 0;
                for index in indexes {
                    sum += self.reader.guess_index(*index)?;
                }
                sum.min(self.reader.documents_in_all()?)
            }
        };
        Ok(*self.population.insert(population))
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
        let current = self.reader.current(position.number)?;
        let asked = current.rows.filter(|(index, _)| find.values.contains(index));
        let rows = asked.map(|(index, value)| Row { index, value: value.to_vec() }).collect();
        let version = match find.bodies {
            true => Some(versions::read(self.reader.view, current.sequence)?),
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
        let start = self.touched();
        let mut top = Top::new(order, stretch.direction, stretch.wanted);
        for number in set {
            let position = order.position(number, self.probe(number)?);
            if order.is_beyond(stretch.gap, stretch.direction, &position) {
                top.push(position);
            }
        }
        let found = top.into_sorted();
        self.note("sort all", None, start, found.len() as u64);
        Ok(found)
    }
}

/// How many of `population` candidates a walk passes before the stretch is full, if `hits` are spread evenly.
fn walk_of(population: u64, hits: u64, stretch: Stretch<'_>) -> u64 {
    population.saturating_mul(stretch.wanted as u64) / hits.max(1)
}
