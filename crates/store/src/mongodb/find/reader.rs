//! Reading documents within what a search may cost, and taking down what was done.

use std::time::{Duration, Instant};

use mongodb::bson::{Document, RawDocument, doc};
use mongodb::options::{AggregateOptions, FindOptions, Hint};

use super::hits::Carried;
use crate::mongodb::crowds::Crowd;
use crate::mongodb::homes::Known;
use crate::mongodb::layout::{self, COUNTERS, COUNTERS_END, DOCUMENTS, ROWS_SAMPLED, SAMPLED, STATE};
use crate::mongodb::view::{Aside, Cursor, Tally, View};
use crate::{Find, Index, Key, Limit, Row, Step, StoreError, TooCostly};

/// How many documents come at once where it is not known how many will be needed.
pub(super) const BATCH: usize = 512;

/// Documents of which is known how many there are.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Population {
    Everything,
    Collection(String),
}

/// Documents that are counted.
#[derive(Clone, Debug)]
pub(super) enum Among {
    /// Those that satisfy a condition.
    Where(Document),
    /// Those with a row in a stretch of an index, by its keys alone.
    Stretch(IndexStretch),
}

impl From<Document> for Among {
    fn from(condition: Document) -> Among {
        Among::Where(condition)
    }
}

/// How many come at once at most.
const BATCH_MAX: usize = 2_000;

/// How many keys come at once.
const KEYS_BATCH: u32 = 20_000;

/// From this limit on a count has none, and is refused only when it is done.
const UNLIMITED: u64 = 1_000_000;

pub(super) struct Reader<'v> {
    view: &'v mut View,
    pub(super) known: &'v Known,
    rows_max: u64,
    until: Option<Instant>,
    touched: u64,
    /// What is being read, for the text of a refusal.
    pub(super) index: Option<Index>,
    plan: Option<Vec<Step>>,
    /// What was read of hits while they were looked for, where they are shown with their bodies.
    pub(super) carried: Option<Carried>,
}

/// What is read of a collection, and how.
pub(super) struct Query {
    pub(super) filter: Document,
    pub(super) projection: Document,
    /// By creation, backward if so.
    pub(super) by_number: Option<bool>,
    /// A stretch of an index, in its order.
    pub(super) stretch: Option<IndexStretch>,
    /// Of those in the sample, which the filter says too.
    pub(super) is_of_sample: bool,
    pub(super) limit: Option<usize>,
    /// How many may be enough.
    pub(super) batch: usize,
}

/// The entries of an index from `from` on and before `to`, in the order of the index.
#[derive(Clone, Debug)]
pub(super) struct IndexStretch {
    pub(super) index: &'static str,
    pub(super) from: Document,
    pub(super) to: Document,
}

impl IndexStretch {
    /// Makes a query walk it.
    fn set(self, options: &mut FindOptions) {
        options.hint = Some(Hint::Name(self.index.to_owned()));
        (options.min, options.max) = (Some(self.from), Some(self.to));
    }
}

impl Query {
    /// All that satisfy a filter, in no order.
    pub(super) fn new(filter: Document, projection: Document) -> Query {
        Query { filter, projection, by_number: None, stretch: None, is_of_sample: false, limit: None, batch: BATCH }
    }
}

/// What a search looks at of a document.
pub(super) struct Met {
    pub(super) number: u64,
    pub(super) key: Key,
    /// Sorted.
    pub(super) rows: Vec<Row>,
}

impl Met {
    /// What must be read for one.
    pub(super) fn projection() -> Document {
        doc! { "n": 1, "r": 1 }
    }

    pub(super) fn of_document(document: &RawDocument) -> Result<Met, StoreError> {
        Ok(Met { number: number(document)?, key: key(document)?, rows: layout::rows(document, None)? })
    }

    pub(super) fn pairs(&self) -> impl Iterator<Item = (Index, &[u8])> + Clone {
        self.rows.iter().map(|row| (row.index, row.value.as_slice()))
    }
}

/// The creation number.
pub(super) fn number(document: &RawDocument) -> Result<u64, StoreError> {
    document.get_i64("n").ok().and_then(|number| u64::try_from(number).ok()).ok_or_else(|| layout::damaged(DOCUMENTS))
}

pub(super) fn key(document: &RawDocument) -> Result<Key, StoreError> {
    document.get_str("_id").ok().and_then(Key::parse).ok_or_else(|| layout::damaged(DOCUMENTS))
}

