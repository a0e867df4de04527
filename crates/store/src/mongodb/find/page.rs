//! One page of a search: which way to gather it, and whether there is more on either side.

use std::ops::Bound;
use std::time::Duration;

use mongodb::bson::{Document, doc};

use super::condition::Condition;
use super::count::Counting;
use super::hits::Carried;
use super::lane::{Lane, Way};
use super::reader::{Met, Query, Reader};
use super::sieve::{Sieve, each_of};
use super::walk::Walk;
use crate::find::{Direction, Gap, Order, Position, Stretch, Top, end};
use crate::{Filter, Find, Found, Index, Match, Range, StoreError};

/// What is done in the order of creation, as a clause for people.
pub(super) const BY_NUMBER: &str = "read in order of creation";

/// So many hits are rather put in order than looked for by a walk.
const SORTED_MAX: u64 = 2_000;

/// How long a walk may take where there is another way.
const WALK_TIME: Duration = Duration::from_millis(1_000);

/// How many indexes are walked together.
const LANES_MAX: usize = 200;

/// Those that satisfy a query and whose numbers are beyond the gap of a stretch, where only numbers decide.
pub(super) fn within(stretch: &Stretch<'_>, query: Document) -> Document {
    match numbers(stretch) {
        numbers if numbers.is_empty() => query,
        numbers => doc! { "$and": [query, numbers] },
    }
}

/// The numbers beyond the gap.
pub(super) fn numbers(stretch: &Stretch<'_>) -> Document {
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    match stretch.numbers() {
        (0, u64::MAX) => doc! {},
        (from, u64::MAX) => doc! { "n": { "$gte": number(from) } },
        (_, to) => doc! { "n": { "$lt": number(to) } },
    }
}

pub(super) struct Search<'s, 'v> {
    pub(super) reader: Reader<'v>,
    pub(super) sieve: Sieve<'s>,
    pub(super) filter: &'s Filter,
    pub(super) order: Order<'s>,
    /// How many documents there ever were, at most.
    pub(super) documents: u64,
    /// Whether hits are so few that they are put in order, once that is known.
    pub(super) are_few: Option<bool>,
    /// How many satisfy the sieve's query, once that is known.
    pub(super) candidates: Option<u64>,
    pub(super) counting: Counting,
}

impl Search<'_, '_> {
    pub(super) fn page(
        &mut self,
        find: &Find,
        (gap, direction): (Option<Gap>, Direction),
        found: &mut Found,
    ) -> Result<(), StoreError> {
        let wanted = find.limit.saturating_add(1);
        let stretch = Stretch { gap: gap.as_ref(), direction, wanted };
        let is_plain = self.order.keys.is_empty() && self.order.places.is_empty() && self.sieve.checks.is_empty();
        let (positions, hits, more) = match is_plain {
            true => self.hits_by_number(stretch, find)?,
            false => {
                self.reader.carried = find.bodies.then(|| Carried::new(find));
                let mut positions = self.gather(stretch)?;
                let met = positions.len();
                positions.truncate(find.limit);
                let hits = self.hits(&positions, find)?;
                positions.truncate(hits.len());
                let more = hits.len() < met;
                (positions, hits, more)
            }
        };
        found.hits = hits;
        end(found, (gap.as_ref(), direction), &positions, more, |gap, direction| self.any_beyond(gap, direction))
    }

    fn any_beyond(&mut self, gap: &Gap, direction: Direction) -> Result<bool, StoreError> {
        Ok(!self.gather(Stretch { gap: Some(gap), direction, wanted: 1 })?.is_empty())
    }

    fn gather(&mut self, stretch: Stretch<'_>) -> Result<Vec<Position>, StoreError> {
        let start = self.reader.touched();
        let index = self.order.keys.first().and_then(|key| key.indexes.first().copied());
        let (verb, index, found) = if !self.order.places.is_empty() {
            ("read ranges", self.order.places.first().map(|place| place.index), self.by_place(stretch)?)
        } else if self.order.keys.is_empty() {
            (BY_NUMBER, None, self.by_number(self.sieve.query.clone(), stretch)?)
        } else if let Some(found) = self.by_walking(stretch)? {
            ("walk in order of", index, found)
        } else {
            let query = self.sieve.query.clone();
            ("sort all", None, self.by_sorting(query, stretch)?)
        };
        self.reader.note(verb, index, start, found.len() as u64);
        Ok(found)
    }

