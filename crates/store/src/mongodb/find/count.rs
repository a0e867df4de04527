//! How many documents satisfy a filter: counted, or estimated from a sample.

use std::time::Duration;

use mongodb::bson::doc;

use super::page::Search;
use super::reader::{Among, Met, Query, Reader};
use super::sieve::{Sieve, each, each_of};
use super::tally::Tally;
use crate::mongodb::crowds::Crowd;
use crate::mongodb::layout::{self, SAMPLED};
use crate::mongodb::view::Aside;
use crate::{Count, Counted, Find, Found, Page, StoreError, TooCostly};

/// How long an estimate may take.
const ESTIMATE_TIME: Duration = Duration::from_millis(500);

/// How many keys of an index are read as fast as one document.
const KEYS: u64 = 16;

/// The same where each has another value, and a number is sent for each.
const KEYS_SENT: u64 = 4;

/// An estimate of so many times as many as are counted leaves no doubt that there are more.
const DOUBT: u64 = 3;

/// So many documents of the sample tell that much.
const SAMPLE_LEAST: u64 = 32;

/// What is counted for the total, while the page is read or before.
#[derive(Default)]
pub(super) struct Counting {
    begun: Option<Begun>,
    /// How far it will be counted; 0 where it may not be.
    reach: u64,
    /// What was counted, and how far.
    counted: Option<(u64, u64)>,
    /// What the sample says.
    about: Option<u64>,
}

enum Begun {
    /// As far as a limit.
    Exactly(Aside, u64),
    About(Aside),
}

impl Search<'_, '_> {
    /// Begins to count while the page is read, where the last such search had more than a page.
    pub(super) fn begin_counting(&mut self, find: &Find) -> Result<(), StoreError> {
        let is_free = matches!(self.sieve.tally, Tally::Known(_) | Tally::Found(_)) || !self.sieve.checks.is_empty();
        if find.limit == 0 || find.page != Page::First || is_free {
            return Ok(());
        }
        if let Count::Within(rows) = find.total {
            self.counting.reach = self.limit_within(rows);
        }
        let crowd = self.reader.crowd();
        self.counting.begun = match find.total {
            _ if crowd == Crowd::Page => None,
            Count::None => None,
            Count::Exact => self.begin_exact(u64::MAX)?,
            Count::Within(_) if crowd == Crowd::Estimated && !self.sieve.tally.is_of_rows() => {
                let query = self.sieve.query.clone();
                let begun = self.reader.within(ESTIMATE_TIME, |reader| reader.begin_estimate(query))?;
                begun.flatten().map(Begun::About)
            }
            Count::Within(_) => self.begin_exact(self.counting.reach)?,
        };
        Ok(())
    }

    fn begin_exact(&self, limit: u64) -> Result<Option<Begun>, StoreError> {
        let (among, limit) = match &self.sieve.tally {
            Tally::AllBut(_, keys) => (keys.clone(), self.limit_of_others(limit)),
            _ => (self.among(), limit),
        };
        let begun = self.reader.begin_count(among, limit)?;
        Ok(begun.map(|aside| Begun::Exactly(aside, limit)))
    }

    /// What is counted where the database can tell.
    fn among(&self) -> Among {
        match &self.sieve.tally {
            Tally::Keys(keys) => keys.clone(),
            Tally::Range(stretch) => Among::Stretch(stretch.clone()),
            _ => self.sieve.query.clone().into(),
        }
    }

    /// The number asked for, once the page is there.
    pub(super) fn total(&mut self, find: &Find, found: &Found) -> Result<Option<Counted>, StoreError> {
        let on_page = found.hits.len() as u64;
        let is_all = find.limit > 0 && find.page == Page::First && found.next.is_none();
        let start = self.reader.touched();
        let counted = self.candidates.filter(|_| self.sieve.checks.is_empty());
        let total = match find.total {
            Count::None => return Ok(None),
            _ if counted.is_some() => Counted::exactly(counted.unwrap_or_default()),
            _ if is_all => {
                self.reader.note_crowd(self.sieve.index, Crowd::Page);
                Counted::exactly(on_page)
            }
            Count::Exact => self.count_asked(u64::MAX)?,
            Count::Within(rows) => match self.count_within(rows) {
                // The page is there already, whatever its total would cost.
                Err(StoreError::TooCostly(TooCostly { .. })) if find.limit > 0 => Counted { count: 0, exact: false },
                counted => counted?,
            },
        };
        if !is_all && find.limit > 0 {
            self.reader.note_crowd(self.sieve.index, if total.exact { Crowd::Counted } else { Crowd::Estimated });
        }
        self.reader.note(if total.exact { "count" } else { "estimate" }, None, start, total.count);
        let least = if total.exact { 0 } else { on_page.saturating_add(1) };
        Ok(Some(Counted { count: total.count.max(least), ..total }))
    }