impl<'v> Reader<'v> {
    pub(super) fn new(view: &'v mut View, known: &'v Known, find: &Find) -> Reader<'v> {
        let plan = find.explain.then(Vec::new);
        Reader { view, known, rows_max: find.rows_max, until: find.until, touched: 0, index: None, plan, carried: None }
    }

    /// Whether hits are wanted with their bodies by whoever looks for them.
    pub(super) fn carries(&self) -> bool {
        self.carried.is_some()
    }

    /// Keeps what is shown of a document.
    pub(super) fn carry(&mut self, document: &RawDocument) -> Result<(), StoreError> {
        self.carried.as_mut().map_or(Ok(()), |carried| carried.add(document))
    }

    /// How many rows were touched: each document that was read, and each one that was counted.
    pub(super) fn touched(&self) -> u64 {
        self.touched
    }

    pub(super) fn left(&self) -> u64 {
        self.rows_max.saturating_sub(self.touched)
    }

    pub(super) fn into_plan(self) -> Vec<Step> {
        self.plan.unwrap_or_default()
    }

    pub(super) fn note(&mut self, verb: &'static str, index: Option<Index>, start: u64, left: u64) {
        let rows = self.touched - start;
        if let Some(plan) = &mut self.plan {
            plan.push(Step { verb, index, rows, left: Some(left) });
        }
    }

    /// Counts rows, and says when there are too many of them or the time is over.
    pub(super) fn touch(&mut self, rows: u64) -> Result<(), StoreError> {
        self.touched = self.touched.saturating_add(rows);
        if self.touched > self.rows_max {
            return Err(StoreError::TooCostly(TooCostly { index: self.index, limit: Limit::Rows(self.rows_max) }));
        }
        self.time_left().map(drop)
    }

    pub(super) fn time_left(&self) -> Result<Option<Duration>, StoreError> {
        let Some(until) = self.until else { return Ok(None) };
        let left = until.saturating_duration_since(Instant::now());
        // The database takes milliseconds, and none at all for no limit.
        match left.as_millis() {
            0 => Err(StoreError::TooCostly(TooCostly { index: self.index, limit: Limit::Time })),
            _ => Ok(Some(left)),
        }
    }

    /// Whether the time is over.
    pub(super) fn is_late(&self) -> bool {
        self.time_left().is_err()
    }

    /// From here on there is time for all.
    pub(super) fn take_time(&mut self) {
        self.until = None;
    }

    /// Does something that may take no longer than this; `None` when it would have.
    pub(super) fn within<T>(
        &mut self,
        time: Duration,
        work: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let until = self.until;
        let soon = Instant::now() + time;
        self.until = Some(until.map_or(soon, |until| until.min(soon)));
        let result = work(self);
        self.until = until;
        match result {
            Ok(done) => Ok(Some(done)),
            Err(StoreError::TooCostly(TooCostly { limit: Limit::Time, .. })) => self.time_left().map(|_| None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn find(&mut self, query: Query) -> Result<Cursor, StoreError> {
        let Query { filter, projection, by_number, stretch, is_of_sample, limit, batch } = query;
        let mut options = FindOptions::default();
        options.projection = Some(projection);
        options.max_time = self.time_left()?;
        options.sort = by_number.map(|backward| doc! { "n": if backward { -1 } else { 1 } });
        // A sort of many long bodies would otherwise be refused by a server before 6.0.
        options.allow_disk_use = by_number.map(|_| true);
        options.batch_size = Some(limit.unwrap_or(batch).clamp(2, BATCH_MAX) as u32);
        options.limit = limit.and_then(|limit| i64::try_from(limit).ok());
        options.hint = is_of_sample.then(|| Hint::Name(ROWS_SAMPLED.to_owned()));
        if let Some(stretch) = stretch {
            stretch.set(&mut options);
        }
        self.view.find(DOCUMENTS, filter, options).map_err(|error| self.told(error))
    }

    /// The next document of a query: one row touched.
    pub(super) fn next<'q>(&mut self, cursor: &'q mut Cursor) -> Result<Option<&'q RawDocument>, StoreError> {
        let index = self.index;
        let document = self.view.next(cursor).map_err(|error| at(error, index))?;
        if document.is_some() {
            self.touch(1)?;
        }
        Ok(document)
    }

    /// How many documents there are, as far as `limit`: as many rows touched.
    pub(super) fn count(&mut self, among: impl Into<Among>, limit: u64) -> Result<u64, StoreError> {
        let tally = self.counting(among.into(), limit)?;
        let count = self.number_of(DOCUMENTS, tally)?.min(limit);
        self.touch(count)?;
        Ok(count)
    }

    /// Begins to count while something else is read; `None` where that cannot be.
    pub(super) fn begin_count(&self, among: Among, limit: u64) -> Result<Option<Aside>, StoreError> {
        self.view.aside(DOCUMENTS, self.counting(among, limit)?)
    }

    /// Begins to estimate, likewise.
    pub(super) fn begin_estimate(&self, filter: Document) -> Result<Option<Aside>, StoreError> {
        self.view.aside(DOCUMENTS, self.estimating(filter)?)
    }

    /// What [`Reader::count`] would have said.
    pub(super) fn finish_count(&mut self, aside: Aside, limit: u64) -> Result<u64, StoreError> {
        let count = self.finish(aside)?.min(limit);
        self.touch(count)?;
        Ok(count)
    }

    /// What [`Reader::estimate`] would have said.
    pub(super) fn finish_estimate(&mut self, aside: Aside) -> Result<u64, StoreError> {
        let count = self.finish(aside)?;
        self.touch(count)?;
        Ok(count.saturating_mul(SAMPLED))
    }

    fn finish(&mut self, aside: Aside) -> Result<u64, StoreError> {
        self.view.finish(aside).map_err(|error| self.told(error))
    }

    /// How many documents the last search had that was about the same index first.
    pub(super) fn crowd(&self) -> Crowd {
        self.index.map_or(Crowd::Page, |index| self.view.crowds().of(index))
    }

    /// Takes note of it.
    pub(super) fn note_crowd(&self, index: Option<Index>, crowd: Crowd) {
        if let Some(index) = index {
            self.view.crowds().note(index, crowd);
        }
    }

    /// Does something that takes no time to speak of, however late it is.
    pub(super) fn always<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let until = self.until.take();
        let result = work(self);
        self.until = until;
        result
    }

    /// About how many documents satisfy a filter, going by those in the sample.
    pub(super) fn estimate(&mut self, filter: Document) -> Result<u64, StoreError> {
        let tally = self.estimating(filter)?;
        let count = self.number_of(DOCUMENTS, tally)?;
        self.touch(count)?;
        Ok(count.saturating_mul(SAMPLED))
    }

    /// How many current documents there are in all, or in one collection.
    pub(super) fn count_all(&mut self, of: &Population) -> Result<u64, StoreError> {
        let is_counter = match of {
            Population::Everything => doc! { "_id": { "$gte": COUNTERS, "$lt": COUNTERS_END } },
            Population::Collection(name) => doc! { "_id": format!("{COUNTERS}{name}") },
        };
        let sum = doc! { "$group": { "_id": null, "count": { "$sum": "$documents" } } };
        let pipeline = vec![doc! { "$match": is_counter }, sum];
        let tally = Tally::Pipeline(pipeline, self.options(None)?);
        let count = self.number_of(STATE, tally)?;
        self.touch(1)?;
        Ok(count)
    }

    fn number_of(&mut self, collection: &str, tally: Tally) -> Result<u64, StoreError> {
        self.view.number(collection, tally).map_err(|error| self.told(error))
    }

    /// How many documents there are, as far as `limit`.
    fn counting(&self, among: Among, limit: u64) -> Result<Tally, StoreError> {
        // Nothing is counted as fast as what has no limit.
        let limit = (limit < UNLIMITED).then_some(limit.max(1) as i64);
        Ok(match among {
            Among::Where(condition) => {
                let limit = limit.map(|limit| doc! { "$limit": limit });
                let parts = [Some(doc! { "$match": condition }), limit, Some(doc! { "$count": "count" })];
                Tally::Pipeline(parts.into_iter().flatten().collect(), self.options(None)?)
            }
            Among::Stretch(stretch) => {
                // A number is no array, and so comes from the index alone.
                let mut options = FindOptions::builder().projection(doc! { "_id": 0, "n": 1 }).limit(limit).build();
                options.batch_size = Some(KEYS_BATCH);
                options.max_time = self.time_left()?;
                stretch.set(&mut options);
                Tally::Found(Box::new(options))
            }
        })
    }

    /// How many documents of the sample there are.
    fn estimating(&self, filter: Document) -> Result<Tally, StoreError> {
        let filter = doc! { "$and": [layout::is_sampled(), filter] };
        let pipeline = vec![doc! { "$match": filter }, doc! { "$count": "count" }];
        Ok(Tally::Pipeline(pipeline, self.options(Some(ROWS_SAMPLED))?))
    }

    fn options(&self, index: Option<&str>) -> Result<Box<AggregateOptions>, StoreError> {
        let mut options = Box::<AggregateOptions>::default();
        options.max_time = self.time_left()?;
        options.hint = index.map(|index| Hint::Name(index.to_owned()));
        Ok(options)
    }

    fn told(&self, error: StoreError) -> StoreError {
        at(error, self.index)
    }
}

/// The same with what was being read.
fn at(error: StoreError, index: Option<Index>) -> StoreError {
    match error {
        StoreError::TooCostly(TooCostly { limit, .. }) => StoreError::TooCostly(TooCostly { index, limit }),
        error => error,
    }
}