    /// In order of creation, those that satisfy this query and pass the sieve.
    fn by_number(&mut self, query: Document, stretch: Stretch<'_>) -> Result<Vec<Position>, StoreError> {
        let filter = within(&stretch, query);
        let is_whole = self.sieve.checks.is_empty();
        let query = Query {
            by_number: Some(stretch.is_backward()),
            limit: is_whole.then_some(stretch.wanted),
            batch: stretch.wanted,
            ..Query::new(
                filter,
                if is_whole {
                    doc! { "n": 1 }
                } else {
                    Met::projection()
                },
            )
        };
        let keys = self.order.keys.len();
        let mut found = Vec::new();
        each_of(&mut self.reader, &mut self.sieve, query, |_, met| {
            found.push(Position { values: vec![None; keys], number: met.number });
            Ok(found.len() < stretch.wanted)
        })?;
        Ok(found)
    }

    /// By looking at all of those that satisfy this query and pass the sieve.
    fn by_sorting(&mut self, query: Document, stretch: Stretch<'_>) -> Result<Vec<Position>, StoreError> {
        let order = &self.order;
        let mut top = Top::new(order, stretch.direction, stretch.wanted);
        each_of(&mut self.reader, &mut self.sieve, Query::new(query, Met::projection()), |_, met| {
            let position = order.position(met.number, met.pairs());
            if order.is_beyond(stretch.gap, stretch.direction, &position) {
                top.push(position);
            }
            Ok(true)
        })?;
        Ok(top.into_sorted())
    }

    /// One range after the other.
    fn by_place(&mut self, stretch: Stretch<'_>) -> Result<Vec<Position>, StoreError> {
        let way = if stretch.is_backward() { Way::Down } else { Way::Up };
        let from = stretch.gap.and_then(|gap| gap.position.values.first()?.as_deref()?.first().copied());
        let is_ahead = |at: usize| match from {
            None => true,
            Some(from) if stretch.is_backward() => at <= usize::from(from),
            Some(from) => at >= usize::from(from),
        };
        let mut places: Vec<_> = (0..self.order.places.len()).filter(|at| is_ahead(*at)).collect();
        if stretch.is_backward() {
            places.reverse();
        }
        let mut found = Vec::new();
        for at in places {
            let Match { index, range, .. } = self.order.places[at];
            let lanes = vec![Lane { index: *index, range: range.clone(), number: None }];
            let rest = Stretch { wanted: stretch.wanted - found.len(), ..stretch };
            let walk = Walk { order: &self.order, stretch: rest, way, lanes, place: Some(at) };
            match walk.run(&mut self.reader, &mut self.sieve)? {
                Some(more) => found.extend(more),
                None => {
                    let query = self.sieve.query.clone();
                    return self.by_sorting(query, stretch);
                }
            }
            if found.len() >= stretch.wanted {
                break;
            }
        }
        Ok(found)
    }

    /// By walking the rows of the first sort key; `None` where hits are few, or too many others are on the way.
    fn by_walking(&mut self, stretch: Stretch<'_>) -> Result<Option<Vec<Position>>, StoreError> {
        let key = &self.order.keys[0];
        if key.indexes.len() > LANES_MAX || self.are_few(stretch.wanted)? {
            return Ok(None);
        }
        let mut found = Vec::new();
        if stretch.is_backward() && !self.without_value(stretch, &mut found)? {
            return Ok(Some(found));
        }
        let is_behind = stretch.gap.is_some_and(|gap| gap.position.values[0].is_none()) && !stretch.is_backward();
        if !is_behind {
            let key = &self.order.keys[0];
            let way = if key.descending == stretch.is_backward() { Way::Up } else { Way::Down };
            let indexes = key.indexes.iter().filter(|index| self.reader.known.may_have(**index));
            let lanes = indexes.map(|index| self.lane(*index, stretch)).collect();
            let rest = Stretch { wanted: stretch.wanted - found.len(), ..stretch };
            let walk = Walk { order: &self.order, stretch: rest, way, lanes, place: None };
            let sieve = &mut self.sieve;
            match self.reader.within(WALK_TIME, |reader| walk.run(reader, sieve))?.flatten() {
                Some(more) => found.extend(more),
                None => {
                    self.are_few = Some(true);
                    return Ok(None);
                }
            }
        }
        if !stretch.is_backward() && found.len() < stretch.wanted {
            self.without_value(stretch, &mut found)?;
        }
        Ok(Some(found))
    }