    /// Each of them where there are no more than `rows`; otherwise about, or at least, how many.
    fn count_within(&mut self, rows: u64) -> Result<Counted, StoreError> {
        let limit = self.limit_within(rows);
        if let Some(count) = self.many(limit)? {
            return Ok(Counted { count, exact: false });
        }
        let counted = self.count_asked(limit)?;
        if counted.exact {
            return Ok(counted);
        }
        let sieve = &mut self.sieve;
        let about = match self.counting.about {
            Some(about) => Some(about),
            None => self.reader.within(ESTIMATE_TIME, |reader| match sieve.checks.is_empty() {
                true => reader.estimate(sieve.query.clone()),
                false => estimate(reader, sieve),
            })?,
        };
        Ok(Counted { count: about.unwrap_or(0).max(counted.count), exact: false })
    }

    /// The number from which on it is estimated.
    fn limit_within(&self, rows: u64) -> u64 {
        let rows = match &self.sieve.tally {
            Tally::Keys(_) => rows.saturating_mul(KEYS),
            Tally::Range(_) => rows.saturating_mul(KEYS_SENT),
            _ => rows,
        };
        rows.saturating_add(1).min(self.reader.left())
    }

    /// How many others are counted rather than so many that are wanted: a document that is looked at may be any of both.
    fn limit_of_others(&self, limit: u64) -> u64 {
        limit.saturating_mul(KEYS).min(self.reader.left())
    }

    /// About how many, where the sample was asked and leaves no doubt that there are more than so many.
    fn many(&mut self, limit: u64) -> Result<Option<u64>, StoreError> {
        if let Some(Begun::About(aside)) = self.counting.begun.take_if(|begun| matches!(begun, Begun::About(_))) {
            self.counting.about = self.reader.within(ESTIMATE_TIME, |reader| reader.finish_estimate(aside))?;
        }
        let least = limit.saturating_mul(DOUBT).max(SAMPLE_LEAST * SAMPLED);
        Ok(self.counting.about.filter(|about| *about >= least))
    }

    /// Each of them where that is known or they are fewer than `limit`, by what was counted or begun before where that reaches as far.
    fn count_asked(&mut self, limit: u64) -> Result<Counted, StoreError> {
        let (reached, count) = match self.counting.counted {
            Some((reached, count)) if limit <= reached || count < reached => (reached, count),
            _ => match self.count_known(limit)? {
                Some(count) => (u64::MAX, count),
                None => self.count(limit)?,
            },
        };
        self.counting.counted = Some((reached, count));
        Ok(Counted { count, exact: count < reached })
    }

    /// How many there are, where that is known of what they belong to.
    fn count_known(&mut self, limit: u64) -> Result<Option<u64>, StoreError> {
        Ok(match self.sieve.tally.clone() {
            Tally::Known(population) => Some(self.reader.count_all(&population)?),
            Tally::Found(count) => Some(count),
            Tally::AllBut(population, others) => match self.count_begun(others, self.limit_of_others(limit))? {
                (reached, count) if count < reached => Some(self.reader.count_all(&population)?.saturating_sub(count)),
                _ => None,
            },
            Tally::Keys(_) | Tally::Range(_) | Tally::Documents => None,
        })
    }

    /// How far they were counted, which is no less than `limit`, and how many there are as far as that.
    fn count(&mut self, limit: u64) -> Result<(u64, u64), StoreError> {
        if self.sieve.checks.is_empty() {
            return self.count_begun(self.among(), limit);
        }
        let mut count = 0;
        each(&mut self.reader, &mut self.sieve, |_, _| {
            count += 1;
            Ok(count < limit)
        })?;
        Ok((limit, count))
    }

    /// The same of what the database can tell. What was begun is of the same documents.
    fn count_begun(&mut self, among: Among, limit: u64) -> Result<(u64, u64), StoreError> {
        match self.counting.begun.take() {
            Some(Begun::Exactly(aside, reach)) if limit <= reach => {
                Ok((reach, self.reader.finish_count(aside, reach)?))
            }
            _ => Ok((limit, self.reader.count(among, limit)?)),
        }
    }

    /// How many there are, where no more than `limit`; else a larger number. The total is counted with it.
    pub(super) fn count_before(&mut self, limit: u64) -> Result<u64, StoreError> {
        let more = limit.saturating_add(1);
        match self.many(limit)? {
            Some(about) => Ok(about),
            None => Ok(self.count_asked(more.max(self.counting.reach))?.count),
        }
    }
}

/// About how many documents pass, going by those in the sample.
fn estimate(reader: &mut Reader<'_>, sieve: &mut Sieve<'_>) -> Result<u64, StoreError> {
    let filter = doc! { "$and": [layout::is_sampled(), sieve.query.clone()] };
    let query = Query { is_of_sample: true, ..Query::new(filter, Met::projection()) };
    let mut count = 0_u64;
    each_of(reader, sieve, query, |_, _| {
        count += 1;
        Ok(true)
    })?;
    Ok(count.saturating_mul(SAMPLED))
}