    /// The rows of an index where hits can belong, which have a row in the ranges that the filter asks for. Where that may be another of
    /// several, it still belongs before the range's end on the way of the key.
    fn lane(&self, index: Index, stretch: Stretch<'_>) -> Lane {
        let mut range = Range::full();
        let [key, ..] = self.order.keys else { return Lane { index, range, number: None } };
        let is_single = self.reader.known.is_single(index);
        if key.indexes.len() == 1 && (is_single || !stretch.is_backward()) {
            for part in conjunction(self.filter) {
                let Filter::Match(Match { range: wanted, index: of, .. }) = part else { continue };
                if *of != index {
                    continue;
                }
                if wanted.low != Bound::Unbounded && (is_single || key.descending) {
                    range.low = wanted.low.clone();
                }
                if wanted.high != Bound::Unbounded && (is_single || !key.descending) {
                    range.high = wanted.high.clone();
                }
            }
        }
        Lane { index, range, number: None }
    }

    /// Takes those without a row in the first key's indexes, which are last in either order; whether the stretch goes on before them.
    fn without_value(&mut self, stretch: Stretch<'_>, found: &mut Vec<Position>) -> Result<bool, StoreError> {
        let key = &self.order.keys[0];
        let gap = stretch.gap.filter(|gap| gap.position.values[0].is_none());
        let is_before_gap = stretch.gap.is_some() && gap.is_none() && stretch.is_backward();
        if is_before_gap || requires(self.filter, &key.indexes) {
            return Ok(true);
        }
        let present = key.indexes.iter().map(|index| Match { index: *index, range: Range::full(), test: None });
        let present = Condition::any(present.map(|wanted| Condition::matching(&wanted).0));
        let Some(absent) = present.not().into_query() else { return Ok(true) };
        let query = doc! { "$and": [self.sieve.query.clone(), absent] };
        let rest = Stretch { gap, wanted: stretch.wanted - found.len(), ..stretch };
        found.extend(match self.order.keys.len() {
            1 => self.by_number(query, rest)?,
            _ => self.by_sorting(query, rest)?,
        });
        Ok(found.len() < stretch.wanted)
    }

    /// Whether less is read when all that may be hits are put in order than when rows are walked until there are enough, were these spread
    /// evenly.
    fn are_few(&mut self, wanted: usize) -> Result<bool, StoreError> {
        if let Some(are_few) = self.are_few {
            return Ok(are_few);
        }
        let most = self.documents.saturating_mul(wanted.max(8) as u64).isqrt().min(SORTED_MAX);
        let count = match self.sieve.checks.is_empty() {
            true => self.count_before(most)?,
            false => self.reader.count(self.sieve.query.clone(), most.saturating_add(1))?,
        };
        self.candidates = Some(count).filter(|count| *count <= most);
        Ok(*self.are_few.insert(count <= most))
    }
}

fn conjunction(filter: &Filter) -> &[Filter] {
    match filter {
        Filter::All(filters) => filters,
        filter => std::slice::from_ref(filter),
    }
}

/// Whether only documents with a row in one of the indexes can satisfy the filter, as far as is easily seen.
fn requires(filter: &Filter, indexes: &[Index]) -> bool {
    conjunction(filter).iter().any(|part| match part {
        Filter::Match(Match { index, .. }) | Filter::OneOf { index, .. } => indexes.contains(index),
        _ => false,
    })
}
